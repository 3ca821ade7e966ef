"""Majority votes of inferences that are right with known probabilities: a Poisson binomial, for every k."""

import numpy as np

from ..core.arrays import FloatArray, IntArray, Rows

__all__ = ["majority_of_first"]

TRIALS = 128  # at a time
STEPS = 16  # inferences between two looks at what may be left out
UNLIKELY = 1e-20  # probabilities that are left out: thousands of them do not reach the last digit of a share
RATES = 0.5 ** np.arange(-1, 6)  # of Chernoff bounds: of leads by 50 of 100, down to such by 1


def majority_of_first(right: FloatArray) -> FloatArray:
    """Probability that more than half of the first k are right, plus half of a tie, for every k.

    Of what k inferences give, only the probability of a (near) tie changes the vote of the next one. So counts that are
    too unlikely to matter are left out, and so are those with a lead that the rest cannot turn any more: time grows
    as K sqrt(K) where inferences are right half of the time, and as K where they are not.

    Args:
        right: (K, M), in [0, 1].

    Returns:
        (K, M), to 1e-13.

    >>> majority_of_first(np.full((5, 1), 0.6)).T.round(6)
    array([[0.6    , 0.6    , 0.648  , 0.648  , 0.68256]])
    """
    result = np.empty(right.shape)
    # Trials that are alike together, so that their counts are; and so few that these stay in the processor's cache.
    order = np.argsort(right.mean(axis=0), kind="stable")
    for trials in (order[i : i + TRIALS] for i in range(0, len(order), TRIALS)):
        result[:, trials] = _alike(right[:, trials])
    return result


def _alike(right: FloatArray) -> FloatArray:
    """`majority_of_first` of a few trials."""
    K, M = right.shape
    wrong, safe = 1.0 - right, _safe_leads(right)
    # count[c] is the probability that c of the inferences so far are right, for every trial; 0 outside of lo ... hi.
    count, moved = np.zeros((K + 2, M)), np.empty((K + 2, M))
    count[0] = 1.0
    lo = hi = 0
    share, result = np.full(M, 0.5), np.empty((K, M))
    for k in range(K):
        p, q, half = right[k], wrong[k], (k + 1) // 2
        gain = 0.5 * (p * count[half - 1] - q * count[half]) if k % 2 else (p - 0.5) * count[half]
        np.multiply(count[lo : hi + 1], p, out=moved[lo : hi + 1])
        count[lo : hi + 1] *= q
        count[lo + 1 : hi + 2] += moved[lo : hi + 1]
        hi += 1
        # While no count is left out their sum has no error of the gains so far.
        result[k] = share = _won(count, k + 1) if hi - lo == k + 1 else share + gain
        if (k + 1) % STEPS == 0:
            kept = lo + _open(count[lo : hi + 1], 2 * np.arange(lo, hi + 1) - (k + 1), safe[(k + 1) // STEPS - 1])
            if not len(kept):
                result[k + 1 :] = share
                break
            count[lo : kept[0]] = count[kept[-1] + 1 : hi + 1] = 0.0
            lo, hi = int(kept[0]), int(kept[-1])
    return np.clip(result, 0.0, 1.0)


def _won(count: FloatArray, k: int) -> FloatArray:
    """(M,), probability that more than half of k are right, plus half of a tie."""
    more = count[k // 2 + 1 : k + 1].sum(axis=0)
    return np.asarray(more if k % 2 else more + 0.5 * count[k // 2])


def _open(count: FloatArray, lead: IntArray, safe: FloatArray) -> Rows:
    """Which rows are likely enough and have a lead that may still be lost."""
    return np.flatnonzero((count.max(axis=1) > UNLIKELY) & (lead <= safe[0]) & (-lead <= safe[1]))


def _safe_leads(right: FloatArray) -> FloatArray:
    """(K // STEPS, 2), by how many votes right, or wrong, answers have to lead after so many steps to lead until K.

    By Hoeffding's bound a lead d after e inferences is lost after f with a probability of at most
    exp(-(d + drift)^2 / (2 (f - e))), where drift is what the lead grows by in the mean.
    """
    K, M = right.shape
    ends = np.arange(STEPS, K + 1, STEPS)
    drift = np.cumsum(2.0 * right - 1.0, axis=0)[ends - 1]
    enough = np.log(max(K, 1) / UNLIKELY)
    safe = np.empty((len(ends), 2))
    for side, gain in enumerate((drift, -drift)):
        least = np.full((len(ends), M), np.inf)
        for rate in RATES:  # sqrt(2 a b) <= a / rate + rate b / 2 makes the bound linear, and a running maximum
            slack = rate * ends[:, None] / 2 - gain
            worst = np.maximum.accumulate(slack[::-1], axis=0)[::-1]
            np.minimum(least, enough / rate + worst - slack, out=least)
        # Who loses a lead between two looks is within STEPS of it at the next.
        safe[:, side] = STEPS + least.max(axis=1)
    return safe
