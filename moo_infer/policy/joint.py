"""Inferences of several models together, as an aggregator sees those that an answer is given from."""

from collections.abc import Sequence

import numpy as np

from ..core.arrays import Array
from ..core.draws import Draws
from ..core.errors import NothingPossible
from ..quantities.samples import Samples

__all__ = ["SEEN", "JointDraws", "brought", "joint"]

ANSWERS = ("answer",)
SEEN = (*ANSWERS, "score")  # by which policies decide, and choose among the samples of several models


class JointDraws(Draws):
    """Draws of several models, whose answers are held back where it is not known which of them are the same."""

    unlike: str

    def __getitem__(self, column: str) -> Array:
        if column in ANSWERS and self.unlike:
            raise NothingPossible(self.unlike)
        return super().__getitem__(column)


def brought(samples: Samples, /) -> tuple[str, ...]:
    """Return what draws of samples bring along although a choice among k would have nothing to choose among.

    One sample a question has no other to agree with, but those of other models; and by its score it may be passed on.
    """
    return tuple(column for column in SEEN if samples.single(column))


def joint(draws: Sequence[Draws], unlike: str) -> Draws:
    """Return the inferences (M, K) of several models as one, with the columns that all of them have.

    Args:
        draws: of each model.
        unlike: why their answers cannot be compared; "" where they can.
    """
    if len(draws) == 1 and not unlike:
        return draws[0]
    names = [name for name in draws[0] if all(name in other for other in draws)]
    names = [name for name in names if not (unlike and name in ANSWERS)]
    made = JointDraws(columns={name: np.concatenate([of[name] for of in draws], axis=1) for name in names})
    object.__setattr__(made, "unlike", unlike)
    return made
