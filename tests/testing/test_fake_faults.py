"""Every fault of the fake endpoint, as a client sees it, and as it is counted and billed."""

import asyncio
import gzip
import http.client
import json
import math
import re
import socket
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from moo_infer import MooInferError
from moo_infer.testing import FAULTS, FakeEndpoint, LogAnswers, Reply

PRICES = {"small": (1.0, 100.0)}  # of words: 3 of the prompt, 1 of each text
STATUSES = {"429": 429, "429-date": 429, "429-bare": 429, "500": 500, "503": 503, "408": 408, "307": 307}
ECHOES = {name: int(name[5:]) for name in FAULTS if name.startswith("echo-")}
USUAL = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
LOST = {  # what http.client says
    "time-out": TimeoutError,
    "dropped": http.client.RemoteDisconnected,
    "dropped-body": http.client.IncompleteRead,
    "slow-stream": None,  # reads on, for as long as it takes
    "truncated-json": json.JSONDecodeError,
}


def asked(fake, timeout=10.0, **keys):
    """Ask once; the response and its body."""
    body = {"model": "small", "messages": [{"role": "user", "content": "6 x 7?"}], "n": 2, **keys}
    connection = http.client.HTTPConnection(urlsplit(fake.base_url).netloc, timeout=timeout)
    try:
        headers = {"Authorization": "Bearer marked-key", "X-Api-Key": "another-key"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def answer_to(fault, **keys):
    """The JSON of an answer with a fault, and what is billed for it."""
    with FakeEndpoint({"6 x 7?": "42"}, [fault]) as fake:
        response, body = asked(fake, **keys)
        assert response.status == 200
        assert (fake.requests, fake.answered, fake.faults) == (1, 1, {fault: 1})
        return json.loads(body), fake.billed_usd(PRICES)


@pytest.mark.parametrize(("fault", "status"), [*STATUSES.items(), *ECHOES.items()])
def test_a_refusal_by_status_is_not_billed_and_takes_no_text(fault, status):
    with FakeEndpoint({"6 x 7?": ["a", "b"]}, [fault], elsewhere="http://127.0.0.1:9/v1") as fake:
        response, body = asked(fake, n=1)
        assert response.status == status
        assert json.loads(body)["error"]["message"]
        assert ("marked-key" in body.decode()) == ("another-key" in body.decode()) == (fault in ECHOES)
        assert ("6 x 7?" in body.decode()) == (fault in ECHOES)
        assert (fake.requests, fake.answered, fake.faults, fake.billed_usd({})) == (1, 0, {fault: 1}, 0.0)
        assert json.loads(asked(fake, n=1)[1])["choices"][0]["message"]["content"] == "a"


def test_an_internal_error_can_be_billed():
    with FakeEndpoint({"6 x 7?": "42"}, ["500", "503"], bills_500=True) as fake:
        assert [asked(fake)[0].status for _ in range(2)] == [500, 503]
        assert fake.billed_usd(PRICES) == 203
        assert fake.answered == 0


def test_how_long_to_wait_is_said_in_seconds_as_a_date_or_not_at_all():
    with FakeEndpoint({}, ["429", "429-date", "429-bare", "503"], retry_after_s=90) as fake:
        seconds, date, bare, busy = (asked(fake)[0].headers["Retry-After"] for _ in range(4))
    assert (seconds, bare, busy) == ("90", None, "90")
    assert abs((parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds() - 90) < 30


def test_a_redirect_leads_to_the_other_host_if_it_is_followed():
    with FakeEndpoint({}) as other, FakeEndpoint({}, ["307"], elsewhere=other.base_url) as fake:
        location = asked(fake)[0].headers["Location"]
        assert location == f"{other.base_url}/chat/completions"
        assert (fake.requests, other.requests) == (1, 0)
    with pytest.raises(MooInferError, match="'307' sends clients to another host: give `elsewhere`"):
        FakeEndpoint({}, {"307": 0.1})


@pytest.mark.parametrize(("fault", "failure"), LOST.items())
def test_what_gets_lost_on_its_way_is_billed(fault, failure):
    with FakeEndpoint({"6 x 7?": "42"}, [fault], slow_s=0.2) as fake:
        started = time.monotonic()
        if failure is None:
            json.loads(asked(fake)[1])
        else:
            with pytest.raises(failure):
                json.loads(asked(fake, timeout=0.1 if fault == "time-out" else 10.0)[1])
        assert time.monotonic() - started >= {"slow-stream": 0.15, "time-out": 0.1}.get(fault, 0)
        assert fake.billed_usd(PRICES) == 203
        assert fake.answered == (fault == "slow-stream") + (fault == "truncated-json")
        assert (fake.requests, fake.faults) == (1, {fault: 1})
        assert json.loads(asked(fake)[1])["usage"]["total_tokens"] == 5  # the next one is served


def test_a_slow_stream_outlasts_a_time_out_without_a_long_pause():
    async def talk(fake):
        parts = urlsplit(fake.base_url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        body = b'{"model": "small", "messages": [{"role": "user", "content": "6 x 7?"}]}'
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        pieces = []
        while not b"".join(pieces).endswith(b"}}}"):
            pieces.append(await reader.read(2**16))
        assert fake.answered == 1
        writer.close()
        await writer.wait_closed()
        return pieces

    with FakeEndpoint({"6 x 7?": "42"}, ["slow-stream"], slow_s=0.3) as fake:
        assert len(asyncio.run(talk(fake))) > 10


@pytest.mark.parametrize("fault", ["slow-stream", "time-out"])
def test_who_leaves_before_the_end_is_noticed(fault):
    with FakeEndpoint({"6 x 7?": "42"}, [fault], slow_s=1000.0) as fake:
        body = b'{"model": "small", "messages": [{"content": "6 x 7?"}]}'
        with socket.create_connection(("127.0.0.1", urlsplit(fake.base_url).port)) as client:
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            wait_until(lambda: fake.in_flight == 1)
        wait_until(lambda: fake.in_flight == 0)
        assert (fake.answered, fake.requests, fake.billed_usd(PRICES)) == (0, 1, 103)


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    assert condition()


@pytest.mark.parametrize("fault", ["no-usage", "negative-usage", "text-usage", "no-prompt-tokens"])
def test_an_odd_account_does_not_change_the_bill(fault):
    answer, billed = answer_to(fault)
    assert billed == 203
    assert len(answer["choices"]) == 2
    usage = answer.get("usage")
    assert {
        "no-usage": usage is None,
        "negative-usage": usage is not None and usage["completion_tokens"] == -7,
        "text-usage": usage is not None and usage["prompt_tokens"] == "many",
        "no-prompt-tokens": usage == {"prompt_tokens": 0, "completion_tokens": 2, "total_tokens": 2},
    }[fault]


@pytest.mark.parametrize(
    ("fault", "n", "choices", "billed"),
    [
        ("one-choice", 4, 1, 103),
        ("one-choice", 1, 1, 103),
        ("fewer-choices", 4, 3, 303),
        ("fewer-choices", 1, 1, 103),
        ("empty-choices", 4, 0, 403),
        ("no-content", 4, 4, 403),
        ("refusal", 4, 4, 403),
    ],
)
def test_fewer_choices_cost_less_and_blank_ones_as_much(fault, n, choices, billed):
    answer, usd = answer_to(fault, n=n)
    assert (len(answer["choices"]), usd) == (choices, billed)
    assert answer["usage"]["completion_tokens"] == (billed - 3) / 100
    for choice in answer["choices"]:
        message = choice["message"]
        assert (message["content"] is None) == (fault in ("no-content", "refusal"))
        assert (message["refusal"] is not None) == (fault == "refusal")


def test_texts_that_were_not_given_are_given_next():
    log = [
        {"model": "small", "question_id": "6 x 7?", "answer": a, "input_tokens": 9, "output_tokens": 7} for a in "abcd"
    ]
    with FakeEndpoint(LogAnswers(log), ["one-choice", "fewer-choices", "429"], keep=True) as fake:
        answers = [json.loads(asked(fake, n=n)[1]) for n in (4, 3, 1, 1)]
    given = ["".join(c["message"]["content"] for c in answer.get("choices", ())) for answer in answers]
    assert given == ["a", "bc", "", "d"]
    assert [exchange.reply and exchange.reply.rows for exchange in fake.exchanges] == [(0,), (1, 2), None, (3,)]
    assert [answer["usage"]["completion_tokens"] for answer in answers if "usage" in answer] == [7, 14, 7]


@pytest.mark.parametrize(("fault", "megabytes"), [("text-2mb", 2), ("text-10mb", 10)])
def test_long_texts_are_billed_within_what_is_allowed(fault, megabytes):
    answer, billed = answer_to(fault, max_tokens=50)
    assert len(answer["choices"][0]["message"]["content"]) == megabytes * 2**20
    assert answer["choices"][1]["message"]["content"] == "42"
    assert billed == 3 + 100 * 100
    assert answer_to(fault)[1] > 1e6


def test_a_large_body_is_an_answer_all_the_same():
    with FakeEndpoint({"6 x 7?": "42"}, ["body-5mb"]) as fake:
        _, body = asked(fake)
    assert 4 * 2**20 < len(body) < 6 * 2**20
    assert json.loads(body)["choices"][0]["message"]["content"] == "42"


def test_a_bomb_is_small_until_it_is_unpacked():
    with FakeEndpoint({"6 x 7?": "42"}, ["gzip-bomb"]) as fake:
        response, body = asked(fake)
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(body) < 2**19
    plain = gzip.decompress(body)
    assert len(plain) > 2**28
    assert json.loads(plain[2**28 :])["choices"][0]["message"]["content"] == "42"


def test_more_tokens_than_allowed_are_billed():
    answer, billed = answer_to("too-many-tokens", max_tokens=50)
    assert answer["usage"]["completion_tokens"] == 101
    assert billed == 3 + 100 * 101


def test_faults_come_as_often_as_they_should_and_alike_for_a_seed():
    shares = dict.fromkeys(FAULTS, 0.03)
    plans = [FakeEndpoint({}, shares, seed=seed, elsewhere="http://127.0.0.1:9")._plan for seed in (1, 1, 2)]
    met = [[plan.fault(None) for _ in range(20_000)] for plan in plans]
    assert met[0] == met[1] != met[2]
    for name in FAULTS:
        assert abs(met[0].count(name) - 600) < 5 * math.sqrt(600)
    assert abs(met[0].count(None) - 20_000 * (1 - 0.03 * len(FAULTS))) < 5 * math.sqrt(20_000 * 0.05)


def test_faults_may_be_a_function_of_the_request():
    with FakeEndpoint({"6 x 7?": "42"}, lambda request: "503" if request.attempt < 2 else None) as fake:
        assert [asked(fake, model=model)[0].status for model in 3 * ["small"] + 3 * ["large"]] == 2 * [503, 503, 200]
    with pytest.raises(MooInferError, match="unknown fault '504'"), FakeEndpoint({}, lambda request: "504") as fake:
        assert asked(fake)[0].status == 500


@pytest.mark.parametrize(
    ("faults", "sentence"),
    [
        ({"slow": 0.1}, "unknown fault 'slow'; available: "),
        (["429", "slow"], "unknown fault 'slow'"),
        ({"429": -0.1}, "the probability of fault '429' must be in [0, 1], got -0.1"),
        ({"429": 1.1}, "got 1.1"),
        ({"429": math.nan}, "got nan"),
        ({"429": True}, "got True"),
        ({"429": "often"}, "got 'often'"),
        ({"429": 0.6, "500": 0.6}, "must sum to at most 1, got 1.2"),
    ],
)
def test_faults_that_cannot_be_are_refused(faults, sentence):
    with pytest.raises(MooInferError) as error:
        FakeEndpoint({}, faults)
    assert sentence in str(error.value)


def test_faults_may_be_certain_and_sum_to_one():
    assert FakeEndpoint({}, {"429": 1.0})._plan.fault(None) == "429"
    FakeEndpoint({}, dict.fromkeys([*FAULTS][:6], 0.1) | dict.fromkeys([*FAULTS][7:11], 0.1))


def test_a_client_of_openai_reads_answers_and_meets_faults():
    openai = pytest.importorskip("openai")
    httpx2 = pytest.importorskip("httpx2")  # that openai is made of

    async def talk(fake):
        transport = httpx2.AsyncClient(trust_env=False, follow_redirects=False)
        async with openai.AsyncOpenAI(
            base_url=fake.base_url, api_key="k", max_retries=0, timeout=2.0, http_client=transport
        ) as client:
            found = []
            for _ in FAULTS:
                try:
                    messages = [{"role": "user", "content": "6 x 7?"}]
                    answer = await client.chat.completions.create(model="small", messages=messages, n=2)
                    found.append([choice.message.content for choice in answer.choices])
                except (openai.OpenAIError, json.JSONDecodeError, httpx2.HTTPError) as error:
                    found.append(type(error).__name__)
            return found

    slow_or_large = ("time-out", "gzip-bomb", "slow-stream", "text-10mb")  # time-outs are tried above, without waiting
    names = [name for name in FAULTS if name not in slow_or_large]
    reply = Reply(("42", "43"), 10, 20)
    with (
        FakeEndpoint(lambda request: reply) as other,
        FakeEndpoint(lambda request: reply, names, elsewhere=other.base_url) as fake,
    ):
        found = dict(zip([*names, *slow_or_large], asyncio.run(talk(fake)), strict=True))
    assert other.requests == 0
    assert fake.requests == len(FAULTS)
    assert found["429"] == "RateLimitError"
    assert found["500"] == found["503"] == found["echo-500"] == "InternalServerError"
    assert found["echo-401"] == "AuthenticationError"
    assert found["dropped"] == found["dropped-body"] == "APIConnectionError"
    assert found["307"] == "APIStatusError"
    assert found["no-usage"] == found["body-5mb"] == found["time-out"] == ["42", "43"]  # that one met no fault
    assert found["no-content"] == found["refusal"] == [None, None]
    assert (found["one-choice"], found["empty-choices"]) == (["42"], [])


def test_a_port_is_free_again_and_many_may_listen_at_once():
    with FakeEndpoint({}) as one, FakeEndpoint({}) as two:
        assert one.base_url != two.base_url
        port = urlsplit(one.base_url).port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_guide_names_every_fault():
    page = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
    section = page.split("## A fake endpoint")[1].split("\n## ")[0]
    assert {*FAULTS} <= {*re.findall(r"`([\w-]+)`", section)}
