"""Finds plugins one by one, checks what they register, and looks parts up by name."""

import dataclasses
import inspect
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, version
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from . import hookspecs
from .core.arguments import typed_methods
from .core.documents import parse_yaml
from .core.errors import MooInferError, located, unknown
from .core.installed import installed_entries, packages_with
from .core.objectives import Objective
from .core.parts import NAME, build, is_number, parameters, split, unfit, with_parts
from .hookspecs import KINDS, ByKind
from .interfaces import AccuracyAggregator, CostModel, InferenceModel, LogReader, Policy, Selector

__all__ = ["DISABLE", "Plugin", "Registry"]

Part = TypeVar("Part", InferenceModel, CostModel, AccuracyAggregator, Selector, LogReader, Policy)

# Registered like anybody's plugin; named, not imported, so that the core does not know them.
BUILTIN = tuple(
    f"moo_infer.builtin.{module}"
    for module in (
        *("inference", "lengths", "difficulty", "empirical"),
        *("costs", "compute", "fixed", "prices", "gpus", "latencies", "rate_limits", "queueing", "erlang", "batch_api"),
        *("aggregators", "answers", "policies", "stages", "stopping", "by_load"),
        *("selectors", "scalarisations", "preferences"),
        *("logs", "code_logs", "harness_logs", "inspect_logs", "event_logs", "generation_logs"),
    )
)
_Looked = tuple[Sequence[tuple[type, type, "Plugin"]], Sequence[str]]  # what is registered, and sentences on failures
FLOW = tuple("{['\"")  # a value that begins so is YAML
DISABLE = "MOO_INFER_DISABLE"  # environment variable: installed plugins to leave out, separated by commas


@dataclass(frozen=True)
class Plugin:
    """A registered class: its name, its kind in words, and the plugin, package and version it came with.

    `parameters` are what stands behind the colon, as ``NAME`` or ``NAME=DEFAULT``.
    """

    name: str
    kind: str
    plugin: str
    package: str
    version: str
    summary: str = ""
    parameters: tuple[str, ...] = ()


