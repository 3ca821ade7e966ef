"""One HTML file to share: the answer, its tables, and pictures to turn. The only importer of jinja2."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from html import escape
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import MooInferError, printable
from ..core.files import atomic_write, refuse_unwritable
from ..profiles import ModelProfile
from .answer import answer, headline, judge, running
from .by_label import blocks as of_label
from .details import figures
from .page_data import limit_with_unit, pictures, summary
from .wording import Block, TextTable, choices, title, to_html

if TYPE_CHECKING:
    from .report import Report

__all__ = ["page", "plain_page", "refuse_missing", "write_page"]

NEEDED = ("jinja2",)
# Of plotly.js the bundle with lines, points and 3-D, a third of the whole; MIT licence beside it.
PLOTLY = "plotly-gl3d.min.js"


def page(report: "Report", command: str | None = None) -> str:
    """Write a report as one HTML page that loads nothing.

    Args:
        report: the report.
        command: the command line that made it, or None.

    Raises:
        MooInferError: where jinja2 is missing (extra ``html``).

    >>> from moo_infer import Pipeline
    >>> text = page(Pipeline(selectors="utopia").run("gpt-5", "essay-feedback"))
    >>> text.startswith("<!doctype html>"), "use gpt-5 with k = 4 samples" in text
    (True, True)
    """
    refuse_missing()
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from ..core.version import __version__

    folder = files(__package__) / "page"
    sources = {name: (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")}
    plotly = (folder / PLOTLY).read_text(encoding="utf-8")
    drawn = _printable(pictures(report))
    # Names are other people's text: what reaches the page is printable, HTML apart, whatever stands in the template.
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    template = environment.from_string(sources["page.html"])
    return template.render(
        report=report,
        version=__version__,
        hashes=" ".join(map(_hash, (plotly, sources["page.js"]))),
        style=Markup(sources["page.css"]),
        script=Markup(sources["page.js"]),
        plotly=Markup(plotly),
        data=drawn,
        answers=Markup(to_html([*(headline(report, outcome) for outcome in report.outcomes), *of_label(report)])),
        paid=_paid(report),
        objectives=len(report.candidates.objectives),
        selectors=drawn["selectors"],
        aggregators=[{"name": a.name, "summary": summary(a)} for a in report.aggregators],
        scenarios=[
            {
                "name": outcome.scenario.name,
                "title": title(outcome),
                "contenders": Markup(to_html(running(report, [outcome], most=None))),
                "choices": Markup(to_html(choices(report, outcome))),
                "figures": Markup(to_html(figures(report, outcome))),
            }
            for outcome in report.outcomes
        ],
        assumed=Markup(to_html(_assumed(report))),
        several=len(report.candidates.aggregators) > 1,
        mapped=any(s["map"] for s in drawn["scenarios"]),
        thinned=_thinned(report, drawn),
        limits=Markup(to_html([_limits(report)])),
        models=Markup(to_html([_models(report.profiles)])) if report.profiles else "",
        made=Markup(to_html(_made(report, plotly[:200].partition("minified) v")[2].split()[0]))),
        command=command,
    )


def write_page(report: "Report", path: Path, command: str | None = None) -> None:
    """Write the page to a file, whole or not at all.

    Args:
        report: the report.
        path: the file; what stood there is replaced.
        command: the command line that made the report, or None.

    Raises:
        MooInferError: where it cannot be written; see also `page`.
    """
    refuse_missing()
    refuse_unwritable(path)
    text = page(report, command)
    with atomic_write(path) as target:
        target.write_text(text, encoding="utf-8", errors="replace", newline="\n")


def _printable(data: Any) -> Any:
    """Return data for JSON with every text in it printable."""
    if isinstance(data, dict):
        return {key: _printable(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_printable(value) for value in data]
    return printable(data) if isinstance(data, str) else data


def plain_page(title: str, blocks: Iterable[Block], /) -> str:
    """Write sentences and tables as an HTML page that loads nothing.

    >>> plain_page("<x>", ["one"]).endswith("<h1>&lt;x&gt;</h1><p>one</p></main></body></html>")
    True
    """
    style = (files(__package__) / "page" / "page.css").read_text(encoding="utf-8")
    name = escape(printable(title))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main><h1>{name}</h1>{to_html(blocks)}</main></body></html>"
    )


def refuse_missing() -> None:
    """Raise MooInferError where what pages are made with is missing (extra ``html``)."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise MooInferError(f"an HTML page needs {' and '.join(missing)}: pip install 'moo-infer[html]'")


def _hash(script: str) -> str:
    """Name an inline script in a Content-Security-Policy: no other script runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _paid(report: "Report") -> str:
    names = [o.name for o in report.candidates.objectives[1:]]
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "more work"


def _thinned(report: "Report", drawn: dict[str, Any]) -> str:
    points, rows = sum(len(curve["rows"]) for curve in drawn["curves"]), len(report.candidates)
    if points == rows:
        return ""
    return f"; of {rows} candidates {points} are drawn, closer together at small k, and every choice is among them"


def _assumed(report: "Report") -> list[str]:
    """Say on what the answer rests: the judge that it takes for granted, and what holds for all figures."""
    judges = dict.fromkeys(filter(None, (judge(answer(report, outcome)) for outcome in report.outcomes)))
    return [*(f"It holds {text}." for text in judges), *report.notes] or [
        "Nothing beyond the profiles and limits below."
    ]


def _limits(report: "Report") -> TextTable:
    rows = tuple(
        (s.name, tuple(limit_with_unit(report, limit) for limit in s.limits) or "none", s.source or "not given")
        for s in report.scenarios
    )
    return TextTable(("scenario", "limits, on the mean where no percentile is named", "source"), rows)


def _models(profiles: tuple[ModelProfile, ...]) -> TextTable:
    rows = tuple(
        (
            profile.name,
            str(profile.parallelism),
            _part(profile, "inference", profile.inference),
            tuple(line for i, cost in enumerate(profile.costs) for line in _part(profile, f"costs[{i}]", cost)),
            profile.source or "not given",
        )
        for profile in profiles
    )
    return TextTable(("model", "samples at a time", "one inference", "what it consumes", "source"), rows)


def _part(profile: ModelProfile, path: str, part: object) -> tuple[str, ...]:
    """A part of a profile and its numbers, with their uncertainty where it is given."""
    lines = [f"{getattr(part, 'name', type(part).__name__)}:"]
    for f in fields(part) if is_dataclass(part) else ():
        if getattr(part, f.name) is None:
            continue
        value, how = getattr(part, f.name), profile.uncertain.get(f"{path}.{f.name}")
        number = f"{value:.6g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
        if how is None:
            lines.append(f"  {f.name} = {number}")
        elif how.se is not None:
            lines.append(f"  {f.name} = {number} ± {how.se:g} (standard error)")
        else:
            lines.append(f"  {f.name} between {how.low:g} and {how.high:g}")
    return tuple(lines)


def _made(report: "Report", plotly: str) -> list[str]:
    from ..core.version import __version__

    trials = f"{report.estimator.trials} trials, seed {report.estimator.seed}"
    simulated = sorted(report.simulated)
    how = f"Simulated ({trials}): {', '.join(simulated)}." if simulated else "Nothing is simulated: all is exact."
    return [f"Estimator: {report.estimator.name}. {how}", f"moo_infer {__version__}, plotly.js {plotly}."]
