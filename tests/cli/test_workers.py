"""The option --workers: the same report, whoever computes it, and one sentence where nobody can."""

import json
import sys

import chores
import pytest

from moo_infer import MooInferError
from moo_infer.cli.workers import executor_of
from moo_infer.core.tasks import run_tasks

MODELS = """
models:
  small:
    inference: {kind: gaussian, tokens_in_mean: 100, tokens_in_std: 1, tokens_out_mean: {low: 190, high: 210},
                tokens_out_std: 5, accuracy_mean: {value: 0.6, se: 0.05}, accuracy_std: 0.1}
    costs:
      - {kind: linear-cost, usd_per_input_token: 1e-6, usd_per_output_token: 2e-6}
      - {kind: linear-latency, seconds_per_input_token: 1e-3, seconds_per_output_token: 0.02}
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text(MODELS)
    return "my.yaml"


def without_command(text):
    return {key: value for key, value in json.loads(text).items() if key != "command"}


def test_a_report_is_the_same_and_does_not_say_who_computed_it(file, cli):
    words = ["recommend", "--models", file, "--max-latency", "p95=30", "--k", "1,2,4", "--json"]
    alone, others = cli(*words), cli(*words, "--workers", "2", "--write-run", "run.yaml")
    assert alone[0] == others[0] == 0
    assert without_command(others[1]) == without_command(alone[1])
    with open("run.yaml") as written:
        assert "workers: 2" in written.read()


@pytest.mark.parametrize("workers", ["0", "-2", "2.5", "1025", "many", "", "dask://", "dask://host", "dask://host:x"])
@pytest.mark.parametrize(
    "command", [["recommend", "--models", "my.yaml"], ["lifetime", "--models", "my.yaml"], ["allocate", "my.yaml"]]
)
def test_what_is_no_number_of_workers_and_no_cluster_is_refused(file, cli, command, workers):
    code, out, error = cli(*command, f"--workers={workers}")
    assert (code, out) == (2, "")
    assert error.splitlines() == [
        f"moo-infer: --workers: must be a whole number from 1 to 1024, or dask://HOST:PORT, got {workers!r}"
    ]


def test_one_worker_is_this_process():
    with executor_of(None) as nobody, executor_of("1") as one:
        assert (nobody, one) == (None, None)


def test_without_dask_it_says_what_to_install(file, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, out, error = cli("recommend", "--models", file, "--workers", "dask://here:1")
    assert (code, out) == (2, "")
    assert error == (
        'moo-infer: --workers dask://here:1: Dask is not installed; pip install "moo-infer[dask]" brings it\n'
    )


@pytest.fixture(scope="module")
def dask():
    return pytest.importorskip("distributed", reason="the extra dask is not installed")


def test_a_scheduler_that_does_not_answer(file, cli, dask):
    code, out, error = cli("recommend", "--models", file, "--workers", "dask://localhost:1")
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith("moo-infer: --workers dask://localhost:1: no scheduler answers there: ")


@pytest.fixture(scope="module")
def cluster(dask):
    """Two processes, and how they are called."""
    with dask.LocalCluster(2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as made:
        yield made


def test_a_cluster_gives_the_same_report(file, cli, cluster):
    words = ["recommend", "--models", file, "--max-latency", "p95=30", "--k", "1,2,4", "--json"]
    alone, others = cli(*words), cli(*words, "--workers", cluster.scheduler_address.replace("tcp", "dask"))
    assert others[2] == alone[2]
    assert without_command(others[1]) == without_command(alone[1])


def test_a_worker_of_a_cluster_that_is_killed_loses_nothing(tmp_path, cluster):
    items = [tmp_path / "5" if i == 5 else None for i in range(8)]
    with executor_of(cluster.scheduler_address.replace("tcp", "dask")) as workers:
        assert list(run_tasks(chores.die_once, items, workers)) == list(enumerate(items))
    assert (tmp_path / "5").exists()


def test_a_worker_of_a_cluster_with_another_version_is_named(cluster, monkeypatch):
    monkeypatch.setattr("moo_infer.cli.workers.__version__", "99.1")
    address = cluster.scheduler_address.replace("tcp", "dask")
    with (
        pytest.raises(
            MooInferError, match=rf"^--workers {address}: the worker tcp://\S+ has moo-infer \S+, and this is 99\.1$"
        ),
        executor_of(address),
    ):
        pass
