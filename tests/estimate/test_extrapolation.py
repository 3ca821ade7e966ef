"""What a source supports: k beyond it are left out, or marked in every output."""

import json

import pytest

from moo_infer import ModelProfile, MooInferError, Pipeline, Scenario, load_models
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import Beta


def report(*, extrapolate, k=(1, 4, 8, 16)):
    inference = Beta(a=0.5, b=1.5, tokens_out_mean=100)
    profile = ModelProfile(
        "mine", inference, (LinearCost(0.0, 1e-5),), largest_k=4, extrapolate_to=16 if extrapolate else None
    )
    return Pipeline(["coverage"], ["max-accuracy"], k=k).run(profile, Scenario("any"))


def test_what_the_source_does_not_support_is_no_candidate():
    found = report(extrapolate=False)
    assert found.candidates.k.tolist() == [1, 4]
    assert "mine: no k above 4, the largest that its source supports." in found.to_text()
    assert found["max-accuracy"].warnings == ()


def test_extrapolated_choices_are_marked_in_text_json_and_page():
    found = report(extrapolate=True)
    remark = "extrapolated beyond k = 4"
    assert f"; {remark} (to 16)." in " ".join(found.to_text().split())  # the answer itself
    assert "16*" in found.to_text()
    assert json.loads(found.to_json())["recommended"][0]["warnings"] == [f"{remark} (to 16)"]
    assert remark in found.to_html()
    assert remark in found._repr_html_()


def test_extrapolated_choices_are_marked_in_pictures():
    from moo_infer import plot

    figure = plot.curve(report(extrapolate=True))
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert dotted[0].get_xdata().tolist() == [4, 8, 16]
    assert any("extrapolated beyond k = 4" in text.get_text() for text in figure.legends[0].texts)


def test_k_ends_where_extrapolation_does():
    found = report(extrapolate=True, k=(1, 8, 16, 32))
    assert found.candidates.k.tolist() == [1, 8, 16]
    assert "no k above 16, as far as it is extrapolated" in found.to_text()


def test_extrapolated_regions_of_a_decision_map_are_marked():
    from moo_infer import plot
    from moo_infer.decide import map as decision_map

    found = report(extrapolate=True)
    budgets = Scenario("any", max={"cost": 0.02})
    drawn = plot.decisions(
        Pipeline(["coverage"], ["max-accuracy"], k=[1, 4, 8, 16]).run(found.profiles, budgets), size=8
    )
    labels = [text.get_text() for text in drawn.legends[0].texts]
    assert any(label.endswith("*") for label in labels), labels
    assert decision_map


def test_supported_choices_are_not_marked():
    assert report(extrapolate=True, k=(1, 4))["max-accuracy"].warnings == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("largest_k: 0", "largest_k: must be >= 1, got 0"),
        ("largest_k: 2.5", "largest_k: must be a whole number >= 1, got 2.5"),
        ("extrapolate_to: 'far'", "extrapolate_to: must be a whole number >= 1, got 'far'"),
        ("extrapolate_to: 8", "extrapolate_to: needs largest_k, got 8"),
        ("largest_k: 8\n    extrapolate_to: 8", "extrapolate_to: must be above largest_k = 8, got 8"),
    ],
)
def test_bad_values_in_yaml_are_refused(tmp_path, line, message):
    file = tmp_path / "my.yaml"
    file.write_text(f"models:\n  mine:\n    {line}\n    inference: {{kind: beta, a: 1, b: 1}}\n    costs: []\n")
    with pytest.raises(MooInferError, match=message):
        load_models(file)
