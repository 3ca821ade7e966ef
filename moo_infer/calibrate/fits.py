"""Fits parametric parts of a profile to the samples of a log, with standard errors by question."""

import math
from dataclasses import replace

import numpy as np

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray
from ..core.errors import MooInferError
from ..quantities.laws import Lognormal
from ..quantities.provenance import NO_SPREAD
from ..quantities.samples import Samples
from ..quantities.subsets import mean_pass_at_k
from ..read.load_tests import LoadTest
from .beta_binomial import FEWEST, BetaFit, fit_beta_binomial, jeffreys
from .fit_latency import fit_slots
from .part_fit import Fit

__all__ = ["fit_beta", "fit_lognormal", "fit_lognormal_lengths", "fit_seconds"]

Parameters = dict[str, tuple[float, float]]

LARGEST_K = 1024  # pass@k of fit and samples are compared up to it
QUANTILES = (0.5, 0.95, 0.99)  # of tokens, compared likewise
GROUPS = 20  # of questions, left out one after the other


@typed()
def fit_beta(samples: Samples, /, law: BetaFit | None = None) -> Fit:
    """Fit ``beta``: how queries differ in difficulty, how wrong answers agree, and token lengths.

    Mean and concentration are those of the beta-binomial law (`fit_beta_binomial` says what happens at the edges). The
    agreement of wrong answers is the share of equal pairs among those of a question, averaged over questions with two
    or more; it is left out where fewer than two questions have them. Lengths are those of `fit_lognormal_lengths`, left
    out where tokens were not counted, or counted for several samples together. Samples that failed are left out.

    Args:
        samples: of one model; three or more questions with two or more samples each.
        law: how queries differ in difficulty, where that is known from elsewhere; default as fitted to the samples.

    Raises:
        MooInferError: for fewer.

    >>> right = np.array([1.0, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0])
    >>> fitted = fit_beta(Samples("mine", ["q1", "q2", "q3"], np.repeat([0, 1, 2], 4), right))
    >>> {name: round(value, 2) for name, (value, se) in fitted.parameters.items()}
    {'mean': 0.5, 'concentration': 0.68}
    """
    scored = _enough(samples.scored, "beta")
    law = law or fit_beta_binomial(scored.n, scored.right)
    parameters: Parameters = {
        "mean": (law.mean, law.mean_se),
        "concentration": (law.concentration, law.concentration_se),
    }
    if law.unsolvable or law.unsolvable_se:
        parameters["unsolvable"] = (law.unsolvable, law.unsolvable_se)
    pass_at = _pass_at(scored)
    fitted = law.pass_at(np.arange(1, len(pass_at) + 1))
    said = [law.about, _compared(fitted, pass_at)]
    if "answer" in scored.columns:
        agreement, about = _wrong_agreement(scored)
        parameters |= agreement
        said.append(about)
    if (samples.request_sizes > 1).any():
        said.append(f"no token lengths: {NO_SPREAD}")
    elif {"input_tokens", "output_tokens"} <= scored.columns.keys() and _counted(scored).any():
        lengths = fit_lognormal_lengths(scored)
        parameters |= lengths.parameters
        said.append(lengths.about)
    error = float(np.abs(fitted - pass_at).mean())
    return Fit("beta", parameters, len(scored), error, "; ".join(filter(None, said)))


