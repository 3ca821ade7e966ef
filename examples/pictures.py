"""The two pictures of README, and in words what they show.

Run it as it is for the words; name a folder, for example docs, for decision-map.png and space.png too.
"""

import sys
from pathlib import Path

from moo_infer import Pipeline
from moo_infer.decide.map import decision_map

SCENARIO, MODEL = "essay-feedback", "gpt-5"


def main() -> None:
    report = Pipeline().run(None, SCENARIO)
    plane = decision_map(report, "cost", "latency")
    print(f"{SCENARIO}: what {plane.selector} chooses under budgets of cost and latency")
    for (model, _), ks in plane.labels.items():
        chosen = [row for row in plane.rows.flat if row >= 0 and report.candidates.model[row] == model]
        print(f"{model}, k = {', '.join(map(str, ks))}: {100 * len(chosen) / plane.rows.size:.0f} % of the map")
    print(f"{MODEL} within the limits of the scenario")
    for selector in ("max-accuracy", "max-cube", "utopia", "knee", "knee-chord"):
        print(f"{selector}: k = {report[MODEL, selector].k}")
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        # Whoever wants no picture need not wait for matplotlib.
        from moo_infer.plot import decisions, space

        decisions(report).savefig(Path(sys.argv[1]) / "decision-map.png", dpi=100)
        space(report, model=MODEL).savefig(Path(sys.argv[1]) / "space.png", dpi=100)


if __name__ == "__main__":
    main()
