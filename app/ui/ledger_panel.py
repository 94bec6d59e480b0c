# SPDX-License-Identifier: Apache-2.0
"""The latency ledger beside the picture: where the time from capture to paint goes, and a minute of the numbers."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QRectF, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QColor, QFontMetricsF, QHideEvent, QPainter, QPaintEvent, QPixmap, QShowEvent
from PySide6.QtWidgets import QWidget

from app.runtime.ledger import WINDOW_S, Part, Summary
from app.runtime.machine_load import LoadMeter
from app.ui.heartbeat import Heartbeat
from app.ui.hud import Numbers
from app.ui.strip_chart import StripChart
from app.ui.theme import MUTED, OKABE_ITO, RECORDING, SURFACE, TEXT, font
from app.ui.words import stage_word

PERIOD_MS = 500
TEXT_PX, MARGIN_PX = 12, 8
LEAST_CHART_PX = 36


class LedgerPanel(QWidget):
    """Asks for the figures twice a second while it is shown, and draws them once into a pixmap. Main thread only."""

    def __init__(self, summary: Callable[[], Summary | None], numbers: Callable[[], Numbers]) -> None:
        super().__init__()
        self._ask, self._numbers = summary, numbers
        self._load, self.heartbeat = LoadMeter(), Heartbeat(self)
        self._summary: Summary | None = None
        self._rates, self._latency = StripChart(2), StripChart(2)
        self._cpu, self._memory, self._temperature = StripChart(1), StripChart(1), StripChart(1)
        self._picture: QPixmap | None = None
        self.setMinimumWidth(280)
        self._timer = QTimer(self, interval=PERIOD_MS)
        self._timer.timeout.connect(self.refresh)

    def sizeHint(self) -> QSize:
        return QSize(320, 480)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._timer.start()
        self.heartbeat.restart()
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    @Slot()
    def refresh(self) -> None:
        """Take the figures anew and draw them at the next paint."""
        t_s, load, numbers = time.monotonic(), self._load(), self._numbers()
        self._summary = self._ask()
        total = None if self._summary is None else self._summary.total
        self._rates.add(t_s, numbers.display_hz, numbers.inference_hz)
        self._latency.add(t_s, *((None, None) if total is None else (total.p50_ms, total.p95_ms)))
        self._cpu.add(t_s, load.cpu_percent)
        self._memory.add(t_s, load.memory_mib)
        self._temperature.add(t_s, load.temperature_c)
        self._picture = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        ratio = self.devicePixelRatioF()
        if self._picture is None or self._picture.deviceIndependentSize().toSize() != self.size():
            self._picture = QPixmap(self.size() * ratio)
            self._picture.setDevicePixelRatio(ratio)
            self._picture.fill(QColor(SURFACE))
            with QPainter(self._picture) as painter:
                self._paint(painter)
        with QPainter(self) as painter:
            painter.drawPixmap(0, 0, self._picture)

    def _paint(self, painter: QPainter) -> None:
        painter.setFont(font(TEXT_PX))
        row_px = QFontMetricsF(painter.font()).height() + 2
        area = QRectF(self.rect()).adjusted(MARGIN_PX, MARGIN_PX, -MARGIN_PX, -MARGIN_PX)
        top = self._paint_ledger(painter, area, row_px)
        charts = self._charts()
        height = (area.bottom() - top) / len(charts)
        if height < LEAST_CHART_PX + row_px:
            return
        for k, (chart, title, names) in enumerate(charts):
            chart.paint(painter, QRectF(area.left(), top + k * height, area.width(), height), title, names, TEXT_PX)

    def _charts(self) -> list[tuple[StripChart, str, tuple[str, ...]]]:
        rates = QCoreApplication.translate("Ledger", "painted"), QCoreApplication.translate("Ledger", "inferred")
        return [
            (self._rates, QCoreApplication.translate("Ledger", "frames a second"), rates),
            (self._latency, QCoreApplication.translate("Ledger", "capture to paint, ms"), ("p50", "p95")),
            (self._cpu, QCoreApplication.translate("Ledger", "processor, % of a core"), ("",)),
            (self._memory, QCoreApplication.translate("Ledger", "memory, MiB"), ("",)),
            (self._temperature, QCoreApplication.translate("Ledger", "temperature, °C"), ("",)),
        ]

    def _paint_ledger(self, painter: QPainter, area: QRectF, row_px: float) -> float:
        """Draw heading, bar and lines; return where they end."""
        found = self._summary
        painter.setPen(QColor(TEXT))
        title = QCoreApplication.translate("Ledger", "nothing painted in the last {0} s").format(f"{WINDOW_S:.0f}")
        if found is not None:
            shown = QCoreApplication.translate("Ledger", "capture to paint, last {0} s, {1} frames")
            title = shown.format(f"{WINDOW_S:.0f}", found.n_frames)
        painter.drawText(QRectF(area.left(), area.top(), area.width(), row_px), Qt.AlignmentFlag.AlignLeft, title)
        y = area.top() + row_px
        if found is None:
            return y
        y = self._paint_bar(painter, found, QRectF(area.left(), y + 2, area.width(), row_px * 0.8)) + 4
        lines = [(OKABE_ITO[k % len(OKABE_ITO)], part_word(part.name), part) for k, part in enumerate(found.parts)]
        total = MUTED, QCoreApplication.translate("Ledger", "capture to paint"), found.total
        for colour, name, part in [(MUTED, "ms", None), *lines, total]:
            self._paint_line(painter, QRectF(area.left(), y, area.width(), row_px), colour, name, part)
            y += row_px
        for text, is_good in (self._verdict(found), self._beat()):
            painter.setPen(QColor(MUTED if is_good else RECORDING))
            painter.drawText(QRectF(area.left(), y, area.width(), row_px), Qt.AlignmentFlag.AlignLeft, text)
            y += row_px
        return y + 6

    @staticmethod
    def _verdict(found: Summary) -> tuple[str, bool]:
        """Return whether the parts add up, in words."""
        rest = f"{found.rest.p95_ms:.2f}"
        if found.adds_up:
            text = QCoreApplication.translate("Ledger", "the parts add up to within {0} ms (p95)").format(rest)
        else:
            text = QCoreApplication.translate("Ledger", "the parts do NOT add up: {0} ms (p95) missing").format(rest)
        return text, found.adds_up

    def _beat(self) -> tuple[str, bool]:
        longest_ms = self.heartbeat.longest_ms()
        text = QCoreApplication.translate("Ledger", "window busy for at most {0} ms").format(f"{longest_ms:.0f}")
        return text, longest_ms <= 50

    @staticmethod
    def _paint_bar(painter: QPainter, found: Summary, area: QRectF) -> float:
        """Draw the medians one after another; return where the bar ends."""
        whole = max(sum(part.p50_ms for part in found.parts), 1e-6)
        x = area.left()
        for k, part in enumerate(found.parts):
            width = area.width() * part.p50_ms / whole
            painter.fillRect(QRectF(x, area.top(), width, area.height()), QColor(OKABE_ITO[k % len(OKABE_ITO)]))
            x += width
        return area.bottom()

    @staticmethod
    def _paint_line(painter: QPainter, area: QRectF, colour: str, name: str, part: Part | None) -> None:
        side = area.height() * 0.55
        if part is not None:
            painter.fillRect(QRectF(area.left(), area.top() + side * 0.3, side, side), QColor(colour))
        painter.setPen(QColor(TEXT if part is not None else MUTED))
        painter.drawText(area.adjusted(side * 1.6, 0, 0, 0), Qt.AlignmentFlag.AlignLeft, name)
        values = ["p50", "p95", "p99"]
        if part is not None:
            values = [f"{ms:.2f}" for ms in (part.p50_ms, part.p95_ms, part.p99_ms)]
        column = area.width() * 0.17
        for k, value in enumerate(values):
            place = QRectF(area.right() - column * (3 - k), area.top(), column, area.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignRight, value)


def part_word(name: str) -> str:
    """Return the word for a part of the ledger, which may be a stage of a task."""
    words = {
        "queue": QCoreApplication.translate("Ledger", "queue"),
        "pre": QCoreApplication.translate("Ledger", "before networks"),
        "first layer": QCoreApplication.translate("Ledger", "first layer, low-bit"),
        "inner layers": QCoreApplication.translate("Ledger", "inner layers, low-bit"),
        "last layer": QCoreApplication.translate("Ledger", "last layer, low-bit"),
        "network": QCoreApplication.translate("Ledger", "networks"),
        "post": QCoreApplication.translate("Ledger", "after networks"),
        "between": QCoreApplication.translate("Ledger", "between stages"),
        "twin": QCoreApplication.translate("Ledger", "second network"),
        "wait": QCoreApplication.translate("Ledger", "wait for the window"),
        "draw": QCoreApplication.translate("Ledger", "draw and paint"),
    }
    return words.get(name) or stage_word(name)
