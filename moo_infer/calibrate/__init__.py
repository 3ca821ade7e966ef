"""From logs to numbers: estimates, profiles, and parameters of parts, fitted to what was measured."""

from ..quantities.fieller import Estimate
from ..quantities.samples import COLUMNS
from ..read.grading import Grading
from ..read.load_tests import LoadTest, read
from ..read.log import Log, Source
from ..read.logs import read_log
from ..read.prices import Price, by_hand, find_prices, from_genai_prices, from_litellm
from ..read.step_tables import StepTable, holds_steps, read_steps
from .caps import Capped, TimeCap, TokenCap, capped
from .compare import compare
from .coverage_laws import BetaBinomial, CoverageLaw, ExponentiatedPowerLaw
from .differences import Comparison, Difference
from .fit_latency import fit_batch, fit_itl, fit_serving, fit_slots
from .fit_steps import fit_setups, fit_steps
from .fits import fit_beta, fit_lognormal, fit_lognormal_lengths, fit_seconds
from .gains import (
    Gains,
    changes_nothing,
    length_multiplier,
    paired_gains,
    paired_length_multiplier,
    published_gains,
)
from .intervals import Interval
from .iso_flops import iso_flop
from .law_choice import LawChoice, forward_validated
from .log_summary import LogSummary, summarise
from .options import ProfileOptions
from .part_fit import Fit
from .profiles import Calibration, calibrated
from .regression import Regression
from .scaling import SCALING_LAWS, VOTE_LAWS, AccuracyCurve, ScalingFit, fit_scaling
from .scaling_cache import ScalingCache
from .scaling_laws import ScalingLaw
from .train_equivalent import ComputeTrend, TrainEquivalent, compute_trend
from .variants import VariantFamily, VariantGain, compare_variants
from .vote_laws import BetaVote, MixedVote
from .yaml_out import save

__all__ = [
    "COLUMNS",
    "SCALING_LAWS",
    "VOTE_LAWS",
    "AccuracyCurve",
    "BetaBinomial",
    "BetaVote",
    "Calibration",
    "Capped",
    "Comparison",
    "ComputeTrend",
    "CoverageLaw",
    "Difference",
    "Estimate",
    "ExponentiatedPowerLaw",
    "Fit",
    "Gains",
    "Grading",
    "Interval",
    "LawChoice",
    "LoadTest",
    "Log",
    "LogSummary",
    "MixedVote",
    "Price",
    "ProfileOptions",
    "Regression",
    "ScalingCache",
    "ScalingFit",
    "ScalingLaw",
    "Source",
    "StepTable",
    "TimeCap",
    "TokenCap",
    "TrainEquivalent",
    "VariantFamily",
    "VariantGain",
    "by_hand",
    "calibrated",
    "capped",
    "changes_nothing",
    "compare",
    "compare_variants",
    "compute_trend",
    "find_prices",
    "fit_batch",
    "fit_beta",
    "fit_itl",
    "fit_lognormal",
    "fit_lognormal_lengths",
    "fit_scaling",
    "fit_seconds",
    "fit_serving",
    "fit_setups",
    "fit_slots",
    "fit_steps",
    "forward_validated",
    "from_genai_prices",
    "from_litellm",
    "holds_steps",
    "iso_flop",
    "length_multiplier",
    "paired_gains",
    "paired_length_multiplier",
    "published_gains",
    "read",
    "read_log",
    "read_steps",
    "save",
    "summarise",
]
