"""Parameters of `BatchEnergy` for real models: ``a`` and ``b`` fitted to the ML.ENERGY benchmark."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from . import BatchEnergy

__all__ = ["SOURCE", "Fit", "fit", "fits"]

SOURCE = (
    "fitted to the ML.ENERGY benchmark v3 (Chung et al., NeurIPS D&B 2025), "
    "github.com/ml-energy/leaderboard at 0cd52dab, GPU energy alone"
)


@dataclass(frozen=True)
class Fit:
    """``e(B) = a + b / B`` joules per output token, for one model on one task and machine.

    Args:
        name: what it is called here.
        model_id: the model as its publisher calls it.
        task: what it was measured on; long answers cost more a token than short ones.
        gpu: kind of GPU.
        gpus: how many of them hold the model.
        precision: of the weights.
        points: how many batch sizes were measured, >= 4.
        batch_min, batch_max: the smallest and the largest of them, sequences; the fit says nothing outside.
        a, a_se: J per output token, and its standard error.
        b, b_se: J per decoding step of the whole batch, and its standard error.
        error: mean absolute relative error of the fit.
    """

    name: str
    model_id: str
    task: str
    gpu: str
    gpus: int
    precision: str
    points: int
    batch_min: float
    batch_max: float
    a: float
    a_se: float
    b: float
    b_se: float
    error: float

    def cost_model(self, *, other_sequences: float = 0.0) -> "BatchEnergy":
        """Return the cost model; `other_sequences` are those of other queries in the batch, >= 0.

        >>> fits()["llama-3.1-8b-instruct-lm-arena-chat-h100x1"].cost_model().joules_per_decode_step
        3.162
        """
        from . import BatchEnergy

        return BatchEnergy(self.a, self.b, other_sequences=other_sequences)

    @property
    def yaml(self) -> str:
        """The line of YAML to put under ``costs``, with the standard errors."""
        a, b = (f"{{value: {value:g}, se: {se:g}}}" for value, se in ((self.a, self.a_se), (self.b, self.b_se)))
        return f"- {{kind: batch-energy, joules_per_output_token: {a}, joules_per_decode_step: {b}}}"

    def __str__(self) -> str:
        """Say where it comes from and how good it is."""
        return (
            f"{self.model_id} ({self.precision}), {self.task}, {self.gpus} x {self.gpu}: {self.points} points, "
            f"batch {self.batch_min:.0f} to {self.batch_max:.0f}, mean error {100 * self.error:.1f} %"
        )


@cache
def fits() -> Mapping[str, Fit]:
    """Return the shipped fits by name.

    >>> print(fits()["llama-3.1-8b-instruct-lm-arena-chat-h100x1"])
    meta-llama/Llama-3.1-8B-Instruct (bfloat16), lm-arena-chat, 1 x H100: 11 points, batch 8 to 691, mean error 1.9 %
    """
    text = files(__package__).joinpath("fits.csv").read_text(encoding="utf-8")
    by_name = {}
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        kinds = Fit.__annotations__
        values = {key: kinds[key](value) for key, value in row.items()}
        by_name[row["name"]] = Fit(**values)
    return MappingProxyType(by_name)


def fit(
    batch: npt.ArrayLike, joules_per_token: npt.ArrayLike
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Fit ``e(B) = a + b / B`` by relative least squares, a and b >= 0.

    Args:
        batch: (n,) batch sizes, sequences, > 0; n >= 3.
        joules_per_token: (n,) J per output token, > 0.

    Returns:
        (a, its standard error), (b, its standard error), and the mean absolute relative error.

    >>> B = np.array([8.0, 32.0, 128.0, 512.0])
    >>> (a, _), (b, _), error = fit(B, 0.07 + 3 / B)
    >>> round(a, 6), round(b, 6), round(error, 6)
    (0.07, 3.0, 0.0)
    """
    from scipy.optimize import nnls

    B, e = np.asarray(batch, dtype=np.float64), np.asarray(joules_per_token, dtype=np.float64)
    design = np.stack([1 / e, 1 / (B * e)], axis=1)
    (a, b), norm = nnls(design, np.ones(len(e)))
    covariance = np.linalg.inv(design.T @ design) * norm**2 / (len(e) - 2)
    a_se, b_se = np.sqrt(np.diag(covariance))
    error = np.abs(design @ [a, b] - 1).mean()
    return (float(a), float(a_se)), (float(b), float(b_se)), float(error)


def refit(measurements: Sequence[Mapping[str, str]]) -> list[Fit]:
    """Fit every (model, task, GPU, number of GPUs) with at least 4 points of the benchmark's table of configurations.

    Args:
        measurements: its rows, with ``model_id, task, gpu_model, num_gpus, weight_precision, avg_batch_size`` and
            ``energy_per_token_joules``.
    """
    groups: dict[tuple[str, str, str, str], list[Mapping[str, str]]] = {}
    for row in measurements:
        key = row["model_id"], row["task"], row["gpu_model"], row["num_gpus"]
        groups.setdefault(key, []).append(row)
    refitted = []
    for (model_id, task, gpu, gpus), rows in groups.items():
        if len(rows) < 4:
            continue
        batch = [float(row["avg_batch_size"]) for row in rows]
        (a, a_se), (b, b_se), error = fit(batch, [float(row["energy_per_token_joules"]) for row in rows])
        name = f"{model_id.split('/')[-1]}-{task}-{gpu}x{gpus}".lower()
        numbers = (min(batch), max(batch), a, a_se, b, b_se, error)
        rounded = (float(f"{number:.4g}") for number in numbers)
        refitted.append(Fit(name, model_id, task, gpu, int(gpus), rows[0]["weight_precision"], len(rows), *rounded))
    return sorted(refitted, key=lambda fit: fit.name)


def table(found: Sequence[Fit]) -> str:
    """Return fits as the text of ``fits.csv``."""
    lines = [f"# a and b of e(B) = a + b / B, {SOURCE}"]
    lines += [",".join(Fit.__annotations__)]
    lines += [",".join(str(value) for value in asdict(fit).values()) for fit in found]
    return "\n".join(lines) + "\n"
