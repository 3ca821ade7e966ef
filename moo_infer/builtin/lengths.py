"""Token lengths on two levels: a query has its own mean, and its inferences vary around that."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from ..core.arrays import FloatArray
from ..core.draws import Draws
from ..core.parts import NonNegative, Positive, Share
from ..hookspecs import hookimpl
from ..interfaces import InferenceModel
from ..quantities.laws import ClippedNormal, Law, Lognormal
from ..quantities.quadrature import hermite, panels
from ..quantities.queries import Axis, Note, Queries

__all__ = ["LognormalLengths", "SpreadAxis", "TokenLengths", "percent", "share_above"]

ORDER = 16  # nodes over a lognormal law: variances to 1e-9 up to a cv of 2; with 12, to 1e-6
PANEL_ORDER = 12  # nodes a panel where lengths are cut: means and variances to 1e-7; with 8, to 1e-5
FAR, WIDEST, FINEST = 7.2, 0.8, 4  # standard deviations of a log mean: all but 1e-12; nodes 0.8 apart, or 0.05 at last
SHOWN = 1e-6  # share of the outputs below which nothing is said
DRAWS = 100_000  # for a share to half a percent, where no law is known


@dataclass(frozen=True, kw_only=True)
class TokenLengths(InferenceModel):
    """Prompts and outputs of queries: a base of inference models with lognormal lengths, which need their accuracy.

    The prompt is that of the query, the same for all its inferences. The length of an output is M W, cut at
    `max_tokens`: M, the mean of the query, is shared by its inferences; W varies from inference to inference around 1.

    Args:
        tokens_in_mean: tokens of the prompt, >= 0.
        tokens_in_cv: its standard deviation per mean over queries, >= 0.
        tokens_out_mean: generated tokens before the cut, >= 0.
        tokens_out_cv_between: standard deviation per mean of a query's own mean, >= 0.
        tokens_out_cv_within: standard deviation per mean of the outputs of one query, >= 0.
        max_tokens: the largest output, > 0, or None.
    """

    tokens_in_mean: NonNegative = 0.0
    tokens_in_cv: NonNegative = 0.0
    tokens_out_mean: NonNegative = 0.0
    tokens_out_cv_between: NonNegative = 0.0
    tokens_out_cv_within: NonNegative = 0.0
    max_tokens: Positive | None = None

    def queries_of_lengths(self, **laws: Law | None) -> Queries:
        """Queries of all prompts and mean outputs, each where it varies, with the laws of other columns."""
        axes: list[Axis] = []
        if np.any(self.tokens_in_cv):
            axes.append(SpreadAxis.of("tokens_in", self.tokens_in_mean, self.tokens_in_cv))
        else:
            laws["tokens_in"] = Lognormal(self.tokens_in_mean, 0.0)
        within = self.tokens_out_cv_within
        if np.any(self.tokens_out_cv_between):
            between = self.tokens_out_cv_between
            axes.append(SpreadAxis.of("tokens_out", self.tokens_out_mean, between, within, self._cap))
        else:
            laws["tokens_out"] = Lognormal(self.tokens_out_mean, within, self._cap)
        return Queries.along(*axes, **laws)

    def sample_lengths(self, rng: np.random.Generator, M: int, K: int, /) -> tuple[FloatArray, FloatArray]:
        """Draw prompts and outputs of M queries with K inferences each, both (M, K)."""
        prompts = self.tokens_in_mean * _around_one(rng, self.tokens_in_cv, (M, 1))
        means = self.tokens_out_mean * _around_one(rng, self.tokens_out_cv_between, (M, 1))
        outputs = means * _around_one(rng, self.tokens_out_cv_within, (M, K))
        return np.repeat(prompts, K, axis=1), np.minimum(outputs, self._cap)

    def notes(self) -> Sequence[Note]:
        """Say how many outputs are cut, and what that means for the accuracy."""
        between, within = self.tokens_out_cv_between, self.tokens_out_cv_within
        cv = math.sqrt((1 + between**2) * (1 + within**2) - 1)  # M W is lognormal too
        share = Lognormal(self.tokens_out_mean, cv, self._cap).cut
        if share < SHOWN:
            return ()
        text = (
            f"max_tokens = {self.max_tokens:g} cuts {percent(share)} of the outputs, not counting reasoning tokens; "
            "the accuracy is taken as measured with this cut"
        )
        return (Note(text),)

    @property
    def _cap(self) -> float:
        return math.inf if self.max_tokens is None else self.max_tokens


@dataclass(frozen=True, kw_only=True)
class _Required:
    """What has to be given, and the accuracy; a base class, so that they come before how lengths vary."""

    tokens_in_mean: NonNegative
    tokens_out_mean: NonNegative
    accuracy_mean: Share
    accuracy_std: Share = 0.0


@dataclass(frozen=True, kw_only=True)
class LognormalLengths(TokenLengths, _Required):
    """Lognormal token lengths on two levels, and independent normal accuracy as in `gaussian`.

    LoadTest lengths have long tails, and vary more from query to query than among the answers to one query: the
    inferences of one query are long together. The sum of k of them has the variance k Var_within + k^2 Var_between. In
    the LRM token economy data (23 reasoning models, 19 prompts, 5 runs each) the coefficient of variation is 0.24
    within a prompt (median; 0.10 to 0.54 for eight of ten) and 0.98 between prompts (median of models; 0.71 to 1.64).

    Args:
        tokens_in_mean, tokens_in_cv: tokens of the prompt, >= 0, and their standard deviation per mean over queries;
            the k inferences of a query share the prompt.
        tokens_out_mean: generated tokens before any cut, >= 0.
        tokens_out_cv_between: standard deviation per mean of a query's own mean length, >= 0.
        tokens_out_cv_within: standard deviation per mean of the outputs of one query, >= 0.
        max_tokens: longer outputs are cut to it, > 0; a remark says how many are.
        accuracy_mean: quality, or probability to be right, of one inference, in [0, 1].
        accuracy_std: its standard deviation from inference to inference before clipping, in [0, 1].

    >>> model = LognormalLengths(
    ...     tokens_in_mean=500, tokens_out_mean=2000, tokens_out_cv_between=0.8, tokens_out_cv_within=0.24,
    ...     max_tokens=8000, accuracy_mean=0.8)
    >>> print(model.notes()[0].text[:47])
    max_tokens = 8000 cuts 1.3 % of the outputs, no
    >>> model.sample(np.random.default_rng(0), 2, 3).tokens_out.round()
    array([[2099., 2596., 3244.],
           [2046., 1384., 1212.]])
    """

    name = "lognormal"

    tokens_in_mean: NonNegative = field()  # without the default that other models have
    tokens_out_mean: NonNegative = field()

    def queries(self) -> Queries:
        """Queries of all prompts and mean lengths, where these vary."""
        return self.queries_of_lengths(accuracy=ClippedNormal(self.accuracy_mean, self.accuracy_std, 0.0, 1.0))

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences."""
        tokens_in, tokens_out = self.sample_lengths(rng, M, K)
        accuracy = np.clip(rng.normal(self.accuracy_mean, self.accuracy_std, (M, K)), 0.0, 1.0)
        return Draws(tokens_in, tokens_out, accuracy)


