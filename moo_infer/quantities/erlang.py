"""A queue of c servers with Poisson arrivals and exponential services (M/M/c): waits, and the slowest of k services."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf
from .quadrature import legendre

__all__ = ["KServices", "harmonic", "waiting_share"]

PANELS, ORDER = 40, 10  # of the integral of a wait and the slowest service: right to 1e-12
FOLDS = 45.0  # e-folds of a tail, beyond which it is less than 1e-19


def waiting_share(servers: Any, offered: Any, /) -> FloatArray:
    """Return the share of requests that wait (Erlang's C formula).

    Erlang's B by its recursion over the servers, of terms > 0 alone, so that nothing is lost to rounding, and
    ``C = B / (1 - rho (1 - B))`` (Erlang 1917; Cooper, Introduction to Queueing Theory, 1981, section 3.4).

    Args:
        servers: c, whole numbers >= 1, any shape.
        offered: a, arrivals a second times seconds of a service, in [0, c); the two broadcast.

    >>> print(waiting_share(1, 0.6).round(6), waiting_share(2, 1.0).round(6), waiting_share(32, 30.0).round(6))
    0.6 0.333333 0.630223
    """
    c, a = np.broadcast_arrays(servers, np.asarray(offered, dtype=np.float64))
    blocked = np.ones(a.shape)
    for i in range(1, int(c.max(initial=0)) + 1):
        blocked = np.where(i <= c, a * blocked / (i + a * blocked), blocked)
    return np.asarray(blocked / (1.0 - a / c * (1.0 - blocked)))


def harmonic(k: Any, /, power: int = 1) -> FloatArray:
    """Return ``1 + 1 / 2^power + ... + 1 / k^power`` for whole numbers k >= 1, any shape.

    >>> harmonic(np.array([1, 2, 4])).tolist()
    [1.0, 1.5, 2.083333333333333]
    """
    k = np.asarray(k)
    return np.asarray(np.cumsum(1.0 / np.arange(1, int(k.max(initial=1)) + 1) ** power)[k - 1])


@dataclass(frozen=True, eq=False)
class KServices:
    """The seconds of k services that begin together after one wait, in a queue of c servers.

    The wait is 0, or with probability C exponential; the slowest of k exponential services takes 1 + 1/2 + ... + 1/k
    times as long as one on average.

    Args:
        servers: c, a number or (n,).
        seconds: of a service, on average, > 0, a number or (n,), or (B, 1).
        arrivals: (n,) requests a second, together less than ``servers / seconds``; or (B, n).
        k: (n,).

    >>> three = KServices(32, 10.0, np.array([3.0]), np.array([3]))
    >>> three.mean.round(4), three.tail(np.array([40.0])).round(6), three.quantile(0.95).round(4)
    (array([21.4844]), array([0.08349]), array([45.3795]))
    """

    servers: Any
    seconds: Any
    arrivals: FloatArray
    k: IntArray

    @property
    def waits(self) -> FloatArray:
        """The share of queries that wait."""
        return waiting_share(self.servers, self.arrivals * self.seconds)

    @property
    def rate(self) -> FloatArray:
        """One over the mean seconds of those that wait: ``c / s - lambda``, > 0 wherever ``lambda s < c``."""
        return np.asarray((self.servers - self.arrivals * self.seconds) / self.seconds)

    @property
    def mean(self) -> FloatArray:
        """Mean seconds."""
        return np.asarray(self.waits / self.rate + self.seconds * harmonic(self.k))

    @property
    def std(self) -> FloatArray:
        """Standard deviation of the seconds."""
        waits = self.waits
        return np.asarray(np.sqrt(waits * (2.0 - waits) / self.rate**2 + self.seconds**2 * harmonic(self.k, 2)))

    def tail(self, x: FloatArray, /) -> FloatArray:
        """Return how likely more than x seconds pass: (n,).

        ``P(max > x) + C int_0^x g(y) exp(-rate (x - y)) dy`` with the density g of the slowest service.
        """
        s, k, rate = np.asarray(self.seconds, dtype=np.float64), self.k, self.rate
        of_node = s[..., None]  # beside the nodes of the integral
        low = np.maximum(0.0, x - FOLDS / rate)
        high = np.minimum(x, s * (np.log(k) + FOLDS))
        t, dt = legendre(ORDER)
        nodes = ((np.arange(PANELS)[:, None] + t) / PANELS).ravel()
        width = np.maximum(high - low, 0.0)[..., None]
        y = low[..., None] + width * nodes
        done = -np.expm1(-y / of_node)
        power = (k - 1.0)[..., None]
        density = k[..., None] / of_node * done**power * np.exp(-y / of_node)
        waited = density * np.exp(-rate[..., None] * np.maximum(x[..., None] - y, 0.0))
        total = (waited * width * np.tile(dt, PANELS) / PANELS).sum(axis=-1)
        slowest = -np.expm1(k * np.log(-np.expm1(-np.maximum(x, np.finfo(float).tiny) / s)))
        return np.asarray(np.where(x > 0, slowest, 1.0) + self.waits * total)

    def quantile(self, q: float, /) -> FloatArray:
        """Return the (n,) seconds that a share q of the queries does not exceed, to nine digits."""
        shape = self.mean.shape
        flat = KServices(
            np.broadcast_to(self.servers, shape).ravel(),
            np.broadcast_to(self.seconds, shape).ravel(),
            np.broadcast_to(self.arrivals, shape).ravel(),
            np.broadcast_to(self.k, shape).ravel(),
        )
        return ServicesCdf(flat).quantile(np.ones(1), q, flat.mean, flat.std).reshape(shape)


@dataclass(frozen=True, eq=False)
class ServicesCdf(Cdf):
    """The cdf of the seconds of k services.

    Args:
        services: with arrivals (n,).
    """

    services: KServices

    def __call__(self, x: FloatArray, /) -> FloatArray:
        """Return (1, n) probabilities at x (n,) or (1, n)."""
        return 1.0 - self.services.tail(np.ravel(x))[None]
