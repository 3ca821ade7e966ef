"""What is estimated from the log of a run that decided what to call as answers came."""

import json
import math

import numpy as np
import polars as pl
import pytest

from moo_infer import MooInferError, Pipeline, Registry, Scenario, load_models
from moo_infer.builtin.empirical import Empirical
from moo_infer.calibrate import ProfileOptions, calibrated, compare, fit_beta, fit_lognormal_lengths, read_log, save
from moo_infer.quantities.queries import Doubt

P, Q, K = 0.8, 2000, 8
FAST = ProfileOptions(B=20)
REGISTRY = Registry(entry_points=False)


def row(question, sample, right, wave=0, model="small", why=None):
    answer = None if right is None else "a" if right else "b"
    return {
        "model": model, "question_id": f"q{question}", "sample": sample, "correct": right, "answer": answer,
        "wave": wave, "call": f"{model} {question} {sample}", "requests": 1, "lost_usd": 0.0, "why": why,
        "input_tokens": 100, "output_tokens": 10 + (7 * question + 3 * sample) % 50, "latency_s": 1.0 + (question + sample) % 7 / 10,
        "cost_usd": 0.001,
    }  # fmt: skip


def two_then_more(questions=Q, explored=0):
    """Two samples, and six more where they differ; the first questions get all eight at once."""
    rng = np.random.default_rng(4)
    for q in range(questions):
        right = (rng.random(K) < P).tolist()
        more = q < explored or right[0] != right[1]
        yield from (row(q, s, right[s], int(q >= explored and s >= 2)) for s in range(K if more else 2))


def vote_with_arrivals(questions, k=5):
    """All k at once, and those that have not arrived when the vote is decided are cancelled."""
    rng = np.random.default_rng(5)
    for q in range(questions):
        right = (rng.random(k) < P).tolist()
        for s in range(k):
            decided = max(sum(right[:s]), s - sum(right[:s])) > k / 2
            yield row(q, s, None, why="cancelled") if decided else row(q, s, right[s])


def requests_of_four(questions=30):
    """Four answers a request, which share its tokens, dollars and seconds."""
    rng = np.random.default_rng(6)
    for q in range(questions):
        for s in range(4):
            yield row(q, s, bool(rng.random() < P)) | {"call": f"r{q}", "output_tokens": 20 + q, "latency_s": 2.0 + q, "input_tokens": 25}  # fmt: skip


@pytest.fixture
def logged(tmp_path):
    def read(rows, name="log"):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in rows))
        return read_log(path, registry=REGISTRY)

    return read


@pytest.fixture(scope="module")
def adaptive():
    return list(two_then_more())


def test_pass_at_1_is_that_of_the_first_wave_and_not_of_all_rows(logged, adaptive):
    (model,) = calibrated(logged(adaptive), options=FAST)
    assert abs(model.summary.pass_at_k.value[0] - P) < 3 * math.sqrt(P * (1 - P) / (2 * Q))
    assert (model.summary.questions, model.summary.samples, model.largest_k) == (Q, 2 * Q, 2)
    without_waves = [{name: value for name, value in each.items() if name != "wave"} for each in adaptive]
    (all_rows,) = logged(without_waves, "all").samples()
    by_question = np.bincount(all_rows.question, all_rows.correct) / all_rows.n
    assert by_question.mean() == pytest.approx(0.872, abs=0.02)
    later = len(adaptive) - 2 * Q
    said = f"{later} of {len(adaptive)} samples are of later waves, which earlier answers decided on, and are left out"
    assert said in model.to_dict()["remarks"]
    assert said in model.source


def test_what_is_estimated_is_what_the_first_wave_alone_gives(logged, adaptive, tmp_path):
    options = ProfileOptions(B=20, inference="beta")
    rows = adaptive[:400]
    for kind in (FAST, options):
        (model,) = calibrated(logged(rows), options=kind)
        (first,) = calibrated(logged([each for each in rows if not each["wave"]], "first"), options=kind)
        one, other = model.summary.to_dict(), first.summary.to_dict()
        assert one == other
        assert model.inference == first.inference
        assert {**model.costs} == {**first.costs}


