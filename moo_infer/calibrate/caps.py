"""What a cap on output tokens or on seconds makes of a log: later answers are blank, and paid for to the cap."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..core.arguments import typed
from ..core.arrays import Array, BoolArray, FloatArray
from ..core.call_settings import DAY, CallSettings
from ..core.errors import MooInferError
from ..core.parts import at_least_one
from ..quantities.samples import ANSWER_KEY, RUN, TOKENS, Samples
from .cleaning import GAPS
from .report import counted

__all__ = ["Capped", "TimeCap", "TokenCap", "capped"]

WHOLE = 1e-9  # relative, above the rounding of a ratio of sums: 1.0 s at 0.1 s a token are 10 tokens
PILE = 3  # samples of the largest length, and times as many as of the next one, that look as if they were cut there
GROWING = ("output_tokens", "latency_s", "energy_j")  # with the answer
NOT_JUDGED = (*TOKENS, "cost_usd", *RUN)
UNITS = {"output_tokens": "output tokens", "latency_s": "s"}


@dataclass(frozen=True)
class TokenCap:
    """A cap on the output tokens of an answer, reasoning included: ``max_tokens`` of a call.

    Args:
        tokens: N, >= 1; or
        seconds: S, > 0, at most a day: as many tokens as the model gives in that time, by its seconds a token.

    Raises:
        MooInferError: for values out of range, and where not one of the two is given.

    >>> TokenCap(2000).name, TokenCap(seconds=30).name
    ('max-tokens-2000', 'max-tokens-30s')
    """

    tokens: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.tokens is None) == (self.seconds is None):
            raise MooInferError("max_tokens: a cap has tokens, or seconds that they follow from")
        if self.tokens is not None:
            object.__setattr__(self, "tokens", at_least_one(self.tokens, "max_tokens"))
        else:
            object.__setattr__(self, "seconds", _seconds(self.seconds, "max_tokens"))

    @property
    def name(self) -> str:
        """The variant that it makes."""
        return f"max-tokens-{self.tokens}" if self.seconds is None else f"max-tokens-{self.seconds:.12g}s"


@dataclass(frozen=True)
class TimeCap:
    """A cap on the seconds of calls that are made at once, and so on those of a run of k of them.

    Args:
        seconds: S, > 0, at most a day.

    Raises:
        MooInferError: for a value out of range.

    >>> TimeCap(30).name
    'max-seconds-30'
    """

    seconds: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", _seconds(self.seconds, "max_seconds"))

    @property
    def name(self) -> str:
        """The variant that it makes."""
        return f"max-seconds-{self.seconds:.12g}"


@dataclass(frozen=True, eq=False)
class Capped:
    """A variant of a model: its samples with a cap.

    Args:
        samples: with the cap, under the name of the variant: ``model/max-tokens-N``.
        model: whose samples they are.
        max_tokens: the cap on output tokens, or None.
        max_seconds: the cap on seconds, or None.
        seconds_per_token: what the tokens follow from, where they follow from seconds, or None.
        cut: the share of the samples that are cut, in [0, 1].
        call: how the model is called with the cap, or None.
        notes: what to know about it, in words.
    """

    samples: Samples
    model: str
    max_tokens: int | None
    max_seconds: float | None
    seconds_per_token: float | None
    cut: float
    call: CallSettings | None
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form of the cap and of how much it cuts."""
        names = ("model", "max_tokens", "max_seconds", "seconds_per_token", "cut")
        return {name: getattr(self, name) for name in names}


