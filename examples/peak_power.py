"""Peak watts as an objective with a limit: what a rack, or its cooling, can bear is a plugin of ten lines."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from moo_infer import CostModel, Draws, NonNegative, Objective, Pipeline, Scenario, builtin_models


@dataclass(frozen=True)
class PeakPower(CostModel):
    """Watts while as many of k inferences run as run at a time."""

    name, objective = "peak-power", Objective("power", unit="W")
    idle_watts: NonNegative
    watts_each: NonNegative

    def total(self, draws: Draws, /, *, parallelism: int) -> npt.NDArray[np.float64]:
        """Watts at the peak of the first k, (M, K)."""
        running = np.minimum(np.arange(1, draws.shape[1] + 1), parallelism)
        return np.broadcast_to(self.idle_watts + self.watts_each * running, draws.shape)


def main() -> None:
    models = [replace(p, costs=(*p.costs, PeakPower(300.0, 150.0))) for p in builtin_models().values()]
    pipeline = Pipeline(selectors="max-accuracy", k=[1, 2, 4, 8, 16], parallelism=16)
    for watts in (900, 1500, 3000):
        rack = Scenario(f"{watts} W", max={"power": watts, "cost": 0.5, "latency": 60})
        choice = pipeline.run(models, rack)["max-accuracy"]
        print(f"{watts} W: {choice.model}, k = {choice.k}, {choice.power.mean:.0f} W, {choice.accuracy.mean:.4f} right")


if __name__ == "__main__":
    main()
