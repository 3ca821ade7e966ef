"""A policy over a day: at each load it knows how many queries come, and pays for how often they all call."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import FloatArray
from ..core.day import LOAD, Day
from ..core.errors import MooInferError
from ..estimate.at_load import at_load, without_load
from ..estimate.course import Course
from ..estimate.curve_draws import CurveDraws
from ..estimate.curves import Curve
from ..estimate.day_curve import at_levels, draws_over_day, over_day
from ..estimate.exact import Asked, Exact
from ..estimate.monte_carlo import Estimator
from ..interfaces import Policy
from ..profiles import ModelProfile
from ..registry import Registry
from .curves import PolicySetup
from .deployment import Deployment

__all__ = ["DayPolicy"]

PASSES = 20  # until a policy that looks at seconds calls as often as those seconds say
CLOSE = 1e-6  # of the calls of a query, relative


@dataclass(frozen=True, eq=False)
class DayPolicy:
    """What a curve of a policy over a day is estimated from.

    Args:
        levels: by load, what the curve there is estimated from.
        day: the loads.
    """

    levels: tuple[PolicySetup, ...]
    day: Day

    @classmethod
    def of(
        cls,
        name: str,
        policies: Sequence[tuple[Policy, str]],
        profiles: Mapping[str, ModelProfile],
        parallelism: int | None,
        registry: Registry,
        estimator: Estimator,
        day: Day,
    ) -> "DayPolicy":
        """Find at each load how often a query calls each model, which says how busy they are.

        Args:
            name: what the table calls the policy.
            policies: at n numbers of samples, each with the text that makes it again.
            profiles, parallelism, registry: as in `Deployment.of`.
            estimator: of the calls.
            day: the loads.

        Raises:
            MooInferError: as `Deployment.of` does, and where a policy calls more often the longer queries wait, so that
                no number of calls fits itself.
            NothingPossible: where more arrives than can be served.
        """
        texts = tuple(text for _, text in policies)

        def deployed(policy: Policy, load: float, calls: Mapping[str, float] | None) -> Deployment:
            models = {
                model: without_load(profile) if calls is None else at_load(profile, load, calls.get(model))
                for model, profile in profiles.items()
            }
            return Deployment.of(policy, models, parallelism, registry, {LOAD: load})

        def settled(policy: Policy, load: float, of: Estimator) -> Deployment:
            """The policy at a load at which it calls as often as its models are told."""
            calls = None
            for _ in range(PASSES):
                deployment = deployed(policy, load, calls)
                found = _calls(PolicySetup(name, (deployment,), texts[:1]), of)
                if calls is not None and _alike(calls, found):
                    return deployment
                calls = found
            raise MooInferError(
                f"policy {name!r} at {load:g} queries a second: how often it calls depends on how long queries wait, "
                "and that on how often they call, and no number of calls fits both"
            )

        levels = []
        for level, of in zip(day.levels, at_levels(estimator, day), strict=True):
            each = tuple(settled(policy, level.queries_per_second, of) for policy, _ in policies)
            levels.append(PolicySetup(name, each, texts))
        return cls(tuple(levels), day)

    @property
    def profiles(self) -> tuple[ModelProfile, ...]:
        """Those of the models."""
        return self.levels[0].profiles

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions of the logs; none without logs."""
        return self.levels[0].questions

    def curve(self, estimator: Estimator, /) -> Curve:
        """Estimate the curve."""
        each = zip(at_levels(estimator, self.day), self.levels, strict=True)
        curves = [setup.curve(of) for of, setup in each]
        shares = np.array([level.share for level in self.day.levels])
        courses = [_mixed(of, shares) for of in zip(*(curve.courses for curve in curves), strict=True)]
        return replace(over_day(curves, self.day, estimator.trials), courses=tuple(courses))

    def redraw(self, estimator: Exact, B: int, seed: int, questions: Asked = "other") -> CurveDraws:
        """Estimate the curve for B draws of what is uncertain in it; how often it calls stays as it is."""
        each = zip(at_levels(estimator, self.day), self.levels, strict=True)
        drawn = [setup.redraw(of, B, seed, questions) for of, setup in each]
        return draws_over_day(drawn, self.day, estimator.trials)


def _calls(setup: PolicySetup, estimator: Estimator) -> dict[str, float]:
    """How often a query calls each model on average."""
    (course,) = setup.curve(estimator).courses
    return course.of_each


def _alike(calls: Mapping[str, float], others: Mapping[str, float]) -> bool:
    return all(abs(calls[model] - others[model]) <= CLOSE * max(others[model], CLOSE) for model in others)


def _mixed(courses: Sequence[Course], shares: FloatArray) -> Course:
    """What a policy does over all loads."""
    endings: dict[tuple[int, ...], float] = defaultdict(float)
    waves: dict[int, float] = defaultdict(float)
    for course, share in zip(courses, shares.tolist(), strict=True):
        for n, of in course.after.items():
            endings[n] += share * of
        for count, of in course.in_waves.items():
            waves[count] += share * of
    answering = tuple(dict.fromkeys(name for course in courses for name in course.answering))
    return Course.of(courses[0].policy, courses[0].models, endings, waves, answering)
