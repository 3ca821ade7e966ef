# examples/plugins/settled.py
import warnings
from dataclasses import dataclass

import numpy as np

from moo_infer import Candidates, NoSelection, SelectionWarning, Selector, Share, hookimpl


@dataclass(frozen=True)
class Settled(Selector):
    """The last k along a curve before a further inference gains less accuracy than so much.

    Args:
        gain: accuracy for each further inference, in [0, 1].
    """

    name = "settled"

    gain: Share = 0.001

    def select(self, candidates: Candidates, /) -> int:
        if len(candidates.curves) > 1:
            raise NoSelection(f"goes along one curve, and there are {len(candidates.curves)}")
        rows = candidates.front  # by k, which rises along a curve
        gains = np.diff(candidates.column("accuracy")[rows]) / np.diff(candidates.k[rows])
        low = np.flatnonzero(gains < self.gain)
        if not len(low) and len(rows) > 1:
            warnings.warn("accuracy still rises at the largest k that is feasible", SelectionWarning, stacklevel=2)
        return int(rows[low[0] if len(low) else -1])


@hookimpl
def register_selectors() -> list[type[Selector]]:
    return [Settled]
