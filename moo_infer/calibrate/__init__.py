"""From logs to numbers: parameters of parts, fitted to what was measured, and prices."""

from .fits import fit_beta, fit_lognormal, fit_lognormal_lengths, fit_seconds
from .load_tests import Measured, read
from .prices import Price, by_hand, find_prices, from_genai_prices, from_litellm
from .serving import Fitted, fit_batch, fit_itl, fit_serving, fit_slots

__all__ = [
    "Fitted",
    "Measured",
    "Price",
    "by_hand",
    "find_prices",
    "fit_batch",
    "fit_beta",
    "fit_itl",
    "fit_lognormal",
    "fit_lognormal_lengths",
    "fit_seconds",
    "fit_serving",
    "fit_slots",
    "from_genai_prices",
    "from_litellm",
    "read",
]
