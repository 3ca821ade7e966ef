"""The answer people came for: one row within the limits, what else was in the running, and how sure that is."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.objectives import ACCURACY, COST, Limit, quantile_of
from ..decide.choices import Choice
from .facts import Outcome
from .mixed import action, bought, percent
from .per_right import per_right
from .policies import courses, does, optimism, way
from .wording import JUDGES, Block, Cell, TextTable, choices, footnotes, loosened, title, to_html

if TYPE_CHECKING:
    from .report import Report

__all__ = ["answer", "contenders", "headline", "judge", "notebook", "running", "sure", "tables"]

MOST = 10  # contenders that are shown
APART = 1.96  # standard errors of a paired difference that tell two rows apart, at 95 %


def answer(report: "Report", outcome: Outcome) -> Choice:
    """Return the mixture where that is the goal, else what the selector that opens the report chooses of the pool."""
    return outcome.mixture or _best_row(report, outcome)


def _best_row(report: "Report", outcome: Outcome) -> Choice:
    """What the selector that opens the report chooses over the whole pool."""
    return next(choice for choice in outcome.pooled if choice.selector == report.headline)


def contenders(report: "Report", outcome: Outcome) -> list[Choice]:
    """Return what that selector chooses of every model and aggregator, the answer first, then the most accurate."""
    mine = [choice for choice in outcome.of_curves if choice.selector == report.headline and choice.row is not None]
    table, best = report.candidates, _best_row(report, outcome)
    row = best.row
    seen: set[tuple[Any, ...]] = set()
    for choice in [*mine]:  # of a model: a vote of one is one call
        figures = (choice.model, *table.means[choice.row])
        mine = [c for c in mine if c is not choice] if figures in seen and choice.row != row else mine
        seen.add(figures)
    accuracy = table.column(ACCURACY.name)
    if row is not None and row not in [choice.row for choice in mine]:
        mine.append(best)
    mine.sort(key=lambda choice: (choice.row != row, -accuracy[choice.row], choice.row))
    if outcome.mixture is None or outcome.mixture.figures is None:
        return mine
    whole = [part.row for part, weight in outcome.mixture.parts if weight == 1]  # which is the row itself
    return [outcome.mixture, *(choice for choice in mine if choice.row not in whole)]


def judge(choice: Choice) -> str | None:
    """Say what an aggregator takes for granted: that somebody, or something, can tell right answers."""
    answering: list[tuple[int | None, Sequence[str | None]]] = []
    for part, _ in choice.parts:
        stages = [(stage.k, stage.answering) for stage in part.course.stages] if part.course else []
        answering += stages or [(part.k, part.course.answering if part.course else (part.aggregator,))]
    texts = [JUDGES[name].format(k=k) for k, names in answering for name in names if k != 1 and name in JUDGES]
    return " and ".join(dict.fromkeys(texts)) or None


def sure(report: "Report", choice: Choice) -> dict[str, Any] | None:
    """Return how sure an answer is.

    Returns:
        ``share`` of the draws in which the same row was chosen, and the ``runner_up`` among them, both None where
        nothing was drawn; ``told_apart``, whether its accuracy differs from that of the best other contender by more
        than chance, None where no log tells. None without an answer.
    """
    if choice.row is None:
        return None
    shares = report.shares(choice)
    others = [share for share in shares if share.row not in (choice.row, None)]
    share = sum(s.share for s in shares if s.row == choice.row) if shares else None
    up = others[0] if others else None
    runner_up = up and {"model": up.model, "aggregator": up.aggregator, "k": up.k, "share": up.share}
    return {"share": share, "runner_up": runner_up, "told_apart": _told_apart(report, choice)}


def _told_apart(report: "Report", choice: Choice) -> bool | None:
    table, outcome = report.candidates, report.outcome(choice.scenario)
    others = [c.row for c in contenders(report, outcome) if c.row not in (None, choice.row)]
    if not others or choice.row is None:
        return None
    accuracy, error = table.column(ACCURACY.name), table.paired_stderr(ACCURACY.name, choice.row)
    best = max(others, key=lambda row: accuracy[row])
    if math.isnan(error[best]):
        return None
    return bool(abs(accuracy[best] - accuracy[choice.row]) > APART * error[best])


def headline(report: "Report", outcome: Outcome) -> str:
    """Answer in a sentence, or say why there is no answer."""
    scenario, choice = outcome.scenario, answer(report, outcome)
    if choice.figures is None:
        return f"{scenario.name}: no recommendation: {choice.reason}."
    table = report.candidates
    figures = ", ".join(_mean(report, outcome, choice, objective.name) for objective in table.objectives)
    rows = [part.row for part, _ in choice.parts if part.row is not None]
    beyond = "; ".join(dict.fromkeys(filter(None, map(table.extrapolated, rows))))
    doubts = "".join(f" But {doubt}." for doubt in dict.fromkeys(doubt for row in rows for doubt in table.doubts(row)))
    assumed = f", {judge(choice)}" if judge(choice) else ""
    return (
        f"{scenario.name}: {action(choice)}: {figures} on average{assumed}{beyond and f'; {beyond}'}."
        f"{does(choice)}{bought(outcome, choice)}{_how_sure(report, choice)}{optimism(outcome)}{doubts}"
    )


def _mean(report: "Report", outcome: Outcome, choice: Choice, objective: str) -> str:
    """A mean with its unit, its interval where a log gives one, and the quantile that is limited."""
    assert choice.figures is not None
    statistics = choice.figures.objectives[objective]
    column = report.candidates.objectives[report.candidates.index(objective)]
    unit, of_share = column.unit, column.scale is not None
    text = f"{objective} {statistics.mean:.4g}"
    interval = _interval(report, choice) if objective == ACCURACY.name else of_share and statistics.interval
    if interval:
        text = f"{objective} {statistics.mean:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
    text = f"{text} {unit}".rstrip()
    limited = [limit.statistic for limit in outcome.scenario.limits if limit.objective == objective]
    quantiles = [f"{s} {statistics.quantile(quantile_of(s)):.4g} {unit}".rstrip() for s in limited if s != "mean"]
    return f"{text} ({', '.join(quantiles)})" if quantiles else text


def _interval(report: "Report", choice: Choice) -> tuple[float, float] | None:
    """Between which two values the accuracy would be on other questions, or by uncertain numbers; None for neither."""
    assert choice.figures is not None
    if interval := choice.figures.objectives[ACCURACY.name].interval:
        return interval
    by_numbers = report.stable is not None and report.stable.source == "parameters"
    drawn = report.drawn(choice, ACCURACY.name) if by_numbers else None
    return drawn if drawn and drawn[0] < drawn[1] else None  # its numbers may all be certain


def _how_sure(report: "Report", choice: Choice) -> str:
    """Say in which share of the draws the same row was chosen, what was next, and how likely a limit is broken."""
    known = sure(report, choice) or {}
    said = ""
    if report.stable and known.get("share") is not None:
        up = known["runner_up"]
        after = f", then {up['model']} {up['aggregator']} k = {up['k']} ({100 * up['share']:.0f} %)" if up else ""
        said = f" The same row in {100 * known['share']:.0f} % of {report.stable.draws} draws{after}."
        if risk := report.stable.broken.get(choice.key, 0.0):
            percent = f"{100 * risk:.0f}" if risk >= 0.01 else "less than 1"
            said += f" In {percent} % of the draws a choice so made breaks a limit on the given values."
    if known.get("told_apart") is False:
        said += " Its accuracy is not told apart from that of the best other contender."
    return said


def running(report: "Report", outcomes: Sequence[Outcome], most: int | None = MOST) -> list[Block]:
    """Return the table of contenders of some scenarios, so many of all at most, and how many were left out."""
    most, several = None if most is None else max(1, most // len(outcomes)), len(outcomes) > 1
    policies = any(choice.course for outcome in outcomes for choice in contenders(report, outcome)[:most])
    rows: list[tuple[Cell, ...]] = []
    left_out = 0
    for outcome in outcomes:
        mine = contenders(report, outcome)
        left_out += 0 if most is None else len(mine[most:])
        scenario = [outcome.scenario.name] * several
        rows += [(*scenario, *_cells(report, outcome, choice, policies)) for choice in mine[:most]]
    if not rows:
        return []
    objectives = [o for o in report.candidates.objectives if o != ACCURACY]
    units = [o.unit for o in objectives]
    header: list[str] = [*["scenario"] * several, "model", "k", *["calls", "waves"] * policies, "accuracy"]
    header += [o.unit if o.unit and units.count(o.unit) == 1 else o.name for o in objectives]
    header += [f"{limit.statistic} {limit.objective}" for limit in _on_quantiles(report.outcomes)]
    header += ["USD per right"] * (_room(report) and COST in objectives) + ["how sure"] * bool(report.stable)
    blocks: list[Block] = [TextTable(tuple(header), tuple(rows), several + 1)]
    if left_out:
        more = "contender is" if left_out == 1 else "contenders are"
        blocks.append(f"{left_out} more {more} left out; --json has all.")
    return blocks


def _room(report: "Report") -> bool:
    """Whether a column more fits into 80 columns; what it would show is in the details and in JSON anyway."""
    return len(report.outcomes) == 1 and not report.stable and not _on_quantiles(report.outcomes)


def _on_quantiles(outcomes: Sequence[Outcome]) -> list[Limit]:
    """The limits on quantiles of the scenarios, each objective and statistic once."""
    limits = [limit for outcome in outcomes for limit in outcome.scenario.limits if limit.statistic != "mean"]
    return list({(limit.objective, limit.statistic): limit for limit in limits}.values())


def _cells(report: "Report", outcome: Outcome, choice: Choice, policies: bool) -> list[Cell]:
    """The figures of a contender; see `running`."""
    assert choice.figures is not None
    statistics = choice.figures.objectives
    accuracy: Cell = f"{statistics[ACCURACY.name].mean:.4g}"
    if interval := _interval(report, choice):
        accuracy = (f"{statistics[ACCURACY.name].mean:.3f}", f"[{interval[0]:.3f}, {interval[1]:.3f}]")
    several = len(report.candidates.aggregators) > 1
    cells: list[Cell] = [way(choice) if several else str(choice.model), str(choice.k), accuracy]
    if len(choice.parts) > 1:  # a mixture: a line for each of its rows
        shares = [f"{percent(weight)} {part.model}, {part.aggregator}" for part, weight in choice.parts]
        cells[:2] = tuple(shares), tuple(str(part.k) for part, _ in choice.parts)
    cells[2:2] = courses(choice) if policies else ()
    cells += [f"{statistics[o.name].mean:.4g}" for o in report.candidates.objectives if o != ACCURACY]
    limits = _on_quantiles(report.outcomes)
    cells += [f"{statistics[limit.objective].quantile(quantile_of(limit.statistic)):.4g}" for limit in limits]
    each = per_right(choice, {}) if _room(report) else {}
    cells += [f"{usd:.4g}" for name, usd in each.items() if name == COST.name]
    if report.stable:
        same = sum(share.share for share in report.shares(_best_row(report, outcome)) if share.row == choice.row)
        cells.append("" if choice.row is None else f"{100 * same:.0f} %")
    return cells


def tables(report: "Report", *, by_selector: bool) -> list[Block]:
    """Return what stands below the answers.

    Args:
        by_selector: by scenario the k of every model and selector, as the paper shows them, in place of the contenders.
    """
    if by_selector:
        return [block for outcome in report.outcomes for block in ("", title(outcome), *choices(report, outcome))]
    blocks: list[Block] = running(report, report.outcomes)
    if len(report.outcomes) == 1:
        (outcome,) = report.outcomes
        blocks = ["", title(outcome), *running(report, report.outcomes), *loosened(outcome)]
        mine = answer(report, outcome)
        blocks += footnotes([mine]) if mine.row is not None else []
    return blocks


def notebook(report: "Report", more: Sequence[Block] = ()) -> str:
    """Write the answer, the compact tables and more as plain HTML, every name escaped."""
    answers = [headline(report, outcome) for outcome in report.outcomes]
    return to_html([*answers, *tables(report, by_selector=report.by_selector), *more, *report.notes])
