"""What is odd in the samples of a model, though nothing in them is impossible."""

from collections.abc import Iterator

import numpy as np

from ..quantities.samples import Samples

__all__ = ["oddities"]

SURE = 4.0  # standard deviations: by chance one log in 30,000
FAR = 0.1  # by which the share of neighbours that agree must be above that of others to matter


def oddities(samples: Samples, /) -> list[str]:
    """Say where blank answers were judged right, and where the order of samples tells how they were judged.

    >>> correct = np.tile([1.0] * 8 + [0.0] * 8, 3)
    >>> oddities(Samples("mine", ["a", "b", "c"], np.repeat(np.arange(3), 16), correct))  # doctest: +ELLIPSIS
    ['samples beside each other are judged alike in 93 % of pairs, others in 47 %: ...']
    """
    return [*_blank_but_right(samples), *_sorted(samples.scored)]


def _blank_but_right(samples: Samples) -> Iterator[str]:
    answers = samples.columns.get("answer")
    if answers is None:
        return
    blank = answers < 0
    if right := int((blank & (samples.correct == 1)).sum()):
        yield (
            f"{right} of {int(blank.sum())} samples whose answer is blank were judged right: what they answered is not "
            "in the log, and in a vote they abstain"
        )


def _sorted(samples: Samples) -> Iterator[str]:
    """Compare neighbours in the order of the log with what a random order of each question's samples would give.

    The number of pairs of neighbours that differ has a known mean and variance (runs test, Wald and Wolfowitz 1940).
    """
    if samples.graded:
        return
    n, right = samples.n.astype(np.float64), samples.right.astype(np.float64)
    beside = samples.question[1:] == samples.question[:-1]
    differ = float((samples.correct[1:] != samples.correct[:-1])[beside].sum())
    pairs, several = float(beside.sum()), n > 1
    n, both = n[several], (2 * right * (n - right))[several]
    mean = both / n
    variance = float((both * (both - n) / (n**2 * (n - 1))).sum())
    expected = float(mean.sum())
    if variance <= 0 or (expected - differ) < max(SURE * np.sqrt(variance), FAR * pairs):
        return
    yield (
        f"samples beside each other are judged alike in {100 * (1 - differ / pairs):.0f} % of pairs, others in "
        f"{100 * (1 - expected / pairs):.0f} %: the log is sorted, or samples changed while it ran, so "
        "that its first samples of a question are no sample of them"
    )
