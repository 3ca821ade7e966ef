"""The bootstrap over questions: how sure a mean over questions is."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError

__all__ = ["FEW", "question_weights", "unseen"]

FEW = 20  # questions; with fewer the intervals of a bootstrap over them are too narrow


def question_weights(questions: Sequence[str], B: int, seed: int) -> FloatArray:
    """Weights of the Bayesian bootstrap (Rubin, Ann. Stat. 9, 1981, 130-134) over questions.

    The weights of a question before normalisation depend on its name and the seed alone, so that all models that
    answered it are resampled together (paired), whatever else they answered, in every process.

    Args:
        questions: Q names.
        B: how many draws, >= 1.
        seed: >= 0.

    Returns:
        (B, Q), >= 0, each row with the sum 1; without questions (B, 0).

    Raises:
        MooInferError: for B < 1 and seed < 0.

    >>> question_weights(["q1", "q2"], 2, seed=0).sum(axis=1)
    array([1., 1.])
    """
    if B < 1:
        raise MooInferError(f"B: must be >= 1, got {B}")
    if seed < 0:
        raise MooInferError(f"seed: must be >= 0, got {seed}")
    weights = np.empty((len(questions), B))
    for row, name in zip(weights, questions, strict=True):
        digest = blake2b(f"{seed}\0{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        stream = np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
        stream.standard_exponential(out=row)
    return np.ascontiguousarray((weights / weights.sum(axis=0)).T)


def unseen(Q: int, /) -> float:
    """Return how large a share of all questions may be otherwise where all Q are alike, with 95 % confidence.

    It is what a bootstrap cannot see: the upper end p of the exact interval, (1 - p)^Q = 0.05.

    >>> round(unseen(60), 3)
    0.049
    """
    return float(1 - 0.05 ** (1 / Q))
