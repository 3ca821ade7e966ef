"""What all contracts share."""

import dataclasses
import inspect
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from ..core.parts import NAME, unfit
from ..interfaces import AccuracyAggregator, CostModel, InferenceModel, LogReader, Policy, Selector

__all__ = ["DATACLASS", "Contract", "check_part", "fields_of"]

DATACLASS = "__dataclass_params__"


class Contract:
    """What all contracts share: the parts that are tried.

    Attributes:
        fixture: the name of the fixture that gives one part.
        instances: the parts to try, instead of the fixture.
    """

    fixture: ClassVar[str]
    instances: ClassVar[Sequence[Any]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Try each of the instances, where they are listed."""
        if self.instances and self.fixture in metafunc.fixturenames:
            metafunc.parametrize(self.fixture, self.instances, ids=lambda part: f"{part!r:.100}")

    def test_every_optional_parameter_is_tried(self) -> None:
        """Every field with a default has to be set to another value in one of the instances."""
        if not self.instances:
            pytest.skip("the parts are not listed in `instances`")
        unset = [
            f"{cls.__name__}.{field.name}"
            for cls in dict.fromkeys(type(part) for part in self.instances)
            for field in fields_of(cls)
            if all(_is_default(part, field) for part in self.instances if type(part) is cls)
        ]
        assert not unset, f"give an instance another value than the default of {', '.join(unset)}"


def check_part(part: Any) -> None:
    """Assert that a part has a name that people can type, and fields that nobody changes."""
    assert isinstance(getattr(part, "name", None), str), "the class needs a name"
    assert NAME.fullmatch(part.name), f"{part.name!r} is not kebab-case"
    assert type(part).name == part.name, "the name belongs to the class, not to the object"
    kinds = (Selector, AccuracyAggregator, CostModel, InferenceModel, LogReader, Policy)
    kind = next(k for k in kinds if isinstance(part, k))
    assert not unfit(type(part), kind), unfit(type(part), kind)
    if dataclasses.is_dataclass(part):
        parameters = next(vars(cls)[DATACLASS] for cls in inspect.getmro(type(part)) if DATACLASS in vars(cls))
        assert parameters.frozen, "write @dataclass(frozen=True)"
        copied = dataclasses.replace(part)  # type: ignore[type-var]  # a part is no class
        assert copied == part, "a part made of the same parameters must be equal: keep nothing else in it"


def _is_default(part: Any, field: "dataclasses.Field[Any]") -> bool:
    """Whether an optional field has its default."""
    if field.default is not dataclasses.MISSING:
        return bool(getattr(part, field.name) == field.default)
    factory = field.default_factory
    return factory is not dataclasses.MISSING and bool(getattr(part, field.name) == factory())


def fields_of(cls: Any) -> "tuple[dataclasses.Field[Any], ...]":
    """Return the fields of a dataclass; none of another class."""
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
