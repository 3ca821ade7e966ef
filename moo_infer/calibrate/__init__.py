"""From logs to numbers: parameters of parts, fitted to what was measured."""

from .load_tests import Measured, read
from .serving import Fitted, fit_batch, fit_itl, fit_serving, fit_slots

__all__ = ["Fitted", "Measured", "fit_batch", "fit_itl", "fit_serving", "fit_slots", "read"]
