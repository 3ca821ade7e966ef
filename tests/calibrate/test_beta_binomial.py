import numpy as np
import pytest
from scipy import optimize, special, stats

from moo_infer import MooInferError
from moo_infer.calibrate.beta_binomial import BetaFit, fit_beta_binomial, fit_both, fit_zero_inflated
from moo_infer.calibrate.beta_search import LARGEST, PRIOR_SD, SMALLEST, Counts


def drawn(mean, s, Q, n, seed, least=2):
    rng = np.random.default_rng(seed)
    p, counts = rng.beta(mean * s, (1 - mean) * s, Q), rng.integers(least, n + 1, Q)
    return counts, rng.binomial(counts, p)


def slow(n, right):
    """The same maximum from scipy's laws by a search without derivatives."""

    def loss(at):
        m, s = special.expit(at[0]), np.exp(at[1])
        prior = stats.norm(scale=PRIOR_SD).logpdf(np.log([m * s, (1 - m) * s])).sum()
        return -prior - stats.betabinom.logpmf(right, n, m * s, (1 - m) * s).sum()

    found = optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    return special.expit(found.x[0]), np.exp(found.x[1]), loss


@pytest.mark.parametrize(("mean", "s", "n"), [(0.3, 2.0, 8), (0.8, 0.5, 16), (0.1, 10.0, 30)])
def test_the_maximum_is_that_of_a_slow_search_and_its_errors_those_of_differences(mean, s, n):
    counts, right = drawn(mean, s, 60, n, seed=4)
    found = fit_beta_binomial(counts, right)
    m, concentration, _ = slow(counts, right)
    assert (found.mean, found.concentration) == pytest.approx((m, concentration), rel=1e-5)

    def rows(at):
        return stats.betabinom.logpmf(right, counts, at[0] * at[1], (1 - at[0]) * at[1])

    at, steps = np.array([found.mean, found.concentration]), np.diag([1e-5, 1e-4 * found.concentration])
    scores = np.stack([(rows(at + h) - rows(at - h)) / (2 * h.sum()) for h in steps])
    hessian = [
        [
            (rows(at + h + g) - rows(at + h - g) - rows(at - h + g) + rows(at - h - g)).sum() / (4 * h.sum() * g.sum())
            for h in steps
        ]
        for g in steps
    ]
    bread = np.linalg.inv(hessian)
    spread = np.sqrt(np.diag(bread @ (scores @ scores.T) @ bread) * 60 / 59)
    assert (found.mean_se, found.concentration_se) == pytest.approx(tuple(spread), rel=1e-3)


@pytest.mark.parametrize(("mean", "s", "n"), [(0.3, 2.0, 8), (0.7, 0.5, 16), (0.15, 4.0, 200)])
def test_known_parameters_are_recovered_within_their_errors(mean, s, n):
    found = [fit_beta_binomial(*drawn(mean, s, 300, n, seed)) for seed in range(80)]
    for name, true in (("mean", mean), ("concentration", s)):
        values, errors = (np.array([getattr(f, name + end) for f in found]) for end in ("", "_se"))
        covered = np.mean(np.abs(values - true) <= 1.96 * errors)
        assert covered >= 0.87  # of 0.95: three standard deviations of a share of 80
        assert np.median(errors) == pytest.approx(values.std(), rel=0.25)
        assert np.mean(values) == pytest.approx(true, abs=4 * values.std() / 9 + 0.05 * true)


def test_two_samples_a_question_have_a_closed_form():
    """With Q0, Q1, Q2 questions of 0, 1, 2 right: the mean is that of the samples, and E p(1-p) = Q1 / 2Q."""
    zero, one, two = 30, 20, 50
    right = np.repeat([0, 1, 2], [zero, one, two])
    found = fit_beta_binomial(np.full(100, 2), right)
    mean, mixed = right.mean() / 2, one / 100 / 2  # mixed = mean (1 - mean) s / (1 + s)
    ratio = mixed / (mean * (1 - mean))
    # The prior moves the maximum by less than a hundredth of a standard error.
    assert found.mean == pytest.approx(mean, abs=0.01 * found.mean_se)
    assert found.concentration == pytest.approx(ratio / (1 - ratio), abs=0.01 * found.concentration_se)
    assert found.mean_se == pytest.approx((right / 2).std(ddof=1) / 10, rel=1e-3)


def test_pass_at_k_is_the_closed_form():
    law = fit_beta_binomial(*drawn(0.2, 1.5, 100, 12, seed=0))
    a, b = law.shape
    k = np.arange(1, 1001)
    failed = np.cumprod((b + k - 1) / (a + b + k - 1))  # one attempt after the other
    np.testing.assert_allclose(law.pass_at(k), 1 - failed, rtol=1e-9)
    np.testing.assert_allclose(
        BetaFit(law.mean, law.concentration, unsolvable=0.3).pass_at(k), 0.7 * (1 - failed), rtol=1e-9
    )


