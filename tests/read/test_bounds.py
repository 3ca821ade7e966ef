"""Files that are small on disk and large unpacked are refused before anything of them is kept."""

import gzip
import json
import random
import zipfile
import zlib

import polars as pl
import pytest

from moo_infer import MooInferError
from moo_infer.core.files import limited_text
from moo_infer.read.bounds import allowed_bytes, refuse_more, zstandard_bound
from moo_infer.read.parquet import page_sizes, unpacked_bytes

HEADER = b"model,question_id,sample,correct\n"
MIB = 2**20


def zstandard(length):
    """A frame of Zstandard that says one letter `length` times, in four bytes for 128 KiB (RFC 8878)."""
    blocks = []
    for start in range(0, length, 2**17):
        part = min(2**17, length - start)
        blocks.append((int(start + part >= length) | 1 << 1 | part << 3).to_bytes(3, "little") + b"1")
    return b"\x28\xb5\x2f\xfd\xa0" + length.to_bytes(4, "little") + b"".join(blocks)


def refused(cli, *words):
    """The one sentence of a refusal."""
    code, out, err = cli("calibrate", *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert len(err) < 500
    return err


@pytest.fixture
def archive(tmp_path):
    """Writes a ZIP log with one sample, its members by name."""

    def write(packed=zipfile.ZIP_DEFLATED, **members):
        path = tmp_path / "log.eval"
        with zipfile.ZipFile(path, "w", packed) as archive:
            header = {"version": 2, "status": "success", "eval": {"model": "m", "task": "t"}}
            archive.writestr("header.json", json.dumps(header))
            for name, text in members.items():
                archive.writestr(f"samples/{name}_epoch_1.json", text)
        return path

    return write


def sample(identity, text=""):
    scores = {"match": {"value": "C", "answer": "4"}}
    return json.dumps({"id": identity, "epoch": 1, "input": text, "scores": scores, "model_usage": {}})


def test_a_member_that_unpacks_to_a_thousand_times_its_size_is_refused(archive, cli):
    said = refused(cli, archive(a=sample("a", "x" * (100 * MIB))))
    assert "unpacks from" in said
    assert "--max-log-bytes" in said


def test_many_members_that_are_large_together_are_refused(archive, cli):
    assert "unpacks from" in refused(cli, archive(**{f"a{i}": sample(f"a{i}", "x" * MIB) for i in range(40)}))


def test_who_allows_more_bytes_reads_more(archive, cli):
    path = archive(a=sample("a", "x" * (30 * MIB)))
    refused(cli, path)
    code, out, err = cli("calibrate", path, "--max-log-bytes", str(2**27), "--json")
    assert code == 0, err
    assert json.loads(out)["models"][0]["samples"] == 1


def test_a_directory_that_promises_less_than_a_member_unpacks_to_is_damaged(archive, cli):
    path = archive(a=sample("a", "x" * (40 * MIB)))
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as found:
        size = found.getinfo("samples/a_epoch_1.json").file_size
    path.write_bytes(whole.replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert "damaged" in refused(cli, path)


def test_blocks_of_zstandard_that_stand_for_more_than_the_directory_has_are_not_unpacked(archive, cli):
    path = archive(zipfile.ZIP_STORED, a=zstandard(500 * MIB))
    whole = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):  # how it is packed, in both directories
        place = whole.rfind(mark)
        whole[place + at : place + at + 2] = (93).to_bytes(2, "little")
    path.write_bytes(whole)
    assert "up to 524,288,000 bytes" in refused(cli, path)


def test_the_bound_of_zstandard_counts_what_frames_say(archive):
    assert zstandard_bound(zstandard(10)) == 10
    assert zstandard_bound(zstandard(2**18) + zstandard(5)) == 2**18 + 5
    skipped = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    assert zstandard_bound(skipped + zstandard(7)) == 7
    assert zstandard_bound(b"") == zstandard_bound(b"no frame") == 0
    for end in range(40):  # cut off anywhere
        assert zstandard_bound(zstandard(2**18)[:end]) <= 2**18


@pytest.mark.parametrize("name", ["log.jsonl.gz", "log.csv.gz", "log"])
def test_a_gzip_that_unpacks_to_a_thousand_times_its_size_is_refused(name, cli, tmp_path):
    line = b'{"model": "m", "question_id": "q", "sample": 1, "correct": 1}\n'
    path = tmp_path / name
    path.write_bytes(gzip.compress(line * (20 * MIB // len(line))))
    assert "unpacks from" in refused(cli, path)


@pytest.mark.parametrize("pack", [zlib.compress, lambda text: b"\x28\xb5\x2f\xfd" + text])
def test_what_polars_would_unpack_unasked_is_refused(pack, cli, tmp_path):
    """It unpacks zlib and Zstandard, of which nobody has counted the bytes."""
    path = tmp_path / "log.csv"
    path.write_bytes(pack(HEADER + b"m,q,1,1\n" * (MIB // 8)))
    assert "is packed as Zstandard or zlib, which is not read; gzip is" in refused(cli, path, "--format", "table")


def test_a_text_may_begin_as_zlib_does(cli, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("x^2,model,question_id,sample,correct\n4,m,q,1,1\n4,m,q,2,0\n")
    assert cli("calibrate", path, "--json")[0] == 0


def test_the_members_of_a_gzip_count_together(cli, tmp_path):
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(HEADER) + gzip.compress(b"m,q,1,1\n" * (MIB // 8)) * 40)
    assert "unpacks from" in refused(cli, path)


def test_a_gzip_within_bounds_that_is_cut_off_or_damaged_is_called_so(cli, tmp_path):
    path = tmp_path / "log.csv.gz"
    whole = gzip.compress(HEADER + b"".join(b"m,q%d,1,1\n" % i for i in range(20000)))
    path.write_bytes(whole[:-20])
    assert "cut off" in refused(cli, path)


@pytest.mark.parametrize("begins", [HEADER, b'{"model": "m", "question_id": "', b'[{"model": "m", "question_id": "'])
def test_one_line_of_a_gigabyte_is_refused(begins, cli, tmp_path):
    path = tmp_path / "log.csv"
    with path.open("wb") as file:  # a sparse file, which takes no room
        file.write(begins)
        file.truncate(2**30)
    assert "has a line of more than 268,435,456 bytes" in refused(cli, path)


def test_a_file_larger_than_allowed_is_refused_without_being_read(cli, tmp_path):
    path = tmp_path / "log.csv"
    with path.open("wb") as file:
        file.write(HEADER)
        file.truncate(2**40)
    assert "has 1,099,511,627,776 bytes, of which 1,073,741,824 are allowed" in refused(cli, path)


def test_lines_are_measured_across_blocks(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(HEADER + b"x" * 3 * MIB + b"\n" + b"y" * MIB)
    refuse_more(path, 13 * MIB)
    with pytest.raises(MooInferError, match="has a line of more than 2,621,440 bytes"):
        refuse_more(path, 10 * MIB)
    with pytest.raises(MooInferError, match="has 4,194,338 bytes, of which 1,048,576 are allowed"):
        refuse_more(path, MIB)


def test_small_files_and_ratios_of_real_logs_are_allowed():
    assert allowed_bytes(1000) == 2**24
    assert allowed_bytes(10**6) == 4 * 10**7
    assert allowed_bytes(10**9) == 2**30
    assert allowed_bytes(10**9, 10) == 10


def test_small_files_are_read_to_their_bound(tmp_path):
    path = tmp_path / "small"
    path.write_text("äb")
    assert limited_text(path, 3) == "äb"
    with pytest.raises(MooInferError, match="has more than 2 bytes"):
        limited_text(path, 2)


def test_yaml_larger_than_any_that_makes_sense_is_refused(cli, tmp_path):
    path = tmp_path / "profiles.yaml"
    path.write_text("models: {}\n" + "# x\n" * 2**21)
    code, out, err = cli("recommend", "--models", path)
    assert (code, out) == (2, "")
    assert "has more than 8,388,608 bytes" in " ".join(err.split())


def test_a_table_of_few_bytes_and_many_rows_is_refused(cli, tmp_path):
    path = tmp_path / "log.parquet"
    rows = {"model": "m", "question_id": "q", "sample": 1, "correct": 1}
    pl.select(pl.repeat(value, 20_000_000).alias(name) for name, value in rows.items()).write_parquet(path)
    assert "has 20,000,000 rows, of which 16,777,216 are allowed" in refused(cli, path)


ROWS = 20_000
LONG = 60_000  # characters of a text that stands in every row


def table(path, rows=ROWS, **columns):
    """Write a table as Parquet, its columns as expressions over row numbers."""
    i = pl.int_range(rows)
    usual = {"model": pl.lit("m"), "question_id": (i // 4).cast(pl.String), "sample": i % 4 + 1, "correct": i % 2}
    pl.select(i.alias("i")).select(**usual | columns).drop("i", strict=False).write_parquet(path)
    return path


@pytest.mark.parametrize(
    "columns",
    [
        {"answer": pl.lit("x" * LONG)},
        {"answer": pl.lit("x" * LONG).cast(pl.Categorical)},
        {"model": pl.lit("x" * LONG)},
        {"question_id": pl.lit("x" * LONG), "sample": pl.int_range(ROWS)},
        {"correct": pl.struct(right=pl.lit("x" * LONG))},
        {"correct": pl.concat_list(pl.lit("x" * LONG))},
    ],
    ids=["answer", "categories", "model", "question", "mapping", "list"],
)
def test_texts_of_parquet_count_as_often_as_they_stand_there(columns, cli, tmp_path):
    path = table(tmp_path / "log.parquet", **columns)
    assert path.stat().st_size < 600_000
    said = refused(cli, path)
    assert "unpacks to texts and lists of 1,200," in said or "has pages that unpack to more than" in said


def test_pages_of_parquet_are_not_unpacked_where_their_headers_promise_too_much(cli, tmp_path):
    one = table(tmp_path / "one.parquet", 20, answer=pl.int_range(20).cast(pl.String) + "x" * (20 * MIB))
    assert "has a page that unpacks to 419," in refused(cli, one)
    many = table(tmp_path / "many.parquet", 2000, answer=pl.int_range(2000).cast(pl.String) + "x" * 10_000)
    assert "has pages that unpack to more than the 16,777,216" in refused(cli, many, "--max-log-bytes", 2**24)
    assert cli("calibrate", many, "--bootstrap", 2)[0] == 0


def test_columns_of_parquet_that_are_not_read_do_not_count_as_texts(cli, tmp_path):
    assert cli("calibrate", table(tmp_path / "log.parquet", transcript=pl.lit("x" * LONG)), "--bootstrap", 2)[0] == 0


def test_sizes_of_pages_and_of_texts_are_what_polars_writes_and_reads(tmp_path):
    path = table(tmp_path / "log.parquet", 1000, answer=pl.int_range(1000).cast(pl.String).str.pad_start(100, "x"))
    assert 100_000 < sum(page_sizes(path)) < 150_000
    frame = pl.LazyFrame(
        {
            "text": ["ab", None, "c"],
            "list": [["a", "bc"], [], None],
            "number": [1, 2, None],
            "bytes": [b"12", b"", None],
        }
    )
    assert unpacked_bytes(frame) == 3 + (3 + 2 * 8) + 2 * 8 + 2
    assert unpacked_bytes(frame.select(pl.struct("text", "number"))) == 3 + 2 * 8 + 3 * 8
    assert unpacked_bytes(pl.LazyFrame()) == 0


def test_headers_of_parquet_that_are_damaged_end_the_count(tmp_path):
    path = table(tmp_path / "log.parquet", 100)
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice([len(damaged), rng.randrange(len(damaged))])])
        assert len(list(page_sizes(path))) < 1000


@pytest.mark.parametrize(
    "field", [b"\x19\x05", b"\x1b\x00", b"\x18\x01a", b"\x11", b"\x15\x01"], ids=["list", "map", "text", "true", "-1"]
)
def test_a_page_whose_size_is_no_size_ends_the_count(field, tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"number": [1]}).write_parquet(path, compression="uncompressed", statistics=False)
    data = bytearray(path.read_bytes())
    page = data.index(b"\x15", 4)  # its header opens with the kind of page, then come two sizes
    assert len(list(page_sizes(path))) >= 1
    path.write_bytes(data[: page + 2] + field + data[page + 2 :])
    assert list(page_sizes(path)) == []
