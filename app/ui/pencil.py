# SPDX-License-Identifier: Apache-2.0
"""What overlays write with: letters of a size that fits the picture, and boxes that stay inside it."""

from __future__ import annotations

import math
from functools import lru_cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QStaticText, QTransform

from app.ui.theme import font

PAPER = QColor(12, 14, 18, 190)
INK = QColor("#f4f6fa")


class Pencil:
    """Fonts, pens and laid-out words of one letter size; kept, because making them costs more than drawing them."""

    def __init__(self, size_px: int) -> None:
        self.size_px = size_px
        self.small = font(max(round(size_px * 0.85), 8))
        self.bold = font(size_px, is_bold=True)
        self._metrics = {False: QFontMetricsF(self.small), True: QFontMetricsF(self.bold)}
        self.row_px = math.ceil(self._metrics[False].height())
        self.chip_px = math.ceil(self._metrics[True].height()) + 2
        self.text = lru_cache(maxsize=512)(self._lay_out)
        self.width_px = lru_cache(maxsize=512)(self._width)
        self.pen = lru_cache(maxsize=64)(self._pen)

    def _lay_out(self, text: str, is_bold: bool = False) -> QStaticText:
        laid = QStaticText(text)
        laid.setTextFormat(Qt.TextFormat.PlainText)
        laid.prepare(QTransform(), self.bold if is_bold else self.small)
        return laid

    def _width(self, text: str, is_bold: bool = False) -> float:
        return self._metrics[is_bold].horizontalAdvance(text)

    def _pen(self, rgb: int, is_dashed: bool, width_px: float) -> QPen:
        pen = QPen(QColor.fromRgba(rgb), width_px)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        if is_dashed:
            pen.setDashPattern([3.0, 3.0])
        return pen

    def sharpened(self, side_px: float, text_scale: float) -> Pencil:
        """Return the pencil for a picture whose shorter side is `side_px` on the screen: this one, if it fits."""
        return self.of_size(round(min(max(side_px / 38, 12), 26) * text_scale))

    def of_size(self, size_px: int) -> Pencil:
        """Return the pencil for letters of that size: this one, if it is."""
        return self if size_px == self.size_px else Pencil(size_px)

    def note_px(self) -> float:
        """Return the height of a note."""
        return self.row_px + self.size_px * 0.5

    def write_note(self, painter: QPainter, text: str, picture: QRectF) -> None:
        """Write one small line into the lower left corner of `picture`, px of the target; smaller if it is too long."""
        width = self.width_px(text) + self.size_px
        scale = min(1.0, picture.width() / width)
        painter.save()
        painter.setWorldTransform(QTransform(scale, 0, 0, scale, picture.left(), picture.bottom()))
        ground = QRectF(0, -self.note_px(), width, self.note_px())
        painter.fillRect(ground, PAPER)
        painter.setFont(self.small)
        painter.setPen(INK)
        painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()


def keep_inside(inner: QRectF, outer: QRectF) -> QRectF:
    """Return `inner` moved into `outer` on whole pixels (its top left corner, where it is larger)."""
    left = max(min(inner.left(), outer.right() - inner.width()), outer.left())
    top = max(min(inner.top(), outer.bottom() - inner.height()), outer.top())
    return QRectF(round(left), round(top), round(inner.width()), round(inner.height()))
