"""An accuracy curve beyond its largest k."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import MooInferError, Samples
from moo_infer.calibrate import (
    SCALING_LAWS,
    VOTE_LAWS,
    AccuracyCurve,
    BetaBinomial,
    BetaVote,
    ExponentiatedPowerLaw,
    MixedVote,
    fit_scaling,
)
from moo_infer.calibrate.beta_binomial import BetaFit
from moo_infer.calibrate.scaling import STAYS
from moo_infer.decide.optimal_samples import optimal_samples
from moo_infer.quantities.subsets import pass_at_k, vote_at_k

K = np.arange(1, 65)
SOLVABLE, INFLATED = BetaFit(0.25, 2.0), BetaFit(0.4, 1.5, unsolvable=0.2)
TRUTHS = [
    BetaBinomial(SOLVABLE, SOLVABLE),
    BetaBinomial(INFLATED, INFLATED),
    ExponentiatedPowerLaw(1.5, 0.4),
    BetaVote(0.6, 2.0),
    BetaVote(0.35, 3.0),
    MixedVote((0.85, 0.4), (0.6, 0.4)),
    MixedVote((0.9, 0.45, 0.2), (0.5, 0.3, 0.2)),
]


@pytest.mark.parametrize("truth", TRUTHS, ids=str)
def test_forward_validation_picks_the_law_that_a_curve_follows(truth):
    found = fit_scaling(AccuracyCurve(K, truth.predict(K)))
    assert found.law.name == truth.name
    assert found.helps
    assert found.shown == (7, 15, 31)
    assert found.accuracy([128, 256]) == pytest.approx(truth.predict([128, 256]), abs=0.004)
    assert found.law.limit == pytest.approx(truth.limit, abs=0.02)


def by_question(p, n, rng):
    """Answers of Q questions, n samples each: 0 is right, 1 is the rival."""
    right = rng.random((len(p), n)) < p[:, None]
    columns = {"answer": np.where(right, 0, 1).ravel()}
    names = [f"q{i}" for i in range(len(p))]
    return Samples("mine", names, np.repeat(np.arange(len(p)), n), right.ravel() * 1.0, columns)


def test_drawn_samples_of_each_kind_are_told_apart():
    """Not the curve itself, but samples of 3000 questions that follow it."""
    rng, k = np.random.default_rng(1), np.arange(1, 33)
    log = by_question(rng.beta(0.5, 1.5, 3000), 32, rng)
    found = fit_scaling(AccuracyCurve(k, pass_at_k(log.n, log.right, k)), B=20)
    assert found.law.name == "beta-binomial"
    log = by_question(rng.choice([0.85, 0.4], 3000, p=[0.6, 0.4]), 32, rng)
    found = fit_scaling(AccuracyCurve(k, vote_at_k(log, k)), B=20)
    assert found.law.name == "mixed-vote"
    assert found.accuracy([101]) == pytest.approx([0.608359], abs=0.02)


def test_the_interval_holds_the_truth_for_other_questions():
    truth, held = MixedVote((0.9, 0.6, 0.3), (0.4, 0.3, 0.3)), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        log = by_question(rng.choice(truth.p, 60, p=truth.shares), 16, rng)
        k = np.arange(1, 17)
        names = [f"{seed}-{i}" for i in range(60)]
        found = fit_scaling(AccuracyCurve(k, vote_at_k(log, k), questions=names), (MixedVote,))
        predicted = found.predict([48])
        held.append(predicted.low[0] <= truth.predict([48])[0] <= predicted.high[0])
    assert np.mean(held) >= 0.85


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_no_curve_makes_a_law_leave_the_unit_interval(curve):
    k = np.arange(1, 9)
    for law in SCALING_LAWS:
        fitted = law.through(k, np.array(curve))
        predicted = fitted.predict([1, 2, 8, 32, 10**6])
        assert np.isfinite(predicted).all()
        assert ((predicted >= 0) & (predicted <= 1)).all()
        assert law.of(*fitted.numbers).predict([1, 32]).tolist() == fitted.predict([1, 32]).tolist()
        if law not in VOTE_LAWS:
            assert (np.diff(predicted) >= -1e-12).all()


def test_what_is_beyond_the_measured_range_is_refused_unless_told():
    found = fit_scaling(AccuracyCurve(K[3:], TRUTHS[3].predict(K[3:])), VOTE_LAWS)
    assert found.accuracy(256).shape == (1,)
    message = "k = 257 is too far from what was measured, k = 4 to 64: the law is asked within 4 times k = 64"
    with pytest.raises(MooInferError, match=message):
        found.predict([8, 257])
    assert found.accuracy([257, 1000], reach=20).shape == (2,)
    assert found.accuracy([1]) == pytest.approx(TRUTHS[3].predict([1]), abs=0.01)
    late = fit_scaling(AccuracyCurve(K[9:], TRUTHS[3].predict(K[9:])), VOTE_LAWS)
    with pytest.raises(MooInferError, match="the law is asked within 4 times k = 10"):
        late.accuracy([2])
    for odd in (0, 2.5, np.nan, np.inf, [[1]]):
        with pytest.raises(MooInferError, match="k: must be whole numbers >= 1"):
            found.predict(odd)
    for odd in (0.5, "far"):
        with pytest.raises(MooInferError, match=f"reach: must be >= 1, got {odd!r}"):
            found.accuracy([8], reach=odd)
    for odd in (0, 2, "x"):
        with pytest.raises(MooInferError, match=f"confidence: must be between 0 and 1, got {odd!r}"):
            found.predict([8], confidence=odd)


def test_the_best_number_of_samples_is_looked_for_within_the_reach_alone():
    found = fit_scaling(AccuracyCurve(K, TRUTHS[5].predict(K)), VOTE_LAWS)
    assert optimal_samples(found.accuracy, 1.0, 0.0, 256).N == 5
    with pytest.raises(MooInferError, match="k = 257 is too far from what was measured"):
        optimal_samples(found.accuracy, 1.0, 0.0, 257)


def test_where_no_error_of_the_curve_is_known_no_interval_is_and_that_is_said():
    bare = fit_scaling(AccuracyCurve(K, TRUTHS[3].predict(K)), (MixedVote,))
    predicted = bare.predict([100])
    assert np.isnan([predicted.low[0], predicted.high[0]]).all()
    assert "no interval is known, as no error of the curve is" in str(bare)
    known = fit_scaling(AccuracyCurve(K, TRUTHS[3].predict(K), stderr=np.full(64, 0.02)), (MixedVote,))
    predicted = known.predict([100])
    assert predicted.low[0] < predicted.value[0] < predicted.high[0]
    assert predicted.high[0] - predicted.low[0] == pytest.approx(4 * 0.02, rel=0.4)
    assert "no interval" not in str(known)


def test_a_law_that_is_no_better_than_staying_is_said_so():
    """It rises up to k = 8 and then stays where it is."""
    curve = np.where(K <= 8, 0.5 + 0.04 * K, 0.82)
    found = fit_scaling(AccuracyCurve(K, curve), (ExponentiatedPowerLaw,))
    assert not found.helps
    assert found.errors[STAYS] < found.errors["exponentiated-power-law"]
    assert "which is no better than that the accuracy stays as it is" in str(found)
    assert not found.to_dict()["helps"]


def test_the_errors_are_those_of_the_parts_that_were_hidden():
    curve = AccuracyCurve(K, TRUTHS[5].predict(K))
    found = fit_scaling(curve, (BetaVote,))
    places = curve.thinned()
    k, y = K[places], curve.mean[places]
    squares = []
    for cut in found.shown:
        law = BetaVote.through(k[k <= cut], y[k <= cut])
        squares.append(np.mean((law.predict(k[k > cut]) - y[k > cut]) ** 2))
    assert found.errors["beta-vote"] == pytest.approx(np.mean(squares) ** 0.5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k": [1, 2], "accuracy": [0.5, 1.2]}, r"accuracy: must be in \[0, 1\] at every k"),
        ({"k": [1, 2], "accuracy": [0.5, np.nan]}, r"accuracy: must be in \[0, 1\] at every k"),
        ({"k": [1, 2], "accuracy": [0.5]}, r"accuracy: must be \(m,\) or \(Q, m\) with m = 2 like k, got \(1,\)"),
        ({"k": [], "accuracy": []}, "k: must be ascending, at least one"),
        ({"k": [2, 1], "accuracy": [0.5, 0.5]}, "k: must be ascending, at least one"),
        ({"k": [0, 1], "accuracy": [0.5, 0.5]}, "k: must be whole numbers >= 1"),
        ({"k": [1.5, 2], "accuracy": [0.5, 0.5]}, "k: must be whole numbers >= 1"),
        ({"k": [1, np.inf], "accuracy": [0.5, 0.5]}, "k: must be whole numbers >= 1"),
        ({"k": [1, 2], "accuracy": [0.5, 0.5], "stderr": [0.1]}, "stderr: must be 2 finite numbers >= 0"),
        ({"k": [1, 2], "accuracy": [[0.5, 0.5]], "stderr": [0.1, 0.1]}, "stderr: is for means"),
        ({"k": [1, 2], "accuracy": [[0.5, 0.5]], "questions": ["a", "b"]}, "questions: must be 1 names"),
        ({"k": "x", "accuracy": [0.5]}, "k: must be numbers, got 'x'"),
        ({"k": [1, 2], "accuracy": [[0.5], [0.1, 0.2]]}, "accuracy: must be numbers, got"),
        ({"k": [1, 2], "accuracy": [0.5, 0.5], "stderr": "x"}, "stderr: must be numbers, got 'x'"),
        ({"k": [1, 2], "accuracy": [0.5, 0.5], "questions": ["a"]}, "questions: are for accuracies by question"),
    ],
)
def test_what_is_no_curve_is_refused(given, message):
    with pytest.raises(MooInferError, match=message):
        AccuracyCurve(**given)


def test_what_no_law_can_be_fitted_to_is_refused():
    with pytest.raises(MooInferError, match="at least 4 values up to half of the largest, 4, got 2"):
        fit_scaling(AccuracyCurve([1, 2, 3, 4], [0.5] * 4))
    with pytest.raises(MooInferError, match="needs a right answer at some k, got none"):
        fit_scaling(AccuracyCurve(K, np.zeros(64)))
    for laws, words in (
        ((), "laws: must be at least one class of laws, got"),
        ((1,), r"laws\[0\]: must be a class, got 1"),
    ):
        with pytest.raises(MooInferError, match=words):
            fit_scaling(AccuracyCurve(K, np.ones(64)), laws)
    with pytest.raises(MooInferError, match="laws: must have different names"):
        fit_scaling(AccuracyCurve(K, np.ones(64)), (BetaVote, BetaVote))
    known = AccuracyCurve(K, np.full(64, 0.5), stderr=np.full(64, 0.1))
    for options, message in (({"B": -1}, "B: must be >= 1, got -1"), ({"seed": -1}, "seed: must be >= 0, got -1")):
        with pytest.raises(MooInferError, match=message):
            fit_scaling(known, (BetaVote,), **options)
