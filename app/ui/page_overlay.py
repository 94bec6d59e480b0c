# SPDX-License-Identifier: Apache-2.0
"""The card with the pages that swipes turn, over the picture of a flow, and what was just read of a swipe."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter

from app.motion.pages import MIRRORED, Deck
from app.motion.swipes import ANGLE_DEG, Direction, Swipe
from app.ui.page_content import PAGES, Page
from app.ui.pencil import Pencil
from app.ui.theme import ACCENT, LINE, MUTED, SURFACE, TEXT, WARNING, font
from app.ui.zone_overlay import faint, paint_arrow

TURN_S = 0.3
"""For so long, of the pictures' own time, the page slides."""
TOLD_S, FADE_S = 1.5, 0.4
"""For so long a swipe is acknowledged, the last part of it fading."""
CARD_SHARE = 0.7
"""Of the free width: the rest shows the picture, the two frames and the wheel."""
CARD_ASPECT = 1.6
FIGURE_LEAST_PX = 300
"""A narrower card has words alone."""
LETTERS = (0.085, 0.07, 0.06, 0.05, 0.042, 0.034)
"""Height of the letters, of the card's: the largest at which all fits."""


@dataclass(frozen=True)
class Pages:
    """Which page is shown, which one was before, and the swipe that was read last."""

    deck: Deck
    came_from: int  # number of the page before the last turn
    swipe: Swipe | None = None


class PageOverlay:
    """Draws pages; keeps the laid-out ones. Belongs to one thread."""

    def __init__(self) -> None:
        self._laid_out: dict[tuple[int, str], QImage] = {}
        self._size_px = QSize()
        self._pencil = Pencil(9)

    def paint(self, painter: QPainter, pages: Pages, t_ns: int, is_mirrored: bool, free: QRectF) -> None:
        """Draw the page in the picture of `t_ns` into `free`, px of the target; the painter's transform is its own.

        `is_mirrored`: whether the picture is, so that a swipe is seen the other way round. Words never are.
        """
        card = card_in(free)
        if card.width() < 1 or card.height() < 1:
            return
        age_s = math.inf if pages.swipe is None else (t_ns - pages.swipe.t_ns) / 1e9
        is_turning = 0 <= age_s < TURN_S and pages.came_from != pages.deck.page
        gone = 1 - (1 - age_s / TURN_S) ** 3 if is_turning else 1.0  # fast, then slower
        side = 1 if pages.deck.page > pages.came_from else -1
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipRect(card, Qt.ClipOperation.IntersectClip)
        if is_turning:
            self._paint_page(painter, pages.came_from, card, -side * gone)
        self._paint_page(painter, pages.deck.page, card, side * (1 - gone))
        self._paint_footer(painter, pages.deck, card)
        if pages.swipe is not None and 0 <= age_s < TOLD_S:
            painter.setOpacity(min(1.0, (TOLD_S - age_s) / FADE_S))
            self._pencil = self._pencil.of_size(max(round(card.height() * 0.06), 9))
            paint_told(painter, pages.swipe, is_mirrored, card, self._pencil)
        painter.restore()

    def _paint_page(self, painter: QPainter, number: int, card: QRectF, shift: float) -> None:
        """Draw a page moved to the right by `shift` of its width."""
        ratio = painter.device().devicePixelRatioF()
        size_px = (card.size() * ratio).toSize()
        if size_px != self._size_px:
            self._size_px, self._laid_out = size_px, {}
        page = PAGES[number - 1]
        key = (number, page.shown_title())  # the title changes with the language
        if key not in self._laid_out:
            self._laid_out[key] = laid_out(page, size_px)
        painter.drawImage(card.translated(round(shift * card.width()), 0), self._laid_out[key])

    @staticmethod
    def _paint_footer(painter: QPainter, deck: Deck, card: QRectF) -> None:
        """Draw a dot for every page, that of the present one filled."""
        side = max(card.height() * 0.03, 4.0)
        first = card.center().x() - (deck.n_pages - 1) * side
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number in range(1, deck.n_pages + 1):
            painter.setPen(QColor(TEXT))
            painter.setBrush(QColor(ACCENT) if number == deck.page else Qt.BrushStyle.NoBrush)
            middle = QPointF(first + (number - 1) * 2 * side, card.bottom() - 1.8 * side)
            painter.drawEllipse(middle, side / 2, side / 2)


