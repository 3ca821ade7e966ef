"""From a log and prices to profiles that decide."""

import hashlib
from datetime import date

import numpy as np
import pytest
import yaml

from moo_infer import MooInferError, Pipeline, Samples, Scenario, load_models
from moo_infer.calibrate import Price, ProfileOptions, calibrated, read_log, save
from moo_infer.read.log import Log
from moo_infer.report.text import laid_out

TODAY = date(2026, 1, 2)
HEADER = "model,question_id,sample,correct,answer,input_tokens,output_tokens,latency_s,cost_usd"


@pytest.fixture
def rows():
    """Two models, 12 questions, 5 samples each; the second costs twice and is right more often."""
    rng = np.random.default_rng(1)
    found = []
    for m, model in enumerate(("a", "b/c: <d>")):
        for q in range(12):
            for s in range(5):
                right = rng.random() < (0.4 + 0.3 * m) * (0.5 + q / 12) / 1.1
                answer = "yes" if right else rng.choice(["no", "never"])
                tokens, seconds = rng.integers(50, 500), rng.gamma(3.0, 1.0)
                found.append(
                    [model, f"q{q}", s, int(right), answer, 100 + q, tokens, f"{seconds:.3f}", f"{(m + 1) * 0.01}"]
                )
    return found


@pytest.fixture
def log(rows, tmp_path):
    return written(rows, tmp_path)


def written(rows, folder, header=HEADER):
    file = folder / "log.csv"
    file.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return read_log(file)


PRICES = {model: Price(1e-6, usd, source="by hand") for model, usd in (("a", 1e-5), ("b/c: <d>", 2e-5))}


def test_a_saved_profile_decides_as_the_log_says(log, tmp_path):
    models = calibrated(log, PRICES, on=TODAY)
    files = save(models, tmp_path / "profiles.yaml")
    digest = hashlib.sha256(files[1].read_bytes()).hexdigest()
    assert [file.name for file in files] == ["profiles.yaml", f"profiles.samples-{digest[:16]}.parquet"]
    profiles = load_models(tmp_path / "profiles.yaml")
    assert list(profiles) == ["a", "b/c: <d>"]
    report = Pipeline(["plurality-vote", "coverage"], ["max-accuracy"], models=profiles, k_max=5).run(
        None, Scenario("any")
    )
    for model in models:
        for aggregator, curve in (
            ("plurality-vote", model.summary.vote_at_k),
            ("coverage", model.summary.pass_at_k),
        ):
            table = report.candidates.where(model=model.kept.model, aggregator=aggregator)
            assert table.column("accuracy") == pytest.approx(curve.value, rel=1e-12)
            assert table.column("latency") == pytest.approx(model.summary.slowest_of_k_s.value, rel=1e-12)
            assert table.column("cost") == pytest.approx(model.summary.mean_cost_usd.value * np.arange(1, 6), rel=1e-12)
    assert report.stability(20).source == "parameters"


def test_the_source_names_file_hash_rows_day_and_price(log, tmp_path):
    save(calibrated(log, PRICES, on=TODAY), tmp_path / "p.yaml")
    source = load_models(tmp_path / "p.yaml")["a"].source
    assert source == (
        f"{tmp_path / 'log.csv'} (sha256 {log.sources[0].sha256[:12]}, 120 rows, table); calibrated on 2026-01-02; "
        "prices: by hand"
    )


def test_without_prices_the_logged_dollars_count(log, tmp_path):
    (a, b) = calibrated(log, on=TODAY)
    assert [part["kind"] for part in a.costs.values()] == ["logged-cost", "logged-latency"]
    assert b.summary.mean_cost_usd.value == pytest.approx(0.02)


def test_a_calibration_is_a_frame_and_a_table_in_a_notebook(log):
    a, b = calibrated(log, PRICES, on=TODAY)
    frame = a.to_frame()
    assert frame["model"].unique().to_list() == [a.samples.model]
    assert frame["k"].to_list() == a.summary.k.tolist()
    assert frame["pass_at_k.high"].to_list() == a.summary.pass_at_k.high.tolist()
    assert frame.columns == b.to_frame().columns
    html = a._repr_html_()
    assert "<table>" in html
    assert "pass@k" in html
    assert html.count(f"{a.samples.model}: ") == 1