def share_above(model: InferenceModel, column: Literal["tokens_in", "tokens_out"], tokens: float, /) -> float:
    """Return the share of a model's inferences with more tokens than that, were nothing cut.

    Args:
        model: any inference model.
        column: of the prompt, or of the output.
        tokens: the number to compare with.

    >>> model = LognormalLengths(tokens_in_mean=500, tokens_out_mean=1000, tokens_out_cv_within=0.5, accuracy_mean=0.8)
    >>> round(share_above(model, "tokens_out", 1000), 4)
    0.4066
    """
    queries = model.queries()
    if queries.samples is not None:
        samples = queries.samples
        longer = samples["input_tokens" if column == "tokens_in" else "output_tokens"] > tokens
        return float(queries.weights @ (np.bincount(samples.question, longer, len(samples.questions)) / samples.n))
    axis = queries.product({column}, {column: (tokens,)})
    law = queries.law(column) if axis is None else axis.laws[column]
    if law is None:
        return float(np.mean(model.sample(np.random.default_rng(0), DRAWS, 1)[column] > tokens))
    uncut = replace(law, cap=math.inf) if isinstance(law, Lognormal) else law
    weights = np.ones(1) if axis is None else axis.weights
    return float(weights @ np.ravel(1 - uncut.cdf(np.asarray(tokens))))


