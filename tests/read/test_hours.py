from zoneinfo import ZoneInfo

import numpy as np
import pytest

from moo_infer.read.hours import dearest, in_words, minutes

H = 60
CHEAP, DEAR = ({-1: {"usd_per_input_token": usd, "usd_per_output_token": 4 * usd}} for usd in (1e-6, 2e-6))


@pytest.mark.parametrize(
    ("spans", "days", "hours", "words"),
    [
        ([(0, 0)], range(7), 168, "all day every day"),
        ([(0, 0)], [5, 6], 48, "all day on Saturday and Sunday"),
        ([(H, 2 * H)], [0], 1, "01:00-02:00 UTC on Monday"),
        ([(H, 2 * H), (90, 3 * H)], range(7), 14, "01:00-03:00 UTC every day"),
        ([(23 * H, H)], [0, 2, 3], 6, "00:00-01:00 and 23:00-24:00 UTC on Monday, Wednesday and Thursday"),
        ([(0, H), (4 * H, 6 * H), (10 * H, 0)], range(5), 85, "00:00-01:00, 04:00-06:00 and 10:00-24:00 UTC on Monday to Friday"),
        ([], range(7), 0, ""),
    ],
)  # fmt: skip
def test_minutes_of_a_week_in_words(spans, days, hours, words):
    inside = minutes(spans, days)
    assert inside.sum() == hours * 60
    assert in_words(inside) == words


def test_days_may_be_those_of_another_calendar():
    """Monday in Shanghai begins on Sunday at 16:00 UTC."""
    monday = minutes([(0, 0)], [0], ZoneInfo("Asia/Shanghai"))
    assert in_words(monday) == "00:00-16:00 UTC on Monday, 16:00-24:00 UTC on Sunday"


def test_the_same_prices_at_all_hours_do_not_depend_on_the_hour():
    night = minutes([(0, H)])
    assert dearest([(night, CHEAP), (~night, CHEAP)]) == (CHEAP, "", ())
    assert dearest([(np.zeros_like(night), DEAR), (night | True, CHEAP)]) == (CHEAP, "", ())


def test_the_dearest_hours_are_taken_and_the_others_kept():
    night = minutes([(0, 6 * H)])
    found, hours, others = dearest([(night, CHEAP), (~night, DEAR)])
    assert (found, hours, others) == (DEAR, "126 of 168 hours a week", (("00:00-06:00 UTC every day", CHEAP),))


def test_where_no_hour_is_the_dearest_it_is_the_dearest_of_each():
    night = minutes([(0, 6 * H)])
    mixed = {-1: {"usd_per_input_token": 3e-6, "usd_per_output_token": 1e-6}}
    found, hours, others = dearest([(night, mixed), (~night, DEAR)])
    assert found == {-1: {"usd_per_input_token": 3e-6, "usd_per_output_token": 8e-6}}
    assert hours == "the dearest of each price at any hour"
    assert [lists for _, lists in others] == [mixed, DEAR]


def test_longer_prompts_and_caches_have_their_dearest_hours_too():
    night = minutes([(0, 6 * H)])
    longer = {
        -1: DEAR[-1] | {"usd_per_cached_input_token": 1e-7},
        1000: {name: 2 * usd for name, usd in DEAR[-1].items()},
    }
    found, _, others = dearest([(night, CHEAP), (~night, longer)])
    assert found == {
        -1: DEAR[-1] | {"usd_per_cached_input_token": 1e-6},
        1000: longer[1000],
    }  # cheap input is not cached
    assert others[0][1] == CHEAP
