# SPDX-License-Identifier: Apache-2.0
"""Two networks on one frame in the window: the key, the divider, the figures, and a second network that fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.compare.figures import Summary
from app.compare.pair import Pair
from app.config import Settings
from app.frame import FrameResult
from app.ui.compare_overlay import OFF, SIDE_BY_SIDE, WIPE, CompareStyle, divider_x, share_at_x, side_name, sides
from app.ui.compare_switches import figures_text
from app.ui.session import Startup
from app.ui.view import VideoView
from tests.app.ui.fakes import FakePlan, result

TARGET = QRectF(100, 50, 400, 300)
INT8 = Pair("cpu", "int8")


def test_a_wipe_shows_each_result_on_its_side_of_the_divider() -> None:
    style = CompareStyle(WIPE, 0.25)
    left, right = sides(style, TARGET)
    assert left.target == right.target == TARGET
    assert (left.clip.left(), left.clip.right()) == (100, 200)
    assert (right.clip.left(), right.clip.right()) == (200, 500)


def test_side_by_side_keeps_the_shape_of_the_picture() -> None:
    left, right = sides(CompareStyle(SIDE_BY_SIDE), TARGET)
    assert left.clip == left.target
    assert left.target.width() / left.target.height() == pytest.approx(400 / 300)
    assert (left.target.right(), right.target.right()) == (right.target.left(), TARGET.right())


@pytest.mark.parametrize(("x", "share"), [(-1e6, 0.0), (100, 0.0), (300, 0.5), (500, 1.0), (1e6, 1.0)])
def test_the_divider_stays_on_the_picture_wherever_it_is_dragged(x: float, share: float) -> None:
    assert share_at_x(x, TARGET) == share
    assert TARGET.left() <= divider_x(CompareStyle(WIPE, share), TARGET) <= TARGET.right()
    assert share_at_x(x, QRectF(100, 0, 0, 0)) in (0.0, 1.0)


def test_names_say_network_and_frame() -> None:
    assert side_name(result(seq=71)) == "CPU · float · frame 71"


def compared(seq: int = 5) -> FrameResult[Any]:
    """Return a grey frame whose second path saw a white one."""
    first = result(0, seq=seq)
    white = dataclasses.replace(first.frame, image=np.full((240, 320, 3), 255, np.uint8), seq=seq - 1)
    return dataclasses.replace(first, compared=dataclasses.replace(first, frame=white, backend="lowbit"))


def drawn(style: CompareStyle, shown: FrameResult[Any], qtbot: QtBot, is_mirrored: bool = False) -> QImage:
    view = VideoView()
    qtbot.addWidget(view)
    view.resize(320, 240)
    view._result = shown
    view.set_mirrored(is_mirrored)
    view.set_compare(style)
    picture = QImage(320, 240, QImage.Format.Format_RGB32)
    view.render(picture)
    return picture


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_the_second_picture_is_drawn_on_the_right(qtbot: QtBot, is_mirrored: bool) -> None:
    picture = drawn(CompareStyle(WIPE, 0.5), compared(), qtbot, is_mirrored)
    grey, white = (QColor(picture.pixel(x, 200)).red() for x in (60, 260))
    assert (grey, white) == (90, 255)
    beside = drawn(CompareStyle(SIDE_BY_SIDE), compared(), qtbot, is_mirrored)
    assert [QColor(beside.pixel(x, 170)).red() for x in (60, 260)] == [90, 255]


def test_off_or_without_a_second_result_one_picture_is_drawn(qtbot: QtBot) -> None:
    for style, shown in ((CompareStyle(OFF), compared()), (CompareStyle(WIPE), result(0))):
        picture = drawn(style, shown, qtbot)
        assert [QColor(picture.pixel(x, 200)).red() for x in (60, 260)] == [90, 90]


@pytest.mark.parametrize("size", [(240, 180), (320, 240), (3840, 2160)])
def test_any_size_of_window_can_be_drawn(qtbot: QtBot, size: tuple[int, int]) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    view._result = compared()
    for layout in (WIPE, SIDE_BY_SIDE):
        view.set_compare(CompareStyle(layout, 1.0, "figures " * 60))
        view.resize(*size)
        assert not view.grab().isNull()


def test_c_goes_round_and_the_figures_follow(open_window: Callable[..., Any], qtbot: QtBot, plan: FakePlan) -> None:
    window = open_window()

    def style() -> CompareStyle:
        found = window.compare.style
        assert isinstance(found, CompareStyle)
        return found

    QTest.keyClick(window, Qt.Key.Key_C)
    qtbot.waitUntil(lambda: style().layout == WIPE, timeout=5000)
    assert window.menus.actions["next_compare"].isChecked()
    qtbot.waitUntil(lambda: window.view.result.compared is not None, timeout=5000)
    qtbot.waitUntil(lambda: "% agree in 5 s" in style().figures, timeout=5000)
    seen = window.view.result
    assert (seen.compared.backend, seen.compared.precision) == ("lowbit", "w1a2")
    QTest.keyClick(window, Qt.Key.Key_C)
    assert style().layout == SIDE_BY_SIDE
    assert plan.made[-1].second_path is not None
    QTest.keyClick(window, Qt.Key.Key_C)
    assert style().layout == OFF
    assert window.session.second_path() is None
    qtbot.waitUntil(lambda: window.view.result.compared is None, timeout=5000)


def test_the_divider_follows_the_mouse(open_window: Callable[..., Any], qtbot: QtBot) -> None:
    window = open_window(startup=Startup(compare=INT8))
    qtbot.waitUntil(lambda: window.session.compared_with() == INT8, timeout=5000)
    view, place = window.view, window.view.picture_place()
    middle = QPoint(round(divider_x(window.compare.style, place)), round(place.center().y()))
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(view, QPointF(place.left() + place.width() / 4, middle.y()).toPoint())
    assert window.compare.style.share == pytest.approx(0.25, abs=0.02)
    QTest.mouseMove(view, QPoint(-500, 10))
    assert window.compare.style.share == 0.0
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(-500, 10))
    QTest.mouseMove(view, middle)
    assert window.compare.style.share == 0.0
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(round(place.left()) + 2, 100))
    QTest.mouseMove(view, middle)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=middle)
    assert window.compare.style.share == pytest.approx(0.5, abs=0.02)


def test_the_comparison_goes_on_with_another_source(
    open_window: Callable[..., Any], qtbot: QtBot, plan: FakePlan
) -> None:
    window = open_window(startup=Startup(compare=INT8))
    window.open_source("demo")
    qtbot.waitUntil(lambda: window.session.compared_with() == INT8, timeout=5000)
    assert len(plan.made) == 2


def test_a_second_network_that_fails_ends_the_comparison_alone(open_window: Callable[..., Any], qtbot: QtBot) -> None:
    window = open_window(startup=Startup(compare=Pair("fpga-sim", "w1a2")))
    qtbot.waitUntil(lambda: window.compare.style.layout == OFF, timeout=5000)
    assert "did not answer" in window.banner.text
    n_painted = window.view.meters.painted
    qtbot.waitUntil(lambda: window.view.meters.painted > n_painted, timeout=5000)
    assert window.error == ""


def test_a_pair_that_cannot_be_used_is_said_and_one_picture_stays(
    open_window: Callable[..., Any], qtbot: QtBot, plan: FakePlan
) -> None:
    plan.refusal = "backend gpu finds no driver; use another"
    window = open_window(startup=Startup(compare=INT8))
    qtbot.waitUntil(lambda: "finds no driver" in window.banner.text, timeout=5000)
    assert window.compare.style.layout == OFF
    QTest.keyClick(window, Qt.Key.Key_C)  # and it can be tried again


def test_the_menu_lists_what_can_be_compared(open_window: Callable[..., Any]) -> None:
    window = open_window(Settings(source="camera:0", lang="ja"))
    found = {choice.value: choice.reason for choice in window.session.pairs()}
    assert found["cpu:float"] is None
    assert found["cpu:int8"] is None
    assert {"lowbit:w1a2", "fpga:w1a2", "fpga-sim:w1a2"} < set(found)
    assert "auto:float" not in found


def test_figures_say_what_is_known_and_no_more() -> None:
    whole = Summary(12, 24, 0.75, (1, 3), 0.912, None, (1.3, 0.65), (1.2, 0.6))
    text = figures_text(whole, "expression")
    assert "75 % agree in 5 s, 12 frames" in text
    assert "correlation 0.91" in text
    assert "class flips 1 / 3" in text
    assert "1.30 / 0.65 ms with pre- and post-processing: 2 times as fast" in text
    flow = figures_text(dataclasses.replace(whole, epe_px=(1.5, 1.75), value=2.0), "flow")
    assert "2.00 px apart" in flow
    assert "error 1.50 / 1.75 px" in flow
    assert "flips" not in flow
    nothing = Summary(3, 0, None, (0, 0), None, None, (0.0, 0.0), (0.0, 0.0))
    assert "agree" not in figures_text(nothing, "pose")
    assert figures_text(dataclasses.replace(nothing, n_frames=0), "pose") == "nothing compared in the last 5 s"
