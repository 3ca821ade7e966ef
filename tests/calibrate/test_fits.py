from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from moo_infer import CostModel, InferenceModel, MooInferError, Registry
from moo_infer.builtin.difficulty import Beta
from moo_infer.calibrate import fit_beta, fit_lognormal, fit_lognormal_lengths, fit_seconds
from moo_infer.core.errors import MissingColumn
from moo_infer.quantities.samples import Samples

TRUE = {
    "mean": 0.4,
    "concentration": 1.5,
    "wrong_agreement": 0.3,
    "tokens_in_mean": 400.0,
    "tokens_in_cv": 0.4,
    "tokens_out_mean": 2000.0,
    "tokens_out_cv_between": 0.7,
    "tokens_out_cv_within": 0.25,
}


def log(seed, Q=250, K=10, ragged=True, **extra):
    """A log that follows `beta` to the letter, with an unequal number of samples of a question."""
    rng = np.random.default_rng(seed)
    draws = Beta(**TRUE).sample(rng, Q, K)
    kept = np.arange(K) < (rng.integers(2, K + 1, Q) if ragged else np.full(Q, K))[:, None]
    columns = {"answer": draws["answer"], "input_tokens": draws.tokens_in, "output_tokens": draws.tokens_out} | extra
    question = np.repeat(np.arange(Q), K).reshape(Q, K)[kept]
    given = {name: np.broadcast_to(array, (Q, K))[kept] for name, array in columns.items()}
    return Samples("mine", [f"q{i}" for i in range(Q)], question, draws.accuracy[kept], given)


