"""Writes what was calibrated: profiles as YAML, and the samples that they draw from."""

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .. import __version__
from ..errors import MooInferError
from ..samples import Samples
from .logs import Log
from .profiles import Calibrated
from .words import in_a_line, one_call

__all__ = ["save"]


def save(models: Sequence[Calibrated], path: str | Path) -> list[Path]:
    """Write profiles as YAML, and beside it the samples that empirical ones draw from, as Parquet.

    All is written aside first, so that a failure leaves everything as it was.

    Returns:
        The files that were written, the YAML first.

    Raises:
        MooInferError: where they cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        raise MooInferError(f"--out: {path}: must end in .yaml or .yml")
    beside = path.with_name(f"{path.stem}.samples.parquet")
    try:
        with tempfile.TemporaryDirectory(prefix=".moo-infer-", dir=path.parent) as folder:
            aside: dict[Path, Path] = {}
            samples = {}
            if drawn := [model.kept for model in models if model.inference["kind"] == "empirical"]:
                aside[beside] = Path(folder) / beside.name
                _log(drawn).write(aside[beside])
                digest = hashlib.sha256(aside[beside].read_bytes()).hexdigest()
                samples = {"samples": beside.name, "sha256": digest}
            aside[path] = Path(folder) / path.name
            head = (
                f"# Written by moo-infer calibrate {__version__}: moo-infer recommend --models {path.name}\nmodels:\n"
            )
            text = head + "\n".join(_yaml(model, samples) for model in models)
            aside[path].write_text(text, encoding="utf-8")
            for place, written in aside.items():
                os.replace(written, place)
    except OSError as error:
        raise MooInferError(f"--out: {path}: cannot be written: {error.strerror}") from None
    return [path, *(place for place in aside if place != path)]


def _log(samples: Sequence[Samples]) -> Log:
    """Samples as a neutral table; answers are numbers."""
    import polars as pl

    frames = []
    for model in samples:
        n = model.n
        columns: dict[str, Any] = {
            "model": [model.model] * len(model),
            "question_id": [model.questions[q] for q in model.question],
            "sample": np.arange(len(model)) - np.repeat(np.cumsum(n) - n, n) + 1,
            "correct": model.correct == 1,
        }
        frame = pl.DataFrame(columns | dict(model.columns)).with_columns(
            pl.when(pl.col(name) >= 0).then(pl.col(name).cast(pl.String))
            if name == "answer"
            else pl.col(name).fill_nan(None).cast(pl.Int64 if name.endswith("_tokens") else pl.Float64)
            for name in model.columns
        )
        frames.append(frame)
    return Log(pl.concat(frames, how="diagonal"))


def _yaml(model: Calibrated, samples: Mapping[str, str]) -> str:
    """A profile, with what the log says of the model as comments."""
    inference = dict(model.inference)
    if inference["kind"] == "empirical":
        inference |= samples
    beyond = model.beyond.sentences() if model.beyond else []
    said = [in_a_line(model.estimates), one_call(model.estimates), *model.estimates.remarks(), *beyond, *model.notes]
    lines = [f"  {_flow(model.kept.model)}:", *(f"    # {' '.join(line.split())}" for line in said if line)]
    lines += [f"    parallelism: {model.parallelism}", f"    source: {_flow(model.source)}"]
    lines += [f"    largest_k: {model.largest_k}"]
    lines += ["    extrapolate: true"] if model.extrapolate else []
    lines += [f"    inference: {_flow(inference)}", "    costs:" if model.costs else "    costs: []"]
    lines += [f"      - {_flow(part)}" for part in model.costs.values()]
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """YAML in one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()
