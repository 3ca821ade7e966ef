"""What comes of bytes that are hardly HTTP, hardly JSON, or without end."""

import json
import time

import pytest
from live_runs import Runs, profile, quick
from raw_server import ANSWER, http, raw_server

from moo_infer.builtin.policies import Fixed

FEW = {"timeout_s": 0.4, "tries": 2}
BODY = json.dumps(ANSWER).encode()
HALF = BODY[: len(BODY) // 2]
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DEEP = b'{"choices": ' + b"[" * 1_000_000
DIGITS = b'{"choices": [{"message": {"content": "42"}}], "created": ' + b"9" * 5000 + b"}"
AGAIN = {
    "nothing at all": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "zeros": bytes(1000),
    "half a status line": b"HTTP/1.1 20",
    "a status of letters": b"HTTP/1.1 OK\r\n\r\n",
    "a header line without end": HEAD + b"X-Long: " + b"a" * 300_000,
    "headers without end": HEAD + b"X: y\r\n" * 50_000,
    "no colon in a header": HEAD + b"nonsense\r\n\r\n" + BODY,
    "a length that is none": HEAD + b"Content-Length: many\r\n\r\n" + BODY,
    "a length below 0": HEAD + b"Content-Length: -5\r\n\r\n" + BODY,
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n" + BODY,
    "a length of thousands of digits": HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n" + BODY,
    "closed after the headers": HEAD + b"Content-Length: 100\r\n\r\n",
    "an empty body": http(b""),
    "blanks": http(b" " * 1000),
    "no content": HEAD.replace(b"200 OK", b"204 No Content") + b"\r\n",
    "no content, with a body": http(status="204 No Content"),
    "a chunk that is torn": CHUNKED + b"100\r\n" + HALF,
    "chunks without an end": CHUNKED + b"%x\r\n" % len(BODY) + BODY + b"\r\n",
    "a chunk of no length": CHUNKED + b"zz\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a chunk of a huge length": CHUNKED + b"f" * 300 + b"\r\n" + BODY,
    "an encoding of transfer that nobody knows": HEAD + b"Transfer-Encoding: gzip\r\n\r\n" + BODY,
    "half of a JSON": http(HALF),
    "JSON that goes on": http(BODY + BODY),
    "JSON of something else": http({"error": {"message": "overloaded"}}),
    "a list": http([ANSWER]),
    "a number": http(b"42"),
    "null choices": http(ANSWER | {"choices": None}),
    "choices by name": http(ANSWER | {"choices": {"0": ANSWER["choices"][0]}}),
    "nested deeply": http(DEEP),
    "a number of thousands of digits": http(DIGITS),
    "no UTF-8": http(BODY.replace(b"42", b"\xff\xfe\xfa")),
    "a page": http(b"<html><body>Bad gateway</body></html>"),
    "events": http(b"data: " + BODY + b"\n\ndata: [DONE]\n\n"),
    "other protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
}
READ = {
    "HTTP/1.0": http(version="1.0"),
    "a body up to the end of the connection": http(length=False),
    "HTTP/1.0 without a length": http(version="1.0", length=False),
    "chunks": CHUNKED
    + b"%x\r\n%b\r\n%x;x=y\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(HALF), HALF, len(BODY[len(HALF) :]), BODY[len(HALF) :]),
    "first other statuses": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 20
    + http(),
    "some hundred headers": http(headers=[f"X-{i}: {i}" for i in range(500)]),
    "a thousand cookies": http(headers=[f"Set-Cookie: c{i}=v; Path=/" for i in range(1000)]),
    "a body that says it is packed": http(headers=["Content-Encoding: gzip, br, nonsense"]),
    "a charset that nobody knows": http(headers=["Content-Type: application/json; charset=nonsense"]),
    "a byte order mark": http(b"\xef\xbb\xbf" + BODY),
    "created": http(status="201 Created"),
    "the same key twice": http(b'{"choices": [], ' + BODY[1:]),
    "NaN beside it": http(b'{"system": NaN, "created": -Infinity, "x": 1e99999, ' + BODY[1:]),
    "blanks before it": http(b"\n" * 1_000_000 + BODY),
    "no reason": http(status="200"),
}


@pytest.fixture(autouse=True)
def in_no_time():
    with quick():
        yield


def run(server, folder, **settings):
    runs = Runs(
        folder, (profile(server.base_url, **{"timeout_s": 5.0, "tries": 2} | settings),), Fixed(1, model="small"), 1
    )
    return runs, runs.go(parallelism=2)


@pytest.mark.parametrize("sent", AGAIN.values(), ids=AGAIN)
def test_what_is_no_answer_is_asked_for_again_and_counts_in_full(sent, tmp_path):
    with raw_server(sent, http()) as server:
        runs, result = run(server, tmp_path)
        (row,) = runs.rows
        assert (row["answer"], row["requests"], server.requests) == ("42", 2, 2)
        assert row["lost_usd"] == pytest.approx(runs.largest_usd())
        assert result.spent_usd == pytest.approx(row["lost_usd"] + row["cost_usd"])


@pytest.mark.parametrize("sent", READ.values(), ids=READ)
def test_an_answer_in_an_odd_shape_is_one(sent, tmp_path):
    with raw_server(sent) as server:
        runs, _ = run(server, tmp_path)
        (row,) = runs.rows
        assert (row["answer"], row["requests"], row["lost_usd"], server.requests) == ("42", 1, 0, 1)


@pytest.mark.parametrize(
    "sent",
    [
        HEAD,
        HEAD + b"X: y\r\n\r\n",
        HEAD + b"Content-Length: 100\r\n\r\n" + HALF,
        CHUNKED,
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=lambda sent: f"{len(sent)} bytes",
)
def test_who_says_no_more_is_given_up_in_time(sent, tmp_path):
    with raw_server(sent, holds=True) as server:
        start = time.monotonic()
        runs, _ = run(server, tmp_path, **FEW)
        (row,) = runs.rows
        assert (row["answer"], row["requests"], row["why"]) == (None, 2, "no response within 0.4 s")
        assert time.monotonic() - start < 20


@pytest.mark.parametrize("length", [True, False])
def test_a_body_above_4_mb_is_an_answer_that_nobody_reads(length, tmp_path):
    body = json.dumps(ANSWER | {"padding": "x" * 4 * 2**20}).encode()
    with raw_server(http(body, length=length)) as server:
        runs, _ = run(server, tmp_path)
        (row,) = runs.rows
        assert (row["answer"], row["correct"], row["requests"], server.requests) == (None, False, 1, 1)
        assert row["cost_usd"] == pytest.approx(runs.largest_usd())
        assert "more than 4 MB" in row["why"]


REFUSALS = {"long": b"x" * 5 * 2**20, "torn": None, "packed": b"\x1f\x8b\x08nonsense"}


@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize(
    ("status", "requests", "stopped"), [("400", 1, None), ("401", 1, "endpoint"), ("503", 2, None)]
)
def test_the_status_of_a_refusal_counts_whatever_its_body(status, requests, stopped, kind, tmp_path):
    body = REFUSALS[kind]
    sent = http(body or b"", f"{status} No", ["Content-Encoding: gzip", "Retry-After: 0"])
    if body is None:
        sent = sent.replace(b"Content-Length: 0", b"Content-Length: 1000") + b"half"
    with raw_server(sent) as server:
        runs, result = run(server, tmp_path)
        assert (server.requests, result.stopped) == (requests, stopped)
        assert f"status {status}" in (result.sentence if stopped else runs.rows[0]["why"])


def test_cookies_are_not_sent_back(tmp_path):
    with raw_server(
        http(b"", "503 No", ["Set-Cookie: marked=1; Path=/"]), http(headers=["Set-Cookie: marked=2"])
    ) as server:
        runs = Runs(tmp_path, (profile(server.base_url),), Fixed(3, model="small"), 2)
        assert runs.go().stopped is None
        assert server.requests == 7
        assert not any(b"marked" in head.lower() or b"cookie" in head.lower() for head in server.heads)
