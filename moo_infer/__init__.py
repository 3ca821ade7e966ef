"""moo_infer: which LLM, how many samples k, aggregated how - under budgets of money, seconds, joules and accuracy.

>>> import moo_infer
>>> report = moo_infer.Pipeline(selectors="knee-chord").run("gpt-5", "essay-feedback")
>>> report["knee-chord"].k
8
"""

from .core.lazy import lazily
from .core.version import __version__

TYPE_CHECKING = False  # not from typing, which takes as long to load as all else here
if TYPE_CHECKING:
    from .core.call_settings import CallSettings
    from .core.draws import Draws
    from .core.errors import MissingColumn, MooInferError, NoChoice, NoSelection, NotExact, SelectionWarning
    from .core.moments import Moments
    from .core.objectives import ACCURACY, COMPUTE, COST, ENERGY, LATENCY, Limit, Objective
    from .core.parts import AtLeastOne, NonNegative, Positive, Share
    from .core.plugin_files import plugin_file
    from .core.seen import Answer, Call, Seen
    from .core.uncertainty import Uncertain
    from .decide.candidates import Candidates
    from .estimate.exact import Exact
    from .estimate.monte_carlo import MonteCarlo
    from .hookspecs import hookimpl
    from .interfaces import AccuracyAggregator, CostModel, InferenceModel, LogReader, Policy, Selector
    from .pipeline import Pipeline
    from .policy.budget import BudgetManager
    from .policy.live.inference import Endpoint, Inference
    from .policy.live.openai_endpoint import OpenAIEndpoint
    from .policy.live.outcome import Outcome, answer
    from .policy.live.question import Question
    from .profiles import ModelProfile, Scenario
    from .quantities.laws import Bernoulli, ClippedNormal, Law, Lognormal
    from .quantities.quantity import Quantity, Query
    from .quantities.queries import Axis, Doubt, Note, Queries
    from .quantities.samples import Samples
    from .read.profiles import (
        builtin_models,
        builtin_scenarios,
        load_models,
        load_policies,
        load_scenarios,
        load_workflows,
    )
    from .registry import Registry
    from .report.report import Report
    from .sweep.results import read_sweep
    from .workflows import Stage, Tool, Workflow

__all__ = [
    "ACCURACY",
    "COMPUTE",
    "COST",
    "ENERGY",
    "LATENCY",
    "AccuracyAggregator",
    "Answer",
    "AtLeastOne",
    "Axis",
    "Bernoulli",
    "BudgetManager",
    "Call",
    "CallSettings",
    "Candidates",
    "ClippedNormal",
    "CostModel",
    "Doubt",
    "Draws",
    "Endpoint",
    "Exact",
    "Inference",
    "InferenceModel",
    "Law",
    "Limit",
    "LogReader",
    "Lognormal",
    "MissingColumn",
    "ModelProfile",
    "Moments",
    "MonteCarlo",
    "MooInferError",
    "NoChoice",
    "NoSelection",
    "NonNegative",
    "NotExact",
    "Note",
    "Objective",
    "OpenAIEndpoint",
    "Outcome",
    "Pipeline",
    "Policy",
    "Positive",
    "Quantity",
    "Queries",
    "Query",
    "Question",
    "Registry",
    "Report",
    "Samples",
    "Scenario",
    "Seen",
    "SelectionWarning",
    "Selector",
    "Share",
    "Stage",
    "Tool",
    "Uncertain",
    "Workflow",
    "__version__",
    "answer",
    "builtin_models",
    "builtin_scenarios",
    "hookimpl",
    "load_models",
    "load_policies",
    "load_scenarios",
    "load_workflows",
    "plugin_file",
    "read_sweep",
]

# Loaded when they are asked for (SPEC 1 of Scientific Python), so that whoever stops the command gets a sentence.
_MODULES = {
    "core.call_settings": ("CallSettings",),
    "core.draws": ("Draws",),
    "core.errors": (
        "MissingColumn",
        "MooInferError",
        "NoChoice",
        "NoSelection",
        "NotExact",
        "SelectionWarning",
    ),
    "core.moments": ("Moments",),
    "core.objectives": (
        "ACCURACY",
        "COMPUTE",
        "COST",
        "ENERGY",
        "LATENCY",
        "Limit",
        "Objective",
    ),
    "core.parts": (
        "AtLeastOne",
        "NonNegative",
        "Positive",
        "Share",
    ),
    "core.plugin_files": ("plugin_file",),
    "core.seen": ("Answer", "Call", "Seen"),
    "core.uncertainty": ("Uncertain",),
    "decide.candidates": ("Candidates",),
    "estimate.exact": ("Exact",),
    "estimate.monte_carlo": ("MonteCarlo",),
    "hookspecs": ("hookimpl",),
    "interfaces": (
        "AccuracyAggregator",
        "CostModel",
        "InferenceModel",
        "LogReader",
        "Policy",
        "Selector",
    ),
    "pipeline": ("Pipeline",),
    "policy.budget": ("BudgetManager",),
    "policy.live.inference": ("Endpoint", "Inference"),
    "policy.live.openai_endpoint": ("OpenAIEndpoint",),
    "policy.live.outcome": ("Outcome", "answer"),
    "policy.live.question": ("Question",),
    "profiles": (
        "ModelProfile",
        "Scenario",
    ),
    "quantities.laws": (
        "Bernoulli",
        "ClippedNormal",
        "Law",
        "Lognormal",
    ),
    "quantities.queries": ("Axis", "Doubt", "Note", "Queries"),
    "quantities.quantity": ("Quantity", "Query"),
    "quantities.samples": ("Samples",),
    "read.profiles": (
        "builtin_models",
        "builtin_scenarios",
        "load_models",
        "load_policies",
        "load_scenarios",
        "load_workflows",
    ),
    "registry": ("Registry",),
    "report.report": ("Report",),
    "sweep.results": ("read_sweep",),
    "workflows": ("Stage", "Tool", "Workflow"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}

__getattr__, __dir__ = lazily(globals(), _WHERE)
