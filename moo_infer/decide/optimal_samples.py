"""How many samples are worth their price: the optimal number for a value and a price, and what a checker delivers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, out_of_reach
from ..core.numeric import numbers_of
from ..core.rounding import significant

__all__ = ["Checker", "OptimalSamples", "optimal_samples"]

BLOCK = 2**20  # numbers at a time: eight megabytes
MOST = 10**7  # samples of a query that are looked at


@dataclass(frozen=True)
class Checker:
    """Says of every sample whether it is right, and errs; one of the accepted samples is delivered.

    It judges each sample by itself. The first accepted sample is delivered, or any at random: both are right equally
    often. Where none is accepted, nothing is delivered.

    Args:
        true_positive: how likely a right sample is accepted, in [0, 1].
        false_positive: how likely a wrong one is, in [0, 1].

    >>> Checker().delivers(0.4, 8), Checker(0.9, 0.1).delivers(0.4, 8)
    ((array([0.98320384]), array([0.])), (array([0.84616602]), array([0.14102767])))
    """

    true_positive: float = 1.0
    false_positive: float = 0.0

    def __post_init__(self) -> None:
        for name in ("true_positive", "false_positive"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
                raise MooInferError(f"{name}: must be in [0, 1], got {value!r:.80}")

    def delivers(
        self, p: npt.ArrayLike, N: npt.ArrayLike, weights: npt.ArrayLike | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return how likely a right, and how likely a wrong answer is delivered with N samples, (n,) each.

        Of a query whose samples are right with probability p, one sample is accepted with the probability
        s = t p + f (1 - p), and any of N with 1 - (1 - s)^N; then it is right with the probability t p / s.

        Args:
            p: a share, the same for all queries, or (Q,), of queries that differ.
            N: (n,), >= 0.
            weights: (Q,), shares of these queries, of any sum; None for all alike.

        Raises:
            MooInferError: for numbers that are no shares, N below 0, and weights that do not fit.
        """
        p, share = _queries(p, weights)
        N = np.atleast_1d(numbers_of(N, "N"))
        if N.ndim != 1 or not ((N >= 0) & np.isfinite(N)).all():
            raise MooInferError(f"N: must be finite and >= 0, one number or several, got {np.array2string(N):.80}")
        right, wrong = self.true_positive * p, self.false_positive * (1 - p)
        accepted = right + wrong
        each = np.stack([right, wrong]) / np.where(accepted > 0, accepted, 1.0) * share  # (2, Q)
        step = max(1, BLOCK // len(p))
        found = np.empty((2, len(N)))
        with np.errstate(divide="ignore", invalid="ignore"):  # who is always accepted: log 0, and 0 log 0 with N = 0
            log_not = np.log1p(-accepted)
            for i in range(0, len(N), step):
                some = N[i : i + step]
                found[:, i : i + step] = each @ np.where(some > 0, -np.expm1(np.outer(log_not, some)), 0.0)
        return found[0], found[1]


@dataclass(frozen=True)
class OptimalSamples:
    """The number of samples with the largest net value.

    Args:
        N: that number; 0 where no sample is worth its price.
        net: V A - U W - c N with it, USD.
        right, wrong: how likely a right and a wrong answer are delivered with it.
        at_largest: whether it is the largest number that was allowed, so that more may be worth still more.
    """

    N: int
    net: float
    right: float
    wrong: float
    at_largest: bool


def optimal_samples(
    accuracy: npt.ArrayLike | Callable[[IntArray], FloatArray],
    value: float,
    price: float,
    largest: int,
    *,
    weights: npt.ArrayLike | None = None,
    checker: Checker | None = None,
    usd_per_wrong_answer: float = 0.0,
) -> OptimalSamples:
    """Return the number of samples N in 0 ... largest that makes V A(N) - U W(N) - c N as large as can be.

    All N samples are drawn and paid, whatever is found; `moo_infer.Policy` parts such as ``worth-it`` stop earlier.
    Of numbers that tie at twelve digits the smallest is taken. So where samples are free, N is the smallest from which
    on no digit is gained, or the largest allowed.

    Args:
        accuracy: p, how likely a sample is right, or (Q,) of queries that differ: then a checker chooses. Or a curve
            A(N), such as `predict` of a law: how often the answer made of N (n,) samples is right. With a curve every
            query is answered, and 1 - A of the answers are wrong.
        value: V of a right answer, USD, >= 0.
        price: c of a sample, USD, >= 0.
        largest: the most samples, >= 0, <= 1e7.
        weights: (Q,), shares of the queries; None for all alike.
        checker: None for a perfect one.
        usd_per_wrong_answer: U, what a wrong answer that is delivered costs, USD, >= 0.

    Raises:
        MooInferError: for numbers out of range, curves that leave [0, 1], and a checker beside a curve.

    >>> best = optimal_samples(0.4, 1.0, 0.01, 100)
    >>> best.N, round(best.net, 8)
    (8, 0.90320384)
    >>> optimal_samples(0.4, 1.0, 0.01, 100, checker=Checker(0.9, 0.1), usd_per_wrong_answer=0.5).N
    7
    """
    _refuse_unfit(value=value, price=price, usd_per_wrong_answer=usd_per_wrong_answer)
    if isinstance(largest, bool) or not isinstance(largest, int | np.integer) or not 0 <= largest <= MOST:
        raise MooInferError(f"largest: must be a whole number from 0 to {MOST}, got {largest!r:.80}")
    N = np.arange(largest + 1)
    if callable(accuracy):
        if checker is not None or weights is not None:
            raise MooInferError(
                "accuracy: a curve does not say how queries differ; with a checker give p, with weights"
            )
        right, wrong = _answered(accuracy, N)
    else:
        right, wrong = (checker or Checker()).delivers(accuracy, N, weights)
    gains, losses = value * right, usd_per_wrong_answer * wrong + price * N
    best = int(np.argmax(significant(gains - losses, np.maximum(gains, losses))))
    net = float(gains[best] - losses[best])
    return OptimalSamples(best, net, float(right[best]), float(wrong[best]), best == largest)


def _answered(curve: Callable[[IntArray], FloatArray], N: IntArray) -> tuple[FloatArray, FloatArray]:
    """A curve from N = 0 on, where nothing is answered, and what is wrong."""
    right = np.zeros(len(N))
    if len(N) > 1:
        given = numbers_of(curve(N[1:]), "accuracy: a curve")
        if given.shape != (len(N) - 1,):
            raise MooInferError(
                f"accuracy: a curve of {len(N) - 1} numbers N must give as many, got shape {given.shape}"
            )
        right[1:] = given
        if not ((right >= 0) & (right <= 1)).all():
            raise MooInferError(f"accuracy: a curve must stay in [0, 1], got {right.min():g} to {right.max():g}")
    return right, np.where(N > 0, 1 - right, 0.0)


def _queries(p: npt.ArrayLike, weights: npt.ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Probabilities (Q,) and shares (Q,) with the sum 1."""
    p = np.atleast_1d(numbers_of(p, "p"))
    if p.ndim != 1 or not p.size or not ((p >= 0) & (p <= 1)).all():
        raise MooInferError(f"p: must be in [0, 1], one number or several, got {np.array2string(p):.80}")
    share = np.ones(len(p)) if weights is None else numbers_of(weights, "weights")
    if share.shape != p.shape or not (np.isfinite(share) & (share >= 0)).all() or not share.any():
        raise MooInferError(f"weights: must be {len(p)} numbers >= 0, one for each p, not all 0")
    return p, share / share.sum()


def _refuse_unfit(**given: float) -> None:
    for name, number in given.items():
        if isinstance(number, bool) or not isinstance(number, int | float | np.number) or not 0 <= number < math.inf:
            raise MooInferError(f"{name}: must be a finite number >= 0, got {number!r:.80}")
        if problem := out_of_reach(number):
            raise MooInferError(f"{name}: {problem}")
