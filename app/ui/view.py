# SPDX-License-Identifier: Apache-2.0
"""The picture: the newest result, its overlay and the numbers. QWidget painting only: linuxfb has no OpenGL."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt, QTime, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QTransform
from PySide6.QtWidgets import QWidget

from app.frame import FlowOutput, FrameResult
from app.motion.lines import Mark, Point
from app.output.stats import Display
from app.runtime.meters import WINDOW_NS, Percentiles, Rate, Recent
from app.ui.compare_overlay import OFF, CompareStyle, paint_comparison, sides
from app.ui.flow_overlay import FlowStyle
from app.ui.hud import Hud, Numbers, paint_hint, paint_notice, paint_recording, recording_px
from app.ui.overlay import Overlays
from app.ui.page_overlay import Pages
from app.ui.shown_picture import frame_to_shown, picture_to_target, share_of, shown_image
from app.ui.signals import ProgramSignals

BACKGROUND = QColor("#0b0d10")
DIMMED = QColor(0, 0, 0, 150)
HUD_PERIOD_MS = 250
AGE = "age"


class DisplayMeters:
    """What was really shown since the program started; written by `paintEvent`, all in the main thread."""

    def __init__(self) -> None:
        self.painted = 0
        self.rate = Rate()
        self.age_ms = Percentiles()
        self.recent_seq: deque[int] = deque(maxlen=1000)
        self.last_ns = 0

    def count(self, result: FrameResult[Any], now_ns: int) -> None:
        """Count a frame that is on the screen for the first time at `now_ns`."""
        self.painted += 1
        self.last_ns = now_ns
        self.rate.tick(now_ns)
        self.age_ms.add((now_ns - result.frame.captured_ns) / 1e6)
        self.recent_seq.append(result.frame.seq)


class VideoView(QWidget):
    """Paints the newest result, letterboxed. Main thread only; results arrive in the mailbox of `ProgramSignals`.

    A frame is counted when it is painted for the first time, so a repaint of the same frame changes no figure.
    """

    shown_first = Signal()
    """The empty widget has been painted: from now on the user sees something."""

    numbers_changed = Signal()
    """A few times a second: the numbers were taken anew."""

    result_taken = Signal()
    """`result` is another one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.meters = DisplayMeters()
        self.first_frame_ns = 0
        """When the first frame of all was on the screen, 0 = not yet."""
        self.is_mirrored = False
        self.text_scale = 1.0
        self.pipeline_numbers: Callable[[], Numbers] = Numbers
        self.on_painted: Callable[[FrameResult[Any], int, int], None] | None = None
        """Told of a result that is on the screen for the first time, and when its painting began and ended."""
        self._hud = Hud()
        self._overlays, self._second_overlays = Overlays(), Overlays()
        self._compare = CompareStyle()
        self._signals: ProgramSignals | None = None
        self._result: FrameResult[Any] | None = None
        self._counted: FrameResult[Any] | None = None
        self._ages, self._stages = Recent(), Recent()
        self._notice, self._is_recording = "", False
        self._lost_since = ""
        self._draft: tuple[Point, ...] | None = None
        self._hint = ""
        self._was_painted = False
        self.setMinimumSize(240, 180)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(self.sizePolicy().Policy.Expanding, self.sizePolicy().Policy.Expanding)
        self._timer = QTimer(self, interval=HUD_PERIOD_MS)
        self._timer.timeout.connect(self._refresh_numbers)
        self._timer.start()

    @property
    def result(self) -> FrameResult[Any] | None:
        """The result on the screen."""
        return self._result

    @property
    def numbers(self) -> Numbers:
        """The numbers on the screen."""
        return self._hud.numbers

    def shown(self) -> Display:
        """Return what was painted of the present program."""
        return Display(self.meters.painted, self.meters.age_ms)

    def follow(self, signals: ProgramSignals) -> None:
        """Show the results of another program; the last picture stays until its first one."""
        self._signals = signals
        self._counted = self._result
        self.meters = DisplayMeters()
        self._ages, self._stages = Recent(), Recent()
        self.set_lost(False)
        signals.result_ready.connect(self._take)

    def set_notice(self, text: str, is_recording: bool = False) -> None:
        """Show one line in the middle of the picture, "" = none, and a red dot while a video is recorded."""
        if (text, is_recording) != (self._notice, self._is_recording):
            self._notice, self._is_recording = text, is_recording
            self.update()

    def set_lost(self, is_lost: bool) -> None:
        """Dim the last picture and write the time at which it was lost, or undo that."""
        if is_lost and not self._lost_since:
            self._lost_since = QTime.currentTime().toString("HH:mm:ss")
        elif not is_lost:
            self._lost_since = ""
        self.update()

    def set_mirrored(self, is_mirrored: bool) -> None:
        self.is_mirrored = is_mirrored
        self.update()

    def set_compare(self, style: CompareStyle) -> None:
        """Show what was compared beside the result, or not."""
        self._compare = style
        self.update()

    def set_flow_style(self, style: FlowStyle) -> None:
        """Draw flows in another way."""
        self._overlays.flow_style = self._second_overlays.flow_style = style
        self.update()

    def set_zones(self, zones: tuple[Mark, ...]) -> None:
        """Draw these zones over flows, and lines too over people, as the newest result says."""
        self._overlays.zones = self._second_overlays.zones = zones
        self.update()

    def set_draft(self, corners: tuple[Point, ...] | None) -> None:
        """Draw the zone that is being drawn, in shares of the picture; None = none."""
        if corners != self._draft:
            self._draft = corners
            self.update()

    def set_hint(self, text: str) -> None:
        """Show one line at the top of the picture that says what the mouse does now, "" = none."""
        if text != self._hint:
            self._hint = text
            self.update()

    def set_pages(self, pages: Pages | None) -> None:
        """Show a page over flows, None = none."""
        self._overlays.pages = self._second_overlays.pages = pages
        self.update()

    def share_at(self, place: QPointF) -> Point | None:
        """Return which place of the frame is at a place of the widget, in shares of its width and height.

        Beyond 0..1 beside the frame; None where there is none. Mirrored and steadied as the picture is.
        """
        target = self.picture_place()
        if self._result is None or target is None:
            return None
        height, width = self._result.frame.image.shape[:2]
        if self._result.compared is not None and self._compare.layout != OFF:
            target = sides(self._compare, target)[0].target
        to_widget = picture_to_target((width, height), target, self.is_mirrored)
        return share_of(place, frame_to_shown(self._result) * to_widget, (width, height))

    def picture_place(self) -> QRectF | None:
        """Return the part of the widget that the picture fills, None before the first."""
        if self._result is None:
            return None
        height, width = self._result.frame.image.shape[:2]
        return self._picture_rect(width, height)

    def retranslate(self) -> None:
        """Draw the words in the present language."""
        self._hud.set_numbers(self._hud.numbers)
        self.setAccessibleName(self.tr("Picture"))
        self.update()

    def snapshot(self) -> QImage | None:
        """Return picture and overlay, not mirrored, at the size seen or of the frame; None before the first."""
        if self._result is None:
            return None
        height, width = self._result.frame.image.shape[:2]
        shown = self._picture_rect(width, height).size() * self.devicePixelRatioF()
        size = shown.toSize().expandedTo(shown.toSize().scaled(width, height, Qt.AspectRatioMode.KeepAspectRatio))
        picture = QImage(size, QImage.Format.Format_RGB32)
        with QPainter(picture) as painter:
            self._paint_result(painter, self._result, QRectF(0, 0, size.width(), size.height()), is_mirrored=False)
        return picture

    @Slot()
    def _take(self) -> None:
        newest = self._signals.results.poll() if self._signals is not None else None
        if newest is not None:
            self._result = newest
            self.result_taken.emit()
            self.update()

    @Slot()
    def _refresh_numbers(self) -> None:
        now_ns = time.monotonic_ns()
        of_pipeline = self.pipeline_numbers()
        result = self._result
        is_fresh = result is not None and now_ns - self.meters.last_ns < WINDOW_NS
        self._hud.set_numbers(
            Numbers(
                display_hz=self.meters.rate.hz(now_ns),
                inference_hz=of_pipeline.inference_hz,
                capture_hz=of_pipeline.capture_hz,
                age_ms=self._ages.medians(now_ns).get(AGE),
                dropped=of_pipeline.dropped,
                score=of_pipeline.score,
                backend=result.backend if is_fresh and result else "",
                precision=result.precision if is_fresh and result else "",
                method=result.output.method if is_fresh and result and isinstance(result.output, FlowOutput) else "",
                models=tuple(result.models.values()) if is_fresh and result else (),
                stage_ms=self._stages.medians(now_ns),
            )
        )
        self.numbers_changed.emit()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        begin_ns = time.monotonic_ns()
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), BACKGROUND)
            if self._result is not None:
                height, width = self._result.frame.image.shape[:2]
                place = self._picture_rect(width, height)
                self._paint_result(painter, self._result, place, self.is_mirrored, self._free_rect())
                self._paint_marks(painter)
            elif self._notice:
                paint_notice(painter, QRectF(self.rect()), self._notice, 16 * self.text_scale)
        self._count_shown(begin_ns)

    def _paint_result(
        self,
        painter: QPainter,
        result: FrameResult[Any],
        target: QRectF,
        is_mirrored: bool,
        free: QRectF | None = None,
    ) -> None:
        """Draw the result into `target`, beside what it was compared with; nothing else will be drawn into `free`."""
        compared, style = result.compared, self._compare
        if compared is None or style.layout == OFF:
            self._paint_one(painter, result, target, is_mirrored, self._overlays, free)
            return
        results = result, compared
        for each, overlays, side in zip(
            results, (self._overlays, self._second_overlays), sides(style, target), strict=True
        ):
            painter.save()
            painter.setClipRect(side.clip)
            room = side.clip if free is None else side.clip.intersected(free)
            self._paint_one(painter, each, side.target, is_mirrored, overlays, room)
            painter.restore()
        paint_comparison(painter, style, target, results, target if free is None else free, self._text_px())

    def _paint_one(
        self,
        painter: QPainter,
        result: FrameResult[Any],
        target: QRectF,
        is_mirrored: bool,
        overlays: Overlays,
        free: QRectF | None,
    ) -> None:
        """Draw picture and overlay."""
        image = shown_image(result)  # kept alive by the result while the QImage borrows its memory
        height, width = image.shape[:2]
        picture = QImage(image.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        # Measured at 640x480 on 1440x1080: smooth from RGB888 3.3 ms, from RGB32 1.7 ms, fast from RGB888 2.8 ms.
        picture = picture.convertToFormat(QImage.Format.Format_RGB32)
        if is_mirrored:
            picture = picture.transformed(QTransform.fromScale(-1, 1))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(target, picture)
        painter.setWorldTransform(picture_to_target((width, height), target, is_mirrored))
        overlays.text_scale = self.text_scale
        overlays.paint(painter, result, free)
        if self._draft is not None and free is not None:  # the user's screen, no screenshot
            overlays.paint_draft(painter, result, self._draft)
        painter.restore()

    def _paint_marks(self, painter: QPainter) -> None:
        area = QRectF(self.rect())
        text_px = self._text_px()
        if self._lost_since:
            painter.fillRect(area, DIMMED)
            paint_notice(painter, area, self.tr("no picture since {0}").format(self._lost_since), text_px * 1.5)
        elif self._notice:
            paint_notice(painter, area, self._notice, text_px * 1.5)
        if self._hint:
            paint_hint(painter, self._free_rect(), self._hint, text_px)
        if self._is_recording:
            paint_recording(painter, area, text_px)
        self._hud.paint(painter, self.size(), text_px, self.devicePixelRatioF())

    def _text_px(self) -> float:
        """Return the height of small letters for the present size of the widget."""
        return min(max(min(self.height() / 44, self.width() / 64), 10.0), 18.0) * self.text_scale

    def _free_rect(self) -> QRectF:
        """Return the part of the widget that the numbers and the recording's dot leave free."""
        top = self._hud.height_px(self.size(), self._text_px(), self.devicePixelRatioF())
        bottom = recording_px(self._text_px()) if self._is_recording else 0.0
        return QRectF(self.rect()).adjusted(0, top, 0, -bottom)

    def _picture_rect(self, width: int, height: int) -> QRectF:
        """Return where a picture of that size goes: as large as fits, centred, on whole pixels."""
        scale = min(self.width() / width, self.height() / height)
        shown_w, shown_h = max(round(width * scale), 1), max(round(height * scale), 1)
        return QRectF((self.width() - shown_w) // 2, (self.height() - shown_h) // 2, shown_w, shown_h)

    def _count_shown(self, begin_ns: int) -> None:
        if not self._was_painted:
            self._was_painted = True
            self.shown_first.emit()
        result = self._result
        if result is None or result is self._counted:
            return
        self._counted = result
        now_ns = time.monotonic_ns()
        self.first_frame_ns = self.first_frame_ns or now_ns
        self.meters.count(result, now_ns)
        self._ages.add(now_ns, {AGE: (now_ns - result.frame.captured_ns) / 1e6})
        self._stages.add(now_ns, result.stage_ms)
        if self.on_painted is not None:
            self.on_painted(result, begin_ns, now_ns)
