# SPDX-License-Identifier: Apache-2.0
"""Drawing zones on the picture with the mouse, or a finger on a touch screen."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent

from app.motion.zones import Point, Zone
from app.ui.view import VideoView

LEAST_SHARE = 0.02
"""Of the picture's width and height: a smaller rectangle is a slip of the hand."""


class ZoneEditor(QObject):
    """While it is on, a drag over `view` draws a rectangle, in shares of the picture. Main thread only."""

    drawn = Signal()
    """A rectangle was drawn: `rectangle` has it."""
    refused = Signal()
    """What was drawn is too small for a zone, or lies beside the picture."""

    def __init__(self, view: VideoView) -> None:
        super().__init__(view)
        self.is_on = False
        self.rectangle: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # left, top, right, bottom; 0..1
        self.pointer: Point | None = None
        """Where the mouse is over the picture, in shares of it."""
        self._view = view
        self._first: Point | None = None
        view.installEventFilter(self)

    def switch(self, is_on: bool) -> None:
        """Begin or end drawing; a rectangle that is being drawn is dropped."""
        self.is_on, self._first, self.pointer = is_on, None, None
        self._view.setMouseTracking(is_on)
        if is_on:
            self._view.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self._view.unsetCursor()
        self._view.set_draft(None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not self.is_on or not isinstance(event, QMouseEvent):
            return super().eventFilter(watched, event)
        at = self._view.share_at(event.position())
        self.pointer = at
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            self._press(event, at)
        elif event.type() == QEvent.Type.MouseMove:
            self._show(at)
        elif event.type() == QEvent.Type.MouseButtonRelease and event.button() == Qt.MouseButton.LeftButton:
            self._release(at)
        return True

    def _press(self, event: QMouseEvent, at: Point | None) -> None:
        """Begin with the left button; any other one drops what is being drawn."""
        self._first = at if event.button() == Qt.MouseButton.LeftButton else None
        self._show(at)

    def _show(self, at: Point | None) -> None:
        both = None if self._first is None or at is None else rectangle_of(self._first, at)
        self._view.set_draft(None if both is None else Zone.rectangle(*both))

    def _release(self, at: Point | None) -> None:
        first, self._first = self._first, None
        self._view.set_draft(None)
        if first is None or at is None:
            return
        self.rectangle = rectangle_of(first, at)
        left, top, right, bottom = self.rectangle
        if min(right - left, bottom - top) < LEAST_SHARE:
            self.refused.emit()
        else:
            self.drawn.emit()


def rectangle_of(a: Point, b: Point) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the part of the picture between two corners, in shares of it."""
    (left, right), (top, bottom) = (sorted(min(max(at, 0.0), 1.0) for at in pair) for pair in zip(a, b, strict=True))
    return left, top, right, bottom


def zone_at(zones: Sequence[Zone], at: Point) -> Zone | None:
    """Return the newest zone whose bounds hold a place, None where there is none."""
    for zone in reversed(zones):
        xs, ys = zip(*zone.corners, strict=True)
        if min(xs) <= at[0] <= max(xs) and min(ys) <= at[1] <= max(ys):
            return zone
    return None


def next_name(zones: Sequence[Zone]) -> str:
    """Return "zone N", one more than the highest number in use: a number is not given to two zones in turn."""
    found = [re.fullmatch(r"zone (\d{1,9})", zone.name) for zone in zones]
    return f"zone {max((int(each[1]) for each in found if each), default=0) + 1}"
