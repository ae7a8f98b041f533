"""Writes down what an ASGI server says that it read."""

import journal


async def application(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return  # not read whole
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    journal.write(scope["method"], target.decode("latin-1"),
                  [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]], body)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})