def test_questions_that_are_all_alike_leave_the_concentration_at_its_end():
    found = fit_beta_binomial(np.full(50, 8), np.full(50, 4))
    assert (found.mean, found.concentration, found.concentration_se) == (pytest.approx(0.5), LARGEST, 0.0)
    assert found.mean_se == pytest.approx(0.025, rel=1e-3)  # that of 400 independent samples
    assert found.about.startswith(
        "questions differ by no more than chance: the concentration is at the end of its range"
    )
    bound = float(found.about.rpartition("above ")[2])

    def best(s):
        return stats.betabinom.logpmf(4, 8, 0.5 * s, 0.5 * s) * 50

    assert best(LARGEST) - best(bound) == pytest.approx(stats.chi2.ppf(0.9, 1) / 2, rel=0.01)


def test_questions_that_are_always_or_never_solved_leave_it_at_the_other():
    found = fit_beta_binomial(np.full(50, 8), np.repeat([8, 0], [20, 30]))
    assert (found.mean, found.concentration, found.concentration_se) == (pytest.approx(0.4, abs=1e-3), SMALLEST, 0.0)
    assert found.mean_se == pytest.approx(np.sqrt(0.24 / 49), rel=0.02)
    assert ", and with 95 % below 0.0" in found.about


@pytest.mark.parametrize(("right", "mean"), [(8, 50.5 / 51), (0, 0.5 / 51)])
def test_all_right_or_all_wrong_is_jeffreys_prior_over_questions(right, mean):
    found = fit_beta_binomial(np.full(50, 8), np.full(50, right))
    law = stats.beta(50.5, 0.5) if right else stats.beta(0.5, 50.5)
    assert (found.mean, found.mean_se) == (pytest.approx(mean), pytest.approx(law.std()))
    assert (found.concentration, found.concentration_se) == (1.0, 0.0)
    assert f"all samples are {'right' if right else 'wrong'}" in found.about
    assert "the concentration is not known and set to 1" in found.about


def test_one_sample_a_question_says_nothing_about_how_they_differ():
    for n in ([1, 1, 1, 1], [4], [4, 1, 1, 3], []):
        with pytest.raises(MooInferError, match="^at least 3 questions with two or more samples are needed, got "):
            fit_beta_binomial(n, np.zeros(len(n), dtype=int))


def inflated(seed, Q=400, n=12, share=0.3):
    rng = np.random.default_rng(seed)
    counts, p = rng.integers(3, n + 1, Q), rng.beta(1.5, 1.0, Q) * (rng.random(Q) >= share)
    return counts, rng.binomial(counts, p)


def test_the_zero_inflated_maximum_is_that_of_a_slow_search():
    n, right = inflated(2)
    found = fit_zero_inflated(n, right)

    def height(a, b, u):
        p = (1 - u) * stats.betabinom.pmf(right, n, a, b) + u * (right == 0)
        return np.log(p).sum() + stats.norm(scale=PRIOR_SD).logpdf(np.log([a, b])).sum()

    slow = optimize.minimize(
        lambda at: -height(*np.exp(at[:2]), special.expit(at[2])),
        [0.0, 0.0, -1.0],
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000},
    )
    assert height(*found.shape, found.unsolvable) == pytest.approx(-slow.fun, abs=1e-7)
    assert (*found.shape, found.unsolvable) == pytest.approx((*np.exp(slow.x[:2]), special.expit(slow.x[2])), rel=1e-3)


def test_a_share_that_is_never_solved_is_found_again():
    shares = [fit_zero_inflated(*inflated(seed)).unsolvable for seed in range(20)]
    assert np.mean(shares) == pytest.approx(0.3, abs=0.02)


def test_where_nothing_is_left_unsolved_or_questions_are_alike_both_laws_are_one():
    for n, right in (
        (np.full(50, 8), np.full(50, 4)),
        (np.full(50, 8), np.repeat([8, 0], 25)),
        (np.full(9, 4), [4] * 9),
    ):
        assert fit_zero_inflated(n, right) == fit_beta_binomial(n, right)
    n, right = drawn(0.8, 2.0, 200, 8, seed=0)
    solved = right > 0
    assert fit_zero_inflated(n[solved], right[solved]).unsolvable == 0


def test_likelihoods_are_those_of_scipy_and_the_wider_law_is_never_less_likely():
    for seed in range(5):
        n, right = inflated(seed, Q=60)
        plain, wider = fit_beta_binomial(n, right), fit_zero_inflated(n, right)
        orders = np.log(special.comb(n, right)).sum()
        assert plain.log_likelihood + orders == pytest.approx(stats.betabinom.logpmf(right, n, *plain.shape).sum())
        mixed = (1 - wider.unsolvable) * stats.betabinom.pmf(right, n, *wider.shape) + wider.unsolvable * (right == 0)
        assert wider.log_likelihood + orders == pytest.approx(np.log(mixed).sum())
        assert wider.log_likelihood >= plain.log_likelihood - 1e-6


