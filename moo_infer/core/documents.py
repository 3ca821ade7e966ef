"""Parses YAML and JSON safely and within bounds of size, every fault in one sentence; writes YAML."""

import json
import math
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from .errors import MooInferError, printable
from .files import limited_text

__all__ = ["parse_yaml", "read_json", "read_yaml", "to_yaml"]

LARGEST_REPORT = 64 * 2**20  # bytes; a report of a hundred models with many scenarios has some ten million
MOST_ENTRIES = 2**20  # of lists and mappings; a report of 37 models and 198 questions has twenty thousand

DEPTH = 20  # levels of nesting; the deepest file that makes sense has eight
MOST_BYTES = 2**23  # of a file; LiteLLM's whole list of prices has a fifth of it
MOST_NODES = 1_000_000  # of a document whose aliases are filled in; LiteLLM's whole list of prices has 60,000
DIGITS = 308  # of integers: the largest float has one more
TYPES = {  # what a scalar must be, by its tag
    "bool": "true or false",
    "float": "a number",
    "int": f"a whole number of at most {DIGITS} digits",
    "timestamp": "a date",
}
MOST_COPIED = 10_000_000  # characters that its aliases may add: long texts make few nodes large


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML text with the safe loader: nothing in it is executed.

    Args:
        text: the document, or a flow value such as ``{cost: 2}``.
        where: where it stands, the beginning of every message.

    Raises:
        MooInferError: for what is no YAML, has a key twice, is nested too deeply, contains itself, or becomes too large
            where its aliases are filled in.

    >>> parse_yaml("{cost: 2, shares: [0.5, 0.5]}", "here")
    {'cost': 2, 'shares': [0.5, 0.5]}
    """
    try:
        _refuse_bombs(text, where)
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        duplicate = (error.context or "").partition(";")[0] if error.problem == "second occurrence" else ""
        raise MooInferError(f"{where}: {line}{duplicate or error.problem}") from None
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
    try:
        text = limited_text(path, MOST_BYTES)
    except MooInferError as error:
        raise MooInferError(f"{path}: {error}") from None
    document = parse_yaml(text, str(path))
    if document is None:
        raise MooInferError(f"{path}: is empty; expected {expected}")
    if not isinstance(document, Mapping):
        shown = "a list" if isinstance(document, list) else f"{document!r:.60}"
        raise MooInferError(f"{path}: must be a mapping with {expected}, got {shown}")
    return document


def read_json(path: Path, /) -> Any:
    """Read a file of JSON that one of our commands may have written.

    Raises:
        MooInferError: for what cannot be read, is no JSON, has a key twice, is nested too deeply or too large.
    """
    try:
        text = limited_text(path, LARGEST_REPORT)
        if text.count(",") + text.count("[") + text.count("{") > MOST_ENTRIES:  # commas in texts count, which are few
            raise MooInferError(f"has more than {MOST_ENTRIES:,} entries, the most that is read of such a file")
        return json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_mapping)
    except json.JSONDecodeError as error:
        raise MooInferError(f"{path}: must be JSON, and ends to be so in line {error.lineno}") from None
    except (RecursionError, ValueError) as error:  # the latter for whole numbers of too many digits
        reason = "is nested too deeply" if isinstance(error, RecursionError) else f"must be JSON: {error}"
        raise MooInferError(f"{path}: {reason}") from None
    except MooInferError as error:
        raise MooInferError(f"{path}: {error}") from None


def _no_number(name: str) -> float:
    raise MooInferError(f"holds {name:.20}, which is no number of JSON")


def _finite(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _no_number(text)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        raise MooInferError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r:.80}")
    return mapping


def to_yaml(value: Any, /, *, flow: bool = True) -> str:
    """Return YAML of plain values: in one line, or in block style with a line an entry, which ends with a line break.

    >>> to_yaml({"cost": 1e-06, "names": ["a", "b: c"]})
    "{cost: 1.0e-06, names: [a, 'b: c']}"
    """
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=flow,
        sort_keys=False,
        width=float("inf"),
        allow_unicode=True,
    )
    if not flow:
        return "\n".join(printable(line) for line in text.split("\n"))
    # What is not printable stands in double quotes, where YAML knows the same escapes.
    return printable(text.removesuffix("\n").removesuffix("\n...").strip())


class _Dumper(yaml.SafeDumper):
    """The safe dumper, but text that would break a line stands in quotes, in one line, and nothing is an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values twice."""
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Represent text."""
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]  # either is one
    """The safe loader, but a key that stands twice is an error, and so is a number that is too large for a float."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Refuse values that are not of their type, such as the 30th of February, and integers no float can hold."""
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int) and abs(value) >= 10**DIGITS:
                raise ValueError
        except (ArithmeticError, AttributeError, LookupError, ValueError):
            type_name = TYPES.get(node.tag.rpartition(":")[2], "of its type")
            raise _refused(f"must be {type_name}, got {node.value!r:.40}", node) from None
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse duplicate keys, which YAML parsers let the last one win, and keys that are lists or mappings."""
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                kind = "mapping" if isinstance(key, yaml.MappingNode) else "list"
                raise _refused(f"a key must be a name or a number, got a {kind}", key)
            name = getattr(key, "value", None)
            if isinstance(name, str) and name in seen:
                raise _refused(f"duplicate key {name!r}", key)
            seen.add(name if isinstance(name, str) else id(key))
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def _refused(reason: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, reason, node.start_mark)


def _refuse_bombs(text: str, where: str) -> None:
    """Refuse documents that would overrun the stack or the memory, before they are built.

    The parser is written in C and does not survive deep nesting. An alias costs some letters and stands for all that
    its anchor holds, so that ten lines can stand for a billion nodes.
    """
    held: dict[str, tuple[int, int]] = {}  # nodes and characters of what an anchor holds
    within: list[tuple[str | None, int, int]] = []  # of the open collections: anchor, nodes and characters so far
    nodes = copied = 0
    for event in yaml.parse(text, Loader=_Loader):
        here = f"{where}: line {event.start_mark.line + 1}" if event.start_mark else where
        if isinstance(event, yaml.CollectionStartEvent):
            within.append((event.anchor, 1, 0))
            nodes += 1
            if len(within) > DEPTH:
                raise MooInferError(f"{where}: must not be nested deeper than {DEPTH} levels")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, *size = within.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size = event.anchor, [1, len(event.value)]
            nodes += 1
        elif isinstance(event, yaml.AliasEvent):
            _refuse_itself(event, [open_anchor for open_anchor, *_ in within], here)
            anchor, size = None, [*held.get(str(event.anchor), (0, 0))]  # the parser refuses an unknown one
            nodes, copied = nodes + size[0], copied + size[1]
        else:
            continue
        if nodes > MOST_NODES or copied > MOST_COPIED:
            raise MooInferError(
                f"{here}: is too large: at most {MOST_NODES:,} entries, aliases filled in, and {MOST_COPIED:,} "
                f"characters that aliases copy"
            )
        if anchor is not None:
            held[anchor] = size[0], size[1]
        if within:
            outer, count, characters = within[-1]
            within[-1] = outer, count + size[0], characters + size[1]


def _refuse_itself(alias: yaml.AliasEvent, open_anchors: list[str | None], here: str) -> None:
    if alias.anchor in open_anchors:
        raise MooInferError(f"{here}: *{alias.anchor} contains itself")
