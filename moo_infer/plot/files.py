"""Writing all pictures of a report into a folder, or none."""

import io
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from ..core.arguments import typed
from ..core.errors import MooInferError, printable, unknown
from ..core.files import exchanged
from ..core.objectives import ACCURACY
from ..decide.candidates import Candidates
from .curves import page
from .maps import decisions
from .policies import policies
from .pools import front, stability
from .spaces import space
from .style import axes_of
from .workflows import feasible_workflows, gantt

if TYPE_CHECKING:
    from ..report.report import Report

__all__ = ["FORMATS", "Picture", "png", "refuse_no_folder", "save", "write"]

FORMATS = ("png", "svg", "pdf")
INDEX = "index.html"
DPI = 120  # of a PNG: figures 9.6 inches wide have 1152 pixels
DATES = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}  # left out, so that the same report gives the same bytes
LENGTH = 60  # of a name within a file name
# The words of a file name, and what makes the figure.
Picture = tuple[Sequence[str], Callable[[], Figure]]


@typed()
def save(
    report: "Report",
    folder: str | Path,
    format: str = "png",
    *,
    axes: Sequence[str] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Path]:
    """Write all pictures of a report into a folder: either all of them, or none.

    A folder that is new, empty, or holds nothing but these pictures changes in one step, so that not even a process
    that is killed leaves old and new ones together. Where the folder holds other files, which stay, or the system
    cannot exchange two folders (Linux and macOS can), pictures are renamed one directly after the other.

    By scenario: the front, the decisions (where there are two objectives), the stability (where it was asked for); by
    scenario, model and aggregator: the space (where there are three objectives) and the page, but for curves on which
    more samples are worth no more. ``index.html`` shows them all. Files of the same name are replaced.

    Args:
        report: what to draw.
        folder: made if it is missing.
        format: ``png``, ``svg`` or ``pdf``.
        axes: three objectives for the space; None for the first two but accuracy, and accuracy.
        progress: told (done, total, what) before every picture.

    Returns:
        The pictures, in the order of scenarios and models.

    Raises:
        MooInferError: for an unknown format or objective, and where the folder cannot be written.

    >>> from moo_infer import Pipeline
    >>> report = Pipeline(k_max=16).run("gpt-5", "essay-feedback")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in save(report, folder)]
    ['essay-feedback_front.png', 'essay-feedback_decisions.png', 'essay-feedback_gpt-5_space.png', \
'essay-feedback_gpt-5_page.png']
    """
    if axes is not None:
        if len(axes) != 3:
            raise MooInferError(f"axes: must be three objectives, got {axes!r}")
        axes_of(report.candidates, list(axes))
    return write(list(_pictures(report, axes)), folder, format, progress)


