"""What annotations of fields say: the types in them, whether they are of one number, and the rules that they hold."""

import math
import types
import typing
from functools import cache
from numbers import Number
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from .errors import LARGEST_NUMBER, out_of_reach

__all__ = ["broken_rule", "fits", "hints", "is_number", "largest", "limits", "named_types", "parts_of_union", "rules"]

SIGNS: dict[type, str] = {Ge: ">=", Gt: ">", Le: "<=", Lt: "<"}


@cache
def hints(cls: Any) -> dict[str, Any]:
    """Return the annotations of a class by field, with the rules in them."""
    return typing.get_type_hints(cls, include_extras=True)


def parts_of_union(hint: object) -> tuple[Any, ...]:
    """Return the types that a union is of; none for what is no union."""
    union = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    return typing.get_args(hint) if union else ()


def is_number(hint: object) -> bool:
    """Whether an annotation is of one number, perhaps within a range, perhaps optional.

    >>> is_number(float | None), is_number(list[float])
    (True, False)
    """
    kinds = named_types(hint) - {type(None)}
    return bool(kinds) and kinds <= {float, int}


def named_types(hint: object) -> set[object]:
    """Return the plain types in an annotation, through Annotated and unions, and one step into containers."""
    if typing.get_origin(hint) is Annotated:
        return named_types(typing.get_args(hint)[0])
    if union := parts_of_union(hint):
        return {kind for part in union for kind in named_types(part)}
    arguments = typing.get_args(hint)
    return {typing.get_origin(hint), *(k for part in arguments for k in named_types(part))} if arguments else {hint}


def rules(hint: object) -> list[object]:
    """Return the rules of annotated-types in an annotation, through unions."""
    if typing.get_origin(hint) is Annotated:
        return list(typing.get_args(hint)[1:])
    return [rule for part in typing.get_args(hint) for rule in rules(part)]


def largest(hint: object) -> float:
    """Return up to which size numbers are computed with: what an annotation allows where that is more than others do.

    >>> largest(float), largest(Annotated[float, Le(1e30)] | None), largest(Annotated[float, Le(1)])
    (1000000000000000.0, 1e+30, 1000000000000000.0)
    """
    return max([LARGEST_NUMBER, *(float(rule.le) for rule in rules(hint) if isinstance(rule, Le))])  # type: ignore[arg-type]  # numbers


def fits(value: object, hint: object) -> bool:
    """Whether a value is plainly what an annotation asks for; what is not may still be, once it is converted.

    >>> fits(0.5, Annotated[float, Ge(0)] | None), fits("0.5", float), fits(True, float)
    (True, False, False)
    """
    if union := parts_of_union(hint):
        return any(fits(value, part) for part in union)
    kind = named_types(hint)
    if kind <= {str, bool, type(None)}:
        return {type(value)} == kind and not rules(hint)
    if not kind <= {float, int} or type(value) not in (int, *kind):
        return False
    number = typing.cast(float, value)
    reached = abs(number) < math.inf and not out_of_reach(number, largest(hint))
    return reached and all(_holds(rule, number) for rule in rules(hint))


def broken_rule(value: object, hint: object) -> str:
    """Return the first rule of an annotation that a number breaks, in words; "" where it breaks none.

    >>> broken_rule(-1, Annotated[int, Ge(0)]), broken_rule(0.5, Annotated[float, Ge(0), Le(1)])
    ('>= 0', '')
    """
    known = [rule for rule in rules(hint) if type(rule) in SIGNS] if isinstance(value, Number) else []
    return next((_in_words(rule) for rule in known if not _holds(rule, typing.cast(float, value))), "")


def limits(hint: object) -> list[str]:
    """Return the rules of an annotation in words.

    >>> limits(Annotated[float, Ge(0), Le(1)])
    ['>= 0', '<= 1']
    """
    return [_in_words(rule) for rule in rules(hint) if type(rule) in SIGNS]


def _in_words(rule: object) -> str:
    return f"{SIGNS[type(rule)]} {getattr(rule, type(rule).__name__.lower())}"


def _holds(rule: object, number: float) -> bool:
    match rule:
        case Ge(ge=least):
            return bool(number >= least)  # type: ignore[operator]  # of numbers
        case Gt(gt=least):
            return bool(number > least)  # type: ignore[operator]
        case Le(le=most):
            return bool(number <= most)  # type: ignore[operator]
        case Lt(lt=most):
            return bool(number < most)  # type: ignore[operator]
    return False
