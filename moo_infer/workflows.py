"""Workflows as they are given: stages that are policies or tools, and which of them wait for which."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, ClassVar, Literal

from .core.arguments import check_fields
from .core.errors import MooInferError, unknown
from .core.objectives import ACCURACY, COST, LATENCY
from .core.parts import NonNegative, Share, refuse_unfit
from .core.uncertainty import Uncertain
from .interfaces import Policy
from .profiles import ModelProfile
from .quantities.samples import Samples

__all__ = ["MOST_STAGES", "Right", "Stage", "Tool", "Workflow"]

MOST_STAGES = 12  # of a workflow with a function of its own: 4,096 ways to be right or wrong
NUMBERS = ("seconds", "usd", "success")
Right = Literal["all", "last"] | Callable[[Mapping[str, bool]], bool]


@dataclass(frozen=True)
class Tool:
    """A retriever, a compiler, a browser: what a stage runs in place of a model, once.

    Args:
        seconds: how long a run takes, >= 0.
        usd: what it costs, >= 0.
        success: how likely it does its work, in [0, 1]. All three are given, or a `log`.
        law: how seconds vary from run to run: ``constant``, or ``exponential`` with that mean.
        spends: of other objectives, by name, in their units, >= 0: ``{"energy": 3.0}``.
        log: a file with the neutral table, or `Samples`: ``correct``, ``cost_usd``, ``latency_s`` of its runs, question
            by question.
        model: which model of the log it is; may be left out where there is one.

    Raises:
        MooInferError: for numbers out of range, and where numbers and a log are given, or neither.

    >>> Tool(seconds=2, usd=0.001, success=0.98).success
    0.98
    """

    name: ClassVar[str] = "tool"
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    seconds: NonNegative | None = None
    usd: NonNegative | None = None
    success: Share | None = None
    law: Literal["constant", "exponential"] = "constant"
    spends: Mapping[str, NonNegative] = field(default_factory=dict)
    log: Samples | Path | None = None
    model: str = ""

    def __post_init__(self) -> None:
        check_fields(self, names=("spends", "log", "model"))
        given = [name for name in NUMBERS if getattr(self, name) is not None]
        if self.log is not None and (given or self.spends or self.law != "constant"):
            raise MooInferError("a tool has seconds, usd and success, or a log that says them; got both")
        if self.log is None:
            if missing := [name for name in NUMBERS if name not in given]:
                raise MooInferError(f"a tool needs seconds, usd and success, or a log; missing {', '.join(missing)}")
            if self.model:
                raise MooInferError(f"model is of a log, and there is none; got {self.model!r:.80}")
        refuse_unfit(Tool, {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("log", "spends")}, "")
        for name, amount in self.spends.items():
            if name in (COST.name, LATENCY.name, ACCURACY.name):
                raise MooInferError(f"spends: {name} is said by usd, seconds or success")
            if not 0 <= amount < math.inf:
                raise MooInferError(f"spends: {name}: must be a number >= 0, got {amount!r:.80}")

    @property
    def amounts(self) -> dict[str, float]:
        """What a run takes, by objective; nothing where a log says it."""
        if self.log is not None:
            return {}
        return {COST.name: float(self.usd or 0.0), LATENCY.name: float(self.seconds or 0.0), **self.spends}


@dataclass(frozen=True, eq=False)
class Stage:
    """A step of a workflow: a policy over some models, or a tool.

    Args:
        name: what reports call it.
        deployment: the profile that a policy calls, or several; None where it names models of the run.
        policy: a policy, its text, the name of one in ``policies:``, or a mapping with a kind; or a list of these to
            choose from. A `Tool` may stand in its place.
        after: the stages that it waits for; it starts when the last of them is done.
        tool: what it runs in place of a policy.
        uncertain: how uncertain numbers of the tool are, by field.

    Raises:
        MooInferError: for a stage without a name, and for one with a policy and a tool, or with neither.

    >>> Stage("search", tool=Tool(2, 0.001, 0.98), after=("plan",)).after
    ('plan',)
    """

    name: str
    deployment: ModelProfile | Sequence[ModelProfile] | None = None
    policy: Any = None
    after: Sequence[str] = ()
    tool: Tool | None = None
    uncertain: Mapping[str, Uncertain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise MooInferError(f"a stage needs a name, got {self.name!r:.80}")
        if isinstance(self.policy, Tool) and self.tool is None:
            object.__setattr__(self, "tool", self.policy)
            object.__setattr__(self, "policy", None)
        where = f"stages: {self.name}"
        if (self.policy is None) == (self.tool is None):
            got = "neither" if self.tool is None else "both"
            raise MooInferError(f"{where}: must have a policy or a tool, got {got}")
        self._check_policies(where) if self.tool is None else self._check_tool(where)
        for name in self.uncertain:
            if name not in NUMBERS or self.tool is None:
                raise unknown("number", name, NUMBERS if self.tool else (), f"{where}: uncertain")
        if isinstance(self.after, str) or not all(isinstance(name, str) for name in self.after):
            raise MooInferError(f"{where}: after: must be a list of names of stages, got {self.after!r:.80}")
        object.__setattr__(self, "after", tuple(self.after))

    def _check_tool(self, where: str) -> None:
        if not isinstance(self.tool, Tool):
            raise MooInferError(f"{where}: tool: must be a Tool, got {self.tool!r:.80}")
        if self.deployment is not None:
            raise MooInferError(f"{where}: a tool calls no model, got deployment {self.deployment!r:.80}")

    def _check_policies(self, where: str) -> None:
        if any(not isinstance(profile, ModelProfile) for profile in self.profiles):
            raise MooInferError(f"{where}: deployment: must be a ModelProfile or several, got {self.deployment!r:.80}")
        if not self.policies:
            raise MooInferError(f"{where}: policy: the list is empty; name one at least")
        for given in self.policies:
            if not isinstance(given, str | Mapping | Policy):
                raise MooInferError(f"{where}: policy: must be a policy, its name or a list of them, got {given!r:.80}")

    @property
    def policies(self) -> tuple[Any, ...]:
        """The policies to choose from; none of a tool."""
        several = isinstance(self.policy, Sequence) and not isinstance(self.policy, str)
        return tuple(self.policy) if several else () if self.policy is None else (self.policy,)

    @property
    def profiles(self) -> tuple[ModelProfile, ...]:
        """The profiles that are its own."""
        own: Any = self.deployment
        return () if own is None else tuple(own) if isinstance(own, list | tuple) else (own,)


@dataclass(frozen=True, eq=False)
class Workflow:
    """Stages, which wait for each other: a directed acyclic graph. Every stage runs, whatever became of the others.

    Money, joules and FLOP of the stages add up; seconds take the longest path, as stages that do not wait for each
    other run at the same time. A retry or a loop is a policy inside a stage (``first-accepted``).

    Args:
        stages: in any order, each with a name of its own.
        right: what makes the whole right: ``all`` stages are, the ``last`` one is (that no other waits for), or a
            function of which stages are right, a mapping of their names to True or False.
        cap_seconds: a run that would take longer is stopped then: it counts as failed and is paid for in full; None for
            no cap.

    Raises:
        MooInferError: for stages that wait for each other in a circle, for names that are unknown or there twice, and
            without stages.

    >>> search = Stage("search", tool=Tool(2, 0.001, 0.98))
    >>> Workflow([search, Stage("read", tool=Tool(1, 0, 0.9), after=["search"])], right="last").last
    'read'
    >>> Workflow([Stage("a", tool=search.tool, after=["b"]), Stage("b", tool=search.tool, after=["a"])])
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: stages: a -> b -> a is a circle; a stage cannot wait for itself
    """

    stages: Sequence[Stage]
    right: Any = "all"
    cap_seconds: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.stages, list | tuple) or not all(isinstance(stage, Stage) for stage in self.stages):
            raise MooInferError(f"stages: must be a list of stages, got {self.stages!r:.80}")
        object.__setattr__(self, "stages", tuple(self.stages))
        if not self.stages:
            raise MooInferError("stages: a workflow needs one at least, got none")
        names = [stage.name for stage in self.stages]
        if twice := [name for name in names if names.count(name) > 1]:
            raise MooInferError(f"stages: {twice[0]!r} is there twice; stages must have different names")
        for stage in self.stages:
            for other in stage.after:
                if other not in names:
                    raise unknown("stage", other, names, f"stages: {stage.name}: after")
        _ = self.order
        self._check_right()
        cap = self.cap_seconds
        check_fields(self, names=("cap_seconds",))
        if cap is not None and not 0 < cap < math.inf:
            raise MooInferError(f"cap_seconds: must be a number > 0, got {cap!r:.80}")

    def _check_right(self) -> None:
        if callable(self.right):
            if len(self.stages) > MOST_STAGES:
                raise MooInferError(
                    f"right: a function is asked for all ways to be right or wrong, of {MOST_STAGES} stages at most, "
                    f"and there are {len(self.stages)}"
                )
        elif self.right not in ("all", "last"):
            raise MooInferError(f"right: must be all or last (or in Python a function), got {self.right!r:.80}")
        elif self.right == "last" and len(self.ends) > 1:
            raise MooInferError(f"right: last: no stage waits for {' or '.join(self.ends)}, so that none is the last")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the stages, in the order given."""
        return tuple(stage.name for stage in self.stages)

    @property
    def order(self) -> tuple[int, ...]:
        """The numbers of the stages, each after those that it waits for."""
        place = {stage.name: i for i, stage in enumerate(self.stages)}
        graph = {i: [place[name] for name in stage.after] for i, stage in enumerate(self.stages)}
        try:
            return tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = [self.stages[i].name for i in error.args[1]][:-1]  # the first is there again at its end
            first = min(range(len(circle)), key=lambda i: place[circle[i]])
            path = " -> ".join([*circle[first:], *circle[: first + 1]])
            raise MooInferError(f"stages: {path} is a circle; a stage cannot wait for itself") from None

    @property
    def after(self) -> tuple[tuple[int, ...], ...]:
        """By stage, the numbers of those that it waits for."""
        place = {stage.name: i for i, stage in enumerate(self.stages)}
        return tuple(tuple(place[name] for name in dict.fromkeys(stage.after)) for stage in self.stages)

    @property
    def ends(self) -> tuple[str, ...]:
        """The stages that no other waits for."""
        waited_for = {name for stage in self.stages for name in stage.after}
        return tuple(name for name in self.names if name not in waited_for)

    @property
    def last(self) -> str:
        """The stage that no other waits for, where it is one."""
        return self.ends[-1]

    def with_policies(self, policies: Mapping[str, Any], /) -> "Workflow":
        """Return the same with other policies of some stages, by their names."""
        stages = [replace(s, policy=policies[s.name]) if s.name in policies else s for s in self.stages]
        return replace(self, stages=stages)
