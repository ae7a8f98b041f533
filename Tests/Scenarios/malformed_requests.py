"""Requests that must be refused: a name, the bytes, and the status. Every one is also left unforwarded."""

H = b"Host: example.test\r\n"
LINE = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def with_line(line: bytes) -> bytes:
    """A request with this request line."""
    return line + b"\r\n" + H + b"\r\n"


def with_field(field: bytes) -> bytes:
    """A request with this field line besides Host."""
    return LINE + H + field + b"\r\n\r\n"


def with_host(value: bytes) -> bytes:
    return LINE + b"Host: " + value + b"\r\n\r\n"


def post(fields: bytes, body: bytes = b"") -> bytes:
    return POST + fields + b"\r\n\r\n" + body


REQUEST_LINES = [
    ("method-that-is-no-token", with_line(b"G@T / HTTP/1.1"), 400),
    ("method-missing", with_line(b" / HTTP/1.1"), 400),
    ("method-of-40-bytes", with_line(b"A" * 40 + b" / HTTP/1.1"), 501),
    ("tls-client-hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 64, 400),
    ("http09-request", b"GET /\r\n\r\n", 400),
    ("target-missing", with_line(b"GET HTTP/1.1"), 400),
    ("two-spaces-before-target", with_line(b"GET  / HTTP/1.1"), 400),
    ("two-spaces-after-target", with_line(b"GET /  HTTP/1.1"), 400),
    ("tab-instead-of-space", with_line(b"GET\t/\tHTTP/1.1"), 400),
    ("space-in-target", with_line(b"GET /a b HTTP/1.1"), 400),
    ("tab-in-target", with_line(b"GET /a\tb HTTP/1.1"), 400),
    ("null-in-target", with_line(b"GET /a\0b HTTP/1.1"), 400),
    ("delete-in-target", with_line(b"GET /a\x7fb HTTP/1.1"), 400),
    ("utf8-in-target", with_line("GET /é HTTP/1.1".encode()), 400),
    ("fragment-in-target", with_line(b"GET /a#b HTTP/1.1"), 400),
    ("target-without-slash", with_line(b"GET index.html HTTP/1.1"), 400),
    ("asterisk-with-get", with_line(b"GET * HTTP/1.1"), 400),
    ("authority-form-with-get", with_line(b"GET example.test:80 HTTP/1.1"), 400),
    ("absolute-form-with-user", with_line(b"GET http://user@example.test/ HTTP/1.1"), 400),
    ("absolute-form-of-ftp", with_line(b"GET ftp://example.test/ HTTP/1.1"), 400),
    ("absolute-form-without-host", with_line(b"GET http:///path HTTP/1.1"), 400),
    ("version-in-lower-case", with_line(b"GET / http/1.1"), 400),
    ("version-without-minor", with_line(b"GET / HTTP/1"), 400),
    ("version-with-two-digits", with_line(b"GET / HTTP/11.1"), 400),
    ("version-and-more", with_line(b"GET / HTTP/1.1x"), 400),
    ("space-after-version", with_line(b"GET / HTTP/1.1 "), 400),
    ("version-2.0", with_line(b"GET / HTTP/2.0"), 505),
    ("version-3.1", with_line(b"GET / HTTP/3.1"), 505),
    ("version-0.9", with_line(b"GET / HTTP/0.9"), 505),
    ("empty-lines-without-end", b"\r\n" * 5 + LINE + H + b"\r\n", 400),
    ("connect-without-port", with_line(b"CONNECT example.test HTTP/1.1"), 400),
]

LINES = [
    ("line-feed-after-request-line", b"GET / HTTP/1.1\n" + H + b"\r\n", 400),
    ("line-feed-after-field", LINE + b"Host: example.test\n\r\n", 400),
    ("line-feed-as-empty-line", LINE + H + b"\n", 400),
    ("carriage-return-in-value", with_field(b"X-A: one\rtwo"), 400),
    ("carriage-return-after-request-line", b"GET / HTTP/1.1\r" + H + b"\r\n", 400),
    ("null-in-value", with_field(b"X-A: one\0two"), 400),
    ("control-byte-in-value", with_field(b"X-A: one\x01two"), 400),
    ("escape-in-value", with_field(b"X-A: \x1b[31m"), 400),
    ("delete-in-value", with_field(b"X-A: one\x7ftwo"), 400),
    ("folded-line", with_field(b"X-A: one\r\n two"), 400),
    ("folded-line-with-tab", with_field(b"X-A: one\r\n\ttwo"), 400),
    ("space-before-first-field", LINE + b" " + H + b"\r\n", 400),
    ("space-before-colon", LINE + b"Host : example.test\r\n\r\n", 400),
    ("tab-before-colon", with_field(b"X-A\t: one"), 400),
    ("field-without-name", with_field(b": value"), 400),
    ("field-without-colon", with_field(b"X-A"), 400),
    ("field-name-with-space", with_field(b"X A: one"), 400),
    ("field-name-with-null", with_field(b"X\0A: one"), 400),
    ("field-name-with-bracket", with_field(b"X(A): one"), 400),
    ("field-name-not-ascii", with_field("X-É: one".encode()), 400),
]

HOSTS = [
    ("host-missing", LINE + b"\r\n", 400),
    ("host-twice", LINE + H + H + b"\r\n", 400),
    ("host-twice-differing", LINE + H + b"Host: other.test\r\n\r\n", 400),
    ("host-empty", with_host(b""), 400),
    ("host-with-space", with_host(b"example.test other.test"), 400),
    ("host-with-comma", with_host(b"example.test,other.test"), 400),
    ("host-with-path", with_host(b"example.test/path"), 400),
    ("host-with-user", with_host(b"user@example.test"), 400),
    ("host-with-scheme", with_host(b"http://example.test"), 400),
    ("host-percent-encoded", with_host(b"ex%41mple.test"), 400),
    ("host-with-empty-label", with_host(b"example..test"), 400),
    ("host-that-is-a-dot", with_host(b"."), 400),
    ("host-not-ascii", with_host("exämple.test".encode()), 400),
    ("host-of-300-bytes", with_host(b"a" * 300), 400),
    ("port-that-is-no-number", with_host(b"example.test:http"), 400),
    ("port-missing-after-colon", with_host(b"example.test:"), 400),
    ("port-too-large", with_host(b"example.test:65536"), 400),
    ("ipv6-without-end", with_host(b"[::1"), 400),
    ("ipv6-malformed", with_host(b"[::1::2]"), 400),
    ("ipv6-followed-by-text", with_host(b"[::1]x"), 400),
]

FRAMING = [
    ("length-and-chunked", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("chunked-and-length", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n"), 400),
    ("lengths-that-differ", post(b"Content-Length: 5\r\nContent-Length: 6", b"hello!"), 400),
    ("lengths-that-agree", post(b"Content-Length: 5\r\nContent-Length: 5", b"hello"), 400),
    ("length-list", post(b"Content-Length: 5, 5", b"hello"), 400),
    ("length-negative", post(b"Content-Length: -5"), 400),
    ("length-with-plus", post(b"Content-Length: +5", b"hello"), 400),
    ("length-hexadecimal", post(b"Content-Length: 0x5", b"hello"), 400),
    ("length-empty", post(b"Content-Length:"), 400),
    ("length-with-space", post(b"Content-Length: 5 5", b"hello"), 400),
    ("length-with-fraction", post(b"Content-Length: 5.0", b"hello"), 400),
    ("length-of-20-digits", post(b"Content-Length: 18446744073709551617", b"x"), 400),
    ("length-above-63-bits", post(b"Content-Length: 9223372036854775808", b"x"), 400),
    ("length-and-space-before-colon", post(b"Content-Length : 5", b"hello"), 400),
    ("chunked-in-http10", b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("coding-unknown", post(b"Transfer-Encoding: gzip"), 501),
    ("coding-identity", post(b"Transfer-Encoding: identity"), 501),
    ("coding-nearly-chunked", post(b"Transfer-Encoding: xchunked"), 501),
    ("coding-before-chunked", post(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"), 501),
    ("coding-after-chunked", post(b"Transfer-Encoding: chunked, gzip", b"0\r\n\r\n"), 400),
    ("chunked-twice", post(b"Transfer-Encoding: chunked, chunked", b"0\r\n\r\n"), 400),
    ("chunked-on-two-lines", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 400),
    ("chunked-with-parameter", post(b"Transfer-Encoding: chunked;q=1", b"0\r\n\r\n"), 400),
    ("chunked-and-comma", post(b"Transfer-Encoding: chunked,", b"0\r\n\r\n"), 400),
    ("chunked-in-quotes", post(b'Transfer-Encoding: "chunked"', b"0\r\n\r\n"), 400),
    ("chunked-after-vertical-tab", post(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n"), 400),
    ("coding-empty", post(b"Transfer-Encoding:", b"0\r\n\r\n"), 400),
    ("expectation-unknown", post(b"Expect: 200-ok\r\nContent-Length: 5", b"hello"), 417),
    ("connection-no-token", with_field(b"Connection: clo se"), 400),
]

CREDENTIALS = [
    ("authorization-twice", with_field(b"Authorization: Basic YTpi\r\nauthorization: Basic YTpj"), 400),
    ("authorization-twice-alike", with_field(b"Authorization: Basic YTpi\r\nAuthorization: Basic YTpi"), 400),
]

CHUNKS = [
    ("size-not-hexadecimal", CHUNKED + b"g\r\n", 400),
    ("size-empty", CHUNKED + b"\r\n", 400),
    ("size-negative", CHUNKED + b"-1\r\nx\r\n", 400),
    ("size-with-prefix", CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", 400),
    ("size-after-space", CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n", 400),
    ("size-before-space", CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n", 400),
    ("size-with-underscore", CHUNKED + b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n", 400),
    ("size-of-17-digits", CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
    ("size-above-63-bits", CHUNKED + b"ffffffffffffffff\r\nhello\r\n", 400),
    ("size-line-ends-with-line-feed", CHUNKED + b"5\nhello\r\n0\r\n\r\n", 400),
    ("size-line-ends-with-carriage-return", CHUNKED + b"5\rhello\r\n0\r\n\r\n", 400),
    ("data-longer-than-size", CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n", 400),
    ("data-ends-with-line-feed", CHUNKED + b"5\r\nhello\n0\r\n\r\n", 400),
    ("extension-without-name", CHUNKED + b"5;=x\r\nhello\r\n0\r\n\r\n", 400),
    ("extension-with-line-feed", CHUNKED + b"5;a\nhello\r\n0\r\n\r\n", 400),
    ("extension-with-null", CHUNKED + b"5;a=\"\0\"\r\nhello\r\n0\r\n\r\n", 400),
    ("extension-of-1000-bytes", CHUNKED + b"5;a=" + b"b" * 1_000 + b"\r\nhello\r\n0\r\n\r\n", 400),
    ("trailer-folded", CHUNKED + b"0\r\nX-A: one\r\n two\r\n\r\n", 400),
    ("trailer-with-space-before-colon", CHUNKED + b"0\r\nX-A : one\r\n\r\n", 400),
    ("trailer-with-line-feed", CHUNKED + b"0\r\nX-A: one\n\r\n", 400),
    ("trailer-with-null", CHUNKED + b"0\r\nX-A: \0\r\n\r\n", 400),
    ("trailers-of-10-kilobytes", CHUNKED + b"0\r\nX-A: " + b"x" * 10_000 + b"\r\n\r\n", 431),
    ("trailers-of-200-fields", CHUNKED + b"0\r\n" + b"X-A: 1\r\n" * 200 + b"\r\n", 431),
]

PATHS = [
    ("percent-without-digits", with_line(b"GET /%zz HTTP/1.1"), 400),
    ("percent-at-the-end", with_line(b"GET /100% HTTP/1.1"), 400),
    ("percent-with-one-digit", with_line(b"GET /%4 HTTP/1.1"), 400),
    ("encoded-null", with_line(b"GET /a%00b HTTP/1.1"), 400),
    ("above-the-root", with_line(b"GET /../etc/passwd HTTP/1.1"), 400),
    ("above-the-root-deeper", with_line(b"GET /a/../../etc/passwd HTTP/1.1"), 400),
    ("above-the-root-encoded", with_line(b"GET /%2e%2E/etc/passwd HTTP/1.1"), 400),
    ("above-the-root-after-slashes", with_line(b"GET //../etc/passwd HTTP/1.1"), 400),
]

# The limits are those of the gateway that the tests start.
SIZES = [
    ("target-longer-than-the-limit", with_line(b"GET /" + b"a" * 9_000 + b" HTTP/1.1"), 414),
    ("target-without-end", b"GET /" + b"a" * 20_000, 414),
    ("query-longer-than-the-limit", with_line(b"GET /?" + b"a" * 9_000 + b" HTTP/1.1"), 414),
    ("field-longer-than-the-head", with_field(b"X-A: " + b"x" * 20_000), 431),
    ("field-without-end", LINE + H + b"X-A: " + b"x" * 20_000, 431),
    ("fields-longer-than-the-head", with_field(b"\r\n".join(b"X-%d: %s" % (n, b"x" * 400) for n in range(60))), 431),
    ("fields-more-than-the-limit", with_field(b"\r\n".join(b"X-%d: 1" % n for n in range(150))), 431),
    ("content-longer-than-the-limit", post(b"Content-Length: 2097152"), 413),
    ("chunks-longer-than-the-limit",
     CHUNKED + b"".join(b"10000\r\n" + b"x" * 65_536 + b"\r\n" for _ in range(18)) + b"0\r\n\r\n", 413),
]

METHODS = [
    ("connect", with_line(b"CONNECT example.test:443 HTTP/1.1"), 405),
    ("trace", with_line(b"TRACE / HTTP/1.1"), 405),
]

ALL = REQUEST_LINES + LINES + HOSTS + FRAMING + CREDENTIALS + CHUNKS + PATHS + SIZES
