"""Apache httpd: its own parser, and an application inside (mod_wsgi) that reads bodies through its filters."""

import shutil
import tempfile
from pathlib import Path

from .process import PROGRAMS, OriginProcess, installed, is_root

MODULES = Path("/usr/lib/apache2/modules")
CONFIGURATION = """
ServerRoot {folder}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ServerName localhost
Listen 127.0.0.1:{port}
ErrorLog {folder}/error.log
{modules}
{user}
# One process: no other has to be started under load.
StartServers 1
ServerLimit 1
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
KeepAlive On
KeepAliveTimeout 20
MaxKeepAliveRequests 0
DocumentRoot {folder}
AllowEncodedSlashes NoDecode
<Directory {folder}>
  Require all granted
</Directory>
WSGIScriptAlias / {folder}/wsgi_program.py
WSGIPythonPath {folder}
WSGIChunkedRequest On
WSGIDestroyInterpreter Off
"""
NEEDED = ("mpm_event", "authz_core", "wsgi")


class Apache(OriginProcess):
    """The event MPM, with `HttpProtocolOptions` as it is by default, which is strict."""

    def __init__(self, name: str, folder: Path):
        # Its workers are not root, and what they need must not lie in a folder that is closed to others.
        self.open_folder = Path(tempfile.mkdtemp(prefix="penstock-apache-"))
        self.open_folder.chmod(0o755)
        for program in ("wsgi_program.py", "journal.py"):
            shutil.copy(PROGRAMS / program, self.open_folder)
        super().__init__(name, self.open_folder)

    def command(self, folder: Path) -> list[str]:
        self.journal.chmod(0o666)
        file = folder / "apache.conf"
        modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED)
        file.write_text(CONFIGURATION.format(
            folder=folder, port=self.port, modules=modules,
            user="User www-data\nGroup www-data" if is_root() else ""))
        return [installed("apache2"), "-f", str(file), "-DFOREGROUND"]

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            shutil.rmtree(self.open_folder, ignore_errors=True)