def test_a_profile_draws_from_the_first_wave_alone(logged, adaptive, tmp_path):
    models = calibrated(logged(adaptive[:600]), options=FAST)
    _, samples = save(models, tmp_path / "profiles.yaml")
    table = pl.read_parquet(samples)
    assert len(table) == models[0].summary.samples
    assert "wave" not in table.columns
    report = Pipeline(["coverage"], ["max-accuracy"], models=load_models(tmp_path / "profiles.yaml")).run(
        None, Scenario("any")
    )
    assert report.candidates.column("accuracy") == pytest.approx(models[0].summary.pass_at_k.value)
    assert "later waves" in load_models(tmp_path / "profiles.yaml")["small"].source


def test_the_dear_model_of_a_cascade_is_said_and_not_compared(logged):
    rows = list(two_then_more(60))
    asked = [
        row(int(each["question_id"][1:]), 0, True, 2, "large") for each in rows if each["wave"] and each["sample"] == 2
    ]
    log = logged([*rows, *asked])
    (small,) = calibrated(log, options=FAST)
    (note,) = [text for text in small.notes if text.startswith("no profile of large: ")]
    assert "all its samples are of later waves than 0: the answers of another model chose its questions" in note
    assert compare(log.samples(), B=20).pairs[0].first == "small, vote of 2"
    with pytest.raises(MooInferError, match="^large: all its samples are of later waves"):
        calibrated(log.with_models(["large"]))


def test_explored_questions_are_named_and_taken_alone_by_min_samples(logged):
    log = logged(two_then_more(300, explored=40))
    (model,) = calibrated(log, options=FAST)
    (note,) = [text for text in model.notes if "--min-samples" in text]
    assert note.startswith("first waves differ in size: 40 of 300 questions have 8 samples in theirs, others fewer")
    assert "--min-samples 8 (min_samples=8)" in note
    (explored,) = calibrated(log, options=ProfileOptions(B=20, min_samples=8))
    assert (explored.summary.questions, explored.largest_k) == (40, 8)
    assert not [text for text in explored.notes if "--min-samples" in text]


def test_failures_in_explored_questions_do_not_lose_them(logged):
    rows = list(two_then_more(100, explored=30))
    rows[3] |= {"correct": None, "answer": None, "why": "given up after 4 tries"}
    (model,) = calibrated(logged(rows), options=FAST)
    assert (model.summary.samples - model.summary.scored, model.summary.failed) == (1, 1)
    (note,) = [text for text in model.notes if "--min-samples" in text]
    assert "30 of 100 questions" in note
    assert "--min-samples 7 " in note
    (explored,) = calibrated(logged(rows), options=ProfileOptions(B=20, min_samples=7))
    assert (explored.summary.questions, explored.largest_k) == (30, 7)


def test_questions_with_a_cancelled_call_are_in_no_estimate(logged, tmp_path):
    rows = list(vote_with_arrivals(200))
    cancelled = {each["question_id"] for each in rows if each["why"]}
    with pytest.warns(UserWarning, match=f"small: {len(cancelled)} of 200 questions have a cancelled call"):
        (model,) = calibrated(logged(rows), options=FAST)
    assert not cancelled & set(model.kept.questions)
    assert model.summary.questions == 200 - len(cancelled)
    (said,) = [text for text in model.to_dict()["remarks"] if "cancelled" in text]
    assert f"the other {200 - len(cancelled)} are those that were not decided early, likely hard ones, unless" in said
    with pytest.raises(
        MooInferError, match="small: no law is fitted to what answers chose: .* questions have a cancelled"
    ):
        calibrated(logged(rows), options=ProfileOptions(B=20, inference="beta"))
    save([model], tmp_path / "profiles.yaml")
    notes = [note.text for note in load_models(tmp_path / "profiles.yaml")["small"].inference.notes()]
    assert [str(note) for note in notes if isinstance(note, Doubt)] == [said]


def test_nothing_is_estimated_where_all_questions_have_a_cancelled_call(logged):
    rows = [each for each in vote_with_arrivals(60) if each["question_id"] != "q0"]
    cancelled = {each["question_id"] for each in rows if each["why"]}
    log = logged([each for each in rows if each["question_id"] in cancelled])
    message = (
        rf"^small: all its {len(cancelled)} questions have a cancelled call: answers decided which calls ended, so that"
    )
    with pytest.raises(MooInferError, match=message):
        calibrated(log)


