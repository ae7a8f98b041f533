"""What `penstock check` says of a plugin's options."""

import json
from pathlib import Path
from typing import Any

from .programs import penstock_binary, run_to_end


def check(folder: Path, name: str, options: dict[str, Any], *, has_service: bool = True) -> str:
    """What is printed for a route with the plugin; "" where nothing is wrong."""
    target = {"service": "app"} if has_service else {}
    file = folder / "options.yaml"
    file.write_text(json.dumps({
        "listeners": [{"name": "web", "address": "127.0.0.1:8080"}],
        "services": [{"name": "app", "endpoints": ["127.0.0.1:9000"]}],
        "routes": [{"name": "shop", **target, "plugins": {name: options}}],
    }))
    result = run_to_end([penstock_binary(), "check", str(file)], folder)
    return "" if result.returncode == 0 else result.stdout + result.stderr
