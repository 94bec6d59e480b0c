# SPDX-License-Identifier: Apache-2.0
"""The last minute of a few numbers as lines over time.

Drawn here and not by a plotting library: pyqtgraph 0.14 takes 0.9 s to import and 20 ms to draw these five charts anew
(measured, one core of a busy machine), both in the thread that paints the picture; this takes a twentieth.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from app.ui.theme import LINE, MUTED, OKABE_ITO, TEXT, font

SPAN_S = 60.0
NICE = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Sample:
    """At one time; a value that is not known is None and leaves a gap."""

    t_s: float
    values: tuple[float | None, ...]


class StripChart:
    """Lines of equal unit; main thread only."""

    def __init__(self, n_lines: int) -> None:
        self._n_lines = n_lines
        self._samples: deque[Sample] = deque()

    def add(self, t_s: float, *values: float | None) -> None:
        """Add values at a time that is not earlier than the last one; what is older than a minute is forgotten."""
        known = tuple(v if v is not None and math.isfinite(v) else None for v in values)
        self._samples.append(Sample(t_s, known))
        while t_s - self._samples[0].t_s > SPAN_S:
            self._samples.popleft()

    def paint(self, painter: QPainter, area: QRectF, title: str, names: tuple[str, ...], text_px: int) -> None:
        """Draw title, newest values and lines; the scale goes from 0 to a round number, which is written there."""
        painter.setFont(font(text_px))
        metrics = QFontMetricsF(painter.font())
        self._paint_head(painter, QRectF(area.left(), area.top(), area.width(), metrics.height()), title, names)
        plot = area.adjusted(0, metrics.height() + 2, 0, -4)
        top = round_up(max((v for s in self._samples for v in s.values if v is not None), default=1.0))
        painter.setPen(QColor(LINE))
        painter.drawRect(plot)
        painter.setPen(QColor(MUTED))
        painter.drawText(plot.adjusted(3, 0, -3, 0), Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, f"{top:g}")
        for k in range(self._n_lines):
            painter.setPen(QPen(QColor(OKABE_ITO[k]), 1.5))
            for piece in self._pieces(k, plot, top):
                painter.drawPolyline(piece)

    def _paint_head(self, painter: QPainter, area: QRectF, title: str, names: tuple[str, ...]) -> None:
        painter.setPen(QColor(TEXT))
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft, title)
        x, metrics = area.right(), QFontMetricsF(painter.font())
        newest = self._samples[-1].values if self._samples else (None,) * self._n_lines
        for k in reversed(range(self._n_lines)):
            value = "–" if newest[k] is None else f"{newest[k]:.1f}"
            text = f"{names[k]} {value}" if names[k] else value
            x -= metrics.horizontalAdvance(text)
            painter.setPen(QColor(OKABE_ITO[k]))
            painter.drawText(QRectF(x, area.top(), area.right() - x, area.height()), Qt.AlignmentFlag.AlignLeft, text)
            x -= metrics.height() * 0.7

    def _pieces(self, k: int, plot: QRectF, top: float) -> list[QPolygonF]:
        """Return the line of a number, in pieces where it is not known in between."""
        pieces: list[list[QPointF]] = [[]]
        end_s = self._samples[-1].t_s if self._samples else 0.0
        for sample in self._samples:
            value = sample.values[k]
            if value is None:
                pieces.append([])
                continue
            x = plot.right() - (end_s - sample.t_s) / SPAN_S * plot.width()
            pieces[-1].append(QPointF(x, plot.bottom() - min(max(value / top, 0.0), 1.0) * plot.height()))
        return [QPolygonF(piece) for piece in pieces if len(piece) > 1]


def round_up(value: float) -> float:
    """Return 1, 2, 5 or 10 times a power of ten that is not below `value`."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(nice * power for nice in (*NICE, 20.0) if nice * power >= value * (1 - 1e-9))
