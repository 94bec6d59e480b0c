# SPDX-License-Identifier: Apache-2.0
"""The pages that swipes turn: their words, and a small drawing for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from app.ui.theme import ACCENT, LINE, MUTED, OKABE_ITO, WARNING
from app.ui.words import QT_TRANSLATE_NOOP
from app.ui.zone_overlay import faint, paint_arrow

Figure = Callable[[QPainter, QRectF], None]


@dataclass(frozen=True)
class Page:
    """English sources of a page's words, and its drawing into a square."""

    title: str
    lines: tuple[str, ...]
    figure: Figure

    def shown_title(self) -> str:
        """Return the title in the present language."""
        return QCoreApplication.translate("Pages", self.title)

    def shown_lines(self) -> list[str]:
        """Return the lines in the present language."""
        return [QCoreApplication.translate("Pages", line) for line in self.lines]


def at(place: QRectF, x: float, y: float) -> QPointF:
    """Return a point of `place`, in shares of it."""
    return QPointF(place.left() + x * place.width(), place.top() + y * place.height())


def two_ways(painter: QPainter, place: QRectF) -> None:
    """Two sheets, and an arrow to each side."""
    for x, colour in ((0.28, LINE), (0.36, ACCENT)):
        painter.setPen(QPen(QColor(MUTED), 2))
        painter.setBrush(QColor(colour))
        painter.drawRect(QRectF(at(place, x, 0.08), at(place, x + 0.34, 0.52)))
    paint_arrow(painter, (at(place, 0.46, 0.78), at(place, 0.04, 0.78)), QColor(WARNING), place.width() / 22)
    paint_arrow(painter, (at(place, 0.54, 0.78), at(place, 0.96, 0.78)), QColor(WARNING), place.width() / 22)


def moving_patch(painter: QPainter, place: QRectF) -> None:
    """A field of points at rest, and a patch of it that moves off together."""
    painter.setPen(Qt.PenStyle.NoPen)
    for row in range(6):
        for column in range(6):
            is_patch = 1 <= row <= 3 and 2 <= column <= 4
            middle = at(place, 0.1 + column * 0.16, 0.1 + row * 0.16)
            if is_patch:
                reach = QPointF(place.width() * 0.12, 0)
                paint_arrow(painter, (middle, middle - reach), QColor(OKABE_ITO[1]), place.width() / 60)
                painter.setPen(Qt.PenStyle.NoPen)
            else:
                painter.setBrush(QColor(MUTED))
                painter.drawEllipse(middle, place.width() / 60, place.width() / 60)


def lit_zone(painter: QPainter, place: QRectF) -> None:
    """A picture with a zone in which something moves."""
    painter.setPen(QPen(QColor(MUTED), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(QRectF(at(place, 0.02, 0.12), at(place, 0.98, 0.84)))
    zone = QRectF(at(place, 0.34, 0.3), at(place, 0.88, 0.7))
    painter.setPen(QPen(QColor(WARNING), place.width() / 40))
    painter.setBrush(faint(QColor(WARNING), 70))
    painter.drawRect(zone)
    paint_arrow(painter, (at(zone, 0.2, 0.65), at(zone, 0.8, 0.35)), QColor(WARNING), place.width() / 26)


def stroke_curve(painter: QPainter, place: QRectF) -> None:
    """The speed of a swipe over time: up, over the threshold, and down again."""
    painter.setPen(QPen(QColor(MUTED), 2))
    painter.drawPolyline(QPolygonF([at(place, 0.06, 0.08), at(place, 0.06, 0.86), at(place, 0.96, 0.86)]))
    painter.setPen(QPen(QColor(WARNING), 2, Qt.PenStyle.DashLine))
    painter.drawLine(at(place, 0.06, 0.46), at(place, 0.96, 0.46))
    curve = [(k / 40, 0.84 - 0.66 * math.exp(-(((k / 40 - 0.5) / 0.16) ** 2))) for k in range(4, 39)]
    painter.setPen(QPen(QColor(ACCENT), max(place.width() / 40, 2)))
    painter.drawPolyline(QPolygonF([at(place, x, y) for x, y in curve]))


PAGES: tuple[Page, ...] = (
    Page(
        QT_TRANSLATE_NOOP("Pages", "Swipe to turn the page"),
        (
            QT_TRANSLATE_NOOP("Pages", "A hand to the left: the next page."),
            QT_TRANSLATE_NOOP("Pages", "A hand to the right: the page before."),
        ),
        two_ways,
    ),
    Page(
        QT_TRANSLATE_NOOP("Pages", "How a swipe is read"),
        (
            QT_TRANSLATE_NOOP("Pages", "The flow says how every point of the picture moves."),
            QT_TRANSLATE_NOOP("Pages", "A patch that moves off together, fast, and stops is a swipe."),
            QT_TRANSLATE_NOOP("Pages", "The way back of the hand does not count."),
        ),
        moving_patch,
    ),
    Page(
        QT_TRANSLATE_NOOP("Pages", "Zones"),
        (
            QT_TRANSLATE_NOOP("Pages", "Press E and drag a rectangle over the picture."),
            QT_TRANSLATE_NOOP("Pages", "It lights up while something moves in it."),
            QT_TRANSLATE_NOOP("Pages", "What begins and ends there goes to the events file."),
        ),
        lit_zone,
    ),
    Page(
        QT_TRANSLATE_NOOP("Pages", "If nothing happens"),
        (
            QT_TRANSLATE_NOOP("Pages", "Move the whole hand at an arm's length, quickly, and stop."),
            QT_TRANSLATE_NOOP("Pages", "Hold the camera still: where all moves, nothing is a hand."),
            QT_TRANSLATE_NOOP("Pages", "Mind the light: in the dark the flow sees little."),
        ),
        stroke_curve,
    ),
)
