"""The section ``day`` of a file: its forms, and what is refused in a sentence that says where it stands."""

import pytest

from moo_infer import MooInferError
from moo_infer.core.day import Day
from moo_infer.read.profiles import load_day, named_day


@pytest.fixture
def written(tmp_path):
    def write(text, name="my.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


FORMS = [
    "0.5",
    "5e-1",
    str([0.5] * 24),
    "{0-24: 0.5}",
    "{0-8: 0.5, 8: 0.5, 9-24: 0.5}",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_number_by_hour_is_written_in_several_ways(written, form):
    path = written(f"day: {{queries_per_second: {form}, gco2_per_kwh: 400}}")
    assert load_day(path) == Day((0.5,) * 24, None, (400.0,) * 24)


def test_a_file_without_a_day_has_none_and_one_that_names_its_models_has_theirs(written):
    models = written("day: {queries_per_second: 1}\nmodels: {}\n", "models.yaml")
    assert load_day(written("models: {}")) is None
    assert named_day(None) is None
    assert load_day(models) == Day((1.0,) * 24)


@pytest.mark.parametrize(
    ("day", "sentence"),
    [
        ("3", "day: must be a mapping, got 3"),
        ("{}", "day: missing queries_per_second; keys: queries_per_second, usd_per_kwh, gco2_per_kwh"),
        (
            "{queries_per_second: 1, gco2: 3}",
            "day: unknown key 'gco2'; keys: queries_per_second, usd_per_kwh, gco2_per_kwh",
        ),
        ("{queries_per_second: [1, 2]}", "queries_per_second: must be 24 numbers, one an hour, got 2"),
        ("{queries_per_second: true}", "queries_per_second: must be a finite number, got True"),
        ("{queries_per_second: .nan}", "queries_per_second: must be a finite number, got nan"),
        ("{queries_per_second: many}", "queries_per_second: must be a finite number, got 'many'"),
        ("{queries_per_second: {0-8: 1}}", "queries_per_second: hour 8 is not given"),
        ("{queries_per_second: {0-12: 1, 11-24: 2}}", "queries_per_second: hour 11 is given twice"),
        ("{queries_per_second: {8-25: 1}}", "queries_per_second: hours are 0 to 23, or spans of them .*, got '8-25'"),
        ("{queries_per_second: {8-8: 1}}", "queries_per_second: hours are 0 to 23, or spans of them .*, got '8-8'"),
        ("{queries_per_second: {0-24: x}}", "queries_per_second: 0-24: must be a finite number, got 'x'"),
        ("{queries_per_second: -1}", "day: queries_per_second: hour 0: must be finite and >= 0, got -1.0"),
        ("{queries_per_second: 0}", "day: queries_per_second: no query comes in any hour"),
        ("{queries_per_second: 1, gco2_per_kwh: -4}", "day: gco2_per_kwh: hour 0: must be finite and >= 0, got -4.0"),
    ],
)
def test_what_is_refused(written, day, sentence):
    with pytest.raises(MooInferError, match=rf"my\.yaml: {sentence}"):
        load_day(written(f"day: {day}\n"))


def test_in_python_a_day_has_24_numbers():
    for given in ([1.0] * 23, "1", None, [True] * 24, [float("inf")] * 24):
        with pytest.raises(MooInferError, match="day: queries_per_second: "):
            Day(given)
    with pytest.raises(MooInferError, match=r"day: no hour has 3 queries a second; loads: 1, 2"):
        Day([1.0] * 12 + [2.0] * 12).at(3)


def test_hours_that_are_alike_are_one_level():
    day = Day([1.0] * 6 + [0.0] * 6 + [3.0] * 12, usd_per_kwh=[0.1] * 18 + [0.2] * 6)
    levels = [(level.queries_per_second, level.share, level.usd_per_kwh) for level in day.levels]
    assert levels == [(1.0, 6 / 42, 0.1), (3.0, 18 / 42, 0.1), (3.0, 18 / 42, 0.2)]
    assert day.shares == {1.0: 6 / 42, 3.0: 36 / 42}
    assert [level.share for level in day.at(3.0).levels] == [0.5, 0.5]
