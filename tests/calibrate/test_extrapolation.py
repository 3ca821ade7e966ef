"""Coverage beyond the samples of a log."""

import json
from functools import cache

import numpy as np
import pytest

from moo_infer import Samples
from moo_infer.calibrate import VOTE_LAWS, AccuracyCurve, fit_scaling
from moo_infer.calibrate.beta_binomial import BetaFit, jeffreys
from moo_infer.calibrate.extrapolation import Extrapolation, extrapolated
from moo_infer.calibrate.vote_extrapolation import VoteExtrapolation
from moo_infer.quantities.subsets import mean_pass_at_k, vote_at_k


def samples(n=8, Q=40, seed=0, solved=None):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.5, 1.5, Q) if solved is None else np.full(Q, solved)
    right = rng.random((Q, n)) < p[:, None]
    return Samples("mine", [f"q{i}" for i in range(Q)], np.repeat(np.arange(Q), n), right.ravel() * 1.0)


@cache
def to_100():
    """An extrapolation takes seconds, so tests share it."""
    return extrapolated(samples(), 100)


def test_powers_of_two_and_the_largest_are_predicted_and_rise():
    found = to_100()
    assert isinstance(found, Extrapolation)
    assert found.k.tolist() == [16, 32, 64, 100]
    assert (np.diff(found.pass_at_k.value) > 0).all()
    assert found.pass_at_k.value[-1] <= 1


def test_what_was_drawn_from_a_beta_law_lies_within_the_intervals():
    found = extrapolated(samples(n=32, Q=300), 256)
    truth = 1 - np.exp(np.cumsum(np.log((1.5 + np.arange(256)) / (2.0 + np.arange(256)))))[found.k - 1]
    assert ((found.pass_at_k.low <= truth) & (truth <= found.pass_at_k.high)).all()


def test_it_is_said_by_which_law_and_how_well_that_predicted_what_was_hidden():
    found = to_100()
    listed, law, follows = found.sentences()
    assert listed.startswith("extrapolated: pass@16 0.")
    assert "fitted to 2 of 8 attempts it predicts pass@3 to pass@8 with an RMSE of" in law
    assert follows.startswith("recommend follows a beta model, whose pass@k is off from that by at most 0.0")
    document = found.to_dict()
    assert set(document["rmse"]) == {"beta-binomial", "exponentiated-power-law"}
    assert document["law"] == "beta-binomial"
    assert set(document["intervals_of"]) == set(document["rmse"])


def test_coverage_does_not_fall_below_what_the_log_has():
    found = extrapolated(samples(Q=6, seed=3), 16)
    assert found.pass_at_k.value[0] >= (samples(Q=6, seed=3).right > 0).mean()


def test_intervals_know_of_other_questions_even_where_the_law_stays_below_the_log():
    """Half of the questions are never solved: laws fitted to few samples miss that, but their intervals do not."""
    held = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        right = (rng.random((60, 6)) < 0.9) & (rng.random((60, 1)) < 0.5)
        log = Samples("mine", [f"q{seed}-{i}" for i in range(60)], np.repeat(np.arange(60), 6), right.ravel() * 1.0)
        found = extrapolated(log, 16, B=40)
        held.append(found.pass_at_k.low[0] <= 0.5 <= found.pass_at_k.high[0])
        assert found.pass_at_k.low[0] < right.any(axis=1).mean()
    assert np.mean(held) >= 0.8


@pytest.mark.parametrize("n", [4, 8, 100])
def test_the_model_that_profiles_are_made_of_follows_the_samples_and_then_the_law(n):
    log = samples(n=n, Q=300, seed=2)
    found = extrapolated(log, 1000)
    known = mean_pass_at_k(log.n, log.right, np.arange(1, n + 1))
    assert found.model.pass_at([1, 1000]) == pytest.approx([known[0], found.pass_at_k.value[-1]], abs=5e-5)
    assert found.model.pass_at(np.arange(1, n + 1)) == pytest.approx(known, abs=0.03)
    off = np.abs(found.model.pass_at(found.k) - found.pass_at_k.value).max()
    assert off < 0.02
    assert f"off from that by at most {off:.4f}" in found.sentences()[-1]


def test_the_model_is_as_uncertain_as_the_prediction():
    found = extrapolated(samples(n=4, Q=80), 128)
    rng, model = np.random.default_rng(0), found.model
    drawn = [
        BetaFit(
            np.clip(rng.normal(model.mean, model.mean_se), 0.001, 0.999),
            max(rng.normal(model.concentration, model.concentration_se), 0.01),
            unsolvable=np.clip(rng.normal(model.unsolvable, model.unsolvable_se), 0, 0.999),
        ).pass_at([1, 128])
        for _ in range(400)
    ]
    first, last = np.std(drawn, axis=0)
    assert first == pytest.approx(samples(n=4, Q=80).right.reshape(-1).std(ddof=1) / 4 / np.sqrt(80), rel=0.5)
    assert last == pytest.approx((found.pass_at_k.high[-1] - found.pass_at_k.low[-1]) / 3.92, rel=0.3)