def test_answers_that_share_a_request_tell_no_spread_of_lengths(logged, tmp_path):
    log = logged(requests_of_four())
    (model,) = calibrated(log, options=FAST)
    (said,) = [text for text in model.to_dict()["remarks"] if "requests of 4 answers" in text]
    assert "how lengths spread is not known" in said
    found = model.summary
    for mean in (found.mean_output_tokens, found.mean_cost_usd, found.mean_latency_s, found.slowest_of_k_s):
        assert np.isnan([mean.same_low, mean.same_high, mean.again_low, mean.again_high]).all()
        assert np.isfinite([mean.low, mean.high]).all()
    assert np.isfinite(found.pass_at_k.same_low[:3]).all()
    assert found.slowest_of_k_s.value == pytest.approx(np.full(4, found.mean_latency_s.value))
    save([model], tmp_path / "profiles.yaml")
    notes = [note.text for note in load_models(tmp_path / "profiles.yaml")["small"].inference.notes()]
    assert [str(note) for note in notes if isinstance(note, Doubt)] == [said]


def test_no_law_of_lengths_is_fitted_to_shared_requests(logged):
    (samples,) = logged(requests_of_four()).samples()
    with pytest.raises(MooInferError, match="small: token lengths cannot be fitted: requests of several answers"):
        fit_lognormal_lengths(samples)
    fitted = fit_beta(samples)
    assert not [name for name in fitted.parameters if name.startswith("tokens")]
    assert "no token lengths: requests of several answers" in fitted.about
    log = logged(requests_of_four())
    (model,) = calibrated(log, options=ProfileOptions(B=20, inference="beta"))
    assert model.costs == {}
    assert any(note.startswith("no tokens, and nothing that follows from them") for note in model.notes)
    with pytest.raises(MooInferError, match="token lengths cannot be fitted"):
        calibrated(log, options=ProfileOptions(B=20, inference="lognormal"))


def test_compare_says_of_every_model_what_is_left_out(logged):
    rows = list(two_then_more(60))
    other = [
        row(q, s, s > 0 or q % 2 == 0, model="other") | {"lost_usd": 0.01 * (q == 0)}
        for q in range(60)
        for s in range(2)
    ]
    found = compare(logged([*rows, *other]).samples(), B=20)
    first = sum(not each["wave"] for each in rows)
    assert (
        f"small: {len(rows) - first} of {len(rows)} samples are of later waves, which earlier answers decided on, and are left out"
        in found.notes
    )
    assert (
        "other: 0.02 USD were lost in tries that brought nothing, 0.000167 USD a sample: costs are without them"
        in found.notes
    )


def test_a_log_that_is_drawn_from_directly_is_drawn_from_its_first_wave(logged, adaptive, tmp_path):
    rows = adaptive[:600]
    asked = [row(q, 0, True, 1, "large") for q in range(5)]
    logged([*rows, *asked])
    path = tmp_path / "log.jsonl"
    own = Empirical(path, "small")
    assert own.queries().samples.n.max() == 2
    assert any("are of later waves" in note.text for note in own.notes())
    with pytest.raises(MooInferError, match="large: all its samples are of later waves"):
        Empirical(path, "large")
    with pytest.raises(MooInferError, match="unknown model ''"):
        Empirical(path)


@pytest.mark.parametrize("calls", ["slots", "sequential"])
def test_requests_of_several_answers_say_nothing_of_calls_that_wait(logged, calls):
    P = 2 if calls == "slots" else 1
    (model,) = calibrated(logged(requests_of_four()), options=ProfileOptions(B=20, calls=calls, parallelism=P))
    assert [*model.costs] == ["cost_usd"]
    assert any(note.startswith("latency_s is not in the profile: its requests brought several") for note in model.notes)


def test_a_run_that_was_stopped_in_its_first_wave_is_said_as_in_any_log(logged):
    rows = [row(q, s, (q + s) % 3 > 0) for q in range(20) for s in range(4 if q else 3)]
    (model,) = calibrated(logged(rows), options=FAST)
    (note,) = [text for text in model.notes if "--min-samples" in text]
    assert note.startswith("k ends at 3 because 1 of 20 questions have fewer than the 4 scored samples that most have")
