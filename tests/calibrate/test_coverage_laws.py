import csv
import gzip
from collections import defaultdict

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.calibrate import BetaBinomial, ExponentiatedPowerLaw, forward_validated
from moo_infer.calibrate.beta_binomial import BetaFit, fit_beta_binomial, fit_zero_inflated
from moo_infer.quantities.subsets import mean_pass_at_k

LAWS = [ExponentiatedPowerLaw, BetaBinomial]


def beta_counts(a, b, Q=4000, n=200, seed=0):
    rng = np.random.default_rng(seed)
    return np.full(Q, n), rng.binomial(n, rng.beta(a, b, Q))


@pytest.mark.parametrize(("a", "b"), [(0.3, 12.0), (2.0, 3.0), (0.8, 0.1)])
def test_a_beta_law_is_found_again(a, b):
    law = BetaBinomial.fit(*beta_counts(a, b))
    assert law.beta.shape == pytest.approx((a, b), rel=0.1)
    assert law.zero_inflated.unsolvable < 0.05
    assert law.weight == 0.5


def test_the_most_likely_beta_law_is_the_most_likely():
    from scipy.special import betaln

    n, c = beta_counts(0.4, 3.0, Q=50)
    a, b = BetaBinomial.fit(n, c).beta.shape

    def likelihood(a, b):
        return (betaln(a + c, b + n - c) - betaln(a, b)).sum()

    nearby = [likelihood(a * x, b * y) for x in (0.98, 1.0, 1.02) for y in (0.98, 1.0, 1.02)]
    assert max(nearby) == pytest.approx(likelihood(a, b), abs=1e-3)  # what a prior of 10 log units may cost


def test_a_beta_law_and_one_with_a_share_never_solved_count_half_each():
    n, c = np.full(30, 4), np.repeat([0, 1, 3, 4], [8, 4, 6, 12])
    law = BetaBinomial.fit(n, c)
    parts = [fit(n, c).pass_at([10, 100]) for fit in (fit_beta_binomial, fit_zero_inflated)]
    assert law.weight == 0.5
    assert law.each([10, 100]) == pytest.approx(np.array(parts))
    assert law.predict([10, 100]) == pytest.approx(np.mean(parts, axis=0))
    assert parts[1][1] < parts[0][1] - 0.03  # or the test would show nothing


def test_very_strong_evidence_for_questions_that_are_never_solved_leaves_the_other_law_no_weight():
    """BIC: the gain in log-likelihood less half the logarithm of the number of questions."""
    rng = np.random.default_rng(1)
    weights = []
    for samples in (3, 5, 8, 12, 32):
        right = rng.binomial(samples, np.repeat([0.0, 0.85], [20, 40]))
        law = BetaBinomial.fit(np.full(60, samples), right)
        factor = np.exp(law.zero_inflated.log_likelihood - law.beta.log_likelihood - np.log(60) / 2)
        assert law.weight == pytest.approx(max(factor / (factor + 150), 0.5))
        weights.append(law.weight)
    assert weights[0] == 0.5
    assert weights[-1] > 0.999
    assert law.predict([10**6]) == pytest.approx([40 / 60], abs=0.01)


def test_the_formula_is_the_law():
    law = BetaBinomial(BetaFit(0.25, 2.0), BetaFit(0.5, 4.0, unsolvable=0.3), 0.75)
    assert str(law) == ("0.25 (1 - B(0.5, 1.5 + k) / B(0.5, 1.5)) + 0.75 * 0.7 (1 - B(2, 2 + k) / B(2, 2))")
    alone = BetaFit(0.25, 2.0)
    assert str(BetaBinomial(alone, alone)) == "1 - B(0.5, 1.5 + k) / B(0.5, 1.5)"


def test_an_exponentiated_power_law_is_found_again():
    """With probabilities p to be solved whose mean pass@k is nearly such a law: those with P(p > x) = exp(-a x^b)."""
    rng = np.random.default_rng(0)
    p = (rng.exponential(size=20_000) / 3.0) ** (1 / 0.4)  # P(p > 1) is 5 %
    law = ExponentiatedPowerLaw.fit(np.full(20_000, 2000), rng.binomial(2000, np.minimum(p, 1.0)))
    k = [1, 100, 2000, 100_000]
    mixed = [(1 - (1 - np.minimum(p, 1.0)) ** x).mean() for x in k]
    assert law.predict(k) == pytest.approx(mixed, abs=0.04)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    "c",
    [[1] * 9, [8] * 9, [8] * 8 + [0], [0] * 8 + [1], [4] * 9, [8, 0, 8, 0, 8, 0, 8, 0, 8], [7] * 9],
    ids=["once-each", "always", "all-but-one", "once", "half", "all-or-nothing", "nearly-always"],
)
def test_no_law_exceeds_one_or_falls(law, c):
    curve = law.fit([8] * 9, c).predict([1, 2, 8, 100, 1e6, 1e12])
    assert np.isfinite(curve).all()
    assert ((curve >= 0) & (curve <= 1)).all()
    assert (np.diff(curve) >= -1e-12).all()


