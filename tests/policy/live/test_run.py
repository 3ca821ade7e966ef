"""Runs over many questions: budgets, and questions that are explored."""

import json

import pytest
from logged_models import LoggedModels, small_log

from moo_infer.builtin.policies import TwoThenMore, VoteUntilDecided
from moo_infer.policy.live.resume import Files
from moo_infer.policy.live.run import LiveRun
from moo_infer.read.price import Price

SMALL = [row for row in small_log(questions=6) if row["model"] == "small"]


@pytest.fixture
def ran(tmp_path, registry):
    """Run a policy over all questions of a log; the result, the rows, and the lines of answers."""

    def run(policy, **limits):
        log = LoggedModels(SMALL, {"small": (1e-6, 4e-6)})
        out, answers = tmp_path / "out.jsonl", tmp_path / "answers.jsonl"
        with log.served() as fake:
            profiles = log.called(fake.base_url)
            prices = {name: Price(*usd) for name, usd in log.prices.items()}
            files = Files(out, "a run", {}, answers)
            fields = {"parallelism": 2, **limits}
            result = LiveRun(policy, log.questions, profiles, prices, log.judges(), registry, files, **fields).go()
        return result, *([json.loads(line) for line in path.read_text().splitlines()] for path in (out, answers))

    return run


def test_a_budget_that_is_spent_stops_the_run(ran):
    """One request may cost 4 dollars, and costs a thousandth of one."""
    result, rows, answers = ran(TwoThenMore(6, "small"), budget=4.004)
    assert result.stopped == "budget"
    assert result.tally.unanswered  # all of them where each has a call before any has its second
    assert result.spent_usd <= 4.004
    endings = {line["question_id"]: line["ending"] for line in answers}
    assert [endings[name] for name in result.tally.unanswered] == ["stopped"] * len(result.tally.unanswered)
    assert {*endings.values()} == {"answered", "stopped"}
    assert sum(line["calls"] for line in answers) == len(rows)


def test_all_calls_are_made_in_the_first_wave_and_the_policy_answers(ran):
    result, rows, answers = ran(TwoThenMore(6, "small"), explore=1.0)
    assert (result.stopped, result.tally.unanswered) == (None, [])
    assert {row["wave"] for row in rows} == {0}
    assert [(line["calls"], line["waves"], line["ending"]) for line in answers] == [(6, 1, "answered")] * 6


def test_a_policy_with_arrivals_cancels_nothing_where_it_explores(ran):
    _, rows, answers = ran(VoteUntilDecided(6, arrivals=True, model="small"), explore=1.0)
    assert len(rows) == 36
    assert "cancelled" not in {row["why"] for row in rows}
    assert {line["ending"] for line in answers} == {"answered"}


def test_a_limit_of_dollars_leaves_what_there_is_to_answer_from(ran):
    """One request may cost 4 dollars, so that a limit just above lets one be made at a time, until what is left is less."""
    result, rows, answers = ran(TwoThenMore(6, "small"), explore=1.0, most_usd=4.001)
    assert result.stopped is None
    assert len(rows) < 36
    assert {line["ending"] for line in answers} <= {"answered", "money"}
    assert "money" in {line["ending"] for line in answers}
