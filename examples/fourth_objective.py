"""Add energy as a fourth objective: one cost model, and the table, limits and selectors have it."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moo_infer import CostModel, Draws, Objective, Pipeline, Scenario, builtin_models


@dataclass(frozen=True)
class TokenEnergy(CostModel):
    """Joules per generated token."""

    name = "token-energy"
    objective = Objective("energy", unit="J")
    joules_per_output_token: float = 0.5

    def total(self, draws: Draws, /, *, parallelism: int) -> npt.NDArray[np.float64]:
        """Joules of the first k inferences, (M, K)."""
        return np.cumsum(self.joules_per_output_token * draws.tokens_out, axis=1)


def main() -> None:
    models = [replace(profile, costs=(*profile.costs, TokenEnergy())) for profile in builtin_models().values()]
    green = Scenario("green", max={"cost": 0.5, "latency": 60, "energy": 10_000}, min={"accuracy": 0.93})
    report = Pipeline(selectors=["utopia", "max-accuracy"]).run(models, green)
    print(report.to_text())
    best = report["max-accuracy"]
    print(f"{best.model} with k = {best.k} takes {best.energy.mean:.0f} J, within {best.energy.high:.0f} J in 97.5 %")


if __name__ == "__main__":
    main()