def test_fitted_numbers_carry_their_standard_errors(log, tmp_path):
    save(
        calibrated(log, PRICES, ProfileOptions(inference="beta", calls="slots", parallelism=2), on=TODAY),
        tmp_path / "p.yaml",
    )
    document = yaml.safe_load((tmp_path / "p.yaml").read_text())["models"]["a"]
    inference, (_, seconds) = document["inference"], document["costs"]
    assert inference["kind"] == "beta"
    assert len(seconds.pop("ratios")) == 20
    assert all(
        set(number) == {"value", "se"} for name, number in [*inference.items(), *seconds.items()] if name != "kind"
    )
    assert seconds["kind"] == "slots"
    profile = load_models(tmp_path / "p.yaml")["a"]
    assert profile.parallelism == 2
    assert len(profile.costs[1].ratios) == 20
    assert {"inference.mean", "inference.wrong_agreement", "costs[1].overhead_s"} <= profile.uncertain.keys()
    assert not list(tmp_path.glob("p.samples*"))
    text = (tmp_path / "p.yaml").read_text()
    assert "# beta: pass@1 to pass@5 of the fit are off by at most" in text


def test_a_fitted_profile_goes_no_further_than_its_log_unless_told(log, tmp_path):
    for extrapolate, largest in ((False, 5), (True, 8)):
        save(
            calibrated(log, PRICES, ProfileOptions(inference="beta", extrapolate=extrapolate), on=TODAY),
            tmp_path / "p.yaml",
        )
        profiles = load_models(tmp_path / "p.yaml")
        report = Pipeline(["coverage"], ["max-accuracy"], models=profiles, k_max=8).run(None, Scenario("any"))
        assert report.candidates.k.max() == largest
        assert ("extrapolated beyond k = 5" in report.to_text()) == extrapolate


def half_never_solved(folder, samples, Q=60):
    """Half of the questions are never solved, the others nine times in ten: pass@100 is 0.5."""
    rng = np.random.default_rng(0)
    p = np.where(np.arange(Q) % 2, 0.9, 0.0)
    rows = [[m, f"q{q}", s, int(rng.random() < p[q])] for m in ("a", "b") for q in range(Q) for s in range(samples)]
    return written(rows, folder, "model,question_id,sample,correct")


def accuracy(folder, k_max):
    table = Pipeline(["coverage"], models=load_models(folder / "p.yaml"), k_max=k_max).candidates("a")
    return table.k.max(), table.column("accuracy")[-1]


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (2, "a law of coverage needs at least 3 attempts at every question, got 2"),
        (5, "a law of coverage needs a right attempt, got none"),
    ],
)
def test_where_the_law_refuses_the_profile_ends_with_the_log_and_says_why(tmp_path, samples, reason):
    log = half_never_solved(tmp_path, samples)
    if "right" in reason:
        log = Log(log.frame.with_columns(correct=log.frame["correct"] & False), log.sources)
    said = f"pass@k is not extrapolated: {reason}; k ends at {samples}"
    with pytest.warns(UserWarning, match=f"^[ab]: {said}$"):
        (a, _) = models = calibrated(
            log, options=ProfileOptions(inference="beta", extrapolate=True, k_max=100), on=TODAY
        )
    assert said in a.notes
    assert a.to_dict()["extrapolated"] is None
    assert said in a.to_dict()["remarks"]
    save(models, tmp_path / "p.yaml")
    profile = load_models(tmp_path / "p.yaml")["a"]
    assert (profile.largest_k, profile.extrapolate_to) == (samples, None)
    assert profile.source.endswith(said)
    assert f"# {said}" in (tmp_path / "p.yaml").read_text()
    assert accuracy(tmp_path, 100)[0] == samples


def test_one_question_with_few_samples_ends_the_profile_unless_it_is_left_out(rows, tmp_path):
    del rows[2:5]
    log = written(rows, tmp_path).with_models(["a"])
    with pytest.warns(UserWarning, match="not extrapolated: .* got 2; k ends at 2"):
        (cut,) = calibrated(log, options=ProfileOptions(inference="beta", extrapolate=True), on=TODAY)
    assert cut.extrapolate_to is None
    (kept,) = calibrated(log, options=ProfileOptions(inference="beta", extrapolate=True, min_samples=5), on=TODAY)
    assert (kept.largest_k, kept.extrapolate_to) == (5, 128)


