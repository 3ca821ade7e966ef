"""What a policy is worth on logs, by counts: exact, but for the questions that have too many states."""

from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from operator import ne

import numpy as np

from ..core.arrays import IntArray
from ..core.errors import NotExact
from ..core.objectives import ACCURACY
from ..interfaces import Policy
from .by_question import ByQuestion, Sums
from .counting import Counting
from .deployment import Deployment
from .memory import Memory, Remember
from .recursion import PartNotExact
from .replay import replayed

__all__ = ["by_counts"]

LONGEST = 1000  # characters of a policy of which is kept what was told apart
FEWEST = 20  # replayed queries of each question, however many questions there are


WAYS = ("wave", "call")  # that an objective may be known by, in the order in which they are tried


@dataclass
class _Plan:
    """What an evaluation had to tell apart, by which way each objective was known, and whether one was not."""

    memory: Memory = field(default_factory=Memory)
    ways: dict[str, str] = field(default_factory=dict)
    partial: bool = False


@lru_cache(maxsize=256)
def _plan(policy: type[Policy], text: str, of: tuple[object, ...]) -> _Plan:
    """Return what is known of a policy on the same logs; the next evaluation, with other prices, begins with that.

    On other logs it might have to tell other things apart, and sums over more states differ in their last bit: what is
    evaluated before must not change that.
    """
    return _Plan()


def _of_policy(of: Deployment, worths: tuple[str, ...]) -> _Plan:
    text = repr(of.policy)
    if len(text) > LONGEST or of.resampled:
        return _Plan()
    parts = [(objective, *map(type, each)) for objective, own in of.costs.items() for each in own]
    parallelism = [setup.parallelism for setup in of.setups.values()]
    return _plan(type(of.policy), text, (worths, *(of.samples or ()), *parts, *parallelism))


def by_counts(
    of: Deployment,
    trials: int = 10_000,
    seed: int = 0,
    *,
    whole: bool = False,
    worths: tuple[str, ...] | None = None,
) -> ByQuestion:
    """Evaluate a policy by how many samples of each kind it may have seen.

    What is neither the sum of what each call takes alone nor known of the only calls of a model is left out of the
    result. Questions with too many states are replayed, `trials` queries of all of them together.

    Args:
        of: the policy with its models, which have logs.
        trials, seed: of the replay.
        whole: whether to raise NotExact rather than to leave something out or to replay.
        worths: the objectives of what answers are worth, None for all; without accuracy nothing that is consumed is
            evaluated.

    Raises:
        NotExact: where the policy looks at waves, at what was spent, or at arrivals.
        MooInferError: where it decides what it may not, and where a cost model is not known in several waves.
    """
    if of.policy.arrivals:
        raise NotExact("arrivals by counts")
    worths = of.worths if worths is None else worths
    plan = _of_policy(of, worths)
    if whole and plan.partial:
        raise NotExact("not all of it by counts")
    of_another = bool(plan.ways)
    try:
        counting = _went(of, plan, whole, worths)
    except NotExact:
        plan.partial = True
        raise
    if of_another and counting.given_up.any():  # that may have told more apart than is needed
        counting = _went(of, _Plan(), whole, worths)
    found = ByQuestion.of(of, counting.sums)
    if not counting.given_up.any():
        return found
    if whole:
        raise NotExact("questions with too many states")
    return _replayed(of, found, np.flatnonzero(counting.given_up), trials, seed)


def _went(of: Deployment, plan: _Plan, whole: bool, asked: tuple[str, ...]) -> Counting:
    """Go through all states; where something has to be told apart that was not, once more."""
    costs = tuple(of.costs) if ACCURACY.name in asked else ()
    names = [objective.name for objective in costs]
    left = {name: sorted(WAYS, key=partial(ne, plan.ways.get(name))) for name in names}
    worths = asked
    while True:
        by_wave, by_call = (tuple(each for each in costs if left[each.name][:1] == [way]) for way in WAYS)
        counting = Counting(of, by_call, by_wave, worths, plan.memory, np.zeros(len(of.questions), dtype=bool))
        try:
            counting.run()
        except Remember as need:
            plan.memory.add(need)
        except PartNotExact as error:
            if error.objective in worths:
                worths = tuple(name for name in worths if name != error.objective)
            else:
                left[error.objective].pop(0)
            if whole and not (worths == asked and all(left.values())):
                raise NotExact(f"{error.objective} by counts") from None
        else:
            plan.ways |= {name: ways[0] for name, ways in left.items() if ways}
            return counting


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
