"""The checks themselves: they find what they are for."""

import pytest

from client import statuses_of
from corpus import Expected, read_corpus
from mutation import Mutator
from notation import NotationError, fill, join_lines, segments
from readings import Reading, departures, disagreements, reading
from test_mutants import is_part

ONE = Reading("POST", "/a", "a.test", "hello", {"x-a": "1"})


class TestComparison:
    @pytest.mark.parametrize("other", [
        [], [ONE, ONE],
        [Reading("GET", "/a", "a.test", "hello", {"x-a": "1"})],
        [Reading("POST", "/b", "a.test", "hello", {"x-a": "1"})],
        [Reading("POST", "/a", "b.test", "hello", {"x-a": "1"})],
        [Reading("POST", "/a", "a.test", "hellO", {"x-a": "1"})],
        [Reading("POST", "/a", "a.test", "", {"x-a": "1"})],
        [Reading("POST", "/a", "a.test", "hello", {"x-a": "2"})],
        [Reading("POST", "/a", "a.test", "hello", {})],
        [Reading("POST", "/a", "a.test", "hello", {"x-a": "1", "x-b": "2"})],
    ])
    def test_readings_that_differ_are_found(self, other):
        assert disagreements({"one": [ONE], "two": other})
        assert disagreements({"one": other, "two": [ONE]})

    def test_readings_that_agree_are_not(self):
        assert disagreements({"one": [ONE], "two": [ONE], "three": [ONE]}) == []

    def test_one_origin_is_no_comparison(self):
        with pytest.raises(ValueError):
            disagreements({"one": [ONE]})

    def test_tolerance_is_for_fields_only(self):
        without_field = Reading("POST", "/a", "a.test", "hello")
        tolerated = {"two": "leaves it out"}
        assert disagreements({"one": [ONE], "two": [without_field]}, tolerated) == []
        other_body = Reading("POST", "/a", "a.test", "hell", {"x-a": "1"})
        assert disagreements({"one": [ONE], "two": [other_body]}, tolerated)
        assert disagreements({"one": [ONE], "two": [ONE], "three": [without_field]}, tolerated)

    @pytest.mark.parametrize("wanted", [
        Expected("GET", "/a", "a.test", "hello"), Expected("POST", "/", "a.test", "hello"),
        Expected("POST", "/a", "other.test", "hello"), Expected("POST", "/a", "a.test"),
        Expected("POST", "/a", "a.test", "hello", [("X-A", "2")]),
        Expected("POST", "/a", "a.test", "hello", [("X-B", "1")]),
        Expected("POST", "/a", "a.test", "hello", absent=["x_a"]),
    ])
    def test_departure_from_what_is_expected_is_found(self, wanted):
        assert departures("one", [ONE], [wanted])

    def test_what_is_expected_is_none(self):
        assert departures("one", [ONE], [Expected("POST", "/a", "A.TEST", "hello", [("X-A", "1")], ["x-b"])]) == []
        assert departures("one", [], [Expected("GET", "/", "a.test")])
        assert departures("one", [ONE], [])

    def test_record_of_an_origin_becomes_a_reading(self):
        record = {"method": "POST", "target": "/a", "body": "68690a",
                  "fields": [["Host", "a.test"], ["X_A", "1, 2"], ["x-a", "3"], ["Via", "1.1 other"]]}
        assert reading(record) == Reading("POST", "/a", "a.test", "hi\n", {"x-a": "1,2,3"})

    def test_two_hosts_are_not_one(self):
        record = {"method": "GET", "target": "/", "body": "", "fields": [["Host", "a"], ["Host", "b"]]}
        assert reading(record).host == "a,b"


class TestMutants:
    def test_same_seed_makes_the_same_mutants(self):
        cases = read_corpus()
        one, same, other = Mutator(cases, 7), Mutator(cases, 7), Mutator(cases, 8)
        mutants = [one.mutant("tok") for _ in range(20)]
        assert mutants == [same.mutant("tok") for _ in range(20)]
        assert mutants != [other.mutant("tok") for _ in range(20)]

    def test_what_is_a_part_keeps_its_order(self):
        assert is_part([], [1]) and is_part([1, 3], [1, 2, 3])
        assert not is_part([3, 1], [1, 2, 3]) and not is_part([1, 1], [1]) and not is_part([4], [])


class TestNotation:
    def test_lines_and_escapes(self):
        assert segments(join_lines([r"A: \x0b\r\n\t\0\\\s@\@", "b\\", "", r"\{3:xy}"]), "tok") == [
            b"A: \x0b\r\n\t\0\\ tok@\r\nb\r\nxyxyxy\r\n"]

    def test_lengths_are_those_of_the_spans_behind(self):
        text = join_lines([r"L: \#, \#", r"\(\h", r"\(hello\)", r"0\)\ "[:-1]])
        assert fill(text, "") == "L: 11, 11\r\n5\r\nhello\r\n0"

    def test_pauses_part_the_bytes_and_do_not_count(self):
        assert segments(join_lines([r"\# \(a\pb\)"]), "") == [b"2 a", b"b\r\n"]

    @pytest.mark.parametrize("text", [r"\q", r"\#", r"\("])
    def test_mistakes_are_told(self, text):
        with pytest.raises(NotationError):
            fill(join_lines([text]), "")


class TestCorpus:
    def test_every_case_says_why_it_exists(self):
        assert all(len(case.why) > 15 for case in read_corpus())

    @pytest.mark.parametrize("text, what", [
        ("case a: 400\n| GET / HTTP/1.1\n", "does not say why"),
        ("case a: 200\nwhy because\n| GET / HTTP/1.1\n", "0 requests to be read"),
        ("case a: 400\nwhy because\nodd\n", "there is no 'odd'"),
        ("case a: 400\nwhy one\ncase a: 400\nwhy two\n", "twice"),
    ])
    def test_mistakes_in_files_are_told(self, tmp_path, text, what):
        (tmp_path / "family.txt").write_text(text)
        with pytest.raises(ValueError, match=what):
            read_corpus(tmp_path)


class TestAnswers:
    @pytest.mark.parametrize("received, statuses", [
        (b"", []),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", [200, 404]),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [200]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nrest", [200, -1]),
        (b"HTTP/1.1 200 OK\r\nContent-Le", [-1]),
        (b"HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbad", [400]),
    ])
    def test_statuses(self, received, statuses):
        assert statuses_of(received) == statuses
