"""Caps on output tokens and on seconds: published figures, enumeration of all subsets, and what is refused or said."""

from itertools import combinations

import numpy as np
import pytest

from moo_infer import CallSettings, MooInferError, Pipeline, Samples, Scenario, load_models
from moo_infer.calibrate import Price, ProfileOptions, TimeCap, TokenCap, calibrated, capped, read_log, save, summarise
from moo_infer.core.errors import NothingPossible

HEADER = "model,question_id,sample,correct,answer,score,input_tokens,output_tokens,reasoning_tokens,latency_s,energy_j"
PRICE = Price(1e-6, 1e-5, source="by hand")


def samples(**columns):
    """Six samples of two questions, of 100 to 600 tokens and 1 to 6 seconds, all right."""
    some = {"output_tokens": 100.0 * np.arange(1, 7), "latency_s": np.arange(1.0, 7.0)} | columns
    known = {name: np.asarray(column) for name, column in some.items() if column is not None}
    return Samples("mine", ["a", "b"], np.repeat([0, 1], 3), known.pop("correct", np.ones(6)), known)


@pytest.fixture
def log(tmp_path):
    """A model on five questions, six samples each; long answers are right more often, and 150 tokens take 3 s."""
    rng = np.random.default_rng(5)
    lines = [HEADER]
    for q in range(5):
        for s in range(6):
            tokens = int(rng.integers(50, 400))
            right = rng.random() < 0.3 + tokens / 800
            answer = "yes" if right else rng.choice(["no", "never"])
            seconds, joules = tokens * 0.02 * rng.uniform(0.8, 1.2), tokens * 0.5
            lines.append(
                f"small,q{q},{s},{int(right)},{answer},{rng.random():.3f},{100 + q},{tokens},{tokens // 2},"
                f"{seconds:.4f},{joules}"
            )
    file = tmp_path / "log.csv"
    file.write_text("\n".join(lines) + "\n")
    return read_log(file)


def test_caps_on_gpt_oss_give_the_published_figures(data):
    log = read_log(data / "boinf" / "gpqa_diamond.csv.gz").with_models(["gpt-oss-20b"])
    (whole,) = log.samples()
    assert (whole.correct.mean(), whole["output_tokens"].mean()) == pytest.approx((0.6384, 4537), rel=5e-5)
    for tokens, right, mean in (
        (2_000, 0.385417, 1554.4),
        (4_000, 0.503598, 2377.9),
        (8_000, 0.570833, 3335.4),
        (16_000, 0.618308, 4138.3),
    ):
        made = capped(whole, TokenCap(tokens))
        summary = summarise(made.samples, [1], B=10)
        assert summary.model == f"gpt-oss-20b/max-tokens-{tokens}"
        assert summary.pass_at_k.value[0] == pytest.approx(right, abs=5e-7)
        assert summary.mean_output_tokens.value == pytest.approx(mean, abs=0.05)
    note = capped(whole, TokenCap(60_000)).notes[0]
    assert note.startswith(
        "a cap of 60,000 output tokens changes nothing: no answer takes more than 50,000 output tokens;"
    )
    assert "10 take as many, as if the log had been cut there" in note


