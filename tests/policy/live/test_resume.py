"""A run that goes on: from its rows, with numbers of calls that nobody had, and with nothing paid twice."""

import json
from dataclasses import replace

import pytest
from live_runs import Runs, lines, profile, quick, right_or_wrong, said_again

from moo_infer.builtin.policies import Fixed, VoteUntilDecided
from moo_infer.core.errors import MooInferError
from moo_infer.testing import FakeEndpoint
from moo_infer.testing.fake_replies import Reply


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


@pytest.mark.parametrize("arrivals", [True, False])
def test_a_question_that_ended_by_its_seconds_stays_ended(arrivals, tmp_path):
    def slow(request):
        return Reply((str(request.total),), delay_s=30.0 if request.total > 1 else 0.0)

    with FakeEndpoint(slow) as fake:
        policy = VoteUntilDecided(5, arrivals=arrivals, model="small")
        runs = Runs(tmp_path, (profile(fake.base_url),), policy, n=1)
        runs.options |= {
            "most_seconds": 2.0,
            "parallelism": 5,
        }  # the first answer is there by then on a busy machine too
        runs.go()
        answers, requests = runs.answers, fake.requests
        assert [line["ending"] for line in answers] == ["seconds"]
        runs.go()
        assert runs.answers == answers
        assert fake.requests == requests


@pytest.mark.parametrize("share", [1.0, 1.5])
def test_what_a_question_has_lost_counts_in_its_own_budget_again(share, tmp_path):
    """A try that failed and a second one that did not fit: there is no row, and the money is spent all the same."""
    with FakeEndpoint(right_or_wrong(), faults=["500"]) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), Fixed(1, model="small"), n=1)
        runs.options["most_usd"] = share * runs.largest_usd()  # of 1 nothing is left
        first = runs.go()
        assert (first.to_dict()["unanswered"], first.lost_requests, fake.requests) == (["q0"], 1, 1)
        assert said_again(runs.go()) == said_again(first)
        assert fake.requests == 1


def test_what_was_lost_counts_in_the_budget_when_a_run_goes_on(fake, tmp_path):
    runs = Runs(tmp_path, (profile(fake.base_url),), Fixed(1, model="small"), n=3)
    runs.go(parallelism=1)
    kept, *_ = lines(runs.out)
    runs.out.write_text(json.dumps(kept) + "\n")  # the calls of two questions have no row
    lost = sum(line["largest_usd"] for line in lines(runs.journal)[1:] if line.get("call") not in (None, kept["call"]))
    budget, requests = kept["cost_usd"] + lost + 1.001 * runs.largest_usd(), fake.requests
    again = runs.go(budget=budget, parallelism=1)
    assert (again.stopped, again.lost_requests, again.lost_usd) == ("budget", 2, pytest.approx(lost))
    assert fake.requests == requests + 1
    assert again.spent_usd <= budget


def test_a_blank_of_a_model_without_a_price_is_no_failure_of_its_endpoint(tmp_path):
    with FakeEndpoint(right_or_wrong(), faults=["no-content"]) as fake:
        own = replace(profile(fake.base_url), costs=())
        runs = Runs(tmp_path, (own,), Fixed(1, model="small"), n=1, target=None)
        runs.options["unpriced"] = True
        first = runs.go().to_dict()
        assert first["answered"] == 1
        assert runs.go().to_dict() == first | {"resumed": True}


def test_texts_of_a_run_that_was_cut_off_go_on_behind_a_whole_line(fake, tmp_path):
    runs = Runs(tmp_path, (profile(fake.base_url),), n=1, texts=True)
    runs.go()
    rows, texts = len(runs.rows), tmp_path / "texts.jsonl"
    runs.out.write_bytes(b"".join(runs.out.read_bytes().splitlines(keepends=True)[:-1]))
    texts.write_bytes(texts.read_bytes()[:-5])
    runs.go()
    assert len(lines(texts)) == rows
    assert texts.stat().st_mode & 0o777 == 0o600


