"""Files of a run: lines are added whole, and a disk that takes no more stops the run before the next call."""

import errno
import json
import os

import pytest
from live_runs import Runs, lines, profile, questions, quick, right_or_wrong, said_again

from moo_infer.builtin.policies import Fixed
from moo_infer.core.errors import MooInferError
from moo_infer.policy.live import journal
from moo_infer.policy.live.inference import Stopped
from moo_infer.policy.live.journal import Journal, LineFile, journal_of, number_of
from moo_infer.testing import FakeEndpoint

write, fsync = os.write, os.fsync


@pytest.fixture(autouse=True)
def in_no_time():
    with quick():
        yield


@pytest.fixture
def line_file(tmp_path):
    file = LineFile(tmp_path / "lines.jsonl")
    yield file
    file.close()


class Disk:
    """A disk that takes so many bytes of files with a name, and no more."""

    def __init__(self, patch, ending, takes):
        self.ending, self.left = ending, takes
        patch.setattr(os, "write", self.write)

    def write(self, descriptor, content):
        try:
            path = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            path = ""
        if not path.endswith(self.ending):
            return write(descriptor, content)
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = write(descriptor, bytes(content)[: self.left])
        self.left -= taken
        return taken


def test_lines_are_there_at_once_and_whole(line_file):
    line_file.add({"a": "é\n"}, {"b": 1})
    assert lines(line_file.path) == [{"a": "é\n"}, {"b": 1}]
    assert list(line_file.lines()) == ['{"a": "é\\n"}'.encode(), b'{"b": 1}']


def test_of_lines_that_do_not_fit_none_is_there(line_file, monkeypatch):
    line_file.add({"a": 1})
    Disk(monkeypatch, "lines.jsonl", 12)
    with pytest.raises(Stopped, match="cannot be written: No space left on device") as error:
        line_file.add({"b": 2}, {"c": 3})
    assert error.value.reason == "disk"
    assert lines(line_file.path) == [{"a": 1}]


def test_what_is_written_in_parts_is_written_whole(line_file, monkeypatch):
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
    line_file.add({"a": "b" * 50}, {"c": 1})
    assert lines(line_file.path) == [{"a": "b" * 50}, {"c": 1}]


@pytest.mark.parametrize("torn", [b"", b"x", b"x" * 200_000, b'{"b": 2}'])
@pytest.mark.parametrize("whole", [b"", b'{"a": 1}\n', b'{"a": 1}\n' * 20_000])
def test_a_torn_last_line_is_dropped_and_its_bytes_are_counted(whole, torn, line_file):
    line_file.path.write_bytes(whole + torn)
    assert line_file.drop_torn_line() == len(torn)
    assert line_file.path.read_bytes() == whole