def test_later_answers_are_blank_wrong_and_paid_for_to_the_cap():
    whole = samples(
        answer=[0, 1, 0, 0, 1, 1],
        answer_key=[10, 11, 10, 10, 11, 11],
        score=np.linspace(0, 1, 6),
        input_tokens=np.full(6, 50.0),
        reasoning_tokens=[50.0, 150, 290, 350, 450, 20],
        energy_j=10.0 * np.arange(1, 7),
        unsafe=np.ones(6),
    )
    made = capped(whole, TokenCap(300)).samples
    assert made.model == "mine/max-tokens-300"
    assert made.correct.tolist() == [1, 1, 1, 0, 0, 0]  # an answer of 300 tokens is whole
    assert made["answer"].tolist() == [0, 1, 0, -1, -1, -1]
    assert made["answer_key"].tolist() == [10, 11, 10, -1, -1, -1]
    assert made["score"].tolist() == pytest.approx([0, 0.2, 0.4, np.nan, np.nan, np.nan], nan_ok=True)
    assert made["input_tokens"].tolist() == [50.0] * 6
    assert made["output_tokens"].tolist() == [100, 200, 300, 300, 300, 300]
    assert made["reasoning_tokens"].tolist() == [50, 150, 290, 300, 300, 20]
    assert made["latency_s"].tolist() == pytest.approx([1, 2, 3, 3, 3, 3])
    assert made["energy_j"].tolist() == pytest.approx([10, 20, 30, 30, 30, 30])
    assert made["unsafe"].tolist() == [1, 1, 1, 0, 0, 0]


def test_a_cap_on_seconds_does_the_same_in_seconds():
    found = capped(samples(energy_j=10.0 * np.arange(1, 7)), TimeCap(3.5))
    made = found.samples
    assert (made.model, found.cut, found.max_seconds, found.max_tokens) == ("mine/max-seconds-3.5", 0.5, 3.5, None)
    assert made.correct.tolist() == [1, 1, 1, 0, 0, 0]
    assert made["latency_s"].tolist() == [1, 2, 3, 3.5, 3.5, 3.5]
    assert made["output_tokens"].tolist() == [100, 200, 300, 350, 350, 350]
    assert made["energy_j"].tolist() == pytest.approx([10, 20, 30, 35, 35, 35])


@pytest.mark.parametrize(("first", "then"), [(TokenCap(450), TokenCap(250)), (TimeCap(4.5), TimeCap(2.5))])
def test_a_cap_on_what_is_capped_already_is_the_smaller_cap(first, then):
    whole = samples(answer=[0, 1, 0, 0, 1, 1], score=np.linspace(0, 1, 6))
    twice, once = capped(capped(whole, first).samples, then).samples, capped(whole, then).samples
    assert twice.model == f"mine/{first.name}/{then.name}"
    for name in once:
        assert twice[name].tolist() == pytest.approx(once[name].tolist(), nan_ok=True)


def test_what_had_failed_is_wrong_where_it_is_later_than_the_cap():
    made = capped(samples(correct=[1, np.nan, 1, 1, np.nan, 1]), TokenCap(300)).samples
    assert made.correct.tolist() == pytest.approx([1, np.nan, 1, 0, 0, 0], nan_ok=True)


def test_whether_a_sample_without_tokens_is_cut_is_not_known():
    tokens = np.append(np.full(19, 10.0), np.nan)
    log = Samples("mine", ["a"], np.zeros(20, dtype=int), np.ones(20), {"output_tokens": tokens})
    made = capped(log, TokenCap(5))
    assert np.isnan(made.samples.correct).tolist() == [False] * 19 + [True]
    assert "1 of 20 scored samples lack output_tokens: whether max-tokens-5 cuts them is not known" in made.notes[1]
    assert made.cut == 1.0
    few = Samples("mine", ["a"], np.zeros(2, dtype=int), np.ones(2), {"output_tokens": tokens[-2:]})
    with pytest.raises(MooInferError, match="mine: max-tokens-5: 1 of 2 scored samples lack output_tokens"):
        capped(few, TokenCap(5))


def test_a_cap_above_every_answer_changes_nothing_and_says_so():
    whole = samples(cost_usd=np.ones(6), answer=[0, 1, 0, 0, 1, 1])
    made = capped(whole, TokenCap(600))
    assert made.notes == ["a cap of 600 output tokens changes nothing: no answer takes more than 600 output tokens"]
    assert all(made.samples[name].tolist() == whole[name].tolist() for name in whole)
    assert made.cut == 0


