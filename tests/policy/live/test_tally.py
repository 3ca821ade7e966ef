"""What a run has come to, in counts and sums."""

import pytest
from live_runs import Runs, profile, questions, quick, right_or_wrong

from moo_infer.builtin.policies import Fixed, TwoThenMore
from moo_infer.policy.live.course import Course, Sample
from moo_infer.policy.live.inference import Inference
from moo_infer.policy.live.outcome import Outcome
from moo_infer.policy.live.run import AtOnce
from moo_infer.policy.live.tally import Tally, answer_line
from moo_infer.testing import FakeEndpoint


def outcome(*samples, correct=None, **fields):
    course = Course(questions(1)[0])
    course.begin({"small": len(samples)})
    course.add(samples)
    return Outcome("", course, course.spent(), correct=correct, **fields)


CAME = Sample("small", Inference("4", cost_usd=0.5, lost_usd=0.25, requests=2, latency_s=1.5, billed=True), "4", True)
BLANK = Sample("small", Inference("", cost_usd=1.0), None, False, why="no number")
FAILED = Sample("small", Inference(why="given up", failed=True, lost_usd=0.5, requests=4), why="given up")


def test_inferences_requests_and_dollars_add_up():
    tally = Tally(3)
    tally.count([CAME, BLANK])
    tally.count([FAILED])
    assert (tally.samples, tally.requests, tally.cost_usd, tally.lost_usd, tally.billed_usd) == (3, 7, 1.5, 0.75, 0.5)
    assert tally.spent_usd == 2.25


def test_accuracy_is_over_questions_that_are_answered_and_a_blank_of_theirs_is_wrong():
    tally = Tally(4)
    assert tally.accuracy is None
    tally.end("right", outcome(CAME, FAILED, correct=True))
    tally.end("blank", outcome(BLANK, correct=False))
    tally.end("graded", outcome(CAME, correct=0.5))
    tally.end("nothing", outcome(FAILED, correct=False))
    assert (tally.accuracy, tally.unanswered, tally.done) == (0.5, ["nothing"], 4)
    assert tally.in_short(0.25) == "0.25 USD, accuracy 0.500"


def test_answers_that_a_checker_says_nothing_of_are_counted():
    tally, unsaid = Tally(3), outcome(CAME)
    tally.end("no checker", unsaid)
    unsaid.course.judged = True
    tally.end("no verdict", unsaid)
    tally.end("wrong", outcome(CAME, correct=False))
    assert (tally.unjudged, tally.judged, tally.accuracy) == (1, 1, 0.0)


def test_without_targets_and_of_samples_alone_there_is_no_accuracy():
    tally = Tally(1)
    tally.end("q0", outcome(CAME))
    assert (tally.accuracy, tally.in_short(0.0)) == (None, "0 USD")
    tally = Tally(1, delivers=False)
    tally.end("q0", outcome(CAME, correct=True))
    assert tally.accuracy is None


def test_the_line_of_a_question_counts_inferences_and_what_was_lost():
    line = answer_line("q0", outcome(CAME, FAILED, answer="4", correct=True))
    assert line == {
        "question_id": "q0",
        "answer": "4",
        "correct": True,
        "calls": 2,
        "waves": 1,
        "ending": "answered",
        "cost_usd": 1.25,
        "latency_s": 1.5,
    }
    nothing = answer_line("q0", outcome(FAILED, correct=False))
    assert (nothing["ending"], nothing["correct"], nothing["cost_usd"]) == ("nothing", None, 0.5)
    stopped = answer_line("q0", None, [CAME])
    assert (stopped["ending"], stopped["answer"], stopped["calls"], stopped["cost_usd"]) == ("stopped", None, 1, 0.75)


@pytest.mark.parametrize("target", ["42", None])
@pytest.mark.parametrize("policy", [TwoThenMore(4, "small"), Fixed(3, model="small"), AtOnce({"small": 2})])
def test_a_run_says_what_its_rows_and_lines_say(policy, target, tmp_path):
    with quick(), FakeEndpoint(right_or_wrong(0.5), {"500": 0.2, "echo-400": 0.2}) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url, tries=2),), policy, n=8, target=target)
        report = runs.go().to_dict()
    rows, answers = runs.rows, runs.answers
    assert report["samples"] == len(rows) == sum(line["calls"] for line in answers)
    assert report["requests"] == sum(row["requests"] for row in rows) == fake.requests
    assert report["spent_usd"] == pytest.approx(sum(row["lost_usd"] + (row["cost_usd"] or 0) for row in rows))
    assert report["spent_usd"] == pytest.approx(sum(line["cost_usd"] for line in answers))
    assert report["billed_usd"] == pytest.approx(sum(row["cost_usd"] for row in rows if row["input_tokens"]))
    came = [line for line in answers if line["ending"] != "nothing"]
    assert report["unanswered"] == sorted(line["question_id"] for line in answers if line["ending"] == "nothing")
    if target is None or isinstance(policy, AtOnce):
        assert report["accuracy"] is None
    else:
        assert report["accuracy"] == pytest.approx(sum(line["correct"] for line in came) / len(came))
