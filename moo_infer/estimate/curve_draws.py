"""Curves of draws of what is uncertain, any range of them as it is among all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .curves import Curve

__all__ = ["TOGETHER", "CurveDraws", "ranges"]

# Draws of one task. What a search learns from one draw for the next is forgotten between two of them, so that each
# gives the same whether those before it were done here or elsewhere.
TOGETHER = 64


@dataclass(frozen=True, eq=False)
class CurveDraws:
    """The curve of one setup in each of B draws.

    Args:
        B: how many draws.
        among: gives the curves of a range of them, one after the other.
    """

    B: int
    among: Callable[[range], Iterator[Curve]]

    def __iter__(self) -> Iterator[Curve]:
        return self.among(range(self.B))


def ranges(draws: range, step: int = TOGETHER) -> Iterator[range]:
    """Cut a range of draws at the multiples of `step`.

    >>> list(ranges(range(30, 150)))
    [range(30, 64), range(64, 128), range(128, 150)]
    """
    start = draws.start
    while start < draws.stop:
        stop = min(start - start % step + step, draws.stop)
        yield range(start, stop)
        start = stop
