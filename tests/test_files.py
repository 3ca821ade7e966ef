import gzip

import pytest

from moo_infer import MooInferError, Registry
from moo_infer.calibrate import read_log

REGISTRY = Registry(entry_points=False)
HEADER = "model,question_id,sample,correct\n"
ROWS = "m,q1,1,1\nm,q1,2,0\n"


def read(*paths, **options):
    return read_log(list(paths), registry=REGISTRY, **options)


def test_a_byte_order_mark_spaces_in_the_header_and_windows_lines_are_read(file):
    text = "\ufeffmodel, question_id ,sample,correct\r\nm,q1,1,1\r\n"
    assert read(file(text)).frame.row(0) == ("m", "q1", 1, True)


@pytest.mark.parametrize("name", ["log.csv.gz", "log.jsonl.gz", "log"])
def test_a_gzip_that_is_cut_off_is_refused(file, name):
    line = '{"model": "m", "question_id": "q", "sample": %d, "correct": 1}\n' if "json" in name else "m,q,%d,1\n"
    text = ("" if "json" in name else HEADER) + "".join(line % i for i in range(50_000))
    whole = gzip.compress(text.encode())
    half = len(whole) // 2
    assert len(read(file(whole, name)).frame) == 50_000
    with pytest.raises(MooInferError, match=r"log.*: the gzip is cut off after line \d+"):
        read(file(whole[:-40], name))
    with pytest.raises(MooInferError, match=r"log.*: (the gzip is damaged after line \d+|line \d+: is no JSON)"):
        read(file(whole[:half] + b"\xff" * 1000 + whole[half + 1000 :], name))
    with pytest.raises(MooInferError, match=r"log.*: is no valid gzip"):
        read(file(b"\x1f\x8b" + bytes(100), name))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_other_encodings_are_refused(file, encoding, name):
    text = HEADER + "m,é,1,1\n"
    if name == "log.jsonl":
        text = '{"model": "m", "question_id": "é", "sample": 1, "correct": 1}\n'
    with pytest.raises(MooInferError, match=rf"{name}: (line \d: )?must be UTF-8 text"):
        read(file(text.encode(encoding), name), format="table")


def test_a_parquet_that_is_cut_off_is_refused(file, tmp_path):
    read(file(HEADER + ROWS)).write(tmp_path / "log.parquet")
    with pytest.raises(MooInferError, match=r"cut\.parquet: cannot be read: .*must end with PAR1"):
        read(file((tmp_path / "log.parquet").read_bytes()[:-30], "cut.parquet"))


def test_no_files_are_refused(tmp_path):
    with pytest.raises(MooInferError, match="must be a file, is a folder"):
        read(tmp_path)
    with pytest.raises(MooInferError, match=r"none\.csv: no such file"):
        read(tmp_path / "none.csv")