@pytest.mark.parametrize(
    ("tokens", "looks_cut"), [([10, 20, 50, 50, 50, 50], True), ([10, 20, 50, 40, 40, 50], False), ([50] * 6, False)]
)
def test_a_pile_at_the_longest_answers_is_said(tokens, looks_cut):
    (note,) = capped(samples(output_tokens=np.array(tokens, dtype=float)), TokenCap(50)).notes
    assert ("as if the log had been cut there" in note) == looks_cut


def test_dollars_of_the_log_are_left_out_where_something_is_cut_and_prices_give_them():
    whole = samples(cost_usd=np.ones(6), input_tokens=np.full(6, 50.0))
    made = capped(whole, TokenCap(300))
    assert "cost_usd" not in made.samples
    assert made.notes[-1].startswith("cost_usd of the log is that of whole answers")
    assert "cost_usd" not in " ".join(capped(whole, TokenCap(300), priced=True).notes)


def test_tokens_follow_from_seconds_by_the_seconds_a_token():
    made = capped(samples(latency_s=0.1 * np.arange(1, 7)), TokenCap(seconds=0.25))
    assert (made.samples.model, made.max_tokens, made.max_seconds) == ("mine/max-tokens-0.25s", 250, None)
    assert made.seconds_per_token == pytest.approx(0.001)
    assert made.notes[0].startswith("0.25 s are 250 output tokens, at 0.001 s a token")
    assert made.notes[0].endswith("no call takes longer")
    one_rate = {"output_tokens": np.full(6, 3.0), "latency_s": np.full(6, 0.3)}
    assert capped(samples(**one_rate), TokenCap(seconds=1.2)).max_tokens == 12  # 1.2 * 18 / 1.8 is 11.999...


def test_what_a_cap_on_tokens_leaves_of_the_seconds_is_said():
    made = capped(samples(latency_s=[1.0, 2, 3, 4, 5, 27]), TokenCap(seconds=3))
    assert made.max_tokens == 150  # 42 s for 2,100 tokens
    assert made.samples["latency_s"].max() == pytest.approx(27 * 150 / 600)
    assert made.notes[0].endswith("16.7 % of the calls take longer all the same, up to 6.75 s")


def test_how_the_model_is_called_gets_the_cap():
    call = CallSettings(model="small", max_tokens=400, timeout_s=60)
    assert capped(samples(), TokenCap(300), call).call == CallSettings(model="small", max_tokens=300, timeout_s=60)
    derived = capped(samples(), TokenCap(seconds=5), call)  # 500 tokens, of which the log knows 400
    assert (derived.max_tokens, derived.call.max_tokens) == (400, 400)
    timed = capped(samples(), TimeCap(3), call)
    assert (timed.call.max_tokens, timed.call.timeout_s, timed.call.tries) == (400, 3, 1)
    assert timed.notes[-1].endswith(
        "bills them in full, as billed_when_cancelled of its profile says, takes more dollars"
    )
    frugal = capped(samples(), TimeCap(3), CallSettings(model="small", billed_when_cancelled=False))
    assert len(frugal.notes) == 1
    assert capped(samples(), TimeCap(90), call).call.timeout_s == 60
    with pytest.raises(MooInferError, match="mine: max-tokens-500: its profile calls it with max_tokens = 400, so"):
        capped(samples(), TokenCap(500), call)


