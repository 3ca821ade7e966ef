"""Pipeline: wires models, aggregators, an estimator and selectors, by name or by object."""

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

from .core.arguments import typed
from .core.day import Day
from .core.errors import MooInferError, unknown
from .core.naming import listed_items, look_up
from .core.objectives import Limit, Objective
from .core.parts import at_least_one, share
from .core.tasks import Workers, restarting
from .decide.candidates import Candidates
from .decide.choices import Choice, FeasibleShares, decide
from .decide.crossfit import cross_fitted, halves_of
from .decide.mixed import choose_mixture
from .decide.stability import Redraw, Tried
from .decide.stages import StageAllocation, allocate_stages
from .decide.volume import Volume, fixed_costs
from .estimate.aggregator_table import AggregatorTable
from .estimate.at_load import refuse_load
from .estimate.curves import Curve
from .estimate.day_curve import objectives_over
from .estimate.exact import QUESTIONS, Exact, Questions
from .estimate.grid import Grid, values_of_k
from .estimate.monte_carlo import Estimator
from .estimate.named import ESTIMATORS, estimator_named
from .estimate.named_parts import AGGREGATORS, ON_LOGS, parts_of, supported
from .estimate.setup import Setup, common_objectives
from .interfaces import AccuracyAggregator, Policy, Selector
from .policy.mixture import MIXTURE
from .policy.table import PolicyTable
from .policy.tried import MENU, tried, without_menu
from .policy.workflow.table import WorkflowTable
from .profiles import ModelProfile, Scenario, refuse_not_measured
from .read.profiles import builtin_models, builtin_scenarios
from .registry import Registry
from .report.by_label import decided_by
from .report.facts import Outcome
from .report.report import Report
from .workflows import Workflow

__all__ = ["AGGREGATORS", "ESTIMATORS", "K_MAX", "ON_LOGS", "SELECTORS", "Pipeline", "estimator_named"]

Models = str | ModelProfile | Iterable[str | ModelProfile] | None  # names or profiles
SELECTORS = ("max-accuracy", "max-cube", "utopia", "knee", "knee-chord")
GOAL = "cheapest-within"  # answers the question of who has a budget
NO_LIMITS = Scenario("no-limits", source="none were given")
K_MAX = 128


