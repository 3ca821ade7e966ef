"""What changed between two documents of the same command, and which changes are more than noise."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.documents import read_json
from ..core.errors import MooInferError
from ..core.objectives import ACCURACY
from ..quantities.bootstrap import QuestionDraws
from .changes import ChoiceChange, Diff, Kind, NumberChange, SettingChange

__all__ = ["choice_change", "diff", "number_changes", "read_document"]

DRAWS = 2000  # of the bootstrap of paired differences: ends are known to a twentieth of the width
SAME = 1e-9  # relative: what sums in another order may change
# Of `config`, what decides and is said nowhere else: models and limits are, in full.
SECTIONS = ("policies", "workflows", "day", "queries")
OPTIONS = {
    *("aggregator", "by", "confidence", "goal", "k", "k_max", "k_step", "parallelism", "policy", "questions", "seed"),
    *("selector", "stability", "volume", "workflow"),
}
OFTEN = 0.05  # a row that so many draws choose is not excluded by what is known


def read_document(path: Path, /) -> Mapping[str, Any]:
    """Read what ``recommend --json`` or ``calibrate --json`` wrote.

    Raises:
        MooInferError: for what is no such file.
    """
    document = read_json(path)
    try:
        _kind(document)
    except MooInferError as error:
        raise MooInferError(f"{path}: {error}") from None
    return dict(document)


def _kind(document: object) -> Kind:
    if isinstance(document, Mapping) and document.get("schema") == 1:
        if isinstance(document.get("headline"), list):
            return "recommend"
        if isinstance(document.get("sources"), list) and isinstance(document.get("models"), list):
            return "calibrate"
    raise MooInferError("must be what `moo-infer recommend --json` or `moo-infer calibrate --json` wrote")


def diff(old: Mapping[str, Any], new: Mapping[str, Any], /) -> Diff:
    """Compare two documents of the same command.

    Args:
        old, new: as `read_document` gives them.

    Raises:
        MooInferError: for documents of different commands, and where what they need is missing or of another type.

    >>> table = {"schema": 1, "headline": [], "scenarios": [], "models": []}
    >>> diff(table, table | {"version": "2"}).settings
    (SettingChange(where='version', old=None, new='2'),)
    """
    kinds = _kind(old), _kind(new)
    if kinds[0] != kinds[1]:
        raise MooInferError(f"the old document is of `{kinds[0]}`, the new one of `{kinds[1]}`; give two of the same")
    try:
        return (_of_reports if kinds[0] == "recommend" else _of_calibrations)(old, new)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise MooInferError("a document lacks what moo-infer writes, or has it in another form") from error


def _of_reports(old: Mapping[str, Any], new: Mapping[str, Any]) -> Diff:
    before, after = ({row["scenario"]: row for row in document["headline"]} for document in (old, new))
    choices: list[ChoiceChange] = []
    numbers: list[NumberChange] = []
    settings = tuple(_changes(_settings(old), _settings(new)))
    shares = {ACCURACY.name, *_judged(old), *_judged(new)}
    by_cause = any(setting.where.startswith("scenarios.") or ".costs[" in setting.where for setting in settings)
    for scenario in dict.fromkeys([*before, *after]):
        rows = before.get(scenario), after.get(scenario)
        choices.append(choice_change(scenario, *rows, by_cause=by_cause))
        if rows[0] and rows[1] and rows[0]["objectives"] and rows[1]["objectives"]:
            numbers += number_changes(scenario, rows[0], rows[1], shares)
    return Diff("recommend", tuple(choices), tuple(numbers), settings)


def choice_change(
    scenario: str,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    *,
    by_cause: bool,
    of: tuple[str, str] = ("report", "scenario"),
) -> ChoiceChange:
    """Return what became of a choice.

    Args:
        scenario: its name.
        old, new: rows of documents; None where there is no such scenario.
        by_cause: whether limits or cost models changed, so that not all is chance.
        of: what the documents are called, and what is decided there.
    """
    before, after = _row_name(old), _row_name(new)

    def change(noise: bool | None, why: str) -> ChoiceChange:
        changed = before != after or (old is None) != (new is None)
        return ChoiceChange(scenario, before, after, changed=changed, noise=noise, why=why)

    if before == after and (old is None) == (new is None):
        return change(None, "")
    if before is None or after is None:
        which, row = ("old", old) if old is None or (before is None and new is not None) else ("new", new)
        return change(
            False, f"in the {which} {of[0]} {f'there is no such {of[1]}' if row is None else 'nothing is chosen'}"
        )
    shares = [
        (share, f"{100 * share:.3g} % of the draws of the {which} {of[0]} chose the {other} row")
        for which, row, name, other in (("old", old, after, "new"), ("new", new, before, "old"))
        if row and (share := _share(row, name)) is not None
    ]
    if not shares:
        return change(None, "no draws say whether that is noise")
    # Chance alone explains it where one could have been the other, and where prices changed too, each the other.
    share, why = (min if by_cause else max)(shares)
    within = f"that is within noise: {' and '.join(why for _, why in shares)}"
    return change(share >= OFTEN, within if share >= OFTEN else f"that is more than noise: {why}")


def _row_name(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None or row["k"] is None:
        return None
    return {name: row[name] for name in ("model", "aggregator", "k")}


def _share(row: Mapping[str, Any], name: Mapping[str, Any]) -> float | None:
    """In which share of the draws behind a row another one was chosen; None where nothing was drawn."""
    if not row.get("stability"):
        return None
    shares = row["stability"]["shares"]
    return float(sum(s["share"] for s in shares if all(s[key] == value for key, value in name.items())))


def _judged(document: Mapping[str, Any]) -> Iterator[str]:
    """The objectives by which answers are judged beside their accuracy."""
    for model in document["models"]:
        yield from (model.get("inference") or {}).get("judged") or ()


def number_changes(
    where: str, old: Mapping[str, Any], new: Mapping[str, Any], shares: Collection[str]
) -> Iterator[NumberChange]:
    """Yield the figures of a choice that changed.

    Args:
        where: the scenario.
        old, new: rows of documents with objectives.
        shares: objectives that are shares of queries, whose paired differences are drawn as such.
    """
    for objective, after in new["objectives"].items():
        before = old["objectives"].get(objective)
        if before is None:
            continue
        share = objective in shares
        ends = _paired(objective, old.get("by_question"), new.get("by_question"), share=share)
        paired = ends is not None
        ends = ends or _apart(before, after)
        yield from _number(where, objective, before["mean"], after["mean"], ends, paired=paired)
        for quantile in [name for name in after if name in before]:
            if quantile.startswith("p") and quantile[1:].replace(".", "").isdigit():
                yield from _number(where, f"{quantile} {objective}", before[quantile], after[quantile], None)


def _number(
    where: str,
    what: str,
    old: float | None,
    new: float | None,
    ends: tuple[float, float] | None,
    *,
    paired: bool = False,
) -> Iterator[NumberChange]:
    """The change of a number, where it changed."""
    if old is None or new is None or math.isclose(old, new, rel_tol=SAME, abs_tol=1e-300):
        return
    low, high = ends or (None, None)
    noise = None if ends is None else bool(ends[0] <= 0 <= ends[1])
    yield NumberChange(where, what, float(old), float(new), low, high, noise, paired)


def _paired(
    objective: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, *, share: bool
) -> tuple[float, float] | None:
    """The interval of the difference by question; None where they name other questions."""
    if not old or not new or objective not in old or objective not in new:
        return None
    first, second = (dict(zip(of["questions"], of[objective], strict=True)) for of in (old, new))
    if first.keys() != second.keys() or len(first) < 2:
        return None
    names = sorted(first)
    apart = np.array([second[name] - first[name] for name in names], dtype=np.float64)
    draws = QuestionDraws(names, DRAWS, 0)
    drawn = draws.differences(apart[:, None])[:, 0] if share else draws.weights @ apart
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return low, high


def _apart(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[float, float] | None:
    """The interval of the difference of two means that are independent; they differ by no chance without intervals."""
    value = new["mean"] - old["mean"]
    half = math.hypot(_half(old), _half(new))
    return value - half, value + half


def _half(figures: Mapping[str, Any]) -> float:
    interval = figures.get("interval") or {}
    ends = interval.get("other_questions") or interval.get("draws")
    simulation = 1.96 * (figures.get("stderr_simulation") or 0.0)
    return math.hypot((ends[1] - ends[0]) / 2 if ends else 0.0, simulation)


def _settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """What was given to a command, by path."""
    scenarios = {
        s["name"]: {f"{limit['statistic']} {limit['objective']}": limit["worst"] for limit in s["limits"]}
        for s in document["scenarios"]
    }
    models = {m["name"]: {key: value for key, value in m.items() if key != "name"} for m in document["models"]}
    given = {name: document.get(name) for name in ("version", "estimator", "simulation")}
    config = document.get("config") or {}
    given |= {name: config[name] for name in SECTIONS if name in config}
    run = {name: value for name, value in (config.get("run") or {}).items() if name in OPTIONS}
    return dict(_leaves({**given, "run": run, "scenarios": scenarios, "models": models}, ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _leaves(entry, f"{path}.{key}".lstrip("."))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for i, entry in enumerate(value):
            yield from _leaves(entry, f"{path}[{i}]")
    else:
        yield path, value


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[SettingChange]:
    for where in dict.fromkeys([*old, *new]):
        if old.get(where) != new.get(where):
            yield SettingChange(where, old.get(where), new.get(where))


def _of_calibrations(old: Mapping[str, Any], new: Mapping[str, Any]) -> Diff:
    before, after = ({model["model"]: model for model in document["models"]} for document in (old, new))
    numbers: list[NumberChange] = []
    for name in [name for name in after if name in before]:
        numbers += _measures(name, before[name], after[name])
        numbers += _judgements(name, before[name], after[name])
    settings = [{name: _calibrated(model) for name, model in of.items()} for of in (before, after)]
    changes = _changes(*(dict(_leaves({"models": of}, "")) for of in settings))
    return Diff("calibrate", (), tuple(sorted(numbers, key=lambda number: number.where)), tuple(changes))


def _calibrated(model: Mapping[str, Any]) -> dict[str, Any]:
    """What is no estimate of a model."""
    kept = ("questions", "samples", "failed", "largest_k", "price", "inference", "costs", "source")
    return {name: model.get(name) for name in kept}


def _measures(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[NumberChange]:
    """The measures of a model that changed: means, and curves at k = 1 and at the largest k that both have."""
    same = old.get("questions_sha256") is not None and old.get("questions_sha256") == new.get("questions_sha256")
    asked = "same_questions" if same else "interval"
    for name in [name.removesuffix("_interval") for name in new if name.endswith("_interval")]:
        values = [(model.get(name), model.get(f"{name}_{asked}")) for model in (old, new)]
        if any(value is None for value, _ in values):
            continue
        if not isinstance(values[0][0], list):
            yield from _number(where, name, values[0][0], values[1][0], _joined(*values))
            continue
        common = sorted({*old["k"]} & {*new["k"]})
        for k in dict.fromkeys([*common[:1], *common[-1:]]):
            places = [model["k"].index(k) for model in (old, new)]
            at_k = [(v[i], ends and ends[i]) for (v, ends), i in zip(values, places, strict=True) if v is not None]
            what = name.replace("_at_k", f" at k = {k}").replace("_of_k", f" of {k}")
            yield from _number(where, what, at_k[0][0], at_k[1][0], _joined(*at_k))


def _judgements(where: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[NumberChange]:
    """What changed of how else the answers of a model are judged."""
    for name in [name for name in new.get("judged") or {} if name in (old.get("judged") or {})]:
        both = ({key: of.get(key) for key in ("k", "questions_sha256")} | of["judged"][name] for of in (old, new))
        yield from (replace(change, what=f"{name} {change.what}") for change in _measures(where, *both))


def _joined(old: tuple[Any, Any], new: tuple[Any, Any]) -> tuple[float, float] | None:
    """The interval of the difference of two numbers with intervals of their own."""
    if any(value is None or not ends or None in ends for value, ends in (old, new)):
        return None
    half = math.hypot(*((ends[1] - ends[0]) / 2 for _, ends in (old, new)))
    return new[0] - old[0] - half, new[0] - old[0] + half
