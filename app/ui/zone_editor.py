# SPDX-License-Identifier: Apache-2.0
"""Drawing zones and lines on the picture with the mouse, or a finger on a touch screen."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QMouseEvent

from app.motion.lines import Line, Mark
from app.motion.zones import Point, Zone
from app.ui.view import VideoView

LEAST_SHARE = 0.02
"""Of the picture's width and height: a smaller rectangle, or a shorter line, is a slip of the hand."""
NEAR_SHARE = 0.03
"""Of the picture's width and height: so near to a line the mouse is over it."""
Shape = Literal["rectangle", "line"]


class ZoneEditor(QObject):
    """While it is on, a drag over `view` draws a rectangle or a line, in shares of the picture. Main thread only."""

    drawn = Signal()
    """A rectangle or a line was drawn: `rectangle` or `line` has it, as `shape` says."""
    refused = Signal()
    """What was drawn is too small, or lies beside the picture."""

    def __init__(self, view: VideoView) -> None:
        super().__init__(view)
        self.is_on = False
        self.rectangle: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # left, top, right, bottom; 0..1
        self.line: tuple[Point, Point] = ((0.0, 0.0), (0.0, 0.0))
        self.shape: Shape = "rectangle"
        self.pointer: Point | None = None
        """Where the mouse is over the picture, in shares of it."""
        self._view = view
        self._first: Point | None = None
        view.installEventFilter(self)

    def switch(self, is_on: bool, shape: Shape = "rectangle") -> None:
        """Begin or end drawing; what is being drawn is dropped."""
        self.shape = shape
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
        if self._first is None or at is None:
            self._view.set_draft(None)
        elif self.shape == "line":
            self._view.set_draft(line_of(self._first, at))
        else:
            self._view.set_draft(Zone.rectangle(*rectangle_of(self._first, at)))

    def _release(self, at: Point | None) -> None:
        first, self._first = self._first, None
        self._view.set_draft(None)
        if first is None or at is None:
            return
        self.rectangle, self.line = rectangle_of(first, at), line_of(first, at)
        left, top, right, bottom = self.rectangle
        sides = right - left, bottom - top
        if (max(sides) if self.shape == "line" else min(sides)) < LEAST_SHARE:
            self.refused.emit()
        else:
            self.drawn.emit()


def rectangle_of(a: Point, b: Point) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of the part of the picture between two corners, in shares of it."""
    (left, right), (top, bottom) = (sorted(min(max(at, 0.0), 1.0) for at in pair) for pair in zip(a, b, strict=True))
    return left, top, right, bottom


def line_of(start: Point, end: Point) -> tuple[Point, Point]:
    """Return a line with both ends held to the picture."""
    (x0, y0), (x1, y1) = ((min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) for x, y in (start, end))
    return (x0, y0), (x1, y1)


def zone_at(zones: Sequence[Mark], at: Point) -> Mark | None:
    """Return the newest zone whose bounds hold a place, or line near it, None where there is none."""
    for zone in reversed(zones):
        if isinstance(zone, Line):
            if _distance(zone.ends, at) <= NEAR_SHARE:
                return zone
            continue
        xs, ys = zip(*zone.corners, strict=True)
        if min(xs) <= at[0] <= max(xs) and min(ys) <= at[1] <= max(ys):
            return zone
    return None


def _distance(ends: tuple[Point, Point], at: Point) -> float:
    """Return how far a place is from a stretch, in shares of the picture."""
    (x0, y0), (x1, y1) = ends
    squared = (x1 - x0) ** 2 + (y1 - y0) ** 2
    share = min(max(((at[0] - x0) * (x1 - x0) + (at[1] - y0) * (y1 - y0)) / squared, 0.0), 1.0)
    return math.hypot(at[0] - x0 - share * (x1 - x0), at[1] - y0 - share * (y1 - y0))


def next_name(zones: Sequence[Mark], kind: str = "zone") -> str:
    """Return "zone N", one more than the highest number in use: a number is not given to two zones in turn."""
    found = [re.fullmatch(rf"{kind} (\d{{1,9}})", zone.name) for zone in zones]
    return f"{kind} {max((int(each[1]) for each in found if each), default=0) + 1}"
