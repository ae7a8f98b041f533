"""Servers of many makers. Each starts one on a free port, and reports every request that it read whole.

A report is a line of JSON in the origin's journal: method, target, fields, body in hexadecimal. It is written
before the answer, by what stands behind the server's own parser.
"""

from .apache import Apache
from .gunicorn import Gunicorn
from .haproxy import HAProxy
from .http_server import HTTPServer
from .nginx import Nginx
from .node import Node
from .recorder import Recorder
from .uvicorn import Uvicorn
from .waitress import Waitress

__all__ = ["Apache", "Gunicorn", "HAProxy", "HTTPServer", "Nginx", "Node", "Recorder", "Uvicorn", "Waitress"]
