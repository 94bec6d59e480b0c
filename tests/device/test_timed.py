# SPDX-License-Identifier: Apache-2.0
"""The median of the last runs, on a clock that the test sets."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from device.backend import Cycles, Tensors, TensorSpec
from device.errors import BackendError
from device.timed import N_RUNS, TimedBackend


class Echo:
    """A backend that returns what it gets; fails when told to."""

    name = "echo"
    inputs: tuple[TensorSpec, ...] = (TensorSpec("x", (1,), "float32"),)
    outputs = inputs

    def __init__(self) -> None:
        self.n_closed, self.is_failing = 0, False

    def run(self, inputs: Tensors) -> Tensors:
        if self.is_failing:
            raise BackendError("echo was closed")
        return inputs

    def close(self) -> None:
        self.n_closed += 1


def clock(spans_ms: list[float]) -> Iterator[int]:
    """Yield the start and the end of each span, in ns."""
    now_ns = 0
    for span_ms in spans_ms:
        yield now_ns
        now_ns += round(span_ms * 1e6)
        yield now_ns


def run_all(backend: TimedBackend, spans_ms: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = clock(spans_ms)
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(ticks))
    for _ in spans_ms:
        backend.run({"x": np.zeros(1, np.float32)})


def test_median(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = TimedBackend(Echo())
    assert backend.ms_p50() == 0.0
    run_all(backend, [1.0, 9.0, 2.0], monkeypatch)
    assert backend.ms_p50() == 2.0
    run_all(backend, [4.0], monkeypatch)
    assert backend.ms_p50() == 3.0


def test_old_runs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = TimedBackend(Echo())
    run_all(backend, [100.0] * N_RUNS + [1.0] * N_RUNS, monkeypatch)
    assert backend.ms_p50() == 1.0


def test_only_runs_since_a_time_count(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = TimedBackend(Echo())
    run_all(backend, [5.0, 1.0, 2.0], monkeypatch)  # they end after 5, 6 and 8 ms
    assert backend.ms_p50(since_ns=5_000_000) == 1.5
    assert backend.ms_p50(since_ns=8_000_000) == 0.0


def test_forwards_everything() -> None:
    echo = Echo()
    backend = TimedBackend(echo)
    assert (backend.name, backend.inputs, backend.outputs) == (echo.name, echo.inputs, echo.outputs)
    inputs = {"x": np.ones(1, np.float32)}
    assert backend.run(inputs) is inputs
    backend.close()
    assert echo.n_closed == 1


def test_failed_run_is_not_timed() -> None:
    echo = Echo()
    echo.is_failing = True
    backend = TimedBackend(echo)
    with pytest.raises(BackendError):
        backend.run({"x": np.zeros(1, np.float32)})
    assert backend.ms_p50() == 0.0


class Counting(Echo):
    """An echo of 7 cycles a run at 1 MHz."""

    last_cycles: Cycles | None = None

    def run(self, inputs: Tensors) -> Tensors:
        self.last_cycles = Cycles(7, 1_000_000)
        return super().run(inputs)


def test_cycles_are_passed_on_where_the_device_counts_them() -> None:
    inputs = {"x": np.ones(1, np.float32)}
    plain, counting = TimedBackend(Echo()), TimedBackend(Counting())
    before = counting.last_cycles
    for backend in (plain, counting):
        backend.run(inputs)
    assert (before, plain.last_cycles) == (None, None)
    assert counting.last_cycles == Cycles(7, 1_000_000)
    assert Cycles(7, 1_000_000).ms == pytest.approx(0.007)
