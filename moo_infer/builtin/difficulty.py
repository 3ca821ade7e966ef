"""Queries that differ in difficulty: each has its own probability to be solved by an inference."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MooInferError
from ..core.parts import Positive, Share
from ..hookspecs import hookimpl
from ..interfaces import InferenceModel
from ..quantities.laws import Bernoulli
from ..quantities.quadrature import jacobi
from ..quantities.queries import Queries
from .lengths import TokenLengths

__all__ = ["Beta", "DifficultyClasses"]

ORDER = 320  # nodes over p: what is a polynomial of degree 639 is exact, and k = 10^4 to nine digits


@dataclass(frozen=True, kw_only=True)
class _BetaLaw:
    """The law of p; a base class, so that its parameters come before the lengths."""

    a: Positive | None = None
    b: Positive | None = None
    mean: Annotated[float, Gt(0), Lt(1)] | None = None
    concentration: Positive | None = None
    unsolvable: Annotated[float, Ge(0), Lt(1)] = 0.0

    def __post_init__(self) -> None:
        names = ("a", "b", "mean", "concentration")
        given = tuple(name for name in names if getattr(self, name) is not None)
        if given not in (names[:2], names[2:]):
            raise MooInferError(f"beta: give a and b, or mean and concentration, got {', '.join(given) or 'neither'}")

    @property
    def _shape(self) -> tuple[float, float]:
        """The numbers a and b, however they were given."""
        if self.mean is not None and self.concentration is not None:
            return self.mean * self.concentration, (1 - self.mean) * self.concentration
        assert self.a is not None  # checked where the model is made
        assert self.b is not None
        return self.a, self.b


@dataclass(frozen=True, kw_only=True)
class Beta(TokenLengths, _BetaLaw):
    """Every query has its own probability p to be solved, from a beta law; its inferences are right or wrong.

    With the mean a / (a + b), small a and b say that most queries are easy or hopeless, large ones that all are alike.
    Coverage is ``1 - B(a, b + k) / B(a, b)``: hard queries make it rise slowly, as k^-a. A share of queries may never
    be solved.

    The law is given by a and b, or by its mean and concentration: a = mean * concentration and b = (1 - mean) *
    concentration, so that its variance is mean (1 - mean) / (1 + concentration). Fit, these two are nearly
    uncorrelated; a and b are not.

    Args:
        a, b: of the beta law, > 0; both, or neither.
        mean, concentration: instead of a and b: the mean of the law, in (0, 1), and a + b, > 0.
        unsolvable: share of queries with p = 0, in [0, 1).
        wrong_agreement: probability that two wrong answers to a query are the same, in [0, 1]. Given, draws have the
            column ``answer``: 0 is right, and wrong ones are 1, 2, ... in a Chinese restaurant process within the query
            (Ewens sampling formula; Pitman 1996) with the concentration 1 / wrong_agreement - 1.
        tokens_in_mean, tokens_in_cv, tokens_out_mean, tokens_out_cv_between, tokens_out_cv_within, max_tokens: token
            lengths, independent of the difficulty, as in `lognormal`; of constant length where no cv is given, and
            free of tokens (so that nothing costs anything) where no mean is.

    Raises:
        MooInferError: for one of a pair without the other, none, or both pairs.

    >>> from moo_infer import Exact, ModelProfile
    >>> from moo_infer.builtin.aggregators import Coverage
    >>> profile = ModelProfile("mine", Beta(a=0.5, b=1.5), ())
    >>> Exact().estimate(profile, Coverage(), np.array([1, 10, 1000]), 1).columns["accuracy"].mean.round(6)
    array([0.25    , 0.663624, 0.96434 ])
    """

    name = "beta"

    wrong_agreement: Share | None = None

    def queries(self) -> Queries:
        """Queries of all difficulties, and of all prompts and mean lengths where these vary."""
        p, weights = jacobi(ORDER, *self._shape)
        if self.unsolvable:
            weights, p = np.append((1 - self.unsolvable) * weights, self.unsolvable), np.append(p, 0.0)
        weights = weights / weights.sum()
        return Queries(weights, accuracy=Bernoulli(p[:, None])) * self.queries_of_lengths()

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences."""
        p = rng.beta(*self._shape, (M, 1))
        p[rng.random((M, 1)) < self.unsolvable] = 0.0
        return _draws(self, rng, p, K, self.wrong_agreement)


