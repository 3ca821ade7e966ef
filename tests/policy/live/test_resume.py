"""A run that goes on: from its rows, with numbers of calls that nobody had, and with nothing paid twice."""

import json

import pytest
from live_runs import Runs, lines, profile, quick, right_or_wrong, said_again

from moo_infer.builtin.policies import Fixed
from moo_infer.testing import FakeEndpoint


@pytest.fixture(autouse=True)
def in_no_time():
    with quick():
        yield


@pytest.fixture
def fake():
    with FakeEndpoint(right_or_wrong()) as fake:
        yield fake


def test_the_same_command_after_the_end_makes_no_call_and_says_the_same(fake, tmp_path):
    runs = Runs(tmp_path, (profile(fake.base_url),))
    first, answers, requests = runs.go(), runs.answers, fake.requests
    again = runs.go()
    assert (again.resumed, again.stopped, fake.requests) == (True, None, requests)
    assert said_again(again) == said_again(first)
    assert sorted(runs.answers, key=str) == sorted(answers, key=str)


def test_a_call_has_a_number_that_no_earlier_call_had(fake, tmp_path):
    """Numbers are not how many requests there were: calls that wait for their turn have one too."""
    runs = Runs(tmp_path, (profile(fake.base_url),), n=2)
    runs.go()
    rows, journal = lines(runs.out), lines(runs.journal)
    call = rows[-1]["call"]
    late = call.rpartition("-")[0] + "-90"
    runs.out.write_text("".join(json.dumps(row) + "\n" for row in rows[:-1]))
    runs.journal.write_text(
        "".join(json.dumps(line | ({"call": late} if line.get("call") == call else {})) + "\n" for line in journal)
    )
    result = runs.go()
    assert [line["call"].rpartition("-")[2] for line in lines(runs.journal)[1:]][-1] == "91"
    assert (result.lost_requests, result.lost_usd) == (1, journal[-1]["largest_usd"])
    assert runs.go().spent_usd == pytest.approx(result.spent_usd)


def test_of_a_request_of_several_answers_all_rows_are_there_or_none(fake, tmp_path):
    runs = Runs(tmp_path, (profile(fake.base_url, shape="n"),), Fixed(3, model="small"), n=2)
    runs.go()
    content, requests = runs.out.read_bytes(), fake.requests
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    for size in (ends[3], ends[3] + 9, ends[4], ends[4] + 1, ends[5] - 1):
        runs.out.write_bytes(content[:size])
        journal = runs.journal.read_bytes()
        result = runs.go()
        requests += 1
        assert fake.requests == requests == result.to_dict()["requests"]
        assert result.spent_usd >= runs.bill(fake)
        assert [row["sample"] for row in runs.rows] == [0, 1, 2] * 2
        assert (result.to_dict()["answered"], result.lost_requests) == (2, requests - 2)
        assert len(runs.journal.read_bytes()) > len(journal)
    assert any("cut off" in sentence for sentence in runs.said)


def test_fewer_rows_than_were_asked_for_are_all_where_the_server_brought_no_more(tmp_path):
    with FakeEndpoint(right_or_wrong(), faults=[None, "fewer-choices"]) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url, shape="n"),), Fixed(3, model="small"), n=2)
        runs.options["parallelism"] = 1
        runs.go()
        rows, requests = runs.rows, fake.requests
        runs.out.write_text("".join(json.dumps(row) + "\n" for row in rows[:5]))
        result = runs.go()
        assert fake.requests == requests + 1
        assert runs.rows[:5] == rows[:5]
        assert (len(runs.rows), result.lost_requests) == (6, 1)
