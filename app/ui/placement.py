# SPDX-License-Identifier: Apache-2.0
"""Where the window is: in a kiosk the whole screen without a cursor, else where the user left it."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMainWindow

SMALLEST_WH = (440, 440)
FIRST_SIZE_WH = (960, 760)


def place(window: QMainWindow, is_kiosk: bool, xywh: tuple[int, int, int, int] | None) -> None:
    """Fill the screen as a kiosk, or take the saved place (before the window is shown)."""
    if is_kiosk:
        enter_kiosk(window)
    else:
        restore(window, xywh)


def enter_kiosk(window: QMainWindow) -> None:
    """Cover the primary screen: no frame, no menu bar, no cursor."""
    window.menuBar().hide()
    window.setWindowFlag(Qt.WindowType.FramelessWindowHint)
    window.setCursor(Qt.CursorShape.BlankCursor)
    window.setGeometry(QGuiApplication.primaryScreen().geometry())


def restore(window: QMainWindow, xywh: tuple[int, int, int, int] | None) -> None:
    """Take the saved place, unless there is none or its screen is gone."""
    window.setMinimumSize(*SMALLEST_WH)
    window.resize(*FIRST_SIZE_WH)
    if xywh is None:
        return
    place = QRect(*xywh)
    if any(screen.availableGeometry().intersects(place) for screen in QGuiApplication.screens()):
        window.setGeometry(place)


def saved_xywh(window: QMainWindow) -> tuple[int, int, int, int]:
    """Return the place of the window, in full screen the one it had before, in px of the desktop."""
    place = window.normalGeometry() if window.isFullScreen() else window.geometry()
    return place.x(), place.y(), place.width(), place.height()


def toggle_full_screen(window: QMainWindow, is_kiosk: bool) -> bool:
    """Fill the screen with the picture alone, or go back; returns whether it is filled now."""
    if window.isFullScreen():
        window.showNormal()
    else:
        window.showFullScreen()
    is_bare = window.isFullScreen()
    window.menuBar().setVisible(not is_bare and not is_kiosk)
    window.statusBar().setVisible(not is_bare)
    return is_bare
