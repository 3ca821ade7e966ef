"""Parameters of `BatchEnergy` for real models: ``a`` and ``b`` fitted to the ML.ENERGY benchmark."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import BatchEnergy

__all__ = ["SOURCE", "Fit", "fits"]

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


def refit(path: str | Path) -> list[Fit]:
    """Fit every (model, task, GPU, number of GPUs) with at least 4 points of the benchmark's table of configurations.

    Args:
        path: of the table, as `moo_infer.calibrate.read_steps` reads it.
    """
    from moo_infer.calibrate import fit_setups, read_steps

    setups = {setup.name: setup for setup in read_steps([path])}
    refitted = []
    for found in fit_setups([*setups.values()], energy=True)[0]:
        setup = setups[found.setup]
        model_id, task, gpu, gpus, precision = setup.labels.values()
        of_token, of_step = (found.parameters[f"joules_per_{name}"] for name in ("output_token", "decode_step"))
        numbers = (setup.batch.min(), setup.batch.max(), *of_token, *of_step, found.error)
        rounded = (float(f"{number:.4g}") for number in numbers)
        refitted.append(Fit(setup.name, model_id, task, gpu, int(gpus), precision, found.points, *rounded))
    return sorted(refitted, key=lambda fit: fit.name)


def table(found: Sequence[Fit]) -> str:
    """Return fits as the text of ``fits.csv``."""
    lines = [f"# a and b of e(B) = a + b / B, {SOURCE}"]
    lines += [",".join(Fit.__annotations__)]
    lines += [",".join(str(value) for value in asdict(fit).values()) for fit in found]
    return "\n".join(lines) + "\n"
