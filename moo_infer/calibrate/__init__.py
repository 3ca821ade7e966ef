"""From logs to numbers: estimates, profiles, and parameters of parts, fitted to what was measured."""

from ..samples import COLUMNS
from .coverage_laws import BetaBinomial, Chosen, CoverageLaw, ExponentiatedPowerLaw, forward_validated
from .estimates import Estimated, Estimates, estimate
from .fits import fit_beta, fit_lognormal, fit_lognormal_lengths, fit_seconds
from .grading import Grading
from .load_tests import Measured, read
from .logs import Log, Source
from .prices import Price, by_hand, find_prices, from_genai_prices, from_litellm
from .profiles import Calibrated, calibrated
from .reading import read_log
from .serving import Fitted, fit_batch, fit_itl, fit_serving, fit_slots
from .writing import save

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