@pytest.mark.parametrize("samples", [3, 4, 8])
def test_recommend_promises_what_calibrate_predicts(tmp_path, samples):
    (a, b) = calibrated(
        half_never_solved(tmp_path, samples),
        options=ProfileOptions(inference="beta", extrapolate=True, k_max=100),
        on=TODAY,
    )
    save([a, b], tmp_path / "p.yaml")
    assert a.beyond.pass_at_k.low[-1] < 0.5 < a.beyond.pass_at_k.high[-1]
    assert a.beyond.pass_at_k.value[-1] < 0.6
    assert accuracy(tmp_path, 100) == (100, pytest.approx(a.beyond.pass_at_k.value[-1], abs=1e-4))
    document = yaml.safe_load((tmp_path / "p.yaml").read_text())["models"]["a"]
    assert set(document["inference"]["unsolvable"]) == {"value", "se"}
    assert "inference.unsolvable" in load_models(tmp_path / "p.yaml")["a"].uncertain


def test_nothing_beyond_the_log_is_asked_for_and_nothing_refused(log):
    (a, _) = calibrated(log, PRICES, ProfileOptions(inference="beta", extrapolate=True, k_max=4), on=TODAY)
    assert (a.largest_k, a.extrapolate_to, a.beyond) == (4, None, None)
    assert "nothing to extrapolate: the log supports k up to 5" in a.notes


def test_a_lognormal_profile_ignores_difficulty_and_says_so(log, tmp_path):
    (a, _) = calibrated(log, PRICES, ProfileOptions(inference="lognormal"), on=TODAY)
    assert a.inference["kind"] == "lognormal"
    assert any("ignores how they differ" in note for note in a.notes)


def test_a_wish_for_more_than_the_log_supports_is_answered_with_what_it_supports(log):
    with pytest.warns(
        UserWarning, match=r"a: k up to 64 is wanted, but the log supports k up to 5, the fewest samples of a question"
    ):
        calibrated(log.with_models(["a"]), options=ProfileOptions(k_max=64))


def test_few_gaps_are_filled_with_the_mean_of_their_question_so_that_accuracy_stays(rows, tmp_path):
    first = np.mean([float(row[7]) for row in rows[1:5]])
    rows[0][7] = rows[0][6] = ""
    (a, b) = calibrated(written(rows, tmp_path), PRICES, on=TODAY)
    assert a.largest_k == 5
    assert a.kept["latency_s"][0] == pytest.approx(first)
    assert a.kept["output_tokens"][0] == round(np.mean([row[6] for row in rows[1:5]]))
    assert "1 of 60 scored samples lack latency_s; the profile takes the mean of their question" in a.notes
    save([a, b], tmp_path / "p.yaml")
    report = Pipeline(["coverage"], k=[1, 5], models=load_models(tmp_path / "p.yaml")).run("a", Scenario("any"))
    assert report.candidates.column("accuracy") == pytest.approx(a.summary.pass_at_k.value[[0, 4]])


def test_a_number_that_many_samples_lack_is_not_used_by_any_model(rows, tmp_path):
    for row in rows[:10]:
        row[7] = ""
    a, b = calibrated(written(rows, tmp_path), on=TODAY)
    assert "latency_s is not used: 10 of 60 scored samples lack it" in a.notes
    assert "latency_s is left out, because it is not known for a" in b.notes
    assert list(a.costs) == list(b.costs) == ["cost_usd"]


