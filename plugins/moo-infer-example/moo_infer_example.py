"""The smallest moo_infer plugin: one selector."""

from dataclasses import dataclass

import numpy as np

from moo_infer import Candidates, Selector, hookimpl


@dataclass(frozen=True)
class FewestSamples(Selector):
    """The smallest k within the limits; of equal k the most accurate."""

    name = "fewest-samples"

    def select(self, candidates: Candidates, /) -> int:
        """Sort by k, then by accuracy, and take the first."""
        return int(np.lexsort((candidates.loss("accuracy"), candidates.k))[0])


@hookimpl
def register_selectors() -> list[type[Selector]]:
    """Register the selector."""
    return [FewestSamples]
