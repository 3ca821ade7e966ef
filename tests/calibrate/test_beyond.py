"""Coverage beyond the samples of a log."""

import numpy as np
import pytest

from moo_infer import Samples
from moo_infer.calibrate.beyond import Extrapolated, extrapolated


def samples(n=8, Q=40, seed=0, solved=None):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.5, 1.5, Q) if solved is None else np.full(Q, solved)
    right = rng.random((Q, n)) < p[:, None]
    return Samples("mine", [f"q{i}" for i in range(Q)], np.repeat(np.arange(Q), n), right.ravel() * 1.0)


def test_powers_of_two_and_the_largest_are_predicted_and_rise():
    found = extrapolated(samples(), 100)
    assert isinstance(found, Extrapolated)
    assert found.k.tolist() == [16, 32, 64, 100]
    assert (np.diff(found.pass_at_k.value) > 0).all()
    assert found.pass_at_k.value[-1] <= 1


def test_what_was_drawn_from_a_beta_law_lies_within_the_intervals():
    found = extrapolated(samples(n=32, Q=300), 256)
    truth = 1 - np.exp(np.cumsum(np.log((1.5 + np.arange(256)) / (2.0 + np.arange(256)))))[found.k - 1]
    assert ((found.pass_at_k.low <= truth) & (truth <= found.pass_at_k.high)).all()


def test_it_is_said_by_which_law_and_how_well_that_predicted_what_was_hidden():
    found = extrapolated(samples(), 64)
    listed, law = found.sentences()
    assert listed.startswith("extrapolated: pass@16 0.")
    assert "fitted to 2 of 8 attempts it predicts pass@3 to pass@8 with an RMSE of" in law
    document = found.to_dict()
    assert set(document["rmse"]) == {"beta-binomial", "exponentiated-power-law"}
    assert document["law"] == min(document["rmse"], key=document["rmse"].get)


def test_coverage_does_not_fall_below_what_the_log_has():
    found = extrapolated(samples(Q=6, seed=3), 16)
    assert found.pass_at_k.value[0] >= (samples(Q=6, seed=3).right > 0).mean()


def test_intervals_know_of_other_questions_even_where_the_law_stays_below_the_log():
    """Half of the questions are never solved: laws fitted to few samples miss that, but their intervals do not."""
    held = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        right = (rng.random((60, 6)) < 0.9) & (rng.random((60, 1)) < 0.5)
        log = Samples("mine", [f"q{seed}-{i}" for i in range(60)], np.repeat(np.arange(60), 6), right.ravel() * 1.0)
        found = extrapolated(log, 16)
        held.append(found.pass_at_k.low[0] <= 0.5 <= found.pass_at_k.high[0])
        assert found.pass_at_k.low[0] < right.any(axis=1).mean()
    assert np.mean(held) >= 0.8


@pytest.mark.parametrize(
    ("given", "K", "message"),
    [
        ({}, 8, "nothing to extrapolate: the log supports k up to 8"),
        ({"solved": 0.0}, 64, "pass@k is not extrapolated: .*needs a right attempt, got none"),
        ({"n": 1}, 64, "pass@k is not extrapolated: .*at least 3 attempts at every question, got 1"),
    ],
)
def test_where_it_cannot_be_done_the_reason_is_given(given, K, message):
    import re

    assert re.match(message, extrapolated(samples(**given), K))
