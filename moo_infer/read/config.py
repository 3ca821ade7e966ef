"""Models and scenarios as a file says them, for who writes a run down: the paths in them start where it is written."""

import math
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

from ..core.call_settings import file_and_function
from ..core.hints import hints, named_types
from ..interfaces import CostModel, InferenceModel
from ..registry import Registry
from .profiles import builtin_file, file_of_models, read_document

__all__ = ["anchored", "files_read", "moved_extract", "moved_path", "sections"]


def sections(path: Path | None, registry: Registry, folder: Path) -> dict[str, Any]:
    """Return what a file says of models, scenarios, policies, workflows, queries and the day, else what is built in.

    Built-in models come with their scenarios, which judge them.

    Args:
        path: the file; None for what is built in.
        registry: which fields are paths.
        folder: where relative paths in them start from.

    Raises:
        MooInferError: for what cannot be read.
    """
    own = {} if path is None else read_document(path)
    source = None if path is None else file_of_models(path)
    named = {name: own.get(name) for name in ("scenarios", "policies", "workflows", "queries", "day")}
    if source is None:
        models = read_document(builtin_file("models.yaml"))["models"]
        named["scenarios"] = named["scenarios"] or read_document(builtin_file("scenarios.yaml"))["scenarios"]
    else:
        document = read_document(source)
        models = _models(document["models"], registry, _from(source, folder))
        named = {name: section or document.get(name) for name, section in named.items()}
    file = path if own.get("workflows") else source
    if named["workflows"] and file is not None:
        named["workflows"] = _workflows(named["workflows"], _from(file, folder))
    return {name: _plain(section) for name, section in {"models": models, **named}.items() if section}


def anchored(document: Mapping[str, Any], registry: Registry, move: Callable[[str], str]) -> dict[str, Any]:
    """Return a document with other paths of files in it.

    Args:
        document: sections, as `sections` gives them; it may have other entries by now, and those faults.
        registry: which fields are paths.
        move: returns the path that is written in place of one.
    """
    moved = dict(document)
    for name, of in (
        ("models", partial(_models, registry=registry, move=move)),
        ("workflows", partial(_workflows, move=move)),
    ):
        with suppress(AttributeError, KeyError, TypeError):  # it is read later, where its faults are named
            moved |= {name: of(moved[name])} if name in moved else {}
    return moved


def files_read(path: Path | None, registry: Registry) -> list[Path]:
    """Return the files that a file leads to: itself, the one with its models, and those that both name.

    Args:
        path: the file; None for what is built in, which leads to none.
        registry: which fields are paths.

    Raises:
        MooInferError: for what cannot be read.
    """
    documents = {} if path is None else {file: read_document(file) for file in (path, file_of_models(path)) if file}
    found = [*documents]

    def noted(folder: Path, text: str) -> str:
        found.append(Path(moved_path(text, folder, Path())))
        return text

    for file, document in documents.items():
        anchored(document, registry, partial(noted, file.parent))
    return found


def _from(file: Path, end: Path) -> Callable[[str], str]:
    """What gives the paths of a file as one in another folder has them."""
    return partial(moved_path, start=file.parent, end=end)


def _workflows(workflows: Any, move: Callable[[str], str]) -> Any:
    """Workflows with other paths: those of the logs of tools."""
    workflows = deepcopy(workflows)
    for workflow in workflows.values():
        for stage in workflow["stages"].values():
            tool = stage.get("tool") or {}
            if "log" in tool:
                tool["log"] = move(str(tool["log"]))
    return workflows


def _models(models: Mapping[str, Any], registry: Registry, move: Callable[[str], str]) -> Mapping[str, Any]:
    """Models with other paths."""
    models = deepcopy(models)
    for model in models.values():
        for entry in (model, *(model.get("variants") or {}).values()):
            call = entry.get("call") or {}
            if "extract" in call:
                call["extract"] = _extract(call["extract"], move)
            parts: list[tuple[Any, Any]] = [(InferenceModel, entry.get("inference"))]
            parts += [(CostModel, cost) for cost in entry.get("costs") or ()]
            for interface, part in parts:
                cls: Any = registry.classes(interface).get(part["kind"]) if isinstance(part, dict) else None
                for name, hint in hints(cls).items() if cls else ():
                    if Path in named_types(hint) and isinstance(part.get(name), str):
                        part[name] = move(part[name])
    return models


def _extract(extract: Any, move: Callable[[str], str]) -> Any:
    found = file_and_function(extract)
    return extract if found is None else f"{move(found[0])}:{found[1]}"


def moved_extract(extract: Any, start: Path, end: Path) -> Any:
    """Return what finds an answer as it is written in another folder: the path of ``FILE.py:function`` moves.

    >>> moved_extract("mine.py:last_line", Path("."), Path("runs")), moved_extract("letter", Path("."), Path("runs"))
    ('../mine.py:last_line', 'letter')
    """
    return _extract(extract, partial(moved_path, start=start, end=end))


def moved_path(path: str, start: Path, end: Path) -> str:
    """Return a path as it is written where relative paths start from another folder; absolute ones stay.

    >>> moved_path("logs/a.csv", Path("."), Path("runs"))
    '../logs/a.csv'
    """
    return path if os.path.isabs(path) else os.path.relpath(os.path.join(start, path), end)


def _plain(value: Any) -> Any:
    """A value as JSON has it, too: names are texts, and so is what is neither number nor text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    kept = value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))
    return value if kept else str(value)
