"""Policies that vote: how many samples, decided by how far their answers agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.arrays import IntArray
from ..core.errors import MooInferError
from ..core.parts import AtLeastOne, Share
from ..core.seen import Answer, Call, Seen
from ..hookspecs import hookimpl
from ..interfaces import Policy
from ..quantities.quadrature import panels

__all__ = [
    "AdaptiveConsistency",
    "Fixed",
    "TwoRounds",
    "TwoThenMore",
    "VoteUntilDecided",
    "Windows",
    "beta_lead",
    "dirichlet_lead",
]

FAR = 40.0  # beyond which a gamma law has less than 1e-15
ORDER, PANELS = 16, 20  # of its density: to 1e-12 with counts of up to 1000


class _OneModel(Policy):
    """A policy over one model, with at most k calls."""

    name: ClassVar[str]
    k: int
    model: str

    @property
    def most(self) -> dict[str, int]:
        """At most k calls of the model."""
        return {self.model: self.k}


@dataclass(frozen=True)
class Fixed(_OneModel):
    """k samples at once, whatever they say: the rows of a table without policies.

    Args:
        k: how many, >= 1.
        aggregator: who answers: its name, with fields behind a colon, or a mapping with its kind and fields.
        model: the model; each of the run in turn where none is named.

    >>> Fixed(3, model="small").decide(Seen())
    Call(times={'small': 3})
    """

    name = "fixed"

    k: AtLeastOne = 1
    aggregator: str | Mapping[str, Any] = "plurality-vote"
    model: str = ""

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call, then answer."""
        return Answer(self.aggregator) if seen.n(self.model) else Call({self.model: self.k})


@dataclass(frozen=True)
class VoteUntilDecided(_OneModel):
    """Samples until the vote is decided: until the lead exceeds what is still to come, so that nothing changes it.

    The answer is that of the vote of all k. A first wave of half of k or less cannot decide anything.

    Args:
        k: samples in all, >= 1.
        waves: how many at a time, each >= 1; the last number is repeated until k. Or:
        arrivals: whether all k are called at once, and those that are still on their way are cancelled; answers of a
            log whose seconds are the same arrive in any order.
        cancelled_billed: what is paid for a cancelled call: ``share`` by its seconds that ran, ``full``, or ``none``;
            its joules and FLOP are always by the seconds that ran.
        model: the model; each of the run in turn where none is named.

    Raises:
        MooInferError: without waves.

    >>> VoteUntilDecided(model="small").decide(Seen({"small": {"answer": [1, 1, 1, 1, 2]}}))
    Call(times={'small': 3})
    >>> VoteUntilDecided(model="small").decide(Seen({"small": {"answer": [1, 1, 1, 1, 1]}}))
    Answer(by='plurality-vote', of=())
    """

    name = "vote-until-decided"

    k: AtLeastOne = 8
    waves: tuple[AtLeastOne, ...] = (5, 3)
    arrivals: bool = False  # type: ignore[misc]  # here it is a field
    cancelled_billed: Literal["share", "full", "none"] = "share"
    model: str = ""

    def __post_init__(self) -> None:
        _refuse_no_waves(self.waves)

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Answer once the lead exceeds what is still to come."""
        n, votes = seen.n(self.model), seen.votes(self.model)
        if n == self.k or votes[0] - votes[1] > self.k - n:
            return Answer()
        if self.arrivals:
            return Call({}) if n else Call({self.model: self.k})
        return Call({self.model: _next_wave(n, self.waves, self.k)})


@dataclass(frozen=True)
class TwoThenMore(_OneModel):
    """Two samples, and the rest at once where their answers differ; the vote of all answers.

    A blank answer is a disagreement.

    Args:
        k: samples in all, >= 1.
        model: the model; each of the run in turn where none is named.

    >>> TwoThenMore(model="small").decide(Seen({"small": {"answer": [4, 7]}}))
    Call(times={'small': 6})
    """

    name = "two-then-more"

    k: AtLeastOne = 8
    model: str = ""

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call two, then answer where they agree."""
        n, first = seen.n(self.model), min(2, self.k)
        if n == 0:
            return Call({self.model: first})
        if n == self.k or seen.votes(self.model)[0] == first:
            return Answer()
        return Call({self.model: self.k - first})


