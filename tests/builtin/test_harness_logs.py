import json
import shutil
from pathlib import Path

import pytest

from moo_infer import MooInferError, Registry
from moo_infer.calibrate import read_log

FOLDER = Path(__file__).parents[1] / "fixtures" / "logs" / "lm-eval" / "maker__dummy"
(SUMS,), (CHOICES,) = FOLDER.glob("samples_sums_*.jsonl"), FOLDER.glob("samples_choices_*.jsonl")
REGISTRY = Registry(entry_points=False)


def read(path, format=None):
    (samples,) = read_log(path, format=format, registry=REGISTRY).samples()
    return samples


@pytest.fixture
def changed(tmp_path):
    """Records of the sums, three of each filter, with changes, in a file of another name."""

    def change(*changes, name="mine.jsonl", filter="each"):
        records = [json.loads(line) for line in SUMS.read_text().splitlines()]
        kept = [record for record in records if record["filter"] == filter]
        for record, different in zip(kept, changes, strict=False):
            record |= different
        (tmp_path / name).write_text("\n".join(json.dumps(record) for record in kept))
        return tmp_path / name

    return change


def test_repeats_that_were_scored_are_samples():
    samples = read(SUMS, "lm-eval:filter=each")
    assert samples.model == "maker/dummy"
    assert samples.questions == ("sums:0", "sums:1", "sums:2")
    assert samples.correct.reshape(3, 3).tolist() == [[1, 1, 0], [1, 0, 1], [0, 0, 1]]
    answers = samples["answer"].reshape(3, 3)
    assert (answers[:, 0] == answers[:, 1]).tolist() == [True, False, True]


@pytest.mark.parametrize("filter", ["maj@3", "first"])
def test_one_scored_answer_of_several_is_one_sample_and_a_warning(filter):
    with pytest.warns(
        UserWarning, match="3 documents were repeated, but exact_match with the filter '.*' scored one answer"
    ):
        samples = read(SUMS, f"lm-eval:filter={filter}")
    assert samples.correct.tolist() == [1, 1, 0]
    assert len(set(samples["answer"])) == 3


def test_several_filters_or_metrics_must_be_told_apart(changed):
    with pytest.raises(
        MooInferError, match=r"has several filters \(each, maj@3, first\); name one: --format lm-eval:filter=each"
    ):
        read(SUMS)
    with pytest.raises(MooInferError, match="has no filter 'strict'; there are: each, maj@3, first"):
        read(SUMS, "lm-eval:filter=strict")
    others = {"metrics": ["exact_match", "other", "words"], "other": [1, 1, 0], "words": "x"}
    path = changed(others, others)
    with pytest.raises(
        MooInferError, match=r"has several metrics \(exact_match, other\); name one: --format lm-eval:metric="
    ):
        read(path)
    assert len(read(path, "lm-eval:metric=exact_match")) == 9
    path = changed(others)
    with pytest.raises(
        MooInferError, match="line 2: document 1: has no metric 'other'; line 3: document 2: has no metric 'other'"
    ):
        read(path, "lm-eval:metric=other")


def test_choices_are_one_sample_each():
    samples = read(CHOICES)
    assert samples.questions == ("choices:0", "choices:1", "choices:2")
    assert samples.n.tolist() == [1, 1, 1]
    records = [json.loads(line) for line in CHOICES.read_text().splitlines()]
    assert samples.correct.tolist() == [record["acc"] for record in records]
    assert not samples.columns


def test_a_metric_for_each_repeat(changed):
    each = {"filtered_resps": ["x"]}
    samples = read(
        changed(*({"exact_match": score} | each for score in ([1, 0, 1], [0.0, 0.0, float("nan")], [True] * 3)))
    )
    assert samples.scored.correct.tolist() == [1, 0, 1, 0, 0, 1, 1, 1]
    with pytest.warns(UserWarning, match="line 1: document 0: exact_match has 2 values for 3 repeats"):
        assert len(read(changed({"exact_match": [1, 0]} | each))) == 6


def test_a_mean_over_repeats_says_how_many_are_right_but_not_which(changed):
    with pytest.warns(
        UserWarning, match="which of them are right is not known of 1 documents, so that answers are not"
    ):
        samples = read(changed({"filtered_resps": [["four", "IV", "5"]]}))
    assert samples.correct.reshape(3, 3).sum(axis=1).tolist() == [2, 2, 1]
    assert "answer" not in samples.columns


def test_a_filter_that_keeps_some_of_the_repeats(changed):
    samples = read(changed({"filtered_resps": [["4", "5"]], "exact_match": 0.5}))
    assert (samples.n.tolist(), samples.right.tolist()) == ([2, 3, 3], [1, 2, 1])


def test_partial_scores_count_as_wrong_and_are_counted(changed):
    changes = {"filtered_resps": ["4"], "metrics": ["f1"], "f1": 0.5, "resps": [["It is 4."]]}
    with pytest.warns(UserWarning, match=r"mine\.jsonl: 1 samples are partly right and count as wrong"):
        assert read(changed(changes, *[changes | {"f1": 1.0}] * 2)).correct.tolist() == [0, 1, 1]
    with pytest.raises(
        MooInferError, match=r"mine\.jsonl: 3 of 3 samples have scores between 0 and 1: they are graded"
    ):
        read(changed(*[changes] * 3))


def test_records_of_one_document_are_its_samples(changed):
    path = changed(
        *[
            {"doc_id": 0, "doc_hash": "x", "resps": [["x"]], "filtered_resps": [a], "exact_match": 0.0}
            for a in ("a", "[invalid]", "a")
        ]
    )
    samples = read(path)
    assert samples.questions == ("0",)
    assert samples["answer"].tolist() == [0, -1, 0]


def test_the_model_is_called_as_in_the_results_or_as_the_folder(tmp_path, changed):
    assert read(changed()).model == tmp_path.name
    (tmp_path / "results_x.json").write_text("{")
    assert read(changed()).model == tmp_path.name
    (tmp_path / "results_y.json").write_text('{"model_name": "a/b"}')
    assert read(changed()).model == "a/b"
    shutil.copy(CHOICES, tmp_path)
    shutil.copy(next(FOLDER.glob("results_*")), tmp_path)
    assert read(tmp_path / CHOICES.name).model == "maker/dummy"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"exact_match": 7}, r"row 1 \(question '0'\): correct: the score 7 is neither right nor wrong"),
        ({"exact_match": "great"}, r"row 1 \(question '0'\): correct: the score 'great' is neither right nor wrong"),
        ({"resps": 5}, r"line 1: has a value of another kind"),
        ({"doc_id": None}, "line 1: doc_id must be a number or a name, got None"),
        ({"filtered_resps": []}, "line 1: has a value of another kind"),
    ],
)
def test_an_odd_record_is_left_out_aloud(changed, change, reason):
    change = {"resps": [["It is 4."]], "filtered_resps": ["4"]} | change
    with pytest.warns(UserWarning, match=rf"mine\.jsonl: 1 of 7 records are left out: {reason}"):
        assert len(read(changed(change))) == 6


def test_requests_without_answers_are_choices(changed):
    assert len(read(changed({"resps": [], "filtered_resps": ["4"], "exact_match": 1}))) == 7