@pytest.mark.parametrize("law", LAWS)
def test_a_law_goes_through_the_estimates_it_is_fitted_to(law):
    n, c = beta_counts(0.4, 3.0)
    assert law.fit(n, c).predict([1, 10, 200]) == pytest.approx(mean_pass_at_k(n, c, [1, 10, 200]), abs=0.05)


@pytest.mark.parametrize("law", LAWS)
def test_a_question_of_weight_three_counts_as_three(law):
    once = law.fit([20, 30, 40], [2, 9, 1], weights=[1, 3, 1])
    thrice = law.fit([20, 30, 30, 30, 40], [2, 9, 9, 9, 1]).predict([50])
    assert once.predict([50]) == pytest.approx(thrice, rel=1e-3)  # the prior counts against three questions, or five


@pytest.mark.parametrize("law", LAWS)
def test_many_draws_are_fitted_as_one_after_the_other(law):
    rng = np.random.default_rng(2)
    n, weights = np.repeat([5, 9], 20), rng.exponential(size=(6, 40))
    right = rng.binomial(n, rng.beta(0.5, 1.5, (6, 40)))
    together = [one.predict([1, 50]) for one in law.fits(n, right, weights)]
    alone = [law.fit(n, c, weight).predict([1, 50]) for c, weight in zip(right, weights, strict=True)]
    assert np.array(together) == pytest.approx(np.array(alone), rel=1e-6)
    assert len({tuple(one) for one in together}) == 6


def test_the_law_that_the_counts_follow_is_chosen_and_what_it_misses_is_said():
    n, c = beta_counts(1.0, 2.0, Q=2000, n=64)
    chosen = forward_validated(n, c)
    assert chosen.law.name == "beta-binomial"
    assert chosen.errors["beta-binomial"] < chosen.errors["exponentiated-power-law"]
    assert (chosen.shown, chosen.largest) == (2, 64)
    assert "fitted to 2 of 64 attempts it predicts pass@3 to pass@64 with an RMSE of 0.0" in str(chosen)
    assert "(exponentiated-power-law 0.0" in str(chosen)
    predicted = chosen.predict([1000])
    assert predicted.low[0] < 1 - 2 / 1002 < predicted.high[0] + 0.001
    assert predicted.stderr[0] > 0


def test_the_choice_and_its_interval_depend_on_the_seeds_alone():
    n, c = beta_counts(0.4, 3.0, Q=50)
    first, second = forward_validated(n, c, seed=4), forward_validated(n, c, seed=4)
    assert first.errors == second.errors
    assert first.errors != forward_validated(n, c, seed=5).errors
    assert first.predict([999], seed=1).low.tolist() == second.predict([999], seed=1).low.tolist()


def test_the_order_of_questions_chooses_nothing():
    rng = np.random.default_rng(7)
    n, p = rng.integers(66, 80, 30), rng.beta(0.4, 1, 30)
    c, order = rng.binomial(n, p), rng.permutation(30)
    as_they_came, otherwise = (forward_validated(n[to], c[to], repeats=4) for to in (np.arange(30), order))
    assert as_they_came.law.name == otherwise.law.name
    assert list(otherwise.errors.values()) == pytest.approx(list(as_they_came.errors.values()), rel=1e-7)


def test_few_attempts_do_not_choose_among_laws_and_the_intervals_of_all_are_joined():
    n, c = beta_counts(0.4, 3.0, Q=80, n=16)
    few = forward_validated(n, c)
    assert few.law.name == "beta-binomial"
    assert len(few.joined) == 2
    assert "fewer than 64 attempts do not choose among laws, so the intervals of all are joined" in str(few)
    alone = [forward_validated(n, c, laws=(law,)).predict([1000]) for law in LAWS]
    joined = few.predict([1000])
    assert joined.low == min(one.low for one in alone)
    assert joined.high == max(one.high for one in alone)
    many = forward_validated(*beta_counts(0.4, 3.0, Q=80, n=64))
    assert len(many.joined) == 1
    assert "joined" not in str(many)


