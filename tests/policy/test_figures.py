"""Figures of policies on real logs that were computed apart from this package, beside those of test_gpqa.py."""

import numpy as np
import pytest

from moo_infer import ModelProfile
from moo_infer.builtin.empirical import Empirical
from moo_infer.builtin.policies import AdaptiveConsistency, Fixed
from moo_infer.builtin.stages import Cascade, Stage
from moo_infer.calibrate import read_log
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import evaluated
from moo_infer.policy.replay import replayed


def test_a_cascade_looks_better_as_if_its_models_were_independent(gpqa, registry):
    """What models that were fitted apart would say of it: hard questions are hard for both, and handed over."""
    both = evaluated(Deployment.of(Cascade(Stage("fZB3", 2), Stage("Cg54")), gpqa, None, registry))
    given = {"accuracy": 0.857909451659, "cost": 0.0320069678662, "latency": 61.0645713384}
    for name, figure in given.items():
        assert both.mean[name].mean() == pytest.approx(figure, rel=1e-11)
    cheap, dear = (
        evaluated(Deployment.of(Fixed(k, model=model), gpqa, None, registry)) for model, k in (("fZB3", 2), ("Cg54", 1))
    )
    handed_over = both.endings[2, 1].mean()
    kept = (both.mean["accuracy"] - both.endings[2, 1] * dear.mean["accuracy"]).mean()
    # The dear model's accuracy and price are then those of all questions, not of the hard ones.
    assert kept + handed_over * dear.mean["accuracy"].mean() == pytest.approx(0.872628, abs=5e-7)
    assert cheap.mean["cost"].mean() + handed_over * dear.mean["cost"].mean() == pytest.approx(0.0260628, abs=5e-8)


@pytest.mark.parametrize(
    ("name", "model", "accuracy", "calls", "tail"),
    [("gpqa_diamond", "gpt-oss-20b", 0.716, 17.3, 80), ("math500", "gpt-oss-20b", 0.951, 6.0, 12)],
)
def test_adaptive_consistency_on_eighty_samples(data, registry, name, model, accuracy, calls, tail):
    """Within the error of the figures, which are rounded, and four of those of the replay."""
    (log,) = read_log(data / "boinf" / f"{name}.csv.gz").with_models([model]).samples()
    of = Deployment.of(
        AdaptiveConsistency(k=80, model=model), {model: ModelProfile(model, Empirical(log), ())}, None, registry
    )
    each = 10_000 // len(log.questions)
    drawn = replayed(of, each * len(log.questions), 0, np.tile(np.arange(len(log.questions)), each))
    for values, figure, rounding in (
        (drawn.totals["accuracy"], accuracy, 0.001),
        (drawn.n[:, 0].astype(float), calls, 0.05),
    ):
        within = values.reshape(each, -1).var(axis=0, ddof=1).mean()
        assert abs(values.mean() - figure) <= rounding + 4 * np.sqrt(within / len(values))
    assert np.quantile(drawn.n, 0.95, method="inverted_cdf") == tail
