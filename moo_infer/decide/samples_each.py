"""Samples for single queries, each of which is solved by a sample with a chance of its own: greedy on concave gains."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError
from ..core.numeric import numbers_of
from ..core.objectives import TOLERANCE
from ..core.parts import at_least_one
from .allocate import Allocation, allocate
from .menus import limits_of

__all__ = ["coverage_gains", "greedy", "samples_each"]

FIRST = 64  # samples that are looked at before more are
ROUNDING = 1e-15  # a gain below is lost in a sum of chances
MOST_GAINS = 10_000_000  # that are looked at, in some seconds
MOST_EXACTLY = 20_000  # that are looked at where more samples of one query may be worth more than the price says


def coverage_gains(success: npt.ArrayLike, K: int, /) -> FloatArray:
    """Return how much more likely each further sample makes it that a query is solved by one of its samples.

    Args:
        success: (Q,) the chance p of a sample, in [0, 1], where it is known; or (Q, 2) the a and b, > 0, of a Beta
            distribution of it, such as a posterior: 1 + successes, 1 + failures.
        K: samples, >= 1.

    Returns:
        (Q, K): p (1 - p)^(k - 1), or its mean; each row descends.

    Raises:
        MooInferError: for other numbers.

    >>> coverage_gains([0.5, 0.1], 3).round(4).tolist(), coverage_gains([[1.0, 1.0]], 3).round(4).tolist()
    ([[0.5, 0.25, 0.125], [0.1, 0.09, 0.081]], [[0.5, 0.1667, 0.0833]])
    """
    p = numbers_of(success, "chances of success")
    before = np.arange(at_least_one(K, "K"))
    if p.ndim == 1 and p.size and ((p >= 0) & (p <= 1)).all():
        return np.asarray(p[:, None] * (1 - p[:, None]) ** before)
    if p.ndim == 2 and p.size and p.shape[1] == 2 and ((p > 0) & np.isfinite(p)).all():
        a, b = p[:, :1], p[:, 1:]
        missed = np.cumprod(np.where(before > 0, (b + before - 1) / (a + b + before - 1), 1.0), axis=1)
        return np.asarray(missed * a / (a + b + before))
    raise MooInferError(
        f"chances of success must be (Q,) in [0, 1], or (Q, 2) the a and b > 0 of Betas, got {success!r:.80}"
    )


def greedy(gains: npt.ArrayLike, budget: float, usd: npt.ArrayLike = 1.0) -> IntArray:
    """Return how many steps each query takes, where the step that gains most for its price is taken first.

    It ends at the first step that does not fit. Where the gains of each query descend and all steps cost the same, no
    other allocation gains more; elsewhere `moo_infer.decide.allocate.allocate` may find a better one.

    Args:
        gains: (Q, K), what each further step of a query adds; a query takes them in this order.
        budget: of all steps together, >= 0.
        usd: of a step, > 0; one number, or (Q,).

    Raises:
        MooInferError: for numbers out of range.

    >>> greedy([[0.5, 0.25, 0.125], [0.3, 0.21, 0.147]], 4).tolist()
    [2, 2]
    """
    gain, price = _checked(gains, usd)
    limits_of({"budget": budget})
    rate = np.minimum.accumulate(gain / price[:, None], axis=1)  # a step is not open before those before it
    query = np.repeat(np.arange(len(gain)), gain.shape[1])
    order = np.argsort(-rate.ravel(), kind="stable")
    order = order[rate.ravel()[order] > 0]
    taken = order[np.cumsum(price[query[order]]) <= budget * (1 + TOLERANCE)]
    return np.bincount(query[taken], minlength=len(gain))


def samples_each(success: npt.ArrayLike, budget: float, usd: npt.ArrayLike = 1.0) -> Allocation:
    """Choose how many samples each query gets, so that most are solved by one of theirs within a budget.

    Args:
        success: as in `coverage_gains`.
        budget: of all samples together, >= 0.
        usd: of a sample, > 0; one number, or (Q,).

    Returns:
        The allocation: its choices are numbers of samples (Q,), its value how many queries are solved on average. Its
        bound holds for any numbers of samples, also for those that were not looked at.

    Raises:
        MooInferError: for numbers out of range.

    >>> found = samples_each([0.9, 0.5, 0.1, 0.001], 10)
    >>> found.choices.tolist(), round(found.value, 4)
    ([2, 3, 5, 0], 2.2745)
    """
    K = FIRST
    while True:
        gain, price = _checked(coverage_gains(success, K), usd)
        values = np.concatenate([np.zeros((len(gain), 1)), np.cumsum(gain, axis=1)], axis=1)
        found = allocate(values, price[:, None] * np.arange(K + 1), {"budget": budget})
        least = found.shadow_prices["budget"]
        dear = gain[:, -1] <= np.maximum(least * price, ROUNDING)
        if (dear | (K * price > budget)).all():
            # Who takes more samples than were looked at loses what they bring less than they cost at the price.
            lost = np.maximum(least * price[:, None] - gain, 0.0).sum(axis=1)
            more = ((K + 1) * price <= budget * (1 + TOLERANCE)) & (gain[:, -1] > ROUNDING)
            bound = float(np.max(found.mixture - lost, where=more, initial=found.bound))
            if bound - found.value <= TOLERANCE * bound or 2 * gain.size > MOST_EXACTLY:
                return replace(found, bound=bound)
        K *= 2
        if len(gain) * K > MOST_GAINS:
            raise MooInferError(
                f"{len(gain):,} queries with up to {K:,} samples each are too many to be looked at one by one; "
                "put queries that are alike into one class, with a weight"
            )


def _checked(gains: npt.ArrayLike, usd: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Gains (Q, K), and the price of a step of each query (Q,)."""
    gain, price = numbers_of(gains, "gains"), numbers_of(usd, "usd")
    if gain.ndim != 2 or not gain.size or not np.isfinite(gain).all():
        raise MooInferError(f"gains must be finite numbers (Q, K), got {gains!r:.80}")
    if price.shape not in ((), (len(gain),)) or not ((price > 0) & np.isfinite(price)).all():
        raise MooInferError(f"usd: must be above 0, one number or one for each of {len(gain)} queries, got {usd!r:.80}")
    return gain, np.broadcast_to(price, (len(gain),))