class Pipeline:
    """From models and limits to decisions. It keeps its estimates: a second scenario costs no estimation.

    Args:
        aggregators: names or objects, one or many; None for what each model's source supports: ``one-call`` and
            ``plurality-vote`` on a log (without answers the first alone), ``best-of-k`` elsewhere.
        selectors: names or objects, one or many; the paper's by default.
        estimator: ``"exact"``, ``"monte-carlo"`` or an object.
        goal: a name or an object, the selector whose choice opens a report; None for the first of `selectors` where
            they are given, else for ``cheapest-within``. ``mixture`` opens it with the shares of
            the queries that go to several rows (`moo_infer.policy.mixture.mix`).
        k: the numbers of inferences to consider, >= 1; None for the multiples of `k_step` up to `k_max`.
        k_max: the largest number of inferences, >= 1.
        k_step: the step of the grid, >= 1; None for the parallelism of each model.
        parallelism: P for every model, >= 1; None for that of its profile.
        models: the profiles that can be called by name; None for the nine of the paper.
        scenarios: those that can be called by name; None for the paper's, which judge its own models unless named.
        confidence: count a row as feasible only if it meets the limits in that share of draws of the uncertain
            parameters, in (0, 1]; None for the limits on the given values alone, as in the paper.
        draws: how many draws that takes, >= 1; they start from the estimator's seed.
        questions: what `draws` and the stability of a report draw of logs: had ``other`` questions been asked, or the
            ``same`` ones again.
        registry: where names of parts are looked up; None for everything installed.
        policies: names or objects, one or many, tried beside the rows of the aggregators: those of `named_policies`,
            or kinds with fields behind a colon (``"two-then-more:k=8"``); ``menu`` for about ten that suit the models
            (`moo_infer.policy.menu`), the choice among which is cross-fitted. One over one model is tried for every
            model; one whose k is left out, at every k that is considered.
        named_policies: what goes before kinds, each a mapping with a kind and its fields, as `load_policies` gives it.
        workflows: by name, each a row, or one for every combination of what its stages may do; their policies are
            looked up as `policies` are.
        workflows_alone: whether the table has these rows alone: those of the models do one step of a workflow.
        volume: queries over the life of the deployment, a number, or a text such as ``1e6..5e6`` of which the middle is
            taken: each pays its share of what is paid once (``per_deployment``). None for no such share.
        day: queries by hour, over which figures are; parts are told its loads. None: the load of the profiles.
        executor: does curves and draws as tasks, with the same results to the last bit; None for this process.
        progress: told (done, total, what comes next) before every estimation; copies and pickles are without these two.

    Raises:
        MooInferError: for unknown names, parts that are none, and numbers out of range.

    >>> report = Pipeline(selectors=["max-accuracy", "knee-chord"]).run("gpt-5", "essay-feedback")
    >>> report["knee-chord"].k, round(report["knee-chord"].accuracy.mean, 4)
    (8, 0.9684)
    """

    @typed("models", "scenarios", "registry", "named_policies", "workflows_alone", "day", "executor", "progress")
    def __init__(
        self,
        aggregators: str | AccuracyAggregator | Iterable[str | AccuracyAggregator] | None = None,
        selectors: str | Selector | Iterable[str | Selector] = SELECTORS,
        estimator: str | Estimator = "exact",
        *,
        goal: str | Selector | None = None,
        k: Iterable[int] | None = None,
        k_max: int = K_MAX,
        k_step: int | None = None,
        parallelism: int | None = None,
        models: Mapping[str, ModelProfile] | None = None,
        scenarios: Mapping[str, Scenario] | None = None,
        confidence: float | None = None,
        draws: int = 1000,
        questions: Questions = "other",
        registry: Registry | None = None,
        policies: str | Policy | Iterable[str | Policy] = (),
        named_policies: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        workflows: Mapping[str, Workflow] = MappingProxyType({}),
        workflows_alone: bool = False,
        volume: Volume | float | str | None = None,
        day: Day | None = None,
        executor: Executor | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self.registry = registry or Registry()
        named = None if aggregators is None else parts_of(AccuracyAggregator, aggregators, "aggregator", self.registry)
        self.aggregators = named
        self.selectors = parts_of(Selector, selectors, "selector", self.registry)
        self.by_selector = selectors is not SELECTORS
        self.mixes = isinstance(goal, str) and goal == MIXTURE
        goal = None if self.mixes else goal
        wanted = goal if goal is not None or selectors is not SELECTORS else GOAL
        self.goal = self.selectors[0] if wanted is None else parts_of(Selector, wanted, "goal", self.registry)[0]
        self._estimator = estimator if isinstance(estimator, Estimator) else estimator_named(estimator)
        self.confidence = None if confidence is None else share(confidence, "confidence")
        if self.mixes and self.confidence is not None:
            raise MooInferError("a mixture meets limits on the given values, so goal mixture takes no confidence")
        self.draws = at_least_one(draws, "draws")
        self.volume = None if volume is None else Volume.of(volume)
        if questions not in QUESTIONS:
            raise unknown("questions", questions, QUESTIONS)
        self.questions: Questions = questions
        self.k = None if k is None else values_of_k(listed_items(k, "k", "a list of whole numbers"), "k")
        self.k_max = at_least_one(k_max, "k_max")
        self.k_step = None if k_step is None else at_least_one(k_step, "k_step")
        self._grid = Grid(self.k, self.k_max, self.k_step)
        self.parallelism = None if parallelism is None else at_least_one(parallelism, "parallelism")
        self._models, self._scenarios, self._progress = models, scenarios, progress
        given, menu = (policies, False) if MENU in named_policies else without_menu(policies)
        self.policies = tried(given, self.registry, named_policies)
        self.day, self._workers = day, Workers(restarting(executor))
        self._aggregators = AggregatorTable(self.estimator, day, self._workers)
        common = self.registry, self.estimator, self.parallelism
        self._workflows = WorkflowTable.of(
            workflows, dict(named_policies), *common, day, workflows_alone, self._workers
        )
        self.workflows_alone = workflows_alone
        self._policies = PolicyTable(self.policies, *common, menu, day, self._workers)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_progress": None}

    @property
    def estimator(self) -> Estimator:
        """What fills the table; another one makes another pipeline, as estimates are kept."""
        return self._estimator

    @cached_property
    def models(self) -> Mapping[str, ModelProfile]:
        """The profiles that can be called by name."""
        return builtin_models(self.registry) if self._models is None else self._models

    @cached_property
    def scenarios(self) -> Mapping[str, Scenario]:
        """The scenarios that can be called by name."""
        return builtin_scenarios() if self._scenarios is None else self._scenarios

    def candidates(self, models: Models = None) -> Candidates:
        """Return the table of the models (default all) under every aggregator, before limits."""
        return self._candidates(models)

    def _candidates(self, models: Models, limits: Sequence[Limit] = ()) -> Candidates:
        """The table; `limits` will be held against it."""
        profiles = look_up(ModelProfile, self.models, models, "model")
        refuse_not_measured(profiles, (self._models or {}).values())
        if self.workflows_alone:
            objectives = self._workflows.objectives(profiles, self._grid, limits)
            return self._table(objectives, self._workflows.curves(profiles, self._grid, objectives, limits), profiles)
        setups = self._setups(profiles)
        objectives = objectives_over(self.day, common_objectives(setups))
        self._policies.refuse_names(setup.aggregator.name for setup in setups)
        curves, impossible = self._aggregators.curves(setups, limits, self._progress)
        curves += self._policies.curves(profiles, self._grid, objectives, limits)
        curves += self._workflows.curves(profiles, self._grid, objectives, limits)
        if not curves:
            raise impossible[0]
        for left_out in (*impossible, *self._policies.left_out(profiles, self._grid)):
            warnings.warn(f"left out: {left_out}", stacklevel=3)
        return self._table(objectives, curves, profiles)

    def objectives(self, profiles: Sequence[ModelProfile]) -> tuple[Objective, ...]:
        """Return the columns of the table of some models, without estimating anything."""
        if self.workflows_alone:
            return self._workflows.objectives(profiles, self._grid)
        return objectives_over(self.day, common_objectives(self._setups(profiles)))

    def _table(
        self, objectives: Sequence[Objective], curves: Sequence[Curve], profiles: Sequence[ModelProfile]
    ) -> Candidates:
        """The table of some curves, with the shares of what is paid once."""
        if self.volume is not None:
            curves = self.volume.spread(curves, profiles)
        return Candidates(objectives, curves)

    def run(
        self,
        models: Models = None,
        scenarios: str | Scenario | Iterable[str | Scenario] | None = None,
        by: str | None = None,
    ) -> Report:
        """Decide.

        Args:
            models: names or profiles, one or many; None for all that can be called by name.
            scenarios: names or scenarios, one or many; None for all that can be called by name.
            by: a label of the questions of logs, such as ``task``: a decision for each of its values as well.

        Returns:
            A report with one choice per scenario, model, aggregator and selector, and per scenario and selector over
            all models and aggregators.
        """
        profiles = self._profiles(models)
        if scenarios is None and self._scenarios is None and (self.workflows_alone or not self._of_the_paper(profiles)):
            scenarios = NO_LIMITS
        chosen = look_up(Scenario, self.scenarios, scenarios, "scenario")
        table = self._candidates(profiles, [limit for scenario in chosen for limit in scenario.limits])
        goal = self._goal(table)
        named = goal.name in [s.name for s in self.selectors]
        selectors = tuple(goal if s.name == goal.name else s for s in self.selectors) + (() if named else (goal,))
        redraw = self._redraw(profiles)
        feasible_shares: dict[str, FeasibleShares] = {}
        if self.confidence is not None and redraw is not None:
            met = redraw.met(chosen, self.draws, self.estimator.seed)
            feasible_shares = {s.name: FeasibleShares(met[s.name], self.confidence, self.draws) for s in chosen}
        halves = self._halves(profiles, redraw)
        outcomes = []
        for scenario in chosen:
            sure = feasible_shares.get(scenario.name)
            mixture = choose_mixture(table, scenario) if self.mixes else None
            decided = decide(table, scenario, selectors, sure=sure)
            optimism = cross_fitted(halves, scenario, partial(self._choice, scenario, goal))
            outcomes.append(Outcome(scenario, table, *decided, sure, mixture, optimism))
        report = Report(
            candidates=table,
            outcomes=tuple(outcomes),
            estimator=self.estimator,
            headline=goal.name,
            by_selector=self.by_selector,
            goal_named=named,
            selectors=selectors,
            redraw=redraw,
            questions=self.questions,
            profiles=profiles,
            volume=self.volume,
            aggregators=tuple({a.name: a for p in profiles for a in self._of(p)}.values()),
        )
        return report if by is None else dataclasses.replace(report, by=decided_by(by, report, self.run))

    def _profiles(self, models: Models) -> tuple[ModelProfile, ...]:
        """The profiles of a run."""
        profiles = look_up(ModelProfile, self.models, models, "model")
        refuse_load(profiles if self.mixes else (), "goal mixture")
        if self.mixes and self.volume is not None and fixed_costs(profiles):
            raise MooInferError("a mixture pays what each of its models costs once, so goal mixture takes no volume")
        return profiles

    def allocate(
        self,
        limits: Mapping[str, float],
        workflow: str | None = None,
        models: Models = None,
    ) -> StageAllocation:
        """Choose what each stage of a workflow does; arguments as in `moo_infer.decide.stages.allocate_stages`.

        Args:
            limits: by objective, the most that a query may take on average.
            workflow: its name; may be left out where there is one.
            models: names or profiles, one or many; None for all that can be called by name.
        """
        return allocate_stages(self._workflows.plans(workflow, self._profiles(models), self._grid), limits)

    def _halves(self, profiles: Sequence[ModelProfile], redraw: Redraw | None) -> list[tuple[Candidates, Candidates]]:
        """Tables of halves of the questions, on which a choice among the policies of the menu is cross-fitted."""
        if self.workflows_alone or not self._policies.offers(profiles, self._grid):
            return []
        asked = [*(p.queries.questions for p in profiles), *(of.questions for of in self._tried(profiles))]
        return halves_of(redraw, [len(questions) for questions in asked if questions], self.estimator.seed)

    def _choice(self, scenario: Scenario, goal: Selector, table: Candidates) -> Choice:
        """What opens a report on a table."""
        if self.mixes:
            return choose_mixture(table, scenario)
        return decide(table, scenario, [goal], explain=False, curves=False)[2][0]

    def _of_the_paper(self, profiles: Sequence[ModelProfile]) -> bool:
        """Whether all models are the paper's, which its scenarios judge."""
        return self._models is None and all(self.models.get(profile.name) is profile for profile in profiles)

    def _of(self, profile: ModelProfile) -> tuple[AccuracyAggregator, ...]:
        """The aggregators of a model: those that were named, or what its source supports."""
        if self.aggregators is not None:
            return self.aggregators
        return supported(profile, self.registry)

    def _goal(self, table: Candidates) -> Selector:
        """Return the selector that opens a report; where money is not known, the default one takes what is."""
        others = [objective.name for objective in table.objectives if objective.scale is None]  # what is consumed
        if self.goal.name != GOAL or getattr(self.goal, "by", None) in others:
            return self.goal
        goal: Any = self.goal
        return dataclasses.replace(goal, by=others[0]) if others else self.registry.get(Selector, "max-accuracy")

    def _redraw(self, profiles: tuple[ModelProfile, ...]) -> Redraw | None:
        """Return what gives tables for draws of the uncertain parameters, exact where the parts allow it."""
        ranged = self.volume is not None and self.volume.uncertain and fixed_costs(profiles)
        workflows = self._workflows.setups(profiles, self._grid)
        varied = any(profile.uncertain or len(profile.queries.questions) > 1 for profile in profiles)
        if not (ranged or varied or any(workflow.uncertain for workflow in workflows)):
            return None
        exact = Exact(self.estimator.trials, self.estimator.seed)
        objectives = self.objectives(profiles)
        if self.workflows_alone:
            return Redraw(exact, objectives, workflows, self.questions, self.volume, self._workers)
        each = [*self._aggregators.redrawn(self._setups(profiles)), *self._tried(profiles)]
        return Redraw(exact, objectives, each, self.questions, self.volume, self._workers)

    def _tried(self, profiles: Sequence[ModelProfile]) -> list[Tried]:
        """The policies and workflows beside the rows of the models."""
        return [*self._policies.setups(profiles, self._grid), *self._workflows.setups(profiles, self._grid)]

    def _setups(self, profiles: Sequence[ModelProfile]) -> list[Setup]:
        """Every model under every aggregator."""
        grids = [(p, self.parallelism or p.parallelism) for p in profiles]
        return [Setup(p, a, self._grid(p, P), P) for p, P in grids for a in self._of(p)]
