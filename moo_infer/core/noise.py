"""The noise of calls: actual seconds over those expected from the tokens, drawn through the column ``noise`` of draws.

Totals are functions of the draws, so what is random in them is drawn beforehand: one number u, uniform in [0, 1), for
every inference. A part reads it as the probability of a quantile: a call takes the quantile at u of the ratios of its
measured seconds and those that its tokens explain. Parts that read it read the same numbers.
"""

from collections.abc import Sequence

import numpy as np

from .arrays import FloatArray, IntArray
from .draws import Draws
from .moments import Moments

__all__ = ["QUANTILES", "condensed", "noisy_sum", "ratio_at", "ratio_moments", "with_noise"]

QUANTILES = 20  # the last but one stands at 18 / 19, beside the 95 % quantile that limits are put on


def with_noise(draws: Draws, rng: np.random.Generator) -> Draws:
    """Return the draws with the column ``noise``, uniform in [0, 1).

    >>> with_noise(Draws(*np.ones((3, 1, 2))), np.random.default_rng(0))["noise"].round(3)
    array([[0.637, 0.27 ]])
    """
    return Draws(columns={**draws, "noise": rng.random(draws.shape)})


def ratio_at(noise: FloatArray, ratios: Sequence[float]) -> FloatArray:
    """Return the quantiles of ratios at the probabilities `noise`, linear between them as those of `numpy.quantile`.

    Args:
        noise: probabilities in [0, 1], any shape.
        ratios: one or more numbers in any order: the quantiles at 0, 1 / (n - 1), ..., 1.

    >>> ratio_at(np.array([0.0, 0.25, 0.75]), (0.8, 1.0, 1.6))
    array([0.8, 0.9, 1.3])
    """
    return np.asarray(np.interp(noise * (len(ratios) - 1), np.arange(len(ratios)), np.sort(ratios)))


def ratio_moments(ratios: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation of `ratio_at` where the noise is uniform; 1 and 0 without ratios.

    >>> ratio_moments((0.5, 1.5))  # uniform between them: a standard deviation of sqrt(1 / 12)
    (1.0, 0.28867513459481287)
    """
    values = np.sort(ratios)
    if not len(values) or values[0] == values[-1]:
        return (float(values[0]) if len(values) else 1.0), 0.0
    low, high = values[:-1], values[1:]  # of the straight pieces between them, all equally likely
    mean = float(((low + high) / 2).mean())
    return mean, float(np.sqrt((((low + high) / 2 - mean) ** 2 + (high - low) ** 2 / 12).mean()))


def noisy_sum(total: Moments, single: Moments, k: IntArray, ratios: Sequence[float]) -> Moments:
    """Return mean and, where it is known, standard deviation of the sum of k numbers, each times a ratio of its own.

    Ratios R are independent of the numbers X and of each other, so that
    ``Var(sum R X) = E[R]^2 Var(sum X) + Var(R) E[sum X^2]``, whether or not the numbers depend on each other.

    Args:
        total: of the sum of k numbers without ratios, any shape that ends in (n,).
        single: of one number, likewise with n = 1.
        k: (n,).
        ratios: as in `ratio_at`.

    >>> one = Moments(np.array([2.0]), np.array([0.0]))
    >>> noisy_sum(Moments(np.array([2.0, 8.0]), np.zeros(2)), one, np.array([1, 4]), (0.5, 1.5)).std
    array([0.57735027, 1.15470054])
    """
    ratio, spread = ratio_moments(ratios)
    if total.std is None or single.std is None:
        return Moments(ratio * total.mean)
    squares = k * (single.mean**2 + single.std**2)
    return Moments(ratio * total.mean, np.sqrt((ratio * total.std) ** 2 + spread**2 * squares))


def condensed(ratios: FloatArray, weights: FloatArray, n: int = QUANTILES) -> FloatArray:
    """Return n quantiles of weighted ratios that `ratio_at` reads with the same mean.

    They are those at 0, 1 / (n - 1), ..., but for the last: it, and the ones before it where it would else be less than
    they are, take what the others leave of the mean. So rare delays count for what they add up to, whatever a few
    quantiles can show of them.

    Args:
        ratios: (N,) > 0, in any order.
        weights: (N,) >= 0.
        n: how many quantiles, >= 2.

    >>> ratios = condensed(np.append(np.linspace(0.5, 1.5, 99), 20.0), np.ones(100))
    >>> ratios[[0, 9, 18, 19]].round(2), round(ratio_moments(ratios)[0], 6)
    (array([0.5 , 0.98, 1.46, 8.54]), 1.19)
    """
    order = np.argsort(ratios)
    ratios, weights = ratios[order], weights[order] / weights.sum()
    quantiles = np.interp(np.linspace(0, 1, n), np.cumsum(weights) - weights / 2, ratios)
    total = (n - 1) * float(ratios @ weights)  # what the straight pieces add up to, the ends counted half
    for i in range(n - 1, 0, -1):
        quantiles[i:] = (total - quantiles[0] / 2 - quantiles[1:i].sum()) / (n - i - 0.5)
        if quantiles[i] >= quantiles[i - 1]:
            break
    return quantiles
