import copy
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from moo_infer import MooInferError, Registry
from moo_infer.builtin.inspect_calls import usage_of
from moo_infer.builtin.inspect_logs import _unpacked
from moo_infer.calibrate import read_log

FIXTURES = Path(__file__).parents[1] / "fixtures" / "logs"
ARITHMETIC, LETTERS, SCORERS = (FIXTURES / name for name in ("arithmetic.eval", "letters.json", "scorers.json"))
REGISTRY = Registry(entry_points=False)


def read(path, format=None):
    (samples,) = read_log(path, format=format, registry=REGISTRY).samples()
    return samples


def members():
    """The parsed members of the ZIP log, by name."""
    with zipfile.ZipFile(ARITHMETIC) as archive:
        return {info.filename: json.loads(_unpacked(archive, info)) for info in archive.infolist()}


def packed(path, documents, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, document in documents.items():
            archive.writestr(name, json.dumps(document))
    return path


@pytest.fixture
def changed(tmp_path):
    """The JSON log with something changed in all its samples and in its header."""

    def change(of_samples=None, **header):
        log = json.loads(LETTERS.read_text())
        for sample in log["samples"]:
            sample |= copy.deepcopy(of_samples or {})
        (tmp_path / "mine.json").write_text(json.dumps(log | header))
        return tmp_path / "mine.json"

    return change


def test_epochs_are_samples():
    samples = read(ARITHMETIC)
    assert (samples.model, samples.questions) == ("mockllm/model", ("arithmetic:q1", "arithmetic:q2", "arithmetic:q3"))
    np.testing.assert_array_equal(samples.correct.reshape(3, 3), [[1, 1, 0], [1, 0, np.nan], [0, 0, 1]])
    answers = samples["answer"].reshape(3, 3)
    assert answers[1, 2] == -1
    assert len(set(answers.ravel()) - {-1}) == 6
    known = np.isfinite(samples.correct)
    assert set(samples["input_tokens"][known]) == {14}
    assert set(samples["cached_input_tokens"][known]) == {4}
    assert samples["output_tokens"][known].tolist() == [20, 21, 22, 21, 22, 22, 23, 24]
    assert samples["reasoning_tokens"][known].tolist() == [5, 6, 7, 6, 7, 7, 8, 9]
    assert samples["cost_usd"][known].tolist() == pytest.approx(
        [0.001, 0.002, 0.003, 0.002, 0.003, 0.003, 0.004, 0.005]
    )
    assert (samples["latency_s"] > 0).all()
    assert np.isnan(samples["input_tokens"][~known]).all()


def test_a_log_in_json():
    samples = read(LETTERS)
    assert (samples.questions, samples.correct.tolist()) == (("letters:1",), [1, 0])
    assert samples["answer"].tolist() == [1, 0]


def test_older_logs_are_packed_otherwise(tmp_path):
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        again = read(packed(tmp_path / "old.eval", members(), compression))
        np.testing.assert_array_equal(again.correct, read(ARITHMETIC).correct)


def test_a_log_of_a_run_that_did_not_end(tmp_path, changed):
    kept = {
        name: document for name, document in members().items() if name not in ("header.json", "samples/q3_epoch_3.json")
    }
    del kept["summaries.json"]
    with pytest.warns(UserWarning, match=r"run\.eval: the status of the log is 'started': samples may be missing"):
        assert read(packed(tmp_path / "run.eval", kept)).n.tolist() == [3, 3, 2]
    with pytest.warns(UserWarning, match="the status of the log is 'cancelled'"):
        assert len(read(changed(status="cancelled"))) == 2


def test_samples_in_pieces_are_read(tmp_path):
    pieces = {
        name.replace(".json", "/sample.json") if name.startswith("samples/") else name: d
        for name, d in members().items()
    }
    pieces["samples/q1_epoch_1/events/0.json"] = []
    assert len(read(packed(tmp_path / "pieces.eval", pieces))) == 9


def test_the_last_of_two_members_of_a_name_counts(tmp_path):
    documents = members()
    path = packed(tmp_path / "twice.eval", documents)
    later = documents["samples/q1_epoch_1.json"]
    later["scores"]["match"]["value"] = "I"
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/q1_epoch_1.json", json.dumps(later))
    assert read(path).correct[0] == 0


def test_several_scorers_must_be_told_apart():
    with pytest.raises(
        MooInferError, match=r"has several scorers \(match, includes\); name one: --format inspect-ai:scorer=match"
    ):
        read(SCORERS)
    assert read(SCORERS, "inspect-ai:scorer=match").correct.tolist() == [0]
    assert read(SCORERS, "inspect-ai:scorer=includes").correct.tolist() == [1]
    with pytest.raises(MooInferError, match="has no scorer 'choice'; there are: match, includes"):
        read(SCORERS, "inspect-ai:scorer=choice")


@pytest.mark.parametrize(
    ("value", "correct"),
    [("C", 1), ("I", 0), ("N", 0), ("yes", 1), ("False", 0), ("1.0", 1), (True, 1), (False, 0), (1, 1), (0.0, 0), (float("nan"), None)],
)  # fmt: skip
def test_scores(changed, value, correct):
    samples = read(changed({"scores": {"choice": {"value": value}}}))
    assert samples.scored.correct.tolist() == ([] if correct is None else [correct] * 2)


@pytest.mark.parametrize("value", ["P", 0.5, "0.25"])
def test_partial_scores_count_as_wrong_and_are_counted(changed, tmp_path, value):
    log = json.loads(LETTERS.read_text())
    log["samples"][1]["scores"]["choice"]["value"] = value
    (tmp_path / "mine.json").write_text(json.dumps(log))
    with pytest.warns(UserWarning, match=r"mine\.json: 1 samples are partly right and count as wrong"):
        assert read(tmp_path / "mine.json").correct.tolist() == [1, 0]
    with pytest.raises(MooInferError, match=r"mine\.json: 2 of 2 samples have scores between 0 and 1: they are graded"):
        read(changed({"scores": {"choice": {"value": value}}}))


@pytest.mark.parametrize("trouble", [{"error": {"message": "down"}}, {"invalidation": {"author": "me"}}])
def test_what_failed_is_neither_right_nor_wrong(changed, trouble):
    assert np.isnan(read(changed(trouble)).correct).all()


def test_what_was_not_scored_is_neither_right_nor_wrong(tmp_path):
    log = json.loads(LETTERS.read_text())
    log["samples"][0]["scores"] = None
    (tmp_path / "x.json").write_text(json.dumps(log))
    np.testing.assert_array_equal(read(tmp_path / "x.json").correct, [np.nan, 0])


@pytest.mark.parametrize(
    ("provider", "logged", "tokens"),
    [
        ("openai", (100, 50, 0, 20, 150), (100, 50)),
        ("openai", (60, 50, 40, 20, 150), (100, 50)),
        ("openai", (100, 50, 40, 20, 150), (100, 50)),  # the input held the cached tokens once
        ("openai", (100, 50, 40, 20, None), (140, 50)),
        ("openai", (100, 50, None, None, 150), (100, 50)),
        ("google", (100, 50, None, 20, 170), (100, 70)),
        ("google", (60, 50, 40, 20, 170), (100, 70)),
        ("google", (60, 70, 40, 20, 170), (100, 70)),  # newer logs of Google count reasoning in the output
        ("grok", (100, 50, 40, 20, 170), (100, 70)),
        ("xai", (60, 50, 40, 20, None), (100, 70)),
        ("vertex", (100, 50, None, 0, 150), (100, 50)),
    ],
)  # fmt: skip
def test_input_holds_cached_tokens_and_output_reasoning(provider, logged, tokens):
    names = ("input_tokens", "output_tokens", "input_tokens_cache_read", "reasoning_tokens", "total_tokens")
    found = usage_of(dict(zip(names, logged, strict=True)), provider)
    assert (found["input_tokens"], found["output_tokens"]) == tokens
    assert (found["cached_input_tokens"], found["reasoning_tokens"]) == logged[2:4]


def test_written_caches_are_input():
    usage = {"input_tokens": 5, "input_tokens_cache_write": 7, "input_tokens_cache_read": 3, "output_tokens": 9}
    found = usage_of(usage, "anthropic")
    assert (found["input_tokens"], found["cached_input_tokens"], found["cache_write_tokens"]) == (15, 3, 7)


def test_tokens_are_those_of_the_evaluated_model(changed):
    usage = {"mockllm/model": {"input_tokens": 1, "output_tokens": 2}, "judge": {"input_tokens": 9, "output_tokens": 9}}
    with pytest.warns(UserWarning, match=r"mine\.json: tokens of other models are not counted: judge"):
        samples = read(changed({"model_usage": usage}))
    assert samples["output_tokens"].tolist() == [2, 2]


def test_a_log_that_is_cut_off_is_refused(tmp_path):
    for path in (ARITHMETIC, LETTERS):
        whole = path.read_bytes()
        for size in (200, len(whole) // 2, len(whole) - 1):
            (tmp_path / path.name).write_bytes(whole[:size])
            with pytest.raises(MooInferError, match=rf"{path.name}: is (damaged or cut off|no JSON, or is cut off)"):
                read(tmp_path / path.name)


def test_a_sample_that_is_damaged_is_left_out_aloud(tmp_path):
    whole = bytearray(ARITHMETIC.read_bytes())
    with zipfile.ZipFile(ARITHMETIC) as archive:
        info = archive.getinfo("samples/q2_epoch_1.json")
    begin = info.header_offset + 30 + len(info.filename) + 40
    whole[begin : begin + 200] = b"\xff" * 200
    (tmp_path / "x.eval").write_bytes(whole)
    with pytest.warns(UserWarning, match=r"x\.eval: 1 of 9 records are left out: samples/q2_epoch_1\.json: is damaged"):
        samples = read(tmp_path / "x.eval")
    assert dict(zip(samples.questions, samples.n.tolist(), strict=True))["arithmetic:q2"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": []}, r"holds no samples \(its status: success\)"),
        ({"eval": {}}, "the header names no model"),
        ({"of": {"scores": {}}}, "has no scorer"),
        ({"of": {"scores": {"choice": {"value": "great"}}}}, "the score 'great' is neither right nor wrong"),
        ({"of": {"scores": {"choice": {"value": 7}}}}, "the score 7 is neither right nor wrong"),
        ({"of": {"scores": {"choice": {"value": {"a": 1}}}}}, r"the score is a mapping with the keys a; .*--score-key a"),
        ({"of": {"model_usage": {"mockllm/model": {}}, "id": None}}, "question_id is blank"),
        ({"of": {"model_usage": {"mockllm/model": {"output_tokens": 1}}}}, "sample 1, epoch 1, sample 1, epoch 2: its usage lacks input_tokens or output_tokens"),
    ],
)  # fmt: skip
def test_what_is_refused_in_a_log(changed, change, message):
    of_samples = change.get("of")
    header = {key: value for key, value in change.items() if key != "of"}
    with pytest.raises(MooInferError, match=rf"mine\.json: .*{message}"):
        read(changed(of_samples, **header))


def test_another_zip_is_refused(tmp_path):
    path = packed(tmp_path / "x.zip", {"header.txt": {}})
    with pytest.raises(MooInferError, match=r"x\.zip: is of no known format \(it is no text\)"):
        read(path)
    with pytest.raises(MooInferError, match=r"x\.zip: is a ZIP without header\.json, no log of inspect_ai"):
        read(path, "inspect-ai")


@pytest.mark.parametrize("how", ["damaged", "encrypted"])
def test_a_member_that_cannot_be_unpacked_is_left_out_aloud(tmp_path, how):
    path = packed(tmp_path / "x.eval", members())
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        directory = archive.start_dir
    info = infos["samples/q2_epoch_1.json"]
    if how == "encrypted":
        entry = whole.index(info.filename.encode(), directory) - 46
        whole[info.header_offset + 6] |= 1
        whole[entry + 8] |= 1
    else:
        begin = info.header_offset + 30 + len(info.filename)
        whole[begin : begin + 30] = b"\xff" * 30
    path.write_bytes(whole)
    said = r"x\.eval: 1 of 9 records are left out: samples/q2_epoch_1\.json: is damaged: it cannot be unpacked$"
    with pytest.warns(UserWarning, match=said):
        assert read(path).n.sum() == 8


def test_seconds_that_no_float_holds_are_not_known(changed):
    usage = {"input_tokens": 1, "output_tokens": 2}
    event = {"event": "model", "model": "mockllm/model", "cache": "read", "working_time": 10**400}
    path = changed({"events": [event | {"output": {"time": 10**400, "usage": usage}}]})
    with pytest.warns(UserWarning, match="came from the cache of inspect_ai"):
        samples = read(path)
    assert "latency_s" not in samples.columns
    assert samples.n.sum() == len(samples["input_tokens"])
