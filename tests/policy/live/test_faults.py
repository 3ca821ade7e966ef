"""What comes of each fault of the network, row by row of the table of faults."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from live_runs import MAX_TOKENS, Runs, profile, quick
from raw_server import ANSWER, http, raw_server

from moo_infer import MooInferError
from moo_infer.builtin.policies import Fixed
from moo_infer.policy.live import ledger
from moo_infer.policy.live.openai_endpoint import OpenAIEndpoint
from moo_infer.testing import FakeEndpoint
from moo_infer.testing.fake_replies import Reply

FEW = {"timeout_s": 0.3, "tries": 2}
AGAIN = ("429", "429-date", "429-bare", "500", "503", "408", "307", "time-out", "dropped", "dropped-body")
AGAIN += ("truncated-json", "slow-stream", "echo-500", "gzip-bomb")
UNBILLED = ("429", "429-date", "429-bare", "307")
BADLY = ("empty-choices", "no-content", "refusal", "text-2mb", "text-10mb", "body-5mb")
REFUSED_USAGE = ("no-usage", "negative-usage", "text-usage", "no-prompt-tokens")


@pytest.fixture(autouse=True)
def in_no_time():
    with quick():
        yield


def run(fake, folder, k=1, n=1, target="42", **settings):
    """Sample questions k times each; the run, and what came of it."""
    own = profile(fake.base_url, **{"timeout_s": 5.0, "tries": 2} | settings)
    runs = Runs(folder, (own,), Fixed(k, model="small"), n, {"parallelism": 1}, target=target)
    return runs, runs.go()


def server(*faults, **options):
    """A server that answers 42 after so many faults."""
    return FakeEndpoint(lambda request: "42", list(faults), elsewhere="http://127.0.0.1:9", slow_s=30.0, **options)


@pytest.mark.parametrize("fault", AGAIN)
def test_what_may_go_better_is_tried_again_and_counted(fault, tmp_path):
    with server(fault, retry_after_s=0.0) as fake:
        runs, result = run(fake, tmp_path, **FEW)
        (row,) = runs.rows
        assert (row["answer"], row["correct"], row["why"], row["requests"], fake.requests) == ("42", True, "", 2, 2)
        assert row["lost_usd"] == pytest.approx(0.0 if fault in UNBILLED else runs.largest_usd())
        assert row["cost_usd"] == pytest.approx(runs.bill(fake) / fake.usages["small"].requests)
        assert result.spent_usd == pytest.approx(row["cost_usd"] + row["lost_usd"])
        assert (result.stopped, result.to_dict()["unanswered"], result.tally.accuracy) == (None, [], 1.0)


@pytest.mark.parametrize("fault", AGAIN)
def test_what_is_given_up_is_a_blank_row_and_the_run_goes_on(fault, tmp_path):
    with server(None, fault, fault, None, retry_after_s=0.0) as fake:
        runs, result = run(fake, tmp_path, n=3, **FEW)
        row, report = runs.rows[1], result.to_dict()
        assert (row["answer"], row["correct"], row["cost_usd"], row["requests"]) == (None, None, None, 2)
        assert row["lost_usd"] == pytest.approx(0.0 if fault in UNBILLED else 2 * runs.largest_usd())
        assert row["why"]
        assert [of["answer"] for of in runs.rows] == ["42", None, "42"]
        assert (report["unanswered"], report["answered"], report["accuracy"]) == (["q1"], 2, 1.0)
        assert (report["stopped"], report["requests"], fake.requests) == (None, 4, 4)
        assert report["lost"] == {"requests": 0, "usd": 0}
        assert report["spent_usd"] >= runs.bill(fake) * (1 - 1e-9)
        assert {line["question_id"]: line["ending"] for line in runs.answers}["q1"] == "nothing"


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_request_that_is_refused_is_not_sent_again(status, tmp_path):
    with server(None, f"echo-{status}", None) as fake:
        runs, result = run(fake, tmp_path, n=3)
        row = runs.rows[1]
        assert (row["answer"], row["correct"], row["requests"], row["lost_usd"]) == (None, None, 1, 0)
        assert row["why"] == f"the server answered with status {status}"
        assert (result.stopped, result.to_dict()["unanswered"], fake.requests) == (None, ["q1"], 3)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_stops_the_run(status, tmp_path):
    with server(None, f"echo-{status}", None) as fake:
        runs, result = run(fake, tmp_path, n=4)
        report = result.to_dict()
        assert (report["stopped"], fake.requests, len(runs.rows)) == ("endpoint", 2, 1)
        assert (report["unanswered"], report["requests"], report["lost"]["requests"]) == (["q1", "q2", "q3"], 2, 1)
        assert f"status {status}" in result.sentence
        assert "How many" not in result.sentence
        runs.profiles = (profile(fake.base_url),)
        assert runs.go().to_dict()["answered"] == 4


@pytest.mark.parametrize("shape", ["n", "parallel"])
@pytest.mark.parametrize("fault", BADLY)
def test_an_answer_that_cannot_be_read_is_paid_and_wrong(fault, shape, tmp_path):
    with server(*[fault] * 9) as fake:
        runs, result = run(fake, tmp_path, k=3, shape=shape)
        rows, report = runs.rows, result.to_dict()
        assert fake.requests == (1 if shape == "n" else 3) == report["requests"]
        assert [(row["answer"], row["correct"], row["lost_usd"]) for row in rows] == [(None, False, 0)] * 3 or (
            fault in ("text-2mb", "text-10mb") and shape == "n"
        )
        assert all(row["why"] and row["cost_usd"] > 0 for row in rows if row["answer"] is None)
        assert sum(row["cost_usd"] for row in rows) >= runs.bill(fake) * (1 - 1e-9)
        assert report["unanswered"] == []


def test_an_answer_that_cannot_be_read_is_not_wrong_where_nothing_says_what_is_right(tmp_path):
    with server("refusal") as fake:
        runs, result = run(fake, tmp_path, target=None)
        assert (runs.rows[0]["correct"], result.to_dict()["accuracy"]) == (None, None)


@pytest.mark.parametrize("fault", ["fewer-choices", "one-choice"])
def test_missing_choices_are_asked_for_again_in_the_same_wave(fault, tmp_path):
    with server(*[fault] * 9, keep=True) as fake:
        runs, result = run(fake, tmp_path, k=4, shape="n")
        rows = runs.rows
        asked = [exchange.request.n for exchange in fake.exchanges]
        assert asked == ([4, 1] if fault == "fewer-choices" else [4, 3, 2, 1])
        assert [(row["answer"], row["wave"]) for row in rows] == [("42", 0)] * 4
        assert [row["sample"] for row in rows] == [0, 1, 2, 3]
        assert sum(row["requests"] for row in rows) == fake.requests == result.to_dict()["requests"]
        assert len({row["call"] for row in rows}) == fake.requests
        assert result.spent_usd == pytest.approx(runs.bill(fake))


@pytest.mark.parametrize("fault", REFUSED_USAGE)
def test_without_usage_the_largest_price_counts(fault, tmp_path):
    with server(fault) as fake:
        runs, result = run(fake, tmp_path)
        (row,) = runs.rows
        assert (row["answer"], row["correct"], row["input_tokens"], row["lost_usd"]) == ("42", True, None, 0)
        assert row["cost_usd"] == pytest.approx(runs.largest_usd())
        assert "usage" in row["why"]
        assert (result.to_dict()["billed_usd"], result.to_dict()["spent_usd"]) == (0, pytest.approx(runs.largest_usd()))


GOOD = ANSWER["usage"]
ODD = [None, [], "5", {}, 5, True, GOOD | {"prompt_tokens": 5.0}, GOOD | {"prompt_tokens": True}]
ODD += [GOOD | {"prompt_tokens": value} for value in (10**400, 10**30, -(10**400), "5", None, 0, [5], {"a": 1})]
ODD += [GOOD | {"completion_tokens": value} for value in (10**400, 1.5, math.nan, math.inf, "1", None, -1, False)]


@pytest.mark.parametrize("usage", ODD, ids=lambda usage: f"{usage!s:.40}")
def test_usage_that_is_no_usage_is_none(usage, tmp_path):
    with raw_server(http(ANSWER | {"usage": usage})) as fake:
        runs, result = run(fake, tmp_path)
        (row,) = runs.rows
        assert (row["answer"], row["input_tokens"], row["output_tokens"], result.stopped) == ("42", None, None, None)
        assert row["cost_usd"] == pytest.approx(runs.largest_usd())
        assert "usage" in row["why"]


@pytest.mark.parametrize("details", [{"cached_tokens": 6}, {"cached_tokens": "5"}, {"cached_tokens": -1}, [5], None])
def test_cached_tokens_that_cannot_be_are_not_known_and_the_rest_counts(details, tmp_path):
    usage = GOOD | {"prompt_tokens_details": details, "completion_tokens_details": {"reasoning_tokens": 2}}
    with raw_server(http(ANSWER | {"usage": usage})) as fake:
        runs, _ = run(fake, tmp_path)
        (row,) = runs.rows
        assert (row["cached_input_tokens"], row["reasoning_tokens"]) == (None, None)
        assert (row["cost_usd"], row["why"]) == (pytest.approx(5e-6 + 1e-5), "")


def test_a_server_that_bills_more_than_it_may_stops_the_run(tmp_path):
    with server(None, "too-many-tokens", None) as fake:
        runs, result = run(fake, tmp_path, n=4)
        assert (result.stopped, fake.requests) == ("endpoint", 2)
        assert f"{MAX_TOKENS + 1} tokens" in result.sentence
        assert result.spent_usd == pytest.approx(runs.bill(fake))
        assert runs.rows[1]["output_tokens"] == MAX_TOKENS + 1


@pytest.mark.parametrize(
    ("fault", "parallelism"), [("500", 1), ("500", 3), ("dropped", 2), ("307", 2), ("429-bare", 4)]
)
def test_where_nothing_was_ever_answered_the_run_stops_soon(fault, parallelism, tmp_path):
    with server(*[fault] * 500) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url, tries=2),), Fixed(1, model="small"), 40)
        report = runs.go(parallelism=parallelism).to_dict()
        assert report["stopped"] == "endpoint"
        assert parallelism <= len(runs.rows) < 2 * parallelism + 1
        assert len(report["unanswered"]) == 40
        assert report["requests"] == fake.requests


def test_a_single_answer_keeps_a_run_going(tmp_path):
    with server(None, *["500"] * 100) as fake:
        runs, result = run(fake, tmp_path, n=20)
        assert (result.stopped, len(runs.rows), fake.requests) == (None, 20, 1 + 2 * 19)
        assert len(result.to_dict()["unanswered"]) == 19


def test_a_server_that_is_not_there_costs_nothing(tmp_path):
    with server() as fake:
        address = fake.base_url
    runs = Runs(tmp_path, (profile(address, tries=2),), Fixed(1, model="small"), 3)
    result = runs.go(parallelism=1)
    assert (result.stopped, result.spent_usd, runs.rows[0]["requests"]) == ("endpoint", 0, 2)
    assert runs.rows[0]["why"] == "there is no connection"


def in_seconds(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("0", 0, 0),
        ("3", 3, 3),
        ("2.5", 2.5, 2.5),
        ("1e9", 5, 5),
        (3600, 5, 5),  # seconds from now, said as a date
        (-3600, 0, 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 5, 5),
        *((odd, 0, 0.01) for odd in ("-1", "nan", "inf", "soon", "", "1, 2", "9" * 5000, "\xff", "\x01")),
        *((f"Mon, 01 Jan 2020 00:00:00 {odd}", 0, 0.01) for odd in ("+99999999999999999999", "-9999", "")),
        ("Mon, 99 Foo 99999 99:99:99 GMT", 0, 0.01),
    ],
    ids=lambda value: f"{value!s:.30}",
)
def test_the_time_that_a_server_asks_for_is_waited_up_to_the_time_out(said, least, most, tmp_path, monkeypatch):
    paused = []

    async def pause(self, seconds):
        paused.append(seconds)

    monkeypatch.setattr(ledger.Ledger, "pause", pause)
    said = in_seconds(said) if isinstance(said, int) else said
    with raw_server(http(b"", "429 Slow down", [f"Retry-After: {said}"]), http()) as fake:
        runs, _ = run(fake, tmp_path, timeout_s=5.0)
        (row,) = runs.rows
        assert row["answer"] == "42"
        assert len(paused) == 1
        assert least <= paused[0] <= most


def test_a_reply_may_say_anything_of_its_choices(tmp_path):
    """One row for each choice that was asked for, whatever stands there."""
    choices = [{"message": {"content": content}} for content in (None, 7, ["42"], {"text": "42"}, True, "", " \n")]
    choices += [{}, None, 7, "42", [], {"message": None}, {"message": "42"}, {"message": {}}]
    choices += [{"message": {"content": "42"}}, {"message": {"content": "\ud800"}}]
    with raw_server(http({"choices": choices, "usage": {"prompt_tokens": 9, "completion_tokens": 17}})) as fake:
        runs, _ = run(fake, tmp_path, k=len(choices), shape="n")
        rows = runs.rows
        assert [row["answer"] for row in rows] == [None] * (len(choices) - 2) + ["42", "?"]
        assert [row["correct"] for row in rows] == [False] * (len(choices) - 2) + [True, False]
        assert sum(row["output_tokens"] for row in rows) == 17
        assert fake.requests == 1


def test_more_choices_than_asked_for_are_left_out(tmp_path):
    with FakeEndpoint(lambda request: Reply(("42",) * 5)) as fake:
        runs, result = run(fake, tmp_path, k=2, shape="n")
        assert len(runs.rows) == 2
        assert result.spent_usd == pytest.approx(runs.bill(fake))


def test_a_text_of_the_longest_length_is_read_and_one_letter_more_is_not(tmp_path):
    for length, answer in ((50, "4" * 50), (51, None)):
        (folder := tmp_path / str(length)).mkdir()
        with FakeEndpoint(lambda request, length=length: "4" * length) as fake:
            runs, _ = run(fake, folder, text_limit=50)
            assert (runs.rows[0]["answer"], runs.rows[0]["correct"]) == (answer, False)


def test_a_key_that_no_header_can_hold_is_refused_and_not_repeated(monkeypatch):
    for odd in ("sk-marked\n", " sk-marked", "sk-märked", "sk-mar\rked", "sk-mar\x7fked"):
        monkeypatch.setenv("ACME_KEY", odd)
        with pytest.raises(MooInferError, match="ACME_KEY holds no key") as failure:
            OpenAIEndpoint({"small": profile("http://127.0.0.1:9/v1", key_env="ACME_KEY")})
        assert "rked" not in str(failure.value)


@pytest.mark.parametrize(
    "host", ["ex_ämple.invalid", "☃" * 70, "[1:2]", "256.256.256.256", "١٢٧.0.0.1", "127.0.0.1/" + "a" * 70_000]
)
def test_an_address_that_no_host_can_have_is_refused_before_a_call(host):
    with pytest.raises(MooInferError, match="small: call: base_url: no host can be called so, or it is too long"):
        OpenAIEndpoint({"small": profile(f"http://{host}")})


@pytest.mark.parametrize("host", ["a..b", "xn--", "a" * 64 + ".invalid", "%31", "*", "1.2.3.4.5"])
def test_a_host_that_is_not_there_is_a_fault(host, tmp_path):
    runs = Runs(tmp_path, (profile(f"http://{host}/v1", tries=1),), Fixed(1, model="small"), 1)
    assert (runs.go(parallelism=1).stopped, runs.rows[0]["why"]) == ("endpoint", "there is no connection")
