"""moo_infer: which LLM, how many samples k, aggregated how - under budgets of money, seconds, joules and accuracy.

>>> import moo_infer
>>> report = moo_infer.Pipeline(selectors="knee-chord").run("gpt-5", "essay-feedback")
>>> report["knee-chord"].k
8
"""

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
