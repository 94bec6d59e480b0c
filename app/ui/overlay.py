# SPDX-License-Identifier: Apache-2.0
"""Vector drawing of results over the picture: sharp at any size, because letters and lines are sized on the screen.

The painter's transform says where the pixels of the picture go (it may scale, move and mirror); boxes follow it,
letters are never mirrored. Overlays keep caches and belong to one thread; an `Annotator` may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

from app.frame import ExpressionOutput, FlowOutput, FrameResult, PoseOutput
from app.motion.lines import Mark, zones_of
from app.motion.zones import Point
from app.ui.count_overlay import counts_of, paint_counts
from app.ui.flow_overlay import FlowOverlay, FlowStyle
from app.ui.page_overlay import PageOverlay, Pages
from app.ui.pencil import INK, PAPER, Pencil, keep_inside
from app.ui.pose_overlay import PoseOverlay
from app.ui.shown_picture import frame_to_shown, shown_image, steadied_boxes
from app.ui.track_marks import ink_on, map_box, track_colour
from app.ui.words import cycles_text, word
from app.ui.zone_overlay import paint_draft
from models.results import MISSED, Image

MAX_PANELS = 3
"""Bars are drawn for the largest faces only: more could not be read, and each costs about 0.2 ms."""
TROUGH = QColor(255, 255, 255, 38)
SHADE = 0x50000000
QUIET_BAR = QColor(200, 208, 220, 210)


class ExpressionOverlay:
    """Boxes with their track number, the expression with its probability, and bars of all classes."""

    def __init__(self, text_scale: float = 1.0) -> None:
        self.text_scale = text_scale
        self._pencil = Pencil(12)

    def paint(self, painter: QPainter, output: ExpressionOutput, size_wh: tuple[int, int]) -> None:
        """Draw `output` of a picture of `size_wh` px; the painter's transform maps frame pixels to the target."""
        to_screen = painter.worldTransform()
        picture = to_screen.mapRect(QRectF(0, 0, *size_wh))
        self._pencil = self._pencil.sharpened(min(picture.width(), picture.height()), self.text_scale)
        painter.save()
        painter.setWorldTransform(QTransform())
        painter.setClipRect(picture, Qt.ClipOperation.IntersectClip)
        boxes = [map_box(to_screen, row) for row in output.tracks.xyxy.tolist()]
        order = sorted(range(len(boxes)), key=lambda k: -boxes[k].width() * boxes[k].height())
        for k in reversed(order):
            self._paint_box(painter, boxes[k], output, k)
        self._paint_chips(painter, boxes, output, picture)
        self._paint_panels(painter, [k for k in order if self._has_room(boxes[k], picture)], boxes, output, picture)
        painter.restore()

    def _has_room(self, box: QRectF, picture: QRectF) -> bool:
        rows_px = 8 * self._pencil.row_px
        return picture.height() > rows_px * 1.3 and box.height() > rows_px * 0.3 and box.intersects(picture)

    def _paint_box(self, painter: QPainter, box: QRectF, output: ExpressionOutput, k: int) -> None:
        colour = track_colour(int(output.tracks.track_id[k]))
        is_predicted = bool(output.tracks.detection_index[k] == MISSED)
        line_px = max(2.0, self._pencil.size_px / 7)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(self._pencil.pen(SHADE if is_predicted else 0xFF000000, False, line_px + 2))
        painter.drawRect(box)
        painter.setPen(self._pencil.pen(colour.rgb(), is_predicted, line_px))
        painter.drawRect(box)

    def _paint_chips(self, painter: QPainter, boxes: list[QRectF], output: ExpressionOutput, picture: QRectF) -> None:
        """Draw the number of every track, with the expression where its box is wide enough for it."""
        painter.setFont(self._pencil.bold)
        is_crowd = len(boxes) > 8
        for k, box in enumerate(boxes):
            if not box.intersects(picture):
                continue
            track_id = int(output.tracks.track_id[k])
            text = self._headline(track_id, output, k)
            if is_crowd and self._pencil.width_px(text, True) > box.width() * 1.5:
                text = str(track_id)
            self._paint_chip(painter, text, track_colour(track_id), box, picture)

    @staticmethod
    def _headline(track_id: int, output: ExpressionOutput, k: int) -> str:
        best = int(output.prob[k].argmax())
        return f"{track_id}  {word(output.labels[best])} {round(float(output.prob[k, best]) * 100)} %"

    def _paint_chip(self, painter: QPainter, text: str, colour: QColor, box: QRectF, picture: QRectF) -> None:
        width, height = self._pencil.width_px(text, True) + 10, float(self._pencil.chip_px)
        above = box.top() - height - 2
        top = above if above >= picture.top() else box.top() + 2
        chip = keep_inside(QRectF(box.left() - 1, top, width, height), picture)
        painter.fillRect(chip, colour)
        painter.setPen(ink_on(colour))
        painter.drawStaticText(QPointF(chip.left() + 5, chip.top() + 1), self._pencil.text(text, True))

    def _paint_panels(
        self, painter: QPainter, order: list[int], boxes: list[QRectF], output: ExpressionOutput, picture: QRectF
    ) -> None:
        painter.setFont(self._pencil.small)
        taken: list[QRectF] = []
        for k in order[:MAX_PANELS]:
            panel = self._place_panel(boxes, k, output.labels, picture, taken)
            if panel is not None:
                taken.append(panel)
                self._paint_panel(painter, panel, output, k)

    def _place_panel(
        self, boxes: list[QRectF], k: int, labels: tuple[str, ...], picture: QRectF, taken: list[QRectF]
    ) -> QRectF | None:
        """Return where the bars of box `k` go: right, left or inside; None where they would cover others."""
        label_px = max(self._pencil.width_px(word(label)) for label in labels)
        width = label_px + self._pencil.size_px * 4.8 + self._pencil.width_px("100 %")
        height = len(labels) * self._pencil.row_px + 8.0
        box, gap = boxes[k], self._pencil.size_px * 0.5
        sides = [box.right() + gap, box.left() - gap - width]
        for left in [x for x in sides if x >= picture.left() and x + width <= picture.right()]:
            panel = keep_inside(QRectF(left, box.top(), width, height), picture)
            others = [*taken, *(b for j, b in enumerate(boxes) if j != k)]
            if not any(panel.intersects(other) for other in others):
                return panel
        inside = keep_inside(QRectF(box.right() - width, box.bottom() - height, width, height), picture)
        fits = len(boxes) == 1 or (inside.height() < box.height() * 0.6 and inside.width() < box.width())
        return inside if fits and not any(inside.intersects(other) for other in taken) else None

    def _paint_panel(self, painter: QPainter, panel: QRectF, output: ExpressionOutput, k: int) -> None:
        painter.fillRect(panel, PAPER)
        colour = track_colour(int(output.tracks.track_id[k])).lighter(115)
        prob = output.prob[k].tolist()
        names = [word(label) for label in output.labels]
        row, em = self._pencil.row_px, self._pencil.size_px
        label_px = max(self._pencil.width_px(name) for name in names)
        bar_left, bar_width = panel.left() + label_px + em * 0.9, em * 3.0
        best = prob.index(max(prob))
        painter.setPen(INK)
        for index, (name, value) in enumerate(zip(names, prob, strict=True)):
            top = panel.top() + 4 + index * row
            painter.drawStaticText(QPointF(panel.left() + em * 0.4, top), self._pencil.text(name))
            bar = QRectF(bar_left, top + row * 0.28, bar_width, row * 0.44)
            painter.fillRect(bar, TROUGH)
            bar.setWidth(bar_width * min(max(value, 0.0), 1.0))
            painter.fillRect(bar, colour if index == best else QUIET_BAR)
            percent = f"{round(value * 100)} %"
            right = panel.right() - em * 0.4 - self._pencil.width_px(percent)
            painter.drawStaticText(QPointF(right, top), self._pencil.text(percent))