def test_what_is_printed_and_written_names_every_column_with_gaps(rows, tmp_path):
    for column in range(4, 9):  # from answer on, and the more the further to the right
        for row in rows[: 2 * (column - 3)]:
            row[column] = ""
    models = calibrated(written(rows, tmp_path), on=TODAY)
    save(models, tmp_path / "p.yaml")
    texts = laid_out(models[0].blocks()), (tmp_path / "p.yaml").read_text(), " ".join(models[0].to_dict()["remarks"])
    for text in (" ".join(text.split()) for text in texts):
        for sentence in (
            "2 of 60 samples (3.33 %) have no answer: in a vote they abstain",
            "4 of 60 scored samples lack input_tokens; the profile takes the mean of their question",
            "6 of 60 scored samples lack output_tokens; the profile takes the mean of their question",
            "latency_s is not used: 8 of 60 scored samples lack it",
            "cost_usd is not used: 10 of 60 scored samples lack it",
        ):
            assert sentence in text
    decided = Pipeline(["plurality-vote"], k=[1], models=load_models(tmp_path / "p.yaml")).run("a", Scenario("any"))
    assert "a: 2 of 60 samples (3.33 %) have no answer: in a vote they abstain." in decided.to_text()


def test_questions_with_few_samples_can_be_left_out(rows, tmp_path):
    del rows[1:5]
    few = calibrated(written(rows, tmp_path), on=TODAY)[0]
    assert few.largest_k == few.summary.k[-1] == 1
    assert (
        "k ends at 1 because 1 of 12 questions have fewer than the 5 scored samples that most have; "
        "--min-samples 5 (min_samples=5) leaves these out" in few.notes
    )
    kept = calibrated(written(rows, tmp_path), options=ProfileOptions(min_samples=5), on=TODAY)[0]
    assert kept.largest_k == kept.summary.k[-1] == 5
    assert kept.notes == ["1 of 12 questions are left out, with fewer than 5 scored samples"]


def test_failed_samples_are_counted_aloud(rows, tmp_path):
    rows[0][3] = ""
    a = calibrated(written(rows, tmp_path), on=TODAY)[0]
    assert a.summary.failed == 1
    assert "1 of 60 samples failed" in str(a.blocks())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inference": "gauss"}, "unknown inference model 'gauss'; available: beta, empirical, lognormal"),
        ({"calls": "parallel"}, "unknown shape of calls 'parallel'; available: at-once, sequential, slots"),
        ({"extrapolate": True}, "no log can be drawn from beyond its samples; to extrapolate, fit beta"),
        (
            {"extrapolate": True, "inference": "lognormal"},
            "lognormal takes all questions as equally hard, which no law of coverage does; to extrapolate, fit beta",
        ),
        ({"parallelism": 4}, "parallelism is for calls in slots; at-once makes no use of it"),
        ({"min_samples": 9}, "a: no question has 9 scored samples, the most that one has is 5"),
    ],
)
def test_what_cannot_be_done_is_said(log, settings, message):
    with pytest.raises(MooInferError, match=message):
        calibrated(log, PRICES, ProfileOptions(**settings))


def test_prices_need_tokens(rows, tmp_path):
    short = written([row[:4] for row in rows], tmp_path, "model,question_id,sample,correct")
    with pytest.raises(MooInferError, match="a: has prices, but the log lacks input_tokens and output_tokens"):
        calibrated(short, PRICES)
    save(calibrated(short, on=TODAY), tmp_path / "p.yaml")
    assert load_models(tmp_path / "p.yaml")["a"].costs == ()


def test_the_largest_k_that_is_wanted_holds_for_estimates_and_profiles(log, tmp_path):
    (a, _) = models = calibrated(log, PRICES, ProfileOptions(k_max=3), on=TODAY)
    assert a.summary.k.tolist() == [1, 2, 3]
    save(models, tmp_path / "p.yaml")
    assert Pipeline(["coverage"], models=load_models(tmp_path / "p.yaml")).candidates("a").k.tolist() == [1, 2, 3]
    beyond = calibrated(log, PRICES, ProfileOptions(inference="beta", extrapolate=True, k_max=16), on=TODAY)
    save(beyond, tmp_path / "q.yaml")
    assert Pipeline(["coverage"], models=load_models(tmp_path / "q.yaml")).candidates("a").k.max() == 16


def test_what_a_fitted_model_cannot_draw_is_said(rows, tmp_path):
    (a, _) = calibrated(written(rows, tmp_path), options=ProfileOptions(inference="beta"), on=TODAY)
    assert "cost_usd of the log is not in the profile, because a fitted model cannot draw it; give prices" in a.notes
    (a, _) = calibrated(
        written([row[:5] for row in rows], tmp_path, "model,question_id,sample,correct,answer"), on=TODAY
    )
    assert any(note.startswith("the profile has no costs") for note in a.notes)


