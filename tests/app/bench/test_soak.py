# SPDX-License-Identifier: Apache-2.0
"""The soak's arithmetic: it finds leaks behind noise, and takes neither noise nor settling for one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.bench.runs import BenchError
from app.bench.soak import GROWTH_BOUND, SETTLING_MIB, Sample, growth, judge, rate_hz, warm_up_s

RUN_S = 600.0


def samples(
    leak_mib_per_min: float = 0.0, noise_mib: float = 2.0, run_s: float = RUN_S, fps: float = 24.0
) -> list[Sample]:
    """Return a run of one sample a second: 200 MiB with a leak and noise, 9 threads and 13 files."""
    random = np.random.default_rng(0)
    time_s: NDArray[np.float64] = np.arange(1, run_s + 1)
    rss_mib = 200 + leak_mib_per_min * time_s / 60 + random.normal(0, noise_mib, len(time_s))
    return [Sample(float(t), float(m), 9, 13, int(fps * t), 0, 0) for t, m in zip(time_s, rss_mib, strict=True)]


@pytest.mark.parametrize("leak", [-2.0, 0.0, 0.5, 3.0])
def test_slope_is_that_of_the_leak(leak: float) -> None:
    run = samples(leak)
    found = growth([s.time_s for s in run], [s.rss_mib for s in run])
    assert found.slope == pytest.approx(leak, abs=0.15)
    assert found.low < leak < found.high


def test_slope_without_noise_is_exact() -> None:
    run = samples(1.5, noise_mib=0.0)
    found = growth([s.time_s for s in run], [s.rss_mib for s in run])
    assert (found.slope, found.low, found.high) == pytest.approx((1.5, 1.5, 1.5))


def test_single_jumps_are_no_growth() -> None:
    rss_mib = [200.0] * 500
    rss_mib[490:495] = [900.0] * 5
    assert growth(list(range(500)), rss_mib).slope == 0.0


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 20 samples"):
        growth([1.0] * 19, [1.0] * 19)
    with pytest.raises(BenchError, match="run longer"):
        judge(samples(run_s=40), 40)


def test_level_program_passes() -> None:
    figures = judge(samples(), RUN_S)
    assert figures["failures"] == []
    assert figures["threads"] == {"first": 9, "last": 9}
    assert figures["fps"] == {"first": 24.0, "last": 24.0}


def test_leak_fails() -> None:
    (sentence,) = judge(samples(GROWTH_BOUND + 0.4), RUN_S)["failures"]
    assert sentence.startswith("memory grows by 1.39")


def test_leak_below_the_bound_and_settling_pass() -> None:
    assert judge(samples(GROWTH_BOUND - 0.2), RUN_S)["failures"] == []
    settling = judge(samples(0.9 * SETTLING_MIB, noise_mib=0.1, run_s=60), 60)
    assert settling["rss_mib_per_min"]["low"] > GROWTH_BOUND
    assert settling["failures"] == []


def test_warm_up_is_not_judged() -> None:
    assert (warm_up_s(60), warm_up_s(600)) == (12, 60)
    run = [replace(s, rss_mib=20.0, n_threads=1) if s.time_s < 60 else s for s in samples()]
    assert judge(run, RUN_S)["failures"] == []


@pytest.mark.parametrize("name", ["n_threads", "n_files"])
def test_what_is_not_ended_fails(name: str) -> None:
    run = [replace(s, **{name: 10 + k // 100}) for k, s in enumerate(samples())]
    (sentence,) = judge(run, RUN_S)["failures"]
    assert sentence.startswith(f"open {name.removeprefix('n_')} rose from 1")


def test_rate_that_falls_fails() -> None:
    run = [replace(s, processed=int(24 * min(s.time_s, 400) + 20 * max(s.time_s - 400, 0))) for s in samples()]
    (sentence,) = judge(run, RUN_S)["failures"]
    assert sentence == "the rate fell from 24.0 to 20.0 frames a second"
    assert rate_hz(run) < 24
