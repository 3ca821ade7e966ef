"""What a policy is worth on logs, by counts: exact, but for the questions that have too many states."""

from dataclasses import replace

import numpy as np

from ..core.arrays import IntArray
from ..core.errors import NotExact
from ..core.objectives import ACCURACY
from .by_question import ByQuestion, Sums
from .counting import Counting
from .deployment import Deployment
from .memory import Memory, Remember
from .recursion import PartNotExact
from .replay import replayed

__all__ = ["by_counts"]

FEWEST = 20  # replayed queries of each question, however many questions there are


def by_counts(of: Deployment, trials: int = 10_000, seed: int = 0) -> ByQuestion:
    """Evaluate a policy by how many samples of each kind it may have seen.

    What is not the sum of what each call takes alone is left out of the result. Questions with too many states are
    replayed, `trials` queries of all of them together.

    Args:
        of: the policy with its models, which have logs.
        trials, seed: of the replay.

    Raises:
        NotExact: where the policy looks at waves, at what was spent, or at arrivals.
        MooInferError: where it decides what it may not, and where a cost model is not known in several waves.
    """
    if of.policy.arrivals:
        raise NotExact("arrivals by counts")
    objectives, accuracy, memory = tuple(of.costs), True, Memory()
    while True:
        counting = Counting(of, objectives, accuracy, memory, np.zeros(len(of.questions), dtype=bool))
        try:
            counting.run()
        except Remember as need:
            memory.add(need)
        except PartNotExact as error:
            accuracy = accuracy and error.objective != ACCURACY.name
            objectives = tuple(each for each in objectives if each.name != error.objective)
        else:
            break
    found = ByQuestion.of(of, counting.sums)
    if not counting.given_up.any():
        return found
    return _replayed(of, found, np.flatnonzero(counting.given_up), trials, seed)


def _replayed(of: Deployment, found: ByQuestion, questions: IntArray, trials: int, seed: int) -> ByQuestion:
    """The same with some questions replayed."""
    times = max(FEWEST, -(-trials // len(questions)))
    replay = replayed(of, times * len(questions), seed, np.tile(questions, times))
    assert replay.question is not None
    sums = Sums(len(found.questions), [*found.mean])
    share = np.full(len(replay.question), 1 / times)
    for name in found.mean:
        totals = replay.totals[name]
        sums.add(name, replay.question, totals * share, totals**2 * share)
    for n, waves in set(zip(map(tuple, replay.n.tolist()), replay.waves.tolist(), strict=True)):
        own = (replay.n == n).all(axis=1) & (replay.waves == waves)
        sums.end(replay.question[own], share[own], n, waves)
    drawn = ByQuestion.of(of, sums)
    return replace(found.with_questions(questions, drawn), replayed=questions, times=times)