def test_a_file_is_private_where_it_shall_be_although_it_was_not(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.touch(0o644)
    LineFile(path, private=True).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(MooInferError, match="cannot be written: No such file or directory"):
        LineFile(tmp_path / "no" / "log.jsonl")


def test_a_failing_sync_is_said_once(line_file, monkeypatch):
    line_file.add({"a": 1})

    def failing(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(Stopped, match="cannot be brought to the disk") as error:
        line_file.sync()
    assert error.value.reason == "disk"
    line_file.sync()


def test_a_journal_reads_what_it_wrote(tmp_path):
    first = Journal(LineFile(tmp_path / "log.jsonl.journal"))
    question = questions(1)[0]
    first.file.add({"schema": 1})
    for call, tries in (("ab-0", 1), ("ab-1", 3), ("ab-7", 2), ("ab-2", 1)):
        for left in reversed(range(tries)):
            first.sent(call, "small", question, 4, 0.5, "now")
            if left:
                first.lost(call, 0.25 * left)
    first.brings("ab-1", 3)
    first.brings("ab-0", 4)
    again = Journal(first.file)
    (_, *written) = first.file.lines()
    assert again.read(written) == 7
    assert again.open == first.open
    assert (again.calls, again.open["ab-1"].rows, again.open["ab-1"].usd) == (8, 3, [0.5, 0.25, 0.5])
    assert (again.lost_requests, again.lost_usd) == (7, 0.5 * 4 + 0.5 + 0.25 + 0.25)
    assert again.lost_by_question() == {"q0": again.lost_usd}
    for call in [*again.open]:
        again.ended(call)
    again.ended("")
    assert (again.lost_requests, again.lost_usd, again.lost_by_question()) == (0, 0.0, {})
    first.file.close()


@pytest.mark.parametrize("call", ["", "ab", "ab-", "-1", "ab-x", "ab--1.5", "ab-²", "ab-1 "])
def test_what_is_no_id_of_a_call_has_no_number(call):
    with pytest.raises(ValueError, match="no id of a call"):
        number_of(call)


# Bytes that the disk takes of each file: the first lines, some, and all but the last ones.
@pytest.mark.parametrize("takes", [400, 1000, 1500])
@pytest.mark.parametrize("ending", ["log.jsonl", "log.jsonl.journal", "answers.jsonl", "texts.jsonl"])
def test_a_full_disk_stops_before_the_next_call_and_the_same_command_goes_on(ending, takes, tmp_path, monkeypatch):
    with FakeEndpoint(right_or_wrong(), delay_s=0.01) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url, shape="n"),), n=12, texts=True)
        with monkeypatch.context() as patch:
            Disk(patch, ending, takes)
            first = runs.go()
        report = first.to_dict()
        assert first.stopped == "disk"
        assert f"{ending}: cannot be written: No space left on device" in first.sentence
        assert fake.requests == report["requests"] == sum(row["requests"] for row in runs.rows) + first.lost_requests
        assert first.spent_usd >= runs.bill(fake) * (1 - 1e-9)
        assert report["answered"] + len(set(report["unanswered"])) == 12
        assert len(report["unanswered"]) == len(set(report["unanswered"]))
        assert first.lost_requests <= 2  # those that were on their way when the log took no more
        again = runs.go()
        assert again.stopped is None
        assert (again.lost_requests, again.lost_usd) == (first.lost_requests, pytest.approx(first.lost_usd))
        assert again.to_dict()["answered"] == len(runs.answers) == 12
        assert len({(row["question_id"], row["sample"]) for row in runs.rows}) == len(runs.rows)
        assert fake.requests == again.to_dict()["requests"]


def test_a_disk_that_fails_to_sync_stops_the_run(tmp_path, monkeypatch):
    with FakeEndpoint(right_or_wrong(), delay_s=0.05) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), n=50)

        def failing(descriptor):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            first = runs.go()
        assert (first.stopped, first.lost_requests) == ("disk", 0)
        assert len(runs.rows) == fake.requests < 100
        assert runs.go().to_dict()["answered"] == 50


def test_a_wave_of_many_rows_is_synced_together(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), fsync(descriptor)))
    with FakeEndpoint(right_or_wrong()) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), Fixed(8, model="small"), n=20)
        runs.go()
        assert fake.requests == 160
    assert 3 <= len(synced) < 160


def test_the_journal_stands_beside_its_log(tmp_path):
    assert journal_of(tmp_path / "a.jsonl") == tmp_path / "a.jsonl.journal"
    assert journal.SYNC_S <= 0.2


def test_the_journal_has_a_line_before_its_request_is_sent(tmp_path):
    runs = None

    def answers(request):
        started = [json.loads(line) for line in runs.journal.read_text().splitlines() if "largest_usd" in line]
        return "42" if len(started) > request.total else "too late"

    with FakeEndpoint(answers) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), Fixed(4, model="small"), n=5)
        assert runs.go().tally.accuracy == 1.0


def test_it_says_the_same_of_lost_requests_when_it_goes_on(tmp_path):
    with FakeEndpoint(right_or_wrong(), faults=["500", "429", None, "503", "dropped"], retry_after_s=0.0) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), Fixed(2, model="small"), n=3)
        first = runs.go(budget=4 * runs.largest_usd())
        assert first.stopped == "budget"
        assert said_again(runs.go(budget=0.0)) == said_again(first)
