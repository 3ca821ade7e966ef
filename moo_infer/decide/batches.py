"""Batches of items that are processed together: the largest within a limit on seconds, and the cheapest."""

import math
from dataclasses import dataclass

import numpy as np

from ..core.errors import MooInferError
from ..core.objectives import LATENCY, TOLERANCE, Limit

__all__ = ["CheapestBatch", "LargestBatch", "cheapest_batch", "largest_batch"]

MOST = 2**53  # items: above, not every whole number is a float


@dataclass(frozen=True)
class LargestBatch:
    """The largest batch within a limit.

    Args:
        size: items.
        seconds: that it takes.
        items_per_second: of one batch after the other.
    """

    size: int
    seconds: float
    items_per_second: float


@dataclass(frozen=True)
class CheapestBatch:
    """The batch that costs least for each item.

    Args:
        size: items.
        usd_per_item: the mean, the price of waiting in it.
    """

    size: int
    usd_per_item: float


def largest_batch(within_s: float, base_s: float, per_item_s: float, /) -> LargestBatch:
    """Return the largest batch that takes ``base_s + per_item_s * size`` seconds and not more than a limit.

    A batch that takes just as long as the limit meets it, by the rule that holds for all limits, whatever rounding does
    to ``(2 - 0.5) / 0.05``.

    Args:
        within_s: the limit (service level objective), s, > 0.
        base_s: of every batch, s, >= 0.
        per_item_s: of every item in it, s, > 0.

    Raises:
        MooInferError: for numbers out of range, where one item alone takes longer than the limit, and for batches of
            more than 2^53 items.

    >>> largest_batch(2.0, 0.5, 0.05)
    LargestBatch(size=30, seconds=2.0, items_per_second=15.0)
    """
    _refuse("within_s", within_s, above=True)
    _refuse("base_s", base_s)
    _refuse("per_item_s", per_item_s, above=True)
    within_s, base_s, per_item_s = float(within_s), float(base_s), float(per_item_s)

    def over(size: int) -> bool:
        return bool(Limit(LATENCY.name, within_s, "max").excess(np.array(base_s + per_item_s * size)) > 0)

    if over(1):
        raise MooInferError(
            f"no batch is within {within_s:g} s: one item alone takes {base_s:g} + {per_item_s:g} = "
            f"{base_s + per_item_s:g} s"
        )
    if (within_s - base_s) / per_item_s >= MOST:
        raise MooInferError(
            f"per_item_s: a batch of more than {MOST} items is within {within_s:g} s, got {per_item_s:g} s for each"
        )
    size = math.floor((within_s - base_s) / per_item_s)
    size += 0 if over(size + 1) else 1  # the quotient of numbers such as 0.05 is rounded
    size = max(size, 1)
    seconds = base_s + per_item_s * size
    return LargestBatch(size, seconds, size / seconds)


def cheapest_batch(
    usd_per_batch: float, usd_per_item: float, usd_per_second: float, items_per_second: float, /, most: int = MOST
) -> CheapestBatch:
    """Return the batch for which an item costs least: its share of what a batch costs, its own price, and its wait.

    Items arrive one after the other and wait until the batch is full, on average (b - 1) / (2 lambda) seconds. What an
    item costs, ``F / b + v + w (b - 1) / (2 lambda)``, falls up to ``b = sqrt(2 lambda F / w)`` and rises from there,
    so that one of the two whole numbers beside it is the cheapest; of two that cost the same, the smaller.

    Args:
        usd_per_batch: F, whatever its size, >= 0.
        usd_per_item: v, >= 0.
        usd_per_second: w, what a second is worth that an item waits, >= 0.
        items_per_second: lambda, how fast they arrive, > 0.
        most: items that fit into a batch, such as the size of `largest_batch`, >= 1.

    Raises:
        MooInferError: for numbers out of range, and where waiting costs nothing and nothing limits the batch.

    >>> cheapest_batch(1.0, 0.1, 0.01, 5.0)
    CheapestBatch(size=32, usd_per_item=0.16225)
    """
    for name, value in (("usd_per_batch", usd_per_batch), ("usd_per_item", usd_per_item)):
        _refuse(name, value)
    _refuse("usd_per_second", usd_per_second)
    _refuse("items_per_second", items_per_second, above=True)
    if isinstance(most, bool) or not isinstance(most, int | np.integer) or not 1 <= most <= MOST:
        raise MooInferError(f"most: must be a whole number from 1 to {MOST}, got {most!r:.80}")
    if usd_per_batch == 0:
        square = 1.0
    elif usd_per_second == 0:
        square = math.inf
    else:
        square = 2 * items_per_second * usd_per_batch / usd_per_second
    best = math.sqrt(square)
    if best > most == MOST:
        raise MooInferError("usd_per_second: waiting costs too little to end a batch; give most, the items that fit")
    size = max(1, math.floor(min(best, int(most))))
    # One item more is cheaper where b (b + 1) < 2 lambda F / w: near the best size the costs themselves hardly differ.
    if size < most and size * (size + 1) < square * (1 - TOLERANCE):
        size += 1
    waits = usd_per_second * (size - 1) / (2 * items_per_second)
    return CheapestBatch(size, float(usd_per_batch / size + usd_per_item + waits))


def _refuse(name: str, value: object, *, above: bool = False) -> None:
    """Refuse what is no finite number >= 0, or > 0."""
    fits = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or value < 0 or (above and value == 0):  # type: ignore[operator]  # a number
        raise MooInferError(f"{name}: must be {'> 0' if above else '>= 0'} and finite, got {value!r:.80}")
