# SPDX-License-Identifier: Apache-2.0
"""The picture of a flow: colours by the wheel, its legend, the two frames that were compared, arrows and figures.

Everything means what is seen on the target: where the picture is mirrored, a motion to the right of the frame is seen
as one to the left, and has the hue, the arrow and the sign of one to the left. The wheel is never mirrored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QCoreApplication, QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPen, QTransform

from app.frame import FlowOutput, FrameResult
from app.motion.zones import Zone
from app.ui.flow_arrows import arrow_lines
from app.ui.flow_colours import Argb, flow_argb, legend_argb
from app.ui.flow_figures import FlowFigures, scale_text
from app.ui.pencil import INK, PAPER, Pencil
from app.ui.words import network_text
from app.ui.zone_overlay import paint_zones, states_of
from models.results import Float32, Image

AUTOMATIC = 0.0
SCALES_PX = (AUTOMATIC, 2.0, 5.0, 10.0, 20.0)
"""What the user can step through: which motion has its full hue."""
MOST_CELLS = 120_000
"""A finer flow is thinned out before it is coloured: the eye sees no difference, it takes a quarter of the time."""
SPARSE_SHARE = 0.05
"""Below that share of known points each is drawn as a square of 3x3 cells, in full strength."""
INSET_SHARE = 0.24
"""Width of the two frames' picture, of the width of the whole."""
LEAST_INSET_PX = 48


@dataclass(frozen=True)
class FlowStyle:
    """How the user wants a flow to be drawn."""

    has_arrows: bool = False
    is_alone: bool = False  # the colours alone, white where nothing moves; else they lie over the picture
    scale_px: float = AUTOMATIC


