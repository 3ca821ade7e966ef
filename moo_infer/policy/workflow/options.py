"""What a stage may do: a policy at one number of samples, or a tool; what is known of it, and trials of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ...core.arrays import FloatArray, IntArray
from ...core.cdf import Cdf
from ...core.errors import MissingColumn, MooInferError, NotExact, NothingPossible, located, unknown
from ...core.objectives import ACCURACY, Objective
from ...estimate.exact import Exact
from ...estimate.grid import Grid
from ...interfaces import Policy
from ...profiles import ModelProfile
from ...registry import Registry
from ...workflows import Stage
from ..by_law import ByLaw, evaluated_by_law
from ..by_question import ByQuestion
from ..decisions import most_calls
from ..deployment import Deployment
from ..exact import evaluated
from ..replay import Replay, replayed
from ..table import numbers_of_samples
from ..tried import TriedPolicy, leaves_k_out, text_of, tried
from .tools import profile_of

__all__ = ["Known", "StageOption", "options_of", "tool_option"]

ROUNDING = 1e-14  # of a variance, relative to the square of the mean: differences of squares that are equal


@dataclass(frozen=True, eq=False)
class Known:
    """What is known exactly of a stage, given each of Q questions; Q is 1 without a log.

    Args:
        mean: by objective (Q,), accuracy too; without what is not known.
        square: by objective (Q,), expectations of squares; likewise.
        cdf: by objective, where it is known and there is no log.
        calls, waves: by their number (Q,), how likely it is.
        of_two: whether answers are of two kinds, right and wrong, for want of others.
    """

    mean: Mapping[str, FloatArray] = field(default_factory=dict)
    square: Mapping[str, FloatArray] = field(default_factory=dict)
    cdf: Mapping[str, Cdf] = field(default_factory=dict)
    calls: Mapping[int, FloatArray] = field(default_factory=dict)
    waves: Mapping[int, FloatArray] = field(default_factory=dict)
    of_two: bool = False

    def variance(self, objective: str) -> FloatArray | None:
        """Return the variance (Q,) given each question; None where it is not known."""
        if objective not in self.square:
            return None
        mean = self.mean[objective]
        variance = self.square[objective] - mean**2
        return np.where(variance > ROUNDING * mean**2, variance, 0.0)

    def of(self, place: IntArray) -> "Known":
        """Return what is known of some of the questions, by their numbers."""
        return self._each(lambda own: own[place])

    def over(self, weights: FloatArray) -> "Known":
        """Return what is known over all questions, by their shares (Q,)."""
        return self._each(lambda own: np.array([weights @ own]))

    def _each(self, change: Callable[[FloatArray], FloatArray]) -> "Known":
        mean, square = ({name: change(own) for name, own in of.items()} for of in (self.mean, self.square))
        calls, waves = ({n: change(own) for n, own in of.items()} for of in (self.calls, self.waves))
        return Known(mean, square, self.cdf, calls, waves)


@dataclass(frozen=True, eq=False)
class StageOption:
    """One thing that a stage may do.

    Args:
        stage: its name.
        label: what reports call it.
        text: what makes the policy again; of a tool its name.
        deployment: the policy with its models, of a tool the tool itself.
        is_tool: whether it is a tool.
    """

    stage: str
    label: str
    text: str
    deployment: Deployment
    is_tool: bool = False
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_kept": {}}  # what is computed is so again

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models; none of a tool."""
        return () if self.is_tool else self.deployment.models

    @property
    def k(self) -> int:
        """The most calls; a tool makes none."""
        return 0 if self.is_tool else sum(self.deployment.most.values())

    @property
    def logged(self) -> bool:
        """Whether it is known by the questions of a log."""
        return self.deployment.samples is not None

    def known(self, trials: int, seed: int) -> Known:
        """Evaluate it exactly, as far as that goes."""
        key = trials, seed
        if key not in self._kept:
            self._kept[key] = _known(self.deployment, trials, seed, 0 if self.is_tool else 1)
        kept = self._kept[key]
        assert isinstance(kept, Known)
        return kept

    def keep(self, trials: int, seed: int, known: Known, answering: set[str], compared: set[tuple[int, int]]) -> None:
        """Keep what `known` gave elsewhere, and what its deployment noted there."""
        self._kept[trials, seed] = known
        self.deployment.answering.update(answering)
        self.deployment.compared.update(compared)

    def replay(self, trials: int, seed: int, question: IntArray | None, taken: Mapping[str, int]) -> Replay:
        """Run it on queries that are drawn; arguments as in `replayed`."""
        key = trials, seed, None if question is None else question.tobytes(), *sorted(taken.items())
        if key not in self._kept:
            self._kept[key] = replayed(self.deployment, trials, seed, question, self.stage, taken)
        kept = self._kept[key]
        assert isinstance(kept, Replay)
        return kept

    @property
    def uncertain(self) -> bool:
        """Whether numbers of its profiles are."""
        return any(setup.profile.uncertain for setup in self.deployment.setups.values())

    def drawn(self, B: int, seed: int, b: int, *, again: bool = False) -> "StageOption":
        """Return the same with the numbers of a draw, the b-th of B; and with samples drawn anew, where it has some."""
        anew = again and self.logged
        if not (self.uncertain or anew):
            return self
        key = "drawn", B, seed, b, again
        if key not in self._kept:
            numbers = {model: setup.profile.draw(B, seed) for model, setup in self.deployment.setups.items()}
            values = {model: {path: float(of[b]) for path, of in own.items()} for model, own in numbers.items()}
            deployment = self.deployment.with_values(values)
            self._kept[key] = replace(self, deployment=deployment.drawn_anew(b, seed) if anew else deployment, _kept={})
        kept = self._kept[key]
        assert isinstance(kept, StageOption)
        return kept


