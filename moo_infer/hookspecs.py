"""The hooks a plugin implements. Each returns a list of classes; the entry-point group is ``moo_infer``."""

from typing import TypeVar

import pluggy

from .core.errors import MooInferError
from .interfaces import AccuracyAggregator, CostModel, InferenceModel, LogReader, Policy, Selector

__all__ = ["KINDS", "PROJECT", "ByKind", "hookimpl", "hookspec"]

PROJECT = "moo_infer"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
What = TypeVar("What")


class ByKind(dict[type, What]):
    """Something for every kind of parts; other classes are refused."""

    def __missing__(self, kind: type) -> What:
        raise MooInferError(f"a kind of parts must be {', '.join(one.__name__ for one in self)}, got {kind!r:.80}")


# The word for a kind, and the hook that registers its classes.
KINDS = ByKind(
    {
        InferenceModel: ("inference model", "register_inference_models"),
        CostModel: ("cost model", "register_cost_models"),
        AccuracyAggregator: ("aggregator", "register_aggregators"),
        Selector: ("selector", "register_selectors"),
        LogReader: ("log reader", "register_log_readers"),
        Policy: ("policy", "register_policies"),
    }
)


@hookspec
def register_inference_models() -> list[type[InferenceModel]]:
    """Return inference model classes."""
    return []


@hookspec
def register_cost_models() -> list[type[CostModel]]:
    """Return cost model classes."""
    return []


@hookspec
def register_aggregators() -> list[type[AccuracyAggregator]]:
    """Return accuracy aggregator classes."""
    return []


@hookspec
def register_selectors() -> list[type[Selector]]:
    """Return selector classes."""
    return []


@hookspec
def register_log_readers() -> list[type[LogReader]]:
    """Return log reader classes."""
    return []


@hookspec
def register_policies() -> list[type[Policy]]:
    """Return policy classes."""
    return []
