"""One question under way: what a policy sees of it, and how it goes on from the samples that are there."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_infer import MissingColumn
from moo_infer.policy.live.course import Course, Sample
from moo_infer.policy.live.inference import CANCELLED, Inference
from moo_infer.policy.live.question import Question

QUESTION = Question.of({"question_id": "q1", "question": "What is 3 + 4?", "target": "7"})


def sample(answer="7", model="small", usd=1.0, seconds=1.0, **fields):
    inference = Inference(answer, cost_usd=usd, latency_s=seconds, score=fields.get("score"))
    return Sample(model, inference, answer, **fields)


def cancelled(model="small", lost_usd=0.5):
    return Sample(model, Inference(why=CANCELLED, failed=True, lost_usd=lost_usd), why=CANCELLED)


def course(*steps, **fields):
    """A course with steps, each of them samples."""
    made = Course(QUESTION, **fields)
    for samples in steps:
        made.begin(dict.fromkeys((one.model for one in samples), len(samples)))
        made.add(samples)
    return made


def test_dollars_add_up_and_seconds_are_the_longest_of_each_step():
    seen = course([sample(seconds=3.0), sample(seconds=5.0)], [sample(seconds=2.0)]).seen()
    assert (seen.spent("cost"), seen.spent("latency"), seen.spent("energy")) == (3.0, 7.0, 0.0)


def test_a_cancelled_sample_is_paid_and_not_seen():
    made = course([sample(), cancelled(), sample("8")])
    assert made.seen().n("small") == 2
    assert made.spent()["cost"] == 2.5
    assert [one.number for step in made.steps for one in step.samples] == [0, 1, 2]


def test_blanks_are_seen_and_are_no_vote():
    seen = course([sample(None), sample("7"), sample(None)]).seen()
    assert (seen.n("small"), seen.votes().tolist()) == (3, [1, 0, 0])


def test_equal_texts_of_several_models_are_one_answer():
    seen = course([sample("7"), sample("7", "large"), sample("8", "large")]).seen()
    assert seen.votes().tolist() == [2, 1, 0, 0]
    assert seen.votes("large").tolist() == [1, 1, 0, 0]


def test_a_step_is_what_one_wave_brought():
    seen = course([sample("7"), sample("8")], [sample("9")]).seen()
    assert [wave.n("small") for wave in seen.waves] == [2, 1]
    assert seen.waves[1].votes().tolist() == [1, 0, 0]


def test_without_a_judge_nothing_is_right_or_wrong():
    with pytest.raises(MissingColumn, match="correct"):
        course([sample()]).seen().column("small", "correct")


def test_what_a_judge_says_nothing_of_is_not_right():
    seen = course([sample(correct=True), sample(correct=None)], judged=True).seen()
    assert seen.column("small", "correct").tolist() == [1.0, 0.0]


def test_a_score_that_is_missing_is_the_lowest_where_others_are_known():
    seen = course([sample(score=0.5), sample(score=None)]).seen()
    assert seen.column("small", "score").tolist() == [0.5, -math.inf]


def test_scores_that_nobody_gives_are_no_column():
    with pytest.raises(MissingColumn, match="score"):
        course([sample(), sample()]).seen().column("small", "score")


def test_columns_that_not_all_samples_have_are_left_out():
    with pytest.raises(MissingColumn, match="cost_usd"):
        course([sample(), sample(usd=None)]).seen().column("small", "cost_usd")


def test_draws_are_one_trial_of_the_models_that_answer():
    made = course([sample("7"), sample("8", "large"), sample("9")], judged=True)
    draws, samples = made.draws()
    assert draws["answer"].shape == (1, 3)
    assert [one.answer for one in samples] == ["7", "9", "8"]
    draws, samples = made.draws(("large",))
    assert (draws["answer"].shape, [one.answer for one in samples]) == ((1, 1), ["8"])


@given(st.permutations(range(6)), st.lists(st.sampled_from(["1", "2", None]), min_size=6, max_size=6))
def test_the_order_in_which_models_answer_changes_nothing(order, answers):
    """So that a question that is resumed, from a log sorted otherwise, sees the same, and ties end the same."""
    samples = [sample(answer, "small" if i < 3 else "large") for i, answer in enumerate(answers)]

    def made(samples):
        one = Course(QUESTION)
        one.begin({"small": 3, "large": 3})
        one.add(samples)
        return one

    plain = made(samples)
    arrived = iter([one for one in samples if one.model == "small"]), iter(samples[3:])
    mixed = made([next(arrived[i >= 3]) for i in order])
    for name in ("small", "large"):
        np.testing.assert_array_equal(mixed.seen().column(name, "answer"), plain.seen().column(name, "answer"))
    assert mixed.draws()[1] == plain.draws()[1]


def test_waves_are_the_same_whether_they_were_looked_at_before_or_not():
    steps = [sample("7"), sample("8")], [sample("7"), cancelled()], [sample(None)]
    looked_at = Course(QUESTION)
    for samples in steps:
        looked_at.begin({"small": len(samples)})
        looked_at.seen()
        looked_at.add(samples)
        looked_at.seen()
    waves = [
        [wave.column("small", "answer").tolist() for wave in of.seen().waves] for of in (looked_at, course(*steps))
    ]
    assert waves == [[[0, 1], [0], [-1]]] * 2