@typed()
def fit_lognormal(samples: Samples, /) -> Fit:
    """Fit ``lognormal``: token lengths, and one probability to be right for all queries.

    What `lognormal` calls accuracy is independent from inference to inference. For samples that are right or wrong its
    mean is the probability to be right, averaged over questions, and its spread 0: that some questions are harder is
    ignored, and `about` says what that does to pass@k. `fit_beta` does not ignore it.

    Args:
        samples: of one model; three or more questions with two or more samples each, with tokens.

    Raises:
        MooInferError: for fewer, and where tokens were not counted.

    >>> tokens = {"input_tokens": np.full(8, 90.0), "output_tokens": np.array([50.0, 60, 200, 180, 90, 70, 75, 80])}
    >>> right = np.array([1.0, 1, 0, 0, 1, 0, 1, 1])
    >>> fitted = fit_lognormal(Samples("mine", ["q1", "q2", "q3", "q4"], np.repeat([0, 1, 2, 3], 2), right, tokens))
    >>> fitted.parameters["accuracy_mean"]  # doctest: +ELLIPSIS
    (0.625, 0.239...)
    """
    scored = _enough(samples.scored, "lognormal")
    lengths = fit_lognormal_lengths(samples)
    solved = scored.right / scored.n
    mean, se = float(solved.mean()), float(solved.std(ddof=1)) / math.sqrt(len(solved))
    if mean in (0, 1):
        _, se = jeffreys(len(solved), mean == 1)
    pass_at = _pass_at(scored)
    fitted = 1 - (1 - mean) ** np.arange(1.0, len(pass_at) + 1)
    about = (
        "one probability to be right for all queries, which ignores how they differ (best-of-k of it never rises: take "
        "coverage or majority-vote): "
        f"{_compared(np.asarray(fitted, dtype=np.float64), pass_at)}; {lengths.about}"
    )
    parameters = {"accuracy_mean": (mean, se), "accuracy_std": (0.0, 0.0), **lengths.parameters}
    return replace(lengths, parameters=parameters, about=about)


@typed()
def fit_lognormal_lengths(samples: Samples, /) -> Fit:
    """Fit the token lengths that ``lognormal`` and ``beta`` have in common.

    Variances are those of an analysis of variance of the logarithms with unequal numbers of samples (method of moments;
    Searle, Casella and McCulloch, Variance Components, 1992, ch. 3); a negative one is 0. Means are those of the
    samples, averaged over questions; of a prompt whose count varies, the mean counts. Standard errors are those of a
    jackknife that leaves out one question after the other. Counts of 0 are taken as 1.

    Args:
        samples: of one model, with input_tokens and output_tokens; three or more questions with two or more samples
            each.

    Returns:
        The parameters tokens_in_mean, tokens_in_cv, tokens_out_mean, tokens_out_cv_between and tokens_out_cv_within.

    Raises:
        MooInferError: for fewer, where tokens were not counted, and where requests brought several samples, whose
            tokens are known together alone.

    >>> tokens = {"input_tokens": np.full(6, 90.0), "output_tokens": np.array([50.0, 60, 200, 180, 90, 70])}
    >>> fitted = fit_lognormal_lengths(Samples("mine", ["q1", "q2", "q3"], np.repeat([0, 1, 2], 2), np.ones(6), tokens))
    >>> {name: round(value, 3) for name, (value, se) in fitted.parameters.items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'tokens_in_mean': 90.0, 'tokens_in_cv': 0.0, 'tokens_out_mean': 108.333, 'tokens_out_cv_between': 0.699,
     'tokens_out_cv_within': 0.134}
    """
    if (samples.request_sizes > 1).any():
        raise MooInferError(f"{samples.model}: token lengths cannot be fitted: {NO_SPREAD}")
    scored = samples.scored
    scored = _enough(scored.where(_counted(scored)), "token lengths, where they were counted")
    tokens_in, tokens_out = (np.maximum(scored[f"{side}put_tokens"], 1.0) for side in ("in", "out"))
    names = ("tokens_in_mean", "tokens_in_cv", "tokens_out_mean", "tokens_out_cv_between", "tokens_out_cv_within")
    values, between_questions = _lengths(scored, tokens_in, tokens_out)
    Q = len(scored.questions)
    errors = np.sqrt((Q - 1) * values[:, 1:].var(axis=1))
    if values[3, 0] == 0:  # what is cut at 0 does not vary: how large it may be is said by the variance before the cut
        errors[3] = math.sqrt(math.expm1(math.sqrt((Q - 1) * between_questions[1:].var())))
    parameters = dict(zip(names, zip(values[:, 0].tolist(), errors.tolist(), strict=True), strict=True))
    mean_in, cv_in, mean_out, between, within = values[:, 0].tolist()
    weights = 1 / scored.n[scored.question]
    said, error = [], 0.0
    for side, tokens, mean, cv in (
        ("input", tokens_in, mean_in, cv_in),
        ("output", tokens_out, mean_out, math.sqrt((1 + between**2) * (1 + within**2) - 1)),
    ):
        law = Lognormal(mean, cv).quantile(np.array(QUANTILES))
        seen = np.quantile(tokens, QUANTILES, weights=weights, method="inverted_cdf")
        error = float(np.abs(law / seen - 1).mean())  # of the outputs, which come last
        pairs = [f"p{100 * q:g} {a:.0f} ({b:.0f})" for q, a, b in zip(QUANTILES, law, seen, strict=True)]
        said.append(f"{side} tokens of the fit (of the samples): {', '.join(pairs)}")
    longest = float(tokens_out.max())
    cut = float(np.mean(tokens_out == longest))
    if cut >= 0.01 and np.ptp(tokens_out) and (tokens_out == longest).sum() > FEWEST:
        said.append(f"{100 * cut:.1f} % of the outputs have {longest:.0f} tokens, the most: they look cut")
    return Fit("lognormal", parameters, len(scored), error, "; ".join(said))


