"""Pictures of a report, made with matplotlib: the only importer of it.

Every function takes a `Report` (`log_curves` the summary of a log) and returns a `matplotlib.figure.Figure` of its own:
no pyplot, no backend, no settings are touched. `save` writes all pictures of a report into a folder.

>>> from moo_infer import Pipeline
>>> from moo_infer.plot import curve
>>> report = Pipeline(k_max=16).run("gpt-5", "essay-feedback")
>>> curve(report, "cost").axes[0].get_ylabel()
'cost (USD)'
"""

from .curves import curve, page
from .files import FORMATS, refuse_no_folder, save, write
from .fleets import allocation
from .lifetimes import lifetime
from .log_curves import log_curves
from .maps import decisions
from .policies import policies
from .pools import front, stability
from .spaces import space
from .sweeps import sweep, sweep_pictures
from .workflows import gantt, stages

__all__ = [
    "FORMATS", "allocation", "curve", "decisions", "front", "gantt", "lifetime", "log_curves", "page", "policies",
    "refuse_no_folder", "save", "space", "stability", "stages", "sweep", "sweep_pictures", "write",
]  # fmt: skip
