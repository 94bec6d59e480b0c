# SPDX-License-Identifier: Apache-2.0
"""The drawing of zones: an outline with a name, lit with an arrow and a speed while something moves in it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF, QTransform

from app.motion.zones import Point, Zone, ZoneState
from app.ui.pencil import INK, PAPER, Pencil, keep_inside
from app.ui.theme import ACCENT, WARNING

QUIET, LIT, GREY = QColor(ACCENT), QColor(WARNING), QColor("#aab4c2")
LIT_ALPHA, DRAFT_ALPHA = 70, 45
FULL_SPEED = 0.5
"""Picture widths a second at which the arrow has its full length."""
LEAST_ARROW, FULL_ARROW = 0.12, 0.4
"""Half the length of the arrow, of the zone's shorter side."""
HEAD_RAD = 0.5


def states_of(states: Sequence[ZoneState], zones: Sequence[Zone] | None) -> tuple[ZoneState, ...]:
    """Return `states` as they are (`zones` None), or those of `zones`: one just drawn has no state yet."""
    if zones is None:
        return tuple(states)
    known = {state.zone: state for state in states}
    return tuple(known.get(zone, ZoneState(zone)) for zone in zones)


def zone_text(name: str) -> str:
    """Return the name of a zone in the present language: only the names that the program gives are translated."""
    numbered = re.fullmatch(r"(zone|line) (\d+)", name)
    if numbered is None:
        return name
    kinds = {
        "zone": QCoreApplication.translate("Zones", "zone {0}"),
        "line": QCoreApplication.translate("Zones", "line {0}"),
    }
    return kinds[numbered[1]].format(numbered[2])


def state_text(state: ZoneState) -> str:
    """Return what is written at a zone."""
    name = zone_text(state.zone.name)
    if not state.is_known:
        return QCoreApplication.translate("Zones", "{0}: motion not known").format(name)
    if state.is_moving:
        return QCoreApplication.translate("Zones", "{0}: {1} widths/s").format(name, f"{state.speed:.2f}")
    return name


def is_lit(state: ZoneState) -> bool:
    """Whether something is seen to move: an event goes on for a while though nothing is known any more."""
    return state.is_moving and state.is_known


def outline(corners: Sequence[Point], size_wh: tuple[int, int], to_screen: QTransform) -> QPolygonF:
    """Return the polygon of `corners`, shares of a frame of `size_wh` px, on the target."""
    return to_screen.map(QPolygonF([QPointF(x * size_wh[0], y * size_wh[1]) for x, y in corners]))


def paint_zones(
    painter: QPainter,
    states: Sequence[ZoneState],
    size_wh: tuple[int, int],
    to_screen: QTransform,
    free: QRectF,
    pencil: Pencil,
) -> None:
    """Draw zones of a frame of `size_wh` px with an identity transform; the names stay in `free`, px of the target."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    polygons = [outline(state.zone.corners, size_wh, to_screen) for state in states]
    for state, polygon in zip(states, polygons, strict=True):
        _paint_outline(painter, polygon, state, pencil)
    for state, polygon in zip(states, polygons, strict=True):
        if is_lit(state):
            paint_arrow(painter, arrow(state, polygon, to_screen), LIT, pencil.size_px / 5)
        paint_name(painter, state_text(state), polygon.boundingRect(), is_lit(state), free, pencil)
    painter.restore()


def paint_draft(
    painter: QPainter, corners: Sequence[Point], size_wh: tuple[int, int], to_screen: QTransform, pencil: Pencil
) -> None:
    """Draw the zone, or the line (two corners), that the mouse is drawing."""
    painter.save()
    painter.setPen(pencil.pen(INK.rgb(), True, 2.0))
    painter.setBrush(faint(QUIET, DRAFT_ALPHA))
    painter.drawPolygon(outline(corners, size_wh, to_screen))
    painter.restore()


def faint(colour: QColor, alpha: int) -> QColor:
    return QColor(colour.red(), colour.green(), colour.blue(), alpha)


def _colour(state: ZoneState) -> QColor:
    if is_lit(state):
        return LIT
    return QUIET if state.is_known else GREY


def _paint_outline(painter: QPainter, polygon: QPolygonF, state: ZoneState, pencil: Pencil) -> None:
    line_px = max(2.0, pencil.size_px / (4 if is_lit(state) else 8))
    painter.setBrush(faint(LIT, LIT_ALPHA) if is_lit(state) else Qt.BrushStyle.NoBrush)
    painter.setPen(pencil.pen(0xB0000000, False, line_px + 2))
    painter.drawPolygon(polygon)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(pencil.pen(_colour(state).rgb(), not state.is_known, line_px))
    painter.drawPolygon(polygon)


def paint_name(
    painter: QPainter, text: str, bounds: QRectF, is_lit: bool, free: QRectF, pencil: Pencil, row: int = 0
) -> None:
    """Write a text at the upper left of `bounds`, px of the target, `row` lines below the first one, within `free`."""
    width = pencil.width_px(text) + pencil.size_px * 0.8
    chip = QRectF(bounds.left(), bounds.top(), width, pencil.row_px + 4)
    if chip.height() > bounds.height() * 0.5 or width > bounds.width():  # a small zone: above it, not over it
        chip.moveBottom(bounds.top() - 2)
    chip = keep_inside(chip.translated(0, row * chip.height()), free)
    painter.fillRect(chip, LIT if is_lit else PAPER)
    painter.setFont(pencil.small)
    painter.setPen(QColor("#000000") if is_lit else INK)
    painter.drawStaticText(QPointF(chip.left() + pencil.size_px * 0.4, chip.top() + 2), pencil.text(text))


def arrow(state: ZoneState, polygon: QPolygonF, to_screen: QTransform) -> tuple[QPointF, QPointF]:
    """Return tail and tip on the target of the arrow in the middle of a zone, along the motion as it is seen there."""
    angle = math.radians(state.direction_deg)
    origin, ahead = to_screen.map(QPointF(0, 0)), to_screen.map(QPointF(math.cos(angle), math.sin(angle)))
    along = ahead - origin
    bounds = polygon.boundingRect()
    reach = LEAST_ARROW + (FULL_ARROW - LEAST_ARROW) * min(state.speed / FULL_SPEED, 1.0)
    length = max(math.hypot(along.x(), along.y()), 1e-9)
    half = along * (reach * min(bounds.width(), bounds.height()) / length)
    return bounds.center() - half, bounds.center() + half


def paint_arrow(painter: QPainter, ends: tuple[QPointF, QPointF], colour: QColor, width_px: float) -> None:
    """Draw an arrow from the first to the second of two places, with a dark edge."""
    tail, tip = ends
    along = tip - tail
    length = math.hypot(along.x(), along.y())
    if length < 1:
        return
    side = min(length * 0.6, width_px * 5)
    angle = math.atan2(along.y(), along.x())
    wings = [tip - QPointF(math.cos(angle + a), math.sin(angle + a)) * side for a in (HEAD_RAD, -HEAD_RAD)]
    neck = tip - along * (side * 0.8 / length)
    for ink, extra_px in ((QColor("#000000"), 3.0), (colour, 0.0)):
        painter.setPen(_round_pen(ink, width_px + extra_px))
        painter.drawLine(tail, neck)
        painter.setPen(_round_pen(ink, 1.0 + extra_px))
        painter.setBrush(ink)
        painter.drawPolygon(QPolygonF([tip, *wings]))


def _round_pen(colour: QColor, width_px: float) -> QPen:
    return QPen(colour, width_px, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
