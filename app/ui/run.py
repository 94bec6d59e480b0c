# SPDX-License-Identifier: Apache-2.0
"""Run the window until it is closed, and return the figures of what was shown."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from app.build import Networks
from app.cli import Command
from app.config import Settings
from app.frame import FrameResult
from app.motion.zone_file import FILE_NAME, KeptZones, load_zones, load_zones_or_none
from app.ui import messages
from app.ui.language import Language
from app.ui.overlay import Annotator
from app.ui.session import Startup
from app.ui.theme import apply_theme
from app.ui.window import MainWindow
from device.errors import AppError
from models.results import Image

log = logging.getLogger(__name__)

SIGNAL_POLL_MS = 100
"""Qt's loop is not Python: every 100 ms it lets Python see a signal."""


def run_window(
    command: Command,
    networks: Networks,
    save_settings: Callable[[Settings], None],
    started_ns: int,
    exit_after_s: float | None = None,
) -> dict[str, Any] | None:
    """Show the window, return when it is closed: the figures of its last program, None where none could start.

    Main thread. With `--frames` the window closes at the end; a failure is then raised as an AppError, and a thread
    that hangs always as a TimeoutError. `started_ns` is `time.monotonic_ns()` at the start of the process.
    """
    app = application()
    apply_theme(app, command.settings.kiosk)
    startup = Startup(
        command.record, command.events, command.frames, command.compare, command.record_session, command.trace
    )
    kept, zones_notice = kept_zones(command)
    window = MainWindow(networks, command.settings, save_settings, startup, command.frames is not None, kept)
    notices = [notice for notice in (command.notice, zones_notice) if notice is not None]
    if notices:
        # Behind `start` in the queue, because a program that starts clears the banner.
        tell = partial(window.banner.tell, messages.warning(" ".join(notices)))
        window.view.shown_first.connect(tell, Qt.ConnectionType.QueuedConnection)
    window.show()
    if exit_after_s is not None:
        QTimer.singleShot(round(exit_after_s * 1000), window, window.close)
    with _closed_by_signals(window):
        app.exec()
    if window.view.first_frame_ns:
        log.info("first picture %.2f s after the start", (window.view.first_frame_ns - started_ns) / 1e9)
    if window.session.hung:
        raise TimeoutError(window.session.hung)
    if command.frames is not None and window.error:
        raise AppError(window.error)
    return window.session.figures


def kept_zones(command: Command) -> tuple[KeptZones, str | None]:
    """Return the zones of the file that was named, else the user's own, and a sentence where that was broken.

    Raises ConfigError for a named file that cannot be read.
    """
    if command.zones is not None:
        return KeptZones(load_zones(command.zones), command.zones), None
    path = command.settings_path.with_name(FILE_NAME)
    zones, notice = load_zones_or_none(path)
    return KeptZones(zones, path), notice


@contextmanager
def offscreen_annotate(lang: str) -> Iterator[Callable[[FrameResult[Any]], Image]]:
    """Make the drawing of results available without a window, with words in `lang`; main thread."""
    _forget_foreign_plugins()
    app = QGuiApplication.instance() or QGuiApplication(sys.argv[:1])
    language = Language()
    language.set(lang)
    try:
        yield Annotator()
    finally:
        language.set("en")
        del app


def application() -> QApplication:
    """Return the QApplication of this process."""
    _forget_foreign_plugins()
    app = QApplication.instance() or QApplication(sys.argv[:1])
    if not isinstance(app, QApplication):
        raise TypeError(f"a {type(app).__name__} exists already, the window needs a QApplication")
    app.setApplicationName("edge-vision")
    return app


def _forget_foreign_plugins() -> None:
    """Drop the plugin folders that the desktop build of OpenCV sets when imported: they are of another Qt."""
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if "cv2" in Path(os.environ.get(name, "")).parts:
            del os.environ[name]


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
