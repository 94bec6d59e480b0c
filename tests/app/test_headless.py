# SPDX-License-Identifier: Apache-2.0
"""The lines at the end of a run without a window."""

from __future__ import annotations

from app.headless import summary
from app.output.stats import Run, statistics
from app.runtime.pipeline import PipelineMeters


def said_of(**counted: object) -> list[str]:
    model = {"name": "net_w1a2", "sha256": "0" * 64, "ms_p50": 1.5, **counted}
    run = Run("toy.mp4", "expression", "fpga", "w1a2", 4.0, 0, [model])
    return [line for line in summary(statistics(run, PipelineMeters())).splitlines() if line.startswith("cycles")]


def test_cycles_are_said_only_where_a_device_counted_them() -> None:
    assert said_of() == []
    measured = "cycles     41,222 cycles = 0.27 ms (net_w1a2, the last run, ARM work excluded)"
    assert said_of(cycles=41_222, clock_hz=150_000_000, simulated=False) == [measured]
    simulated = (
        "cycles     simulated accelerator: 41,222 cycles = 0.41 ms at 100 MHz "
        "(net_w1a2, the last run, ARM work excluded)"
    )
    assert said_of(cycles=41_222, clock_hz=100_000_000, simulated=True) == [simulated]
