"""Decide between two models of your own and two of the paper, under two sets of limits."""

from moo_infer import ModelProfile, Pipeline, Scenario
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.inference import Gaussian


def own(name: str, accuracy: float, usd_per_million: float, seconds_per_token: float) -> ModelProfile:
    return ModelProfile(
        name,
        Gaussian(
            tokens_in_mean=800,
            tokens_in_std=100,
            tokens_out_mean=400,
            tokens_out_std=80,
            accuracy_mean=accuracy,
            accuracy_std=0.05,
        ),
        (
            LinearCost(usd_per_input_token=usd_per_million * 1e-6, usd_per_output_token=4 * usd_per_million * 1e-6),
            LinearLatency(seconds_per_input_token=0.0, seconds_per_output_token=seconds_per_token),
        ),
        parallelism=4,
        source="our own measurements",
    )


def main() -> None:
    pipeline = Pipeline(
        aggregators=["best-of-k", "majority-vote"],
        selectors=["max-accuracy", "utopia", "min-cost"],
        k=range(1, 33),
    )
    models: list[str | ModelProfile] = [
        own("small", 0.80, 0.1, 0.002),
        own("large", 0.92, 2.0, 0.010),
        "gpt-5",
        "gpt-5-nano",
    ]
    chat = Scenario("chat", max={"cost": 0.02, "latency": {"p95": 4.0}}, min={"accuracy": 0.9})
    batch = Scenario("batch", max={"cost": 0.005}, min={"accuracy": 0.95})
    report = pipeline.run(models, [chat, batch])
    print(report)
    choice = report["chat", "max-accuracy"]
    print(f"{choice.model}, k = {choice.k}, {choice.aggregator}: p95 latency within 4 s at {choice.cost.mean:.4f} USD")


if __name__ == "__main__":
    main()