@typed()
def fit_seconds(samples: Samples, /) -> Fit:
    """Fit ``slots`` to the seconds and tokens of the samples, as `fit_slots` does.

    Seconds of a log are those of calls beside others and through whatever stood between: a model under that load.
    Standard errors are those of a jackknife that leaves out groups of questions, so that answers to one question do not
    count as independent; with fewer questions than groups, those of the regression.

    Args:
        samples: of one model, with input_tokens, output_tokens and latency_s; four or more calls.

    Raises:
        MooInferError: for fewer, and for a column that is missing.

    >>> n = np.array([10.0, 20, 40, 80, 160])
    >>> columns = {"input_tokens": np.full(5, 90.0), "output_tokens": n, "latency_s": 0.5 + 0.01 * n}
    >>> fitted = fit_seconds(Samples("mine", ["q"], np.zeros(5, dtype=int), np.ones(5), columns))
    >>> {name: round(value, 6) for name, (value, se) in fitted.parameters.items()}
    {'overhead_s': 0.5, 'seconds_per_input_token': 0.0, 'seconds_per_output_token': 0.01}
    """
    scored = samples.scored
    names = ("input_tokens", "output_tokens", "latency_s")
    known = np.logical_and.reduce([np.isfinite(scored[name]) for name in names]) & (scored["latency_s"] > 0)
    tokens_in, tokens_out, seconds = (np.asarray(scored[name], dtype=np.float64)[known] for name in names)
    unknown = np.full(len(seconds), math.nan)
    questions, question = np.unique(scored.question[known], return_inverse=True)
    groups = question % GROUPS if len(questions) >= GROUPS else None
    try:
        fitted = fit_slots(LoadTest(unknown, tokens_in, tokens_out, unknown, seconds), groups)
    except MooInferError as error:
        raise MooInferError(f"{samples.model}: {error}") from None
    about = (
        f"{fitted.about}; seconds of the fit alone are off by {100 * fitted.error:.1f} % on average, which the ratios "
        "draw for every call by itself, whatever calls to one question have in common"
    )
    return replace(fitted, about=about)


def _enough(samples: Samples, kind: str) -> Samples:
    """The samples, where they tell apart how questions and how samples of a question differ."""
    several = int((samples.n > 1).sum())
    if several < FEWEST:
        raise MooInferError(
            f"{samples.model}: {kind}: at least {FEWEST} questions with two or more scored samples are needed, got "
            f"{several} of {len(samples.questions)} questions"
        )
    return samples