@pytest.mark.parametrize(
    ("columns", "cap", "message"),
    [
        ({"output_tokens": None}, TokenCap(5), "mine: max-tokens-5: the log has no output_tokens of it"),
        ({"output_tokens": np.full(6, np.nan)}, TokenCap(5), "mine: max-tokens-5: the log has no output_tokens of it"),
        ({"latency_s": None}, TimeCap(5), "mine: max-seconds-5: the log has no latency_s of it"),
        ({"latency_s": None}, TokenCap(seconds=5), "mine: max-tokens-5s: the log has no latency_s of it"),
        ({"latency_s": np.zeros(6)}, TokenCap(seconds=5), "its tokens or its seconds are 0: no seconds a token"),
        (
            {},
            TokenCap(seconds=0.001),
            "mine: max-tokens-0.001s: a token takes 0.01 s, so that there is none in 0.001 s",
        ),
        ({"call": np.array([0, 0, 1, 2, 3, 4])}, TokenCap(5), "its requests brought several answers at once"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_the_model(columns, cap, message):
    with pytest.raises(MooInferError, match=message):
        capped(samples(**columns), cap)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TokenCap(0), "max_tokens: must be >= 1, got 0"),
        (lambda: TokenCap(1.5), "max_tokens: must be a whole number >= 1, got 1.5"),
        (lambda: TokenCap(True), "max_tokens: must be a whole number >= 1, got True"),
        (lambda: TokenCap(), "max_tokens: a cap has tokens, or seconds"),
        (lambda: TokenCap(5, seconds=5), "max_tokens: a cap has tokens, or seconds"),
        (lambda: TokenCap(seconds=0), "max_tokens: seconds must be > 0 and at most a day"),
        (lambda: TimeCap(float("nan")), "max_seconds: seconds must be > 0 and at most a day"),
        (lambda: TimeCap(float("inf")), "max_seconds: seconds must be > 0 and at most a day"),
        (lambda: ProfileOptions(caps=(TokenCap(5), TimeCap(5), TokenCap(5))), "max-tokens-5 is there 2 times"),
        (lambda: ProfileOptions(caps=(TokenCap(5),), inference="beta"), "no law is fitted to lengths that a cap cuts"),
        (lambda: ProfileOptions(caps=(TimeCap(5),), calls="sequential"), "max_seconds caps a run whose calls are made"),
    ],
)
def test_bad_caps_are_refused(make, message):
    with pytest.raises(MooInferError, match=message):
        make()


def test_a_variant_that_the_log_has_is_no_cap(log):
    frame = log.frame
    both = type(log)(frame.vstack(frame.with_columns(model=frame["model"] + "/max-tokens-200")), log.sources)
    with pytest.raises(
        MooInferError, match="small/max-tokens-200: is a model of the log, and what max-tokens-200 would"
    ):
        calibrated(both, options=ProfileOptions(caps=(TokenCap(200),), B=5))


def by_enumeration(whole, k, cap, price):
    """Vote, dollars and seconds of k calls under a cap, over all subsets of the samples of every question."""
    column, most = ("output_tokens", cap.tokens) if isinstance(cap, TokenCap) else ("latency_s", cap.seconds)
    found = []
    for q in range(len(whole.questions)):
        rows = np.flatnonzero(whole.question == q)
        for chosen in combinations(rows, k):
            votes, usd, seconds = {}, 0.0, 0.0
            for i in chosen:
                share = min(1.0, most / whole[column][i])
                tokens = int(whole["output_tokens"][i] * share + 1e-6)
                usd += whole["input_tokens"][i] * price[0] + tokens * price[1]
                seconds = max(seconds, whole["latency_s"][i] * share)
                if share == 1.0:
                    answer = int(whole["answer"][i])
                    votes.setdefault(answer, []).append(whole.correct[i])
            top = max(map(len, votes.values()), default=0)
            first = [np.mean(of) for of in votes.values() if len(of) == top]
            found.append((np.mean(first) if first else 0.0, usd, seconds))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("cap", [TokenCap(250), TimeCap(4.0)])
def test_static_rows_of_a_variant_are_those_of_all_subsets(log, tmp_path, cap):
    models = calibrated(log, {"small": PRICE}, ProfileOptions(caps=(cap,), B=5))
    assert [model.summary.model for model in models] == ["small", f"small/{cap.name}"]
    save(models, tmp_path / "profiles.yaml")
    profiles = load_models(tmp_path / "profiles.yaml")
    report = Pipeline(["plurality-vote"], ["max-accuracy"], models=profiles, policies=["fixed"], k_max=4).run(
        None, Scenario("any")
    )
    (whole,) = log.samples()
    for k in (1, 2, 3, 4):
        expected = by_enumeration(whole, k, cap, (1e-6, 1e-5))
        for who in ("plurality-vote", "fixed"):
            row = report.candidates.where(model=f"small/{cap.name}", aggregator=who)
            found = [row.column(name)[row.k == k][0] for name in ("accuracy", "cost", "latency")]
            assert found == pytest.approx(expected.tolist(), rel=1e-12)
        assert models[1].summary.vote_at_k.value[k - 1] == pytest.approx(expected[0], rel=1e-12)


