"""Reports as text for people, 80 columns wide."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .candidates import Candidates
from .decisions import Choice
from .feasibility import describe
from .profiles import Scenario
from .stability import Share

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .report import Report

__all__ = ["render", "write"]

WIDTH = 80
SELECTORS_ABREAST = 5
SURE_ABREAST = 4  # cells that also say how sure a choice is are wider


def write(report: "Report", *, details: bool) -> str:
    """Write the headline of every scenario, then a table per scenario, then what holds for all."""
    blocks: list[RenderableType] = [_headline(report, scenario) for scenario in report.scenarios]
    for scenario in report.scenarios:
        blocks += ["", *(_details(report, scenario) if details else _compact(report, scenario))]
    return render(*blocks, *_notes(report))


def render(*blocks: "RenderableType") -> str:
    """Render blocks of text and tables, 80 columns wide, without colour or trailing blanks."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, markup=False, emoji=False)
    for block in blocks:
        console.print(block)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO from above
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _headline(report: "Report", scenario: Scenario) -> str:
    choice = report.choice(report.headline, scenario=scenario.name)
    if choice.row is None:
        return f"{scenario.name}: no recommendation: {choice.reason}."
    means = zip(report.candidates.objectives, report.candidates.means[choice.row], strict=True)
    figures = ", ".join(f"{o.name} {mean:.4g} {o.unit}".rstrip() for o, mean in means)
    models, aggregators = (len(set(names)) for names in zip(*report.candidates.labels, strict=True))
    pool = [f"{n} {what}" for n, what in ((models, "models"), (aggregators, "aggregators")) if n > 1]
    among = f" among {' x '.join(pool)}" if pool else ""
    return (
        f"{scenario.name}: use {choice.model} with k = {choice.k} samples, {choice.aggregator} "
        f"({choice.parallelism} at a time): {figures} on average"
        f" (the {report.headline} choice{among})."
    )


def _notes(report: "Report") -> list[str]:
    notes = []
    for scenario in report.scenarios:
        limited = {limit.objective for limit in scenario.limits}
        free = [o for o in report.candidates.objectives if o.scale is None and o.name not in limited]
        scales = report.candidates.feasible(scenario.limits).scales
        listed = ", ".join(f"{o.name} by {scales[o.name]:.4g} {o.unit}".rstrip() for o in free)
        if free:
            notes.append(f"{scenario.name}: scaled by the largest mean, for want of a limit: {listed}.")
    if len(set(report.candidates.labels)) > len({model for model, _ in report.candidates.labels}):
        notes.append("Accuracy means what each aggregator makes of it; compare aggregators only where that agrees.")
    if report.stable:
        what = {"parameters": "the uncertain parameters", "simulation": "the simulated trials (bootstrap)"}
        notes.append(f"Behind k: share of {report.stable.draws} draws of {what[report.stable.source]} that agree.")
    if report.held:
        confidence = next(iter(report.held.values())).confidence
        notes.append(f"Feasible: where the limits hold in {100 * confidence:g} % of the draws of the parameters.")
    if report.estimator.name != "exact":
        notes.append(f"Simulated with {report.estimator.trials} trials, seed {report.estimator.seed}.")
    elif any(
        f"{limit.objective}.low" in report.simulated
        for s in report.scenarios
        for limit in s.limits
        if limit.statistic != "mean"
    ):
        notes.append(
            f"Limited quantiles are simulated, {report.estimator.trials} trials, seed {report.estimator.seed}."
        )
    return ["", *notes] if notes else []


def _title(scenario: Scenario, candidates: Candidates) -> str:
    units = {o.name: o.unit for o in candidates.objectives}
    limits = ", ".join(f"{limit} {units.get(limit.objective, '')}".rstrip() for limit in scenario.limits)
    return f"{scenario.name}: k within {limits}" if limits else f"{scenario.name}: k without limits"


def _compact(report: "Report", scenario: Scenario) -> "list[RenderableType]":
    """Models down, selectors across, k in the cells; what is marked or missing stands below."""
    from rich import box
    from rich.table import Table

    choices = [c for c in report.rows if c.scenario == scenario.name]
    pooled = [c for c in report.recommended if c.scenario == scenario.name]
    selectors = list(dict.fromkeys(c.selector for c in choices))
    several = len({c.aggregator for c in choices}) > 1
    blocks: list[RenderableType] = [_title(scenario, report.candidates)]
    width = SURE_ABREAST if report.stable else SELECTORS_ABREAST
    for start in range(0, len(selectors), width):
        abreast = selectors[start : start + width]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        table.add_column("model", overflow="fold")
        if several:
            table.add_column("aggregator", overflow="fold")
        for selector in abreast:
            table.add_column(selector, justify="right", overflow="fold")
        for model, aggregator in report.candidates.labels:
            mine = [c for c in choices if (c.model, c.aggregator) == (model, aggregator)]
            cells = {c.selector: _cell(c, report.shares(c, pooled=False)) for c in mine}
            label = [model, aggregator] if several else [model]
            table.add_row(*label, *(cells[selector] for selector in abreast))
        blocks.append(table)
    if len(report.candidates.labels) > 1:
        named = [
            f"{c.selector}: {c.model}{f' {c.aggregator}' * several} k = {_cell(c, report.shares(c, pooled=True))}"
            for c in pooled
            if c.k
        ]
        if named:
            blocks.append(f"Over all: {'; '.join(named)}.")
    if scenario.limits:
        lines = [describe(report.candidates, relaxation) for relaxation in report.relaxations(scenario)]
        blocks.append("If one limit were loosened:\n" + "\n".join(f"  {line}." for line in lines))
    return blocks + _footnotes([*choices, *(pooled if len(report.candidates.labels) > 1 else [])])


