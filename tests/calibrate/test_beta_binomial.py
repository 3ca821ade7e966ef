import numpy as np
import pytest
from scipy import optimize, special, stats

from moo_infer import MooInferError
from moo_infer.calibrate.beta_binomial import LARGEST, SMALLEST, fit_beta_binomial


def drawn(mean, s, Q, n, seed, least=2):
    rng = np.random.default_rng(seed)
    p, counts = rng.beta(mean * s, (1 - mean) * s, Q), rng.integers(least, n + 1, Q)
    return counts, rng.binomial(counts, p)


def slow(n, right):
    """The same maximum from scipy's law, one question after the other, by a search without derivatives."""

    def loss(at):
        m, s = special.expit(at[0]), np.exp(at[1])
        return -sum(stats.betabinom.logpmf(c, k, m * s, (1 - m) * s) for k, c in zip(n, right, strict=True))

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
    assert found.mean == pytest.approx(mean, rel=1e-7)
    assert found.concentration == pytest.approx(ratio / (1 - ratio), rel=1e-6)
    assert found.mean_se == pytest.approx((right / 2).std(ddof=1) / 10, rel=1e-6)


def test_pass_at_k_is_the_closed_form():
    law = fit_beta_binomial(*drawn(0.2, 1.5, 100, 12, seed=0))
    a, b = law.mean * law.concentration, (1 - law.mean) * law.concentration
    k = np.arange(1, 1001)
    np.testing.assert_allclose(law.pass_at(1000), -np.expm1(special.betaln(a, b + k) - special.betaln(a, b)), rtol=1e-9)


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


def test_many_samples_and_order_change_nothing():
    n, right = drawn(0.05, 0.3, 128, 10_000, seed=3, least=10_000)
    found, turned = fit_beta_binomial(n, right), fit_beta_binomial(n[::-1], right[::-1])
    assert found == turned
    assert found.concentration == pytest.approx(0.3, abs=4 * found.concentration_se)
    flipped = fit_beta_binomial(n, n - right)
    assert (flipped.mean, flipped.concentration) == pytest.approx((1 - found.mean, found.concentration), rel=1e-4)