def test_models_that_answered_different_questions_are_not_compared_without_a_word(rows, tmp_path):
    rows = [row for row in rows if not (row[0] == "a" and row[1] in ("q0", "q1"))]
    (a, b) = models = calibrated(written(rows, tmp_path), PRICES, on=TODAY)
    assert "2 of its 12 questions were not put to all models, so compare with care" in b.notes
    assert not any("compare with care" in note for note in a.notes)
    save(models, tmp_path / "p.yaml")
    report = Pipeline(["coverage"], k=[1], models=load_models(tmp_path / "p.yaml")).run(None, Scenario("any"))
    said = "The models answered different questions, 10 of which are common to all"
    assert said in " ".join(report.to_text().split())
    assert any(note.startswith(said) for note in report.to_dict()["notes"])


def test_failed_samples_are_remembered_by_the_profile(rows, tmp_path):
    for row in rows[:3]:
        row[3] = ""
    save(calibrated(written(rows, tmp_path), PRICES, ProfileOptions(min_samples=2), on=TODAY), tmp_path / "p.yaml")
    report = Pipeline(["coverage"], k=[1], models=load_models(tmp_path / "p.yaml")).run("a", Scenario("any"))
    assert "3 of 60 samples failed; neither they nor what they took is counted" in " ".join(report.to_text().split())


def test_names_of_all_kinds_are_written_and_read(rows, tmp_path):
    for row in rows:
        row[0] = '"new\nline: {x} #"' if row[0] == "a" else "~"
    save(calibrated(written(rows, tmp_path), on=TODAY), tmp_path / "p.yaml")
    assert list(load_models(tmp_path / "p.yaml")) == ["new\nline: {x} #", "~"]
    for row in rows:
        row[0] = "x" * 1500
    rows = [[*row[:2], i, *row[3:]] for i, row in enumerate(rows)]
    with pytest.raises(MooInferError, match=r"x{20}.*: names of models have at most 500 characters, got 1500"):
        save(calibrated(written(rows, tmp_path), on=TODAY), tmp_path / "p.yaml")


def test_a_renamed_model_says_which_file_it_is_from(rows, tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    for file in (one, two):
        file.write_text("\n".join([HEADER, *(",".join(map(str, row)) for row in rows if row[0] == "a")]) + "\n")
    high, low = calibrated(read_log([f"high={one}", f"low={two}"]), on=TODAY)
    assert "one.csv" in high.source
    assert "two.csv" not in high.source
    assert low.kept.model == "low"


def test_nothing_is_left_behind_where_saving_fails(log, tmp_path, monkeypatch):
    before = sorted(tmp_path.iterdir())

    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Log, "write", full)
    with pytest.raises(MooInferError, match=r"p\.yaml: cannot be written: No space left"):
        save(calibrated(log, on=TODAY), tmp_path / "p.yaml")
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(MooInferError, match=r"must end in \.yaml or \.yml"):
        save(calibrated(log, on=TODAY), tmp_path / "p.json")
    with pytest.raises(MooInferError, match="cannot be written: No such file or directory"):
        save(calibrated(log, on=TODAY), tmp_path / "nowhere" / "p.yaml")


def test_samples_that_changed_since_are_refused(log, rows, tmp_path):
    _, samples = save(calibrated(log, on=TODAY), tmp_path / "p.yaml")
    rows[0][3] = 1 - rows[0][3]
    save(calibrated(written(rows, tmp_path), on=TODAY), tmp_path / "q.yaml")[1].rename(samples)
    with pytest.raises(MooInferError, match=r"p\.yaml: a: inference: .*is another file than it was"):
        load_models(tmp_path / "p.yaml")
    samples.unlink()
    with pytest.raises(MooInferError, match=r"p\.yaml: a: inference: .*p\.samples-\w+\.parquet: cannot be read"):
        load_models(tmp_path / "p.yaml")


def test_samples_of_ones_own_need_no_file():
    samples = Samples("mine", ["q1", "q2"], np.array([0, 0, 1, 1]), np.array([1.0, 0, 1, 1]))
    assert repr(samples) == "<Samples of mine: 4 on 2 questions>"