def test_the_interval_of_an_average_holds_those_of_both_its_laws():
    n, c = np.full(60, 4), np.random.default_rng(0).binomial(4, np.repeat([0.0, 0.3, 0.9], 20))
    chosen = forward_validated(n, c, laws=(BetaBinomial,))
    predicted = chosen.predict([200])
    low, high = chosen.law.each([200]).min(), chosen.law.each([200]).max()
    assert predicted.low[0] < low < predicted.value[0] < high < predicted.high[0]


def test_questions_without_attempts_are_left_out():
    n, c = beta_counts(0.4, 3.0, Q=50)
    more = forward_validated(np.append(n, 0), np.append(c, 0), [*map(str, range(50)), "none"])
    assert more.predict([999]).high.tolist() == forward_validated(n, c).predict([999]).high.tolist()


@pytest.mark.parametrize(
    ("n", "c", "message"),
    [
        ([8, 8], [0, 0], "needs a right attempt, got none"),
        ([8, 2], [1, 1], "needs at least 3 attempts at every question, got 2"),
        ([], [], "needs at least 3 attempts at every question, got 0"),
        ([8, 8], [1, 9], "question 1: right must be in 0 ... n = 8, got 9"),
    ],
)
def test_counts_that_no_law_can_be_fitted_to_are_refused(n, c, message):
    with pytest.raises(MooInferError, match=message):
        forward_validated(n, c)


@pytest.mark.parametrize("law", LAWS)
def test_one_attempt_tells_nothing_of_more(law):
    with pytest.raises(MooInferError, match="needs at least 2 attempts"):
        law.fit([1, 1], [1, 0])


def boinf(data):
    """Every model on every set: how many samples of a question there are, and how many of them are right."""
    polars = pytest.importorskip("polars")
    for name in ("math500", "gpqa_diamond", "aime2024"):
        log = polars.read_csv(data / "boinf" / f"{name}.csv.gz", infer_schema_length=None)
        counts = log.group_by("model", "question_id", maintain_order=True).agg(
            polars.len().alias("n"), polars.col("correct").sum()
        )
        for _, rows in counts.group_by("model", maintain_order=True):
            yield name, rows["n"].cast(polars.Int64).to_numpy(), rows["correct"].to_numpy()


def test_four_samples_drawn_at_random_predict_what_eighty_and_more_say(data):
    """24 cells: 7 models on MATH-500, 6 on GPQA Diamond and 11 on AIME 2024; pass@n of all n = 80 to 160 samples."""
    cells = list(boinf(data))
    assert len(cells) == 24
    off, alone, held = defaultdict(list), defaultdict(list), []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        for name, n, c in cells:
            seen, largest = rng.hypergeometric(c, n - c, 4), n.max()
            # Four attempts choose no law, so how often validation is repeated changes nothing but its errors.
            predicted = forward_validated(np.full(len(n), 4), seen, repeats=1).predict([largest], B=40)
            truth = (c > 0).mean()
            off[name].append(predicted.value[0] - truth)
            alone[name].append(fit_beta_binomial(np.full(len(n), 4), seen).pass_at([largest])[0] - truth)
            held.append(predicted.low[0] <= truth <= predicted.high[0])
    assert sum(held) >= 2 * 23
    error, without = ({name: np.sqrt(np.mean(np.square(e))) for name, e in of.items()} for of in (off, alone))
    assert error["math500"] <= min(0.008, 0.6 * without["math500"])
    assert error["aime2024"] <= min(0.05, without["aime2024"])
    assert error["gpqa_diamond"] <= min(0.03, 1.4 * without["gpqa_diamond"])


def test_a_hundred_attempts_predict_ten_thousand(data):
    counts = defaultdict(list)
    with gzip.open(data / "monkeys" / "counts_original.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            counts[row["model"]].append((int(row["n"]), int(row["c"])))
    errors, inside = [], []
    for seed in range(3):
        rng, off = np.random.default_rng(seed), []
        for own in counts.values():
            n, c = np.array(own).T
            seen = rng.hypergeometric(c, n - c, 100)
            predicted = forward_validated(np.full(len(n), 100), seen).predict([10_000])
            (truth,) = mean_pass_at_k(n, c, [10_000])
            off.append(predicted.value[0] - truth)
            inside.append(predicted.low[0] <= truth <= predicted.high[0])
        errors.append(np.sqrt(np.mean(np.square(off))))
    assert np.mean(errors) <= 0.05
    assert max(errors) <= 0.07
    assert np.mean(inside) >= 0.9