class Overlays:
    """The drawing of every task's output; it keeps caches and belongs to one thread."""

    def __init__(self) -> None:
        self.text_scale = 1.0
        self.flow_style = FlowStyle()
        self.zones: tuple[Mark, ...] | None = None
        """Those to draw over flows, with lines over people; None = those that were watched in the frame."""
        self.pages: Pages | None = None
        """The page over flows, None = none."""
        self._expression, self._flow, self._pencil = ExpressionOverlay(), FlowOverlay(), Pencil(12)
        self._page, self._pose = PageOverlay(), PoseOverlay()

    def paint(self, painter: QPainter, result: FrameResult[Any], free: QRectF | None = None) -> None:
        """Draw the output of `result`, whatever its task; an output without a drawing is a mistake of the program.

        The painter's transform maps px of the picture shown to the target; `free` is the part of the target, in its
        px, that nothing else covers (None = all).
        """
        height, width = result.frame.image.shape[:2]
        to_target = painter.worldTransform()
        picture = to_target.mapRect(QRectF(0, 0, width, height))
        free = picture if free is None else picture.intersected(free)
        self._pencil = self._pencil.sharpened(min(picture.width(), picture.height()), self.text_scale)
        if result.cycles is not None:
            self._pencil.write_note(painter, cycles_text(result.backend, result.cycles), free)
            free.setBottom(max(free.bottom() - self._pencil.note_px(), free.top()))
        if isinstance(result.output, ExpressionOutput):
            self._expression.text_scale = self.text_scale
            self._expression.paint(painter, steadied_boxes(result), (width, height))
        elif isinstance(result.output, FlowOutput):
            with _moved(painter, result):
                self._flow.style = self.flow_style
                self._flow.zones = None if self.zones is None else zones_of(self.zones)
                self._flow.paint(painter, result, free, self._pencil)
            if self.pages is not None:
                with _moved(painter, result):
                    painter.setWorldTransform(QTransform())
                    self._page.paint(painter, self.pages, result.frame.t_ns, to_target.m11() < 0, free)
        elif isinstance(result.output, PoseOutput):
            with _moved(painter, result):
                self._pose.paint(painter, result.output, picture, self._pencil)
                to_screen = painter.worldTransform()
                painter.setWorldTransform(QTransform())
                counts = counts_of(result.output.counting.counts, self.zones)
                paint_counts(painter, counts, (width, height), to_screen, free, self._pencil)
        else:
            raise TypeError(f"no overlay for a {type(result.output).__name__}")

    def paint_draft(self, painter: QPainter, result: FrameResult[Any], corners: tuple[Point, ...]) -> None:
        """Draw the zone that is being drawn, in shares of the frame of `result`; the painter as for `paint`."""
        height, width = result.frame.image.shape[:2]
        with _moved(painter, result):
            to_screen = painter.worldTransform()
            painter.setWorldTransform(QTransform())
            paint_draft(painter, corners, (width, height), to_screen, self._pencil)


