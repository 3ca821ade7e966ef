"""What a YAML file of models, scenarios and runs may hold: the one description, which checks it and is its JSON schema.

A section is a field of `Document`. Entries with a ``kind`` are those of the classes in the registry.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from annotated_types import MinLen
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ..core.entries import Entry, JsonSchema, in_words, refused
from ..core.errors import MooInferError, located
from ..core.objectives import LARGEST_LIMIT
from ..core.parts import LARGEST, at_least_one
from ..core.uncertainty import Uncertain, uncertain
from ..interfaces import CostModel, InferenceModel, Policy
from ..profiles import ModelProfile, Scenario
from ..registry import Registry

__all__ = ["KINDS", "Context", "Document", "read_models", "read_policies", "read_scenarios"]

Read = TypeVar("Read")
KINDS = "kinds"  # of a JSON schema: stands for all parts of an interface


@dataclass(frozen=True)
class Context:
    """What the check of a file needs besides the file: where kinds are looked up, and where its paths start from."""

    registry: Registry
    folder: Path


class Built(NamedTuple):
    """A part, and how uncertain its numbers are."""

    part: Any
    uncertain: dict[str, Uncertain]


@dataclass(frozen=True)
class OfKind:
    """An annotation: a mapping with a ``kind``, which makes a part of the class of that name."""

    interface: type

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._built)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {KINDS: self.interface.__name__}  # filled in with the classes of a registry

    def _built(self, fields: Any, info: ValidationInfo) -> Built:
        context = info.context
        assert isinstance(context, Context)
        part: Any = _in_place(lambda: context.registry.build(self.interface, fields, "", context.folder))
        return Built(part, uncertain(fields))


def _in_place(make: Any) -> Any:
    """What a function makes; where it refuses, its sentence is that of the place."""
    try:
        return make()
    except MooInferError as error:
        raise refused(str(error), part=True) from None


def _named(section: Any) -> Any:
    if not isinstance(section, Mapping) or not section:
        raise refused(f"must be a mapping of names, got {section!r:.80}")
    for name in section:
        if not isinstance(name, str) or not name.strip():
            raise refused(f"names must be text, got {name!r}; put it in quotes")
    return section


def _listed(costs: Any) -> Any:
    if not isinstance(costs, list):
        raise refused(f"must be a list of cost models, got {costs!r:.80}")
    return costs


def _text(value: Any) -> Any:
    return value if isinstance(value, Mapping | list) or value is None else str(value)


Whole = BeforeValidator(lambda value: _in_place(lambda: at_least_one(value, "")))
AtLeastOne = Annotated[int, Whole, Field(ge=1, le=LARGEST)]
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
NUMBER = JsonSchema().float_schema({"type": "float"})
AnyNumber = Annotated[Any, WithJsonSchema(NUMBER)]  # checked by the part that it goes to
STATISTIC = r"^(mean|p(?!0*\.?0*$)\d{1,2}(\.\d*)?)$"
LIMIT = {"anyOf": [{"type": "number", "minimum": -LARGEST_LIMIT, "maximum": LARGEST_LIMIT}, NUMBER["anyOf"][1]]}
QUANTILES = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": LIMIT,
    "propertyNames": {"pattern": STATISTIC},
}
LIMITS = {"type": "object", "additionalProperties": {"anyOf": [*LIMIT["anyOf"], QUANTILES]}}
Limits = Annotated[Any, WithJsonSchema(LIMITS)]  # checked by the scenario


class ProfileEntry(Entry):
    """A named deployment of a model: one inference, what k of them consume, and how many run at a time."""

    inference: Annotated[Built, OfKind(InferenceModel)]
    costs: Annotated[list[Annotated[Built, OfKind(CostModel)]], BeforeValidator(_listed)]
    parallelism: AtLeastOne = 1
    source: Text = ""
    largest_k: AtLeastOne | None = None
    extrapolate_to: AtLeastOne | None = None

    def profile(self, name: str) -> ModelProfile:
        """Return the profile that it describes."""
        parts = {"inference": self.inference} | {f"costs[{i}]": cost for i, cost in enumerate(self.costs)}
        return ModelProfile(
            name=name,
            inference=self.inference.part,
            costs=tuple(cost.part for cost in self.costs),
            parallelism=self.parallelism,
            source=self.source,
            largest_k=self.largest_k,
            extrapolate_to=self.extrapolate_to,
            uncertain={f"{path}.{key}": u for path, part in parts.items() for key, u in part.uncertain.items()},
        )


class AuthorsEntry(Entry):
    """A model in the configuration file of the paper's authors."""

    mu_Lin: AnyNumber
    sigma_Lin: AnyNumber
    mu_Lout: AnyNumber
    sigma_Lout: AnyNumber
    acc_mean: AnyNumber
    acc_std: AnyNumber
    c_in: AnyNumber
    c_out: AnyNumber
    t_in: AnyNumber
    t_out: AnyNumber
    name: Text = ""
    default_parallel: Any = 4  # as in the authors' code

    def entry(self) -> dict[str, Any]:
        """Return the same model as a profile has it."""
        return {
            "inference": {
                "kind": "gaussian",
                "tokens_in_mean": self.mu_Lin,
                "tokens_in_std": self.sigma_Lin,
                "tokens_out_mean": self.mu_Lout,
                "tokens_out_std": self.sigma_Lout,
                "accuracy_mean": self.acc_mean,
                "accuracy_std": self.acc_std,
            },
            "costs": [
                {"kind": "linear-cost", "usd_per_input_token": self.c_in, "usd_per_output_token": self.c_out},
                {
                    "kind": "linear-latency",
                    "seconds_per_input_token": self.t_in,
                    "seconds_per_output_token": self.t_out,
                },
            ],
            "parallelism": self.default_parallel,
            "source": f"configuration file of the paper's authors: {self.name}".rstrip(": "),
        }


