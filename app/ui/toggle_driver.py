# SPDX-License-Identifier: Apache-2.0
"""Somebody who presses keys: precision, backend and compare in turn, while it is noted what the window makes of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, QTimer, Slot

from app.frame import FrameResult
from app.runtime.ledger import Summary
from app.runtime.machine_load import rss_mb
from app.ui.window import MainWindow

ORDER = ("next_precision", "next_backend", "next_compare", "next_precision", "next_compare")
SETTLED = 20
"""Toggles after which every network is open: memory counts from there."""
WARM_UP_MS = 6000
"""Networks are opened in the background in the first seconds."""


@dataclass
class Toggled:
    """What was noted."""

    n_toggles: int = 0
    gap_ms: list[float] = field(default_factory=list)  # between two painted frames
    toggle_ms: list[float] = field(default_factory=list)  # of the main thread, by toggle
    busy_ms: float = 0.0  # longest time for which the main thread heard nothing
    rss_mb: tuple[float, float] = (0.0, 0.0)  # after `SETTLED` toggles and at the end
    ledger: Summary | None = None  # of the last seconds


class ToggleDriver(QObject):
    """Drives a window, then closes it. Main thread only."""

    def __init__(self, window: MainWindow, n_toggles: int, period_ms: int) -> None:
        super().__init__(window)
        self.found = Toggled(n_toggles)
        self._window, self._period_ms = window, period_ms
        self._last_ns, self._settled_mb = 0, 0.0
        self._told, window.view.on_painted = window.view.on_painted, self._note
        QTimer.singleShot(WARM_UP_MS, self, self._begin)

    def _note(self, result: FrameResult[object], begin_ns: int, end_ns: int) -> None:
        if self._told is not None:
            self._told(result, begin_ns, end_ns)
        if self._last_ns:
            self.found.gap_ms.append((end_ns - self._last_ns) / 1e6)
            self._last_ns = end_ns

    @Slot()
    def _begin(self) -> None:
        self._last_ns = time.monotonic_ns()
        self._window.ledger.panel.heartbeat.restart()
        self._toggle()

    @Slot()
    def _toggle(self) -> None:
        done, found = len(self.found.toggle_ms), self.found
        found.busy_ms = max(found.busy_ms, self._window.ledger.panel.heartbeat.longest_ms())
        if done == SETTLED:
            self._settled_mb = rss_mb()
        if done == found.n_toggles:
            found.rss_mb, found.ledger = (self._settled_mb, rss_mb()), self._window.ledger.summary()
            self._window.close()
            return
        begin_s = time.perf_counter()
        self._window.menus.actions[ORDER[done % len(ORDER)]].trigger()
        found.toggle_ms.append(1e3 * (time.perf_counter() - begin_s))
        QTimer.singleShot(self._period_ms, self, self._toggle)
