import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import pytest

from moo_infer import (
    AccuracyAggregator,
    CostModel,
    InferenceModel,
    LogReader,
    MooInferError,
    Policy,
    Registry,
    Selector,
    hookimpl,
)
from moo_infer import registry as registry_module
from moo_infer.builtin import selectors as selectors_module
from moo_infer.core.parts import Share
from moo_infer.core.plugin_files import plugin_file


class Named(SimpleNamespace):
    """An entry point, or its package: two that say the same are two."""

    __eq__, __hash__ = object.__eq__, object.__hash__


@dataclass(frozen=True)
class First(Selector):
    """Take the first."""

    name = "first"
    offset: int = 0

    def select(self, candidates, /):
        return self.offset


def plugin(function):
    """Make a plugin object whose hook is the given function."""
    return SimpleNamespace(**{function.__name__: hookimpl(function), "__name__": "mine"})


def selectors(*classes):
    def register_selectors():
        return list(classes)

    return plugin(register_selectors)


def test_built_ins_are_there_without_entry_points():
    registry = Registry(entry_points=False)
    assert registry.names(InferenceModel) == ["beta", "difficulty-classes", "empirical", "gaussian", "lognormal"]
    expected = "api-cost batch batch-window cold-start erlang-c fixed-cost gpu-cost linear-cost linear-flops linear-latency loaded logged-cost logged-energy logged-latency "
    expected += "rate-limited sequential slots slowest-of-k"
    assert registry.names(CostModel) == expected.split()
    assert registry.names(AccuracyAggregator) == [
        *(
            "all-of-k",
            "best-of-k",
            "coverage",
            "majority-vote",
            "one-call",
            "plurality-vote",
            "top-score",
            "weighted-vote",
        )
    ]
    expected = "bigcodebench evalplus human-eval inspect-ai livecodebench lm-eval nemo-skills openai-evals table"
    assert registry.names(LogReader) == expected.split()
    expected = "asf cheapest-within fall-back knee knee-chord kneedle max-accuracy max-cube max-lower-bound min-cost "
    expected += "min-latency net-value pseudo-weights utopia weighted-sum"
    assert registry.names(Selector) == expected.split()
    expected = (
        "adaptive-consistency by-label by-load cascade first-accepted fixed reservation two-rounds two-then-more "
    )
    expected += "vote-until-decided windows worth-it"
    assert registry.names(Policy) == expected.split()


def test_a_plugin_of_ones_own_is_called_by_name():
    registry = Registry(selectors(First), entry_points=False)
    assert registry.get(Selector, "first") == First()
    listed = next(p for p in registry.plugins() if p.name == "first")
    assert (listed.kind, listed.plugin, listed.summary) == ("selector", "mine", "Take the first.")
    builtin = next(p for p in registry.plugins() if p.name == "knee")
    assert (builtin.package, builtin.version) == ("moo-infer", "0.1.0")


def test_registries_do_not_know_each_other():
    Registry(selectors(First), entry_points=False)
    with pytest.raises(MooInferError, match="unknown selector 'first'"):
        Registry(entry_points=False).get(Selector, "first")


def misspelt():
    def register_selector():
        return [First]

    return plugin(register_selector)


def unmarked():
    return SimpleNamespace(register_selectors=lambda: [First], __name__="mine")


def named(label):
    return selectors(type("First", (First,), {"name": label}))


@dataclass(frozen=True)
class Shadow(InferenceModel):
    name = "shadow"
    queries: float = 0.5

    def sample(self, rng, M, K, /):
        raise AssertionError


def models():
    def register_inference_models():
        return [Shadow]

    return plugin(register_inference_models)


@dataclass(frozen=True)
class Typo(First):
    name = "typo"
    share: "Shre" = 0.5  # noqa: F821  # the mistake


class Nameless(Selector):
    def select(self, candidates, /):
        return 0


class Abstract(Selector):
    name = "abstract"


class Double(First):
    name = "knee"


class NoObjective(CostModel):
    name = "no-objective"

    def total(self, draws, /, *, parallelism):
        return draws.accuracy


