"""A tool as a profile that is called once, so that a stage is always a policy over models."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...core.arrays import FloatArray, IntArray
from ...core.cdf import Cdf
from ...core.draws import Draws
from ...core.errors import MooInferError, unknown
from ...core.moments import Moments
from ...core.objectives import COST, LATENCY, Objective
from ...core.parts import NonNegative, Share
from ...interfaces import CostModel, InferenceModel
from ...profiles import ModelProfile
from ...quantities.laws import Bernoulli
from ...quantities.quantity import Query, Total
from ...quantities.queries import Queries
from ...quantities.samples import Samples
from ...registry import Registry
from ...workflows import Stage, Tool

__all__ = ["Exponential", "profile_of"]

LOGGED = {"cost_usd": "logged-cost", "latency_s": "logged-latency", "energy_j": "logged-energy"}


@dataclass(frozen=True)
class ToolRuns(InferenceModel):
    """Runs of a tool, each of which does its work or does not.

    Args:
        success: how likely it does.
    """

    name = "tool"

    success: Share

    def queries(self) -> Queries:
        """All queries are alike."""
        return Queries(accuracy=Bernoulli(self.success))

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K runs."""
        return Draws(accuracy=np.where(rng.random((M, K)) < self.success, 1.0, 0.0))


@dataclass(frozen=True, eq=False)
class Exponential(Cdf):
    """The cdf of exponential laws.

    Args:
        mean: (n,), >= 0.
    """

    mean: FloatArray

    def __call__(self, x: FloatArray, /) -> FloatArray:
        """Return (1, n) probabilities at x."""
        scale = np.where(self.mean > 0, self.mean, 1.0)
        inside = -np.expm1(-np.maximum(x, 0.0) / scale)
        return np.atleast_2d(np.where(x < 0, 0.0, np.where(self.mean > 0, inside, 1.0)))


def _exponential_quantile(mean: FloatArray, q: float) -> FloatArray:
    return np.asarray(-np.log1p(-q) * mean)


@dataclass(frozen=True)
class ToolSpends(CostModel):
    """What a run of a tool takes of an objective.

    Args:
        objective: what is consumed.
        amount: in its unit, >= 0.
        law: how it varies: ``constant``, or ``exponential`` with that mean.
    """

    name = "tool-spends"

    objective: Objective = COST  # type: ignore[misc]  # an object's own
    amount: NonNegative = 0.0
    law: str = "constant"

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """What the first k runs take, (M, K)."""
        if self.law == "constant":
            return np.cumsum(np.full(draws.shape, self.amount), axis=1)
        return np.cumsum(-np.log1p(-draws["noise"]) * self.amount, axis=1)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments of the one run that a stage makes."""
        mean: Any = self.amount * k
        if self.law == "constant":
            return Total.of(query, k, {}, {}, mean)
        mean = np.asarray(mean, dtype=np.float64)
        return Moments(mean, mean, partial(_exponential_quantile, mean), Exponential(mean))


def profile_of(stage: Stage, objectives: tuple[Objective, ...], registry: Registry) -> ModelProfile:
    """Return the tool of a stage as a profile.

    Args:
        stage: with a tool.
        objectives: those of the other stages.
        registry: where the parts that read logs are looked up.

    Raises:
        MooInferError: where it spends something that is no objective of the others, and for a log that cannot be read.
    """
    tool = stage.tool
    assert tool is not None
    if tool.log is not None:
        return _of_log(stage.name, tool, registry)
    own = tool.amounts
    for name in tool.spends:
        if name not in {objective.name for objective in objectives}:
            raise unknown("objective", name, [o.name for o in objectives], f"stages: {stage.name}: tool: spends")
    known = {objective.name: objective for objective in (COST, LATENCY, *objectives)}
    laws = {LATENCY.name: tool.law}
    costs = [ToolSpends(known[name], amount, laws.get(name, "constant")) for name, amount in own.items()]
    place = {"success": "inference.success", "usd": "costs[0].amount", "seconds": "costs[1].amount"}
    uncertain = {place[name]: value for name, value in stage.uncertain.items()}
    return ModelProfile(stage.name, ToolRuns(float(tool.success or 0.0)), tuple(costs), uncertain=uncertain)


def _of_log(name: str, tool: Tool, registry: Registry) -> ModelProfile:
    where = f"stages: {name}: tool: log"
    reads = registry.classes(InferenceModel)["empirical"]
    try:
        inference = reads(tool.log, tool.model)  # type: ignore[call-arg]  # fields of that class
    except MooInferError as error:
        raise MooInferError(f"{where}: {error}") from None
    samples = inference.queries().samples
    assert isinstance(samples, Samples)
    costs = [registry.get(CostModel, part) for column, part in LOGGED.items() if column in samples]
    if not costs:
        raise MooInferError(f"{where}: has neither {' nor '.join(LOGGED)}, so that nobody knows what a run takes")
    return ModelProfile(name, inference, tuple(costs))