@typed_methods("names", "classes", "get")
class Registry:
    """The parts that can be called by name.

    Args:
        extra: plugins that are not installed: modules (`plugin_file`) or objects with hook implementations.
        entry_points: whether to load installed plugins (entry-point group ``moo_infer``). One that fails to load is
            named in a warning and skipped; those that the environment variable ``MOO_INFER_DISABLE`` names, by
            entry point or package and separated by commas, are not loaded. Built-in parts are always there.

    Raises:
        MooInferError: for a misspelt or unmarked hook, a class without a name, an abstract class, an instance instead
            of a class, and for two classes of one kind with the same name.

    >>> registry = Registry(entry_points=False)
    >>> registry.names(Selector)[:3]
    ['asf', 'cheapest-within', 'fall-back']
    >>> registry.get(Selector, "max-accuracy")
    MaxAccuracy()
    """

    def __init__(self, *extra: object, entry_points: bool = True) -> None:
        self._classes: ByKind[dict[str, type]] = ByKind({kind: {} for kind in KINDS})
        self._plugins: dict[tuple[type, str], Plugin] = {}
        for part in _builtin():
            self._add(*part)
        there: dict[str, object] = {}
        if entry_points:
            for entry in _enabled(_installed()):
                self._load(entry, there)
        for plugin in extra:
            name = getattr(plugin, "__name__", type(plugin).__name__)
            self._register(_Found(plugin, name, *_origin(plugin)), there)

    def names(self, kind: type, /) -> list[str]:
        """Sorted names of the classes of a kind."""
        return sorted(self._classes[kind])

    def classes(self, kind: type[Part], /) -> dict[str, type[Part]]:
        """Return the classes of a kind by name."""
        return dict(self._classes[kind])

    def get(self, kind: type[Part], name: str, /) -> Part:
        """Make the part of that name, its parameters behind a colon: ``net-value:usd_per_second=0.1``.

        Values in brackets, braces or quotes are YAML, and a comma within them ends nothing:
        ``asf:weights={accuracy: 3, cost: 0.5}``. A dot leads into a parameter that is a mapping:
        ``asf:weights.accuracy=3,weights.cost=0.5``.

        Raises:
            MooInferError: for an unknown name, for parameters that do not exist or are out of range, and where the part
                has parameters without defaults.
        """
        return self.build(kind, self.fields(kind, name), KINDS[kind][0])

    def fields(self, kind: type[Part], name: str, /) -> dict[str, object]:
        """Return what stands in the text that `get` takes, as the mapping that `build` takes."""
        noun = KINDS[kind][0]
        label, _, given = name.partition(":")
        fields: dict[str, object] = {"kind": label}
        for item in filter(None, map(str.strip, split(given))):
            path, equals, value = item.partition("=")
            key, dot, entry = path.partition(".")
            if not (key and equals and bool(dot) == bool(entry)):
                raise MooInferError(f"{noun} {name!r}: parameters are NAME=VALUE, got {item!r}")
            target = fields.setdefault(key, {}) if dot else fields
            if not isinstance(target, dict) or (entry or key) in target:
                raise MooInferError(f"{noun} {name!r}: parameters are given once each, got {item!r} as well")
            if dot and is_number(self._classes[kind].get(label, kind), key):
                raise MooInferError(f"{noun} {name!r}: {key} is a number, got {item!r}")
            target[entry or key] = parse_yaml(value, f"{noun} {name!r}: {path}") if value.startswith(FLOW) else value
        return fields

    def build(self, kind: type[Part], fields: object, where: str, folder: Path | None = None) -> Part:
        """Make a part from a mapping: ``kind`` names the class, the other keys are its fields.

        Paths among them start from `folder`, that of the file in which they stand.

        Raises:
            MooInferError: naming the place, the key, what is allowed and what was given.
        """
        if not isinstance(fields, Mapping):
            raise MooInferError(located(where, f"must be a mapping with a kind, got {fields!r}"))
        if "kind" not in fields:
            raise MooInferError(located(where, f"missing kind; available: {', '.join(self.names(kind))}"))
        name = fields["kind"]
        if not isinstance(name, str) or name not in self._classes[kind]:
            noun = KINDS[kind][0]
            raise unknown(noun, name, self._classes[kind], "" if where == noun else where)
        here = f"{where} {name!r}" if where == KINDS[kind][0] else where
        cls = self._classes[kind][name]

        def make(held: type, value: object, place: str) -> object:
            return self.build(held, value, place, folder)

        entries = {k: with_parts(cls, k, v, KINDS, make, located(here, k)) for k, v in fields.items() if k != "kind"}
        part: Part = build(cls, entries, here, folder)
        return part

    def plugins(self) -> list[Plugin]:
        """List everything that is registered, by kind, then name."""
        return sorted(self._plugins.values(), key=lambda p: (p.kind, p.name))

    def _load(self, entry: EntryPoint, there: dict[str, object]) -> None:
        try:
            plugin = entry.load()
            found = _Found(plugin, entry.name, *(_name_and_version(entry.dist) if entry.dist else _origin(plugin)))
        except (Exception, SystemExit) as error:  # whatever a foreign module raises while it is imported
            warnings.warn(
                f"plugin {entry.name!r} of package {entry.dist.name if entry.dist else ''!r} cannot be loaded and is "
                f"skipped: {type(error).__name__}: {error}",
                stacklevel=4,
            )
            return
        try:
            self._register(found, there, 4)
        except MooInferError as error:
            raise MooInferError(f"{error}; {DISABLE}={entry.name} leaves it out") from error

    def _register(self, found: "_Found", there: dict[str, object], above: int = 3) -> None:
        """Add what a plugin registers to what is there, unless it is there itself; warnings point `above`."""
        known = found.name in there or any(found.plugin is other for other in there.values())
        if known or found.name in BUILTIN or getattr(found.plugin, "__name__", "") in BUILTIN:
            raise MooInferError(f"{_plugin_name(found.name, found.package)}: is registered already")
        there[found.name] = found.plugin
        parts, failures = found.parts()
        for failure in failures:
            warnings.warn(failure, stacklevel=above)
        for part in parts:
            self._add(*part)

    def _add(self, kind: type, cls: type, listed: Plugin) -> None:
        if other := self._plugins.get((kind, listed.name)):
            raise MooInferError(
                f"two {listed.kind}s are called {listed.name!r}: one from plugin {other.plugin!r} ({other.package}), "
                f"one from plugin {listed.plugin!r} ({listed.package})"
            )
        self._classes[kind][listed.name] = cls
        self._plugins[kind, listed.name] = listed


@dataclass(frozen=True, eq=False)
class _Found:
    """A plugin, its name, the package and version that it came with, and what it registers."""

    plugin: object
    name: str
    package: str
    version: str

    def parts(self) -> _Looked:
        """The classes that it registers, checked, each with its kind and how it is listed; and what fails."""
        owner = Plugin("", "", self.name, self.package, self.version)
        if not isinstance(self.plugin, ModuleType):  # which may not be hashed
            return _looked_through(self.plugin, owner)
        hooks = tuple(getattr(self.plugin, hook, None) for _, hook in KINDS.values())
        looked = _of_module(self.plugin, hooks, owner)
        return _looked_through(self.plugin, owner) if looked[1] else looked  # what failed may work by now


@lru_cache(maxsize=256)  # every command makes a registry, some make several: each looks through all that is installed
def _of_module(plugin: ModuleType, hooks: tuple[object, ...], owner: Plugin) -> _Looked:
    """Look through a module once, and again where it was loaded again: it has other hooks then."""
    return _looked_through(plugin, owner)


@lru_cache(maxsize=256)  # to ask for them reads a file
def _name_and_version(package: Distribution) -> tuple[str, str]:
    return package.name, package.version


