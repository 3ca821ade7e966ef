"""Keeps fitted laws of scaling in a folder, by all that they depend on."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..core.call_settings import CallSettings
from ..core.documents import read_json
from ..core.errors import MooInferError
from ..core.files import atomic_write
from ..core.version import __version__
from .scaling import SCALING_LAWS, STAYS, AccuracyCurve, ScalingFit, fit_scaling
from .scaling_laws import ScalingLaw

__all__ = ["ScalingCache"]

FORMAT = "moo-infer scaling fit 1"


@dataclass(frozen=True)
class ScalingCache:
    """A folder of fitted laws, a JSON file each; nothing is written anywhere else, and nothing in it is executed.

    A file is named after the SHA-256 of its key: model, revision, data, sampler settings, laws and options, and the
    version of this package. Whatever of that changes, nothing is found, and the law is fitted anew. What is found gives
    the same numbers, bit by bit.

    Args:
        folder: where the files lie; made where it does not exist, by the first fit.
    """

    folder: Path

    def fit(
        self,
        curve: AccuracyCurve,
        *,
        model: str,
        revision: str,
        sampler: CallSettings | Mapping[str, Any],
        laws: Sequence[type[ScalingLaw]] = SCALING_LAWS,
        B: int = 100,
        seed: int = 0,
    ) -> ScalingFit:
        """Return what `fit_scaling` says, from the folder where it has been said before.

        Args:
            curve: what was measured; its numbers are the data of the key.
            model: its name.
            revision: of the model, such as a date or a commit.
            sampler: how it was called: temperature, top_p, max_tokens and the like, what JSON can hold; of a
                `CallSettings` all that is sent.
            laws, B, seed: as of `fit_scaling`.

        Raises:
            MooInferError: as `fit_scaling`; for settings that JSON cannot hold, and a folder that cannot be written to.

        Warns:
            UserWarning: for a file that is damaged or not of this cache: it is not read, and written anew.
        """
        key = {
            "format": FORMAT,
            "version": __version__,
            "model": model,
            "revision": revision,
            "data": curve.digest,
            "sampler": {"sent": sampler.sent_hash} if isinstance(sampler, CallSettings) else dict(sampler),
            "laws": [law.name for law in laws],
            "B": B,
            "seed": seed,
        }
        path = Path(self.folder) / f"{_digest(key)}.json"
        if path.exists():
            try:
                return _read(path, key, laws)
            except MooInferError as error:
                warnings.warn(f"fitted anew, as the cache cannot be trusted: {error}", stacklevel=2)
        found = fit_scaling(curve, laws, B, seed)
        self._write(path, key, found)
        return found

    def _write(self, path: Path, key: Mapping[str, Any], found: ScalingFit) -> None:
        content = {
            "law": found.law.name,
            "numbers": list(found.law.numbers),
            "errors": dict(found.errors),
            "shown": list(found.shown),
            "measured": [found.smallest, found.largest],
            "draws": [list(law.numbers) for law in found.draws],
        }
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise MooInferError(f"{path.parent}: cannot be made: {error.strerror or error}") from None
        with atomic_write(path) as temporary:
            document = {"key": key, "fit": content, "sha256": _digest(content)}
            temporary.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")


def _digest(content: object) -> str:
    """SHA-256 of what JSON can hold, whatever the order of its keys."""
    try:
        text = json.dumps(content, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise MooInferError(f"sampler: must be text, finite numbers and lists or mappings of these: {error}") from None
    return sha256(text.encode()).hexdigest()


def _read(path: Path, key: Mapping[str, Any], laws: Sequence[type[ScalingLaw]]) -> ScalingFit:
    """What a file holds; raises MooInferError where it is not of this key, or not as it was written."""
    document = read_json(path)
    whole = isinstance(document, Mapping) and set(document) == {"key", "fit", "sha256"}
    if not whole or _digest(document["key"]) != _digest(key):
        raise MooInferError(f"{path}: is not of this cache")
    fit = document["fit"]
    if _digest(fit) != document["sha256"]:
        raise MooInferError(f"{path}: is damaged: its checksum is another one")
    try:
        found = _fit_of(fit, {law.name: law for law in laws})
        numbers = [n for law in (found.law, *found.draws) for n in law.numbers]
        sound = bool(np.isfinite([*numbers, *found.errors.values()]).all())
        sound = sound and {type(k) for k in (*found.shown, found.smallest, found.largest)} == {int}
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise MooInferError(f"{path}: is damaged: it holds no law")
    return found


def _fit_of(fit: Mapping[str, Any], laws: Mapping[str, type[ScalingLaw]]) -> ScalingFit:
    """The fit that the content of a file stands for."""
    law, (smallest, largest), shown = laws[fit["law"]], fit["measured"], tuple(fit["shown"])
    errors = {name: fit["errors"][name] for name in (*laws, STAYS)}
    draws = tuple(law.of(*numbers) for numbers in fit["draws"])
    return ScalingFit(law.of(*fit["numbers"]), errors, shown, smallest, largest, draws)