def percent(share: float, /) -> str:
    """Return a share in words: ``75 %``, ``2.0 %``, ``less than 0.1 %``, ``0 %``."""
    if share == 0:
        return "0 %"
    # Below 0.05 % one decimal would read 0.0 %; from 9.95 % on it is left out, so that there are two digits.
    return "less than 0.1 %" if share < 5e-4 else f"{100 * share:.{0 if share >= 0.0995 else 1}f} %"


@dataclass(frozen=True, eq=False)
class SpreadAxis(Axis):
    """Queries whose means of a column are lognormal, around which their inferences are lognormal, and may be cut.

    Args:
        column: whose means differ.
        mean, between, within, cap: of `TokenLengths`.
        bends: where functions of the column bend or jump.
    """

    column: str
    mean: float
    between: float
    within: float
    cap: float
    bends: tuple[float, ...]

    @classmethod
    def of(
        cls,
        column: str,
        mean: float,
        between: float,
        within: float = 0.0,
        cap: float = math.inf,
        bends: tuple[float, ...] = (),
    ) -> "SpreadAxis":
        """Return the axis with its quadrature."""
        weights, means = _quadrature(mean, between, within, (cap, *bends))
        laws = {column: Lognormal(means[:, None], within, cap)}
        return cls(weights, laws, column, mean, between, within, cap, bends)

    def refined(self, bends: Mapping[str, Sequence[Any]], /) -> Axis:
        """Return the axis with panels that meet where a function of the column bends."""
        at = tuple(float(bend) for bend in bends.get(self.column, ()))
        return SpreadAxis.of(self.column, self.mean, self.between, self.within, self.cap, at) if at else self

    def for_cdfs(self, level: int, /) -> tuple[Axis, FloatArray] | None:
        """Return the axis with the trapezoidal rule, whose error falls geometrically where a cdf is not too steep."""
        if level > FINEST:
            return None
        half = round(FAR / WIDEST) * 2**level
        steps = np.arange(-half, half + 1)
        z, sigma = steps * WIDEST / 2**level, math.sqrt(math.log1p(self.between**2))
        weights = np.exp(-0.5 * z**2)
        every_second = np.where(steps % 2 == 0, weights, 0.0)
        means = self.mean * np.exp(sigma * z - sigma**2 / 2)
        laws = {self.column: Lognormal(means[:, None], self.within, self.cap)}
        return Axis(weights / weights.sum(), laws), every_second / every_second.sum()


@cache
def _quadrature(mean: float, cv: float, cv_given: float, bends: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    """Weights and nodes (Q,) over the lognormal means of queries, around which inferences vary."""
    sigma = math.sqrt(math.log1p(cv**2))
    inside = [bend for bend in dict.fromkeys(bends) if 0 < bend < math.inf]
    if not inside or mean == 0:
        z, weights = hermite(ORDER)
    else:
        # Panels that meet where a bend begins to matter, and where it has ceased to.
        low, high = -9.0, 9.0 + 2 * sigma
        at = [(math.log(bend / mean) + sigma**2 / 2) / sigma for bend in inside]
        width = math.sqrt(math.log1p(cv_given**2)) / sigma
        inner = [*(centre + step * width for centre in at for step in (-4, 0, 4)), *np.linspace(low, high, 5)]
        z, dz = panels(PANEL_ORDER, np.unique(np.clip(inner, low, high)))
        weights = dz * np.exp(-0.5 * z**2)
    return weights / weights.sum(), mean * np.exp(sigma * z - sigma**2 / 2)


def _around_one(rng: np.random.Generator, cv: float, shape: tuple[int, int]) -> FloatArray:
    sigma = math.sqrt(math.log1p(cv**2))
    return np.exp(sigma * rng.standard_normal(shape) - sigma**2 / 2)


@hookimpl
def register_inference_models() -> list[type[InferenceModel]]:
    """Register the model with lognormal lengths."""
    return [LognormalLengths]
