"""Quantiles over queries that differ by laws: those of the mixed cdf, as far as a quadrature can tell."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..core.arrays import FloatArray
from ..core.cdf import Cdf
from ..core.errors import MooInferError, NotExact
from ..quantities.by_law import CdfQuery
from ..quantities.queries import Grid, Recorder, law_rows
from .calls import checked_moments
from .setup import Part, Setup

__all__ = ["LawQuantile"]

# How far half the nodes may be off, relative to the smaller of a share and the rest. The error of the trapezoidal rule
# falls geometrically: over prompts and outputs of 144 shapes all nodes together were off by at most 2e-5 of a share, a
# hundredth of the standard error of 10,000 trials at the median. Where totals do not vary given the query a cdf has
# steps, which half the nodes miss by many times that: there it is not known.
OFF = 0.002


@dataclass(frozen=True, eq=False)
class _Compared(Cdf):
    """A cdf that compares what all nodes and half of them make of it, wherever it is asked.

    The two may agree at one place by chance, where the error changes its sign, but not along the way to a quantile.

    Args:
        of: given each query.
        grid: the queries.
        q: the share that is searched for.
        rough: along which axes half the nodes are too far off.
    """

    of: Cdf
    grid: Grid
    q: float
    rough: set[int] = field(default_factory=set)

    def __call__(self, x: FloatArray, /) -> FloatArray:
        given = np.broadcast_to(self.of(x), (len(self.grid.weights), x.shape[-1]))  # one row where nothing varies
        share = self.grid.weights @ given
        allowed = OFF * np.maximum(np.minimum(share, 1 - share), min(self.q, 1 - self.q))
        coarse = enumerate(self.grid.coarse)
        self.rough.update(i for i, half in coarse if (np.abs(half @ given - share) > allowed).any())
        return given


@dataclass(frozen=True, eq=False)
class LawQuantile:
    """Quantiles (n,) of what a part makes of queries that differ.

    Args:
        setup, part: who is asked.
        columns: which of those that differ it reads.
        mean, std: (n,), over all queries.
        levels: by share, how fine the axes are to be, as in `Queries.grid`; raised where that is not enough, for the
            next draw too. What is asked for another share changes nothing, so that the order does not count.
    """

    setup: Setup
    part: Part
    columns: frozenset[str]
    mean: FloatArray
    std: FloatArray
    levels: dict[float, list[int]]
    _asked: dict[tuple[int, ...], tuple[Grid, Cdf]] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, q: float, /) -> FloatArray:
        """Return the quantiles; raises NotExact where no quadrature is fine enough."""
        levels = self.levels.setdefault(q, [0] * len(self.setup.queries.axes_of(self.columns)))
        while True:
            grid, cdf = self._at(levels)
            compared = _Compared(cdf, grid, q)
            x = compared.quantile(grid.weights, q, self.mean, self.std)
            if not compared.rough:
                return x
            for i in compared.rough:
                levels[i] += 1

    def _at(self, levels: Sequence[int]) -> tuple[Grid, Cdf]:
        """The queries and the cdf given each."""
        key = tuple(levels)
        if key not in self._asked:
            self._asked[key] = self._ask(levels)
        return self._asked[key]

    def _ask(self, levels: Sequence[int]) -> tuple[Grid, Cdf]:
        queries = self.setup.queries
        grid = queries.grid(self.columns, levels)
        if grid is None:
            raise NotExact("a cdf that is as steep is not known over all queries")
        first = {column: law_rows(law, slice(0, 1)) for axis in queries.axes for column, law in axis.laws.items()}
        laws = Recorder({**queries.laws, **first, **grid.laws})
        asked = partial(self.setup.exact, self.part, CdfQuery(laws))
        name, rows = self.setup.part_name(self.part), len(grid.weights)
        try:
            cdf = checked_moments(asked, self.setup.k, self.part, name, rows).cdf
        except MooInferError as error:  # a part that takes no arrays
            raise NotExact(f"{name} does not tell the cdf of many queries at once") from error
        if cdf is None or laws.read & ({*first} - {*grid.laws}):
            raise NotExact(f"{name} does not tell the cdf given every query")
        return grid, cdf
