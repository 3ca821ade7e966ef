"""M/M/c: Erlang's formula, the wait and the slowest of k services, against other ways to the same numbers."""

from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from scipy.integrate import quad

from moo_infer.quantities.erlang import KServices, harmonic, waiting_share


def by_factorials(c, a):
    """Erlang's C as textbooks print it, in fractions."""
    a = Fraction(a)
    last = a**c / factorial(c) * c / (c - a)
    return float(last / (sum(a**n / factorial(n) for n in range(c)) + last))


@pytest.mark.parametrize(("c", "a"), [(1, "3/5"), (2, 1), (3, "29/10"), (32, 10), (32, "315/10"), (150, 140)])
def test_the_share_that_waits_is_the_textbooks(c, a):
    assert float(waiting_share(c, float(Fraction(a)))) == pytest.approx(by_factorials(c, a), rel=1e-12)


def test_queues_of_different_sizes_are_asked_at_once():
    together = waiting_share(np.array([1, 4, 9]), np.array([0.5, 3.0, 8.0]))
    assert together.tolist() == [float(waiting_share(c, a)) for c, a in ((1, 0.5), (4, 3.0), (9, 8.0))]
    assert harmonic(np.array([3, 1]), 2).tolist() == pytest.approx([1 + 1 / 4 + 1 / 9, 1.0])


CASES = [(32, 10.0, 3.15, 3), (32, 10.0, 2.2, 11), (1, 1.0, 0.999, 1), (2, 0.1, 19.5, 5), (8, 10.0, 0.79, 1000)]


@pytest.mark.parametrize(("c", "s", "arrivals", "k"), CASES)
def test_the_tail_is_the_integral_that_scipy_finds(c, s, arrivals, k):
    queue = KServices(c, s, np.array([arrivals]), np.array([k]))
    waits, rate = float(queue.waits[0]), c / s - arrivals
    for x in (0.2 * s, float(queue.mean[0]), 5 * float(queue.mean[0])):
        done = lambda y: (1 - np.exp(-y / s)) ** k  # noqa: E731
        slope = lambda y: k / s * (1 - np.exp(-y / s)) ** (k - 1) * np.exp(-y / s) * np.exp(-rate * (x - y))  # noqa: E731, B023
        waited = quad(slope, max(0.0, x - 60 / rate), x, epsabs=1e-15, epsrel=1e-12, limit=1000)[0]
        assert queue.tail(np.array([x]))[0] == pytest.approx(1 - done(x) + waits * waited, abs=1e-12)
    assert queue.tail(np.array([0.0])) == 1.0


@pytest.mark.parametrize(("c", "s", "arrivals", "k"), CASES)
def test_moments_and_quantiles_follow_from_the_tail(c, s, arrivals, k):
    queue = KServices(c, s, np.array([arrivals]), np.array([k]))
    end = float(queue.quantile(1 - 1e-12)[0])
    mean = quad(lambda x: float(queue.tail(np.array([x]))[0]), 0, end, limit=500)[0]
    square = quad(lambda x: 2 * x * float(queue.tail(np.array([x]))[0]), 0, end, limit=500)[0]
    assert queue.mean[0] == pytest.approx(mean, rel=1e-6)
    assert queue.std[0] == pytest.approx(np.sqrt(square - mean**2), rel=1e-5)
    for q in (0.05, 0.5, 0.95, 0.999):
        assert 1 - queue.tail(queue.quantile(q))[0] == pytest.approx(q, abs=1e-8)


def test_draws_at_once_are_draws_one_by_one():
    k = np.array([1, 3])
    arrivals, seconds = np.array([[1.0, 3.0], [0.2, 0.6]]), np.array([[9.0], [10.0]])
    together = KServices(32, seconds, arrivals, k)
    for b in range(2):
        alone = KServices(32, float(seconds[b, 0]), arrivals[b], k)
        assert together.mean[b] == pytest.approx(alone.mean)
        assert together.quantile(0.95)[b] == pytest.approx(alone.quantile(0.95))
