"""The hooks a plugin implements. Each returns a list of classes; the entry-point group is ``moo_infer``."""

import pluggy

from .interfaces import AccuracyAggregator, CostModel, InferenceModel, LogReader, Policy, Selector

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "moo_infer"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


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
