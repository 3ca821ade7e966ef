"""Refuses arguments of public functions, and fields of what users build, that are not of the annotated type."""

import builtins
import inspect
import os
import typing
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence, Sized
from dataclasses import fields
from functools import cache, wraps
from itertools import islice
from numbers import Real
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from .errors import MooInferError, located
from .hints import broken_rule, hints, limits, parts_of_union
from .numeric import numbers_of

__all__ = ["check_fields", "refuse_unlike", "typed", "typed_methods"]

P = ParamSpec("P")
R = TypeVar("R")

_Hint = tuple[Any, frozenset[type]]  # and the types of which every value fits
ARRAY_LIKE = frozenset(typing.get_args(npt.ArrayLike))


def typed(*names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function refuse arguments that are not as its annotations have them, before anything is done.

    Args:
        names: of the arguments that are looked at; all where none is named.

    >>> @typed()
    ... def pays(budget: float, names: list[str]) -> float:
    ...     return budget
    >>> pays(True, [])
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: budget: must be a number, got True
    >>> pays(1, "ab")
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: names: must be a list, got 'ab'
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def checks(*args: P.args, **kwargs: P.kwargs) -> R:
            annotated = _annotations(typing.cast(Hashable, function))
            for name, value in signature.bind(*args, **kwargs).arguments.items():
                if name in annotated and (not names or name in names):
                    hint, plain = annotated[name]
                    if type(value) not in plain:
                        refuse_unlike(value, hint, name)
            return function(*args, **kwargs)

        return checks

    return decorate


def typed_methods(*names: str) -> Callable[[type[R]], type[R]]:
    """Make methods of a class refuse what functions that are `typed` refuse."""

    def decorate(cls: type[R]) -> type[R]:
        for name in names:
            setattr(cls, name, typed()(vars(cls)[name]))
        return cls

    return decorate


def check_fields(of: Any, where: str = "", names: Collection[str] = ()) -> None:
    """Refuse fields of a dataclass that are not as its annotations have them.

    Args:
        of: an instance.
        where: what it is called in the message.
        names: of the fields that are looked at; all where none is named.

    Raises:
        MooInferError: naming the field, what is allowed and what was given.
    """
    annotated = _annotated_fields(typing.cast(Hashable, type(of)))
    for name in names or annotated:
        hint, plain = annotated[name]
        value = getattr(of, name)
        if type(value) not in plain:
            refuse_unlike(value, hint, f"{where}: {name}" if where else name)


def refuse_unlike(value: object, hint: object, where: str) -> None:
    """Refuse a value that is plainly not what an annotation asks for, and what is not in a list or a mapping.

    Raises:
        MooInferError: naming the place, what is allowed and what was given.

    >>> refuse_unlike([1, None], list[float] | None, "budgets")
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: budgets[1]: must be a number, got None
    """
    options = parts_of_union(hint) or (hint,)
    if set(options) >= ARRAY_LIKE:
        if not (value is None and type(None) in options):
            numbers_of(value, where)
        return
    near = [option for option in options if _alike(value, option)]
    if not near:
        allowed = " or ".join(dict.fromkeys(_words(option) for option in options))
        raise MooInferError(located(where, f"must be {allowed}, got {value!r:.80}"))
    if broken := broken_rule(value, near[0]):
        raise MooInferError(located(where, f"must be {broken}, got {value!r:.80}"))
    _refuse_inside(value, near[0], where)


def _refuse_inside(value: Any, hint: object, where: str) -> None:
    """Look at what a list or a mapping holds; what can be read once only, and numbers in arrays, are left alone."""
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is np.ndarray or getattr(getattr(value, "dtype", None), "kind", "") in (*"biuf",):
        return
    if isinstance(value, list | tuple) and inner and typing.get_origin(hint) is not Literal:
        fixed = typing.get_origin(hint) is tuple and inner[-1] is not ...
        # Questions and rows of a log are many.
        if not fixed and (set(map(type, value)) <= _plain(inner[0]) or (inner[0] is float and _are_numbers(value))):
            return
        each = inner if fixed else inner[:1] * len(value)
        if len(each) != len(value):
            raise MooInferError(located(where, f"must have {len(each)} entries, got {value!r:.80}"))
        for i, (item, own) in enumerate(zip(value, each, strict=True)):
            _refuse_entry(item, own, f"{where}[{i}]")
    elif isinstance(value, Mapping) and len(inner) == 2:  # names and what they stand for
        for key, item in value.items():
            refuse_unlike(key, inner[0], f"{where}: a key")
            _refuse_entry(item, inner[1], f"{where}: {key}")
    elif _is_many(value) and hasattr(value, "__len__") and inner:
        for item in islice(value, 1):  # arrays and their like are of one type
            _refuse_entry(item, inner[0], f"{where}[0]")


def _refuse_entry(value: object, hint: object, where: str) -> None:
    """Look at an entry; arrays in lists are left to who reads them."""
    if not set(parts_of_union(hint)) >= ARRAY_LIKE:
        refuse_unlike(value, hint, where)


def _alike(value: Any, hint: Any) -> bool:
    """Whether a value is of the type that one annotation asks for, whatever is in it."""
    if typing.get_origin(hint) is Annotated:
        return _alike(value, typing.get_args(hint)[0])
    if isinstance(hint, _Absent):
        return any(cls.__name__ == hint.__name__ for cls in type(value).__mro__)
    kind = typing.get_origin(hint) or hint
    if kind in CHECKS:
        return CHECKS[kind](value)
    if kind is Any or not isinstance(kind, type) or getattr(kind, "_is_protocol", False):
        return True
    return isinstance(value, kind)


def _is_number(value: object) -> bool:
    """Whether something is one number that a float can hold; True and False are none."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and float(value) is not None
    except OverflowError:
        return False


def _are_numbers(value: object) -> bool:
    try:
        return numbers_of(value).ndim == 1
    except MooInferError:
        return False


def _is_whole(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool | np.bool_ | np.ndarray)


def _is_many(value: object) -> bool:
    several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    return several and getattr(value, "ndim", 1) != 0


def _is_list(value: object) -> bool:
    return _is_many(value) and isinstance(value, Sized) and not isinstance(value, set | frozenset)


# What is asked of a value by the type in an annotation; Literals are told apart where it is known what they mean.
CHECKS: dict[object, Callable[[object], bool]] = {
    int: _is_whole,
    float: _is_number,
    bool: lambda value: isinstance(value, bool | np.bool_),
    Path: lambda value: isinstance(value, str | os.PathLike),
    Literal: lambda value: isinstance(value, str),
    Callable: callable,
    **dict.fromkeys((Iterable, Collection, set, np.ndarray), _is_many),
    **dict.fromkeys((Sequence, list, tuple), _is_list),
}
WORDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    type(None): "None",
    Path: "a path",
    type: "a class",
    np.ndarray: "an array",
    Mapping: "a mapping",
    dict: "a mapping",
    Callable: "a function",
    **dict.fromkeys((Iterable, Collection, set, Sequence, list, tuple), "a list"),
}


def _words(hint: Any) -> str:
    """What one annotation allows, in words."""
    if typing.get_origin(hint) is Annotated:
        return " and ".join([f"{_words(typing.get_args(hint)[0])} {' '.join(limits(hint)[:1])}", *limits(hint)[1:]])
    kind = typing.get_origin(hint) or hint
    if kind is Literal:
        return ", ".join(map(str, typing.get_args(hint)))
    if kind in WORDS:
        return WORDS[kind]
    name: str = kind.__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name} object"


class _Absent(type):
    """A class that a module knows for its annotations alone, and that need not be loaded to tell its objects."""

    def __getattr__(cls, name: str) -> "_Absent":
        if name.startswith("_"):
            raise AttributeError(name)
        return _Absent(name, (), {})  # of a module

    def __getitem__(cls, of: object) -> "_Absent":
        return cls


class _Names(dict[str, object]):
    """What names in annotations of a module stand for: those that are there for types alone, for an `_Absent`."""

    def __init__(self, known: Mapping[str, object]) -> None:
        super().__init__()
        self.known = known

    def __missing__(self, name: str) -> object:
        if name in self.known or hasattr(builtins, name):
            raise KeyError(name)
        return _Absent(name, (), {})


@cache
def _annotations(function: Hashable) -> dict[str, _Hint]:
    """The annotations of a function by argument."""
    function = typing.cast(FunctionType, function)
    known = typing.get_type_hints(function, localns=_Names(function.__globals__), include_extras=True)
    return {name: (hint, _plain(hint)) for name, hint in known.items() if name != "return"}


@cache
def _annotated_fields(cls: Hashable) -> dict[str, _Hint]:
    """The annotations of a dataclass by field."""
    return {field.name: (hint := hints(cls)[field.name], _plain(hint)) for field in fields(typing.cast(Any, cls))}


def _plain(hint: object) -> frozenset[type]:
    """The types of which every value fits an annotation, so that nothing else need be looked at."""
    options = set(parts_of_union(hint) or (hint,))
    return frozenset(options & {str, bool, int, float, type(None)})