@typed()
def capped(
    samples: Samples, cap: TokenCap | TimeCap, /, call: CallSettings | None = None, *, priced: bool = False
) -> Capped:
    """Return what samples had been with a cap: later answers are blank and wrong, and paid for to the cap.

    An answer of exactly N tokens, or S seconds, is whole. What is cut abstains in a vote, has no score, and whatever
    else was judged of it is 0. At a cap on tokens its seconds and joules are taken in proportion to its tokens, at one
    on seconds its tokens and joules in proportion to its seconds, as if the time before the first token became shorter
    too. Reasoning comes first. A log does not know the dollars of a part of an answer, so that ``cost_usd`` is left out
    where something is cut; prices say it.

    Args:
        samples: of one model.
        cap: on output tokens, or on seconds.
        call: how the model is called, which gets the cap.
        priced: whether prices will say what the samples cost.

    Raises:
        MooInferError: where more than one in ten of the samples lack tokens or seconds; where requests brought several
            answers at once; for more tokens than the model was called with; and for a time too short for one token.

    >>> columns = {"output_tokens": np.array([10.0, 400.0]), "latency_s": np.array([1.0, 8.0])}
    >>> made = capped(Samples("mine", ["q"], np.array([0, 0]), np.ones(2), columns), TokenCap(100))
    >>> made.samples.correct, made.samples["output_tokens"], made.samples["latency_s"], made.cut
    (array([1., 0.]), array([ 10., 100.]), array([1., 2.]), 0.5)
    """
    if (samples.request_sizes > 1).any():
        raise MooInferError(
            f"{samples.model}: {cap.name}: its requests brought several answers at once, whose tokens and seconds are "
            "known together alone, so that which of them a cap cuts is not known"
        )
    end = _end(samples, cap, call)
    taken, (unknown, gaps) = samples[end.column].astype(np.float64), _gaps(samples, end.column, cap)
    late = taken > end.most
    made = replace(
        samples,
        model=f"{samples.model}/{cap.name}",
        correct=np.where(late, 0.0, np.where(unknown, np.nan, samples.correct)),
        columns=_columns(samples, end, late),
    )
    about = _on_cuts(made, end, late) if late.any() else _on_nothing(taken, end)
    money = _on_money(priced) if late.any() and "cost_usd" in samples else []
    return Capped(
        made,
        samples.model,
        int(end.most) if isinstance(cap, TokenCap) else None,
        None if isinstance(cap, TokenCap) else cap.seconds,
        end.rate,
        float(late.sum() / np.isfinite(taken).sum()),
        None if call is None else _called(call, cap, end),
        [*_on_rate(made, cap, end), *about, *gaps, *money, *_on_bills(cap, call, late)],
    )


class _End(NamedTuple):
    """Where answers end: the column that is capped, its largest value, and the seconds a token that it follows from."""

    column: str
    most: float
    rate: float | None = None


def _end(samples: Samples, cap: TokenCap | TimeCap, call: CallSettings | None) -> _End:
    """Where a cap ends the answers of a model."""
    _refuse_without(samples, "latency_s" if isinstance(cap, TimeCap) else "output_tokens", cap)
    if isinstance(cap, TimeCap):
        return _End("latency_s", cap.seconds)
    asked = None if call is None else call.max_tokens
    if cap.tokens is not None:
        if asked is not None and cap.tokens > asked:
            raise MooInferError(
                f"{samples.model}: {cap.name}: its profile calls it with max_tokens = {asked}, so that the log says "
                "nothing of longer answers"
            )
        return _End("output_tokens", float(cap.tokens))
    _refuse_without(samples, "latency_s", cap)
    known = samples.known("output_tokens") & samples.known("latency_s") & np.isfinite(samples.correct)
    tokens, seconds = (float(samples[name][known].sum()) for name in ("output_tokens", "latency_s"))
    assert cap.seconds is not None
    if not (tokens > 0 and seconds > 0):
        raise MooInferError(f"{samples.model}: {cap.name}: its tokens or its seconds are 0: no seconds a token")
    most = math.floor(cap.seconds * tokens / seconds * (1 + WHOLE))
    if most < 1:
        raise MooInferError(
            f"{samples.model}: {cap.name}: a token takes {seconds / tokens:.3g} s, so that there is none in "
            f"{cap.seconds:g} s"
        )
    return _End("output_tokens", float(most if asked is None else min(most, asked)), seconds / tokens)


def _refuse_without(samples: Samples, column: str, cap: TokenCap | TimeCap) -> None:
    if column not in samples or not (samples.known(column) & np.isfinite(samples.correct)).any():
        raise MooInferError(f"{samples.model}: {cap.name}: the log has no {column} of it, so that nothing can be cut")


def _gaps(samples: Samples, column: str, cap: TokenCap | TimeCap) -> tuple[BoolArray, list[str]]:
    """(N,) the scored samples of which it is not known whether they are cut, and how to say it."""
    scored: BoolArray = np.isfinite(samples.correct)
    unknown: BoolArray = scored & ~samples.known(column)
    lacking, of = int(unknown.sum()), int(scored.sum())
    if lacking > GAPS * of:
        raise MooInferError(
            f"{samples.model}: {cap.name}: {lacking} of {of} scored samples lack {column}, so that which of them are "
            "cut is not known"
        )
    if not lacking:
        return unknown, []
    return unknown, [
        f"{lacking} of {of} scored samples lack {column}: whether {cap.name} cuts them is not known, and they count as "
        "failed"
    ]


