"""What a log says of its answers by other judgements than whether they are right: unsafe, format_ok, ..."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, NothingPossible
from ..core.moments import Moments
from ..quantities.bootstrap import QuestionDraws
from ..quantities.judged import JudgedQuery, is_share
from ..quantities.quantity import Quantity
from ..quantities.samples import Samples
from ..quantities.within import largest_variance, vote_variance
from ..read.log import Log
from ..report.wording import Block, Cell, TextTable
from .intervals import Interval, QuestionMeans
from .log_summary import INTERVALS, plain
from .options import ProfileOptions
from .report import figure, shown_rows

if TYPE_CHECKING:
    from .profiles import Calibration

__all__ = ["JudgedSummary", "judged_alike", "judged_summaries", "refuse_unread"]

CURVES: Mapping[str, tuple[str, Callable[[Quantity, IntArray], Moments]]] = {  # by the field, and what people read
    "vote_at_k": ("vote@k", Quantity.plurality),
    "best_scored_at_k": ("by score", Quantity.top),
    "best_at_k": ("one of the best", Quantity.max),
}


@dataclass(frozen=True, eq=False)
class JudgedSummary:
    """What the delivered answer of one model is worth by a judgement: means over questions, with intervals.

    Args:
        name: of the column.
        better: ``down`` or ``up``.
        k: (m,), ascending.
        one_call: of a single sample, shape ().
        curves: (m,), of the answer that the vote takes (``vote_at_k``), that with the highest score
            (``best_scored_at_k``) and one of the best by a perfect judge (``best_at_k``); without those that are none.
    """

    name: str
    better: str
    k: IntArray
    one_call: Interval
    curves: Mapping[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists for JSON; intervals are called as in `LogSummary.to_dict`."""
        result: dict[str, Any] = {"better": self.better}
        for name, known in {"one_call": self.one_call, **dict.fromkeys(CURVES), **self.curves}.items():
            result[name] = None if known is None else plain(known.value)
            for key, what in INTERVALS.items():
                ends = None if known is None else [getattr(known, f"{what}low"), getattr(known, f"{what}high")]
                result[f"{name}_{key}"] = None if ends is None else plain(np.stack(ends, axis=-1))
        return result

    def in_a_line(self) -> str:
        """What one call is worth, and the largest k."""
        ends = [f"{CURVES[name][0]} {' '.join(figure(curve, -1))}" for name, curve in self.curves.items()]
        k = f"; at k = {self.k[-1]}: {', '.join(ends)}" if ends and self.k[-1] > 1 else ""
        return f"{self.name} ({self.better} is better): one call {' '.join(figure(self.one_call))}{k}"

    def blocks(self) -> list[Block]:
        """Return a table of the powers of two and the largest k."""
        head = f"{self.name} of the delivered answer ({self.better} is better): one call"
        title = f"{head} {' '.join(figure(self.one_call))}."
        names = [CURVES[name][0] for name in self.curves]
        rows: list[tuple[Cell, ...]] = [
            (str(self.k[i]), *(figure(curve, i) for curve in self.curves.values())) for i in shown_rows(self.k)
        ]
        return [title, TextTable(("k", *names), tuple(rows), 1)]


def judged_summaries(kept: Samples, k: IntArray, options: ProfileOptions) -> dict[str, JudgedSummary]:
    """Estimate what delivered answers are worth by each judgement that all scored samples have.

    Args:
        kept: of one model, as profiles are made of them.
        k: (m,), ascending, each at most the fewest scored samples of a question.
        options: judgements, and the bootstrap.
    """
    log = kept.scored
    means = QuestionMeans(log, QuestionDraws(log.questions, options.B, options.seed), k, 0.95)
    return {name: _summary(means, name, better) for name, better in options.judged.items() if name in log.columns}


def _summary(means: QuestionMeans, name: str, better: str) -> JudgedSummary:
    log, k = means.log, means.k
    query, grades = JudgedQuery(log, name), not is_share(log[name])
    one = np.ones(1, dtype=np.int64)
    of_one = QuestionMeans(log, means.draws, one, means.confidence).share(
        query.accuracy.first(one).mean, largest_variance(log[name], log.question, one), grades=grades
    )
    curves = {}
    for field, (_, of) in CURVES.items():
        try:
            table: FloatArray = of(query.accuracy, k).mean
        except NothingPossible:
            continue
        within = None if grades or field != "vote_at_k" else vote_variance(query.judged, k)
        curves[field] = means.share(table, within, grades=grades)
    one_call = Interval(*(getattr(of_one, each)[0] for each in Interval.__match_args__))
    return JudgedSummary(name, better, k, one_call, curves)


def judged_alike(models: "list[Calibration]", options: ProfileOptions) -> "list[Calibration]":
    """Return models that are judged alike: a judgement that one of them lacks is left out of all, and said."""
    without = {
        name: [m.kept.model for m in models if name not in m.inference.get("judged", {})] for name in options.judged
    }
    notes = [
        f"{name} is left out, because not all samples of {', '.join(lacking)} are judged so"
        for name, lacking in without.items()
        if lacking
    ]
    for note in notes:
        warnings.warn(note, stacklevel=4)
    common = {name: better for name, better in options.judged.items() if not without[name]}
    found = []
    for model in models:
        inference = {key: of for key, of in model.inference.items() if key != "judged"}
        inference |= {"judged": common} if common else {}
        found.append(replace(model, inference=inference, notes=[*model.notes, *notes]))
    return found


def refuse_unread(log: Log, options: ProfileOptions) -> None:
    """Raise MooInferError for a judgement that was not read."""
    for name in options.judged:
        if name not in log.frame.columns:
            raise MooInferError(f"judged: the log was read without {name!r}; read_log(judged=[{name!r}]) reads it")
