"""Cost models by which a call takes another thing after others than it does alone: refused where it matters."""

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import NothingPossible
from ..core.objectives import Objective
from .deployment import Deployment

__all__ = ["refuse_dependent", "refuse_unlike_alone"]

ROUNDING = 1e-9  # of totals, relative: sums in another order


def refuse_dependent(
    of: Deployment, objective: Objective, j: int, calls: tuple[int, int], totals: tuple[FloatArray, ...]
) -> None:
    """Refuse cost models of a model by which two waves cost another sum than as many calls at once.

    Args:
        of: the policy.
        objective: what they consume.
        j: the number of the model.
        calls: of the first wave and of the second.
        totals: (S,) each: of the first wave, of the second after it, and of all calls at once.

    Raises:
        NothingPossible: where they differ.
    """
    alone, later, together = totals
    if np.allclose(alone + later, together, rtol=ROUNDING, atol=0.0):
        return
    i = int(np.argmax(np.abs(alone + later - together)))
    raise NothingPossible(
        f"{_parts(of, objective, j)}: {calls[0]} calls and then {calls[1]} more take {alone[i]:.4g} and "
        f"{later[i]:.4g} {objective.unit}, all at once {together[i]:.4g}: what a call takes depends on those before "
        "it, so that it is not known in several waves"
    )


def refuse_unlike_alone(of: Deployment, objective: Objective, j: int, each: FloatArray, together: FloatArray) -> None:
    """Refuse cost models of a model by which several calls take something else than each of them alone.

    Args:
        of, objective, j: as in `refuse_dependent`.
        each: (S, w), of each call alone.
        together: (S,), of all w at once.

    Raises:
        NothingPossible: where that is not their sum, or the slowest of them.
    """
    alone = each.sum(axis=1) if objective.along == "sum" else each.max(axis=1)
    if np.allclose(alone, together, rtol=ROUNDING, atol=0.0):
        return
    rule = "the sum" if objective.along == "sum" else "the slowest"
    raise NothingPossible(
        f"{_parts(of, objective, j)}: {each.shape[1]} calls at once do not take {rule} of what each takes alone, so "
        "that it is not known what is left where some of them are cancelled"
    )


def _parts(of: Deployment, objective: Objective, j: int) -> str:
    parts = " and ".join(repr(part.name) for part in of.costs[objective][j])
    return f"{of.name}: {parts} of {of.models[j]}"
