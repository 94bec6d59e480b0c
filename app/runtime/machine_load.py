# SPDX-License-Identifier: Apache-2.0
"""What this process takes of the machine, and how warm the machine is."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

THERMAL = Path("/sys/class/thermal")


@dataclass(frozen=True)
class Load:
    """At one moment; None where the machine does not say."""

    cpu_percent: float  # of one core, since the moment before: 200 = two cores busy
    memory_mib: float  # resident
    temperature_c: float | None  # of the warmest zone


class LoadMeter:
    """Asked by one thread, a few times a second."""

    def __init__(self, thermal: Path = THERMAL) -> None:
        self._zones = sorted(thermal.glob("thermal_zone*/temp"))
        self._wall_ns, self._cpu_ns = time.monotonic_ns(), time.process_time_ns()

    def __call__(self) -> Load:
        """Return the load since the last call."""
        wall_ns, cpu_ns = time.monotonic_ns(), time.process_time_ns()
        share = (cpu_ns - self._cpu_ns) / max(wall_ns - self._wall_ns, 1)
        self._wall_ns, self._cpu_ns = wall_ns, cpu_ns
        warm = [degrees for degrees in map(degrees_of, self._zones) if degrees is not None]
        return Load(100 * share, rss_mb(), max(warm, default=None))


def rss_mb() -> float:
    """Return the resident memory of this process in MiB (Linux: /proc/self/statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def degrees_of(zone: Path) -> float | None:
    """Return the temperature of a thermal zone in degrees Celsius; some sensors cannot be read, or say nonsense."""
    try:
        degrees = int(zone.read_text()) / 1000
    except (OSError, ValueError):
        return None
    return degrees if -40 < degrees < 150 else None
