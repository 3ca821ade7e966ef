"""Latency of an API with rate limits: requests and tokens per minute."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError
from ..hookspecs import hookimpl
from ..interfaces import CostModel, Draws, InferenceModel
from ..noise import with_noise
from ..parts import Positive, Share
from .latencies import Calls, scheduled

__all__ = ["RateLimited"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

TRIALS = 200  # enough to tell which limit decides
SLOWER = 1.01  # a limit decides where it makes at least that much longer


@dataclass(frozen=True)
class RateLimited(Calls):
    """P calls at a time, as far as limits of requests and tokens per minute let them start.

    A call starts when a slot is free and the allowance is there. An allowance refills evenly, as a token bucket does:
    the i-th call (from 0) waits until i calls, and the tokens of the i calls before it, are refilled; what may be used
    at once beforehand is the share `burst` of a minute's. So the latency is at least that of P slots and at least that
    of each limit, and reports say which of them decides. Simulated: exact in every trial, no closed form.

    Args:
        seconds_per_input_token, seconds_per_output_token, overhead_s, ratios: the seconds of one call; see `Calls`.
        requests_per_minute: the limit, > 0; or None.
        tokens_per_minute: the limit, input and output together, > 0; or None.
        burst: share of a minute's allowance that is there when a query comes, in [0, 1]: 0 where the account is busy,
            1 where it idled for a minute.

    Raises:
        MooInferError: without any limit.

    >>> draws = Draws(np.zeros((1, 4)), np.full((1, 4), 100.0), np.ones((1, 4)))
    >>> RateLimited(0.0, 0.01, requests_per_minute=20).total(draws, parallelism=4)  # 1 s each, a start every 3 s
    array([[ 1.,  4.,  7., 10.]])
    """

    name = "rate-limited"
    vectorised = False

    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    burst: Share = 0.0

    def __post_init__(self) -> None:
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            raise MooInferError("needs requests_per_minute, tokens_per_minute or both; without a limit take slots")

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k calls are done, (M, K)."""
        return scheduled(self.seconds(draws), parallelism, self._allowed(draws))

    def remarks(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[str]:
        """Return from which k on a limit, not P, decides."""
        rng = np.random.default_rng(0)
        draws = with_noise(model.sample(rng, TRIALS, int(k.max())), rng)
        slots = scheduled(self.seconds(draws), parallelism).mean(axis=0)[k - 1]
        limits = {"requests": self.requests_per_minute, "tokens": self.tokens_per_minute}
        alone = {}
        for words, limit in limits.items():
            if limit is not None:
                off: dict[str, Any] = {f"{other}_per_minute": None for other in limits if other != words}
                alone[words] = replace(self, **off).total(draws, parallelism=int(k.max())).mean(axis=0)[k - 1]
        slowest = np.max([SLOWER * slots, *alone.values()], axis=0)
        said = []
        for words, seconds in alone.items():
            decides = seconds >= slowest
            if decides.any():
                last = int(np.flatnonzero(decides)[-1])
                first = int(np.flatnonzero(~decides[:last])[-1]) + 1 if not decides[:last].all() else 0
                until = f"from k = {k[first]} to {k[last]}" if first < last else f"at k = {k[first]}"
                where = f"from k = {k[first]} on" if last == len(k) - 1 else until
                said.append(f"{where}, {limits[words]:.10g} {words} per minute decide, not P = {parallelism}")
        return said

    def _allowed(self, draws: Draws) -> FloatArray:
        """Seconds before which each call must not start, (M, K)."""
        M, K = draws.accuracy.shape
        allowed = np.zeros((M, K))
        if self.requests_per_minute is not None:
            waiting = np.maximum(np.arange(K) - self.burst * self.requests_per_minute, 0.0)
            allowed += 60.0 * waiting / self.requests_per_minute
        if self.tokens_per_minute is not None:
            tokens = draws.tokens_in + draws.tokens_out
            before = np.cumsum(tokens, axis=1) - tokens
            waiting = np.maximum(before - self.burst * self.tokens_per_minute, 0.0)
            allowed = np.maximum(allowed, 60.0 * waiting / self.tokens_per_minute)
        return allowed


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the API with limits."""
    return [RateLimited]