def _counted(samples: Samples) -> BoolArray:
    """(N,) whose tokens were counted."""
    counted: BoolArray = np.isfinite(samples["input_tokens"]) & np.isfinite(samples["output_tokens"])
    return counted


def _pass_at(samples: Samples) -> FloatArray:
    """Unbiased pass@k of the samples, for every k up to the smallest number of samples of a question."""
    return mean_pass_at_k(samples.n, samples.right, np.arange(1, min(samples.largest_k, LARGEST_K) + 1))


def _compared(fitted: FloatArray, pass_at: FloatArray) -> str:
    K, worst = len(pass_at), int(np.argmax(np.abs(fitted - pass_at)))
    return (
        f"pass@1 to pass@{K} of the fit are off by at most {abs(fitted[worst] - pass_at[worst]):.3f} (k = {worst + 1}: "
        f"{fitted[worst]:.3f} for {pass_at[worst]:.3f} of the samples)"
    )


def _wrong_agreement(samples: Samples) -> tuple[Parameters, str]:
    """The share of equal pairs among wrong answers to a question, and what to know about it."""
    wrong = samples.correct == 0
    told = wrong & (samples["answer"] >= 0)
    question, (kinds, code) = samples.question[told], np.unique(samples["answer"][told], return_inverse=True)
    cells, times = np.unique(question * max(len(kinds), 1) + code, return_counts=True)
    Q = len(samples.questions)
    n = np.bincount(question, minlength=Q)
    equal = np.bincount(cells // max(len(kinds), 1), weights=times * (times - 1.0), minlength=Q)
    rate = equal[n > 1] / (n * (n - 1.0))[n > 1]
    if len(rate) < 2:
        return {}, "how wrong answers agree is not known: fewer than two questions have two of them"
    blank = 1 - told.sum() / wrong.sum()
    about = f"{100 * blank:.1f} % of the wrong samples have no answer, which the model does not know" if blank else ""
    # Few questions may agree by chance, so the error is at least that of a share that is all or nothing in as many.
    error = max(float(rate.std(ddof=1)) / math.sqrt(len(rate)), jeffreys(len(rate), True)[1])
    return {"wrong_agreement": (float(rate.mean()), error)}, about


def _lengths(samples: Samples, tokens_in: FloatArray, tokens_out: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The five parameters (5, 1 + Q): of all questions, and without each of them.

    And as many variances of logarithms between questions, before those below 0 are cut.
    """
    Q, n, question = len(samples.questions), samples.n.astype(np.float64), samples.question

    def averaged(values: FloatArray) -> FloatArray:
        return np.bincount(question, weights=values, minlength=Q) / n

    prompt, output = averaged(tokens_in), averaged(tokens_out)
    log_in = np.log(prompt / prompt.mean())
    log_out = np.log(tokens_out / tokens_out.mean())
    middle = averaged(log_out)
    within = n * averaged((log_out - middle[question]) ** 2)
    # What adds up over questions; without one of them its share is taken off.
    of = np.stack([np.ones(Q), n, n**2, n * middle, n * middle**2, within, prompt, log_in, log_in**2, output])
    total = of.sum(axis=1, keepdims=True)
    count, N, squares, first, second, inside, prompts, logs, log_squares, outputs = np.hstack([total, total - of])
    var_within = inside / (N - count)
    per_question = (N - squares / N) / (count - 1)  # n of questions that all have as many
    var_between = ((second - first**2 / N) / (count - 1) - var_within) / per_question
    var_in = (log_squares - logs**2 / count) / (count - 1)
    variances = np.maximum(np.stack([var_in, var_between, var_within]), 0.0)
    cv_in, cv_between, cv_within = np.sqrt(np.expm1(variances))
    return np.stack([prompts / count, cv_in, outputs / count, cv_between, cv_within]), var_between
