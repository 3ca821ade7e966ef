"""The script that measures a GPU, on the CPU: what it writes is what fit-latency reads."""

import runpy
import sys
from pathlib import Path

import pytest

from moo_infer.calibrate import read_steps

MAIN = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "measure_gpu.py"))["main"]


def test_a_toy_on_the_cpu_is_measured_and_fitted(tmp_path, cli, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed, which the tests do without")
    MAIN(["--tiny", "--out", str(tmp_path / "measured")])
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in written] == ["steps.csv", "prefill.csv"]
    (table,) = read_steps(written)
    assert table.batch.tolist() == [1, 4, 16, 1, 4, 16]
    assert table.context.tolist() == [64] * 3 + [1024] * 3
    assert table.prefills.tolist() == [1, 1, 8]
    assert (table.seconds > 0).all()
    code, out, err = cli("fit-latency", *written)
    assert (code, err) == (0, "")
    assert "- {kind: batch, itl_base_s: " in out


def test_without_pytorch_that_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SystemExit, match=r"^measure_gpu\.py: needs PyTorch: pip install torch$"):
        MAIN(["--tiny", "--out", str(tmp_path / "measured")])
    assert not (tmp_path / "measured").exists()