@dataclass(frozen=True, kw_only=True)
class _Classes:
    """The classes; a base class, so that its parameters come before the lengths."""

    shares: tuple[Share, ...]
    p: tuple[Share, ...]

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.p):
            raise MooInferError(f"shares and p: must be as many, got {len(self.shares)} and {len(self.p)}")
        if abs(sum(self.shares) - 1) > 1e-9:
            raise MooInferError(f"shares: must have the sum 1, got {sum(self.shares):g}")


@dataclass(frozen=True, kw_only=True)
class DifficultyClasses(TokenLengths, _Classes):
    """Queries of a few classes of difficulty, each solved with one probability; inferences are right or wrong.

    Two classes, one solved more and one less often than not, make a majority vote rise and then fall with k (Chen et
    al., arXiv 2403.02419).

    Args:
        shares: of the queries in each class, >= 0, with the sum 1.
        p: probability that an inference on a query of the class is right, in [0, 1], one for each share.
        tokens_in_mean, tokens_in_cv, tokens_out_mean, tokens_out_cv_between, tokens_out_cv_within, max_tokens: see
            `beta`.

    Raises:
        MooInferError: where there are not as many shares as probabilities, or the sum is not 1.

    >>> from moo_infer import Exact, ModelProfile
    >>> from moo_infer.builtin.aggregators import MajorityVote
    >>> profile = ModelProfile("mine", DifficultyClasses(shares=(0.6, 0.4), p=(0.85, 0.4)), ())
    >>> Exact().estimate(profile, MajorityVote(), np.array([1, 5, 101]), 1).columns["accuracy"].mean.round(6)
    array([0.67    , 0.711009, 0.608359])
    """

    name = "difficulty-classes"

    def queries(self) -> Queries:
        """Queries of all classes, and of all prompts and mean lengths where these vary."""
        weights, p = np.array(self.shares) / sum(self.shares), np.array(self.p)
        return Queries(weights, accuracy=Bernoulli(p[:, None])) * self.queries_of_lengths()

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences."""
        p = rng.choice(self.p, (M, 1), p=np.array(self.shares) / sum(self.shares))
        return _draws(self, rng, p, K)


def _draws(
    lengths: TokenLengths, rng: np.random.Generator, p: FloatArray, K: int, wrong_agreement: float | None = None
) -> Draws:
    tokens_in, tokens_out = lengths.sample_lengths(rng, len(p), K)
    right = rng.random((len(p), K)) < p
    columns = {} if wrong_agreement is None else {"answer": _answers(rng, right, wrong_agreement)}
    return Draws(tokens_in, tokens_out, np.where(right, 1.0, 0.0), columns)


def _answers(rng: np.random.Generator, right: BoolArray, agreement: float) -> IntArray:
    """Codes (M, K) of the answers: 0 where right; a wrong one is new, or that of an earlier wrong one of the trial.

    With w wrong ones before it, it is new with probability (1 - agreement) / (1 - agreement + agreement w), which at
    the ends is always and never; else any of them with equal probability.
    """
    M, K = right.shape
    u, trial = rng.random((M, K)), np.arange(M)
    answer, seen = np.zeros((M, K), dtype=np.int64), np.zeros((M, K), dtype=np.int64)  # seen: the wrong ones in a row
    wrong, kinds = np.zeros(M, dtype=np.int64), np.zeros(M, dtype=np.int64)
    for i in range(K):
        beyond = u[:, i] * (1 - agreement + agreement * wrong) - (1 - agreement)
        new = (wrong == 0) | (beyond < 0)
        # Without agreement every wrong answer is new: then the bound only avoids a division by 0.
        index = np.where(new, 0, beyond / max(agreement, 1e-12)).astype(np.int64)
        code = np.where(new, kinds + 1, seen[trial, np.minimum(index, np.maximum(wrong - 1, 0))])
        missed = trial[~right[:, i]]
        answer[missed, i] = seen[missed, wrong[missed]] = code[missed]
        kinds[missed] += new[missed]
        wrong[missed] += 1
    return answer


@hookimpl
def register_inference_models() -> list[type[InferenceModel]]:
    """Register both models."""
    return [Beta, DifficultyClasses]
