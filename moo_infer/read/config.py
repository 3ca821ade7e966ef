"""Models and scenarios as a file says them, for who writes a run down: the paths in them start where it is written."""

import math
import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from ..core.call_settings import file_and_function
from ..core.hints import hints, named_types
from ..interfaces import CostModel, InferenceModel
from ..registry import Registry
from .profiles import builtin_file, file_of_models, read_document

__all__ = ["moved_extract", "moved_path", "sections"]


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
        models = _moved(document["models"], registry, source.parent, folder)
        named = {name: section or document.get(name) for name, section in named.items()}
    named["workflows"] = _moved_logs(named["workflows"], path if own.get("workflows") else source, folder)
    return {name: _plain(section) for name, section in {"models": models, **named}.items() if section}


def _moved_logs(workflows: Any, file: Path | None, end: Path) -> Any:
    """Workflows of a file as one in another folder has them: the logs of tools move."""
    workflows = deepcopy(workflows)
    for workflow in (workflows or {}).values():
        for stage in workflow["stages"].values():
            tool = stage.get("tool") or {}
            if "log" in tool and file is not None:
                tool["log"] = moved_path(str(tool["log"]), file.parent, end)
    return workflows


def _moved(models: Mapping[str, Any], registry: Registry, start: Path, end: Path) -> Mapping[str, Any]:
    """Return models as a file in another folder has them.

    Args:
        models: the section of a file that was read without fault.
        registry: which fields are paths.
        start: where relative paths start from.
        end: where they start from afterwards.
    """
    models = deepcopy(models)
    for model in models.values():
        for entry in (model, *(model.get("variants") or {}).values()):
            call = entry.get("call") or {}
            if "extract" in call:
                call["extract"] = moved_extract(call["extract"], start, end)
            parts: list[tuple[Any, Any]] = [(InferenceModel, entry.get("inference"))]
            parts += [(CostModel, cost) for cost in entry.get("costs") or ()]
            for interface, part in parts:
                cls: Any = registry.classes(interface).get(part["kind"]) if isinstance(part, dict) else None
                for name, hint in hints(cls).items() if cls else ():
                    if Path in named_types(hint) and isinstance(part.get(name), str):
                        part[name] = moved_path(part[name], start, end)
    return models


def moved_extract(extract: Any, start: Path, end: Path) -> Any:
    """Return what finds an answer as it is written in another folder: the path of ``FILE.py:function`` moves.

    >>> moved_extract("mine.py:last_line", Path("."), Path("runs")), moved_extract("letter", Path("."), Path("runs"))
    ('../mine.py:last_line', 'letter')
    """
    found = file_and_function(extract)
    return extract if found is None else f"{moved_path(found[0], start, end)}:{found[1]}"


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
