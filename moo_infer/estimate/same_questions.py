"""How far the means of a curve may be off because its log has few samples of every question."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from ..core.moments import Moments, normal_quantile
from ..quantities.left_out import LeftOut
from .mixture import QuestionMoments
from .setup import Setup

__all__ = ["Again", "SameQuestions"]


class Again(Protocol):
    """What gives intervals, had the same questions been asked again: `SameQuestions`, or what makes one when asked."""

    def intervals(self, objective: str, means: QuestionMoments, level: float) -> FloatArray:
        """Return (2, n) ends of the intervals of means; see `SameQuestions.intervals`."""
        ...


@dataclass(frozen=True, eq=False)
class SameQuestions:
    """Intervals of the means of a curve, had the same questions of its log been asked again and again.

    All parts are asked anew without some of the samples of every question, so that it holds for parts of any kind.

    Args:
        setup: of the curve, on a log.
        ask: gives the exact moments of a setup, by objective.
    """

    setup: Setup
    ask: Callable[[Setup], Mapping[str, Moments | None]]

    @cached_property
    def variances(self) -> dict[str, FloatArray]:
        """(n,) by objective, NaN at k where no sample can be left out; without those whose means are not exact."""
        queries = self.setup.queries
        assert queries.samples is not None
        fewer = LeftOut(queries.samples)
        known = self.setup.k <= fewer.samples.largest_k
        if not known.any():
            return {}
        try:
            without = self.ask(replace(self.setup.with_samples(fewer.samples), k=self.setup.k[known]))
        except MooInferError:  # of a part that these samples do not suffice for
            return {}
        variances = {}
        for name, moments in without.items():
            if isinstance(moments, QuestionMoments):
                variances[name] = np.full(len(known), np.nan)
                variances[name][known] = queries.weights**2 @ fewer.variance(moments.by_question)
        return variances

    def intervals(self, objective: str, means: QuestionMoments, level: float) -> FloatArray:
        """Return (2, n) ends of the intervals of means; NaN where they are not known.

        Args:
            objective: its name.
            means: what they are.
            level: of the intervals, in (0, 1).
        """
        unknown = np.full(len(means.mean), np.nan)
        half = normal_quantile(np.zeros_like(unknown), np.sqrt(self.variances.get(objective, unknown)), (1 + level) / 2)
        if not means.share:
            return np.stack([means.mean - half, means.mean + half])
        samples = self.setup.queries.samples
        assert samples is not None
        # Of N samples, each question's all alike, (1 - d)^N is the chance of that where d are otherwise.
        unseen = 1 - (1 - level) ** (self.setup.k / len(samples.scored))
        half = np.where(half == 0, unseen, half)
        return np.clip(np.stack([means.mean - half, means.mean + half]), 0.0, 1.0)
