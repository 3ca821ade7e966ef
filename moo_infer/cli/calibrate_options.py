"""The options of ``moo-infer calibrate``: how logs are read, profiles made, intervals drawn, variants compared."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import MooInferError
from ..core.objectives import BETTER
from ..registry import Registry
from .options import Strict

if TYPE_CHECKING:
    from ..calibrate.caps import TimeCap, TokenCap
    from ..calibrate.options import ProfileOptions
    from ..calibrate.profiles import Calibration
    from ..calibrate.variants import VariantFamily
    from ..read.log import Log
    from ..read.log_parts import LogParts

__all__ = ["BootstrapOptions", "ReadOptions", "ShapeOptions", "VariantOptions", "judged_ways", "profile_options"]


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How logs are read."""

    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="A log reader; default the one that knows the file.")
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COLUMN", help="What a table calls a column, perhaps /1000 or *2; repeatable."),
    ] = None
    score_key: Annotated[
        str,
        typer.Option("--score-key", metavar="KEY", help="Of scores that are mappings or lists: which entry counts."),
    ] = ""
    right_if: Annotated[
        str, typer.Option("--right-if", metavar="RULE", help='Which scores are right: ">= 7"; >=, <=, >, < or ==.')
    ] = ""
    scale: Annotated[
        str, typer.Option(metavar="LOW,HIGH", help="Scores are grades from the worst to the best: 0,10.")
    ] = ""
    merge_right: Annotated[
        bool, typer.Option("--merge-right", help="Take the right answers to a question as one, spelt in several ways.")
    ] = False
    max_log_bytes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Bytes of a log, unpacked; default 1 GiB, or 40 times its packed size."),
    ] = None
    strict: Strict = False

    def log(self, paths: Sequence[str], registry: Registry, judged: Sequence[str] = ()) -> "Log":
        """Read logs into the neutral table, with further columns that say how else answers were judged."""
        from ..read.grading import Grading
        from ..read.logs import read_log

        return read_log(
            paths,
            self.format,
            registry,
            grading=Grading(self.score_key, self.right_if, _ends(self.scale)),
            columns=_columns(self.column or []),
            judged=judged,
            merge_right=self.merge_right,
            max_log_bytes=self.max_log_bytes,
            strict=self.strict,
        )

    @contextmanager
    def whole(
        self, paths: Sequence[str], registry: Registry, judged: Sequence[str], models: Sequence[str]
    ) -> "Iterator[Log | LogParts]":
        """Read logs as `log` does, but for some models alone where these are given."""
        log = self.log(paths, registry, judged)
        yield log.with_models(models) if models else log

    @contextmanager
    def parts(
        self, paths: Sequence[str], models: Sequence[str], unread: Mapping[str, object], drawn: Path | None
    ) -> "Iterator[Log | LogParts]":
        """Read tables in parts, for the time of the block.

        Args:
            paths: of the tables.
            models: the only ones to read; none for all.
            unread: options that need all samples at once, by name, with what was given.
            drawn: where profiles that draw from the samples would be written, or None.
        """
        from ..builtin.logs import Table
        from ..read.grading import Grading
        from ..read.log_parts import log_parts

        format = None if self.format == Table.name else self.format
        named = next((path for path in paths if "=" in path and not Path(path).exists()), None)
        for name, given in {**unread, "--format": format, "NAME=LOG": named}.items():
            if given:
                raise MooInferError(f"--stream reads tables in parts, which goes without {name}; got {given}")
        if drawn is not None:
            raise MooInferError(
                f"--stream --out {drawn}: profiles that draw from the samples (empirical) would be as large as it; "
                "--inference beta or lognormal fits them"
            )
        grading = Grading(self.score_key, self.right_if, _ends(self.scale))
        scanned = Table(_columns(self.column or [])).scanned
        most = self.max_log_bytes
        with log_parts(
            paths, scanned, models=models, grading=grading, merge_right=self.merge_right, max_log_bytes=most
        ) as parts:
            for remark in parts.remarks:
                warnings.warn(remark, stacklevel=2)
            yield parts


