"""The paper's figures on exact values: a space and an accuracy curve for every model and scenario (Figs 4-21)."""

from functools import partial

from ..pipeline import Pipeline
from ..plot import curve, space
from ..plot.files import Picture
from . import procedure

__all__ = ["SELECTORS", "figures"]

SELECTORS = (*procedure.SELECTORS, "knee-chord")


def figures() -> list[Picture]:
    """Return the 27 spaces and 27 curves of the nine models in the three scenarios, for `moo_infer.plot.write`.

    >>> words, draw = figures()[1]
    >>> words
    ('essay-feedback', 'gpt-5', 'accuracy')
    >>> draw().axes[0].get_ylabel()
    'accuracy'
    """
    report = Pipeline(selectors=SELECTORS).run()
    return [
        ((scenario.name, model, name), partial(draw, report, model=model, scenario=scenario.name))
        for scenario in report.scenarios
        for model in report.candidates.models
        for name, draw in (("space", space), ("accuracy", curve))
    ]
