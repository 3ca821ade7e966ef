"""YAML as it comes from people: parsed safely, within bounds, with a sentence for everything that is wrong."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from .errors import MooInferError

__all__ = ["parse_yaml", "read_yaml"]

DEPTH = 20  # levels of nesting; the deepest file that makes sense has eight


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML text with the safe loader: nothing in it is executed.

    Args:
        text: the document, or a flow value such as ``{cost: 2}``.
        where: where it stands, the beginning of every message.

    Raises:
        MooInferError: for what is no YAML, has a key twice or is nested too deeply.

    >>> parse_yaml("{cost: 2, shares: [0.5, 0.5]}", "here")
    {'cost': 2, 'shares': [0.5, 0.5]}
    """
    try:
        _refuse_depth(text, where)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise MooInferError(f"{where}: {line}{error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise MooInferError(f"{where}: must be YAML: {str(error).splitlines()[0]}") from None


def read_yaml(path: Path, expected: str) -> Mapping[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: the file.
        expected: what the mapping has, in words, for the messages.

    Raises:
        MooInferError: for what cannot be read, is no YAML, is no mapping, has a key twice or is nested too deeply.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise MooInferError(f"{path}: must be a file")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MooInferError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise MooInferError(f"{path}: must be a file, is a folder") from None
    except UnicodeDecodeError:
        raise MooInferError(f"{path}: must be YAML text, is not UTF-8") from None
    except OSError as error:
        raise MooInferError(f"{path}: cannot be read: {error.strerror}") from None
    document = parse_yaml(text, str(path))
    if document is None:
        raise MooInferError(f"{path}: is empty; expected {expected}")
    if not isinstance(document, Mapping):
        what = "a list" if isinstance(document, list) else f"{document!r:.60}"
        raise MooInferError(f"{path}: must be a mapping with {expected}, got {what}")
    return document


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]  # either is one
    """The safe loader, but a key that stands twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse duplicate keys, which YAML parsers let the last one win."""
        seen = set()
        for key, _ in node.value:
            name = getattr(key, "value", None)
            if isinstance(name, str) and name in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {name!r}", key.start_mark)
            seen.add(name if isinstance(name, str) else id(key))
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def _refuse_depth(text: str, where: str) -> None:
    """Refuse nesting that would overrun the stack of the parser, which is written in C and would not survive it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise MooInferError(f"{where}: must not be nested deeper than {DEPTH} levels")