@contextmanager
def _moved(painter: QPainter, result: FrameResult[Any]) -> Iterator[None]:
    """Let the painter, which maps px of the picture shown, map px of the frame, and draw on that picture only."""
    height, width = result.frame.image.shape[:2]
    to_target = painter.worldTransform()
    painter.save()
    painter.setClipRect(QRectF(0, 0, width, height), Qt.ClipOperation.IntersectClip)
    painter.setWorldTransform(frame_to_shown(result) * to_target)
    try:
        yield
    finally:
        painter.restore()


class Annotator:
    """Draws results into copies of their frames; any thread may call, a QGuiApplication must exist."""

    def __init__(self) -> None:
        self.flow_style = FlowStyle()
        """May be changed by any thread and holds from the next picture on, as `pages`."""
        self.pages: Pages | None = None
        self._of_thread = threading.local()

    def __call__(self, result: FrameResult[Any]) -> Image:
        """Return the picture shown of the frame with its output drawn on it, (H, W, 3) RGB."""
        overlays: Overlays | None = getattr(self._of_thread, "overlays", None)
        if overlays is None:
            overlays = self._of_thread.overlays = Overlays()
        overlays.flow_style, overlays.pages = self.flow_style, self.pages
        picture = np.array(shown_image(result), order="C")
        height, width = picture.shape[:2]
        target = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        with QPainter(target) as painter:
            overlays.paint(painter, result)
        return picture
