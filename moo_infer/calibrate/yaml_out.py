"""Writes what was calibrated: profiles as YAML, and the samples that they draw from."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ..core.arguments import typed
from ..core.documents import read_yaml, to_yaml
from ..core.errors import MooInferError, in_one_line, printable
from ..core.files import atomic_write
from ..core.version import __version__
from ..quantities.samples import ANSWER_KEY, CALL, TOKENS, WAVE, Samples
from ..read.config import moved_extract, moved_path
from ..read.log import Log
from .profiles import Calibration
from .report import in_a_line, one_call

__all__ = ["entries", "recommending", "samples_path", "save"]

LONGEST = 500  # characters of a name; YAML ends keys at 1024


def recommending(models: Sequence[Calibration], path: str | Path, /) -> str:
    """Return the command that decides between profiles; grades have no votes."""
    several = "best-of-k" if models and all(model.kept.graded for model in models) else "plurality-vote"
    return f"moo-infer recommend --models {path} --aggregator one-call --aggregator {several}"


@typed()
def save(models: Sequence[Calibration], path: str | Path, *, tail: str = "") -> list[Path]:
    """Write profiles as YAML, and beside it the samples that empirical ones draw from, as Parquet.

    The file of the samples is called after its content and is there before the YAML that names it, so that the old pair
    or the new one is there at every moment. The samples that the old YAML named go last.

    Args:
        models: what was calibrated.
        path: the YAML.
        tail: more of it, after the profiles.

    Returns:
        The files that were written, the YAML first.

    Raises:
        MooInferError: where they cannot be written.
    """
    path = Path(path)
    if not models:
        raise MooInferError(f"--out: {path}: there is no model to write")
    for model in models:
        if len(model.kept.model) > LONGEST:
            name = model.kept.model
            raise MooInferError(f"{name:.40}: names of models have at most {LONGEST} characters, got {len(name)}")
    if path.suffix not in (".yaml", ".yml"):
        raise MooInferError(f"--out: {path}: must end in .yaml or .yml")
    drawn = [model.kept for model in models if model.inference["kind"] == "empirical"]
    files, samples, old = [path], dict[str, str](), samples_path(path)
    before = old.stat() if old is not None else None
    with atomic_write(path) as place, ExitStack() as unless_it_goes_well:
        if drawn:
            files.append(_written(_log(drawn), path, samples, unless_it_goes_well))
        decide = recommending(models, printable(path.name))
        head = f"# Written by moo-infer calibrate {__version__}. To decide: {decide}\nmodels:\n"
        place.write_text(
            head + "\n".join(_yaml(model, samples, path.parent) for model in models) + tail, encoding="utf-8"
        )
        unless_it_goes_well.pop_all()
    if old is not None and before is not None and old not in files:
        with suppress(OSError):
            if os.path.samestat(old.stat(), before):  # else another writer needs it again, and has written it anew
                old.unlink()
    return files


def _written(log: Log, path: Path, samples: dict[str, str], unless_it_goes_well: ExitStack) -> Path:
    """Write samples beside the profiles, under a name of their content, and fill in how profiles name them."""
    with TemporaryDirectory(prefix=".moo-infer-", dir=path.parent) as folder:
        draft = Path(folder) / "samples.parquet"
        log.write(draft)
        digest = hashlib.sha256(draft.read_bytes()).hexdigest()
        place = path.with_name(f"{path.stem}.samples-{digest[:16]}.parquet")
        if not os.path.exists(place):
            unless_it_goes_well.callback(place.unlink, missing_ok=True)
        draft.replace(place)
    samples |= {"samples": place.name, "sha256": digest}
    return place


def samples_path(path: Path) -> Path | None:
    """Return the file with the samples that a file of profiles which was written here draws from; None without one."""
    try:
        document = read_yaml(path, "models")
    except MooInferError:
        return None
    models = document.get("models")
    for model in models.values() if isinstance(models, Mapping) else ():
        inference = model.get("inference") if isinstance(model, Mapping) else None
        name = str(inference.get("samples")) if isinstance(inference, Mapping) else ""
        if re.fullmatch(rf"{re.escape(path.stem)}\.samples-[0-9a-f]{{16}}\.parquet", name):
            found = path.with_name(name)
            return found if os.path.isfile(found) else None
    return None


def _log(samples: Sequence[Samples]) -> Log:
    """Samples as a neutral table; answers are the numbers of their texts, and where there are none those of the model.

    The latter are told from those of other models, which mean something else.
    """
    import polars as pl

    frames, graded = [], any(model.graded for model in samples)
    for model in samples:
        n = model.n
        columns: dict[str, Any] = {
            "model": [model.model] * len(model),
            "question_id": [model.questions[q] for q in model.question],
            "sample": np.arange(len(model)) - np.repeat(np.cumsum(n) - n, n) + 1,
            "correct": [None if np.isnan(value) else value if graded else value == 1 for value in model.correct],
        }
        keys = model.columns.get(ANSWER_KEY)
        apart = ("answer", ANSWER_KEY, CALL, WAVE)  # all are of the first wave
        known = {name: column for name, column in model.columns.items() if name not in apart}
        labels = {name: [values[q] or None for q in model.question] for name, values in model.labels.items()}
        frame = pl.DataFrame(columns | known | labels).with_columns(
            pl.col(name).fill_nan(None).cast(pl.Int64 if name in TOKENS else pl.Float64) for name in known
        )
        if "answer" in model:
            given = [None if code < 0 else f"{code} of {model.model}" for code in model["answer"].tolist()]
            if keys is not None:
                given = [None if key < 0 else f"{key:x}" for key in keys.tolist()]
            frame = frame.with_columns(pl.Series("answer", given, dtype=pl.String))
        if CALL in model:
            calls = [None if code < 0 else str(code) for code in model[CALL].tolist()]
            frame = frame.with_columns(pl.Series(CALL, calls, dtype=pl.String))
        frames.append(frame)
    return Log(pl.concat(frames, how="diagonal"))


def entries(models: Sequence[Calibration], samples: Path | None, folder: Path) -> dict[str, Any]:
    """Return profiles as a file in a folder has them; none where they draw from samples that were not written.

    Args:
        models: what was calibrated.
        samples: the file with samples that was written; None for none.
        folder: where relative paths start from.
    """
    drawn = any(model.inference["kind"] == "empirical" for model in models)
    if drawn and samples is None:
        return {}
    named: dict[str, str] = {}
    if drawn and samples is not None:
        digest = hashlib.sha256(samples.read_bytes()).hexdigest()
        named = {"samples": moved_path(str(samples), Path(), folder), "sha256": digest}
    return {model.kept.model: _entry(model, named, folder) for model in models}


def _entry(model: Calibration, samples: dict[str, str], folder: Path) -> dict[str, Any]:
    """A profile as a file in a folder has it."""
    call = {} if model.call is None else model.call.to_dict()
    if "extract" in call:
        call["extract"] = moved_extract(call["extract"], Path(), folder)
    inference = dict(model.inference) | (samples if model.inference["kind"] == "empirical" else {})
    return {
        "parallelism": model.parallelism,
        "source": model.source,
        "largest_k": model.largest_k,
        **({"extrapolate_to": model.extrapolate_to} if model.extrapolate_to else {}),
        "inference": inference,
        "costs": [dict(part) for part in model.costs.values()],
        **({"call": call} if call else {}),
    }


def _yaml(model: Calibration, samples: dict[str, str], folder: Path) -> str:
    """A profile, with what the log says of the model as comments."""
    beyond = model.beyond.sentences() if model.beyond else []
    judged = [summary.in_a_line() for summary in model.judged.values()]
    said = [in_a_line(model.summary), one_call(model.summary), *judged, *model.summary.remarks(), *beyond, *model.notes]
    lines = [f"  {to_yaml(model.kept.model)}:", *(f"    # {in_one_line(line)}" for line in said if line)]
    for key, value in _entry(model, samples, folder).items():
        listed = key == "costs" and value
        lines += [f"    {key}:" if listed else f"    {key}: {to_yaml(value)}"]
        lines += [f"      - {to_yaml(part)}" for part in value] if listed else []
    return "\n".join(lines) + "\n"
