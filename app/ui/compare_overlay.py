# SPDX-License-Identifier: Apache-2.0
"""One frame through two networks: which part of the view shows which, their names, the divider and the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from app.frame import FlowOutput, FrameResult
from app.ui.theme import font
from app.ui.words import network_text

OFF, WIPE, SIDE_BY_SIDE = "off", "wipe", "side by side"
LAYOUTS = (OFF, WIPE, SIDE_BY_SIDE)
GROUND, INK = QColor(12, 14, 18, 215), QColor("#f4f6fa")
LINE, EDGE = QColor("#ffffff"), QColor(0, 0, 0, 160)
HANDLE_PX = 14.0
"""Radius of the divider's handle, and how far from the divider the mouse still takes it."""


@dataclass(frozen=True)
class CompareStyle:
    """How two results of one frame are shown."""

    layout: str = OFF
    share: float = 0.5  # of the width of the picture: where the divider stands
    figures: str = ""  # the line below the pictures


@dataclass(frozen=True)
class Side:
    """Where one result goes: its whole picture fills `target`, of which only `clip` is seen."""

    target: QRectF
    clip: QRectF


def sides(style: CompareStyle, target: QRectF) -> tuple[Side, Side]:
    """Return the places of the first and the second result in a rectangle that a picture fills."""
    if style.layout == SIDE_BY_SIDE:
        half = QRectF(target.left(), target.top() + target.height() / 4, target.width() / 2, target.height() / 2)
        other = half.translated(half.width(), 0)
        return Side(half, half), Side(other, other)
    at = divider_x(style, target)
    left = QRectF(target.left(), target.top(), at - target.left(), target.height())
    right = QRectF(at, target.top(), target.right() - at, target.height())
    return Side(target, left), Side(target, right)


def divider_x(style: CompareStyle, target: QRectF) -> float:
    """Return where the divider of a wipe stands."""
    return float(round(target.left() + style.share * target.width()))


def share_at_x(x: float, target: QRectF) -> float:
    """Return the share of a divider at `x`, which may be beyond the picture: then it stands at its edge."""
    return min(max((x - target.left()) / max(target.width(), 1.0), 0.0), 1.0)


def side_name(result: FrameResult[Any]) -> str:
    """Return what ran, and on which frame."""
    method = result.output.method if isinstance(result.output, FlowOutput) else ""
    network = network_text(method, result.backend, result.precision)
    return QCoreApplication.translate("Compare", "{0} · frame {1}").format(network, result.frame.seq)


def paint_comparison(
    painter: QPainter,
    style: CompareStyle,
    target: QRectF,
    results: tuple[FrameResult[Any], FrameResult[Any]],
    free: QRectF,
    text_px: float,
) -> None:
    """Draw names, divider and figures over both pictures; texts stay inside `free`."""
    painter.save()
    painter.setFont(font(round(text_px), True))
    places = sides(style, target)
    for side, result, is_right in zip(places, results, (False, True), strict=True):
        area = side.clip.intersected(free)
        painter.save()
        painter.setClipRect(area)
        _paint_text(painter, area, side_name(result), text_px, is_right)
        painter.restore()
    if style.layout == WIPE:
        _paint_divider(painter, divider_x(style, target), target)
    _paint_figures(painter, style.figures, target.intersected(free), text_px)
    painter.restore()


def _paint_text(painter: QPainter, area: QRectF, text: str, text_px: float, is_right: bool) -> None:
    """Draw a line on a dark ground at the upper left or right of `area`."""
    metrics = QFontMetricsF(painter.font())
    width, height = metrics.horizontalAdvance(text) + text_px, metrics.height() + text_px * 0.4
    left = area.right() - width if is_right else area.left()
    ground = QRectF(left, area.top(), width, height)
    painter.fillRect(ground, GROUND)
    painter.setPen(INK)
    painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, text)


def _paint_divider(painter: QPainter, x: float, target: QRectF) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for colour, width in ((EDGE, 5.0), (LINE, 2.0)):
        painter.setPen(QPen(colour, width))
        painter.drawLine(QPointF(x, target.top()), QPointF(x, target.bottom()))
    painter.setPen(QPen(EDGE, 2.0))
    painter.setBrush(LINE)
    painter.drawEllipse(QPointF(x, target.center().y()), HANDLE_PX, HANDLE_PX)


def _paint_figures(painter: QPainter, text: str, area: QRectF, text_px: float) -> None:
    """Draw the figures along the lower edge of `area`, in as many lines as they need."""
    if not text:
        return
    painter.setFont(font(round(text_px)))
    margin = text_px * 0.5
    room = area.adjusted(margin, 0, -margin, 0)
    flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
    height = QFontMetricsF(painter.font()).boundingRect(room, flags, text).height()
    ground = QRectF(area.left(), area.bottom() - height - margin, area.width(), height + margin)
    painter.fillRect(ground, GROUND)
    painter.setPen(INK)
    painter.drawText(ground.adjusted(margin, margin / 2, -margin, 0), flags, text)
