"""Signals: nothing is begun any more, what is on its way is awaited, and the same command goes on."""

import os
import signal
import threading
import time

import pytest
from forks import WITHIN
from live_runs import Runs, profile, quick, right_or_wrong

from moo_infer.builtin.policies import Fixed
from moo_infer.policy.live import run
from moo_infer.testing import FakeEndpoint

BOTH = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def in_no_time(interruptible):
    with quick():
        yield


def when(condition, act):
    """Do something in another thread once a condition holds."""

    def wait():
        end = time.monotonic() + WITHIN
        while not condition() and time.monotonic() < end:
            time.sleep(0.001)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("number", BOTH)
def test_calls_on_their_way_are_awaited_and_have_their_rows(number, tmp_path):
    with FakeEndpoint(right_or_wrong(), delay_s=0.3) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), n=10)
        runs.options["parallelism"] = 3
        before = signal.getsignal(number)
        told = when(lambda: fake.requests >= 3, lambda: os.kill(os.getpid(), number))
        result = runs.go()
        told.join()
        assert signal.getsignal(number) == before
        assert (result.stopped, fake.requests, fake.answered) == ("signal", 3, 3)
        assert (len(runs.rows), result.lost_requests) == (3, 0)
        assert result.spent_usd == pytest.approx(runs.bill(fake))
        assert len(runs.answers) == 10
        assert {line["ending"] for line in runs.answers} <= {"stopped", "answered"}
    with FakeEndpoint(right_or_wrong()) as fake:
        runs.profiles = (profile(fake.base_url),)
        assert (runs.go().to_dict()["answered"], runs.go().stopped) == (10, None)
        assert fake.requests == len(runs.rows) - 3


def test_a_second_signal_ends_it_at_once_and_what_was_on_its_way_counts(tmp_path):
    with FakeEndpoint(right_or_wrong(), delay_s=30.0) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), n=4)
        stop = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
        first = when(lambda: fake.requests >= 2, stop)
        second = when(lambda: any("second signal" in sentence for sentence in runs.said), stop)
        result = runs.go()
        first.join(), second.join()
        assert (result.stopped, result.lost_requests) == ("signal", 2)
        assert result.lost_usd == pytest.approx(2 * runs.largest_usd())
        assert (len(runs.rows), len(runs.answers)) == (0, 4)
    with FakeEndpoint(right_or_wrong()) as fake:
        runs.profiles = (profile(fake.base_url),)
        again = runs.go()
        assert (again.lost_requests, again.lost_usd) == (2, pytest.approx(2 * runs.largest_usd()))
        assert again.to_dict()["answered"] == 4


@pytest.mark.parametrize("billed", [True, False])
def test_after_the_time_of_grace_calls_are_cancelled_and_count(billed, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "GRACE_S", 0.05)
    with FakeEndpoint(right_or_wrong(), delay_s=30.0) as fake:
        own = profile(fake.base_url, billed_when_cancelled=billed)
        runs = Runs(tmp_path, (own,), Fixed(1, model="small"), n=3)
        when(lambda: fake.requests >= 2, lambda: os.kill(os.getpid(), signal.SIGTERM))
        result = runs.go(budget=0.0)
        assert result.stopped == "budget"
        result = runs.go()
        assert (result.stopped, result.lost_requests) == ("signal", 2)
        assert result.lost_usd == pytest.approx(2 * runs.largest_usd() * billed)
        with runs.live().files as files:
            files.read(runs.live().questions, print)
            assert (files.journal.lost_requests, files.journal.lost_usd) == (2, pytest.approx(result.lost_usd))


def test_a_signal_during_back_off_ends_it_without_another_try(tmp_path, monkeypatch):
    with FakeEndpoint(right_or_wrong(), faults=["503"] * 9, retry_after_s=100.0) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), Fixed(1, model="small"), n=2)
        when(lambda: fake.requests >= 2 and not fake.in_flight, lambda: os.kill(os.getpid(), signal.SIGINT))
        first = runs.go()
        assert (first.stopped, first.lost_requests, fake.requests) == ("signal", 2, 2)
        with runs.live().files as files:
            files.read(runs.live().questions, print)
            assert (files.journal.lost_requests, files.journal.lost_usd) == (2, pytest.approx(first.lost_usd))


def test_a_first_signal_is_soft_whatever_stopped_the_run_before(tmp_path):
    """A server that refuses the key ends it with others still on their way."""

    with FakeEndpoint(right_or_wrong(), faults=lambda r: "echo-401" if r.total == 1 else None, delay_s=0.4) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), n=2)
        told = when(lambda: fake.requests >= 2, lambda: os.kill(os.getpid(), signal.SIGINT))
        result = runs.go()
        told.join()
        assert result.stopped in ("endpoint", "signal")
        assert (fake.answered, len(runs.rows), result.lost_requests) == (1, 1, 1)


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    """As a shell has it for what runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with FakeEndpoint(right_or_wrong(), delay_s=0.02) as fake:
            runs = Runs(tmp_path, (profile(fake.base_url),))
            told = when(lambda: fake.requests > 1, lambda: os.kill(os.getpid(), signal.SIGINT))
            assert runs.go().stopped is None
            told.join()
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_run_in_another_thread_leaves_signals_alone(tmp_path):
    with FakeEndpoint(right_or_wrong()) as fake:
        runs, results = Runs(tmp_path, (profile(fake.base_url),)), []
        thread = threading.Thread(target=lambda: results.append(runs.go()))
        thread.start()
        thread.join()
        assert results[0].stopped is None
