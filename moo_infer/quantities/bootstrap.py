"""The bootstrap over questions: how sure a mean over questions is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, Literal

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from .samples import Samples

__all__ = ["DIFFERENCE", "FEW", "SHARE", "QuestionDraws", "QuestionHalves", "question_weights", "resampled"]

FEW = 20  # questions; with fewer the intervals of tokens, seconds and money are too narrow
# One pseudo-question is all wrong, one all right, each with the weight of half a question: Jeffreys' prior of a share.
# Without them a bootstrap sees no spread where nearly all questions are alike: of 10 to 45 questions its intervals of
# pass@k and votes held 66 to 86 % of the time, with them 95 % (docs/calibration.md).
SHARE = 0.5
# Of a difference one is -1 and one is +1; questions that differ are rarer, and so is what is not seen of them.
DIFFERENCE = 0.25


@dataclass(frozen=True, eq=False)
class QuestionDraws:
    """B draws of which other questions might have been asked: the Bayesian bootstrap (Rubin, Ann. Stat. 9, 1981).

    A share of right answers is drawn with two pseudo-questions beside those of the log, one all wrong, one all right.

    Args:
        questions: Q names, which key the draws, so that all models that answered a question are drawn together.
        B: how many draws, >= 1.
        seed: >= 0.

    Raises:
        MooInferError: for B < 1 and seed < 0.

    >>> draws = QuestionDraws(["q1", "q2", "q3"], 4000, 0)
    >>> np.quantile(draws.shares(np.ones((3, 1))), [0.025, 0.975]).round(2)  # three questions, all right
    array([0.45, 1.  ])
    """

    questions: Sequence[str]
    B: int
    seed: int

    @property
    def weights(self) -> FloatArray:
        """(B, Q), >= 0, each row with the sum 1; shared, not to be written to."""
        return self._drawn[0]

    @property
    def _drawn(self) -> tuple[FloatArray, FloatArray]:
        """The weights, and what their rows summed up to before they were divided by it (B,)."""
        return _exponential(tuple(self.questions), self.B, self.seed)

    @cached_property
    def pseudo(self) -> FloatArray:
        """(B, 2) weights of what is all wrong and all right, where the questions of the log together weigh 1."""
        return self._pseudo(SHARE)

    @cached_property
    def pseudo_differences(self) -> FloatArray:
        """(B, 2) likewise, of differences of -1 and of +1."""
        return self._pseudo(DIFFERENCE)

    def _pseudo(self, weight: float) -> FloatArray:
        names = (f"\0low\0{weight}", f"\0high\0{weight}")  # no question is called so
        drawn = np.stack([_stream(name, self.seed).standard_gamma(weight, self.B) for name in names])
        return np.ascontiguousarray((drawn / self._drawn[1]).T)

    def shares(self, means: FloatArray) -> FloatArray:
        """Return draws (B, m) of the mean over questions of shares of right answers (Q, m)."""
        low, high = self.pseudo.T[:, :, None]
        return np.asarray((self.weights @ means + high) / (1.0 + low + high))

    def differences(self, means: FloatArray) -> FloatArray:
        """Return draws (B, m) of the mean over questions of differences of such shares (Q, m), in [-1, 1]."""
        low, high = self.pseudo_differences.T[:, :, None]
        return np.asarray((self.weights @ means + high - low) / (1.0 + low + high))


class QuestionHalves(QuestionDraws):
    """B draws of one half of the questions each, in turn one half and the other.

    Every question is in the first half with probability 1/2, by its name alone, so that all models are halved alike;
    of few questions, where one half has none, it has all.

    >>> QuestionHalves(["q1", "q2", "q3", "q4", "q5"], 2, 0).weights.round(2)
    array([[0.  , 0.  , 0.  , 0.5 , 0.5 ],
           [0.33, 0.33, 0.33, 0.  , 0.  ]])
    """

    @property
    def _drawn(self) -> tuple[FloatArray, FloatArray]:
        return _halves(tuple(self.questions), self.B, self.seed)

    def _pseudo(self, weight: float) -> FloatArray:
        return np.zeros((self.B, 2))  # what is chosen or scored is what there is


def resampled(samples: Samples, rng: np.random.Generator) -> Samples:
    """Draw as many samples of each question with replacement: what another run of the same questions might give.

    >>> log = Samples("mine", ["a", "b"], np.array([0, 0, 1]), np.array([1.0, 0.0, 1.0]))
    >>> resampled(log, np.random.default_rng(0)).n
    array([2, 1])
    """
    first = (np.cumsum(samples.n) - samples.n)[samples.question]
    chosen = first + (rng.random(len(samples)) * samples.n[samples.question]).astype(np.int64)
    columns = {name: column[chosen] for name, column in samples.columns.items()}
    return _DrawnAgain(
        samples.model, samples.questions, samples.question, samples.correct[chosen], columns, log=samples
    )


@dataclass(frozen=True, eq=False, repr=False)
class _DrawnAgain(Samples):
    """Samples that were drawn from those of a log: whether a choice means anything is asked of the log, not of luck."""

    log: Samples | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        _, fields = super().__reduce__()
        return type(self), (*fields, self.log)

    def single(self, column: str, /) -> bool:
        """Return what the log says."""
        return super().single(column) if self.log is None else self.log.single(column)

    def no_choice(self, column: Literal["answer", "score"], /) -> str:
        """Return what the log says."""
        return super().no_choice(column) if self.log is None else self.log.no_choice(column)


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
    return QuestionDraws(questions, B, seed).weights


@lru_cache(maxsize=2)  # all rows of a report ask for those of the same questions
def _exponential(questions: tuple[str, ...], B: int, seed: int) -> tuple[FloatArray, FloatArray]:
    return _of_sum_one(_exponentials(questions, B, seed))


@lru_cache(maxsize=2)
def _halves(questions: tuple[str, ...], B: int, seed: int) -> tuple[FloatArray, FloatArray]:
    first = _exponentials(questions, -(-B // 2), seed) < np.log(2)  # half of them are smaller
    halves = np.stack([first, ~first], axis=2).reshape(len(questions), -1)[:, :B]
    return _of_sum_one(np.asarray(np.where(halves.any(axis=0), halves, True), dtype=np.float64))


def _of_sum_one(raw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights (B, Q) that sum up to 1, of such (Q, B), which are overwritten; and the sums (B,)."""
    sums = raw.sum(axis=0)
    raw /= sums
    weights = np.ascontiguousarray(raw.T)
    weights.flags.writeable = False  # shared
    return weights, sums


def _exponentials(questions: tuple[str, ...], B: int, seed: int) -> FloatArray:
    """(Q, B) weights before normalisation."""
    if B < 1:
        raise MooInferError(f"B: must be >= 1, got {B}")
    if seed < 0:
        raise MooInferError(f"seed: must be >= 0, got {seed}")
    weights = np.empty((len(questions), B))
    for row, name in zip(weights, questions, strict=True):
        _stream(name, seed).standard_exponential(out=row)
    return weights


def _stream(name: str, seed: int) -> np.random.Generator:
    """Random numbers of a question, the same in every process."""
    digest = blake2b(f"{seed}\0{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
