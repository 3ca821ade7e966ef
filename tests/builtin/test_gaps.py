"""Logs with gaps: what is missing is said, and what abstains is counted."""

import numpy as np
import pytest

from moo_infer import ModelProfile, MooInferError, Pipeline, Samples, Scenario
from moo_infer.builtin.answers import PluralityVote, TopScore
from moo_infer.builtin.empirical import Empirical
from moo_infer.core.errors import NothingPossible
from moo_infer.quantities.subsets import best_scored_of_k, vote_at_k


def log(Q=4, n=5):
    """Q questions of n samples, a third of them right, answers of three letters."""
    rng = np.random.default_rng(0)
    answer = rng.integers(0, 3, Q * n)
    columns = {"answer": answer, "score": rng.integers(0, 4, Q * n) * 1.0}
    for name in ("input_tokens", "output_tokens", "latency_s", "cost_usd", "energy_j"):
        columns[name] = rng.integers(10, 900, Q * n) * 1.0
    return Samples("mine", [f"q{i}" for i in range(Q)], np.repeat(np.arange(Q), n), (answer == 0) * 1.0, columns)


@pytest.mark.parametrize(
    ("part", "column", "message"),
    [
        (PluralityVote(), "answer", "no vote, because no question has two answers"),
        (TopScore(), "score", "no choice by score, because no question has two scores"),
    ],
)
@pytest.mark.parametrize("there", [0, 1])
def test_a_vote_needs_two_answers_to_a_question_and_a_choice_by_score_two_scores(part, column, message, there):
    samples = log()
    first = np.arange(len(samples)) % 5 < there
    values = np.where(first, samples[column], -1 if column == "answer" else np.nan)
    alone = Samples("mine", samples.questions, samples.question, samples.correct, {column: values})
    profile = ModelProfile("mine", Empirical(alone), ())
    with pytest.raises(NothingPossible, match=message):
        Pipeline([part], k=[1]).run(profile, Scenario("any"))
    with pytest.raises(MooInferError, match=f"no column '{column}'"):  # where it would be simulated
        Pipeline([part], estimator="monte-carlo", k=[1]).run(profile, Scenario("any"))


@pytest.mark.parametrize("blank", [0.1, 0.11, 0.5, 0.9])
def test_there_is_no_share_of_blanks_from_which_on_the_vote_is_gone(blank):
    """What is offered is what the answers that are left are worth, and the report says how many abstain."""
    samples = log(Q=50, n=8)
    lacks = np.random.default_rng(3).random(len(samples)) < blank
    columns = {
        "answer": np.where(lacks, -1, samples["answer"]),
        "score": np.where(lacks, np.nan, samples["score"]),
    }
    few = Samples("mine", samples.questions, samples.question, (columns["answer"] == 0) * 1.0, columns)
    k = np.array([1, 4, 8])
    report = Pipeline(["plurality-vote", "top-score"], k=k).run(ModelProfile("mine", Empirical(few), ()), Scenario("s"))
    for aggregator, worth in (("plurality-vote", vote_at_k), ("top-score", best_scored_of_k)):
        found = report.candidates.where(aggregator=aggregator).column("accuracy")
        assert found == pytest.approx(worth(few, k).mean(axis=0))
    text = report.to_text().replace("\n", " ")
    for column in columns:
        assert f"mine: {lacks.sum()} of 400 samples ({100 * lacks.mean():.3g} %) have no {column}: " in text


def test_reports_name_the_columns_with_gaps():
    samples = log()
    columns = dict(samples.columns)
    for i, name in enumerate(("input_tokens", "output_tokens", "latency_s", "cost_usd", "energy_j"), 1):
        columns[name] = np.where(np.arange(20) < i, np.nan, columns[name])
    gaps = Samples("mine", samples.questions, samples.question, samples.correct, columns)
    report = Pipeline(["coverage"], k=[1]).run(ModelProfile("mine", Empirical(gaps), ()), Scenario("any"))
    remarks = [entry["remark"] for entry in report.to_dict()["remarks"]]
    for i, name in enumerate(("input_tokens", "output_tokens", "latency_s", "cost_usd", "energy_j"), 1):
        assert f"{name} is not used: {i} of 20 scored samples lack it" in remarks
    assert "energy_j is not used: 5 of 20 scored samples lack it" in report.to_text().replace("\n", " ")
    assert not [n for n in Empirical(samples).notes() if "not used" in n.text or "have no" in n.text]
