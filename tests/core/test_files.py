"""Files are read once they are files, and written whole or not at all, whatever happens meanwhile."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import polars as pl
import pytest
import yaml

from moo_infer import MooInferError
from moo_infer.calibrate import read_log
from moo_infer.core.files import atomic_write, csv_rows, head, limited_text, panics_as_errors

ROOT = Path(__file__).parents[2]
LOG = ROOT / "examples" / "log.csv"
RUNS = "concurrency,input_tokens,output_tokens,ttft_s,latency_s\n" + "".join(
    f"{c},100,{50 + 7 * i},0.1,{0.1 + 0.01 * (50 + 7 * i) * (1 + c / 50)}\n" for c in (1, 4, 16) for i in range(9)
)
COMMAND = [sys.executable, "-m", "moo_infer"]


def started(*words, **options):
    return subprocess.Popen([*COMMAND, *map(str, words)], stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture(params=["pipe", "device", "folder", "loop", "long name", "nothing", "NUL"])
def no_file(request, tmp_path):
    place = tmp_path / "place"
    if request.param == "pipe":
        os.mkfifo(place)
    elif request.param == "folder":
        place.mkdir()
    elif request.param == "loop":
        place.symlink_to(place)
    return {"device": Path("/dev/zero"), "long name": tmp_path / ("x" * 300), "NUL": tmp_path / "a\0b"}.get(
        request.param, place
    )


@pytest.mark.parametrize("read", [head, lambda path: limited_text(path, 100)], ids=["head", "limited_text"])
def test_what_is_no_file_is_not_read(read, no_file):
    with pytest.raises(MooInferError, match="no such file|must be a file|cannot be read: |no name of a file"):
        read(no_file)


@pytest.mark.parametrize(
    "words",
    [
        ["calibrate", "FILE"],
        ["calibrate", "name=FILE"],
        ["calibrate", LOG, "--prices", "FILE"],
        ["calibrate", LOG, "--plugin-file", "FILE"],
        ["recommend", "--models", "FILE"],
        ["recommend", "--scenarios", "FILE"],
        ["recommend", "--plugin-file", "FILE"],
        ["models", "--models", "FILE"],
        ["fit-latency", "FILE"],
    ],
    ids=lambda words: " ".join(map(str, words)).replace(str(LOG), "LOG"),
)
def test_commands_say_in_one_sentence_what_is_no_file(words, no_file, cli):
    code, out, err = cli(*(str(word).replace("FILE", str(no_file)) for word in words))
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "Errno" not in err


@pytest.mark.parametrize(
    "words",
    [
        ["calibrate", LOG, "--out", "FILE.yaml"],
        ["recommend", "--out", "FILE.html"],
        ["recommend", "--plot", "FILE"],
        ["calibrate", LOG, "--table", "FILE.csv"],
        ["fit-latency", "RUNS", "--out", "FILE.yaml"],
    ],
    ids=lambda words: " ".join(map(str, words)).replace(str(LOG), "LOG"),
)
def test_commands_say_in_one_sentence_where_nothing_can_be_written(words, tmp_path, cli):
    (tmp_path / "file").write_text("")
    places = ["x" * 300, "file/x", "loop/x", "loop", *([] if "--plot" in words else ["nowhere/x", "folder"])]
    for ending in ("", ".yaml", ".html", ".csv"):
        (tmp_path / f"loop{ending}").symlink_to(tmp_path / f"loop{ending}")
        (tmp_path / f"folder{ending}").mkdir()
    (tmp_path / "runs.csv").write_text(RUNS)
    before = sorted(path.name for path in tmp_path.iterdir())
    for place in places:
        given = (str(word).replace("RUNS", str(tmp_path / "runs.csv")) for word in words)
        code, out, err = cli(*(word.replace("FILE", str(tmp_path / place)) for word in given))
        assert (code, out) == (2, ""), place
        assert len(err.splitlines()) == 1
        assert ".moo-infer-" not in err, "the place that was named, and not the draft beside it"
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "loop.yaml").is_symlink()


def test_the_ending_of_a_table_is_asked_for_before_the_work(cli, tmp_path):
    code, out, err = cli("calibrate", tmp_path / "missing.csv", "--table", tmp_path / "table")
    assert (code, out) == (2, "")
    assert err.startswith(f"moo-infer: {tmp_path / 'table'}: must end in one of .csv, ")


def test_prices_that_are_named_blank_are_not_left_out(cli):
    code, out, err = cli("calibrate", LOG, "--bootstrap", "2", "--prices", "")
    assert (code, out, err) == (2, "", "moo-infer: .: must be a file, is a folder\n")


def test_a_link_that_is_written_to_stays_one(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    link.symlink_to(target)
    with atomic_write(link) as place:
        place.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_the_samples_that_an_old_profile_drew_from_go_with_it(cli, tmp_path):
    out = tmp_path / "p.yaml"
    for words in ((), ("--model", "acme/small"), ("--model", "acme/small")):
        assert cli("calibrate", LOG, "--bootstrap", "2", "--out", out, *words)[0] == 0
        (samples,) = tmp_path.glob("*.parquet")
        named = {model["inference"]["samples"] for model in yaml.safe_load(out.read_text())["models"].values()}
        assert named == {samples.name}
    code, _, err = cli("calibrate", samples, "--bootstrap", "2", "--out", out)
    assert code == 2
    assert "would overwrite what is read" in err


@pytest.mark.parametrize("what", ["calibrate --out", "recommend --out", "recommend --plot", "fit-latency --out"])
def test_who_is_killed_while_writing_leaves_the_old_result_or_the_new_one(what, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import kills

    old, new, place = kills.commands(tmp_path)[what]
    rng = random.Random(0)
    left = kills.killed(old, new, place, [rng.uniform(0.7, 1.1) for _ in range(3)])
    assert left["old"] + left["new"] == 3


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.8])
def test_who_stops_a_command_gets_one_sentence_also_while_it_is_loading(after_s):
    words = ["recommend", "--trials", "300000", "--estimator", "monte-carlo"]
    begin = "import signal, contextlib; print('begun', flush=True); from moo_infer.__main__ import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", begin, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"  # before, it is Python that is stopped
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "moo-infer: stopped\n")


def test_who_is_told_to_end_leaves_no_draft_behind(tmp_path):
    (tmp_path / "work").mkdir()
    process = started("paper", "--plot", tmp_path / "work" / "p", stdout=subprocess.PIPE)
    for _ in range(600):  # until it draws
        if [*(tmp_path / "work").glob(".moo-infer-*/pictures/*")]:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (143, "", "moo-infer: stopped\n")
    assert not [*(tmp_path / "work").iterdir()]


@pytest.mark.parametrize("place", ["module", "hook"])
def test_who_is_told_to_end_while_a_plugin_is_loaded_ends(tmp_path, place):
    """A plugin that ends the process by itself is skipped, or refused; a signal is no doing of the plugin."""
    end = "os.kill(os.getpid(), signal.SIGTERM)"
    text = "import os, signal\nfrom moo_infer import hookimpl\n@hookimpl\ndef register_selectors():\n"
    text += f"    {end}\n    return []\n" if place == "hook" else f"    return []\n{end}\n"
    (tmp_path / "my.py").write_text(text)
    process = started("plugins", "--plugin-file", tmp_path / "my.py", stdout=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (143, "", "moo-infer: stopped\n")


def test_signals_that_a_shell_has_ignored_stay_ignored():
    command = f"""trap '' TERM INT; "{sys.executable}" -m moo_infer scenarios & p=$!
        for i in 1 2 3 4 5 6 7 8 9; do kill -TERM $p; kill -INT $p; sleep 0.02; done; wait $p"""
    call = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert call.returncode == 0
    assert "essay-feedback" in call.stdout


def test_who_has_closed_standard_output_or_error_gets_the_right_exit_code():
    for redirected, code, said in (
        (">&-", 2, "moo-infer: cannot write the answer: standard output is closed\n"),
        ("2>&- >/dev/null", 0, ""),
        (">/dev/full", 2, "moo-infer: cannot write the answer: No space left on device\n"),
    ):
        call = subprocess.run(
            ["sh", "-c", f'"{sys.executable}" -m moo_infer scenarios {redirected}'],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (call.returncode, call.stdout, call.stderr) == (code, "", said)


def test_a_panic_is_an_error_of_polars_and_its_report_does_not_reach_standard_error(capfd):
    def panic():
        with panics_as_errors():
            os.write(2, b"thread 'async-executor-1' panicked at crates/polars:\n")
            raise pl.exceptions.PanicException("called `Option::unwrap()` on a `None` value")

    with pytest.raises(pl.exceptions.ComputeError, match="it is damaged"):
        panic()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


@pytest.mark.parametrize("error", [None, pl.exceptions.ComputeError("no"), KeyboardInterrupt()], ids=repr)
def test_what_else_is_written_while_polars_reads_reaches_standard_error(capfd, error):
    with contextlib.suppress(pl.exceptions.ComputeError, KeyboardInterrupt), panics_as_errors(), panics_as_errors():
        os.write(2, b"meanwhile, ")
        if error is not None:
            raise error
    os.write(2, b"after")
    assert capfd.readouterr().err == "meanwhile, after"


def test_polars_reads_where_standard_error_is_closed():
    words = "import os; os.close(2); from moo_infer.calibrate import read_log; import sys; read_log(sys.argv[1])"
    assert subprocess.run([sys.executable, "-c", words, LOG], check=False).returncode == 0


def test_damaged_parquet_is_read_or_refused_in_one_sentence(tmp_path, capfd):
    path = tmp_path / "log.parquet"
    pl.read_csv(LOG).head(40).write_parquet(path)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    places = {**dict.fromkeys(range(98, footer, 14), 0xFF), **dict.fromkeys(range(footer + 1, len(whole), 18), 1)}
    refused = 0
    for place, mask in places.items():  # polars 2.1 panics at three pages and at two schemas
        path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read_log(path)
            except MooInferError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > 50
    assert capfd.readouterr().err == ""


def test_rows_of_a_csv_know_the_lines_they_end_at():
    rows = list(csv_rows([(2, 'a,"b\n'), (3, 'c"\n'), (7, "d,e\rf\n"), (8, " , x\n")]))
    assert [(number, row if isinstance(row, list) else str(row)) for number, row in rows] == [
        (3, ["a", "b\nc"]),
        (7, "is no CSV: a line ends within a field"),
        (8, [" ", " x"]),
    ]
    with pytest.raises(MooInferError, match="line 9: is no CSV: a quote does not end"):
        list(csv_rows([(8, "a,b\n"), (9, '"a,b')]))
