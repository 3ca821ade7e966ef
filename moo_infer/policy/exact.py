"""What a policy is worth on the logs of its models, exactly: by the smallest states that tell what it looks at."""

import numpy as np

from ..core.errors import NotExact
from ..core.objectives import ACCURACY
from .arrivals import run_arrivals
from .by_question import ByQuestion
from .deployment import Deployment
from .pool import pool_of
from .recursion import PartNotExact, Recursion
from .states import WavesMerged

__all__ = ["evaluated"]


def evaluated(of: Deployment) -> ByQuestion:
    """Evaluate a policy exactly on the logs of its models, given each question.

    What depends on more than the set of samples of a wave is left out of the result.

    Raises:
        NotExact: where the policy itself looks at more than sets of samples, or there are too many of them.
        MooInferError: where it decides what it may not, and where a cost model is not known in several waves.
    """
    samples = of.samples
    if samples is None:
        raise NotExact("a policy on models without logs")
    for log in samples:
        if not pool_of(log).small:
            raise NotExact(f"too many subsets of {int(log.n.max())} samples")
    objectives, accuracy, apart = tuple(of.costs), True, False
    while True:
        recursion = Recursion(of, objectives, accuracy, apart)
        try:
            if of.policy.arrivals:
                run_arrivals(recursion)
            else:
                recursion.run(np.arange(len(of.questions)))
        except WavesMerged:
            apart = True
        except PartNotExact as error:
            accuracy = accuracy and error.objective != ACCURACY.name
            objectives = tuple(each for each in objectives if each.name != error.objective)
        else:
            break
    sums = recursion.sums
    graded = any(log.graded for log in samples)
    return ByQuestion(of.questions, graded, sums.mean, sums.square, sums.calls, sums.waves, sums.endings)
