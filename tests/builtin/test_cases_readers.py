"""Files of kinds that people have, on which wrong numbers came out once, each with the right ones."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

CASES = Path(__file__).parents[1] / "cases"


def case(number):
    """The files of a case, in order."""
    return sorted(next(CASES.glob(f"{number:02}-*")).iterdir())


@pytest.fixture
def calibrated(cli):
    """The one model of what calibrate says in JSON, and its warnings."""

    def call(*words, code=0):
        got, out, err = cli("calibrate", "--bootstrap", "20", "--json", *words)
        assert got == code, err
        if code:
            assert not out
            assert len(err.splitlines()) == 1
            return err
        (model,) = json.loads(out)["models"]
        return model, " ".join(err.split())

    return call


def changed(path, folder, change, name=None):
    """A copy of a JSON file, or of one with a record a line, with something changed in it."""
    text = path.read_text()
    of_lines = path.suffix == ".jsonl"
    document = [json.loads(line) for line in text.splitlines()] if of_lines else json.loads(text)
    document = change(document) or document
    copy = folder / (name or path.name)
    copy.write_text("\n".join(map(json.dumps, document)) if of_lines else json.dumps(document))
    return copy


# Generations from the cache of the harness.


def test_calls_from_the_cache_of_the_harness_count_as_they_were_made(calibrated):
    model, said = calibrated(*case(6))
    assert model["mean_latency_s"] == pytest.approx(2.0)
    assert (model["mean_input_tokens"], model["mean_output_tokens"]) == (100, 50)
    assert "36 samples came from the cache of inspect_ai" in said


def test_what_a_log_does_not_know_of_cached_calls_is_unknown(calibrated, tmp_path):
    def without_times(log):
        for sample in log["samples"]:
            for event in sample.get("events", []):
                event.pop("working_time", None)
                event.get("output", {}).pop("time", None)

    model, said = calibrated(changed(*case(6), tmp_path, without_times))
    assert model["mean_latency_s"] == pytest.approx(2.0)
    assert "36 of 60 scored samples lack it" in " ".join(model["remarks"])
    assert model["mean_output_tokens"] == 50

    def without_events(log):
        for sample in log["samples"]:
            sample.pop("events", None)

    model, said = calibrated(changed(*case(6), tmp_path, without_events))
    assert (model["mean_latency_s"], model["mean_output_tokens"]) == (2.0, 50)
    assert "36 samples came from the cache" in said

    def judged(log):
        without_events(log)
        for sample in log["samples"]:
            sample["model_usage"]["acme/judge"] = {"input_tokens": 900, "output_tokens": 9, "total_tokens": 909}
            sample["output"]["model"] = "m-2025"

    model, said = calibrated(changed(*case(6), tmp_path, judged))
    assert (model["mean_latency_s"], model["mean_output_tokens"]) == (2.0, 50)
    assert "36 samples came from the cache" in said


def test_a_sample_with_some_cached_calls_has_the_tokens_and_seconds_of_all(calibrated, tmp_path):
    def two_calls(log):
        usage = {"input_tokens": 30, "output_tokens": 20, "total_tokens": 50}
        made = {"event": "model", "model": "acme/m", "output": {"time": 1.0, "usage": usage}}
        tool, judge = {"event": "tool", "working_time": 0.5}, made | {"model": "acme/judge"}
        for sample in log["samples"]:
            cached = {"event": "model", "model": "acme/m", "cache": "read", "output": {"time": 2.0, "usage": usage}}
            sample |= {"events": [made, cached, tool, judge], "model_usage": {"acme/m": usage}, "working_time": 1.6}

    model, _ = calibrated(changed(*case(6), tmp_path, two_calls))
    assert (model["mean_input_tokens"], model["mean_output_tokens"]) == (60, 40)
    assert model["mean_latency_s"] == pytest.approx(3.5)


# Samples with unusual names.


def test_every_sample_of_an_archive_is_read_whatever_it_is_called(calibrated):
    model, said = calibrated(*case(7))
    assert (model["questions"], model["samples"], said) == (3, 6, "")
    assert model["pass_at_k"][0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["samples/any.json", "samples/a/b\tc_epoch_9.json", "samples/üñí_epoch_1.json"])
def test_members_of_other_names_are_read_too_and_others_counted_aloud(calibrated, tmp_path, name):
    import zipfile

    shutil.copy(*case(7), tmp_path / "ids.eval")
    with zipfile.ZipFile(tmp_path / "ids.eval", "a") as archive:
        sample = json.loads(archive.read("samples/easy_epoch_1.json")) | {"id": "new", "epoch": 1}
        archive.writestr(name, json.dumps(sample))
        archive.writestr("samples/notes.txt", "")
        archive.writestr("summaries.json", json.dumps([{}] * 9))
    model, said = calibrated(tmp_path / "ids.eval")
    assert (model["questions"], model["samples"]) == (4, 7)
    assert "1 members of the ZIP under samples/ are no JSON and are not read" in said
    assert "the log says that it has 9 samples, but 7 are in it" in said


# Several tasks, several runs.


def test_tasks_of_one_model_have_questions_of_their_own(calibrated):
    model, said = calibrated(*case(8))
    assert (model["questions"], said) == (16, "")
    assert model["pass_at_k"][0] == pytest.approx(0.5)
    for file, share in zip(case(8), (0.75, 0.25), strict=True):
        assert calibrated(file)[0]["pass_at_k"][0] == pytest.approx(share)


def test_runs_in_several_files_are_samples_of_one_model(calibrated):
    model, said = calibrated(*case(11))
    assert (model["questions"], model["samples"]) == (20, 80)
    assert model["pass_at_k"] == pytest.approx([0.55, 0.8083333333, 0.925, 0.95])
    assert model["vote_at_k"] == pytest.approx([0.55, 0.55, 0.575, 0.575])
    assert "20 questions of 11-runs-in-several-files stand in 4 files: each file has further samples of them" in said


def test_files_of_other_names_are_pooled_by_one_name(calibrated, tmp_path):
    paths = []
    for i, file in enumerate(case(11)):
        (tmp_path / f"seed{i}").mkdir()
        shutil.copy(file, tmp_path / f"seed{i}")
        paths.append(f"mine={tmp_path / f'seed{i}' / file.name}")
    model, _ = calibrated(*paths)
    assert (model["model"], model["samples"]) == ("mine", 80)
    assert model["pass_at_k"] == pytest.approx([0.55, 0.8083333333, 0.925, 0.95])


def test_two_files_with_the_same_rows_are_refused_however_they_are_saved(calibrated, tmp_path):
    first = case(11)[0]
    again = changed(first, tmp_path, lambda records: [dict(sorted(r.items())) for r in reversed(records)])
    zipped = tmp_path / f"{first.name}.gz"
    zipped.write_bytes(gzip.compress(first.read_bytes()))
    for other in (again, zipped):
        said = calibrated(f"m={first}", f"m={other}", code=2)
        assert f"{other}: the 20 samples of 'm' that stand in {first} too are the same in both: one run twice" in said
    shutil.copy(first, tmp_path / "copy.jsonl")
    for other in (first, tmp_path / "copy.jsonl"):
        assert f"{other}: is the same as {first}: one run" in calibrated(f"m={first}", f"m={other}", code=2)
    half = changed(first, tmp_path, lambda records: records[:9])
    assert f"{half}: the 9 samples of 'm'" in calibrated(f"m={first}", f"m={case(11)[1]}", f"m={half}", code=2)


@pytest.mark.parametrize(
    ("columns", "rows", "chance"),
    [
        ("", ["1"] * 3, "100 %"),
        ("", ["1", "0"] * 3, "1.56 %"),
        ("", ["1", "0"] * 4, None),  # 1 / 256
        (",answer", ["1,C"] * 9, "100 %"),  # right answers agree
        (",output_tokens", ["1,1", "1,1", "0,2"], "17.1 %"),  # a letter has one token; (5 / 9)^3
        (",output_tokens", ["1,120", "1,345", "1,98"], None),
        (",latency_s", ["1,3.217", "0,4.1"], None),
        (",latency_s", ["1,3.2", "1,4.1"], "7.62 %"),  # (10 / 32) (10 / 41)
        (",latency_s", ["1,0.0032", "1,"], "31.2 %"),  # 10 / 32
        (",input_tokens,cost_usd", ["1,812,0.00123"] * 3, "100 %"),  # the question tells them
    ],
)  # fmt: skip
def test_runs_that_agree_by_chance_are_two(calibrated, tmp_path, columns, rows, chance):
    """The second file has the rows in another order, so that it is no copy."""
    files = [tmp_path / "run0.csv", tmp_path / "run1.csv"]
    lines = [f"m,q{q},1,{row}" for q, row in enumerate(rows)]
    for file, ordered in zip(files, (lines, lines[::-1]), strict=True):
        file.write_text("\n".join([f"model,question_id,sample,correct{columns}", *ordered]) + "\n")
    agree = f"{files[1]}: the {len(rows)} samples of 'm' that stand in {files[0]} too are the same in both"
    if chance is None:
        assert f"{agree}: one run twice is no further samples" in calibrated(*files, code=2)
        return
    model, said = calibrated(*files)
    assert model["samples"] == 2 * len(rows)
    assert (
        f"{agree}, as two runs are by chance in {chance} of such cases: they are further samples all the same" in said
    )


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("measured", ["latency_s", "output_tokens"])
def test_a_run_that_was_written_twice_under_other_numbers_is_said(calibrated, tmp_path, numbered, measured):
    """As when logs are put behind each other: pass@2 then is pass@1."""
    header = f"model,question_id,sample,correct,{measured}"
    once = [f"m,q{i % 4},{i // 4},{int(i % 3 == 0)},{200 + 7 * i}" for i in range(12)]
    again = [",".join([*row.split(",")[:2], str(3 + int(row.split(",")[2])), *row.split(",")[3:]]) for row in once]
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    if numbered:
        for file, rows in zip(files, (once, again), strict=True):
            file.write_text("\n".join([header, *rows]) + "\n")
    else:
        files = [tmp_path / "both.csv"]
        rows = [",".join(part for i, part in enumerate(row.split(",")) if i != 2) for row in (header, *once, *once)]
        files[0].write_text("\n".join(rows) + "\n")
    said = f"each sample of m is there twice or more, with the same {measured}"
    assert said in calibrated(*files)[1]
    files[-1].write_text(files[-1].read_text().replace(",277\n", ",278\n", 1))
    assert said not in calibrated(*files)[1]


def test_repeats_that_agree_because_their_answers_are_letters_are_samples(calibrated, tmp_path):
    rows = [f"m,q{i % 4},{i // 4},1,1,B" for i in range(16)]
    (tmp_path / "log.csv").write_text(
        "\n".join(["model,question_id,sample,correct,output_tokens,answer", *rows]) + "\n"
    )
    assert calibrated(tmp_path / "log.csv")[1] == ""


def test_other_questions_of_the_same_numbers_are_no_further_samples(calibrated, tmp_path):
    def others(records):
        for record in records:
            record["doc_hash"] += " of another"

    other = changed(case(11)[1], tmp_path, others)
    said = calibrated(f"m={case(11)[0]}", f"m={other}", code=2)
    assert "question 'sums:0' of 'm' is another one than in" in said

    def of_inspect(log):
        for sample in log["samples"]:
            sample["input"] = [{"id": "x1", "role": "user", "content": "something else?"}]

    other = changed(case(8)[0], tmp_path, of_inspect)
    assert "question 'algebra:1' of 'acme/m' is another one" in calibrated(case(8)[0], other, code=2)


def test_messages_of_runs_have_numbers_of_their_own(calibrated, tmp_path):
    paths = []
    for run in range(2):

        def asked(log, run=run):
            for i, sample in enumerate(log["samples"]):
                sample["input"] = [{"id": f"message {run}", "role": "user", "content": "?"}]
                sample["working_time"] = run + i

        paths.append(changed(case(8)[0], tmp_path, asked, f"run{run}.json"))
    assert calibrated(*paths)[0]["samples"] == 64


# Scores that are no letters.


def test_a_score_of_several_parts_needs_a_key(calibrated):
    dict_score, _ = case(9)
    assert calibrated(dict_score, "--score-key", "correct")[0]["pass_at_k"][0] == pytest.approx(0.75)
    said = calibrated(dict_score, code=2)
    assert "the score is a mapping with the keys correct, style" in said
    assert "--score-key correct" in said
    assert "has no key 'right'; keys: correct, style" in calibrated(dict_score, "--score-key", "right", code=2)
    said = calibrated(dict_score, "--score-key", "style", code=2)
    assert "have scores between 0 and 1: they are graded, not right or wrong" in said
    assert "--right-if" in said
    assert "--scale" in said


def test_a_grade_needs_a_threshold_or_a_scale(calibrated):
    _, grades = case(9)
    assert calibrated(grades, "--right-if", ">= 7")[0]["pass_at_k"][0] == 0.5
    graded, _ = calibrated(grades, "--scale", "0,10")
    assert graded["pass_at_k"] is None
    assert graded["vote_at_k"] is None
    assert graded["best_at_k"] == pytest.approx([0.55, 0.75, 0.85, 0.9])
    said = calibrated(grades, code=2)
    for word in ("is neither right nor wrong, not from 0 to 1", '--right-if ">= 7"', "--scale 0,10"):
        assert word in said


@pytest.mark.parametrize(
    ("rule", "right"),
    [(">= 7", 0.5), ("> 7", 0.25), ("<=4", 0.5), ("<4", 0.25), ("== 9", 0.25), (">=7.0e0", 0.5), ("== 11", 0.0)],
)
def test_rules_compare_with_a_number(calibrated, rule, right):
    assert calibrated(case(9)[1], "--right-if", rule)[0]["pass_at_k"][0] == right


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--right-if", "7"], "--right-if: must be one of >=, <=, ==, >, < and a number, got '7'"),
        (["--right-if", ">= seven"], "--right-if: >= compares with a number, got '>= seven'"),
        (["--right-if", "__import__('os')"], "--right-if: must be one of"),
        (["--right-if", "== C"], "is no text, but --right-if compares with 'C'"),
        (["--scale", "0"], "--scale: must be LOW,HIGH, two numbers, got '0'"),
        (["--scale", "5,5"], "--scale: must be LOW,HIGH, two different numbers"),
        (["--scale", "0,inf"], "--scale: must be LOW,HIGH, two different numbers"),
        (["--scale", "0,8"], "the score 9 is outside the scale 0 to 8"),
        (["--scale", "0,10", "--right-if", ">= 7"], "give one of them"),
        (["--score-key", "value"], "has no keys, so that none is called 'value'"),
    ],
)
def test_options_for_scores_that_do_not_fit_are_refused_in_a_sentence(calibrated, words, message):
    assert message in calibrated(case(9)[1], *words, code=2)


def test_scores_of_minus_one_and_one_are_right_or_wrong_on_their_scale(calibrated, tmp_path):
    def signed(log):
        for sample in log["samples"]:
            score = sample["scores"]["match"]
            score["value"] = 1 if score["value"] > 2 else -1

    path = changed(case(9)[1], tmp_path, signed)
    assert "the score -1 is neither right nor wrong" in calibrated(path, code=2)  # three of four are 1
    assert calibrated(path, "--scale=-1,1")[0]["pass_at_k"][0] == pytest.approx(0.75)
    assert calibrated(path, "--right-if", "> 0")[0]["pass_at_k"][0] == pytest.approx(0.75)


def test_a_reversed_scale_and_scores_in_lists(calibrated, tmp_path):
    def listed(log):
        for sample in log["samples"]:
            score = sample["scores"]["match"]
            score["value"] = [0.5, {"overall": 11 - score["value"]}]

    path = changed(case(9)[1], tmp_path, listed)
    assert "the score is a list of 2" in calibrated(path, code=2)
    model, _ = calibrated(path, "--score-key", "1.overall", "--scale", "11,1")
    assert model["best_at_k"][0] == pytest.approx(0.55)


# Metrics over repeats.


def test_a_mean_over_repeats_is_no_grade_of_one_sample(calibrated):
    model, said = calibrated(*case(10))
    assert (model["questions"], model["samples"]) == (8, 32)
    assert model["pass_at_k"] == pytest.approx([0.625, 0.7916666667, 0.84375, 0.875])
    assert "which of them are right is not known of 5 documents, so that answers are not read" in said


@pytest.mark.parametrize("name", ["acc", "my_score", "pass@1", "pass_at_1", "mean@4", "pass@1[avg-of-4]"])
def test_it_is_so_under_any_name(calibrated, tmp_path, name):
    def renamed(records):
        for record in records:
            record |= {"metrics": [name], name: record.pop("math_verify")}

    model, _ = calibrated(changed(*case(10), tmp_path, renamed))
    assert model["pass_at_k"] == pytest.approx([0.625, 0.7916666667, 0.84375, 0.875])


def test_it_is_so_where_the_filter_kept_one_answer(calibrated, tmp_path):
    def one_kept(records):
        for record in records:
            record["filtered_resps"] = [record["filtered_resps"][0][0]]

    model, said = calibrated(changed(*case(10), tmp_path, one_kept))
    assert model["pass_at_k"] == pytest.approx([0.625, 0.7916666667, 0.84375, 0.875])
    assert "kept one answer of several, but math_verify lies between 0 and 1: it is read as the mean" in said


def pass_at(k, right):
    def with_pass_at_k(records):
        from math import comb

        for record, c in zip(records, right, strict=False):
            value = 1 - comb(4 - c, k) / comb(4, k)
            record |= {"metrics": [f"pass@{k}"], f"pass@{k}": value}
            del record["math_verify"]
        return records[: len(right)]

    return with_pass_at_k


def test_pass_at_k_of_repeats_says_how_many_are_right(calibrated, tmp_path):
    model, _ = calibrated(changed(*case(10), tmp_path, pass_at(2, [0, 1, 2, 1, 0, 2])))
    assert model["samples"] == 24
    assert model["pass_at_k"][0] == pytest.approx(6 / 24)


@pytest.mark.parametrize(
    ("k", "right", "reason"),
    [
        (2, [0, 1, 4], r"pass@2 = 1 of 4 repeats may be 3 to 4 that are right"),
        (4, [0, 1, 0], r"pass@4 = 1 of 4 repeats may be 1 to 4 that are right"),
    ],
)
def test_where_the_number_of_right_repeats_does_not_follow_the_file_is_refused(calibrated, tmp_path, k, right, reason):
    said = calibrated(changed(*case(10), tmp_path, pass_at(k, right)), code=2)
    assert "how many repeats are right does not follow from" in said
    assert reason in said


@pytest.mark.parametrize(("name", "value"), [("math_verify", 0.3), ("pass@8", 0.5)])
def test_what_no_number_of_right_repeats_gives_is_refused(calibrated, tmp_path, name, value):
    def other(records):
        for record in records:
            record |= {"metrics": [name], name: value}

    assert "does not follow from" in calibrated(changed(*case(10), tmp_path, other), code=2)


@pytest.mark.parametrize(
    ("name", "n", "values", "right"),
    [
        ("exact_match", 3, [0.3333, 0.6667, 1.0, 0.0], 6),  # with four digits
        ("exact_match", 3, ["0.33", 0.67, 1.0, 0.0], 6),
        ("pass@2", 4, [0.5, 0.8333, 0.0], 3),
        ("pass^2", 4, [0.1667, 0.5, 1.0], 9),
        ("pass_hat_3", 4, [0.25, 1.0], 7),
    ],
)
@pytest.mark.parametrize("kept", ["each", "one"])
def test_values_that_were_rounded_and_that_all_of_k_are_right_say_it_too(
    calibrated, tmp_path, name, n, values, right, kept
):
    def given(records):
        for record, value in zip(records, values, strict=False):
            answers = record["resps"][0][:n]
            record |= {"metrics": [name], name: value, "resps": [answers]}
            record["filtered_resps"] = [answers] if kept == "each" else answers[:1]
        return records[: len(values)]

    model, _ = calibrated(changed(*case(10), tmp_path, given))
    assert model["samples"] == n * len(values)
    assert model["pass_at_k"][0] == pytest.approx(right / (n * len(values)))


def test_a_number_with_too_few_digits_for_its_repeats_is_no_mean(calibrated, tmp_path):
    def rounded(records):
        for record in records:
            record |= {"math_verify": 0.7, "resps": [record["resps"][0][:3]], "filtered_resps": [["", "", ""]]}

    assert "0.7 is no mean of 3 repeats" in calibrated(changed(*case(10), tmp_path, rounded), code=2)


@pytest.mark.parametrize("name", ["maj@4", "cons@4", "majority_vote@4", "best_of_4", "Best@4"])
def test_a_metric_of_an_answer_that_was_chosen_is_no_grade_of_each_repeat(calibrated, tmp_path, name):
    def chosen(records):
        for record in records:
            record |= {"metrics": [name], name: float(record["math_verify"] > 0.5)}

    said = calibrated(changed(*case(10), tmp_path, chosen), code=2)
    assert f"{name} is of one answer that was chosen from 4 repeats" in said


def test_pass_at_k_is_so_by_its_name_where_the_filter_kept_one_answer(calibrated, tmp_path):
    def one_kept(records):
        for record in pass_at(4, [0, 1, 2, 4])(records):
            record["filtered_resps"] = record["resps"][0][:1]
        return records[:4]

    said = calibrated(changed(*case(10), tmp_path, one_kept), code=2)
    assert "pass@4 = 1 of 4 repeats may be 1 to 4 that are right" in said


def test_that_all_repeats_agree_in_every_document_is_questioned(calibrated, tmp_path):
    def rounded(records):
        for record in records:
            record["math_verify"] = float(record["math_verify"] > 0.5)

    _, said = calibrated(changed(*case(10), tmp_path, rounded))
    assert "was math_verify taken over the repeats, as is read, or of one of them?" in said


# Metrics that are missing or text.


def test_a_metric_that_is_null_is_a_sample_that_failed(calibrated):
    model, _ = calibrated(case(12)[0])
    assert (model["scored"], model["failed"]) == (7, 1)
    assert model["pass_at_k"][0] == pytest.approx(4 / 7)


def test_a_metric_written_as_text_is_read(calibrated):
    assert calibrated(case(12)[1])[0]["pass_at_k"][0] == 0.5


def test_a_metric_that_is_nowhere_a_number_is_shown(calibrated, tmp_path):
    def text(records):
        for record in records:
            record["acc"] = "quite good"

    said = calibrated(changed(case(12)[1], tmp_path, text), code=2)
    assert "has no metric that is a number (acc is 'quite good')" in said

    def null(records):
        for record in records:
            record["acc"] = None

    assert "is right or wrong" in calibrated(changed(case(12)[1], tmp_path, null), code=2)


# Files that other tools saved again.


def test_the_order_of_keys_does_not_matter(calibrated):
    model, said = calibrated(*case(13))
    assert (model["pass_at_k"][0], said) == (0.5, "")


@pytest.mark.parametrize("number", range(6, 15))
def test_every_file_may_be_saved_again_with_sorted_keys(calibrated, tmp_path, number):
    words = {9: ["--score-key", "correct"]}.get(number, [])
    for path in [path for path in case(number) if path.suffix != ".eval"][:1]:
        of_lines = path.suffix == ".jsonl"
        text = path.read_text()
        again = "\n".join(
            json.dumps(json.loads(t), sort_keys=True) for t in (text.splitlines() if of_lines else [text])
        )
        (tmp_path / path.name).write_text(again)
        before, after = (calibrated(f"m={p}", *words)[0] for p in (path, tmp_path / path.name))
        assert after["pass_at_k"] == before["pass_at_k"]


def test_a_long_first_record_is_recognised_by_all_of_its_keys(calibrated, tmp_path):
    def long(records):
        return [{"arguments": {"x": "y" * 200_000}} | {k: r[k] for k in sorted(r) if k != "arguments"} for r in records]

    assert calibrated(changed(*case(13), tmp_path, long))[0]["pass_at_k"][0] == 0.5


def test_a_file_of_no_known_format_is_told_about_its_options(calibrated, tmp_path):
    (tmp_path / "x.jsonl").write_text('{"prompt_id": 1, "ok": true}\n')
    said = calibrated(tmp_path / "x.jsonl", code=2)
    for word in ("its keys: prompt_id, ok", "--format NAME", "nemo-skills", "--column question_id=prompt_id"):
        assert word in said


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet"])
def test_the_columns_that_may_be_meant_are_named_as_they_can_be_given(calibrated, tmp_path, kind):
    import polars as pl

    rows = [
        {"llm": "m", "prompt_id": f"q{i}", "is_correct": i % 2, "latency_ms": 1000 * i, "text": "x"}
        for i in range(1, 5)
    ]
    path = tmp_path / f"mine.{kind}"
    frame = pl.DataFrame(rows)
    write = {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}
    path.write_text(json.dumps(rows)) if kind == "json" else write[kind](path)
    said = calibrated(path, code=2)
    advised = "--column model=llm --column question_id=prompt_id --column correct=is_correct"
    assert advised in said
    model, _ = calibrated(path, *advised.split(), "--column", "latency_s=latency_ms/1000")
    assert (model["model"], model["pass_at_k"], model["mean_latency_s"]) == ("m", [0.5], 2.5)
    said = calibrated(path, "--column", "question_id=promptid", code=2)
    assert "question_id=promptid: the file has no such column; is prompt_id meant? columns: llm, prompt_id" in said


# Formats.


@pytest.mark.parametrize("name", ["bigcodebench", "livecodebench"])
def test_results_of_programs_are_read(calibrated, name):
    (path,) = (file for file in case(14) if name in file.name)
    model, said = calibrated(path)
    assert (model["samples"], model["pass_at_k"][0], said) == (24, 0.5, "")
