"""What changed between two sweeps over the same settings."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.errors import MooInferError
from ..core.objectives import ACCURACY
from .changes import ChoiceChange, Diff, NumberChange
from .diff import choice_change, number_changes
from .sweeps import settings_of

if TYPE_CHECKING:
    import polars

__all__ = ["diff_sweeps"]


def diff_sweeps(old: "polars.DataFrame", new: "polars.DataFrame", /) -> Diff:
    """Compare two sweeps point by point.

    That a choice changed is taken for noise where draws of both sweeps chose the other row: prices and limits are none
    of what a frame says, so that they may have changed as well.

    Args:
        old, new: as `moo_infer.read_sweep` gives them.

    Raises:
        MooInferError: where they are over different settings.
    """
    settings, others = settings_of(old), settings_of(new)
    if sorted(settings) != sorted(others):
        raise MooInferError(
            f"the old sweep is over {', '.join(settings)}, the new one over {', '.join(others)}; give two over the same"
        )
    several = [
        name for name in ("scenario", "selector") if any(f[name].drop_nulls().n_unique() > 1 for f in (old, new))
    ]
    before, after = (_by_point(frame, [*settings, *several]) for frame in (old, new))
    choices: list[ChoiceChange] = []
    numbers: list[NumberChange] = []
    for where in dict.fromkeys([*before, *after]):
        rows = before.get(where), after.get(where)
        choices.append(choice_change(where, *rows, by_cause=True, of=("sweep", "point")))
        if rows[0] and rows[1] and rows[0]["objectives"] and rows[1]["objectives"]:
            numbers += number_changes(where, rows[0], rows[1], {ACCURACY.name})
    return Diff("sweep", tuple(choices), tuple(numbers), ())


def _by_point(frame: "polars.DataFrame", apart: list[str]) -> dict[str, dict[str, Any]]:
    """The rows of a sweep by what they are about, told by some columns, in the form that `recommend` writes."""
    objectives: dict[str, dict[str, str]] = {}
    for column in frame.columns[frame.columns.index("state") :]:
        name, dot, statistic = column.rpartition(".")
        if dot:
            objectives.setdefault(name, {})[statistic] = column
    found: dict[str, dict[str, Any]] = {}
    for row in frame.iter_rows(named=True):
        where = ", ".join(f"{name} = {_written(row[name])}" for name in apart)
        draws = row["draws"] and {"shares": row["draws"]}
        found[where] = {name: row[name] for name in ("scenario", "model", "aggregator", "k")} | {
            "stability": draws,
            "objectives": {name: _figures(row, of) for name, of in objectives.items()}
            if row["k"] is not None
            else None,
        }
    return found


def _written(value: object) -> str:
    """A setting as a text: 1 is the same whether the other values beside it are whole numbers or not.

    >>> _written(1), _written(1.0), _written(0.5), _written(None)
    ('1', '1', '0.5', 'None')
    """
    return f"{int(value)}" if isinstance(value, float) and value.is_integer() else f"{value}"


def _figures(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """The figures of an objective."""
    ends = [row[columns[end]] for end in ("interval_low", "interval_high")]
    interval = None if None in ends else {"other_questions": ends}
    return {statistic: row[column] for statistic, column in columns.items()} | {"interval": interval}
