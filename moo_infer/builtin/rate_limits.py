"""Latency of an API with rate limits: requests and tokens per minute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MooInferError
from ..core.noise import with_noise
from ..core.parts import NonNegative, Positive, Share
from ..core.streams import Streams
from ..hookspecs import hookimpl
from ..interfaces import CostModel, InferenceModel
from ..quantities.queries import Note
from .latencies import Calls, scheduled

__all__ = ["RateLimited"]

TRIALS = 200  # enough to tell which limit decides
SLOWER = 1.01  # a limit decides where it makes at least that much longer
COUNTED = {"tokens": ("input", "output"), "input_tokens": ("input",), "output_tokens": ("output",)}
UNITS = ("requests", *COUNTED)  # of what a limit is so many a minute


@dataclass(frozen=True)
class RateLimited(Calls):
    """P calls at a time; each starts when the limits of requests and tokens per minute allow it.

    A call starts when a slot is free and the allowance is there. An allowance refills evenly, as a token bucket does:
    the i-th call (from 0) waits until i calls, and the tokens of the i calls before it, are refilled; what may be used
    at once beforehand is the share `burst` of a minute's. So the latency is at least that of P slots and at least that
    of each limit, and reports say which of them decides. Simulated: exact in every trial, no closed form.

    Providers count input and output apart, or together: each limit is one of its own, and all given hold at once.

    Args:
        seconds_per_input_token, seconds_per_output_token, overhead_s, ratios: the seconds of one call; see `Calls`.
        requests_per_minute: the limit, > 0; or None.
        tokens_per_minute: the limit, input and output together, > 0; or None.
        input_tokens_per_minute, output_tokens_per_minute: the limits, each by itself, > 0; or None.
        burst: share of a minute's allowance that is there when a query comes, in [0, 1]: 0 where the account is busy,
            1 where it idled for a minute.
        uncounted_input_tokens: of each prompt, >= 0, as where what is read from a cache does not count.
        reserved_output_tokens: what each call counts as output whatever it answers, > 0, as where a provider sets
            max_tokens aside before a call; None where the answer is counted.

    Raises:
        MooInferError: without any limit, and for tokens that no limit counts.

    >>> draws = Draws(np.zeros((1, 4)), np.full((1, 4), 100.0), np.ones((1, 4)))
    >>> RateLimited(0.0, 0.01, requests_per_minute=20).total(draws, parallelism=4)  # 1 s each, a start every 3 s
    array([[ 1.,  4.,  7., 10.]])
    """

    name = "rate-limited"

    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    input_tokens_per_minute: Positive | None = None
    output_tokens_per_minute: Positive | None = None
    burst: Share = 0.0
    uncounted_input_tokens: NonNegative = 0.0
    reserved_output_tokens: Positive | None = None

    def __post_init__(self) -> None:
        limits = self._limits
        if not limits:
            *others, last = (f"{unit}_per_minute" for unit in UNITS)
            raise MooInferError(f"needs {', '.join(others)} or {last}; without a limit take slots")
        for name, is_set, side in (
            ("uncounted_input_tokens", self.uncounted_input_tokens != 0, "input"),
            ("reserved_output_tokens", self.reserved_output_tokens is not None, "output"),
        ):
            if is_set and not any(side in COUNTED.get(unit, ()) for unit in limits):
                raise MooInferError(f"{name} needs tokens_per_minute or {side}_tokens_per_minute, which counts them")

    @property
    def _limits(self) -> dict[str, float]:
        """The limits there are, by what they count."""
        limits = {unit: getattr(self, f"{unit}_per_minute") for unit in UNITS}
        return {unit: limit for unit, limit in limits.items() if limit is not None}

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k calls are done, (M, K)."""
        starts = [self._earliest(unit, draws) for unit in self._limits]
        return scheduled(self.seconds(draws), parallelism, np.maximum.reduce(starts))

    def notes(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[Note]:
        """Return from which k on a limit, not P, decides."""
        rng = Streams(0, (), TRIALS)
        draws = with_noise(model.sample(rng, TRIALS, int(k.max())), rng)
        seconds = self.seconds(draws)
        slots = scheduled(seconds, parallelism).mean(axis=0)[k - 1]
        limits = self._limits
        alone = {
            unit: scheduled(seconds, int(k.max()), self._earliest(unit, draws)).mean(axis=0)[k - 1] for unit in limits
        }
        slowest = np.max([SLOWER * slots, *alone.values()], axis=0)
        notes = []
        for unit, waited in alone.items():
            decides = waited >= slowest
            if decides.any():
                last = int(np.flatnonzero(decides)[-1])
                first = int(np.flatnonzero(~decides[:last])[-1]) + 1 if not decides[:last].all() else 0
                until = f"from k = {k[first]} to {k[last]}" if first < last else f"at k = {k[first]}"
                where = f"from k = {k[first]} on" if last == len(k) - 1 else until
                rule = f"{limits[unit]:.10g} {unit.replace('_', ' ')} per minute decide"
                notes.append(Note(f"{where}, {rule}, not P = {parallelism}"))
        return notes

    def _earliest(self, unit: str, draws: Draws) -> FloatArray:
        """Seconds before which a limit by itself lets no call start, (M, K)."""
        limit = self._limits[unit]
        if unit in COUNTED:
            used = np.add.reduce([self._counted(side, draws) for side in COUNTED[unit]])
        else:
            used = np.ones_like(draws.tokens_in, dtype=np.float64)
        missing = np.cumsum(used, axis=1) - used - self.burst * limit
        seconds: FloatArray = 60.0 * np.maximum(missing, 0.0) / limit
        return seconds

    def _counted(self, side: str, draws: Draws) -> FloatArray:
        """Tokens of a call that limits count, (M, K)."""
        if side == "input":
            return np.maximum(draws.tokens_in - self.uncounted_input_tokens, 0.0)
        if self.reserved_output_tokens is not None:
            return np.full_like(draws.tokens_out, self.reserved_output_tokens, dtype=np.float64)
        return draws.tokens_out


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the API with limits."""
    return [RateLimited]