@cache
def _builtin() -> list[tuple[type, type, Plugin]]:
    """What the built-in modules register."""
    modules = [import_module(name) for name in BUILTIN]
    return [part for module in modules for part in _Found(module, module.__name__, *_origin(module)).parts()[0]]


def _looked_through(plugin: object, owner: Plugin) -> _Looked:
    failures: list[str] = []
    return [*_parts(plugin, owner, failures)], failures


def _parts(plugin: object, owner: Plugin, failures: list[str]) -> Iterator[tuple[type, type, Plugin]]:
    where = _plugin_name(owner.plugin, owner.package)
    hooks = ", ".join(hook for _, hook in KINDS.values())
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, owner.plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise MooInferError(f"{where}: {error}; hooks: {hooks}") from None
    if not any(callable(getattr(plugin, hook, None)) for _, hook in KINDS.values()):
        raise MooInferError(f"{where}: implements no hook; hooks: {hooks}")
    for kind, (noun, hook) in KINDS.items():
        for cls in _registered(manager, plugin, hook, where, failures):
            yield kind, cls, _listed(kind, cls, dataclasses.replace(owner, kind=noun))


def _registered(
    manager: pluggy.PluginManager, plugin: object, hook: str, plugin_name: str, failures: list[str]
) -> Sequence[Any]:
    """The classes that a hook of a plugin returns; none where the plugin lacks the hook, or it fails."""
    function = getattr(plugin, hook, None)
    if not callable(function):
        return ()
    if not manager.parse_hookimpl_opts(plugin, hook):
        raise MooInferError(f"{plugin_name}: {hook} is not marked with @hookimpl")
    try:
        classes = function()
    except (Exception, SystemExit) as error:  # whatever a foreign hook raises
        failures.append(f"{plugin_name}: {hook} fails and is skipped: {type(error).__name__}: {error}")
        return ()
    if not isinstance(classes, list | tuple):
        raise MooInferError(f"{plugin_name}: {hook} must return a list of classes, got {classes!r}")
    return classes


def _listed(kind: type, cls: Any, owner: Plugin) -> Plugin:
    """How a class is listed; raises MooInferError where it can be no part of that kind."""
    where = _plugin_name(owner.plugin, owner.package)
    if not isinstance(cls, type):
        raise MooInferError(f"{where}: must register {owner.kind} classes, got the object {cls!r}")
    if not issubclass(cls, kind):
        raise MooInferError(f"{where}: {cls.__name__} must be a subclass of {kind.__name__}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise MooInferError(f"{where}: {cls.__name__} is abstract; it lacks {missing}")
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise MooInferError(
            f"{where}: {cls.__name__} needs a class attribute name, words joined by hyphens, got {name!r}"
        )
    if problem := unfit(cls, kind):
        raise MooInferError(f"{where}: {problem}")
    if kind is CostModel and not isinstance(getattr(cls, "objective", None), Objective):
        raise MooInferError(f"{where}: {cls.__name__} needs a class attribute objective of type Objective")
    summary = (inspect.getdoc(cls) or "").split("\n")[0]
    return dataclasses.replace(owner, name=name, summary=summary, parameters=parameters(cls))


def _installed() -> list[EntryPoint]:
    return installed_entries(hookspecs.PROJECT)


def _enabled(installed: list[EntryPoint]) -> list[EntryPoint]:
    """Leave out what the environment disables, by the name of the entry point or of the package."""
    disabled = {_normalised(name) for name in os.environ.get(DISABLE, "").split(",")} - {""}
    if not disabled:
        return installed  # to ask for the name of a package reads a file
    called = [
        {_normalised(name) for name in (entry.name, entry.dist.name if entry.dist else entry.name)}
        for entry in installed
    ]
    installed_names: set[str] = set().union(*called)
    if strangers := ", ".join(sorted(disabled - installed_names)):
        there = ", ".join(sorted(installed_names)) or "none"
        warnings.warn(f"{DISABLE}: no installed plugin is called {strangers}; installed: {there}", stacklevel=3)
    return [entry for entry, names in zip(installed, called, strict=True) if not names & disabled]


def _normalised(name: str) -> str:
    """A package's name as packaging compares them: ``Moo_Infer.Energy`` is ``moo-infer-energy``."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _origin(plugin: object) -> tuple[str, str]:
    """Package and version of a module or object; the name of its module where it is not installed."""
    module: str = getattr(plugin, "__name__", "") or type(plugin).__module__
    if module.endswith(".py"):  # a file, not a package
        return module, ""
    if module.split(".")[0] == __package__:
        return "moo-infer", import_module(__package__).__version__
    packages = packages_with(module.split(".")[0])
    return (packages[0], version(packages[0])) if packages else (module, "")


def _plugin_name(plugin: str, package: str) -> str:
    return f"plugin {plugin!r}" if package in ("", plugin) else f"plugin {plugin!r} of package {package!r}"
