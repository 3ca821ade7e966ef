"""The fake endpoint over real HTTP: what it answers, what it counts, what it bills."""

import asyncio
import http.client
import json
import logging
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from moo_infer import MooInferError
from moo_infer.testing import FakeEndpoint, FakeRequest, LogAnswers, Reply, SeededAnswers


def opened(fake, timeout=10.0):
    return http.client.HTTPConnection(urlsplit(fake.base_url).netloc, timeout=timeout)


def sent(connection, prompt="6 x 7?", model="small", headers=(), **keys):
    """Ask over an open connection; the status and the body."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **keys}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), dict(headers))
    response = connection.getresponse()
    return response, response.read()


def asked(fake, prompt="6 x 7?", **keys):
    """Ask over a connection of its own; the JSON."""
    connection = opened(fake)
    try:
        return json.loads(sent(connection, prompt, **keys)[1])
    finally:
        connection.close()


def texts(answer):
    return [choice["message"]["content"] for choice in answer["choices"]]


def request(prompt, number=0, model="small", **keys):
    return FakeRequest({"messages": [{"content": prompt}], **keys}, model=model, number=number)


def test_an_answer_has_what_clients_read():
    with FakeEndpoint({"6 x 7?": "It is 42"}) as fake:
        answer = asked(fake)
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "small"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "It is 42", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert answer["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 3,
        "total_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def test_a_connection_serves_many_requests_one_after_the_other():
    with FakeEndpoint(lambda request: f"number {request.total}") as fake:
        connection = opened(fake)
        answers = [json.loads(sent(connection, f"question {i}")[1]) for i in range(50)]
        ports = connection.sock.getsockname()
        sent(connection)
        assert connection.sock.getsockname() == ports
        connection.close()
    assert [texts(answer) for answer in answers] == [[f"number {i}"] for i in range(50)]
    assert (fake.requests, fake.answered, fake.in_flight) == (51, 51, 0)


def test_a_request_may_come_in_pieces_and_two_at_once():
    body = b'{"model": "small", "messages": [{"role": "user", "content": "6 x 7?"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)

    async def talk(fake):
        parts = urlsplit(fake.base_url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for byte in head + body:
            writer.write(bytes([byte]))
            await writer.drain()
        writer.write(2 * (head + body))
        found = []
        for _ in range(3):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            (length,) = [line.split(":")[1] for line in lines if line.startswith("Content-Length")]
            found.append(texts(json.loads(await reader.readexactly(int(length)))))
        writer.close()
        await writer.wait_closed()
        return found

    for delay_s in (0.0, 0.01):
        with FakeEndpoint({"6 x 7?": ["a", "b", "c"]}, delay_s=delay_s) as fake:
            assert asyncio.run(talk(fake)) == [["a"], ["b"], ["c"]]
        assert fake.most_in_flight == 1


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\n" + b"x" * 70_000, 431),
        (b"GET /v1/models HTTP/1.1\r\nconnection: close\r\n\r\n", 404),
        (b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\ncontent-length: 3\r\n\r\n{}}", 400),
        (b"POST /v1/chat/completions HTTP/1.1\r\nconnection: close\r\nexpect: 100-continue\r\n\r\n", 100),
    ],
)
def test_what_is_no_request_is_refused(raw, status):
    async def talk(fake):
        parts = urlsplit(fake.base_url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(raw)
        first = await reader.readline()
        await reader.read()  # to the end: it closes
        writer.close()
        await writer.wait_closed()
        return int(first.split()[1])

    with FakeEndpoint({}) as fake:
        assert asyncio.run(talk(fake)) == status


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"messages": [{"content": "6 x 7?"}]},
        {"model": "small"},
        {"model": "small", "messages": []},
        {"model": "small", "messages": ["6 x 7?"]},
        {"model": "small", "messages": [{"content": "6 x 7?"}], "n": 0},
        {"model": "small", "messages": [{"content": "6 x 7?"}], "max_tokens": "5"},
        {"model": "small", "messages": [{"content": "6 x 7?"}], "stream": True},
    ],
)
def test_a_body_that_cannot_be_served_is_refused_and_not_billed(body):
    with FakeEndpoint({"6 x 7?": "42"}) as fake:
        connection = opened(fake)
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        assert response.status == 400
        assert json.load(response)["error"]["message"]
        connection.close()
    assert (fake.requests, fake.answered, fake.billed_usd({})) == (1, 0, 0.0)


def test_texts_of_a_prompt_are_given_in_turn_whatever_the_shape_of_the_call():
    letters = ["a", "b", "c", "d", "e"]
    with FakeEndpoint({"one": letters, "two": letters}) as fake:
        assert texts(asked(fake, "one", n=3)) == ["a", "b", "c"]
        assert texts(asked(fake, "two")) == ["a"]
        assert texts(asked(fake, "one", n=3)) == ["d", "e", "a"]
        assert texts(asked(fake, "one", model="other")) == ["a"]
        fake.clear()
        assert texts(asked(fake, "one")) == ["a"]
        assert fake.requests == 1


def test_a_prompt_may_come_in_parts():
    with FakeEndpoint({"6 x 7?": "42"}) as fake:
        answer = asked(fake, [{"type": "text", "text": "6 x 7?"}])
    assert texts(answer) == ["42"]
    assert answer["usage"]["prompt_tokens"] == 3


def test_a_text_is_cut_at_the_tokens_that_are_allowed():
    with FakeEndpoint(lambda request: "one two three four") as fake:
        (choice,) = asked(fake, max_tokens=3)["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("one two three", "length")
        answer = asked(fake, max_completion_tokens=2, n=2)
        assert answer["usage"]["completion_tokens"] == 4
        assert asked(fake, max_tokens=4)["choices"][0]["finish_reason"] == "stop"


def test_a_reply_says_everything_itself():
    reply = Reply(("42", None), 100, 50, 64, 30, "length", extra={"service_tier": "default"}, headers={"x-trace": "7"})
    with FakeEndpoint(lambda request: reply) as fake:
        connection = opened(fake)
        response, body = sent(connection, n=5)
        connection.close()
        answer = json.loads(body)
        assert response.headers["x-trace"] == "7"
        assert fake.billed_usd({"small": (2.0, 3.0)}) == 100 * 2 + 50 * 3
        assert fake.billed_usd({"small": (2.0, 3.0, 0.5)}) == 36 * 2 + 64 * 0.5 + 50 * 3
    assert texts(answer) == ["42", None]
    assert answer["service_tier"] == "default"
    assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 64}
    assert answer["usage"]["completion_tokens_details"] == {"reasoning_tokens": 30}


def test_a_reply_may_be_raw():
    reply = Reply(status=418, body=b"short and stout", headers={"Content-Type": "text/plain"})
    with FakeEndpoint(lambda request: reply) as fake:
        connection = opened(fake)
        response, body = sent(connection)
        connection.close()
    assert (response.status, response.headers.get_all("Content-Type"), body) == (
        418,
        ["text/plain"],
        b"short and stout",
    )
    assert (fake.answered, fake.billed_usd({"small": (1.0, 1.0)})) == (0, 0.0)


def test_answers_that_fail_are_named_where_the_block_ends():
    def answers(request):
        raise KeyError("no such thing")

    def ask(answers, match, **keys):
        with pytest.raises(MooInferError, match=match), FakeEndpoint(answers) as fake:
            assert "error" in asked(fake, **keys)

    ask(answers, "the answers of the fake endpoint failed: KeyError: 'no such thing'")
    ask({"another": "42"}, "answers have no such prompt")
    ask(lambda request: 42, "must give a text or a Reply, got 42")
    ask(lambda request: Reply(("42",)) if request.number else "42", "a text for the first choice and a Reply", n=2)
    with pytest.raises(KeyError, match="choices"), FakeEndpoint(answers) as fake:
        texts(asked(fake))  # what fails in the block is not hidden


def test_it_listens_between_start_and_close_alone():
    fake = FakeEndpoint({"6 x 7?": "42"})
    with pytest.raises(MooInferError, match="does not listen"):
        _ = fake.base_url
    fake.close()
    before = threading.active_count()
    for _ in range(2):
        with fake:
            connection = opened(fake)
            sent(connection)
            with pytest.raises(MooInferError, match="listens already"):
                fake.start()
        assert threading.active_count() == before
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            sent(connection)
        connection.close()
    assert fake.requests == 2


@pytest.mark.parametrize("name", ["delay_s", "retry_after_s", "slow_s"])
@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_seconds_are_numbers(name, seconds):
    with pytest.raises(MooInferError, match=f"{name}: must be a number >= 0, got {seconds}"):
        FakeEndpoint({}, **{name: seconds})
    with pytest.raises(MooInferError, match="delay_s of a Reply must be a number >= 0"):
        Reply(delay_s=seconds)
    with pytest.raises(MooInferError, match="got one text"):
        Reply("42")


def test_the_most_in_flight_are_counted_and_those_that_go_leave():
    with FakeEndpoint({"6 x 7?": "42"}, delay_s=0.5) as fake:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: asked(fake), range(8)))
        connection = opened(fake, timeout=0.05)
        with pytest.raises(TimeoutError):
            sent(connection)
        connection.close()
        end = time.monotonic() + 10
        while fake.in_flight and time.monotonic() < end:
            time.sleep(0.001)
        assert (fake.requests, fake.answered, fake.in_flight, fake.most_in_flight) == (9, 8, 0, 8)
        assert fake.billed_usd({"small": (0.0, 1.0)}) == 9  # a client that goes does not stop the bill
    assert [texts(answer) for answer in answers] == [["42"]] * 8


def test_it_knows_when_requests_came():
    with FakeEndpoint(lambda request: Reply(("42",), 10, 5)) as fake:
        for _ in range(6):
            asked(fake)
        assert len(fake.arrivals_s) == 6
        assert fake.arrivals_s == sorted(fake.arrivals_s)
        assert fake.busiest() == (6, 90)
        fake._ledger.arrivals[:] = type(fake._ledger.arrivals)("d", [0.0, 0.5, 0.9, 1.0, 5.0, 5.1])
        assert fake.busiest(1.0) == (3, 45)  # of 1.0 the first is just no longer within a second
        assert fake.busiest(0.3) == (2, 30)


def test_prompts_and_keys_are_kept_only_where_that_is_asked_for():
    marked = {"Authorization": "Bearer marked-key"}
    for keep in (False, True):
        with FakeEndpoint({"marked prompt": "42"}, ["500"], keep=keep) as fake:
            connection = opened(fake)
            for _ in range(2):
                sent(connection, "marked prompt", headers=marked)
            connection.close()
        assert ("marked" in repr(vars(fake._ledger))) == keep
        assert len(fake.exchanges) == 2 * keep
    refused, answered = fake.exchanges
    assert (refused.fault, refused.reply) == ("500", None)
    assert answered.request.headers["authorization"] == "Bearer marked-key"
    assert (answered.request.prompt, answered.request.attempt, answered.request.number) == ("marked prompt", 1, 0)
    assert answered.reply.texts == ("42",)


def test_it_writes_nothing(capfd, caplog):
    caplog.set_level(logging.DEBUG)
    with FakeEndpoint({"6 x 7?": "42"}, ["dropped", "echo-401"]) as fake:
        with pytest.raises(http.client.RemoteDisconnected):
            asked(fake)
        asked(fake)
        asked(fake)
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_seeded_answers_are_right_as_often_as_they_should_be_and_wrong_in_many_ways():
    model = SeededAnswers({"6 x 7?": "42"}, p=0.7, seed=3)
    given = Counter(model(request("6 x 7?", i)) for i in range(5000))
    assert abs(given["42"] / 5000 - 0.7) < 4 * (0.7 * 0.3 / 5000) ** 0.5
    wrong = [given[str(43 + i)] for i in range(9)]
    assert sum(wrong) + given["42"] == 5000
    expected = (5000 - given["42"]) / 9
    assert all(abs(count - expected) < 5 * expected**0.5 for count in wrong)


def test_seeded_answers_depend_on_the_question_and_not_on_who_asked_before():
    model = SeededAnswers(lambda request: "B", p=lambda request: 0.9 if request.model == "large" else 0.2)
    again = SeededAnswers(lambda request: "B", p=lambda request: 0.9 if request.model == "large" else 0.2)
    asked_for = [request(f"question {i % 50}", i // 50, m) for i in range(1000) for m in ("small", "large")]
    given = [model(r) for r in asked_for]
    assert [again(r) for r in reversed(asked_for)] == given[::-1]
    assert {*given} == {"A", "B", "C", "D"}
    right = Counter(r.model for r, text in zip(asked_for, given, strict=True) if text == "B")
    assert 150 < right["small"] < 250
    assert 860 < right["large"] < 940
    assert [SeededAnswers({"?": "yes"}, 0.0, wrong=1)(request("?", i)) for i in range(3)] == ["not yes (1)"] * 3
    with pytest.raises(MooInferError, match="targets have no such prompt"):
        SeededAnswers({})(request("?"))
    for wrong in ({"p": 1.5}, {"p": float("nan")}, {"wrong": 0}):
        with pytest.raises(MooInferError, match="must be"):
            SeededAnswers({}, **wrong)


LOG = [
    {"model": "small", "question_id": "q1", "sample": 1, "answer": "b", "input_tokens": 9, "output_tokens": 3},
    {"model": "small", "question_id": "q1", "sample": 0, "answer": "a", "input_tokens": 9, "output_tokens": 2},
    {"model": "large", "question_id": "q1", "answer": None, "input_tokens": 9, "output_tokens": 70, "latency_s": 4.0}
    | {"reasoning_tokens": 60, "cached_input_tokens": 5},
]


def test_a_log_is_served_in_the_order_of_its_samples_with_its_tokens():
    answers = LogAnswers(LOG, lambda request: (request.model, request.prompt.split(": ")[1]), seconds_per_second=0.001)
    with FakeEndpoint(answers, keep=True) as fake:
        small = [asked(fake, "Think: q1"), asked(fake, "Think: q1", n=3)]
        large = asked(fake, "Think: q1", model="large")
    assert [texts(answer) for answer in (*small, large)] == [["a"], ["b", "a", "b"], [None]]
    assert [answer["usage"]["completion_tokens"] for answer in (*small, large)] == [2, 8, 70]
    assert large["usage"]["completion_tokens_details"] == {"reasoning_tokens": 60}
    assert [exchange.reply.rows for exchange in fake.exchanges] == [(1,), (0, 1, 0), (2,)]
    assert fake.exchanges[2].reply.delay_s == 0.004
    assert fake.billed_usd({"small": (1.0, 10.0), "large": (0.0, 1.0)}) == 18 + 100 + 70
    assert fake.usages["small"].requests == 2
    with pytest.raises(MooInferError, match="unknown model 'large'; available: small"):
        fake.billed_usd({"small": (1.0, 1.0)})


def test_a_log_without_the_question_is_refused():
    with pytest.raises(MooInferError, match="the log has no samples of model 'small' and question 'q2'"):
        LogAnswers(LOG)(request("q2"))
    blank = LogAnswers([{"model": "small", "question_id": "q", "answer": "two words"}])(request("q"))
    assert (blank.prompt_tokens, blank.completion_tokens) == (None, None)  # counted by words


def test_what_is_imported_is_light():
    code = "import sys, moo_infer.testing as t; t.FakeEndpoint; print({'pytest', 'numpy', 'openai', 'polars'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_every_name_of_the_room_is_there():
    import moo_infer.testing as room

    assert all(hasattr(room, name) for name in room.__all__)
    assert {*room.__all__} <= {*dir(room)}
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = room.Nothing