class FlowOverlay:
    """Colours the flow at its own size and lets Qt enlarge it; a result that is drawn again is not coloured again."""

    def __init__(self) -> None:
        self.style = FlowStyle()
        self.zones: tuple[Zone, ...] | None = None  # to draw; None = those that were watched in the frame
        self.figures = FlowFigures()
        self._colours: tuple[object, ...] = ()  # what the kept colours are of
        self._has_white = False  # where nothing moves; else the picture shows there
        self._argb: Argb = np.zeros((1, 1), np.uint32)
        self._pair: tuple[object, ...] = ()
        self._blend: Image = np.zeros((1, 1, 3), np.uint8)

    @property
    def scale_px(self) -> float:
        """Return the motion that has its full hue now."""
        return self.figures.scale_px if self.style.scale_px == AUTOMATIC else self.style.scale_px

    def paint(self, painter: QPainter, result: FrameResult[FlowOutput], free: QRectF, pencil: Pencil) -> None:
        """Draw the flow over the picture, and legend, pair and figures into `free`, px of the target."""
        self.figures.add(result)
        output, to_screen = result.output, painter.worldTransform()
        height, width = output.previous.shape[:2]
        is_mirrored = to_screen.m11() < 0
        painter.save()
        painter.setWorldTransform(QTransform())
        painter.setClipRect(to_screen.mapRect(QRectF(0, 0, width, height)), Qt.ClipOperation.IntersectClip)
        self._paint_colours(painter, output, to_screen, is_mirrored)
        if self.style.has_arrows:
            self._paint_arrows(painter, output, to_screen, pencil)
        paint_zones(painter, states_of(output.motion.zones, self.zones), (width, height), to_screen, free, pencil)
        legend = self._paint_legend(painter, free, pencil)
        self._paint_pair(painter, result, free, legend, pencil, is_mirrored)
        self._paint_figures(painter, result, free, legend, pencil, is_mirrored)
        painter.restore()

    def _paint_colours(self, painter: QPainter, output: FlowOutput, to_screen: QTransform, is_mirrored: bool) -> None:
        uv, valid, cell_px = thinned(output)
        is_sparse = bool(np.count_nonzero(valid) < SPARSE_SHARE * valid.size)
        self._has_white = self.style.is_alone or is_sparse
        colours = (output, is_mirrored, self.style.is_alone, self.scale_px)
        if colours != self._colours:
            self._colours = colours
            seen = uv * np.array((-1, 1), np.float32) if is_mirrored else uv
            argb = flow_argb(seen, valid, self.scale_px, not self._has_white)
            if is_sparse:
                argb = spread(np.where(valid, argb, np.uint32(0)))
            self._argb = np.ascontiguousarray(argb[:, ::-1] if is_mirrored else argb)
        rows, columns = self._argb.shape
        form = QImage.Format.Format_RGB32 if self.style.is_alone else QImage.Format.Format_ARGB32_Premultiplied
        image = QImage(self._argb.data, columns, rows, 4 * columns, form)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        covered = QRectF(0, 0, columns * cell_px, rows * cell_px)
        if not to_screen.isRotating():
            painter.drawImage(to_screen.mapRect(covered), image)
            return
        # A steadied picture is turned a little, too; the colours are mirrored already, so the map must not do it again.
        side = QTransform(-1, 0, 0, 1, covered.width(), 0) if is_mirrored else QTransform()
        painter.setWorldTransform(side * to_screen)
        painter.drawImage(covered, image)
        painter.setWorldTransform(QTransform())

    def _paint_arrows(self, painter: QPainter, output: FlowOutput, to_screen: QTransform, pencil: Pencil) -> None:
        lines = arrow_lines(output, to_screen, 2.4 * pencil.size_px, self.scale_px)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width_px in ((0xFF000000, 3.2), (INK.rgb(), 1.4)):
            pen = QPen(pencil.pen(colour, False, width_px))
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)  # a thousand lines with round ends take 20 ms, with these 1 ms
            painter.setPen(pen)
            painter.drawLines(lines)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_legend(self, painter: QPainter, free: QRectF, pencil: Pencil) -> QRectF:
        """Draw the wheel into the lower right corner, its scale in px below it; return its place, empty = no room."""
        em = pencil.size_px
        side, text = round(em * 5.5), scale_text(self.scale_px)
        width, height = side + em, math.ceil(side + em * 0.75 + pencil.row_px)
        if height > free.height() * 0.6 or width > free.width() * 0.4:
            return QRectF()
        ground = QRectF(math.floor(free.right() - width), math.floor(free.bottom() - height), width, height)
        painter.fillRect(ground, PAPER)
        argb = legend_argb(side, not self._has_white)
        wheel = QImage(argb.data, side, side, 4 * side, QImage.Format.Format_ARGB32_Premultiplied)
        corner = QPointF(round(ground.left() + em / 2), round(ground.top() + em / 2))
        painter.drawImage(corner, wheel)
        painter.setFont(pencil.small)
        painter.setPen(INK)
        below = QRectF(ground.left(), corner.y() + side, width, pencil.row_px)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, text)
        middle = corner + QPointF(side / 2, side / 2)
        painter.setPen(Qt.GlobalColor.black if self._has_white else INK)
        painter.drawLine(QLineF(middle, middle + QPointF(side / 2, 0)))  # this long a motion is what the text says
        return ground

    def _paint_pair(
        self,
        painter: QPainter,
        result: FrameResult[FlowOutput],
        free: QRectF,
        legend: QRectF,
        pencil: Pencil,
        is_mirrored: bool,
    ) -> None:
        """Draw the two frames half and half into the upper right corner, and how far they are apart."""
        output = result.output
        height, width = output.previous.shape[:2]
        inset_px = free.width() * INSET_SHARE
        place = QRectF(0, 0, round(inset_px), round(inset_px * height / width))
        place.moveTopRight(QPointF(free.right() - 2, free.top() + 2))
        caption = QRectF(place.left(), place.bottom(), place.width(), pencil.row_px)
        text = QCoreApplication.translate("Flow", "2 frames, {0} ms apart").format(round(output.dt_s * 1e3))
        has_room = place.width() >= LEAST_INSET_PX and caption.bottom() < (legend if legend else free).bottom()
        if output.dt_s == 0 or not has_room or caption.united(place).intersects(legend):
            return
        pair = (output, is_mirrored, place.width())
        if pair != self._pair:
            self._pair = pair
            step = max(1, int(width / place.width()))
            blend = half_and_half(output.previous[::step, ::step], result.frame.image[::step, ::step])
            self._blend = np.ascontiguousarray(blend[:, ::-1] if is_mirrored else blend)
        rows, columns = self._blend.shape[:2]
        painter.fillRect(place.united(caption).adjusted(-2, -2, 2, 2), PAPER)
        image = QImage(self._blend.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
        painter.drawImage(place, image)
        painter.setFont(pencil.small)
        painter.setPen(INK)
        if pencil.width_px(text) <= caption.width():
            painter.drawText(caption, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_figures(
        self,
        painter: QPainter,
        result: FrameResult[FlowOutput],
        free: QRectF,
        legend: QRectF,
        pencil: Pencil,
        is_mirrored: bool,
    ) -> None:
        """Write what the flow comes from and its figures into the lower left corner, where there is room."""
        source = network_text(result.output.method, result.backend, result.precision)
        lines = [source, *self.figures.lines(is_mirrored)]
        width = max(pencil.width_px(line) for line in lines) + pencil.size_px
        height = math.ceil(len(lines) * pencil.row_px + pencil.size_px * 0.5)
        ground = QRectF(free.left(), math.floor(free.bottom() - height), math.ceil(width), height)
        if height > free.height() * 0.5 or ground.right() > (legend.left() if legend else free.right()):
            return
        painter.fillRect(ground, PAPER)
        painter.setFont(pencil.small)
        painter.setPen(INK)
        for k, line in enumerate(lines):
            place = QPointF(ground.left() + pencil.size_px / 2, ground.top() + pencil.size_px / 4 + k * pencil.row_px)
            painter.drawStaticText(place, pencil.text(line))


def thinned(output: FlowOutput) -> tuple[Float32, np.ndarray[Any, np.dtype[np.bool_]], int]:
    """Return uv, valid, and how many px of the frame a cell of them is wide, at most about MOST_CELLS of them."""
    uv, valid = output.flow.uv, output.flow.valid
    step = max(1, math.ceil(math.sqrt(valid.size / MOST_CELLS)))
    return uv[::step, ::step], valid[::step, ::step], output.stride * step


def spread(argb: Argb) -> Argb:
    """Return the picture (H, W) with each coloured point as a square of 3x3."""
    rows, columns = np.nonzero(argb)
    colour, wide = argb[rows, columns], np.array(argb)
    for row_step in (-1, 0, 1):
        for column_step in (-1, 0, 1):
            row = np.clip(rows + row_step, 0, argb.shape[0] - 1)
            wide[row, np.clip(columns + column_step, 0, argb.shape[1] - 1)] = colour
    return wide


def half_and_half(first: Image, second: Image) -> Image:
    """Return the mean of two pictures of one size."""
    return np.asarray((first.astype(np.uint16) + second) >> 1, np.uint8)
