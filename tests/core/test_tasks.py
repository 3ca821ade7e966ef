"""Tasks: every item once and in its order, whoever does it, and whatever happens to a worker."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from multiprocessing import get_context
from typing import Any

import chores
import pluggy
import pytest

from moo_infer import MooInferError, plugin_file
from moo_infer.core.parcels import packed
from moo_infer.core.process_pool import ProcessPool
from moo_infer.core.tasks import Workers, restarting, run_tasks

SQUARES = [(i, i * i) for i in range(20)]


@pytest.fixture(scope="module")
def pool():
    with ProcessPool.of_size(2) as made:
        yield made


@pytest.fixture(params=["alone", "processes", "threads", "shuffled"])
def executor(request, pool):
    if request.param == "threads":
        with ThreadPoolExecutor(3) as made:
            yield made
        return
    yield {"alone": None, "processes": pool, "shuffled": chores.Shuffled()}[request.param]


def test_results_come_in_the_order_of_the_items(executor):
    assert list(run_tasks(chores.square, range(20), executor)) == SQUARES


def test_results_can_be_had_as_they_are_ready(executor):
    assert sorted(run_tasks(chores.square, range(20), executor, ordered=False)) == SQUARES


def test_items_can_be_done_together(executor):
    assert list(Workers(executor).run(chores.square, range(20), together=8)) == [square for _, square in SQUARES]


def test_there_may_be_nothing_to_do(executor):
    assert list(run_tasks(chores.square, [], executor)) == []


def test_several_processes_work(pool):
    assert len({process for _, process in run_tasks(chores.process, range(8), pool)} - {os.getpid()}) == 2


def test_more_items_than_are_kept_in_memory_are_taken_as_they_are_needed():
    taken = []

    def items():
        for i in range(2000):
            taken.append(i)
            yield i

    with ThreadPoolExecutor(2) as threads:
        results = run_tasks(chores.square, items(), threads)
        assert next(results) == (0, 0)
        assert len(taken) < 600
        assert len(list(results)) == 1999


def test_warnings_of_workers_are_given_here(executor):
    with pytest.warns(UserWarning, match="is small") as caught:
        assert list(run_tasks(chores.complain, [1, 2, 3], executor)) == [(0, 1), (1, 2), (2, 3)]
    assert sorted(str(warning.message) for warning in caught) == ["1 is small", "2 is small", "3 is small"]


def test_what_a_task_raises_is_raised_here(executor):
    with pytest.raises(MooInferError, match=r"^7 is refused$"):
        list(run_tasks(chores.refuse, [7], executor))
    with pytest.raises(ZeroDivisionError):
        list(run_tasks(chores.divide, [1, 0, 2], executor))


@pytest.mark.parametrize("made_by_others", [False, True])
def test_a_worker_that_is_killed_loses_nothing_and_does_nothing_twice(tmp_path, made_by_others):
    """Two of the tasks kill the process that has them first, with whatever else it had."""
    items = [tmp_path / str(i) if i in (2, 11) else None for i in range(16)]
    with ProcessPoolExecutor(2, get_context("spawn")) if made_by_others else ProcessPool.of_size(2) as workers:
        assert list(run_tasks(chores.die_once, items, restarting(workers))) == list(enumerate(items))
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "2", tmp_path / "11"])


def test_a_task_that_kills_every_worker_is_given_up():
    with (
        ProcessPool.of_size(1) as workers,
        pytest.raises(MooInferError, match=r"^a worker process ended in the middle of its work, 4 times at the same"),
    ):
        list(run_tasks(chores.die, [1], workers))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_a_client_that_ends_leaves_no_workers_behind(tmp_path, number):
    """Whoever waits is told at once, and not when the tasks are done."""
    script = (
        "import signal, sys, chores\n"
        "from moo_infer.cli.workers import executor_of\n"
        "from moo_infer.core.tasks import run_tasks\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored\n"
        "    with executor_of('2') as workers:\n"
        "        list(run_tasks(chores.wait_long, [sys.argv[1]] * 3, workers))\n"
    )
    (tmp_path / "client.py").write_text(script)
    (tmp_path / "waiting").mkdir()
    path = os.pathsep.join(sys.path)
    client = subprocess.Popen(
        [sys.executable, tmp_path / "client.py", tmp_path / "waiting"],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(list((tmp_path / "waiting").iterdir())) == 2)
    client.send_signal(number)
    assert client.wait(30) != 0
    until(lambda: not any(alive(int(worker.name)) for worker in (tmp_path / "waiting").iterdir()))


def until(there):
    """Wait for something that takes a moment."""
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(process):
    try:
        with open(f"/proc/{process}/stat") as state:
            return state.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_executor_that_was_shut_down_takes_no_tasks():
    threads = ThreadPoolExecutor(1)
    threads.shutdown()
    with pytest.raises(
        MooInferError, match=r"^the executor takes no tasks: cannot schedule new futures after shutdown$"
    ):
        list(run_tasks(chores.square, [1], threads))


@dataclass(frozen=True)
class Part:
    name: str
    inner: Any = None


def test_what_does_not_pickle_is_named():
    with pytest.raises(MooInferError, match=r"^'odd' cannot be sent to another process, as it does not pickle: "):
        packed([Part("fine"), Part("mine", Part("odd", lambda: 1))])
    with pytest.raises(MooInferError, match=r"^function cannot be sent to another process"):
        packed(lambda: 1)


def test_a_worker_with_another_version_is_named():
    with pytest.raises(MooInferError, match=r"^a worker has moo-infer \S+, and the run is of 99\.1$"):
        replace(packed(1), made_by="99.1").unpacked()


def test_a_worker_without_a_plugin_or_with_another_one_is_named():
    parcel = packed(Part("mine"))
    with pytest.raises(MooInferError, match=r"^a worker lacks moo-judges 2\.0, which the run needs$"):
        replace(parcel, needs=(("moo-judges", "2.0"),)).unpacked()
    with pytest.raises(MooInferError, match=r"^a worker has pluggy \S+, and the run is of pluggy 0\.1$"):
        replace(parcel, needs=(("pluggy", "0.1"),)).unpacked()
    with pytest.raises(MooInferError, match=r"^a worker lacks what the run needs: No module named "):
        replace(packed(chores.square), content=packed(chores.square).content.replace(b"chores", b"choirs")).unpacked()


def test_the_packages_of_parts_are_told_to_workers():
    assert packed([pluggy.HookimplMarker("mine"), Part("mine")]).needs == (("pluggy", version("pluggy")),)


def test_a_plugin_of_a_single_file_is_loaded_by_workers(pool, request):
    (coin,) = plugin_file(request.config.rootpath / "examples/plugins/coin.py").register_inference_models()
    part = coin(10, 20, 0.5)
    assert list(run_tasks(repr, [part], pool)) == [(0, repr(part))]
