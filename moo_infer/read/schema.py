"""What a YAML file of models, workflows and runs may hold: the one description, which checks it and is its JSON schema.

A section is a field of `Document`. Entries with a ``kind`` are those of the classes in the registry.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from ..core.call_settings import CallSettings
from ..core.day import Day
from ..core.entries import Entry, JsonSchema, Keys, in_words, refused
from ..core.errors import MooInferError, located
from ..core.objectives import LARGEST_LIMIT
from ..interfaces import CostModel, InferenceModel, Policy
from ..profiles import ModelProfile, Scenario
from ..workflows import Stage, Workflow
from .calls import OfCall
from .classes import QueryClassEntry
from .day import DayEntry
from .forms import KINDS, NO_PART, AtLeastOne, Built, Context, OfKind, PartList, Section, Text
from .steps import OfTool, PositiveNumber, StageNames, StagePolicies

__all__ = [
    "KINDS", "Context", "Document", "read_classes", "read_day", "read_models", "read_policies", "read_scenarios",
    "read_workflows",
]  # fmt: skip

Read = TypeVar("Read")
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
GRID = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"type": "array", "minItems": 1},
    "description": "Options of recommend with _ in place of -, or paths such as models.NAME.parallelism, and values.",
}
Limits = Annotated[Any, WithJsonSchema(LIMITS)]  # checked by the scenario


class VariantEntry(Entry):
    """A variant of a model, such as another prompt: what it does not give is the model's, but for the inference."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["call"]}, {"required": ["inference"]}]})

    inference: Annotated[Built, OfKind(InferenceModel)] = NO_PART
    costs: Annotated[list[Annotated[Built, OfKind(CostModel)]], PartList] = Field(default_factory=list)
    parallelism: AtLeastOne = 1
    source: Text = ""
    largest_k: AtLeastOne | None = None
    extrapolate_to: AtLeastOne | None = None
    call: Annotated[Mapping[str, Any], OfCall()] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, entries: Any) -> Any:
        if isinstance(entries, Mapping) and not {"call", "inference"} & {*entries}:
            raise refused(f"missing call or inference; keys: {', '.join(cls.model_fields)}")
        return Keys([*cls.model_fields])(entries)

    def profile(self, name: str, variant: str = "") -> ModelProfile:
        """Return the profile that it describes."""
        parts = {f"costs[{i}]": cost for i, cost in enumerate(self.costs)}
        measured = {"inference": self.inference.part} if "inference" in self.model_fields_set else {}
        parts |= {"inference": self.inference} if measured else {}
        return ModelProfile(
            name=name,
            **measured,
            costs=tuple(cost.part for cost in self.costs),
            parallelism=self.parallelism,
            source=self.source,
            largest_k=self.largest_k,
            extrapolate_to=self.extrapolate_to,
            uncertain={f"{path}.{key}": u for path, part in parts.items() for key, u in part.uncertain.items()},
            call=CallSettings(**self.call) if "call" in self.model_fields_set else None,
            variant=variant,
        )

    def of_model(self, model: "VariantEntry") -> "VariantEntry":
        """Return the variant with what it does not give itself from its model."""
        own, theirs = self.model_fields_set, model.model_fields_set
        taken: dict[str, Any] = {name: getattr(model, name) for name in ({"costs", "parallelism"} - own) & theirs}
        taken |= {"call": {**model.call, **self.call}} if "call" in own | theirs else {}
        return self.model_copy(update=taken)


class ProfileEntry(VariantEntry):
    """A named deployment of a model: one inference, what k of them consume, how many run at a time, how it is called.

    Without an inference it says how the model is called.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["inference", "costs"]},
                {"required": ["call"], "not": {"required": ["inference"]}},
            ]
        }
    )

    variants: Section[VariantEntry] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, entries: Any) -> Any:
        only_called = isinstance(entries, Mapping) and "call" in entries and "inference" not in entries
        return Keys([*cls.model_fields], () if only_called else ("inference", "costs"))(entries)

    def profiles(self, name: str) -> dict[str, ModelProfile]:
        """Return the profiles that it describes: of the model, and of its variants, ``model/variant``."""
        found = {name: self.profile(name)}
        for variant, entry in self.variants.items():
            whole = f"{name}/{variant}"
            found[whole] = entry.of_model(self).profile(whole, variant)
        return found


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


class StageEntry(Entry):
    """A step of a workflow: a policy, the name of one, or a list of these; or a tool."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["policy"]}, {"required": ["tool"]}]})

    policy: Annotated[Any, StagePolicies()] = None
    tool: Annotated[Built, OfTool()] = NO_PART
    after: StageNames = Field(default_factory=list)

    def stage(self, name: str) -> Stage:
        """Return the stage that it describes."""
        return Stage(name, policy=self.policy, after=self.after, tool=self.tool.part, uncertain=self.tool.uncertain)


class WorkflowEntry(Entry):
    """Stages that wait for each other, and what makes the whole right."""

    stages: Section[StageEntry]
    right: Annotated[Any, WithJsonSchema({"enum": ["all", "last"]})] = "all"
    cap_seconds: PositiveNumber | None = None  # type: ignore[valid-type]  # made by a function

    def workflow(self) -> Workflow:
        """Return the workflow that it describes."""
        stages = [entry.stage(name) for name, entry in self.stages.items()]
        return Workflow(stages, self.right, self.cap_seconds)


class Document(Entry):
    """What a file may hold; a section that is not there is empty."""

    models: Section[ModelEntry] = Field(default_factory=dict)
    scenarios: Section[ScenarioEntry] = Field(default_factory=dict)
    policies: Section[Annotated[Built, OfKind(Policy)]] = Field(default_factory=dict)
    day: DayEntry | None = None
    workflows: Section[WorkflowEntry] = Field(default_factory=dict)
    queries: Section[QueryClassEntry] = Field(default_factory=dict)
    run: Any = None  # what commands are told, which they describe themselves
    grid: Annotated[Any, WithJsonSchema(GRID)] = None  # what `sweep` varies, which it checks itself


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
    profiles: dict[str, ModelProfile] = {}
    for name, entry in entries.items():
        assert isinstance(entry, ProfileEntry)
        for whole, profile in _refusals_of(where, entry.profiles, name).items():
            if whole in profiles or (whole in entries and whole != name):
                place = f"{name}: variants: {profile.variant}" if profile.variant else name
                raise MooInferError(located(where, f"{place}: there is another model called {whole!r:.80}"))
            profiles[whole] = profile
    return profiles


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


def read_day(document: Mapping[str, Any], where: str) -> Day | None:
    """Return the day of a document; None where it has none.

    Raises:
        MooInferError: naming the place, what is allowed and what was given.
    """
    entry = validated(document, ("day",), where, None).day
    return None if entry is None else _refusals_of(where, entry.day)


def read_workflows(document: Mapping[str, Any], where: str, context: Context) -> dict[str, Workflow]:
    """Return the workflows of a document.

    Raises:
        MooInferError: naming the place, what is allowed and what was given.
    """
    entries = validated(document, ("workflows",), where, context).workflows
    return {name: _refusals_of(located(where, name), entry.workflow) for name, entry in entries.items()}


def read_classes(document: Mapping[str, Any], where: str, context: Context) -> dict[str, QueryClassEntry]:
    """Return the classes of queries of a document.

    Raises:
        MooInferError: naming the place, what is allowed and what was given.
    """
    return validated(document, ("queries",), where, context).queries


def _refusals_of(where: str, make: Callable[..., Read], *arguments: Any) -> Read:
    try:
        return make(*arguments)
    except MooInferError as error:
        raise MooInferError(located(where, str(error))) from None