def card_in(free: QRectF) -> QRectF:
    """Return where the card goes: at the left, so that the right shows what is behind it."""
    gap = max(free.width() * 0.02, 4.0)
    width = min(free.width() * CARD_SHARE, (free.height() - 2 * gap) * CARD_ASPECT)
    height = min(width / CARD_ASPECT, free.height() - 2 * gap)
    return QRectF(round(free.left() + gap), round(free.top() + gap), round(width), round(height))


def laid_out(page: Page, size_px: QSize) -> QImage:
    """Return a page at its size on the screen."""
    image = QImage(size_px, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    width, height = size_px.width(), size_px.height()
    margin = height * 0.07
    inner = QRectF(margin, margin, width - 2 * margin, height - 2.2 * margin)
    with QPainter(image) as painter:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(LINE))
        painter.setBrush(faint(QColor(SURFACE), 238))
        painter.drawRoundedRect(QRectF(0.5, 0.5, width - 1, height - 1), margin / 2, margin / 2)
        if width >= FIGURE_LEAST_PX:
            side = inner.width() * 0.3
            figure = QRectF(inner.right() - side, inner.center().y() - side / 2, side, side)
            page.figure(painter, figure)
            inner.setRight(figure.left() - margin)
        paint_words(painter, page, inner)
    return image


def paint_words(painter: QPainter, page: Page, room: QRectF) -> None:
    """Write title and lines as large as they fit into `room`."""
    flags = int(Qt.TextFlag.TextWordWrap)
    for share in LETTERS:
        letter_px = max(share * room.height(), 7)
        texts = [(font(round(letter_px * 1.35), True), page.shown_title(), TEXT)]
        texts += [(font(round(letter_px)), line, MUTED) for line in page.shown_lines()]
        gap = letter_px * 0.55
        heights = [QFontMetricsF(letters).boundingRect(room, flags, text).height() for letters, text, _ in texts]
        if sum(heights) + gap * (len(heights) - 1) <= room.height():
            break
    y = room.top()
    for (letters, text, colour), height in zip(texts, heights, strict=True):
        painter.setFont(letters)
        painter.setPen(QColor(colour))
        painter.drawText(QRectF(room.left(), y, room.width(), height), flags, text)
        y += height + gap


def seen_direction(swipe: Swipe, is_mirrored: bool) -> Direction:
    """Return the direction of a swipe as it is seen on the target."""
    return MIRRORED[swipe.direction] if is_mirrored else swipe.direction


def paint_told(painter: QPainter, swipe: Swipe, is_mirrored: bool, card: QRectF, pencil: Pencil) -> None:
    """Acknowledge a swipe in the lower right corner of the card: an arrow along it, and its speed."""
    text = QCoreApplication.translate("Pages", "{0} widths/s").format(f"{swipe.speed:.1f}")
    arrow_px = pencil.size_px * 2.0
    width = arrow_px + pencil.width_px(text) + pencil.size_px * 1.5
    place = QRectF(0, 0, width, max(arrow_px, pencil.row_px) + pencil.size_px * 0.4)
    place.moveBottomRight(card.bottomRight() - QPointF(pencil.size_px / 2, pencil.size_px / 2))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(WARNING))
    painter.drawRoundedRect(place, place.height() / 2, place.height() / 2)
    angle = math.radians(ANGLE_DEG[seen_direction(swipe, is_mirrored)])
    middle = QPointF(place.left() + pencil.size_px * 0.5 + arrow_px / 2, place.center().y())
    half = QPointF(math.cos(angle), math.sin(angle)) * (arrow_px * 0.42)
    paint_arrow(painter, (middle - half, middle + half), QColor("#000000"), pencil.size_px / 5)
    painter.setPen(QColor("#000000"))
    painter.setFont(pencil.small)
    words = QRectF(place.left() + arrow_px + pencil.size_px * 0.7, place.top(), place.width(), place.height())
    painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