def test_many_samples_and_order_change_nothing():
    n, right = drawn(0.05, 0.3, 128, 10_000, seed=3, least=10_000)
    found, turned = fit_beta_binomial(n, right), fit_beta_binomial(n[::-1], right[::-1])
    assert found == turned
    assert found.concentration == pytest.approx(0.3, abs=4 * found.concentration_se)
    flipped = fit_beta_binomial(n, n - right)
    assert (flipped.mean, flipped.concentration) == pytest.approx((1 - found.mean, found.concentration), rel=1e-4)


def test_many_draws_at_once_are_each_fitted_as_if_alone():
    """Also those at an edge: all right, all wrong, always or never solved, no more different than chance has it."""
    rng = np.random.default_rng(5)
    n = np.repeat([4, 8, 12], 10)
    right = rng.binomial(n, rng.beta(0.8, 1.2, (40, 30)) * (rng.random((40, 30)) > 0.2))
    right[:5] = n, 0 * n, n * (n > 4), n // 2, np.maximum(right[4], 1)
    weights = rng.exponential(size=(40, 30))
    for (beta, wider), own, weight in zip(fit_both(n, right, weights), right, weights, strict=True):
        alone = fit_beta_binomial(n, own, weight)
        assert beta.about == alone.about
        assert (*beta.shape, beta.log_likelihood) == pytest.approx(
            (*alone.shape, alone.log_likelihood), rel=1e-6, nan_ok=True
        )
        alone = fit_zero_inflated(n, own, weight)
        assert (*wider.shape, wider.unsolvable, wider.log_likelihood) == pytest.approx(
            (*alone.shape, alone.unsolvable, alone.log_likelihood), rel=1e-6, abs=1e-9, nan_ok=True
        )
    assert len(fit_both(n, right[:2], weights[:2])) == 2  # none of which is searched for
    with pytest.raises(MooInferError, match="at least 3 questions with two or more samples"):
        fit_both(n[:2], right[:1, :2], weights[:1, :2])


def test_a_ridge_and_what_is_far_away_are_climbed_to_the_top():
    """Slopes are 0 at the end, or push against a bound: small counts, very many samples, and hopeless starts."""
    rng = np.random.default_rng(6)
    for n, a, b in ((2, 0.2, 5.0), (3, 30.0, 30.0), (2000, 0.1, 4.0), (50, 5.0, 0.05)):
        counts = Counts.of(np.full(25, n), rng.binomial(n, rng.beta(a, b, (1, 25))), np.ones((1, 25)))
        tops = [counts.peak(np.array([m]), np.array([s])) for m in (1e-6, 0.5, 0.999) for s in (0.01, 1.0, 1e5)]
        assert np.ptp([top.height for top in tops]) < 1e-8
        steps = counts.peak(tops[0].mean, tops[0].concentration), tops[0]
        assert abs(steps[0].height - steps[1].height) < 1e-9


@pytest.mark.parametrize("fit", [fit_beta_binomial, fit_zero_inflated])
@pytest.mark.parametrize(
    ("right", "weights", "mean"),
    [([8, 8, 0], [1, 1, 1e-13], 1.0), ([0, 8, 0], [1, 1e-13, 1], 0.0), ([8, 8, 7], [1, 1, 1e-13], 1.0)],
)
def test_a_question_that_weighs_almost_nothing_changes_almost_nothing(fit, right, weights, mean):
    found = fit([8, 8, 8], right, weights)
    assert found.mean == pytest.approx(mean, abs=1e-11)
    assert found.mean_se < 1e-5


@pytest.mark.parametrize("fit", [fit_beta_binomial, fit_zero_inflated])
@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (([8, 8, 8], [3, 9, 4]), r"question 1: right must be in 0 \.\.\. n = 8, got 9"),
        (([8, 8, 8], [3, 2, -4]), r"question 2: right must be in 0 \.\.\. n = 8, got -4"),
        (([8, 8, 8], [3, 2]), r"right, how many of them are: must have the shape \(3,\), .*, got \(2,\)"),
        (([8, 8, 8], [3, 2, 1.5]), "question 2: right must be a whole number, got 1.5"),
        (([8, 8, np.nan], [3, 2, 1]), "n, the samples of a question: must be finite, got nan"),
        (([8, 8, 8], [3, 2, "x"]), "right, how many of them are: must be numbers"),
        (([8, 8, 8], [3, 2, 1], [1, 1]), r"weights of the questions: must have the shape \(3,\)"),
        (([8, 8, 8], [3, 2, 1], [1, -1, 1]), "question 1: its weight must be > 0, got -1"),
    ],
)
def test_what_are_no_counts_is_refused_in_one_sentence(fit, counts, sentence):
    with pytest.raises(MooInferError, match=sentence):
        fit(*counts)
