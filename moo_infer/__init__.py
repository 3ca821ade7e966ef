"""moo_infer: which LLM, how many samples k, aggregated how - under budgets of money, seconds, joules and accuracy.

>>> import moo_infer
>>> report = moo_infer.Pipeline(selectors="knee-chord").run("gpt-5", "essay-feedback")
>>> report["knee-chord"].k
8
"""

from importlib import import_module

TYPE_CHECKING = False  # not from typing, which takes as long to load as all else here
if TYPE_CHECKING:
    from .candidates import Candidates
    from .errors import MissingColumn, MooInferError, NoSelection, SelectionWarning
    from .estimators import Exact, MonteCarlo
    from .hookspecs import hookimpl
    from .interfaces import (
        AccuracyAggregator,
        CostModel,
        Draws,
        InferenceModel,
        Law,
        LogReader,
        Moments,
        Queries,
        Selector,
    )
    from .objectives import Limit, Objective
    from .pipeline import Pipeline
    from .profiles import ModelProfile, Scenario, load_models, load_scenarios
    from .registry import Registry, plugin_file
    from .report import Report
    from .samples import Samples

__version__ = "0.1.0"

__all__ = [
    "AccuracyAggregator",
    "Candidates",
    "CostModel",
    "Draws",
    "Exact",
    "InferenceModel",
    "Law",
    "Limit",
    "LogReader",
    "MissingColumn",
    "ModelProfile",
    "Moments",
    "MonteCarlo",
    "MooInferError",
    "NoSelection",
    "Objective",
    "Pipeline",
    "Queries",
    "Registry",
    "Report",
    "Samples",
    "Scenario",
    "SelectionWarning",
    "Selector",
    "__version__",
    "hookimpl",
    "load_models",
    "load_scenarios",
    "plugin_file",
]

# Loaded when they are asked for (SPEC 1 of Scientific Python), so that whoever stops the command gets a sentence.
_MODULES = {
    "candidates": ("Candidates",),
    "errors": (
        "MissingColumn",
        "MooInferError",
        "NoSelection",
        "SelectionWarning",
    ),
    "estimators": (
        "Exact",
        "MonteCarlo",
    ),
    "hookspecs": ("hookimpl",),
    "interfaces": (
        "AccuracyAggregator",
        "CostModel",
        "Draws",
        "InferenceModel",
        "Law",
        "LogReader",
        "Moments",
        "Queries",
        "Selector",
    ),
    "objectives": (
        "Limit",
        "Objective",
    ),
    "pipeline": ("Pipeline",),
    "profiles": (
        "ModelProfile",
        "Scenario",
        "load_models",
        "load_scenarios",
    ),
    "registry": (
        "Registry",
        "plugin_file",
    ),
    "report": ("Report",),
    "samples": ("Samples",),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
