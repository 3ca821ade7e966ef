import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Before NumPy is loaded: threads of BLAS in every worker of pytest-xdist would wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from moo_infer import ModelProfile, Pipeline
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.cli import run

pytest_plugins = ["pytester"]

# jsonschema makes a parser of addresses for a format that no schema here has; that takes three seconds.
sys.modules.setdefault("rfc3987_syntax", None)

# What thousands of collected tests are made of is no garbage before they have run, and is looked through less often.
gc.set_threshold(50_000, 20, 50)

# Every run tries others, so half as many as usual find as much in two runs.
settings.register_profile("half", max_examples=50)
settings.load_profile("half")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data():
    """The folder of the shared data sets."""
    folder = os.environ.get("MOO_INFER_DATA")
    if not folder:
        pytest.skip("MOO_INFER_DATA does not name the folder of the shared data")
    return Path(folder)


@pytest.fixture(scope="session")
def pipeline():
    """A pipeline over the built-in models, whose tables all tests share."""
    return Pipeline()


@pytest.fixture
def cli(capsys):
    """Run a command line: exit code, standard output, standard error."""

    def call(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def profile():
    """Make a profile from what matters in a test."""

    def make(name="mine", *, mean=0.9, std=0.05, cost=1e-5, latency=1e-3, parallelism=1, extra=()):
        return ModelProfile(
            name,
            Gaussian(1000, 50, 500, 50, mean, std),
            (LinearCost(cost, cost), LinearLatency(latency, latency), *extra),
            parallelism,
        )

    return make


@pytest.fixture
def sketches(monkeypatch):
    """Pictures that are not laid out, of few pixels and with coarse maps, and such pages: for tests of what else they have."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from moo_infer.plot import files, maps

    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", lambda engine, figure: None)
    monkeypatch.setattr(files, "DPI", 20)
    monkeypatch.setattr(files, "decisions", lambda report, **options: maps.decisions(report, **options, size=6))
    monkeypatch.setattr("moo_infer.report.page_data.MAP_SIZE", 6)
    monkeypatch.setattr("moo_infer.report.page_data.MAP_LEAST", 6)


@pytest.fixture
def pytester(pytester, monkeypatch):
    """Runs pytest inside a test, without third-party plugins: no test there needs one, and loading takes seconds."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


@pytest.fixture
def file(tmp_path):
    """Write a file, its text or its bytes."""

    def write(content, name="log.csv"):
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / name

    return write
