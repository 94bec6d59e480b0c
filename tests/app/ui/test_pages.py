# SPDX-License-Identifier: Apache-2.0
"""Swipes turn pages, once each and as they are seen; words fit their page in both languages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.config import Settings
from app.frame import FlowOutput, Motion
from app.motion.pages import Deck
from app.motion.swipes import Direction, Swipe
from app.tasks.motion import MotionWatch
from app.ui.actions import ACTIONS
from app.ui.language import Language
from app.ui.overlay import Annotator, Overlays
from app.ui.page_content import PAGES
from app.ui.page_overlay import TOLD_S, TURN_S, PageOverlay, Pages, card_in, laid_out, seen_direction
from app.ui.page_turner import PageTurner
from app.ui.signals import ProgramSignals
from app.ui.view import VideoView
from models.results import Image
from tests.app.motion.fields import DT_S, FRAME_NS, SIZE_WH, rest
from tests.app.motion.test_swipes import stroke
from tests.app.ui.conftest import OpenWindow
from tests.app.ui.flows import drawn_by, still

S = 1_000_000_000


class Stage:
    """A view that gets the motions of flows, one result after the other."""

    def __init__(self, qtbot: QtBot) -> None:
        self.view, self.annotate, self.signals = VideoView(), Annotator(), ProgramSignals()
        qtbot.addWidget(self.view)
        self.turner = PageTurner(self.view, self.annotate)
        self.view.follow(self.signals)
        self._qtbot, self._watch, self._seq = qtbot, MotionWatch(), 0

    def show(self, motion: Motion) -> None:
        self._seq += 1
        self.signals.listeners().on_result(still(motion, seq=self._seq, t_ns=self._seq * FRAME_NS))
        self._qtbot.waitUntil(lambda: self.view.result is not None and self.view.result.frame.seq == self._seq)

    def swipe(self, direction: Direction, skipped: tuple[int, ...] = ()) -> None:
        """Read a stroke of a hand from its flow, and show every frame of it but those that were dropped."""
        for k, flow in enumerate([*stroke(direction), *[rest()] * 30]):
            image = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
            motion = self._watch(FlowOutput(flow, 4, image, 0, DT_S, "dis"), (self._seq + 1) * FRAME_NS)
            if k in skipped:
                self._seq += 1
            else:
                self.show(motion)


@pytest.fixture
def stage(qtbot: QtBot) -> Iterator[Stage]:
    made = Stage(qtbot)
    made.turner.switch(True)
    yield made
    made.signals.silence()


def test_a_swipe_turns_one_page(stage: Stage) -> None:
    stage.swipe("left")
    assert stage.turner.page == 2
    stage.swipe("left")
    assert stage.turner.page == 3
    stage.swipe("right")
    stage.swipe("up")
    assert stage.turner.page == 2
    assert stage.annotate.pages == stage.view._overlays.pages
    assert stage.annotate.pages is not None
    assert stage.annotate.pages.swipe is not None
    assert stage.annotate.pages.swipe.direction == "up"  # acknowledged, though nothing turns


def test_in_a_mirror_left_is_right(stage: Stage) -> None:
    stage.view.set_mirrored(True)
    stage.swipe("right")
    assert stage.turner.page == 2
    stage.swipe("left")
    assert stage.turner.page == 1


def test_a_swipe_whose_frame_was_dropped_turns_the_page_all_the_same(stage: Stage) -> None:
    stage.swipe("left", skipped=tuple(range(4, 20)))
    assert stage.turner.page == 2


def test_pages_that_are_not_shown_are_not_turned(stage: Stage) -> None:
    stage.turner.switch(False)
    stage.swipe("left")
    assert (stage.turner.page, stage.annotate.pages) == (1, None)
    stage.turner.switch(True)
    stage.show(Motion())
    assert stage.turner.page == 1


def test_key_and_menu_show_the_pages_and_end_the_drawing(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(Settings(source="camera:0", task="flow", method="dis"))
    pages, zones = window.menus.actions["toggle_pages"], window.menus.actions["toggle_zones"]
    zones.trigger()
    pages.trigger()
    assert (pages.isChecked(), zones.isChecked(), window.view._hint) == (True, False, "")
    zones.trigger()
    assert (pages.isChecked(), zones.isChecked()) == (False, True)  # a page would cover what is drawn on
    assert window.session.annotate.pages is None


def shown(t_s: float, pages: Pages, is_mirrored: bool = False) -> Image:
    overlays = Overlays()
    overlays.pages = pages
    return drawn_by(overlays, still(t_ns=round(t_s * S)), is_mirrored)


@pytest.mark.usefixtures("qapp")
def test_a_page_slides_in_from_the_side_it_comes_from_and_the_swipe_is_acknowledged() -> None:
    swipe = Swipe("left", 5 * S, 1.4)
    card = card_in(QRectF(0, 0, 640, 480))
    rows = slice(round(card.top()) + 10, round(card.bottom()) - 60)
    columns = slice(round(card.left()), round(card.right()))
    plain = shown(5 + TOLD_S, Pages(Deck(4, 2), 2))
    same = shown(5 + TOLD_S, Pages(Deck(4, 2), 1, swipe))
    assert (plain == same).all()
    early = shown(5 + 0.1 * TURN_S, Pages(Deck(4, 2), 1, swipe))
    left_half = slice(round(card.left()), round(card.left() + card.width() * 0.3))
    assert (early[rows, left_half] != plain[rows, left_half]).any(axis=2).mean() > 0.02  # still the first page there
    turned = shown(5 + TURN_S, Pages(Deck(4, 2), 1, swipe))
    assert (turned[rows, columns] == plain[rows, columns]).all()
    told = (turned != plain).any(axis=2)
    assert told[round(card.bottom()) - 60 : round(card.bottom()), columns].mean() > 0.05
    assert not told[:, round(card.right()) + 1 :].any()


def test_the_acknowledged_direction_is_the_one_seen() -> None:
    assert [seen_direction(Swipe("left", 0, 1.0), is_mirrored) for is_mirrored in (False, True)] == ["left", "right"]
    assert seen_direction(Swipe("up", 0, 1.0), True) == "up"


@pytest.mark.usefixtures("qapp")
def test_words_are_never_mirrored() -> None:
    pages = Pages(Deck(4, 1), 1)
    card = card_in(QRectF(0, 0, 640, 480))
    cut = (slice(round(card.top()), round(card.bottom())), slice(round(card.left()), round(card.right())))
    assert (shown(0, pages)[cut] == shown(0, pages, is_mirrored=True)[cut]).all()


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("size", [QSize(640, 400), QSize(200, 120)])
def test_words_stay_inside_their_page(lang: str, size: QSize) -> None:
    language = Language()
    language.set(lang)
    try:
        for page in PAGES:
            image = laid_out(page, size).convertToFormat(QImage.Format.Format_Grayscale8)
            grey = np.array(image.constBits()).reshape(size.height(), image.bytesPerLine())[:, : size.width()]
            foot = grey[round(0.93 * size.height()) : -3, 8:-8]
            assert int(foot.max()) - int(foot.min()) < 30, page.shown_title()
            assert grey.max() > 150
    finally:
        language.set("en")


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("size_wh", [(1, 1), (40, 30), (3, 900), (900, 3), (320, 240)])
def test_any_size_is_drawn(size_wh: tuple[int, int]) -> None:
    annotate = Annotator()
    annotate.pages = Pages(Deck(4, 2), 1, Swipe("left", 0, 1.0))
    for t_ns in (0, S // 10, S):
        assert annotate(still(size_wh=size_wh, t_ns=t_ns)).shape == (size_wh[1], size_wh[0], 3)


def test_pages_follow_the_language_and_keep_what_is_laid_out(qtbot: QtBot) -> None:
    overlay, overlays = PageOverlay(), Overlays()
    overlays._page, overlays.pages = overlay, Pages(Deck(4, 1), 1)
    language = Language()
    first = drawn_by(overlays, still())
    kept = next(iter(overlay._laid_out.values()))
    drawn_by(overlays, still())
    assert [each is kept for each in overlay._laid_out.values()] == [True]
    language.set("ja")
    try:
        assert (drawn_by(overlays, still()) != first).any()
    finally:
        language.set("en")


def test_the_key_a_page_names_is_that_of_the_table() -> None:
    (key,) = next(spec.keys for spec in ACTIONS if spec.name == "toggle_zones")
    assert any(line.startswith(f"Press {key} and drag") for page in PAGES for line in page.lines)
