"""A batch API: half the price, and a window in which each wave waits."""

import numpy as np
import pytest

from moo_infer import ModelProfile, MooInferError, Pipeline, Registry
from moo_infer.builtin.batch_api import BatchWindow
from moo_infer.builtin.difficulty import DifficultyClasses
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.policies import VoteUntilDecided
from moo_infer.builtin.prices import ApiCost
from moo_infer.interfaces import CostModel

MODEL = DifficultyClasses(shares=(1.0,), p=(0.7,), tokens_in_mean=100, tokens_out_mean=100)


def table(*costs, **options):
    return Pipeline("majority-vote", k=[1, 3], **options).candidates(ModelProfile("small", MODEL, costs))


def test_a_batch_costs_half_of_as_many_requests_at_once():
    usd = [table(ApiCost(1e-6, 4e-6, calls)).column("cost") for calls in ("parallel", "batch")]
    assert usd[1] == pytest.approx(usd[0] / 2)
    assert table(ApiCost(1e-6, 4e-6, "batch", batch_discount=0.2)).column("cost") == pytest.approx(0.8 * usd[0])


def test_what_it_saves_is_said_to_take_a_day():
    (remark,) = table(ApiCost(1e-6, 4e-6, "batch")).curve(0).remarks
    assert remark == "api-cost: the answers of a batch may take a day; batch-window says the seconds"


def test_a_window_takes_as_long_whatever_is_in_it():
    rows = table(ApiCost(1e-6, 4e-6, "batch"), BatchWindow())
    assert rows.column("latency").tolist() == [43_200.0, 43_200.0]
    assert rows.column("latency", "p95") == pytest.approx([0.95 * 86_400] * 2)


def test_its_law_is_that_of_the_quantiles_that_are_given():
    rng = np.random.default_rng(0)
    values = np.interp(rng.random(400_000), [0, 0.5, 1], [600, 3600, 86400])
    moments = BatchWindow((600, 3600, 86400)).exact(
        Gaussian(100, 0, 100, 0, 0.7, 0.0).queries().query, np.array([2]), parallelism=1
    )
    assert moments.mean[0] == pytest.approx(values.mean(), rel=5e-3)
    assert moments.std[0] == pytest.approx(values.std(), rel=5e-3)
    assert moments.quantile(0.9)[0] == pytest.approx(np.quantile(values, 0.9), rel=5e-3)


def test_every_wave_waits_again():
    """A vote of 3 in waves of 2 and 1: a second batch for the queries whose first two differ."""
    rows = table(BatchWindow(), policies=VoteUntilDecided(3, (2, 1)))
    (row,) = np.flatnonzero([rows.curve(i).aggregator == "vote-until-decided" for i in range(len(rows))])
    assert rows.column("latency")[row] == pytest.approx(43_200 * (1 + 2 * 0.7 * 0.3))


def test_answers_of_a_batch_do_not_arrive_one_by_one():
    with pytest.raises(MooInferError, match="batch-window"):
        table(BatchWindow(), policies=VoteUntilDecided(3, arrivals=True))


def test_a_window_needs_a_law():
    with pytest.raises(MooInferError, match=r"batch-window: seconds: one quantile at least is needed|seconds: one"):
        Registry().build(CostModel, {"kind": "batch-window", "seconds": []}, "here")