def _cell(choice: Choice, shares: Sequence[Share] = ()) -> str:
    """The chosen k, marked where there is a remark, and in which share of the draws the same row was chosen."""
    k = "-" if choice.k is None else f"{choice.k}{'*' * bool(choice.remarks)}"
    whose = (choice.model, choice.aggregator, choice.k) if choice.k else (None, None, None)
    same = [s.share for s in shares if (s.model, s.aggregator, s.k) == whose]
    return f"{k} ({100 * sum(same):.0f} %)" if shares else k


def _footnotes(choices: Sequence[Choice]) -> "list[RenderableType]":
    """Remarks and reasons, each once; the figures in parentheses are left to the details."""
    remarks: dict[tuple[str, str], int] = {}
    reasons: dict[tuple[str, str], list[str]] = {}
    for choice in choices:
        for remark in choice.remarks:
            key = (choice.selector, remark.split(" (")[0])
            remarks[key] = remarks.get(key, 0) + 1
        if choice.k is None:
            who = choice.model or "over all"
            reasons.setdefault((who, choice.reason), []).append(choice.selector)
    notes = [
        f"* {selector}: {remark} ({count} cell{'s' * (count > 1)})." for (selector, remark), count in remarks.items()
    ]
    for (who, reason), selectors in reasons.items():
        every = len(set(selectors)) == len({c.selector for c in choices}) > 1
        notes.append(f"- {who}: {reason if every else f'{_and(selectors)}: {reason}'}.")
    return list(notes)


def _and(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _details(report: "Report", scenario: Scenario) -> "list[RenderableType]":
    """Every figure: mean and standard deviation, 95 % range over trials, and the mean per inference."""
    from rich import box
    from rich.table import Table

    groups = {
        f"{model}, {aggregator}": [
            c for c in report.rows if (c.scenario, c.model, c.aggregator) == (scenario.name, model, aggregator)
        ]
        for model, aggregator in report.candidates.labels
    }
    if len(groups) > 1:
        groups["over all"] = [c for c in report.recommended if c.scenario == scenario.name]
    blocks: list[RenderableType] = [_title(scenario, report.candidates)]
    for label, group in groups.items():
        table = Table(box=box.SIMPLE_HEAD, title=label, title_justify="left", pad_edge=False, padding=(0, 1))
        table.add_column("selector", overflow="fold")
        table.add_column("k", justify="right")
        for o in report.candidates.objectives:
            table.add_column(f"{o.name} {o.unit}".strip(), justify="right", overflow="fold")
        chosen = [choice for choice in group if choice.figures]
        for choice in chosen:
            whose = "\n".join(filter(None, (choice.selector, choice.model, choice.aggregator)))
            name = whose if label == "over all" else choice.selector
            cells = [_figures(choice, o.name) for o in report.candidates.objectives]
            table.add_row(name, _cell(choice), *cells)
        blocks += ["", table] if chosen else ["", label]
        reasons: dict[str, list[str]] = {}
        for choice in group:
            blocks += [f"* {choice.selector}: {warning}." for warning in choice.warnings]
            if choice.row is None:
                reasons.setdefault(choice.reason, []).append(choice.selector)
        blocks += [f"- {_and(selectors)}: {reason}." for reason, selectors in reasons.items()]
        for choice in group:
            if shares := report.shares(choice, pooled=label == "over all"):
                blocks.append(f"{choice.selector}, how sure: {_listed(shares, label == 'over all')}.")
    legend = "Each cell: mean ± standard deviation over trials, [2.5 %, 97.5 %], mean per inference"
    simulated = any(c.figures and c.figures.simulated for group in groups.values() for c in group)
    return [*blocks, "", f"{legend}{'; ~ simulated' * simulated}."]


def _listed(shares: Sequence[Share], named: bool, most: int = 4) -> str:
    """The largest shares in words: k = 8 (92 %), 12 (8 %)."""

    def one(share: Share) -> str:
        who = "nothing" if share.k is None else f"{share.model} k = {share.k}" if named else str(share.k)
        return f"{who} ({100 * share.share:.3g} %)"

    rest = len(shares) - most
    return ("" if named else "k = ") + ", ".join(one(s) for s in shares[:most]) + (f", {rest} more" if rest > 0 else "")


def _figures(choice: Choice, objective: str) -> str:
    assert choice.figures is not None
    s = choice.figures.objectives[objective]

    def number(statistic: str) -> str:
        value = float(getattr(s, statistic))
        tilde = "~" * (f"{objective}.{statistic}" in choice.figures.simulated)  # type: ignore[union-attr]  # checked above
        return f"{tilde}{value:.4g}" if math.isfinite(value) else "?"

    lines = [f"{number('mean')} ± {number('std')}", f"[{number('low')}, {number('high')}]"]
    if choice.candidates.objectives[choice.candidates.index(objective)].scale is None:
        lines.append(f"{s.mean / choice.figures.k:.4g} each")
    return "\n".join(lines)