class ScenarioEntry(Entry):
    """The worst acceptable value of objectives: of the mean, or of quantiles such as p95."""

    max: Limits = Field(default_factory=dict)
    min: Limits = Field(default_factory=dict)
    source: Text = ""


def _sort(entry: Any) -> str:
    authors = isinstance(entry, Mapping) and {"c_in", "mu_Lin"} & {*entry}
    return "[authors]" if authors else "[profile]"


ModelEntry = Annotated[
    Annotated[ProfileEntry, Tag("[profile]")] | Annotated[AuthorsEntry, Tag("[authors]")], Discriminator(_sort)
]
Name = Annotated[str, WithJsonSchema({"pattern": r"\S"})]
Entries = TypeVar("Entries")
Section = Annotated[dict[Name, Entries], BeforeValidator(_named), MinLen(1)]


class Document(Entry):
    """What a file may hold; a section that is not there is empty."""

    models: Section[ModelEntry] = Field(default_factory=dict)
    scenarios: Section[ScenarioEntry] = Field(default_factory=dict)
    policies: Section[Annotated[Built, OfKind(Policy)]] = Field(default_factory=dict)
    run: Any = None  # what commands are told, which they describe themselves


def validated(document: Mapping[str, Any], sections: Collection[str], where: str, context: Context | None) -> Document:
    """Return some sections of a document, checked, the others empty.

    Args:
        document: as it was parsed.
        sections: which are checked; of the others their names alone.
        where: what the document is, the beginning of every message.
        context: needed for models and policies.

    Raises:
        MooInferError: naming the place, what is allowed and what was given.
    """
    left = {key: part for key, part in document.items() if key in sections or key not in Document.model_fields}
    try:
        return Document.model_validate(left, context=context)
    except ValidationError as error:
        raise MooInferError(located(where, in_words(error, within=": "))) from None


def read_models(document: Mapping[str, Any], where: str, context: Context) -> dict[str, ModelProfile]:
    """Return the profiles of a document.

    Raises:
        MooInferError: naming the place, what is allowed and what was given.
    """
    entries = validated(document, ("models",), where, context).models
    for name, entry in entries.items():
        if isinstance(entry, AuthorsEntry):
            again = {"models": {name: entry.entry()}}
            entries[name] = validated(again, ("models",), where, context).models[name]
    profiles = {name: entry for name, entry in entries.items() if isinstance(entry, ProfileEntry)}
    return {name: _refusals_of(where, entry.profile, name) for name, entry in profiles.items()}


def read_scenarios(document: Mapping[str, Any], where: str) -> dict[str, Scenario]:
    """Return the scenarios of a document.

    Raises:
        MooInferError: naming the place, what is allowed and what was given.
    """
    entries = validated(document, ("scenarios",), where, None).scenarios
    return {
        name: _refusals_of(where, Scenario, name, entry.max, entry.min, entry.source) for name, entry in entries.items()
    }


def read_policies(document: Mapping[str, Any], where: str, context: Context) -> dict[str, Mapping[str, Any]]:
    """Return the policies of a document, each the mapping of its kind and fields, which makes one.

    Raises:
        MooInferError: naming the place, what is allowed and what was given.
    """
    names = validated(document, ("policies",), where, context).policies
    return {name: document["policies"][name] for name in names}


def _refusals_of(where: str, make: Callable[..., Read], *arguments: Any) -> Read:
    try:
        return make(*arguments)
    except MooInferError as error:
        raise MooInferError(located(where, str(error))) from None
