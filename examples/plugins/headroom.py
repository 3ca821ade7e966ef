# examples/plugins/headroom.py
from dataclasses import dataclass

from moo_infer import Candidates, NoSelection, Selector, Share, hookimpl


@dataclass(frozen=True)
class Headroom(Selector):
    """The most accurate row that leaves a share of every budget unused.

    Args:
        share: of every budget, in [0, 1].
    """

    name = "headroom"

    share: Share = 0.2

    def select(self, candidates: Candidates, /) -> int:
        front = candidates.front
        budgets = [objective.scale is None for objective in candidates.objectives]
        roomy = front[(candidates.losses[front][:, budgets] <= 1 - self.share).all(axis=1)]
        if not len(roomy):
            raise NoSelection(f"no row leaves {100 * self.share:g} % of every budget unused")
        return int(roomy[candidates.loss("accuracy")[roomy].argmin()])


@hookimpl
def register_selectors() -> list[type[Selector]]:
    return [Headroom]
