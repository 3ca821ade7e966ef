"""The ratio of two uncertain numbers, with an interval that holds however small the lower one is."""

import math
from dataclasses import dataclass

from ..core.errors import MooInferError
from ..core.parts import inside

__all__ = ["Estimate", "fieller", "student"]


@dataclass(frozen=True)
class Estimate:
    """A number and its interval.

    Args:
        value: the number.
        low, high: the interval; an end is infinite where none is known.
    """

    value: float
    low: float
    high: float

    def holds(self, number: float) -> bool:
        """Whether a number lies in the interval, its ends included."""
        return self.low <= number <= self.high

    def to_dict(self) -> dict[str, float | None]:
        """Return the JSON form; what is not finite is None."""
        return {name: number if math.isfinite(number) else None for name, number in vars(self).items()}

    def exp(self) -> "Estimate":
        """Return exp of the number and of both ends; beyond the largest float it is infinite.

        >>> Estimate(0.0, -math.inf, 1000.0).exp()
        Estimate(value=1.0, low=0.0, high=inf)
        """
        largest = 709.0  # exp overflows from 709.8 on
        return Estimate(*(math.exp(n) if n < largest else math.inf for n in (self.value, self.low, self.high)))


def fieller(
    upper: float,
    lower: float,
    variances: tuple[float, float],
    covariance: float = 0.0,
    *,
    quantile: float,
) -> Estimate:
    """Return upper / lower with the interval of Fieller (J. R. Stat. Soc. B 16, 1954, 175-185).

    It holds all ratios r for which upper - r lower is not told apart from 0. That is exact where both are normal; the
    delta method is not, and gives finite ends where `lower` may well be 0.

    Args:
        upper, lower: the estimates; `lower` is not 0.
        variances: of both, >= 0.
        covariance: of both.
        quantile: how many standard errors from 0 are told apart, > 0: of the normal law, or of Student's (`student`).

    Returns:
        The ratio; its ends are infinite where `lower` is not told apart from 0.

    Raises:
        MooInferError: where `lower` is 0.

    >>> fieller(2.0, 4.0, (0.01, 0.0), quantile=2.0)
    Estimate(value=0.5, low=0.45, high=0.55)
    >>> fieller(2.0, 4.0, (0.01, 5.0), quantile=2.0)
    Estimate(value=0.5, low=-inf, high=inf)
    """
    if lower == 0:
        raise MooInferError("a ratio: what is divided by must not be 0")
    value, (of_upper, of_lower), squared = upper / lower, variances, quantile**2
    # All in units of `lower`, so that nothing overflows. The ends are the roots of a r^2 - 2 b r + c.
    of_upper, of_lower, covariance = (number / lower**2 for number in (of_upper, of_lower, covariance))
    a = 1 - squared * of_lower
    if a <= 0:
        return Estimate(value, -math.inf, math.inf)
    b = value - squared * covariance
    # b^2 - a c written out, because the squares of the ratio cancel. It is >= 0 up to rounding.
    spread = of_upper - 2 * value * covariance + value**2 * of_lower - squared * (of_upper * of_lower - covariance**2)
    half = quantile * math.sqrt(max(spread, 0.0))
    return Estimate(value, (b - half) / a, (b + half) / a)


def student(confidence: float, freedom: float = math.inf) -> float:
    """Return how many standard errors an interval reaches to each side: the quantile of Student's law.

    Args:
        confidence: of the interval, in (0, 1).
        freedom: degrees of freedom of the standard error, > 0; infinite for the normal law.

    Raises:
        MooInferError: for another confidence.

    >>> round(student(0.95), 3), round(student(0.95, 3), 3)
    (1.96, 3.182)
    """
    from scipy.special import ndtri, stdtrit

    share = (1 + inside(confidence, "confidence")) / 2
    return float(ndtri(share) if math.isinf(freedom) else stdtrit(freedom, share))