def cost_models():
    def register_cost_models():
        return [NoObjective]

    return plugin(register_cost_models)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (misspelt(), r"plugin 'mine': unknown hook 'register_selector'.*; hooks: register_inference_models, register_cost_models"),
        (selectors(Nameless), "plugin 'mine': Nameless needs a class attribute name, words joined by hyphens, got None"),
        (selectors(Abstract), "plugin 'mine': Abstract is abstract; it lacks select"),
        (selectors(First()), r"plugin 'mine': must register selector classes, got the object First\(offset=0\)"),
        (selectors(int), "plugin 'mine': int must be a subclass of Selector"),
        (selectors(Double), r"two selectors are called 'knee': one from plugin 'moo_infer.builtin.selectors' \(moo-infer\), one from plugin 'mine'"),
        (selectors(First, First), "two selectors are called 'first'"),
        (unmarked(), "plugin 'mine': register_selectors is not marked with @hookimpl"),
        (SimpleNamespace(__name__="mine"), "plugin 'mine': implements no hook; hooks: register_inference_models"),
        (named("my vote"), "First needs a class attribute name, words joined by hyphens, got 'my vote'"),
        (named("my:vote"), "First needs a class attribute name, words joined by hyphens, got 'my:vote'"),
        (models(), "plugin 'mine': Shadow needs another name for the field queries, a member of every InferenceModel"),
        (selectors(Typo), "plugin 'mine': Typo has a field whose type is unknown: name 'Shre' is not defined"),
        (cost_models(), "plugin 'mine': NoObjective needs a class attribute objective of type Objective"),
    ],
)  # fmt: skip
def test_a_wrong_plugin_is_an_error_in_words(made, message):
    with pytest.raises(MooInferError, match=message) as error:
        Registry(made, entry_points=False)
    assert "\n" not in str(error.value)


def test_the_same_plugin_twice_is_refused():
    one = selectors(First)
    with pytest.raises(MooInferError, match="plugin 'mine': is registered already"):
        Registry(one, one, entry_points=False)


def test_a_built_in_module_is_registered_already_whatever_it_is_called(monkeypatch):
    with pytest.raises(MooInferError, match="plugin 'moo_infer.builtin.selectors' .*: is registered already"):
        Registry(selectors_module, entry_points=False)
    again = Named(name="again", dist=Named(name="other", version="2"), load=lambda: selectors_module)
    monkeypatch.setattr(registry_module, "_installed", lambda: [again])
    with pytest.raises(MooInferError, match="plugin 'again' of package 'other': is registered already; MOO_INFER_DIS"):
        Registry()


def test_a_plugin_installed_later_is_found_and_a_broken_one_is_named_every_time(monkeypatch):
    def load():
        raise ImportError("no module named numbers")

    there = [Named(name="broken", dist=Named(name="some-package", version="1"), load=load)]
    monkeypatch.setattr(registry_module, "_installed", lambda: there)
    for _ in range(2):
        with pytest.warns(UserWarning, match="plugin 'broken' of package 'some-package' cannot be loaded"):
            assert "first" not in Registry().names(Selector)
    there[:] = [installed("good", "other", First)]
    assert "first" in Registry().names(Selector)


def test_a_broken_entry_point_is_named_and_skipped(monkeypatch):
    def load():
        raise ImportError("no module named numbers")

    broken = Named(name="broken", dist=Named(name="some-package", version="1"), load=load)
    good = Named(name="good", dist=Named(name="other", version="2"), load=lambda: selectors(First))
    monkeypatch.setattr(registry_module, "_installed", lambda: [broken, good])
    with pytest.warns(
        UserWarning,
        match="plugin 'broken' of package 'some-package' cannot be loaded and is skipped: ImportError: no module",
    ):
        registry = Registry()
    assert "first" in registry.names(Selector)
    assert next(p for p in registry.plugins() if p.name == "first").package == "other"


def installed(name, package, *classes):
    return Named(name=name, dist=Named(name=package, version="1"), load=lambda: selectors(*classes))


@pytest.mark.parametrize("disabled", ["one", "package-one", " package-one , ", "package-one,one,", "Package_One"])
def test_the_environment_names_plugins_to_leave_out(monkeypatch, disabled):
    class Second(First):
        name = "second"

    there = [installed("one", "package-one", First), installed("two", "package-two", Second)]
    monkeypatch.setattr(registry_module, "_installed", lambda: there)
    assert {"first", "second"} <= set(Registry().names(Selector))
    monkeypatch.setenv("MOO_INFER_DISABLE", disabled)
    names = Registry().names(Selector)
    assert "first" not in names
    assert {"second", "knee"} <= set(names)


def test_a_plugin_that_takes_a_name_of_another_can_be_left_out(monkeypatch):
    monkeypatch.setattr(registry_module, "_installed", lambda: [installed("one", "package-one", Double)])
    with pytest.raises(MooInferError, match="two selectors are called 'knee'.*; MOO_INFER_DISABLE=one leaves it out"):
        Registry()
    monkeypatch.setenv("MOO_INFER_DISABLE", "one")
    assert "knee" in Registry().names(Selector)


def test_a_name_to_leave_out_that_nobody_has_is_warned_of(monkeypatch):
    monkeypatch.setattr(registry_module, "_installed", lambda: [installed("one", "package-one", First)])
    monkeypatch.setenv("MOO_INFER_DISABLE", "knee, one")
    message = "MOO_INFER_DISABLE: no installed plugin is called knee; installed: one, package-one"
    with pytest.warns(UserWarning, match=message):
        assert "first" not in Registry().names(Selector)


FILE = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
from moo_infer import Selector, hookimpl

