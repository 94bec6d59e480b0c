# SPDX-License-Identifier: Apache-2.0
"""The drawing of counts: lines with an arrow the way in, zones lit while somebody is inside, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPolygonF, QTransform

from app.motion.counting import Count
from app.motion.lines import Line, Mark
from app.ui.pencil import Pencil
from app.ui.zone_overlay import LIT, LIT_ALPHA, QUIET, faint, outline, paint_arrow, paint_name, zone_text

ARROW_LETTERS = 2.2
"""Length of a line's arrow, in letters."""
MOST_STAYS = 3
"""People in a zone whose stay is written, the longest first."""


def counts_of(counts: Sequence[Count], marks: Sequence[Mark] | None) -> tuple[Count, ...]:
    """Return `counts` as they are (`marks` None), or those of `marks`: one just drawn has counted nothing yet."""
    if marks is None:
        return tuple(counts)
    known = {count.mark: count for count in counts}
    return tuple(known.get(mark, Count(mark)) for mark in marks)


def count_text(count: Count) -> str:
    """Return what is written at a line or a zone."""
    name = zone_text(count.mark.name)
    if isinstance(count.mark, Line):
        text = QCoreApplication.translate("Counting", "{0}: in {1}, out {2}")
        return text.format(name, count.entries, count.exits)
    text = QCoreApplication.translate("Counting", "{0}: {1} inside, in {2}, out {3}")
    text = text.format(name, len(count.inside), count.entries, count.exits)
    if not count.n_stays:
        return text
    stay = QCoreApplication.translate("Counting", "mean stay {0} s").format(f"{count.mean_s:.0f}")
    return f"{text}, {stay}"


def stays_text(count: Count) -> str:
    """Return who is in a zone and for how long, the longest first, "" where nobody is."""
    longest = sorted(count.inside, key=lambda stay: (-stay[1], stay[0]))
    rows = [f"{number}: {stay_s:.0f} s" for number, stay_s in longest[:MOST_STAYS]]
    return "  ".join(rows) + (" ..." if len(longest) > MOST_STAYS else "")


def paint_counts(
    painter: QPainter,
    counts: Sequence[Count],
    size_wh: tuple[int, int],
    to_screen: QTransform,
    free: QRectF,
    pencil: Pencil,
) -> None:
    """Draw the counts of a frame of `size_wh` px with an identity transform; words stay in `free`, px of the target."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for count in counts:
        if isinstance(count.mark, Line):
            paint_line(painter, count.mark.ends, size_wh, to_screen, pencil)
        else:
            _paint_zone(painter, outline(count.mark.corners, size_wh, to_screen), bool(count.inside), pencil)
    for count in counts:
        ends = count.mark.ends if isinstance(count.mark, Line) else count.mark.corners
        bounds = outline(ends, size_wh, to_screen).boundingRect()
        paint_name(painter, count_text(count), bounds, bool(count.inside), free, pencil)
        if count.inside:
            paint_name(painter, stays_text(count), bounds, False, free, pencil, row=1)
    painter.restore()


def paint_line(
    painter: QPainter,
    ends: Sequence[tuple[float, float]],
    size_wh: tuple[int, int],
    to_screen: QTransform,
    pencil: Pencil,
) -> None:
    """Draw a counting line and, from its middle, an arrow the way in, as it is seen on the target."""
    line = outline(ends, size_wh, to_screen)
    start, end = line.at(0), line.at(1)
    line_px = max(2.0, pencil.size_px / 5)
    for rgb, width_px in ((0xB0000000, line_px + 2), (QUIET.rgb(), line_px)):
        painter.setPen(pencil.pen(rgb, False, width_px))
        painter.drawLine(start, end)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QUIET)
    for place in (start, end):
        painter.drawEllipse(place, line_px, line_px)
    middle, length = (start + end) / 2, math.hypot(end.x() - start.x(), end.y() - start.y())
    if length < 1:
        return
    side = -1 if to_screen.determinant() < 0 else 1  # mirrored, the right hand is on the left
    right = QPointF(start.y() - end.y(), end.x() - start.x()) * (side / length)
    paint_arrow(painter, (middle, middle + right * ARROW_LETTERS * pencil.size_px), QUIET, line_px)


def _paint_zone(painter: QPainter, polygon: QPolygonF, is_lit: bool, pencil: Pencil) -> None:
    line_px = max(2.0, pencil.size_px / (4 if is_lit else 8))
    colour: QColor = LIT if is_lit else QUIET
    painter.setBrush(faint(LIT, LIT_ALPHA // 2) if is_lit else Qt.BrushStyle.NoBrush)
    painter.setPen(pencil.pen(0xB0000000, False, line_px + 2))
    painter.drawPolygon(polygon)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(pencil.pen(colour.rgb(), False, line_px))
    painter.drawPolygon(polygon)