def simple(right, n, **columns):
    """Questions with n samples each."""
    right = np.asarray(right, dtype=float).ravel()
    question = np.repeat(np.arange(len(right) // n), n)
    return Samples("mine", [f"q{i}" for i in range(len(right) // n)], question, right, columns)


def test_known_parameters_of_beta_are_recovered_within_their_errors():
    fits = [fit_beta(log(seed)).parameters for seed in range(60)]
    for name, true in TRUE.items():
        values, errors = (np.array([fit[name][i] for fit in fits]) for i in (0, 1))
        assert np.mean(np.abs(values - true) <= 1.96 * errors) >= 0.85, name
        assert np.median(errors) == pytest.approx(values.std(), rel=0.35), name
        assert np.mean(values) == pytest.approx(true, rel=0.05), name


def test_what_is_fitted_makes_a_part_of_a_profile():
    fitted = fit_beta(log(0))
    model = Registry().build(InferenceModel, fitted.part, "mine")
    assert isinstance(model, Beta)
    assert model.mean == fitted.parameters["mean"][0]
    assert fitted.part["mean"] == {"value": model.mean, "se": fitted.parameters["mean"][1]}
    lognormal = Registry().build(InferenceModel, fit_lognormal(log(0)).part, "mine")
    assert (lognormal.accuracy_std, lognormal.tokens_out_mean) == (0.0, model.tokens_out_mean)


def test_goodness_is_the_largest_gap_to_the_unbiased_pass_at_k():
    samples = log(3, Q=40, K=6, ragged=False)
    fitted = fit_beta(samples)
    a, b = (
        fitted.parameters["concentration"][0] * m
        for m in (fitted.parameters["mean"][0], 1 - fitted.parameters["mean"][0])
    )
    law = np.array([1 - stats.betabinom.pmf(0, k, a, b) for k in range(1, 7)])
    rights = samples.correct.reshape(40, 6)
    slow = [np.mean([row[list(s)].any() for row in rights for s in combinations(range(6), k)]) for k in range(1, 7)]
    gaps = np.abs(law - slow)
    k = int(gaps.argmax())
    assert fitted.error == pytest.approx(gaps.mean())
    assert (
        f"pass@1 to pass@6 of the fit are off by at most {gaps[k]:.3f} (k = {k + 1}: {law[k]:.3f} for {slow[k]:.3f}"
        in fitted.about
    )
    assert fitted.points == 240


def test_agreement_is_that_of_all_pairs_of_wrong_answers():
    samples = log(5, Q=30)
    rates = []
    for q in range(30):
        own = samples.question == q
        wrong = [a for a, c in zip(samples["answer"][own], samples.correct[own], strict=True) if c == 0]
        pairs = list(combinations(wrong, 2))
        if pairs:
            rates.append(np.mean([one == other for one, other in pairs]))
    value, se = fit_beta(samples).parameters["wrong_agreement"]
    assert value == pytest.approx(np.mean(rates), rel=1e-12)
    assert se == pytest.approx(np.std(rates, ddof=1) / np.sqrt(len(rates)), rel=1e-12)


def test_few_questions_that_agree_by_chance_leave_an_error():
    wrong = Samples(
        "mine",
        ["a", "b", "c"],
        np.repeat([0, 1, 2], 3),
        np.repeat([0.0, 0.0, 1.0], 3),
        {"answer": np.repeat([1, 2, 0], 3)},
    )
    assert fit_beta(wrong).parameters["wrong_agreement"] == (1.0, pytest.approx(0.186339, abs=1e-6))  # Jeffreys, of two


def test_blank_answers_agree_with_nothing_and_are_said():
    right = [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1]]
    answer = np.array([0, 1, 1, -1, 2, 2, 3, 0, -1, -1, 0, 0])
    fitted = fit_beta(simple(right, 4, answer=answer))
    assert fitted.parameters["wrong_agreement"] == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert "37.5 % of the wrong samples have no answer, which the model does not know" in fitted.about


def test_without_answers_or_too_few_wrong_ones_nothing_is_said_to_agree():
    right = [[1, 0, 0, 0], [1, 1, 0, 1], [1, 1, 1, 1]]
    assert "wrong_agreement" not in fit_beta(simple(right, 4)).parameters
    for answer in (np.array([0, 1, 1, 2, 0, 0, 5, 0, 0, 0, 0, 0]), np.full(12, -1)):
        fitted = fit_beta(simple(right, 4, answer=answer))
        assert "wrong_agreement" not in fitted.parameters
        assert "fewer than two questions have two of them" in fitted.about


def test_without_counted_tokens_only_the_difficulty_is_fitted():
    right = [[1, 0, 0, 0], [1, 1, 0, 1], [1, 1, 1, 1]]
    nothing = np.full(12, np.nan)
    for columns in ({}, {"input_tokens": nothing, "output_tokens": nothing}):
        assert set(fit_beta(simple(right, 4, **columns)).parameters) == {"mean", "concentration"}
    with pytest.raises(MissingColumn, match="no column 'input_tokens'"):
        fit_lognormal(simple(right, 4))


def test_failed_samples_are_left_out():
    samples = log(1, Q=60)
    failed = np.where(np.random.default_rng(0).random(len(samples)) < 0.1, np.nan, samples.correct)
    with_failed = Samples("mine", samples.questions, samples.question, failed, samples.columns)
    assert fit_beta(with_failed) == fit_beta(with_failed.scored)
    assert fit_beta(with_failed).points == len(with_failed.scored) < len(samples)


def test_lengths_are_those_of_an_analysis_of_variance_written_out():
    samples = log(7, Q=20)
    groups = [np.log(samples["output_tokens"][samples.question == q]) for q in range(20)]
    n = np.array([len(group) for group in groups])
    grand = np.concatenate(groups).mean()
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / (n.sum() - 20)
    between = sum(len(group) * (group.mean() - grand) ** 2 for group in groups) / 19
    n0 = (n.sum() - (n**2).sum() / n.sum()) / 19
    found = {name: value for name, (value, _) in fit_lognormal_lengths(samples).parameters.items()}
    assert found["tokens_out_cv_within"] == pytest.approx(np.sqrt(np.expm1(within)), rel=1e-10)
    assert found["tokens_out_cv_between"] == pytest.approx(np.sqrt(np.expm1((between - within) / n0)), rel=1e-10)
    means = [samples["output_tokens"][samples.question == q].mean() for q in range(20)]
    assert found["tokens_out_mean"] == pytest.approx(np.mean(means), rel=1e-12)
    prompts = [samples["input_tokens"][samples.question == q].mean() for q in range(20)]
    assert found["tokens_in_cv"] == pytest.approx(np.sqrt(np.expm1(np.log(prompts).var(ddof=1))), rel=1e-10)


def test_equal_numbers_of_samples_give_the_textbook_f_ratio():
    samples = log(8, Q=12, K=5, ragged=False)
    logs = np.log(samples["output_tokens"]).reshape(12, 5)
    within = logs.var(axis=1, ddof=1).mean()
    F = stats.f_oneway(*logs).statistic
    found = fit_lognormal_lengths(samples).parameters
    assert found["tokens_out_cv_between"][0] == pytest.approx(np.sqrt(np.expm1(within * (F - 1) / 5)), rel=1e-10)


def test_errors_of_lengths_are_those_of_leaving_questions_out_one_by_one():
    samples = log(9, Q=15)
    found = fit_lognormal_lengths(samples).parameters
    without = [
        [value for value, _ in fit_lognormal_lengths(samples.where(samples.question != q)).parameters.values()]
        for q in range(15)
    ]
    errors = np.sqrt(14 * np.var(without, axis=0))
    assert [se for _, se in found.values()] == pytest.approx(errors.tolist(), rel=1e-9)


def test_the_error_of_a_mean_is_that_of_questions():
    samples = log(9, Q=15)
    means = [samples["output_tokens"][samples.question == q].mean() for q in range(15)]
    _, se = fit_lognormal_lengths(samples).parameters["tokens_out_mean"]
    assert se == pytest.approx(np.std(means, ddof=1) / np.sqrt(15), rel=1e-10)


def test_lengths_that_differ_by_no_more_than_chance_have_no_spread_between_questions():
    tokens = np.tile([100.0, 150, 200], 4)
    fitted = fit_lognormal_lengths(simple(np.ones(12), 3, input_tokens=np.full(12, 9.0), output_tokens=tokens))
    assert fitted.parameters["tokens_out_cv_between"] == (0.0, 0.0)
    assert fitted.parameters["tokens_in_cv"] == (0.0, 0.0)
    assert fitted.parameters["tokens_out_mean"][0] == 150


def test_spread_between_questions_that_is_cut_at_0_has_an_error():
    held, zeros = [], 0
    for seed in range(150):
        rng, Q = np.random.default_rng(seed), 20
        means = 300 * rng.lognormal(0.0, 0.3, Q)
        tokens = np.repeat(means, 2) * rng.lognormal(0.0, 0.83, 2 * Q)
        samples = simple(np.ones(2 * Q), 2, input_tokens=np.full(2 * Q, 9.0), output_tokens=tokens)
        value, se = fit_lognormal_lengths(samples).parameters["tokens_out_cv_between"]
        assert se > 0
        zeros += value == 0
        held.append(abs(value - 0.307) <= 1.96 * se)
    assert zeros > 10
    assert np.mean(held) > 0.9


def test_counts_of_zero_are_taken_as_one():
    tokens = np.array([0.0, 10, 20, 30, 40, 50])
    columns = {"input_tokens": np.full(6, 5.0)}
    zero, one = (
        fit_lognormal_lengths(simple(np.ones(6), 2, output_tokens=out, **columns))
        for out in (tokens, np.maximum(tokens, 1))
    )
    assert zero == one


def test_goodness_of_lengths_is_said_by_quantiles():
    samples = log(2, Q=399, K=9, ragged=False)
    fitted = fit_lognormal_lengths(samples)
    p50, p95, p99 = np.quantile(samples["output_tokens"], [0.5, 0.95, 0.99], method="inverted_cdf")
    assert f"({p50:.0f}), p95 " in fitted.about
    assert f"({p95:.0f}), p99 " in fitted.about
    assert fitted.about.endswith(f"({p99:.0f})")
    assert fitted.error < 0.1


def test_outputs_that_look_cut_are_said():
    samples = log(2, Q=100)
    cut = dict(samples.columns) | {"output_tokens": np.minimum(samples["output_tokens"], 3000.0)}
    about = fit_lognormal_lengths(Samples("mine", samples.questions, samples.question, samples.correct, cut)).about
    share = 100 * np.mean(samples["output_tokens"] >= 3000)
    assert f"{share:.1f} % of the outputs have 3000 tokens, the most: they look cut" in about


def test_lognormal_ignores_difficulty_and_says_what_that_does():
    samples = log(4, ragged=False)
    fitted = fit_lognormal(samples)
    solved = samples.correct.reshape(-1, 10).mean(axis=1)
    value, se = fitted.parameters["accuracy_mean"]
    assert (value, se) == pytest.approx((solved.mean(), solved.std(ddof=1) / np.sqrt(250)))
    assert (
        "one probability to be right for all queries, which ignores how they differ (best-of-k of it never rises"
        in fitted.about
    )
    assert "off by at most 0." in fitted.about
    assert fitted.error == fit_lognormal_lengths(samples).error


def test_all_right_has_an_error_all_the_same():
    columns = {"input_tokens": np.full(8, 5.0), "output_tokens": np.arange(10.0, 18)}
    value, se = fit_lognormal(simple(np.ones(8), 2, **columns)).parameters["accuracy_mean"]
    assert (value, se) == (1.0, pytest.approx(stats.beta(4.5, 0.5).std()))
    assert "all samples are right" in fit_beta(simple(np.ones(8), 2)).about


@pytest.mark.parametrize(
    "right", [np.ones((5, 1)), np.ones((1, 5)), np.ones((2, 5)), np.full((4, 4), np.nan)], ids=np.shape
)
@pytest.mark.parametrize("fit", [fit_beta, fit_lognormal, fit_lognormal_lengths])
def test_too_few_questions_or_samples_are_an_error(fit, right):
    tokens = np.full(right.size, 5.0)
    samples = simple(right, right.shape[1], input_tokens=tokens, output_tokens=tokens)
    with pytest.raises(
        MooInferError, match="^mine: .*: at least 3 questions with two or more scored samples are needed"
    ):
        fit(samples)


def seconds(seed, Q=80, between=0.0):
    rng = np.random.default_rng(seed)
    samples = log(seed, Q=Q)
    pace = np.exp(between * rng.standard_normal(Q))[samples.question]
    noise = np.exp(0.05 * rng.standard_normal(len(samples)))
    took = (0.5 + 1e-4 * samples["input_tokens"] + 0.01 * samples["output_tokens"]) * noise * pace
    return Samples(
        "mine", samples.questions, samples.question, samples.correct, dict(samples.columns) | {"latency_s": took}
    )


def test_seconds_of_calls_are_recovered():
    fitted = fit_seconds(seconds(0))
    assert fitted.parameters["seconds_per_output_token"][0] == pytest.approx(0.01, rel=0.02)
    assert fitted.error == pytest.approx(0.04, abs=0.01)  # E |noise - 1|
    assert "seconds of the fit alone are off by 4" in fitted.about
    Registry().build(CostModel, fitted.part, "mine")


def test_seconds_that_questions_share_count_once():
    """Where a question makes all its calls slow, the error is that of questions: of the spread over many logs."""
    fits = [fit_seconds(seconds(seed, between=0.3)).parameters["seconds_per_output_token"] for seed in range(30)]
    values, errors = np.array(fits).T
    assert np.median(errors) == pytest.approx(values.std(), rel=0.4)


def test_few_questions_keep_the_errors_of_the_regression():
    samples = seconds(1, Q=8)
    fitted = fit_seconds(samples)
    assert all(se > 0 for value, se in fitted.parameters.values() if value > 0)


def test_seconds_without_latency_or_with_too_few_are_errors():
    with pytest.raises(MissingColumn, match="no column 'latency_s', needed by the samples of mine"):
        fit_seconds(log(0))
    samples = seconds(1)
    with pytest.raises(MooInferError, match="^mine: slots: at least 4 requests are needed"):
        fit_seconds(samples.where(np.arange(len(samples)) < 3))


def test_unknown_seconds_and_tokens_are_left_out():
    samples = seconds(1)
    holes = dict(samples.columns)
    for name, every in (("latency_s", 5), ("output_tokens", 7)):
        holes[name] = np.where(np.arange(len(samples)) % every == 0, np.nan, holes[name])
    fitted = fit_seconds(Samples("mine", samples.questions, samples.question, samples.correct, holes))
    i = np.arange(len(samples))
    assert fitted.points == ((i % 5 > 0) & (i % 7 > 0)).sum()


def test_a_fit_to_the_public_log_of_gpt_5_nano(data):
    """Of the 198 questions with 8 samples, pass@8 0.863636 and the vote are known beside it."""
    import polars

    run = (
        polars.scan_csv(data / "epoch_gpqa" / "samples_gpqa_diamond.csv.gz", infer_schema_length=None)
        .filter(polars.col("run_id") == "2pSDjMSGDh4HsAxkqUuNQP")
        .sort("question_id", "epoch")
        .collect()
    )
    questions, question = np.unique(run["question_id"].to_numpy(), return_inverse=True)
    letters = {letter: i for i, letter in enumerate("ABCD")}
    columns = {
        "answer": np.array([letters.get(letter or "", -1) for letter in run["answer"]]),
        "input_tokens": run["tokens_in"].cast(float).to_numpy(),
        "output_tokens": run["tokens_out_billed"].cast(float).to_numpy(),
        "latency_s": run["working_time_s"].cast(float).to_numpy(),
    }
    samples = Samples("gpt-5-nano", questions.tolist(), question, run["correct"].cast(float).to_numpy(), columns)
    fitted = fit_beta(samples)
    assert fitted.error < 0.005
    assert "0.864 of the samples" in fitted.about
    assert fitted.parameters["mean"][0] == pytest.approx(0.694444, abs=0.01)
    assert fit_seconds(samples).error < 0.15
    assert "off by at most 0.1" in fit_lognormal(samples).about
