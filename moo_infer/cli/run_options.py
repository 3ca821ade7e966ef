"""The options of a command as a file says them: names with _ in place of -, values as YAML has them."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, get_args

from annotated_types import Ge, Le

from ..core.documents import to_yaml
from ..core.errors import MooInferError
from ..core.hints import named_types, parts_of_union

__all__ = ["MAIN", "Option", "key_of", "listed", "options", "text"]

MAIN = "recommend"  # whose options stand in `run:` itself
ITSELF = {"models", "write_run", "help"}  # they name the file, or are no part of a run
SPECIAL = set(",=:[]{}'\"")  # characters of a text that would end or begin something where it is typed


@dataclass(frozen=True)
class Option:
    """An option or argument of a command.

    Args:
        parameter: its name in Python.
        key: its name in a file.
        flag: what is typed; "" for an argument.
        off: what is typed for false; "" where there is nothing.
        hint: its type, with the range in it.
        summary: what it is.
    """

    parameter: str
    key: str
    flag: str
    off: str
    hint: Any
    summary: str

    @property
    def kinds(self) -> set[object]:
        """The plain types of its value."""
        return named_types(self.hint)

    @property
    def many(self) -> bool:
        """Whether it is repeatable."""
        return list in self.kinds

    @property
    def only_on(self) -> bool:
        """Whether it is a flag that cannot be typed as false."""
        return bool in self.kinds and not self.off

    def arguments(self, value: Any) -> list[str]:
        """Return what is typed for a value."""
        if bool in self.kinds:
            return [self.flag] if value else [self.off] if self.off else []
        texts = list(map(str, value)) if self.many else [str(value)]
        return [f"{self.flag}={text}" for text in texts] if self.flag else texts


def key_of(name: str) -> str:
    """Return the name of an option or a command as a file has it: ``k_max`` for ``--k-max``."""
    return name.removeprefix("--").replace("-", "_")


@cache
def options(command: Any) -> dict[str, Option]:
    """Return the options of a command that a file can say, by their names in Python."""
    parameters = inspect.signature(command.callback).parameters
    found = {}
    for of in command.params:
        if of.name in ITSELF:
            continue
        hint, described, *_ = get_args(parameters[of.name].annotation)
        rules: list[object] = [Ge(described.min)] if described.min is not None else []
        rules += [Le(described.max)] if described.max is not None else []
        flag = next((name for name in of.opts if name.startswith("--")), "")
        key = key_of(flag) or of.name
        hint = next((part for part in parts_of_union(hint) if part is not type(None)), hint)
        hint = Annotated[hint, *rules] if rules else hint
        found[of.name] = Option(of.name, key, flag, "".join(of.secondary_opts), hint, described.help or "")
    return found


def text(value: Any) -> Any:
    """Return a value of a file as it is typed: a list with commas, an entry as ``NAME=VALUE``, a part by its kind.

    Raises:
        MooInferError: for a mapping of several entries, and for a list of anything else than names and numbers.

    >>> text([1, 2, 4]), text({"p95": 60}), text({"kind": "asf", "weights": {"cost": 2}})
    ('1,2,4', 'p95=60', 'asf:weights={cost: 2}')
    """
    if isinstance(value, Mapping):
        texts = _entries(value)
        if len(texts) != 1:
            raise MooInferError(f"must be one entry such as {{p95: 60}}, got {len(texts)}")
        return texts[0]
    if isinstance(value, list):
        if other := [item for item in value if item is None or isinstance(item, bool | list | Mapping)]:
            raise MooInferError(f"must be a list of names or numbers, got {other[0]!r:.80} in it")
        return ",".join(map(str, value))
    return value if isinstance(value, bool) or value is None else str(value)


def listed(value: Any) -> Any:
    """Return what a file says of a repeatable option as the texts that are typed; one may stand alone.

    >>> listed({"latency": {"mean": 30, "p95": 60}, "cost": 1}), listed("a")
    (['latency=mean=30', 'latency=p95=60', 'cost=1'], ['a'])
    """
    if isinstance(value, Mapping):
        return _entries(value)
    if isinstance(value, list):
        if other := [item for item in value if isinstance(item, list)]:
            raise MooInferError(f"must be a list of names, numbers or mappings, got {other[0]!r:.80} in it")
        return [text(item) for item in value]
    return value if value is None else [text(value)]


def _entries(mapping: Mapping[Any, Any]) -> list[str]:
    """The texts of a mapping: a part, or ``NAME=VALUE`` for every entry."""
    if "kind" in mapping:
        fields = [f"{key}={_field(entry)}" for key, entry in mapping.items() if key != "kind"]
        return [str(mapping["kind"]) + ":" * bool(fields) + ",".join(fields)]
    found = []
    for key, entry in mapping.items():
        inner = _entries(entry) if isinstance(entry, Mapping) else [text(entry)]
        found += [f"{key}={item}" for item in inner]
    return found


def _field(value: Any) -> str:
    """The value of a field of a part, as it stands behind its colon."""
    if isinstance(value, str):
        return json.dumps(value) if SPECIAL & {*value} else value
    return to_yaml(value) if isinstance(value, Mapping | Sequence) else str(value)
