"""The JSON schema of a file, which editors read: the kinds in it are those of a registry, plugins too."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from ..core.entries import JsonSchema, entry_type
from ..interfaces import AccuracyAggregator, CostModel, InferenceModel, Policy
from ..registry import Registry
from .schema import KINDS, Document

__all__ = ["json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
INTERFACES = (AccuracyAggregator, CostModel, InferenceModel, Policy)


class _Description(JsonSchema):
    """Describes fields that hold parts: mappings with a kind."""

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        """Any part of an interface; nothing in a file makes another object."""
        cls = schema["cls"]
        return {KINDS: cls.__name__} if cls in INTERFACES else super().is_instance_schema(schema)


def json_schema(registry: Registry, run: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON schema (2020-12) of files with models, scenarios, policies, workflows, classes and a day.

    Args:
        registry: whose parts a ``kind`` may name.
        run: the JSON schema of the section ``run``; None for one that may hold anything.

    >>> schema = json_schema(Registry())
    >>> schema["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    >>> sorted(schema["properties"])
    ['day', 'grid', 'models', 'policies', 'queries', 'run', 'scenarios', 'workflows']
    """
    document = Document.model_json_schema(schema_generator=JsonSchema)
    definitions = dict(document.pop("$defs"))
    document["properties"]["run"] = run or {}
    names: dict[str, list[str]] = {}
    for interface in INTERFACES:
        names[interface.__name__] = []
        for kind, entry, its_own in _kinds(registry, interface):
            definitions |= {f"{kind}.{name}": definition for name, definition in its_own.items()}
            definitions[kind] = entry
            names[interface.__name__].append(kind)
    whole = {"$schema": DIALECT, "title": "moo-infer", **document, "$defs": definitions, "minProperties": 1}
    filled = _filled(whole, names)
    assert isinstance(filled, dict)
    return filled


def _kinds(registry: Registry, interface: type) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield the name of every kind, what it may hold, and the definitions that this refers to."""
    for kind, cls in sorted(registry.classes(interface).items()):
        checked = entry_type(cls)
        entry = checked.json_schema(schema_generator=_Description, ref_template=f"#/$defs/{kind}.{{model}}")
        its_own = entry.pop("$defs", {})
        properties = {"kind": {"const": kind, "description": _summary(cls)}, **entry.get("properties", {})}
        required = ["kind", *entry.get("required", [])]
        yield kind, {**entry, "title": kind, "properties": properties, "required": required}, its_own


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


def _filled(node: Any, names: Mapping[str, list[str]]) -> Any:
    """Put the kinds of a registry where the description has their interface."""
    if isinstance(node, dict):
        if KINDS in node:
            kinds = names[node[KINDS]]
            # Editors complete the kind first; `if` then leaves one description, whose messages are of that kind alone.
            chosen = [
                {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": f"#/$defs/{kind}"}} for kind in kinds
            ]
            return {
                "type": "object",
                "required": ["kind"],
                "properties": {"kind": {"enum": kinds}},
                "allOf": chosen,
            }
        if "patternProperties" in node and "minLength" in node:  # how pydantic describes a section of names
            node = node | {"minProperties": node["minLength"], "additionalProperties": False}
            del node["minLength"]
        return {key: _filled(entry, names) for key, entry in node.items()}
    return [_filled(entry, names) for entry in node] if isinstance(node, list) else node
