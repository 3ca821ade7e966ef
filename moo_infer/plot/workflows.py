"""Picture of one workflow: when each stage runs, and which of them the whole waits for."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..core.arguments import typed
from ..core.errors import MooInferError
from ..core.objectives import ACCURACY, LATENCY
from ..decide.choices import Choice
from ..estimate.course import Course, StageCourse
from ..report.answer import contenders
from .style import COLOURS, GREY, LIGHT, plain

if TYPE_CHECKING:
    from ..report.report import Report

__all__ = ["feasible_workflows", "gantt", "stages"]

CRITICAL = 0.5  # of the queries: a stage that delays so many is drawn as one that delays all
BAR = 0.46  # of the height of a line
NAME = 60  # characters of a policy
SOMETIMES = 0.005, 0.995  # of the queries: between these a stage is critical in some of them


def feasible_workflows(report: "Report", scenario: str) -> list[str]:
    """Return the names of the workflows with rows that are feasible in a scenario."""
    chosen = contenders(report, report.outcome(scenario))
    return list(dict.fromkeys(c.course.workflow for c in chosen if c.course and c.course.workflow))


@typed()
def gantt(report: "Report", workflow: str | None = None, *, scenario: str | None = None) -> Figure:
    """Draw the stages of a workflow as bars from start to finish, those on the critical path in colour.

    Of its rows that is taken which the answer of the report is, or else would be among them.

    Args:
        report: whose table.
        workflow: its name; may be left out where there is one.
        scenario: may be left out where there is one.

    Raises:
        MooInferError: for names that the report does not have, and where nothing of it is feasible or no seconds are
            known.

    >>> from moo_infer import Pipeline, Stage, Tool, Workflow
    >>> stages = [Stage("search", tool=Tool(2, 0, 0.9)), Stage("read", tool=Tool(3, 0, 0.9), after=["search"])]
    >>> report = Pipeline(workflows={"agent": Workflow(stages)}, workflows_alone=True).run()
    >>> [text.get_text() for text in gantt(report).axes[0].get_yticklabels()]
    ['search\\ntool', 'read\\ntool']
    """
    choice = _row(report, workflow, scenario)
    assert choice.course is not None
    assert choice.figures is not None
    return stages(choice.course, {name: figures.mean for name, figures in choice.figures.objectives.items()})


def stages(course: Course, objectives: Mapping[str, float]) -> Figure:
    """Draw the stages of a workflow as bars from start to finish.

    Args:
        course: what they do.
        objectives: means of the whole.

    Raises:
        MooInferError: where no seconds are known.
    """
    steps = course.stages
    if LATENCY.name not in objectives:
        raise MooInferError(f"workflow {course.workflow!r} has no {LATENCY.name}, so that nobody knows when")
    figure = Figure(figsize=(9.6, 1.9 + 0.62 * len(steps)), layout="constrained")
    axes = figure.subplots()
    place = {stage.name: i for i, stage in enumerate(steps)}
    for i, stage in enumerate(steps):
        _bar(axes, i, stage)
        for before in stage.after:
            _arrow(axes, steps[place[before]], stage, place[before], i)
    axes.set_yticks(range(len(steps)), [_label(stage) for stage in steps])
    axes.set_ylim(len(steps) - 0.4, -0.6)
    end = max(stage.finish + stage.slack for stage in steps)
    axes.set_xlim(0, end * 1.28 or 1.0)  # room for the text behind the last bar
    axes.set_xlabel(f"time since the query came ({LATENCY.unit}), on average")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=LIGHT, lw=0.6)
    axes.set_axisbelow(True)
    seconds, right = objectives[LATENCY.name], 100 * objectives[ACCURACY.name]
    title = f"{plain(course.workflow)}: {seconds:.4g} {LATENCY.unit} a query, {right:.3g} % right"
    figure.suptitle(f"{title}; critical path {' → '.join(_critical(steps))}", x=0.02, ha="left")
    figure.legend(handles=_handles(steps), loc="outside lower left", ncols=3, frameon=False, fontsize=9)
    return figure


def _row(report: "Report", workflow: str | None, scenario: str | None) -> Choice:
    """The row that is drawn."""
    outcome = report.outcome(scenario)
    courses = [course for curve in report.candidates.curves for course in curve.courses if course.workflow]
    names = list(dict.fromkeys(course.workflow for course in courses))
    if not names:
        raise MooInferError("the table has no workflows; they stand in a file under workflows:")
    if workflow is None and len(names) > 1:
        raise MooInferError(f"there are several workflows, name one: {', '.join(names)}")
    if workflow is not None and workflow not in names:
        raise MooInferError(f"unknown workflow {workflow!r:.80}; available: {', '.join(names)}")
    wanted = workflow or names[0]
    for choice in contenders(report, outcome):
        if choice.course and choice.course.workflow == wanted:
            return choice
    raise MooInferError(f"workflow {wanted!r}: none of its rows is feasible in {outcome.scenario.name!r}")


def _bar(axes: Axes, i: int, stage: StageCourse) -> None:
    critical = stage.critical >= CRITICAL
    width = stage.finish - stage.start
    axes.barh(i, width, BAR, stage.start, color=COLOURS[1] if critical else COLOURS[5], zorder=3)
    if stage.slack > 0 and not critical:
        axes.barh(i, stage.slack, BAR / 4, stage.finish, color=LIGHT, zorder=2)
    shown = [f"{stage.means[LATENCY.name]:.3g} {LATENCY.unit}", f"right {100 * stage.means[ACCURACY.name]:.3g} %"]
    low, high = SOMETIMES
    if low < stage.critical < high:
        shown.append(f"waited for in {100 * stage.critical:.0f} % of queries")
    axes.annotate(
        ", ".join(shown), (stage.finish + (stage.slack if not critical else 0.0), i), (6, 0), va="center",
        textcoords="offset points", fontsize=9, zorder=4,
        bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )  # fmt: skip


def _arrow(axes: Axes, before: StageCourse, stage: StageCourse, i: int, j: int) -> None:
    """From the end of a stage to the beginning of one that waits for it."""
    both = min(before.critical, stage.critical) >= CRITICAL
    down = 1 if j > i else -1
    axes.annotate(
        "", (stage.start, j - down * BAR / 2), (before.finish, i + down * BAR / 2), zorder=2,
        arrowprops={
            "arrowstyle": "->", "color": COLOURS[1] if both else GREY, "lw": 1.6 if both else 0.9,
            "shrinkA": 0, "shrinkB": 0,
        },
    )  # fmt: skip


def _critical(stages: Sequence[StageCourse]) -> list[str]:
    """The stages that are waited for in most queries, in the order in which they start."""
    ordered = sorted(stages, key=lambda stage: (stage.start, stage.finish))
    return [plain(stage.name) for stage in ordered if stage.critical >= CRITICAL]


def _label(stage: StageCourse) -> str:
    models = f"{' > '.join(stage.models)}, " if stage.models else ""
    return f"{plain(stage.name)}\n{plain(models + stage.label, NAME)}"


def _handles(stages: Sequence[StageCourse]) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [Patch(color=COLOURS[1], label="critical path: sooner here is sooner done")]
    if any(stage.critical < CRITICAL for stage in stages):
        handles += [
            Patch(color=COLOURS[5], label="not waited for in most queries"),
            Line2D([], [], color=LIGHT, lw=4, label="how much later it could be done"),
        ]
    return handles