def write(
    pictures: Sequence[Picture],
    folder: str | Path,
    format: str = "png",
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Path]:
    """Write pictures into a folder: either all of them, or none.

    Args:
        pictures: the words of each file name, and what makes the figure.
        folder, format, progress: see `save`.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    target = Path(folder)
    made = refuse_no_folder(target)
    names = _names([words for words, _ in pictures], format)
    try:
        with suppress(FileNotFoundError):
            target.lstat()  # a name that is too long shows here, and not when all is drawn
        target.parent.mkdir(parents=True, exist_ok=True)
        # Pictures are drawn beside their places and moved there when all are done.
        with tempfile.TemporaryDirectory(dir=_beside(target), prefix=".moo-infer-") as temporary:
            drawn = Path(temporary) / "pictures"  # with the mode that folders have here, which a temporary one has not
            drawn.mkdir()
            for done, (name, (words, draw)) in enumerate(zip(names, pictures, strict=True)):
                if progress:
                    progress(done, len(pictures), f"drawing {', '.join(words)}")
                with rc_context({"svg.hashsalt": "moo_infer"}):  # numbers the parts of an SVG alike in every run
                    draw().savefig(drawn / name, dpi=DPI, metadata=DATES.get(format))
            (drawn / INDEX).write_text(_index(names, pictures), encoding="utf-8", newline="\n")
            if taken := next((name for name in (*names, INDEX) if (target / name).is_dir()), None):
                raise MooInferError(f"cannot write {target / taken}: it is a folder")
            _put(drawn, target, [*names, INDEX])
    except OSError as error:
        _remove(made)
        raise MooInferError(f"cannot write pictures to {target}: {error.strerror or error}") from None
    except BaseException:
        _remove(made)
        raise
    return [target / name for name in names]


def refuse_no_folder(target: Path, /) -> list[Path]:
    """Return the folders that would have to be made for pictures.

    Raises:
        MooInferError: where something else stands in their place.
    """
    made = [path for path in (target, *target.parents) if not os.path.lexists(path)]
    there = next(path for path in (target, *target.parents) if path not in made)
    if not os.path.isdir(there):
        culprit = "it" if there == target else there
        raise MooInferError(f"cannot write pictures to {target}: {culprit} must be a folder")
    return made


def _beside(target: Path) -> Path:
    """The folder in which a temporary one is made: the one around the target, or the target where that is read-only."""
    around = Path(os.path.realpath(target)).parent
    return around if os.access(around, os.W_OK) or not target.exists() else target


def _put(drawn: Path, target: Path, names: Sequence[str]) -> None:
    """Put the pictures of a folder into their places: the folder itself where nothing else is there, in one step."""
    final = Path(os.path.realpath(target))
    if not final.exists():
        drawn.rename(final)
        return
    before = final.stat()
    drawn.chmod(before.st_mode & 0o7777)
    now = drawn.stat()
    alike = (now.st_mode, now.st_uid, now.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    if alike and os.access(final, os.W_OK) and {*os.listdir(final)} <= {*names} and exchanged(drawn, final):
        for name in {*os.listdir(drawn)} - {*names}:  # somebody has just put it there
            shutil.move(drawn / name, final / name)
        return
    for name in names:
        (drawn / name).replace(final / name)


def _pictures(report: "Report", axes: Sequence[str] | None) -> Iterator[Picture]:
    objectives = len(report.candidates.objectives)
    models, aggregators = report.candidates.models, report.candidates.aggregators
    labels = {curve.label for curve in report.candidates.curves}
    for scenario in [s.name for s in report.scenarios]:
        if objectives > 1:
            yield (scenario, "front"), partial(front, report, scenario=scenario)
            if any(curve.courses for curve in report.candidates.curves):
                yield (scenario, "policies"), partial(policies, report, scenario=scenario)
            yield (scenario, "decisions"), partial(decisions, report, scenario=scenario)
        for name in feasible_workflows(report, scenario):
            yield (scenario, name, "stages"), partial(gantt, report, name, scenario=scenario)
        if report.stable:
            yield (scenario, "stability"), partial(stability, report, scenario=scenario)
        for model in models:
            for aggregator in aggregators:
                if (model, aggregator) not in labels or _flat(
                    report.candidates.where(model=model, aggregator=aggregator)
                ):
                    continue
                words = (scenario, model, aggregator) if len(aggregators) > 1 else (scenario, model)
                curve = {"scenario": scenario, "model": model, "aggregator": aggregator}
                if objectives > 2:
                    yield (*words, "space"), partial(space, report, **curve, axes=axes)
                yield (*words, "page"), partial(page, report, **curve)


def _index(names: Sequence[str], pictures: Sequence[Picture]) -> str:
    """A page that shows all pictures of its folder, those of a scenario below each other; a PDF is linked."""
    parts: list[str] = []
    before = None
    for name, (words, _) in zip(names, pictures, strict=True):
        section, *rest = (escape(printable(word)) for word in words)
        if section != before:
            parts.append(f"<h2>{section}</h2>")
        before = section
        caption = ", ".join(rest) or section
        image = "" if name.endswith(".pdf") else f'<img src="{name}" alt="{caption}" loading="lazy"><br>'
        parts.append(f'<figure><a href="{name}">{image}{caption}</a></figure>')
    style = (
        "body{font:16px/1.4 system-ui,sans-serif;margin:1rem auto;max-width:76rem;padding:0 1rem}img{max-width:100%}"
    )
    head = f'<meta charset="utf-8"><title>Pictures</title><style>{style}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body><h1>Pictures</h1>\n' + "\n".join(
        [*parts, "</body></html>", ""]
    )


def _flat(table: Candidates) -> bool:
    """Whether a curve says nothing along k: there is one k, or more of them are worth as much."""
    accuracy = table.column(ACCURACY.name)
    return len(table) < 2 or bool(np.ptp(accuracy) <= 1e-12)


def _names(words: Sequence[Sequence[str]], format: str) -> list[str]:
    """File names of letters, digits, dots and hyphens, words apart by underscores; those that collide are numbered."""
    names: list[str] = []
    for parts in words:
        stem = "_".join(_safe(part) for part in parts)
        name, number = f"{stem}.{format}", 1
        while name in names:
            number += 1
            name = f"{stem}-{number}.{format}"
        names.append(name)
    return names


def _safe(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9.]+", "-", plain)[:LENGTH].strip("-.") or "unnamed"


def _remove(made: Sequence[Path]) -> None:
    """Remove the folders that were made, if they are empty."""
    for path in made:
        with suppress(OSError):
            path.rmdir()


def png(draw: Callable[[], Figure], dpi: int) -> bytes:
    """Return a picture as PNG, drawn once: saving a figure that is still to be laid out draws it twice."""
    with rc_context({"figure.dpi": dpi}):  # texts are measured as they are drawn
        figure = draw()
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine(None)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    return drawn.getvalue()
