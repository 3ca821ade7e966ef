"""From logs to numbers: parameters of parts, fitted to what was measured."""

from .coverage_laws import BetaBinomial, Chosen, CoverageLaw, ExponentiatedPowerLaw, forward_validated
from .estimates import Estimated, Estimates, estimate
from .load_tests import Measured, read
from .serving import Fitted, fit_batch, fit_itl, fit_serving, fit_slots

__all__ = [
    "BetaBinomial",
    "Chosen",
    "CoverageLaw",
    "Estimated",
    "Estimates",
    "ExponentiatedPowerLaw",
    "Fitted",
    "Measured",
    "estimate",
    "fit_batch",
    "fit_itl",
    "fit_serving",
    "fit_slots",
    "forward_validated",
    "read",
]
