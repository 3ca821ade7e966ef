"""Replay: what a policy does with queries that are drawn, one random order of the samples each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.noise import with_noise
from ..estimate.monte_carlo import sampled
from ..quantities.by_samples import draw_samples
from .deployment import Deployment
from .joint import SEEN, brought
from .launches import arrive
from .trials import Run, part_of

__all__ = ["Replay", "replayed"]

NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Replay:
    """M queries that were drawn.

    Args:
        totals: by objective (M,), accuracy too.
        question: (M,), which question of the logs each is about; None without logs.
        n: (M, m), calls of each model.
        waves: (M,), how many calls of several at once these were.
        of_two: whether answers are of two kinds, right and wrong, for want of others.
    """

    totals: Mapping[str, FloatArray]
    question: IntArray | None
    n: IntArray
    waves: IntArray
    of_two: bool = False


def replayed(
    of: Deployment,
    trials: int,
    seed: int,
    question: IntArray | None = None,
    stage: str = "",
    taken: Mapping[str, int] = NOTHING,
) -> Replay:
    """Run a policy on queries that are drawn.

    Args:
        of: the policy with its models.
        trials: M, how many queries.
        seed: of the draws; every model has a stream of its own.
        question: (M,), which questions of the logs they are about; drawn where it is None.
        stage: of a workflow, which draws streams of its own; logs are drawn in the same order in all of them.
        taken: by model, how many samples of that order belong to other stages.

    Raises:
        MooInferError: where it decides what it may not, and where a cost model is not known in several waves.
    """
    own_stream = stage.encode("utf-8", "surrogatepass")
    if of.samples is not None and question is None:
        question = np.random.default_rng([seed, 9, *own_stream]).choice(len(of.questions), trials, p=of.weights)
    draws, of_two = [], False
    for j, (model, calls) in enumerate(of.most.items()):
        key, skipped = model.encode("utf-8", "surrogatepass"), taken.get(model, 0)
        own_key = [*key, *own_stream] if of.samples is None else key
        rng, noise = np.random.default_rng([seed, 10, *own_key]), np.random.default_rng([seed, 11, *key, *own_stream])
        if of.samples is None:
            plain = sampled(of.setups[model], rng, trials, calls)
            own = _with_answers(plain)
            of_two = of_two or own is not plain
        else:
            always = SEEN if len(of.most) > 1 else brought(of.samples[j])
            weights = of.setups[model].queries.weights  # of no use where it is said which questions are asked
            own = draw_samples(of.samples[j], weights, rng, trials, skipped + calls, question, always)
            own = part_of(own, (slice(None), slice(skipped, None))) if skipped else own
        draws.append(with_noise(own, noise))
    run = Run(of, draws, question, np.random.default_rng([seed, 12, *own_stream]))
    if of.policy.arrivals:
        arrive(run)
    else:
        run.go()
    return Replay(run.totals, question, run.n, run.waves, of_two)


def _with_answers(draws: Draws) -> Draws:
    """Return draws with answers, 0 right and 1 wrong, where inferences are right or wrong and have none."""
    if "answer" in draws or not np.isin(draws.accuracy, (0.0, 1.0)).all():
        return draws
    return Draws(columns={**draws, "answer": 1 - draws.accuracy.astype(np.int64)})
