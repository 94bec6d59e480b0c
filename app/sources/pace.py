# SPDX-License-Identifier: Apache-2.0
"""Presentation time against the wall clock, for the sources that are not cameras."""

from __future__ import annotations

import time
from typing import Literal

Pace = Literal["realtime", "max"]
"""realtime: as a camera would, dropping what the reader is late for; max: every frame, as fast as it is read."""

# A source may block for at most 1 s; the rest is left for decoding.
MAX_WAIT_NS = 900_000_000

# Nobody reads for so long unless the user paused or the machine slept: go on where it stopped.
PAUSE_NS = 1_000_000_000


class Pacer:
    """Ties a source's `t_ns` to `time.monotonic_ns()`; used by the one thread that reads the source."""

    def __init__(self) -> None:
        self._origin_ns: int | None = None  # monotonic time of t_ns = 0

    def late_ns(self, t_ns: int) -> int:
        """Return how long ago the frame of `t_ns` was due (negative: still to come); 0 at first and after a pause."""
        now_ns = time.monotonic_ns()
        if self._origin_ns is None or now_ns - self._origin_ns - t_ns > PAUSE_NS:
            self._origin_ns = now_ns - t_ns
        return now_ns - self._origin_ns - t_ns

    def wait(self, t_ns: int) -> None:
        """Sleep until `t_ns` is due, at most 0.9 s; a longer pause is shortened to that."""
        early_ns = -self.late_ns(t_ns)
        if early_ns > 0:
            time.sleep(min(early_ns, MAX_WAIT_NS) / 1e9)
        if early_ns > MAX_WAIT_NS:
            self.restart(t_ns)

    def restart(self, t_ns: int) -> None:
        """Take `t_ns` to be due now."""
        self._origin_ns = time.monotonic_ns() - t_ns
