"""What the calls of a sample of inspect_ai took: tokens, seconds and dollars, also of those from its own cache."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import MooInferError

__all__ = ["Calls"]

PARTS = ("cached_input_tokens", "cache_write_tokens", "reasoning_tokens")  # of other tokens; where not named, none
APART = ("google", "vertex", "grok", "xai")  # providers whose reasoning was logged beside the output


@dataclass(frozen=True)
class Calls:
    """The calls that a sample made to the evaluated model.

    Args:
        usage: tokens of those that were made in this run, as they were logged, or None.
        seconds: working time of the sample.
        cached: whether some calls came from the cache of inspect_ai.
        replayed: the tokens that each of these had when it was made; None where the log does not know.
        called_s: seconds of all calls as they were made, and of tools; None where the log does not know.
        provider: of the model.
    """

    usage: Mapping[str, Any] | None
    seconds: object
    cached: bool
    replayed: tuple[Mapping[str, Any] | None, ...]
    called_s: float | None
    provider: str

    @classmethod
    def of(cls, sample: Mapping[str, Any], model: str) -> "Calls":
        """Read the calls of a sample.

        A call from the cache is a model event with ``cache: "read"``, whose ``output`` has the ``time`` and ``usage``
        of the call that was made once; ``model_usage`` does not count it (inspect_ai 0.3.285, event/_model.py and
        model/_model.py). Where a log has no events, a sample without usage of the model whose output has one is such a
        call.
        """
        used = sample.get("model_usage")
        usage = used.get(model) if isinstance(used, dict) else None
        listed = sample.get("events")
        events = [event for event in listed if isinstance(event, dict)] if isinstance(listed, list) else []
        calls = [event for event in events if event.get("event") == "model" and event.get("model") == model]
        read = [event for event in calls if event.get("cache") == "read"]
        output, provider = sample.get("output"), model.split("/")[0]
        alone = not calls and not usage and not sample.get("error")
        if alone and isinstance(output, dict) and _answered(output, model, used):
            messages = sample.get("messages")
            single = (
                sum(m.get("role") == "assistant" for m in messages if isinstance(m, dict)) <= 1
                if isinstance(messages, list)
                else True
            )
            reported = output["usage"] if single else None
            return cls(
                None,
                sample.get("working_time"),
                True,
                (reported,),
                _seconds(output.get("time")) if single else None,
                provider,
            )
        if not read:
            return cls(usage, sample.get("working_time"), False, (), None, provider)
        tools = [_seconds(event.get("working_time")) or 0.0 for event in events if event.get("event") == "tool"]
        times = [_seconds(_output(event).get("time")) or _seconds(event.get("working_time")) for event in calls]
        called = None if None in times else sum(filter(None, times)) + sum(tools)
        return cls(usage, None, True, tuple(_output(event).get("usage") for event in read), called, provider)

    def taken(self) -> dict[str, object]:
        """Return tokens, seconds and dollars by their names; raises MooInferError for usage that is damaged."""
        if not self.cached:
            return {"latency_s": self.seconds, **usage_of(self.usage, self.provider)}
        if None in self.replayed:
            return {"latency_s": self.called_s}
        parts = [usage_of(part, self.provider) for part in (self.usage, *self.replayed) if part]
        names = {name for part in parts for name in part}
        total: dict[str, object] = {"latency_s": self.called_s}
        for name in names:
            values = [part.get(name) for part in parts]
            present: list[Any] = [value for value in values if value is not None]
            whole = len(present) == len(values) or (present and name in PARTS)
            total[name] = sum(present) if whole else None
        return total


def _answered(output: Mapping[str, Any], model: str, used: object) -> bool:
    """Whether an output with usage is of the model, which by its usage made no calls; others may have, as graders."""
    name = str(output.get("model")).rpartition("/")[2]
    return bool(output.get("usage")) and (not used or name.startswith(model.rpartition("/")[2]))


def _output(event: Mapping[str, Any]) -> Mapping[str, Any]:
    output = event.get("output")
    return output if isinstance(output, dict) else {}


def _seconds(value: object) -> float | None:
    """Finite seconds >= 0, or None."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= sys.float_info.max:
        return None  # NaN is not within any bounds
    return float(value)


def usage_of(usage: Mapping[str, Any] | None, provider: str, /) -> dict[str, object]:
    """Return tokens and dollars of calls: all of the input, all of the output.

    Cached tokens were part of the input in older logs of some providers, and reasoning was none of the output in older
    logs of others. Where the tokens have a total, the reading that adds up is taken.
    """
    if not usage:
        return {}
    if not isinstance(usage, Mapping) or not {"input_tokens", "output_tokens"} <= usage.keys():
        raise MooInferError(f"its usage lacks input_tokens or output_tokens: {usage!r:.80}")
    tokens_in, tokens_out = usage["input_tokens"], usage["output_tokens"]
    read, written = (usage.get(f"input_tokens_cache_{way}") for way in ("read", "write"))
    reasoning, cached = usage.get("reasoning_tokens"), (read or 0) + (written or 0)
    readings = [(cached, 0), (0, 0)]
    if provider in APART and reasoning:
        readings = [(cached, reasoning), (cached, 0), (0, reasoning)]
    total = usage.get("total_tokens")
    fit = (reading for reading in readings if tokens_in + tokens_out + sum(reading) == total)
    more_in, more_out = next(fit, readings[0])
    return {
        "input_tokens": tokens_in + more_in,
        "cached_input_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": tokens_out + more_out,
        "reasoning_tokens": reasoning,
        "cost_usd": usage.get("total_cost"),
    }