def _columns(samples: Samples, end: _End, late: BoolArray) -> dict[str, Array]:
    """The columns of samples, of which some end early."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(late, end.most / samples[end.column], 1.0)
    blank: dict[str, float] = {"answer": -1, ANSWER_KEY: -1, "score": np.nan}
    columns: dict[str, Array] = {}
    for name, column in samples.columns.items():
        if name in GROWING:
            columns[name] = _ended(column.astype(np.float64), name, end, share)
        elif name in blank or (name not in NOT_JUDGED and column.dtype.kind == "f"):
            columns[name] = np.where(late, np.asarray(blank.get(name, 0.0), dtype=column.dtype), column)
        elif name != "cost_usd" or not late.any():
            columns[name] = column
    if "reasoning_tokens" in columns:
        columns["reasoning_tokens"] = np.fmin(columns["reasoning_tokens"], columns.get("output_tokens", np.nan))
    return columns


def _ended(column: FloatArray, name: str, end: _End, share: FloatArray) -> FloatArray:
    """A column that grows with the answer, up to the cap."""
    if name == end.column:
        return np.minimum(column, end.most)
    return np.floor(column * share * (1 + WHOLE)) if name == "output_tokens" else column * share


def _called(call: CallSettings, cap: TokenCap | TimeCap, end: _End) -> CallSettings:
    """How a model is called with a cap; a second try would begin when the time is over."""
    if isinstance(cap, TokenCap):
        return replace(call, max_tokens=int(end.most))
    return replace(call, timeout_s=min(cap.seconds, call.timeout_s), tries=1)


def _on_cuts(made: Samples, end: _End, late: BoolArray) -> Iterator[str]:
    of = int(made.known(end.column).sum())
    growing = {"output_tokens": "tokens", "latency_s": "seconds", "energy_j": "joules"}
    others = [said for name, said in growing.items() if name in made and name != end.column]
    assumed = f"; their {' and '.join(others)} are taken in proportion" if others else ""
    yield (
        f"cut at {end.most:,.12g} {UNITS[end.column]}, {100 * late.sum() / of:.3g} % of {counted(of, 'sample')} are "
        f"blank and wrong, and paid for to there{assumed}"
    )


def _on_nothing(taken: FloatArray, end: _End) -> Iterator[str]:
    """Say that nothing is cut, and where the log itself looks cut at its longest answers."""
    lengths, times = np.unique(taken[np.isfinite(taken)], return_counts=True)
    unit = UNITS[end.column]
    said = f"a cap of {end.most:,.12g} {unit} changes nothing: no answer takes more than {lengths[-1]:,.12g} {unit}"
    if len(times) > 1 and times[-1] >= PILE * times[-2]:
        said += f"; {times[-1]} take as many, as if the log had been cut there, so that it says nothing of longer ones"
    yield said


def _on_rate(made: Samples, cap: TokenCap | TimeCap, end: _End) -> Iterator[str]:
    """Say what tokens follow from, and what a cap on tokens leaves of the seconds."""
    if end.rate is None or cap.seconds is None:
        return
    seconds = made["latency_s"][made.known("latency_s")]
    over = float((seconds > cap.seconds * (1 + WHOLE)).mean())
    left = f"{100 * over:.3g} % of the calls take longer all the same, up to {seconds.max():.3g} s"
    yield (
        f"{cap.seconds:.12g} s are {end.most:,.12g} output tokens, at {end.rate:.3g} s a token (all seconds by all "
        f"output tokens of the log); {left if over else 'no call takes longer'}"
    )


def _on_money(priced: bool) -> Iterator[str]:
    if not priced:
        yield (
            "cost_usd of the log is that of whole answers, and what a part of one costs is not known: it is left out, "
            "and prices (--price, --prices) give it"
        )


def _on_bills(cap: TokenCap | TimeCap, call: CallSettings | None, late: BoolArray) -> Iterator[str]:
    if isinstance(cap, TimeCap) and call is not None and call.billed_when_cancelled and late.any():
        yield (
            "calls that are broken off are paid for to the cap; an endpoint that bills them in full, as "
            "billed_when_cancelled of its profile says, takes more dollars"
        )


def _seconds(value: object, where: str) -> float:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number <= DAY:
        raise MooInferError(f"{where}: seconds must be > 0 and at most a day ({DAY:g}), got {value!r}")
    return number
