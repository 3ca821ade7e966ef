"""What a stage of a workflow holds in a file: policies, by name or described, and tools."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ..core.entries import JsonSchema, entry_type, plain_number, refused
from ..core.parts import Positive, build
from ..core.uncertainty import uncertain
from ..interfaces import Policy
from ..workflows import NUMBERS, Tool
from .forms import KINDS, Built, Context, in_place

__all__ = ["OfTool", "PositiveNumber", "StageNames", "StagePolicies"]

NAME = {"type": "string", "pattern": r"\S"}


class StagePolicies:
    """An annotation: a policy as a mapping with a ``kind``, its name or text, or a list of these."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        one = {"anyOf": [NAME, {KINDS: Policy.__name__}]}
        return {"anyOf": [*one["anyOf"], {"type": "array", "minItems": 1, "items": one}]}

    def _checked(self, given: Any, info: ValidationInfo) -> Any:
        context = info.context
        assert isinstance(context, Context)
        several = isinstance(given, list)
        if several and not given:
            raise refused("the list is empty; name one policy at least")
        for i, policy in enumerate(given if several else [given]):
            place = f"[{i}]" if several else ""
            if isinstance(policy, Mapping):
                in_place(lambda policy=policy, place=place: context.registry.build(Policy, policy, place))
            elif not (isinstance(policy, str) and policy.strip()):
                raise refused(f"must be a policy, its name, or a list of these, got {policy!r:.80}")
        return given


class OfTool:
    """An annotation: a mapping of the fields of a `Tool`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._built)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = entry_type(Tool).json_schema(schema_generator=JsonSchema)
        definitions = described.pop("$defs", {})
        forms = [{"required": [*NUMBERS]}, {"required": ["log"]}]
        return {**_inlined(described, definitions), "oneOf": forms}

    def _built(self, fields: Any, info: ValidationInfo) -> Built:
        context = info.context
        assert isinstance(context, Context)
        if not isinstance(fields, Mapping):
            raise refused(f"must be a mapping such as {{seconds: 2, usd: 0.001, success: 0.98}}, got {fields!r:.80}")
        return Built(in_place(lambda: build(Tool, fields, "", context.folder)), uncertain(fields))


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    """A JSON schema with what it refers to in place of the references."""
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
        return {key: _inlined(entry, definitions) for key, entry in node.items()}
    return [_inlined(entry, definitions) for entry in node] if isinstance(node, list) else node


def _names(given: Any) -> Any:
    if not isinstance(given, list):
        raise refused(f"must be a list of names of stages such as [plan], got {given!r:.80}")
    return given


StageNames = Annotated[list[str], BeforeValidator(_names)]
PositiveNumber = plain_number(Positive)
