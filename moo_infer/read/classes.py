"""What a class of queries holds in a file: its share, its models, and the policies that it may take."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt, Le
from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ..core.entries import Entry, plain_number, refused
from ..core.errors import MooInferError
from ..interfaces import Policy
from .forms import KINDS, Context

__all__ = ["QueryClassEntry"]

NAME = {"type": "string", "pattern": r"\S"}
NAMES = {"type": "array", "minItems": 1, "items": NAME}


class ClassPolicies:
    """An annotation: a list of policies, each a mapping with a ``kind``, or a name or text."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "array", "minItems": 1, "items": {"anyOf": [NAME, {KINDS: Policy.__name__}]}}

    def _checked(self, given: Any, info: ValidationInfo) -> Any:
        context = info.context
        assert isinstance(context, Context)
        if not isinstance(given, list) or not given:
            raise refused(f"must be a list of policies such as [{{kind: fixed, k: 3}}], got {given!r:.80}")
        for i, policy in enumerate(given):
            if isinstance(policy, Mapping):
                try:
                    context.registry.build(Policy, policy, f"[{i}]")
                except MooInferError as error:
                    raise refused(str(error), part=True) from None
            elif not (isinstance(policy, str) and policy.strip()):
                raise refused(f"[{i}]: must be a policy or the name of one, got {policy!r:.80}")
        return given


def _models(given: Any) -> Any:
    """Names of models; or of each name that policies use, the model that stands for it."""
    if not isinstance(given, Mapping | list) or not given:
        raise refused(f"must be a list of models, or a mapping such as {{small: small-easy}}, got {given!r:.80}")
    entries = [*given.items()] if isinstance(given, Mapping) else [(name, name) for name in given]
    for pair in entries:
        if odd := [name for name in pair if not (isinstance(name, str) and name.strip())]:
            raise refused(f"must have names of models, got {odd[0]!r:.80}")
    names = [name for name, _ in entries]
    if twice := [name for name in names if names.count(name) > 1]:
        raise refused(f"model {twice[0]!r:.80} is named twice")
    return dict(entries)


if TYPE_CHECKING:
    OfAll = float
else:
    OfAll = plain_number(Annotated[float, Gt(0), Le(1)])


class QueryClassEntry(Entry):
    """Queries that are alike: which share of all, and what they may be answered by."""

    share: OfAll
    policies: Annotated[list[Any], ClassPolicies()]
    models: Annotated[
        dict[str, str] | None,
        BeforeValidator(lambda given: None if given is None else _models(given)),
        WithJsonSchema({"anyOf": [NAMES, {"type": "object", "minProperties": 1, "additionalProperties": NAME}]}),
    ] = None