def test_the_profile_says_whose_samples_it_draws_and_what_was_cut(log, tmp_path):
    whole, cut = calibrated(log, {"small": PRICE}, ProfileOptions(caps=(TokenCap(150),), B=5))
    assert (whole.cap, whole.to_dict()["cap"]) == (None, None)
    found = cut.to_dict()
    assert found["cap"] == {
        "model": "small",
        "max_tokens": 150,
        "max_seconds": None,
        "seconds_per_token": None,
        "cut": pytest.approx((log.frame["output_tokens"] > 150).mean()),
    }
    assert found["inference"] == {"kind": "empirical", "model": "small/max-tokens-150", "cut_from": "small"}
    assert "; cut at 150 output tokens, " in found["source"]
    assert "their seconds and joules are taken in proportion" in found["source"]
    assert any(remark.startswith("cut at 150 output tokens, ") for remark in found["remarks"])


def test_without_prices_no_model_has_dollars_and_why_is_said(tmp_path):
    file = tmp_path / "log.csv"
    lines = [f"small,q{q},{s},1,{100 * s},0.5" for q in range(3) for s in (1, 2)]
    file.write_text("\n".join(["model,question_id,sample,correct,output_tokens,cost_usd", *lines]) + "\n")
    whole, cut = calibrated(read_log(file), options=ProfileOptions(caps=(TokenCap(150),), B=5))
    assert (dict(whole.costs), dict(cut.costs)) == ({}, {})
    assert "cost_usd is left out, because it is not known for small/max-tokens-150" in whole.notes
    assert any("prices (--price, --prices) give it" in note for note in cut.notes)


def test_no_policy_calls_a_model_and_its_variant_for_one_query(log, tmp_path):
    models = calibrated(log, {"small": PRICE}, ProfileOptions(caps=(TokenCap(150), TokenCap(300)), B=5))
    save(models, tmp_path / "profiles.yaml")
    profiles = load_models(tmp_path / "profiles.yaml")
    for first, then in (
        ("small/max-tokens-150", "small"),
        ("small", "small/max-tokens-150"),
        ("small/max-tokens-150", "small/max-tokens-300"),
    ):
        policy = f"cascade:first={{model: {first}, k: 2}},agree=all,then={{model: {then}, k: 1}}"
        pipeline = Pipeline(["one-call"], ["max-accuracy"], models=profiles, policies=[policy], k_max=2)
        with pytest.raises(NothingPossible, match="which are drawn from the same samples"):
            pipeline.candidates(None)


def test_a_policy_that_calls_one_of_them_for_each_label_stays(log, tmp_path):
    save(calibrated(log, {"small": PRICE}, ProfileOptions(caps=(TokenCap(250),), B=5)), tmp_path / "profiles.yaml")
    either = "{kind: fixed, k: 2, model: small}", "{kind: fixed, k: 2, model: small/max-tokens-250}"
    policy = f"by-label:label=task,policies={{maths: {either[0]}}},otherwise={either[1]}"
    profiles = load_models(tmp_path / "profiles.yaml")
    table = Pipeline(["one-call"], ["max-accuracy"], models=profiles, policies=[policy], k_max=2).candidates(None)
    rows = table.where(aggregator="by-label"), table.where(model="small/max-tokens-250", aggregator="one-call")
    assert rows[0].column("accuracy") is not None
    assert len(rows[0].k) == 1