def test_where_everything_was_solved_the_model_still_doubts_it():
    always, nearly = (extrapolated(samples(solved=p, Q=50, n=8, seed=0), 64) for p in (1.0, 0.9))
    assert always.model.mean == pytest.approx(50.5 / 51)
    # The bootstrap sees only solved questions.
    assert (nearly.pass_at_k.low[-1], nearly.pass_at_k.high[-1]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert nearly.pass_at_k.high[-1] <= 1
    assert nearly.model.unsolvable_se == pytest.approx(jeffreys(50, True)[1])


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


def voting(n, Q=60, seed=0):
    """Samples with answers: 0 is right, and two wrong ones."""
    rng = np.random.default_rng(seed)
    right = rng.random((Q, n)) < rng.beta(2.0, 1.5, Q)[:, None]
    answer = np.where(right, 0, rng.integers(1, 3, (Q, n)))
    names = [f"q{i}" for i in range(Q)]
    return Samples("mine", names, np.repeat(np.arange(Q), n), right.ravel() * 1.0, {"answer": answer.ravel()})


def test_votes_are_said_beyond_the_log_with_their_law_and_its_error_as_far_as_it_is_asked():
    found = extrapolated(voting(16), 128)
    assert isinstance(found.vote, VoteExtrapolation)
    assert found.vote.k.tolist() == [32, 64]
    assert found.k.tolist() == [32, 64, 128]
    value = found.vote.vote_at_k
    assert ((value.low <= value.value) & (value.value <= value.high)).all()
    votes, law = found.sentences()[-2:]
    assert votes.startswith("votes extrapolated: vote@32 0.")
    assert votes.endswith("]; nothing is said beyond 4 times the 16 samples")
    assert "-vote, majority of k" in law
    assert "fitted to k up to 4, 8 of 16 it predicts the rest with an RMSE of 0.0" in law
    document = found.to_dict()["vote"]
    assert document["k"] == [32, 64]
    assert document["vote_at_k"] == value.value.tolist()
    assert document["rmse"].keys() == {"beta-vote", "mixed-vote", "stays-as-it-is"}
    assert json.dumps(document, allow_nan=False)


def test_votes_are_not_said_where_there_are_none_or_too_few():
    assert to_100().vote == ""
    assert to_100().to_dict()["vote"] is None
    few = extrapolated(voting(6), 16)
    said = "vote@k is not extrapolated: k: a law needs at least 4 values up to half of the largest, 6, got 3"
    assert few.vote == few.sentences()[-1] == said
    assert few.to_dict()["vote"] is None


def test_real_votes_hardly_move_beyond_twenty_samples(data):
    """24 cells, 7 models on MATH-500, 6 on GPQA Diamond and 11 on AIME 2024: from k up to 17 to those up to 80.

    A law is off by 0.008, and the last value that was seen by 0.007: the laws are worth it where a curve still moves.
    """
    polars = pytest.importorskip("polars")
    by_law, as_it_is = [], []
    for name in ("math500", "gpqa_diamond", "aime2024"):
        table = polars.read_csv(data / "boinf" / f"{name}.csv.gz", infer_schema_length=None)
        for _, log in table.group_by("model", maintain_order=True):
            log = log.sort("question_id", maintain_order=True)
            question = log["question_id"].rle_id().to_numpy()
            answer = log["answer"].fill_null("").replace("", None).cast(polars.Categorical).to_physical()
            columns = {"answer": answer.cast(polars.Int64).fill_null(-1).to_numpy()}
            correct = log["correct"].cast(polars.Float64).to_numpy()
            samples = Samples("m", [str(i) for i in range(question[-1] + 1)], question, correct, columns)
            k = np.array([1, 3, 5, 7, 9, 11, 13, 17, 25, 33, 41, 61, 80])
            curve = vote_at_k(samples, k).mean(axis=0)
            seen = k <= 17
            law = fit_scaling(AccuracyCurve(k[seen], curve[seen]), VOTE_LAWS)
            by_law.append(law.accuracy(k[~seen], reach=5) - curve[~seen])
            as_it_is.append(curve[seen][-1] - curve[~seen])
    assert len(by_law) == 24
    law, stays = (np.sqrt(np.mean(np.square(off))) for off in (by_law, as_it_is))
    assert law == pytest.approx(0.0079, abs=5e-4)
    assert stays == pytest.approx(0.0069, abs=5e-4)
