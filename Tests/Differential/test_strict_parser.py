"""The strict parser takes what it must, and nothing that could be read in two ways."""

import pytest

from strict_parser import Incomplete, Violation, parse

HEAD = b"POST /a?b HTTP/1.1\r\nHost: a.test\r\n"


def test_messages_follow_each_other():
    data = (HEAD + b"Content-Length: 5\r\nX-A: 1\r\n\r\nhello" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n" + HEAD + b"\r\n")
    first, position = parse(data)
    second, position = parse(data, position)
    third, position = parse(data, position)
    assert position == len(data)
    assert [first.body, second.body, third.body] == [b"hello", b"hello0123456789", b""]
    assert first.method == "POST" and first.target == "/a?b" and first.fields[-1] == ("X-A", "1")


def test_every_beginning_of_a_message_is_incomplete():
    for data in (HEAD + b"Content-Length: 5\r\n\r\nhello",
                 HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"):
        parse(data)
        for end in range(len(data)):
            with pytest.raises(Incomplete):
                parse(data[:end])


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\n\r\n", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r2\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: \x0b1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", HEAD + b"Content-Length: +5\r\n\r\nhello",
    HEAD + b"Content-Length: 05\r\n\r\nhello", HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", HEAD + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;a\r\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX : 1\r\n\r\n",
])
def test_what_could_be_read_in_two_ways_is_a_violation(data):
    with pytest.raises(Violation):
        parse(data)