@dataclass(frozen=True, kw_only=True)
class ShapeOptions:
    """How profiles are made, and how far k goes."""

    inference: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the profiles: empirical, beta or lognormal; default empirical."),
    ] = None
    calls: Annotated[
        str, typer.Option(metavar="SHAPE", help="How k calls are made: at-once, slots (P at a time) or sequential.")
    ] = "at-once"
    parallelism: Annotated[
        int | None, typer.Option(metavar="P", help="Calls at a time, for --calls slots, and the step of k.")
    ] = None
    min_samples: Annotated[int, typer.Option(metavar="N", help="Leave out questions with fewer scored samples.")] = 1
    k_max: Annotated[
        int | None,
        typer.Option(metavar="K", help="The largest k of estimates and profiles; default what the log supports."),
    ] = None
    extrapolate: Annotated[
        bool,
        typer.Option(
            "--extrapolate", help="Go beyond the samples of a question where a law can be had, marked as such."
        ),
    ] = False
    max_tokens: Annotated[
        list[str] | None,
        typer.Option(
            "--max-tokens",
            metavar="N",
            help="Beside each model, it with a cap on output tokens: N, or what it gives in a time: 30s; repeatable.",
        ),
    ] = None
    max_seconds: Annotated[
        list[str] | None,
        typer.Option(
            "--max-seconds",
            metavar="S",
            help="Beside each model, it with a cap on the seconds of k calls at once; repeatable.",
        ),
    ] = None

    def refuse_calls_without_their_number(self) -> None:
        """Raise where calls are made in slots without their number, or a number of slots is given for other calls."""
        if (self.calls == "slots") != (self.parallelism is not None):
            raise MooInferError(f"--calls slots and --parallelism belong together, got --calls {self.calls}")


@dataclass(frozen=True, kw_only=True)
class BootstrapOptions:
    """How intervals are drawn."""

    bootstrap: Annotated[
        int, typer.Option(metavar="B", min=1, max=100_000, help="Draws of the bootstrap over questions.")
    ] = 1000
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the bootstrap.")] = 0


@dataclass(frozen=True, kw_only=True)
class VariantOptions:
    """How variants of a model are compared."""

    base: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Compare all other models with it; default variants with their plain model."),
    ] = None
    by: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Tell gains by a label of the log; default task, where there is one."),
    ] = None

    def families(self, calibrations: "Sequence[Calibration]", draws: BootstrapOptions) -> "Sequence[VariantFamily]":
        """Compare the variants among the models; needs all their samples."""
        from ..calibrate.variants import compare_variants

        logs = [calibration.samples for calibration in calibrations]
        return compare_variants(logs, self.base, self.by, draws.bootstrap, draws.seed)


def profile_options(shape: ShapeOptions, draws: BootstrapOptions, judged: Mapping[str, str]) -> "ProfileOptions":
    """The options of profiles from the command line; extrapolation takes `beta` unless a model is named."""
    from ..calibrate.options import ProfileOptions

    return ProfileOptions(
        inference=shape.inference or ("beta" if shape.extrapolate else "empirical"),
        calls=shape.calls,
        parallelism=1 if shape.parallelism is None else shape.parallelism,
        extrapolate=shape.extrapolate,
        min_samples=shape.min_samples,
        k_max=shape.k_max,
        judged=judged,
        B=draws.bootstrap,
        seed=draws.seed,
        caps=(*map(_token_cap, shape.max_tokens or []), *map(_time_cap, shape.max_seconds or [])),
    )


def _token_cap(text: str) -> "TokenCap":
    """A cap on tokens, from ``2000``, or ``30s`` for those that a model gives in 30 seconds."""
    from ..calibrate.caps import TokenCap

    try:
        return TokenCap(seconds=float(text[:-1])) if text.endswith("s") else TokenCap(int(text))
    except ValueError:
        raise MooInferError(
            f"--max-tokens: must be a whole number >= 1, or seconds such as 30s, got {text!r}"
        ) from None


def _time_cap(text: str) -> "TimeCap":
    """A cap on seconds."""
    from ..calibrate.caps import TimeCap

    try:
        return TimeCap(float(text))
    except ValueError:
        raise MooInferError(f"--max-seconds: must be a number of seconds, got {text!r}") from None


def _columns(options: list[str]) -> dict[str, str]:
    """The names that a table has for the columns of the neutral table, from NAME=COLUMN."""
    columns: dict[str, str] = {}
    for item in options:
        name, equals, column = (part.strip() for part in item.partition("="))
        if not (name and equals and column) or name in columns:
            rule = "each name is given once" if name in columns else "must be NAME=COLUMN"
            raise MooInferError(f"--column: {rule}, got {item!r}")
        columns[name] = column
    return columns


def judged_ways(options: list[str]) -> dict[str, str]:
    """Which way is better of each column that judges answers, from NAME=down or NAME=up."""
    ways: dict[str, str] = {}
    for item in options:
        name, _, better = (part.strip() for part in item.rpartition("="))
        if not name or better not in BETTER or name in ways:
            rule = "each name is given once" if name in ways else f"must be NAME={' or NAME='.join(BETTER)}"
            raise MooInferError(f"--judged: {rule}, got {item!r}")
        ways[name] = better
    return ways


def _ends(text: str) -> tuple[float, float] | None:
    """The worst and the best score of a scale."""
    if not text:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise MooInferError(f"--scale: must be LOW,HIGH, two numbers, got {text!r}") from None
    return low, high
