"""What a policy is worth on the logs of its models, exactly: by the smallest states that tell what it looks at."""

from contextlib import suppress

import numpy as np

from ..core.errors import NotExact
from ..core.objectives import ACCURACY
from .arrivals import run_arrivals
from .by_counts import by_counts
from .by_question import ByQuestion
from .deployment import Deployment
from .pool import pool_of
from .recursion import PartNotExact, Recursion
from .states import WavesMerged

__all__ = ["by_subsets", "evaluated"]


def evaluated(of: Deployment, trials: int = 10_000, seed: int = 0) -> ByQuestion:
    """Evaluate a policy exactly on the logs of its models, given each question.

    What depends on more than the set of samples of a wave is left out of the result.

    Args:
        of: the policy with its models.
        trials, seed: of the replay of questions that have too many states.

    Raises:
        NotExact: where the policy itself looks at more than sets of samples, or there are too many of them.
        MooInferError: where it decides what it may not, and where a cost model is not known in several waves.
    """
    found, judged = _evaluated(of, (ACCURACY.name,), trials, seed), {}
    small = all(pool_of(log).small for log in of.samples or ())
    for objective in of.judged:  # each by itself: it has to tell more apart than the others
        if not (small or objective.name in of.shares):
            continue  # grades tell nearly all samples apart: too many states, that take minutes to be given up
        with suppress(NotExact):
            judged[objective.name] = _evaluated(of, (objective.name,), trials, seed)
    return found.with_judged(judged)


def _evaluated(of: Deployment, worths: tuple[str, ...], trials: int, seed: int) -> ByQuestion:
    """Evaluate what answers are worth by some objectives, and with the accuracy what is consumed."""
    samples = of.samples
    if samples is None:
        raise NotExact("a policy on models without logs")
    small = all(pool_of(log).small for log in samples)
    if not of.policy.arrivals:
        with suppress(NotExact):
            return by_counts(of, trials, seed, whole=small, worths=worths)  # never more states than subsets
    if small:
        try:
            return by_subsets(of, worths)
        except NotExact as error:
            with suppress(NotExact):
                return by_counts(of, trials, seed, worths=worths)
            raise error from None
    raise NotExact(f"too many subsets of {max(int(log.n.max()) for log in samples)} samples")


def by_subsets(of: Deployment, worths: tuple[str, ...] | None = None) -> ByQuestion:
    """Go through all subsets of the samples of each question; `worths` are what answers are worth by, None for all."""
    worths = of.worths if worths is None else worths
    objectives, apart = tuple(of.costs), False
    while True:
        recursion = Recursion(of, objectives, worths, apart)
        try:
            if of.policy.arrivals:
                run_arrivals(recursion)
            else:
                recursion.run(np.arange(len(of.questions)))
        except WavesMerged:
            apart = True
        except PartNotExact as error:
            worths = tuple(name for name in worths if name != error.objective)
            objectives = tuple(each for each in objectives if each.name != error.objective)
        else:
            return ByQuestion.of(of, recursion.sums)