def _known(of: Deployment, trials: int, seed: int, calls: int) -> Known:
    """What is known of a policy; nothing where some of its questions have too many states; `calls` is 0 of a tool."""
    try:
        found = evaluated_by_law(of) if of.samples is None else evaluated(of, trials, seed)
    except NotExact:
        return Known()
    if isinstance(found, ByQuestion):
        if len(found.replayed):
            return Known()
        counted = found.calls if calls else {0: sum(found.calls.values(), np.zeros(len(found.questions)))}
        return Known(found.mean, found.square, {}, counted, found.waves)
    mean = {name: np.array([value]) for name, value in found.mean.items()}
    square, cdf = _of_one_wave(of, found)
    if not calls:  # a tool does its work or does not
        square[ACCURACY.name] = mean[ACCURACY.name]
    waves = {n: np.array([share]) for n, share in found.waves.items()}
    spread: dict[int, FloatArray] = {}
    for n, share in found.endings.items():
        spread[calls * sum(n)] = spread.get(calls * sum(n), np.zeros(1)) + share
    square = {name: own for name, own in square.items() if name in mean}
    return Known(mean, square, cdf, spread, waves, bool(calls) and found.of_two)


def _of_one_wave(of: Deployment, found: ByLaw) -> tuple[dict[str, FloatArray], dict[str, Cdf]]:
    """Squares and cdfs of what is consumed, where a policy calls one model once, whatever comes of it."""
    if len(found.endings) != 1 or {*found.waves} != {1}:
        return {}, {}
    ((calls, _),) = found.endings.items()
    called = [j for j, n in enumerate(calls) if n]
    if len(called) != 1:
        return {}, {}
    setup = replace(of.setups[of.models[called[0]]], k=np.array([calls[called[0]]], dtype=np.int64))
    square: dict[str, FloatArray] = {}
    cdf: dict[str, Cdf] = {}
    for name, moments in Exact().moments(setup).items():
        if name == ACCURACY.name or moments is None or moments.std is None:
            continue
        square[name] = np.ravel(moments.std) ** 2 + np.ravel(moments.mean) ** 2
        if moments.cdf is not None and np.shape(moments.mean) == (1,):
            cdf[name] = moments.cdf
    return square, cdf


def options_of(
    stage: Stage,
    profiles: Mapping[str, ModelProfile],
    named: Mapping[str, Mapping[str, Any]],
    registry: Registry,
    parallelism: int | None,
    grid: Grid,
) -> list[StageOption]:
    """Return what a stage with policies may do: each of them, at every k of the run where its own was left out.

    Args:
        stage: the stage.
        profiles: the models of the run, by name.
        named: the policies of a file, each a mapping with its kind and fields, by name.
        registry: where kinds are looked up.
        parallelism: P for every model; None for that of its profile.
        grid: the numbers of inferences that are considered, by P.

    Raises:
        MooInferError: for unknown policies and models, and for two options that are the same.
    """
    where = f"stages: {stage.name}: policy"
    known = {profile.name: profile for profile in stage.profiles} or dict(profiles)
    options: list[StageOption] = []
    for given in stage.policies:
        one = _tried(given, named, registry, where)
        for model in known if one.open else [""]:
            k = numbers_of_samples(one, model, known, registry, parallelism, grid)
            for policy, text in one.at(model, k or [1]):
                label = _label(one, policy)
                deployment = _in_place(partial(Deployment.of, policy, known, parallelism, registry), where)
                options.append(StageOption(stage.name, label, text, deployment))
    names = [(option.label, option.models) for option in options]
    for label, models in names:
        if names.count((label, models)) > 1:
            raise MooInferError(f"{where}: {label} of {' and '.join(models)} is given twice; policies must differ")
    return options


def tool_option(stage: Stage, objectives: Sequence[Objective], registry: Registry) -> StageOption:
    """Return what a stage with a tool does; `objectives` are those of the other stages."""
    profile = profile_of(stage, tuple(objectives), registry)
    once = {"kind": "fixed", "k": 1, "aggregator": "one-call", "model": stage.name}
    deployment = Deployment.of(registry.build(Policy, once, stage.name), {stage.name: profile}, None, registry)
    return StageOption(stage.name, "tool", "tool", deployment, is_tool=True)


def _tried(given: Any, named: Mapping[str, Mapping[str, Any]], registry: Registry, where: str) -> TriedPolicy:
    """A policy as a stage names it; without a name where it is none of a file."""
    if isinstance(given, Mapping):
        policy = registry.build(Policy, given, where)
        return TriedPolicy(policy, "", leaves_k_out(policy, given))
    if isinstance(given, Policy):
        return TriedPolicy(given, "")
    kinds = registry.classes(Policy)
    if given not in named and given.partition(":")[0] not in kinds:
        raise unknown("policy", given, {*named, *kinds}, where)
    (one,) = tried(given, registry, named)
    return one if given in named else replace(one, name="")


def _label(one: TriedPolicy, policy: Policy) -> str:
    """What tells an option from others of its stage, beside its models."""
    if one.name:
        return f"{one.name}:k={sum(most_calls(policy).values())}" if one.every_k else one.name
    part: Any = policy
    return text_of(replace(part, model="") if isinstance(getattr(policy, "model", None), str) else policy)


def _in_place(make: Callable[[], Deployment], where: str) -> Deployment:
    """What a function makes; its refusals say the place."""
    try:
        return make()
    except MissingColumn:
        raise
    except NothingPossible as error:
        raise NothingPossible(located(where, str(error))) from None
    except MooInferError as error:
        raise MooInferError(located(where, str(error))) from None