@dataclass(frozen=True)
class Last(Selector):
    name: ClassVar[str] = "last"
    back: int = 1
    def select(self, candidates, /):
        return len(candidates) - self.back

@hookimpl
def register_selectors():
    return [Last]
"""


def test_one_file_is_a_plugin_without_packaging(tmp_path):
    path = tmp_path / "my.py"
    path.write_text(FILE)
    registry = Registry(plugin_file(path), entry_points=False)
    assert registry.get(Selector, "last:back=2").back == 2
    with pytest.raises(MooInferError, match="selector 'last': back: must be a whole number, got 'two'"):
        registry.get(Selector, "last:back=two")
    listed = next(p for p in registry.plugins() if p.name == "last")
    assert (listed.plugin, listed.package, listed.version) == (str(path), str(path), "")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.py", None, "plugin file '.*missing.py': must be an existing file whose name ends in .py"),
        ("my.txt", FILE, "plugin file '.*my.txt': must be an existing file whose name ends in .py"),
        ("my.py", "def f(:", "plugin file '.*my.py': cannot be loaded: SyntaxError: "),
        ("my.py", "import no_such_module", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("my.py", "raise SystemExit(0)", "cannot be loaded: SystemExit"),
        ("my.py", "", "plugin '.*my.py': implements no hook; hooks: register_inference_models"),
        ("my.py", FILE.replace("@hookimpl", ""), "plugin '.*my.py': register_selectors is not marked with @hookimpl"),
        ("my.py", FILE.replace("register_selectors", "register_selector"), "unknown hook 'register_selector'"),
    ],
)
def test_a_file_that_is_no_plugin_is_an_error_in_words(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(MooInferError, match=message):
        Registry(plugin_file(tmp_path / name), entry_points=False)
    if "cannot be loaded" in message:
        assert not [module for module in sys.modules if module.startswith(str(tmp_path))]


def test_a_hook_that_fails_is_named_and_skipped():
    def register_selectors():
        raise RuntimeError("out of ideas")

    with pytest.warns(
        UserWarning,
        match="plugin 'mine': register_selectors fails and is skipped: RuntimeError: out of ideas",
    ):
        registry = Registry(plugin(register_selectors), entry_points=False)
    assert "knee" in registry.names(Selector)


def test_an_installed_plugin_whose_hook_fails_is_named_by_every_registry(monkeypatch):
    def register_selectors():
        raise RuntimeError("out of ideas")

    there = [Named(name="one", dist=Named(name="some", version="1"), load=lambda: plugin(register_selectors))]
    monkeypatch.setattr(registry_module, "_installed", lambda: there)
    for _ in range(2):
        with pytest.warns(UserWarning, match="plugin 'one' of package 'some': register_selectors fails and is skipped"):
            Registry()


def test_a_module_is_looked_through_again_where_its_hooks_are_others_or_failed(monkeypatch):
    module, calls = ModuleType("mine"), []

    def register_selectors():
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("no network yet")
        return [First]

    module.register_selectors = hookimpl(register_selectors)
    there = [Named(name="one", dist=Named(name="some", version="1"), load=lambda: module)]
    monkeypatch.setattr(registry_module, "_installed", lambda: there)
    with pytest.warns(UserWarning, match="no network yet"):
        Registry()
    assert "first" in Registry().names(Selector)

    class Other(First):
        name = "other"

    module.register_selectors = hookimpl(lambda: [Other])
    assert {"first", "other"} & {*Registry().names(Selector)} == {"other"}


def test_building_from_a_mapping():
    registry = Registry(selectors(First), entry_points=False)
    assert registry.build(Selector, {"kind": "first", "offset": 2}, "here") == First(2)
    with pytest.raises(MooInferError, match="here: offset: must be a whole number, got 1.5"):
        registry.build(Selector, {"kind": "first", "offset": 1.5}, "here")
    with pytest.raises(
        MooInferError, match="cost model 'linear-cost': missing usd_per_input_token, usd_per_output_token"
    ):
        registry.get(CostModel, "linear-cost")


def test_a_part_may_refuse_its_fields_itself():
    @dataclass(frozen=True)
    class Even(First):
        name = "even"

        def __post_init__(self):
            if self.offset % 2:
                raise ValueError("offset must be even")

    registry = Registry(selectors(Even), entry_points=False)
    with pytest.raises(MooInferError, match="there: offset must be even"):
        registry.build(Selector, {"kind": "even", "offset": 1}, "there")


def test_the_installed_example_is_found():
    assert "moo_infer_example" in sys.modules or "fewest-samples" in Registry().names(Selector)


def test_defaults_out_of_range_are_found_where_a_part_is_called():
    @dataclass(frozen=True)
    class Much(First):
        name = "much"
        share: Share = 90.0

    with pytest.raises(MooInferError, match="selector 'much': share: must be <= 1, got 90.0"):
        Registry(selectors(Much), entry_points=False).get(Selector, "much")
