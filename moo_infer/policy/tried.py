"""Policies as they are given: by a text, by a mapping or as objects; and the text that makes each again."""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.documents import parse_yaml
from ..core.errors import MooInferError
from ..core.parts import check
from ..interfaces import AccuracyAggregator, Policy
from ..registry import Registry
from .decisions import most_calls, of_model

__all__ = ["MENU", "TriedPolicy", "flow", "leaves_k_out", "text_of", "tried", "without_menu"]

MENU = "menu"  # in place of names: those that suit the models
PLAIN = re.compile(r"[A-Za-z_./][\w./:=-]*")  # text that YAML and the command line take as it is


@dataclass(frozen=True)
class TriedPolicy:
    """A policy that is tried.

    Args:
        policy: the policy; its model may be left open.
        name: what tables call it.
        every_k: whether its k was left out, so that it is tried at every k of the run.
        of_menu: whether nobody named it, so that nothing is said of models that it is not for.
    """

    policy: Policy
    name: str
    every_k: bool = False
    of_menu: bool = False

    @property
    def open(self) -> bool:
        """Whether it is tried for every model of the run."""
        return of_model(self.policy, "any") is not self.policy

    def at(self, model: str, k: Sequence[int]) -> list[tuple[Policy, str]]:
        """Return it for a model, at each k of a run where its own was left out, with the texts that make it again."""
        part: Any = self.policy
        each = [dataclasses.replace(part, k=int(n)) for n in k] if self.every_k else [part]
        return [(of_model(policy, model), text_of(policy)) for policy in each]


def without_menu(given: "str | Policy | Iterable[str | Policy]", /) -> tuple[Any, bool]:
    """Return what is given without the word ``menu``, and whether it was there.

    >>> without_menu(["fixed:k=3", "menu"]), without_menu("menu"), without_menu("fixed")
    ((['fixed:k=3'], True), ([], True), ('fixed', False))
    """
    items = [given] if isinstance(given, str | Policy) else list(given) if isinstance(given, Iterable) else []
    there = MENU in [item for item in items if isinstance(item, str)]
    return ([item for item in items if item != MENU] if there else given), there


def tried(
    given: "str | Policy | Iterable[str | Policy]", registry: Registry, named: Mapping[str, Mapping[str, Any]]
) -> tuple[TriedPolicy, ...]:
    """Return the policies that are given, one or many.

    Args:
        given: names of a file, kinds with fields behind a colon, or objects.
        registry: where kinds are looked up.
        named: those of a file, each a mapping with its kind and fields, by name; they go first.

    Raises:
        MooInferError: for what is no policy, and for two that are the same.
    """
    items = [given] if isinstance(given, str | Policy) else list(given) if isinstance(given, Iterable) else [given]
    found = []
    for item in items:
        if isinstance(item, str) and item in named:
            policy = registry.build(Policy, named[item], f"policies: {item}")
            found.append(TriedPolicy(policy, item, leaves_k_out(policy, named[item])))
        elif isinstance(item, str):
            policy = registry.get(Policy, item)
            found.append(TriedPolicy(policy, policy.name, leaves_k_out(policy, registry.fields(Policy, item))))
        else:
            policy = check(item, Policy, "policies")
            found.append(TriedPolicy(policy, policy.name))
    names = [one.name for one in found]
    found = [dataclasses.replace(t, name=_label(t)) if names.count(t.name) > 1 else t for t in found]
    for i, one in enumerate(found):
        if one.name in [other.name for other in found[:i]]:
            raise MooInferError(f"policy {one.name!r} is given twice; policies must differ")
    return tuple(found)


def text_of(policy: Policy | AccuracyAggregator, /) -> str:
    """Return the text that makes a policy, or an aggregator, again: its name, and the fields that are no defaults.

    >>> from moo_infer.builtin.policies import VoteUntilDecided
    >>> text_of(VoteUntilDecided(8, (4, 4)))
    'vote-until-decided:k=8,waves=[4, 4]'
    """
    given = []
    cls: Any = type(policy)
    for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        value = getattr(policy, field.name)
        if field.name == "k" or value != _default(field):
            given.append(f"{field.name}={flow(value)}")
    return f"{cls.name}:{','.join(given)}" if given else str(cls.name)


def _label(one: TriedPolicy) -> str:
    """What tells it from others of its name."""
    text = text_of(one.policy)
    return re.sub(r"k=\d+,|:k=\d+$", "", text) if one.every_k else text


def _default(field: "dataclasses.Field[Any]") -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def leaves_k_out(policy: Policy, fields: Mapping[str, Any], /) -> bool:
    """Whether the k of a policy is not given, has a default, and says how often models are called.

    Args:
        policy: the policy.
        fields: those that were given.
    """
    part: Any = policy
    known: dict[str, Any] = {f.name: f for f in dataclasses.fields(part)} if dataclasses.is_dataclass(policy) else {}
    if "k" in fields or "k" not in known or _default(known["k"]) is dataclasses.MISSING:
        return False
    return most_calls(dataclasses.replace(part, k=part.k + 1)) != most_calls(policy)


def flow(value: Any) -> str:
    """Write a value as YAML in one line.

    >>> flow({"model": "small", "k": np.int64(2)}), flow([True, None, "a, b"])
    ('{model: small, k: 2}', '[true, null, "a, b"]')
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int | float | np.number):
        return repr(value.item() if isinstance(value, np.number) else value)
    if isinstance(value, str):
        is_text = PLAIN.fullmatch(value) and parse_yaml(value, "") == value
        return value if is_text else json.dumps(value, ensure_ascii=False)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f for f in dataclasses.fields(value) if f.name == "k" or getattr(value, f.name) != _default(f)]
        kind = {"kind": value.name} if isinstance(value, Policy) else {}
        value = kind | {f.name: getattr(value, f.name) for f in fields}
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return repr(value)
