"""Calls that are all made at once and answered one by one: when they arrive, and what is paid for those cancelled."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, NothingPossible, unknown
from ..core.objectives import COST, Objective
from ..core.seen import Answer, Call, Seen
from ..interfaces import Policy
from .decisions import decision
from .dependence import refuse_unlike_alone
from .deployment import Deployment
from .states import Known, decisions
from .trials import Run, TrialStates, part_of

__all__ = ["arrive", "launched", "never_answers", "refuse_more", "spent_share", "timed"]

BILLED = ("share", "full", "none")
PROBED = 200  # queries whose calls are compared with all of them at once


def launched(of: Deployment) -> tuple[int, ...]:
    """Return how often a policy calls each model at first, all at once.

    Raises:
        NothingPossible: where that differs from query to query.
        MooInferError: where it answers before any call.
    """
    reads: dict[Any, None] = {}
    queries: Sequence[Mapping[str, object]] = of.known or [of.situation]
    waves = set()
    for known in queries:
        call = decision(of.policy, Seen(query=Known(known, reads)), of.most)
        if isinstance(call, Answer):
            raise MooInferError(f"{of.name} answers before any call")
        waves.add(tuple(int(call.times.get(model, 0)) for model in of.models))
        if not reads:  # it looks at no query
            break
    if len(waves) > 1:
        raise NothingPossible(
            f"{of.name} is asked at every arrival, and what it calls at first differs from query to query, which is "
            "not evaluated"
        )
    return waves.pop()


def timed(of: Deployment, objectives: Sequence[Objective]) -> str:
    """Return the objective that says when a call arrives; raises NothingPossible where there is none."""
    name = next((objective.name for objective in objectives if objective.along == "longest-path"), None)
    if name is None:
        raise NothingPossible(
            f"{of.name} is asked at every arrival, and no cost model says how long a call takes alone: none has an "
            "objective along the longest path"
        )
    return name


def spent_share(policy: Policy, objective: Objective, end: FloatArray, seconds: FloatArray) -> FloatArray | float:
    """Return the share of what cancelled calls take, by when the query ended (S, 1) and they would have (S, T).

    Dollars are what is billed, as the policy says; joules and FLOP are taken by what ran, whatever is billed.
    """
    billed = getattr(policy, "cancelled_billed", "share")
    if billed not in BILLED:
        raise unknown("cancelled_billed", billed, BILLED, f"policy {policy.name!r}")
    if billed != "share" and objective == COST:
        return float(billed == "full")
    share: FloatArray = np.divide(end, seconds, out=np.ones_like(seconds), where=seconds > 0)
    return share


def refuse_more(of: Deployment, call: Call, t: int) -> None:
    """Refuse calls while others are on their way."""
    if call.times:
        raise MooInferError(
            f"{of.name} calls more after {t} answers arrived; a policy that is asked at every arrival makes all its "
            "calls at once, and Call({}) waits for the next answer"
        )


def never_answers(of: Deployment, calls: int) -> MooInferError:
    """Say that a policy waits for ever."""
    return MooInferError(f"{of.name} waits for more answers after all {calls} arrived")


def arrive(run: Run) -> None:
    """Let the answers to drawn queries arrive by their seconds, until the policy answers each; see `run_arrivals`."""
    of, wave = run.of, launched(run.of)
    T, name = sum(wave), timed(run.of, tuple(run.of.costs))
    totals = _in_order(run, wave, name)
    model = np.repeat(np.arange(len(wave)), wave)
    # Samples of a model are in an order at random; those of several that arrive at the same time are put into one.
    chance = run.rng.random(totals[name].shape) if len(wave) > 1 else np.zeros_like(totals[name])
    place = np.argsort(np.lexsort((chance, totals[name]), axis=1), axis=1)
    for j in range(len(wave)):  # whose samples are seen in the order in which they stand
        place[:, model == j] = np.sort(place[:, model == j], axis=1)
    open_ones = np.arange(len(run.waves))
    for t in range(1, T + 1):
        there = place[open_ones] < t
        counts = np.stack([there[:, model == j].sum(axis=1) for j in range(len(wave))], axis=1)
        left = []
        for n in np.unique(counts, axis=0):
            states = TrialStates(run, open_ones[(counts == n).all(axis=1)], (tuple(n.tolist()),))
            for decided, places in decisions(of.policy, states, of.most):
                trials = states.trials[places]
                if isinstance(decided, Answer):
                    _spend(run, totals, name, place, trials, t)
                    run.answer(decided, trials, states.n, 1)
                else:
                    refuse_more(of, decided, t)
                    left.append(trials)
        if not left:
            return
        open_ones = np.concatenate(left)
    raise never_answers(of, T)


def _in_order(run: Run, wave: tuple[int, ...], name: str) -> dict[str, FloatArray]:
    """Put the calls of each model into the order in which they arrive; what each takes alone (M, T), by objective."""
    every = np.arange(len(run.waves))
    alone = {objective.name: [_alone(run, objective, j, w) for j, w in enumerate(wave)] for objective in run.of.costs}
    for j, w in enumerate(wave):
        for objective in run.of.costs if w > 1 else ():
            own, together = alone[objective.name][j][:PROBED], run.total(objective, j, every[:PROBED], 0, w)
            refuse_unlike_alone(run.of, objective, j, own, together)
        order = np.argsort(alone[name][j], axis=1, kind="stable")
        run.draws[j] = part_of(run.draws[j], (every[:, None], order))
        for each in alone.values():
            each[j] = np.take_along_axis(each[j], order, axis=1)
    return {key: np.concatenate(each, axis=1) for key, each in alone.items()}


def _alone(run: Run, objective: Objective, j: int, w: int) -> FloatArray:
    """(M, w) what each call takes by itself."""
    every = np.arange(len(run.waves))
    columns = [run.total(objective, j, every, i, i + 1, before=0) for i in range(w)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(every), 0))


def _spend(run: Run, totals: dict[str, FloatArray], name: str, place: IntArray, trials: IntArray, t: int) -> None:
    """Add what calls take of which t arrived, and the others are cancelled."""
    seconds, there = totals[name][trials], place[trials] < t
    end = np.where(there, seconds, 0.0).max(axis=1)
    for objective in run.of.costs:
        own = totals[objective.name][trials]
        if objective.along == "longest-path":
            spent = np.where(there, own, 0.0).max(axis=1)
        else:
            share = spent_share(run.of.policy, objective, end[:, None], seconds)
            spent = (own * np.where(there, 1.0, share)).sum(axis=1)
        run.totals[objective.name][trials] += spent
