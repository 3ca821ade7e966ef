"""The choice of a mixture: several rows, and the share of the queries that goes to each of them."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..core.errors import MooInferError, NoSelection
from ..estimate.rows import Row
from ..policy.mixture import MIXTURE, Mixture, mix
from ..profiles import Scenario
from .candidates import Candidates
from .choices import Choice

__all__ = ["MixedChoice", "choose_mixture"]


@dataclass(frozen=True)
class MixedChoice(Choice):
    """A mixture of rows, or the reason why there is none. Its `row` is None, its `k` the most calls of any of its rows.

    Args:
        mixture: rows and weights, or None.
    """

    mixture: Mixture | None = field(default=None, repr=False)

    @property
    def k(self) -> int | None:
        """The largest number of inferences of any of its rows, or None where there is no choice."""
        return None if self.mixture is None else max(choice.k or 0 for choice, _ in self.parts)

    @cached_property
    def parts(self) -> tuple[tuple[Choice, float], ...]:
        """Its rows, each as a choice, and their shares of the queries, the largest first."""
        if self.mixture is None:
            return ()
        choices = [
            Choice(self.scenario, self.selector, *self.candidates.curve(row).label, self.candidates, row)
            for row in self.mixture.rows.tolist()
        ]
        return tuple(zip(choices, self.mixture.weights.tolist(), strict=True))

    @cached_property
    def figures(self) -> Row | None:
        """Every figure of the mixture, or None."""
        if self.mixture is None or self.k is None:
            return None
        rows = [choice.figures for choice, _ in self.parts if choice.figures]
        return Row(
            str(self.model),
            MIXTURE,
            self.k,
            max(row.parallelism for row in rows),
            self.mixture.objectives,
            tuple(f"{name}.{s}" for name, of in self.mixture.objectives.items() for s in of.column.simulated),
            tuple(dict.fromkeys(warning for row in rows for warning in row.warnings)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: that of a choice, its rows and shadow prices beside it."""
        if self.mixture is None:
            return super().to_dict() | {"mixture": None, "shadow_prices": {}}
        rows = [
            {"row": c.row, "weight": weight, "model": c.model, "aggregator": c.aggregator, "k": c.k}
            | {"policy": c.course.policy if c.course else None}
            for c, weight in self.parts
        ]
        return super().to_dict() | {"mixture": rows, "shadow_prices": dict(self.mixture.shadow_prices)}


def choose_mixture(table: Candidates, scenario: Scenario) -> MixedChoice:
    """Choose the mixture of rows of the whole table in a scenario, or say why there is none.

    Raises:
        MooInferError: for limits that do not fit the table.
    """
    try:
        mixture = mix(table, scenario.limits)
    except NoSelection as error:
        return MixedChoice(scenario.name, MIXTURE, None, None, table, reason=str(error), pooled=True)
    except MooInferError as error:
        raise MooInferError(f"scenario {scenario.name!r}: {error}") from None
    names = dict.fromkeys(table.model[row] for row in mixture.rows.tolist())
    remarks = tuple(filter(None, (table.extrapolated(row) for row in mixture.rows.tolist())))
    return MixedChoice(
        scenario.name, MIXTURE, " + ".join(names), MIXTURE, table, remarks=remarks, pooled=True, mixture=mixture
    )