JUNK = ["", "{}", "[]", "null", "nan", '"x"', "\x00", '{"call": 7}', '{"lost_usd": 1}', "[" * 10_000]
WRONG = [("cost_usd", "1"), ("cost_usd", -1), ("cost_usd", float("nan")), ("cost_usd", True), ("lost_usd", None)]
WRONG += [("requests", -1), ("requests", 0.5), ("requests", "1"), ("wave", "0"), ("sample", None), ("call", 7)]
WRONG += [("call", "x"), ("input_tokens", "9"), ("latency_s", float("inf")), ("answer", 7), ("correct", "yes")]
WRONG += [
    ("why", None),
    ("score", "x"),
    ("model", ["small"]),
    ("variant", 1),
    ("question_id", "q99"),
    ("question_id", []),
]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The files of a run that came to its end."""
    with quick(), FakeEndpoint(right_or_wrong()) as fake:
        runs = Runs(tmp_path_factory.mktemp("ended"), (profile(fake.base_url),), n=2)
        runs.go()
    return runs


def refusal(runs):
    """The sentence that a run is refused with."""
    with pytest.raises(MooInferError) as error:
        runs.go()
    assert "Traceback" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("junk", JUNK)
def test_a_line_that_no_run_wrote_is_refused_with_its_number(junk, ended, tmp_path):
    for path in (ended.out, ended.journal):
        runs = copied(ended, tmp_path)
        written = path.read_text().splitlines()
        (tmp_path / path.name).write_text("\n".join([*written[:2], junk, *written[2:]]) + "\n")
        assert f"{tmp_path / path.name}: line 3: " in refusal(runs)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_row_with_what_no_run_writes_is_refused(name, value, ended, tmp_path):
    runs = copied(ended, tmp_path)
    rows = runs.rows
    runs.out.write_text("".join(json.dumps(row) + "\n" for row in [rows[0], rows[1] | {name: value}, *rows[2:]]))
    assert f"{runs.out}: line 2: " in refusal(runs)


@pytest.mark.parametrize(
    "change",
    [
        {"largest_usd": "1"},
        {"largest_usd": -1},
        {"largest_usd": float("nan")},
        {"times": "x"},
        {"call": "x"},
        {"question_id": 3},
    ],
)
def test_a_line_of_the_journal_with_what_no_run_writes_is_refused(change, ended, tmp_path):
    runs = copied(ended, tmp_path)
    written = lines(runs.journal)
    runs.journal.write_text(
        "".join(json.dumps(line) + "\n" for line in [written[0], written[1] | change, *written[2:]])
    )
    assert f"{runs.journal}: line 2: " in refusal(runs)


def copied(runs, folder):
    for path in (runs.out, runs.journal):
        (folder / path.name).write_bytes(path.read_bytes())
    return replace(runs, folder=folder, said=[])


def test_another_run_and_files_of_none_are_refused_and_stay_as_they_are(ended, tmp_path):
    runs = copied(ended, tmp_path)
    content = runs.out.read_bytes(), runs.journal.read_bytes()
    with pytest.raises(MooInferError, match="holds another run"):
        runs.live(run="another").go()
    assert (runs.out.read_bytes(), runs.journal.read_bytes()) == content
    runs.journal.unlink()
    assert "without log.jsonl.journal" in refusal(runs)
    assert not runs.journal.exists()
    runs.journal.write_text("")
    assert "is empty, and log.jsonl is not" in refusal(runs)
    runs.journal.write_text('{"schema": 1}\n')
    assert "is no journal of a run" in refusal(runs)
    assert runs.out.read_bytes() == content[0]


def test_two_do_not_run_at_a_time(ended, tmp_path):
    runs = copied(ended, tmp_path)
    with runs.live().files:
        assert "another process is running this" in refusal(runs)
    assert runs.go().stopped is None


def test_torn_last_lines_are_dropped_aloud(ended, tmp_path):
    runs = copied(ended, tmp_path)
    for path in (runs.out, runs.journal):
        with path.open("a") as file:
            file.write('{"call": "54c')
    rows = len(ended.rows)
    assert (runs.go().to_dict()["samples"], len(runs.rows)) == (rows, rows)
    assert sum("cut off is dropped, 13 bytes" in sentence for sentence in runs.said) == 2


def test_a_journal_whose_first_line_was_cut_off_begins_anew(fake, tmp_path):
    runs = Runs(tmp_path, (profile(fake.base_url),), n=1)
    runs.journal.write_text('{"schema": 1, "ru')
    assert runs.go().resumed is False
    assert lines(runs.journal)[0] == {"schema": 1, "run": "the same"}
