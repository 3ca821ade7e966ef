"""Variants of a model compared: gains over a base, the ladder by money, levels that change nothing, tasks, gaps."""

import csv
import gzip
import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from moo_infer import MooInferError, Samples
from moo_infer.calibrate import compare, compare_variants, paired_length_multiplier
from moo_infer.calibrate.levels import families
from moo_infer.report.text import laid_out

Q = 400
NAMES = [f"q{i}" for i in range(Q)]
RNG = np.random.default_rng(1)
SOLVED = RNG.beta(0.6, 0.4, Q)  # the chance to solve each question
TASKS = ["maths", "law"] * (Q // 2)


def log(model, more=0.0, usd=1.0, tokens=100.0, n=4, seed=0, labels=True, **columns):
    """A log of n samples of each question, solved more often by `more`, in money and tokens that vary a little."""
    rng, question = np.random.default_rng(seed), np.repeat(np.arange(Q), n)
    right = (rng.random(Q * n) < np.clip(SOLVED + more, 0, 1)[question]) * 1.0
    spread = rng.gamma(20, 1 / 20, Q * n)
    of = {"cost_usd": usd * spread, "input_tokens": np.full(Q * n, 50.0), "output_tokens": tokens * spread}
    return Samples(model, NAMES, question, right, of | columns, labels={"task": TASKS} if labels else {})


def without(samples, *columns):
    return replace(samples, columns={name: of for name, of in samples.columns.items() if name not in columns})


@pytest.fixture(scope="module")
def ladder():
    return [log("m/high", 0.2, 8, seed=3), log("m/low", 0, 1, seed=1), log("m/mid", 0.2, 2, seed=2)]


def text_of(family):
    return " ".join(laid_out(family.blocks(), 200).split())


def test_a_variant_is_a_name_below_that_of_a_model_or_beside_others_below_the_same():
    assert families(["m", "m/cot", "m/cot/8"]) == {"m": ("m", "m/cot", "m/cot/8")}
    assert families(["m/b", "m/a"]) == {"m": ("m/b", "m/a")}
    assert families(["m/a", "other/a", "plain"]) == {}
    assert families(["lab/m/high", "lab/m", "lab/n"]) == {"lab/m": ("lab/m", "lab/m/high"), "lab": ("lab/m", "lab/n")}


def test_the_base_is_the_cheapest_level_and_the_ladder_goes_up_by_money(ladder):
    (family,) = compare_variants(ladder, B=2000)
    assert (family.name, family.base, family.ordered_by) == ("m", "m/low", "cost")
    assert [(of.base, of.variant) for of in family.ladder] == [("m/low", "m/mid"), ("m/mid", "m/high")]
    assert [of.variant for of in family.against_base] == ["m/mid", "m/high"]
    assert [of.changes_nothing for of in family.ladder] == [False, True]
    assert [of.variant for of in family.nothing_changed] == ["m/high"]
    said = text_of(family)
    assert "m/high changes nothing over m/mid: it takes " in said
    assert "the smallest gain that this log shows in 80 % of cases is" in said


def test_the_plain_model_is_the_base_whatever_it_costs():
    (family,) = compare_variants([log("m/program", 0.1, 0.5), log("m", 0, 5)], B=200)
    assert family.base == "m"
    assert [(of.variant, of.base) for of in family.ladder] == [("m", "m/program")]


def test_gains_are_those_of_compare_and_multipliers_those_of_means(ladder):
    (family,) = compare_variants(ladder, B=1000, seed=3)
    of = family.against_base[0]
    mine, theirs = of.gains.overall, compare([ladder[2], ladder[1]], k=1, B=1000, seed=3).pairs[0]["accuracy"]
    assert (mine.value, mine.low, mine.high) == (theirs.value, theirs.low, theirs.high)
    means = [np.bincount(s.question, s["cost_usd"]) / s.n for s in (ladder[2], ladder[1])]
    assert of.multipliers["cost"] == paired_length_multiplier(*means)
    assert of.multipliers["tokens"].value < of.multipliers["output_tokens"].value * 1.1
    assert of.gains.rows.keys() == {"maths", "law"}


def test_money_that_one_level_lacks_gives_way_to_tokens(ladder):
    logs = [replace(ladder[0], model="m/b"), without(ladder[1], "cost_usd")]
    (family,) = compare_variants(logs, B=200)
    assert family.ordered_by == "tokens"
    assert family.against_base[0].taken == "tokens"
    assert any("cost is not known of m/low (1600 of 1600 samples)" in note for note in family.notes)


def test_without_money_and_tokens_there_is_no_ladder_and_that_is_said(ladder):
    taken = ("cost_usd", "input_tokens", "output_tokens")
    (family,) = compare_variants([without(of, *taken) for of in ladder], B=200)
    assert (family.base, family.ladder, family.ordered_by) == ("m/high", (), None)
    assert family.against_base[0].changes_nothing is None
    assert family.nothing_changed == ()
    assert "the base is m/high, the first of the log" in text_of(family)
    json.dumps(family.to_dict(), allow_nan=False)


def test_few_gaps_of_a_column_leave_out_questions_and_many_the_column(ladder):
    gaps = np.where(np.arange(1600) < 40, np.nan, ladder[0]["cost_usd"])  # ten questions
    few = replace(ladder[0], columns={**ladder[0].columns, "cost_usd": gaps})
    (family,) = compare_variants([few, ladder[1]], B=200)
    assert any("10 of 400 questions lack cost" in note for note in family.against_base[0].notes)
    most = replace(ladder[0], columns={**ladder[0].columns, "cost_usd": np.where(np.arange(1600) < 400, np.nan, 1.0)})
    (family,) = compare_variants([most, ladder[1]], B=200)
    assert family.against_base[0].taken == "tokens"


def test_only_questions_that_both_answered_count_and_who_shares_none_is_not_compared(ladder):
    half = ladder[0].where(ladder[0].question < 100)
    other = replace(ladder[2], questions=[f"other {i}" for i in range(Q)])
    (family,) = compare_variants([half, ladder[1], other], B=200)
    assert [(of.variant, of.questions) for of in family.against_base] == [("m/high", 100)]
    assert family.against_base[0].notes[0] == "m/low answered 300 more questions, which do not count"
    assert "m/mid and m/low have no question in common and are not compared" in family.notes
    (family,) = compare_variants([ladder[0], other], B=200)
    assert family.against_base == ()
    assert "nothing is compared" in text_of(family)
    with pytest.raises(MooInferError, match="base: m/mid has no question in common with m/high"):
        compare_variants([ladder[0], other], base="m/mid")


def test_with_a_base_all_models_are_one_family(ladder):
    logs = [replace(of, model=name) for of, name in zip(ladder, ("high", "low", "mid"), strict=True)]
    assert compare_variants(logs, B=50) == ()
    (family,) = compare_variants(logs, base="mid", B=200)
    assert (family.name, family.base) == (None, "mid")
    assert [of.variant for of in family.against_base] == ["low", "high"]
    for models, message in ((logs, "unknown model 'none'; available: high, low, mid"), (logs[:1], "unknown model")):
        with pytest.raises(MooInferError, match=message):
            compare_variants(models, base="none")
    with pytest.raises(MooInferError, match="base: high is the only model here"):
        compare_variants(logs[:1], base="high")


def test_a_strategy_that_helps_one_task_and_hurts_another_is_warned_of():
    more = np.where(np.array(TASKS) == "maths", 0.3, -0.3)
    (family,) = compare_variants([log("m", 0), log("m/cot", more, 2, seed=1)], B=2000)
    assert "m/cot helps with maths and hurts with law, against m: decide by task (recommend --by task)" in text_of(
        family
    )
    assert family.to_dict()["against_base"][0]["helps_and_hurts"] is True
    frame = family.to_frame()
    assert frame["label_value"].to_list() == [None, "maths", "law"]
    assert "<table" in family._repr_html_()


def test_labels_that_are_blank_or_differ_count_overall_alone():
    blank = ["" if i < 50 else task for i, task in enumerate(TASKS)]
    turned = [{"maths": "law", "law": "maths"}[task] if i < 60 else task for i, task in enumerate(TASKS)]
    logs = [
        replace(log("m"), labels={"task": blank}),
        replace(log("m/x", seed=1), labels={"task": turned}),
    ]
    (family,) = compare_variants(logs, B=100)
    (of,) = family.against_base
    assert any("10 of 400 questions have no task: they count overall alone" in note for note in of.notes)
    assert compare_variants([log("m", labels=False), log("m/x", labels=False)], B=50)[0].label is None


def test_another_label_is_taken_by_name_and_values_of_several_tasks_are_said():
    levels = {"task": TASKS, "level": ["easy" if i < 300 else "hard" for i in range(Q)]}
    logs = [replace(log("m"), labels=levels), replace(log("m/x", seed=1), labels=levels)]
    (family,) = compare_variants(logs, by="level", B=100)
    assert family.against_base[0].gains.rows.keys() == {"easy", "hard"}
    assert "level easy, hard stand in several tasks, whose questions are taken together" in family.notes
    with pytest.raises(MooInferError, match="unknown label 'subject'; available: level, task"):
        compare_variants(logs, by="subject")
    with pytest.raises(MooInferError, match="unknown label 'task': the logs have none"):
        compare_variants([log("m", labels=False)], by="task")


def test_that_many_variants_are_compared_is_corrected_for():
    (family,) = compare_variants([log("m"), *(log(f"m/{i}", 0.02, seed=i + 1) for i in range(8))], B=2000)
    ps = [of.gains.overall.p for of in family.against_base]
    (alone,) = compare_variants([log("m"), log("m/0", 0.02, seed=1)], B=2000)
    (one,) = (of for of in family.against_base if of.variant == "m/0")
    assert max(ps) <= 1
    assert one.gains.overall.p >= alone.against_base[0].gains.overall.p
    assert one.gains.overall.low == alone.against_base[0].gains.overall.low


def test_the_effort_ladder_of_a_real_model_has_a_level_that_changes_nothing(data):
    """gpt-5.2 on GPQA Diamond, data/epoch_gpqa; the figures are those of issue 22."""
    runs = {"oD4J": "low", "Muht": "medium", "3Q6o": "high", "Ejo6": "xhigh"}
    folder, rows = data / "epoch_gpqa", defaultdict(list)
    with gzip.open(folder / "samples_gpqa_diamond.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["run_id"][:4] in runs:
                rows[runs[row["run_id"][:4]]].append(row)
    with (folder / "prices.csv").open() as file:
        prices = {runs[row["run_id"][:4]]: row for row in csv.DictReader(file) if row["run_id"][:4] in runs}
    logs = [_run(name, rows[name], prices[name]) for name in runs.values()]
    (family,) = compare_variants(logs, base="low")
    golden = [
        ("low", "medium", 0.0518, 0.026, 0.079, 1.85, False),
        ("medium", "high", 0.0032, -0.012, 0.017, 1.77, True),
        ("high", "xhigh", 0.0322, 0.010, 0.058, 3.73, False),
    ]
    for of, (base, variant, value, low, high, money, nothing) in zip(family.ladder, golden, strict=True):
        gain = of.gains.overall
        assert (of.base, of.variant, of.changes_nothing) == (base, variant, nothing)
        assert round(gain.value, 4) == value
        assert (gain.low, gain.high) == pytest.approx((low, high), abs=0.003)
        assert round(of.multipliers["cost"].value, 2) == money


def _run(name, rows, price):
    rows.sort(key=lambda row: row["question_id"])
    questions, question = np.unique([row["question_id"] for row in rows], return_inverse=True)
    correct, tokens_in, tokens_out = (
        np.array([float(row[column] or "nan") for row in rows])
        for column in ("correct", "tokens_in", "tokens_out_billed")
    )
    usd_in, usd_out = (float(price[f"{way}_usd_per_mtok"]) * 1e-6 for way in ("input", "output"))
    taken = {
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "cost_usd": usd_in * tokens_in + usd_out * tokens_out,
    }
    return Samples(name, list(questions), question, correct, taken)


def test_calibrate_says_it_in_text_and_json(tmp_path, cli):
    path = tmp_path / "log.csv"
    lines = ["model,variant,question_id,sample,correct,cost_usd,subject"]
    for i in range(60):
        for variant, right, usd in (("", i % 3 > 0, 1), ("cot", i % 3 > 0, 3)):
            lines.append(f"m,{variant},q{i},0,{int(right)},{usd},{'x' if i < 30 else 'y'}")
    path.write_text("\n".join(lines) + "\n")
    code, text, _ = cli("calibrate", path, "--bootstrap", 200, "--by", "subject")
    assert code == 0
    assert "m/cot changes nothing over m: it takes 3 x the money" in " ".join(text.split())
    code, text, _ = cli("calibrate", path, "--bootstrap", 200, "--json", "--base", "m/cot")
    (family,) = json.loads(text)["variants"]
    assert (family["family"], family["base"], family["label"]) == (None, "m/cot", None)
    assert family["against_base"][0]["multipliers"]["cost"]["value"] == pytest.approx(1 / 3)
    code, _, error = cli("calibrate", path, "--by", "task")
    assert (code, error.count("\n")) == (2, 1)
    assert "unknown label 'task'; available: subject" in error


def test_what_costs_the_same_but_for_rounding_is_no_dearer():
    logs = []
    for model, n in (("m", 7), ("m/x", 3)):  # 7 and 3 times 0.1 have other means, in floats
        correct = np.tile(np.arange(n) % 2, 30).astype(float)
        columns = {"cost_usd": np.full(30 * n, 0.1)}
        logs.append(Samples(model, NAMES[:30], np.repeat(np.arange(30), n), correct, columns))
    for one, other in (logs, logs[::-1]):
        (family,) = compare_variants([one, other], base=other.model, B=100)
        (gain,) = family.against_base
        assert gain.multipliers["cost"].value == pytest.approx(1, abs=1e-12)
        assert gain.changes_nothing is False


def test_draws_that_are_too_few_for_so_many_tasks_are_named():
    labels = {"task": [f"t{q % 40}" for q in range(Q)]}
    logs = [replace(log(model, more, seed=1), labels=labels) for model, more in (("m", -1.0), ("m/x", 1.0))]
    said = "1000 draws are too few for 40 comparisons, of which none is told apart from none"
    (family,) = compare_variants(logs, B=1000)
    assert not any(gain.real for gain in family.against_base[0].gains.rows.values())
    assert said in text_of(family)
    (family,) = compare_variants(logs, B=1600)
    assert all(gain.real for gain in family.against_base[0].gains.rows.values())
    assert "draws are too few" not in text_of(family)
