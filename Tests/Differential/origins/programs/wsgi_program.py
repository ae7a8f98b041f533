"""Writes down what a WSGI server says that it read."""

import journal


def application(environ, start_response):
    target = environ.get("RAW_URI") or environ["REQUEST_URI"]
    fields = [(name[5:], value) for name, value in environ.items() if name.startswith("HTTP_")]
    fields += [(name, environ[name]) for name in ("CONTENT_TYPE",) if environ.get(name)]
    body = environ["wsgi.input"].read()
    if environ.get("CONTENT_LENGTH") and int(environ["CONTENT_LENGTH"]) != len(body):
        # Not read whole: gunicorn leaves it to applications to see that.
        start_response("400 Bad Request", [("Content-Length", "0")])
        return []
    journal.write(environ["REQUEST_METHOD"], target, fields, body)
    start_response("200 OK", [("Content-Length", "0")])
    return []
