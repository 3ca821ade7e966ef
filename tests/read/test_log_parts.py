"""Tables that are read in parts: whatever the order of their rows, each model is what it is in the whole log."""

import gzip
import tempfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from moo_infer import MooInferError, Registry
from moo_infer.builtin.logs import Table
from moo_infer.calibrate import read_log
from moo_infer.calibrate.profiles import calibrated
from moo_infer.read.log_parts import log_parts

LOG = Path(__file__).parents[2] / "examples" / "log.csv"
REGISTRY = Registry(entry_points=False)
in_parts = partial(log_parts, scanned=Table().scanned)


def shuffled(path, ending, seed=1):
    """The example in another order and kind of file."""
    frame = pl.read_csv(LOG, infer_schema=False).sample(fraction=1, shuffle=True, seed=seed)
    if ending == "csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path, row_group_size=100)
    return path


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("rows", [1, 7, 5000])
def test_each_model_has_the_rows_of_the_whole_log(tmp_path, folders, ending, rows):
    path = shuffled(tmp_path / f"log.{ending}", ending) if rows > 1 else LOG
    whole = read_log(path, registry=REGISTRY)
    with in_parts([path], rows=rows if rows > 1 else 97) as parts:
        assert [*parts.models] == whole.models
        for model, log in zip(parts.models, parts.logs(), strict=True):
            own = whole.frame.filter(pl.col("model") == model)
            same = [name for name in log.frame.columns if name in own.columns]
            assert_frame_equal(log.frame.select(same), own.select(same), check_dtypes=False, categorical_as_str=True)
        assert parts.sources[0].sha256 == whole.sources[0].sha256
        assert parts.sources[0].rows == whole.sources[0].rows
    assert [*folders.iterdir()] == []


@pytest.mark.parametrize("kind", ["beta", "lognormal"])
def test_what_is_calibrated_is_the_same_to_the_last_bit(tmp_path, kind):
    from moo_infer.calibrate import ProfileOptions

    path = shuffled(tmp_path / "log.parquet", "parquet")
    options = ProfileOptions(inference=kind, B=50)
    whole = calibrated(read_log(path, registry=REGISTRY), options=options)
    with in_parts([path], rows=100) as parts:
        made = calibrated(parts, options=options)
    for one, other in zip(made, whole, strict=True):
        assert one.inference == other.inference
        assert one.largest_k == other.largest_k
        assert [*map(str, one.notes)] == [*map(str, other.notes)]
        for name in ("pass_at_k", "vote_at_k", "slowest_of_k_s"):
            mine, theirs = getattr(one.summary, name), getattr(other.summary, name)
            for of in ("value", "low", "high"):
                np.testing.assert_array_equal(getattr(mine, of), getattr(theirs, of), err_msg=f"{name}.{of}")


def test_some_models_alone_are_written(folders):
    with in_parts([LOG], models=["acme/large"]) as parts:
        assert [*parts.models] == ["acme/large"]
        assert len([*folders.rglob("*.parquet")]) == 1
    with pytest.raises(MooInferError, match="unknown model 'acme/lagre'"), in_parts([LOG], models=["acme/lagre"]):
        pass
    assert [*folders.iterdir()] == []


def test_models_of_several_files_are_those_of_the_whole(tmp_path):
    frame = pl.read_csv(LOG, infer_schema=False)
    paths = []
    for number, (_, own) in enumerate(frame.group_by("model", maintain_order=True)):
        paths.append(tmp_path / f"{number}.csv")
        own.write_csv(paths[-1])
    with in_parts(paths) as parts:
        assert [*parts.models] == frame["model"].unique(maintain_order=True).to_list()
        assert [source.file for source in parts.sources] == [*map(str, paths)]
    again = tmp_path / "again.csv"
    again.write_bytes(paths[0].read_bytes())
    sentence = r"again\.csv: 'acme/small' stands in .*0\.csv too"
    with pytest.raises(MooInferError, match=sentence), in_parts([paths[0], again]):
        pass


def written(tmp_path, text, name="log.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model,question_id,sample\nm,q,1\n", "missing correct"),
        ("model,question_id,sample,correct\nm,q,1,1\n ,q,2,1\n", "row 2: model is blank"),
        ("model,question_id,sample,correct\n", "holds no samples|no rows|empty"),
        ("model,question_id,sample,correct,wave\nm,q,1,1,0\nm,q,2,1,1\n", "later waves or cancelled calls"),
        ('[{"model": "m", "question_id": "q", "sample": 1, "correct": 1}]', "is JSON, and what is read in parts"),
    ],
)
def test_what_cannot_be_read_in_parts_is_refused_in_a_sentence(tmp_path, folders, text, sentence):
    path = written(tmp_path, text)
    with pytest.raises(MooInferError, match=sentence), in_parts([path]) as parts:
        [*parts.logs()]
    assert [*folders.iterdir()] == []


@pytest.mark.parametrize("bad", ["maybe", "2"])
def test_a_row_that_cannot_be_is_refused_as_in_the_whole(tmp_path, folders, bad):
    path = written(tmp_path, f"model,question_id,sample,correct\nm,q,1,1\nn,q,1,0\nn,q,2,{bad}\n")
    with pytest.raises(MooInferError, match=r"log\.csv: .*counted among those of 'n'"), in_parts([path]) as parts:
        [*parts.logs()]
    assert [*folders.iterdir()] == []


def test_a_sample_that_stands_twice_is_refused_as_in_the_whole(tmp_path):
    path = written(tmp_path, "model,question_id,sample,correct\nm,q,1,1\nn,q,1,1\nm,q,1,0\n")
    with pytest.raises(MooInferError):
        read_log(path, registry=REGISTRY)
    with pytest.raises(MooInferError), in_parts([path], rows=1) as parts:
        [*parts.logs()]


def test_models_that_were_not_asked_the_same_are_said(tmp_path):
    path = written(tmp_path, "model,question_id,sample,correct,target\nm,q,1,1,5\nn,q,1,0,6\n")
    with in_parts([path], rows=1) as parts:
        assert len(parts.remarks) == 1
        assert "target" in parts.remarks[0]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "log.csv: no such file"),
        (lambda path: path.mkdir(), "log.csv: must be a file, is a folder"),
        (lambda path: path.write_bytes(gzip.compress(LOG.read_bytes())), "log.csv: is packed, and tables"),
        (lambda path: path.write_bytes(zlib.compress(LOG.read_bytes())), "log.csv: is packed as Zstandard or zlib"),
    ],
)
def test_what_is_no_plain_file_is_refused(tmp_path, folders, make, sentence):
    make(tmp_path / "log.csv")
    with pytest.raises(MooInferError, match=sentence), in_parts([tmp_path / "log.csv"]):
        pass
    assert [*folders.iterdir()] == []
