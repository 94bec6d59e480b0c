# SPDX-License-Identifier: Apache-2.0
"""The numbers over the picture. Each is taken over the last second; a number without a value there is a dash."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPixmap

from app.runtime.truth_score import Score
from app.ui.theme import RECORDING, font
from app.ui.words import network_text, stage_word

GROUND = QColor(12, 14, 18, 200)
BRIGHT = QColor("#f4f6fa")
CAPTION = QColor("#b9c2cf")
DASH = "–"
LARGEST_PART = 0.3  # of the height of the view; a strip above that leaves out its details


@dataclass(frozen=True)
class Numbers:
    """What the HUD shows; rates in Hz, times in ms, over the last second."""

    display_hz: float = 0.0
    inference_hz: float = 0.0
    capture_hz: float = 0.0
    age_ms: float | None = None  # capture to paint, median
    dropped: int = 0  # frames since the source was opened
    backend: str = ""
    precision: str = ""
    models: tuple[str, ...] = ()
    stage_ms: dict[str, float] = field(default_factory=dict)
    method: str = ""  # of a flow
    score: Score = field(default_factory=Score)  # against the truth of a synthetic scene, over the last 5 s


@dataclass(frozen=True)
class Cell:
    """A caption with its value."""

    caption: str
    value: str
    is_large: bool = False
    is_spare: bool = False  # left out where the row is full; the status bar says it too


def cells(numbers: Numbers) -> list[Cell]:
    """Return the cells in the order shown: effective rate left, inference rate right of it, then the rest."""
    age = DASH if numbers.age_ms is None else f"{numbers.age_ms:.0f} ms"
    shown = [
        Cell(QCoreApplication.translate("Hud", "effective FPS"), f"{numbers.display_hz:.1f}", True),
        Cell(QCoreApplication.translate("Hud", "inference FPS"), f"{numbers.inference_hz:.1f}", True),
        Cell(QCoreApplication.translate("Hud", "capture FPS"), f"{numbers.capture_hz:.1f}"),
        Cell(QCoreApplication.translate("Hud", "picture age"), age),
        Cell(QCoreApplication.translate("Hud", "dropped"), str(numbers.dropped)),
    ]
    if numbers.backend:
        shown.append(
            Cell(
                QCoreApplication.translate("Hud", "network"),
                network_text(numbers.method, numbers.backend, numbers.precision),
                is_spare=True,
            )
        )
    return shown + [Cell(caption, value) for caption, value in score_cells(numbers.score)]


def score_cells(score: Score) -> list[tuple[str, str]]:
    """Return what is said of the truth of a synthetic scene, captions with values; nothing where there is none."""
    shown = []
    if score.recall is not None:
        shown.append((QCoreApplication.translate("Hud", "true boxes found"), f"{100 * score.recall:.0f} %"))
        shown.append((QCoreApplication.translate("Hud", "id switches"), str(score.id_switches)))
    if score.epe_px is not None:
        shown.append((QCoreApplication.translate("Hud", "flow error"), f"{score.epe_px:.2f} px"))
    return shown


def footnote(numbers: Numbers) -> list[str]:
    """Return the parts of the small line: stage times, model files, and what the numbers mean."""
    stages = [f"{stage_word(name)} {ms:.1f} ms" for name, ms in numbers.stage_ms.items()]
    files = [PurePath(name).name for name in numbers.models]
    return [*stages, *files, QCoreApplication.translate("Hud", "numbers over the last 1 s")]


class Hud:
    """Draws the numbers as a strip along the top; the strip is kept as a pixmap until a number or the width changes."""

    def __init__(self) -> None:
        self.numbers = Numbers()
        self._strip: QPixmap | None = None
        self._key: tuple[int, int, float, float] = (0, 0, 0.0, 0.0)

    def set_numbers(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self._strip = None

    def paint(self, painter: QPainter, size_px: QSize, text_px: float, pixel_ratio: float) -> None:
        """Draw along the top of a view of `size_px`, with small letters `text_px` high."""
        painter.drawPixmap(0, 0, self._rendered(size_px, text_px, pixel_ratio))

    def height_px(self, size_px: QSize, text_px: float, pixel_ratio: float) -> float:
        """Return how much of the view `paint` covers."""
        return self._rendered(size_px, text_px, pixel_ratio).deviceIndependentSize().height()

    def _rendered(self, size_px: QSize, text_px: float, pixel_ratio: float) -> QPixmap:
        key = (size_px.width(), size_px.height(), text_px, pixel_ratio)
        if self._strip is None or self._key != key:
            self._strip, self._key = self._render(*key), key
        return self._strip

    def _render(self, width_px: int, height_px: int, text_px: float, pixel_ratio: float) -> QPixmap:
        shown, notes = cells(self.numbers), footnote(self.numbers)
        layout = _Layout(width_px, text_px, shown, notes)
        if layout.height_px > height_px * LARGEST_PART:
            layout = _Layout(width_px, text_px, [cell for cell in shown if not cell.is_spare], notes[-1:])
        strip = QPixmap(QSize(layout.width_px, layout.height_px) * pixel_ratio)
        strip.setDevicePixelRatio(pixel_ratio)
        strip.fill(GROUND)
        with QPainter(strip) as painter:
            layout.paint(painter)
        return strip


class _Layout:
    """Places texts from left to right and starts a new row where one does not fit."""

    def __init__(self, width_px: int, text_px: float, shown: list[Cell], notes: list[str]) -> None:
        self.width_px, self.height_px = max(width_px, 1), 0
        small = max(round(text_px), 8)
        self._fonts = {"caption": font(small), "value": font(round(small * 1.25), True), "large": font(small * 2, True)}
        self._metrics = {name: QFontMetricsF(each) for name, each in self._fonts.items()}
        self._margin, self._gap = small * 0.7, small * 1.6
        self._texts: list[tuple[QPointF, str, str]] = []
        self._place(shown, notes)

    def _place(self, shown: list[Cell], notes: list[str]) -> None:
        x, y = self._margin, self._margin * 0.6
        large, caption = self._metrics["large"], self._metrics["caption"]
        row_px = max(large.height(), caption.height() + self._metrics["value"].height())
        for cell in shown:
            width = self._cell_px(cell)
            if x > self._margin and x + width > self.width_px - self._margin:
                if cell.is_spare:
                    continue
                x, y = self._margin, y + row_px
            self._place_cell(cell, x, y, row_px)
            x += width + self._gap
        self._place_notes(notes, y + row_px)

    def _cell_px(self, cell: Cell) -> float:
        caption = self._metrics["caption"].horizontalAdvance(cell.caption)
        if cell.is_large:
            return self._metrics["large"].horizontalAdvance("000.0") + self._margin * 0.6 + caption
        return max(caption, self._metrics["value"].horizontalAdvance(cell.value.rjust(5, "0")))

    def _place_cell(self, cell: Cell, x: float, y: float, row_px: float) -> None:
        if cell.is_large:
            base = y + (row_px + self._metrics["large"].capHeight()) / 2
            self._texts.append((QPointF(x, base), cell.value, "large"))
            x += self._metrics["large"].horizontalAdvance(cell.value) + self._margin * 0.6
            self._texts.append((QPointF(x, base), cell.caption, "caption"))
            return
        base = y + self._metrics["caption"].ascent()
        self._texts.append((QPointF(x, base), cell.caption, "caption"))
        self._texts.append((QPointF(x, base + self._metrics["value"].height()), cell.value, "value"))

    def _place_notes(self, notes: list[str], y: float) -> None:
        caption, x = self._metrics["caption"], self._margin
        y += self._margin * 0.3
        for index, note in enumerate(notes):
            text = note if index == len(notes) - 1 else f"{note}  ·  "
            width = caption.horizontalAdvance(text)
            if x > self._margin and x + width > self.width_px - self._margin:
                x, y = self._margin, y + caption.height()
            self._texts.append((QPointF(x, y + caption.ascent()), text, "caption"))
            x += width
        self.height_px = round(y + caption.height() + self._margin * 0.6)

    def paint(self, painter: QPainter) -> None:
        for point, text, name in self._texts:
            painter.setFont(self._fonts[name])
            painter.setPen(CAPTION if name == "caption" else BRIGHT)
            painter.drawText(point, text)


def paint_notice(painter: QPainter, area: QRectF, text: str, text_px: float) -> None:
    """Draw one centred line on a dark ground in the middle of `area` ("paused", "starting...")."""
    letters = font(round(text_px), True)
    painter.setFont(letters)
    ground = QFontMetricsF(letters).boundingRect(text).adjusted(-text_px, -text_px * 0.6, text_px, text_px * 0.6)
    ground.moveCenter(area.center())
    painter.fillRect(ground, GROUND)
    painter.setPen(BRIGHT)
    painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, text)


def paint_hint(painter: QPainter, area: QRectF, text: str, text_px: float) -> None:
    """Draw a text on a dark ground at the top of `area`, in the middle, in as many lines as it needs."""
    letters = font(round(text_px), True)
    painter.setFont(letters)
    room = area.adjusted(text_px, text_px, -text_px, 0)
    flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap)
    place = QFontMetricsF(letters).boundingRect(room, flags, text)
    painter.fillRect(place.adjusted(-text_px * 0.7, -text_px * 0.4, text_px * 0.7, text_px * 0.4), GROUND)
    painter.setPen(BRIGHT)
    painter.drawText(place, flags, text)


def recording_px(text_px: float) -> float:
    """Return the height above the lower edge that `paint_recording` needs."""
    return text_px * 2.2 * 1.3


def paint_recording(painter: QPainter, area: QRectF, text_px: float) -> None:
    """Draw a red dot on a dark ground in the lower right corner of `area`."""
    side, far = text_px * 2.2, recording_px(text_px)
    ground = QRectF(area.right() - far, area.bottom() - far, side, side)
    painter.fillRect(ground, GROUND)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(RECORDING))
    painter.drawEllipse(ground.center(), side * 0.28, side * 0.28)
