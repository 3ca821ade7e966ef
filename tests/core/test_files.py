"""Files are read once they are files, and written whole or not at all, whatever happens meanwhile."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from moo_infer import MooInferError
from moo_infer.core.files import aside, head, limited_text

ROOT = Path(__file__).parents[2]
LOG = ROOT / "examples" / "log.csv"
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
        ["recommend", "--html", "FILE.html"],
        ["calibrate", LOG, "--table", "FILE.csv"],
    ],
)
def test_commands_say_in_one_sentence_where_nothing_can_be_written(words, tmp_path, cli):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in ("x" * 300, "nowhere/x", "file/x", "loop/x"):
        code, out, err = cli(*(str(word).replace("FILE", str(tmp_path / place)) for word in words))
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop"]


def test_a_link_that_is_written_to_stays_one(tmp_path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    link.symlink_to(target)
    with aside(link) as place:
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


def pair(out):
    """What profiles say and the samples they draw from."""
    text = out.read_text()
    (name,) = {model["inference"]["samples"] for model in yaml.safe_load(text)["models"].values()}
    return text, (out.parent / name).read_bytes()


def test_who_is_killed_while_writing_leaves_the_old_profiles_or_the_new_ones(cli, tmp_path):
    out, words = (
        tmp_path / "p.yaml",
        ("calibrate", LOG, "--bootstrap", "2", "--k-max", "2", "--out", tmp_path / "p.yaml"),
    )
    assert cli(*words)[0] == 0
    new = pair(out)
    assert cli(*words, "--model", "acme/small")[0] == 0
    old = pair(out)
    start = time.perf_counter()
    first = started(*words, stdout=subprocess.DEVNULL)
    first.communicate()
    assert first.returncode == 0
    took, rng = time.perf_counter() - start, random.Random(0)
    for _ in range(6):
        assert cli(*words, "--model", "acme/small")[0] == 0
        process = started(*words, stdout=subprocess.DEVNULL)
        time.sleep(took * rng.uniform(0.6, 1.1))
        process.kill()
        process.communicate()
        assert pair(out) in (old, new)


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.8])
def test_who_stops_a_command_gets_one_sentence_also_while_it_is_loading(after_s):
    process = started("recommend", "--trials", "300000", "--estimator", "monte-carlo", stdout=subprocess.PIPE)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "moo-infer: stopped\n")


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
