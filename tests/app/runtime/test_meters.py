# SPDX-License-Identifier: Apache-2.0
"""Rates, percentiles and stage times on clocks that the tests set."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.runtime.meters import Percentiles, Rate, Recent, StageTimes, stage_cpu_ms, stage_ms

MS = 1_000_000
SECOND = 1_000 * MS


@pytest.mark.parametrize("hz", [1.0, 5.0, 30.0, 144.0])
@pytest.mark.parametrize("start_ns", [0, 10**15])
def test_rate_is_exact_on_even_ticks(hz: float, start_ns: int) -> None:
    rate = Rate()
    for k in range(int(3 * hz) + 1):
        now_ns = start_ns + round(k * SECOND / hz)
        rate.tick(now_ns)
        assert rate.hz(now_ns) == pytest.approx(hz if k else 0.0, rel=1e-6)


def test_rate_counts_what_a_tick_stands_for() -> None:
    rate = Rate()
    for k in range(5):
        rate.tick(k * 100 * MS, count=3)
    assert rate.hz(400 * MS) == pytest.approx(30.0)


def test_rate_follows_a_change_within_a_second() -> None:
    rate = Rate()
    fast = [k * 10 * MS for k in range(100)]
    slow = [fast[-1] + k * 100 * MS for k in range(1, 12)]
    for now_ns in fast + slow:
        rate.tick(now_ns)
    assert rate.hz(slow[-1]) == pytest.approx(10.0)


def test_rate_of_what_has_stopped_falls_to_zero_within_a_second() -> None:
    rate = Rate()
    for k in range(31):
        rate.tick(k * SECOND // 30)
    shown = [rate.hz(SECOND + late_ms * MS) for late_ms in range(0, 1100, 20)]
    assert shown[0] == pytest.approx(30.0)
    assert shown[-1] == 0.0
    assert rate.hz(2 * SECOND + 1) == 0.0
    assert (np.diff(shown) <= 1e-6).all()
    assert shown[40] < 10.0  # 0.8 s without a tick


def test_rate_before_two_ticks_and_at_one_instant_is_zero() -> None:
    rate = Rate()
    assert rate.hz(0) == 0.0
    rate.tick(5)
    assert rate.hz(5) == 0.0
    rate.tick(5)
    assert rate.hz(5) == 0.0


@settings(max_examples=80, deadline=None)
@given(values=st.lists(st.floats(2e-3, 9e5), min_size=1, max_size=200), percent=st.sampled_from([0, 50, 95, 99, 100]))
def test_percentiles_agree_with_numpy(values: list[float], percent: int) -> None:
    histogram = Percentiles()
    for value in values:
        histogram.add(value)
    (found,) = histogram.at(percent)
    assert found == pytest.approx(float(np.percentile(values, percent, method="inverted_cdf")), rel=0.0101)
    assert len(histogram) == len(values)


def test_percentiles_of_a_long_run() -> None:
    values = np.random.default_rng(0).lognormal(2.0, 0.6, 20_000)
    histogram = Percentiles()
    for value in values:
        histogram.add(float(value))
    np.testing.assert_allclose(histogram.at(50, 95, 99), np.percentile(values, [50, 95, 99]), rtol=0.0101)


def test_percentiles_of_nothing_and_beyond_the_range() -> None:
    histogram = Percentiles()
    assert histogram.at(50, 99) == [0.0, 0.0]
    for value in (0.0, -1.0, 1e-9):
        histogram.add(value)
    assert histogram.at(50) == [pytest.approx(1e-3)]
    for _ in range(10):
        histogram.add(1e12)
    assert histogram.at(50) == [pytest.approx(1e6)]


def test_stage_times_add_up_within_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 2 * MS, 10 * MS, 13 * MS, 20 * MS, 27 * MS])
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(clock))
    times = StageTimes()
    with times.stage("detect"):
        pass
    with times.stage("track"):
        pass
    with times.stage("detect"):
        pass
    spans = times.take()
    assert [(span.name, span.start_ns) for span in spans] == [("detect", 0), ("track", 10 * MS), ("detect", 20 * MS)]
    assert stage_ms(spans) == {"detect": 9.0, "track": 3.0}
    assert times.take() == ()


def test_stage_times_know_work_from_waiting() -> None:
    times = StageTimes()
    with times.stage("wait"):
        time.sleep(0.05)
    with times.stage("work"):
        end_ns = time.thread_time_ns() + 10 * MS
        while time.thread_time_ns() < end_ns:
            pass
    cpu_ms = stage_cpu_ms(times.take())
    assert cpu_ms["wait"] < 10.0 <= cpu_ms["work"]


def test_stage_that_fails_is_timed_all_the_same() -> None:
    times = StageTimes()

    def fail() -> None:
        with times.stage("detect"):
            time.sleep(0.002)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert stage_ms(times.take())["detect"] >= 2.0


def test_recent_is_the_median_of_the_last_second() -> None:
    recent = Recent()
    for k, value in enumerate([100.0, 1.0, 2.0, 9.0]):
        recent.add(k * 400 * MS, {"detect": value})
    assert recent.medians(1200 * MS) == {"detect": 2.0}  # the 100 of 1.2 s ago is forgotten
    recent.add(1200 * MS, {"track": 4.0})
    assert recent.medians(1200 * MS) == {"detect": 2.0, "track": 4.0}
    assert recent.medians(2200 * MS) == {"detect": 9.0, "track": 4.0}
    assert recent.medians(2201 * MS) == {}
