"""Numbers that a policy leaves open and a model knows: what a call costs, how scores are spread, what is right."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.errors import NothingPossible
from ..core.objectives import COST
from ..estimate.exact import Exact
from ..estimate.setup import Setup
from ..interfaces import Policy
from ..quantities.samples import Samples

__all__ = ["filled", "price_of"]

PRICE, SCORES, PRIOR = "price", "scores", "prior"  # fields that are filled where they are None
FIRM = 1e3  # a + b of a prior at most: questions that are alike do not tell
LOOSE = 1e-2  # at least: questions that are all right or all wrong


def filled(policy: Policy, setups: Mapping[str, Setup], /) -> Policy:
    """Return a policy with the numbers of its models in fields that are None.

    ``price`` becomes the mean USD of a call, ``scores`` the scores of the log, and ``prior`` the a and b of a Beta law
    of what is right by question; of the model in the field ``model`` beside them, however deep in lists and mappings.

    Raises:
        NothingPossible: where the model does not know them.
    """
    part: Any = _filled(policy, "", setups)
    return part if isinstance(part, Policy) else policy


def _filled(value: Any, model: str, setups: Mapping[str, Setup]) -> Any:
    if isinstance(value, tuple):
        return tuple(_filled(entry, model, setups) for entry in value)
    if isinstance(value, Mapping):
        return {key: _filled(entry, model, setups) for key, entry in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    own = getattr(value, "model", "") or model
    changes = {}
    for field in dataclasses.fields(value):
        entry = getattr(value, field.name)
        if entry is None and own in setups and field.name in FILL:
            changes[field.name] = FILL[field.name](setups[own], own)
        elif (inner := _filled(entry, own, setups)) is not entry and inner != entry:
            changes[field.name] = inner
    return dataclasses.replace(value, **changes) if changes else value


def price_of(setup: Setup, model: str) -> float:
    """Return the mean USD of a call of a model; raises NothingPossible where no cost model says it."""
    if COST not in setup.costs:
        raise NothingPossible(f"{model}: no cost model says what a call costs, so its price has to be given")
    one = dataclasses.replace(setup, k=np.ones(1, dtype=np.int64))
    return float(Exact().curve(one).columns[COST.name].mean[0])


def _scores(setup: Setup, model: str) -> tuple[float, ...]:
    """The scores of a log."""
    samples = _log(setup, model, "the law of its scores has")
    known = samples.known("score")
    if not known.any():
        raise NothingPossible(f"{model}: its log has no scores")
    return tuple(np.sort(samples["score"][known].astype(np.float64)).tolist())


def _prior(setup: Setup, model: str) -> tuple[float, float]:
    """A and b of the Beta law of what is right by question, by the first two moments."""
    samples = _log(setup, model, "its prior has")
    n, right = samples.n.astype(np.float64), samples.right.astype(np.float64)
    mean = float((right.sum() + 0.5) / (n.sum() + 1))
    share = right / n
    within = (share * (1 - share) / np.maximum(n - 1, 1)).mean()  # of the variance of shares, what few samples add
    between = max(float(share.var() - within), 0.0)
    together = mean * (1 - mean) / between - 1 if between > 0 else FIRM
    together = min(max(together, LOOSE), FIRM)
    return mean * together, (1 - mean) * together


def _log(setup: Setup, model: str, what: str) -> Samples:
    samples = setup.queries.samples
    if samples is None:
        raise NothingPossible(f"{model}: without a log {what} to be given")
    return samples


FILL = {PRICE: price_of, SCORES: _scores, PRIOR: _prior}
