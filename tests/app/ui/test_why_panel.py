# SPDX-License-Identifier: Apache-2.0
"""A click on a person tells why he has his number, one beside closes that; mirrored and in Japanese too."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.frame import Frame, FrameResult, PoseOutput
from app.tracking.why import Candidate, Why
from app.ui.language import Language
from app.ui.signals import ProgramSignals
from app.ui.view import VideoView
from app.ui.why_panel import WhyPanel, frame_to_widget, why_lines
from models.results import N_KEYPOINTS, Tracks

LEFT = Qt.MouseButton.LeftButton
BOXES = [[100, 100, 200, 400], [120, 150, 160, 300], [400, 100, 500, 400]]
WHY = Why(3, "found_again", 1_000_000_000, Candidate(3, 0.953, 1.25, 0.0, 0.5), Candidate(5, 0.871, 2.0))
LINES = [
    "lost and found again, 2.5 s ago",
    "#3 · looks 0.95 · way 1.2 σ · ahead +0.50 · overlap 0.00",
    "then #5 · looks 0.87 · way 2.0 σ",
]


def people(seq: int = 0, n: int = 3, has_whys: bool = True) -> FrameResult[PoseOutput]:
    """Return a grey 640x480 frame with people 1 to `n`; 2 stands before 1."""
    ones, number = np.ones(n, np.float32), np.arange(1, n + 1)
    boxes = np.array(BOXES[:n], np.float32).reshape(-1, 4)
    tracks = Tracks(number, boxes, np.zeros((n, 2), np.float32), ones, ones, np.arange(n, dtype=np.int32))
    whys = tuple(dataclasses.replace(WHY, track_id=int(k)) for k in number) if has_whys else ()
    labels = tuple(str(k) for k in range(N_KEYPOINTS))
    output = PoseOutput(tracks, np.zeros((n, N_KEYPOINTS, 3), np.float32), labels, whys=whys)
    frame = Frame(np.full((480, 640, 3), 90, np.uint8), seq, 0, 3_500_000_000)
    return FrameResult(frame, output, {}, "cpu", "float")


@pytest.fixture
def view(qtbot: QtBot) -> VideoView:
    view = VideoView()
    qtbot.addWidget(view)
    view.resize(800, 480)  # 640x480 is shown 1:1, with 80 px beside it
    view.show()
    return view


def show(qtbot: QtBot, view: VideoView, result: FrameResult[PoseOutput]) -> None:
    signals = ProgramSignals()
    view.follow(signals)
    signals.listeners().on_result(result)
    qtbot.waitUntil(lambda: view.result is result)
    signals.silence()


def test_a_click_opens_it_about_the_smallest_box(qtbot: QtBot, view: VideoView) -> None:
    panel = WhyPanel(view)
    show(qtbot, view, people())
    for place, wanted in (((470, 200), 0), ((500, 200), 3), ((220, 200), 2), ((190, 350), 1), ((30, 30), 0)):
        QTest.mouseClick(view, LEFT, pos=QPoint(*place))
        assert (panel.track_id, panel.isVisible()) == (wanted, bool(wanted))
    QTest.mouseClick(view, Qt.MouseButton.RightButton, pos=QPoint(500, 200))
    assert panel.track_id == 0


def test_in_a_mirror_the_box_is_on_the_other_side(qtbot: QtBot, view: VideoView) -> None:
    panel = WhyPanel(view)
    view.set_mirrored(True)
    show(qtbot, view, people())
    QTest.mouseClick(view, LEFT, pos=QPoint(80 + 640 - 450, 200))
    assert panel.track_id == 3
    to_widget = frame_to_widget(view)
    assert to_widget is not None
    assert to_widget.map(QPointF(0, 0)) == QPointF(720, 0)


def test_it_closes_when_the_person_is_gone(qtbot: QtBot, view: VideoView) -> None:
    panel = WhyPanel(view)
    show(qtbot, view, people())
    panel.open(3)
    show(qtbot, view, people(1))
    assert panel.track_id == 3
    show(qtbot, view, people(2, n=2))
    assert (panel.track_id, panel.isVisible()) == (0, False)


def test_without_reasons_there_is_nothing_to_open(qtbot: QtBot, view: VideoView) -> None:
    panel = WhyPanel(view)
    QTest.mouseClick(view, LEFT, pos=QPoint(500, 200))  # before the first picture
    show(qtbot, view, people(has_whys=False))
    QTest.mouseClick(view, LEFT, pos=QPoint(500, 200))
    assert panel.track_id == 0


def test_it_is_painted_beside_the_box_only(qtbot: QtBot, view: VideoView) -> None:
    panel = WhyPanel(view)
    show(qtbot, view, people())
    before = view.grab().toImage()
    panel.open(1)
    after = view.grab().toImage()
    changed = [(x, y) for x in range(0, 800, 4) for y in range(0, 480, 4) if before.pixel(x, y) != after.pixel(x, y)]
    assert min(x for x, _ in changed) > 80 + 200
    assert max(y for _, y in changed) < 200


def test_what_it_says() -> None:
    Language().set("en")
    assert why_lines(WHY, 3_500_000_000) == LINES
    alone = Why(4, "new", 0, Candidate(4))
    assert why_lines(alone, 0) == ["first seen, followed by place, 0.0 s ago", "#4", "nobody else was near"]


def test_what_it_says_in_japanese(qtbot: QtBot) -> None:
    language = Language()
    language.set("ja")
    try:
        lines = why_lines(WHY, 3_500_000_000)
        assert lines[0] == "見失った後に再発見, 2.5 秒前"
        assert "見た目 0.95" in lines[1]
    finally:
        language.set("en")
