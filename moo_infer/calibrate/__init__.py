"""From logs to numbers: parameters of parts, fitted to what was measured."""

from .load_tests import Measured, read
from .logs import COLUMNS, Log, Source, read_log
from .serving import Fitted, fit_batch, fit_itl, fit_serving, fit_slots

__all__ = [
    "COLUMNS",
    "Fitted",
    "Log",
    "Measured",
    "Source",
    "fit_batch",
    "fit_itl",
    "fit_serving",
    "fit_slots",
    "read",
    "read_log",
]
