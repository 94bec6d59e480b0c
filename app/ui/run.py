# SPDX-License-Identifier: Apache-2.0
"""Run the window until it is closed, and return the figures of what was shown."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.build import Networks
from app.config import Settings
from app.runtime.pipeline import PipelineMeters
from app.ui.session import Startup
from app.ui.theme import apply_theme
from app.ui.window import MainWindow

SIGNAL_POLL_MS = 100
"""Qt's loop is not Python: every 100 ms it lets Python see a signal."""


@dataclass(frozen=True)
class WindowFigures:
    """What one run of the window showed; `meters`, `dropped`, `wall_s`, `source` are those of its last program."""

    display_hz: float  # distinct frames painted a second, between the first and the last one
    latency_ms: dict[str, float]  # p50, p95, p99 of capture to paint
    painted: int
    first_paint_s: float | None  # from `started_ns` to the first frame on the screen, None = none was shown
    source: str = ""
    meters: PipelineMeters | None = None
    dropped: int = 0
    wall_s: float = 0.0
    error: str = ""  # the sentence of the failure that ended the last program
    hung: str = ""  # the sentence naming a thread that did not stop: leave by os._exit


def run_window(
    settings: Settings,
    networks: Networks,
    save_settings: Callable[[Settings], None],
    exit_after_s: float | None = None,
    started_ns: int | None = None,
    startup: Startup | None = None,
    close_at_end: bool = False,
) -> WindowFigures:
    """Show the window and return when it is closed; main thread. `started_ns` is `time.monotonic_ns()` at process start.

    `startup` is what the first program does at once (record, events, max_frames); with `close_at_end` the window
    closes when the source has ended or failed.
    """
    begun_ns = time.monotonic_ns() if started_ns is None else started_ns
    app = _application()
    apply_theme(app, settings.kiosk)
    window = MainWindow(networks, settings, save_settings, startup, close_at_end)
    window.show()
    if exit_after_s is not None:
        QTimer.singleShot(round(exit_after_s * 1000), window, window.close)
    with _closed_by_signals(window):
        app.exec()
    figures = window_figures(window, begun_ns)
    window.deleteLater()
    return figures


def window_figures(window: MainWindow, begun_ns: int) -> WindowFigures:
    """Return the figures of a window, also of one that was closed."""
    shown, session = window.view.meters, window.session
    p50, p95, p99 = shown.age_ms.at(50, 95, 99)
    return WindowFigures(
        display_hz=shown.mean_hz,
        latency_ms={"p50": p50, "p95": p95, "p99": p99},
        painted=shown.painted,
        first_paint_s=(shown.first_ns - begun_ns) / 1e9 if shown.painted else None,
        source=session.last_source,
        meters=session.last_meters,
        dropped=session.last_dropped,
        wall_s=session.wall_s,
        error=window.error,
        hung=session.hung,
    )


def _application() -> QApplication:
    app = QApplication.instance() or QApplication(sys.argv[:1])
    if not isinstance(app, QApplication):
        raise TypeError(f"a {type(app).__name__} exists already, the window needs a QApplication")
    app.setApplicationName("edge-vision")
    return app


@contextmanager
def _closed_by_signals(window: MainWindow) -> Iterator[None]:
    """Close `window` at SIGINT and SIGTERM, as if the user had."""

    def close(_number: int, _frame: FrameType | None) -> None:
        window.close()

    wake = QTimer(window, interval=SIGNAL_POLL_MS)
    wake.timeout.connect(_let_python_run)
    wake.start()
    before = {number: signal.signal(number, close) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        wake.stop()
        for number, action in before.items():
            signal.signal(number, action)


def _let_python_run() -> None:
    """Python looks for signals whenever it runs a function."""