@dataclass(frozen=True)
class AdaptiveConsistency(_OneModel):
    """Samples until it is likely enough that the leading answer is the most frequent one (Aggarwal et al. 2023).

    Let's Sample Step by Step, arXiv 2305.11860. Blank answers say nothing.

    Args:
        threshold: how likely, in [0, 1].
        k: samples at most, >= 1.
        waves: how many at a time, each >= 1; the last number is repeated until k.
        prior: ``beta``: the leading answer against the second, with a uniform prior of its share among the two;
            ``dirichlet``: against all others that were given, one at least, with a uniform prior of their shares.
        model: the model; each of the run in turn where none is named.

    Raises:
        MooInferError: without waves.

    >>> few = Seen({"small": {"answer": [1, 1, 1, 1]}})
    >>> AdaptiveConsistency(model="small").decide(few), round(beta_lead(4, 0), 5)
    (Answer(by='plurality-vote', of=()), 0.96875)
    """

    name = "adaptive-consistency"

    threshold: Share = 0.95
    k: AtLeastOne = 40
    waves: tuple[AtLeastOne, ...] = (1,)
    prior: Literal["beta", "dirichlet"] = "beta"
    model: str = ""

    def __post_init__(self) -> None:
        _refuse_no_waves(self.waves)

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Answer once the lead is likely enough."""
        n, votes = seen.n(self.model), seen.votes(self.model)
        if n == self.k or (n and self._sure(votes)):
            return Answer()
        return Call({self.model: _next_wave(n, self.waves, self.k)})

    def _sure(self, votes: IntArray) -> bool:
        if beta_lead(int(votes[0]), int(votes[1])) < self.threshold:
            return False  # to be more frequent than all others is not more likely
        given = () if self.prior == "beta" else tuple(count for count in votes.tolist() if count)
        return len(given) <= 2 or dirichlet_lead(given) >= self.threshold  # against one other they are the same


@dataclass(frozen=True)
class Windows(_OneModel):
    """Samples in windows, until all answers of one window agree; the vote of all (Li et al. 2024).

    Escape Sky-high Cost, arXiv 2401.10480. A blank answer is a disagreement, and a last window that is shorter than the
    others never agrees.

    Args:
        window: how many at a time, >= 1.
        k: samples at most, >= 1.
        model: the model; each of the run in turn where none is named.

    >>> wave = Seen({"small": {"answer": [3, 3]}})
    >>> Windows(2, model="small").decide(Seen({"small": {"answer": [5, 4, 3, 3]}}, waves=[Seen(), wave]))
    Answer(by='plurality-vote', of=())
    """

    name = "windows"

    window: AtLeastOne = 5
    k: AtLeastOne = 40
    model: str = ""

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Answer once a window agrees."""
        n = seen.n(self.model)
        if n == self.k or (n and seen.waves[-1].votes(self.model)[0] == self.window):
            return Answer()
        return Call({self.model: min(self.window, self.k - n)})


@dataclass(frozen=True)
class TwoRounds(Policy):
    """A first round of samples, and a second one where the lead of the first is not likely enough.

    Args:
        first: samples of the first round, >= 1.
        more: samples of the second, >= 1.
        threshold: how likely it has to be that the leading answer is more frequent than the second, in [0, 1].
        model: the model; each of the run in turn where none is named.

    >>> TwoRounds(3, 4, model="small").decide(Seen({"small": {"answer": [3, 3, 5]}}))
    Call(times={'small': 4})
    """

    name = "two-rounds"

    first: AtLeastOne = 10
    more: AtLeastOne = 20
    threshold: Share = 0.95
    model: str = ""

    @property
    def most(self) -> dict[str, int]:
        """Both rounds."""
        return {self.model: self.first + self.more}

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call, and call once more where the lead is not likely enough."""
        n = seen.n(self.model)
        if n == 0:
            return Call({self.model: self.first})
        votes = seen.votes(self.model)
        if n > self.first or beta_lead(int(votes[0]), int(votes[1])) >= self.threshold:
            return Answer()
        return Call({self.model: self.more})


@lru_cache(maxsize=4096)
def beta_lead(first: int, second: int) -> float:
    """Return how likely one answer is more frequent than another, by how often each was given.

    The share p of the first among the two is uniform before: p ~ Beta(first + 1, second + 1), and p > 1/2 is asked.

    >>> beta_lead(0, 0), beta_lead(2, 0), beta_lead(3, 0)
    (0.5, 0.875, 0.9375)
    """
    from scipy.special import betainc

    return 1.0 - float(betainc(first + 1, second + 1, 0.5))


@lru_cache(maxsize=4096)
def dirichlet_lead(counts: tuple[int, ...]) -> float:
    """Return how likely the first of some answers is the most frequent, by how often each was given.

    Their shares are uniform before. They are those of independent gamma laws with shapes counts + 1, so that the first
    is the largest with probability ``int f_1(x) prod_j F_j(x) dx``.

    >>> round(dirichlet_lead((2, 0)), 12), round(dirichlet_lead((1, 1, 1)), 12), dirichlet_lead(())
    (0.875, 0.333333333333, 0.0)
    """
    from scipy.special import gammainc, gammaln

    if not counts:
        return 0.0
    first = counts[0]
    x, weights = panels(ORDER, np.linspace(0.0, first + FAR * np.sqrt(first + 1) + FAR, PANELS + 1))
    density = weights * np.exp(first * np.log(x) - x - gammaln(first + 1.0))
    others = [gammainc(count + 1.0, x) for count in counts[1:]]
    return float(density @ np.prod(others, axis=0)) if others else 1.0


def _next_wave(n: int, waves: tuple[int, ...], k: int) -> int:
    """How many come after n samples: waves follow each other, the last is repeated, and k is the end."""
    ends = list(accumulate(waves))
    following = next((wave for end, wave in zip(ends, waves, strict=True) if n < end), waves[-1])
    return min(following, k - n)


def _refuse_no_waves(waves: tuple[int, ...]) -> None:
    if not waves:
        raise MooInferError("waves: one at least is needed, got none")


@hookimpl
def register_policies() -> list[type[Policy]]:
    """Register the policies that vote."""
    return [Fixed, VoteUntilDecided, TwoThenMore, AdaptiveConsistency, Windows, TwoRounds]
