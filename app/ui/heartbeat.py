# SPDX-License-Identifier: Apache-2.0
"""How long the main thread is kept from its events: a timer that should beat every 10 ms notes the longest gap."""

from __future__ import annotations

import time
from collections import deque

from PySide6.QtCore import QObject, Qt, QTimer, Slot

PERIOD_MS = 10
WINDOW_NS = 10_000_000_000


class Heartbeat(QObject):
    """Main thread only. A gap is the time beyond the period between two beats: the thread was busy, or had no core."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._last_ns = time.monotonic_ns()
        self._late: deque[tuple[int, float]] = deque()  # when, ms; falling
        self._timer = QTimer(self, interval=PERIOD_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def longest_ms(self) -> float:
        """Return the longest gap of the last 10 s."""
        self._forget(time.monotonic_ns())
        return self._late[0][1] if self._late else 0.0

    def restart(self) -> None:
        """Forget what was."""
        self._late.clear()
        self._last_ns = time.monotonic_ns()

    @Slot()
    def _beat(self) -> None:
        now_ns = time.monotonic_ns()
        late_ms = max(0.0, (now_ns - self._last_ns) / 1e6 - PERIOD_MS)
        self._last_ns = now_ns
        self._forget(now_ns)
        while self._late and self._late[-1][1] <= late_ms:
            self._late.pop()
        self._late.append((now_ns, late_ms))

    def _forget(self, now_ns: int) -> None:
        while self._late and now_ns - self._late[0][0] > WINDOW_NS:
            self._late.popleft()
