"""From logs to numbers: estimates, profiles, and parameters of parts, fitted to what was measured."""

from ..quantities.samples import COLUMNS
from ..read.grading import Grading
from ..read.load_tests import Measured, read
from ..read.log import Log, Source
from ..read.logs import read_log
from ..read.prices import Price, by_hand, find_prices, from_genai_prices, from_litellm
from .coverage_laws import BetaBinomial, Chosen, CoverageLaw, ExponentiatedPowerLaw, forward_validated
from .estimates import Estimated, Estimates, estimate
from .fit_latency import Fitted, fit_batch, fit_itl, fit_serving, fit_slots
from .fits import fit_beta, fit_lognormal, fit_lognormal_lengths, fit_seconds
from .options import ProfileOptions
from .profiles import Calibrated, calibrated
from .yaml_out import save

__all__ = [
    "COLUMNS",
    "BetaBinomial",
    "Calibrated",
    "Chosen",
    "CoverageLaw",
    "Estimated",
    "Estimates",
    "ExponentiatedPowerLaw",
    "Fitted",
    "Grading",
    "Log",
    "Measured",
    "Price",
    "ProfileOptions",
    "Source",
    "by_hand",
    "calibrated",
    "estimate",
    "find_prices",
    "fit_batch",
    "fit_beta",
    "fit_itl",
    "fit_lognormal",
    "fit_lognormal_lengths",
    "fit_seconds",
    "fit_serving",
    "fit_slots",
    "forward_validated",
    "from_genai_prices",
    "from_litellm",
    "read",
    "read_log",
    "save",
]
