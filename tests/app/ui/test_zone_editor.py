# SPDX-License-Identifier: Apache-2.0
"""Zones drawn with the mouse are where they were drawn, watched at once, and kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.build import Networks
from app.config import Settings
from app.motion.zone_file import KeptZones, load_zones
from app.motion.zones import Zone
from app.ui.signals import ProgramSignals
from app.ui.view import VideoView
from app.ui.window import MainWindow
from app.ui.zone_editor import LEAST_SHARE, ZoneEditor, next_name, rectangle_of, zone_at
from models.similarity import Affine, turn_about
from tests.app.ui.fakes import FakePlan
from tests.app.ui.flows import still

LEFT = Qt.MouseButton.LeftButton
ZONE = Zone("zone 1", Zone.rectangle(0.1, 0.3, 0.4, 0.7))


@pytest.fixture
def view(qtbot: QtBot) -> VideoView:
    view = VideoView()
    qtbot.addWidget(view)
    view.resize(800, 480)  # 640x480 is shown 1:1, with 80 px beside it
    view.show()
    return view


def show(qtbot: QtBot, view: VideoView, size_wh: tuple[int, int] = (640, 480), matrix: Affine | None = None) -> None:
    """Let the view paint a result of that size."""
    signals = ProgramSignals()
    view.follow(signals)
    signals.listeners().on_result(still(size_wh=size_wh, matrix=matrix))
    qtbot.waitUntil(lambda: view.meters.painted == 1)
    signals.silence()


def drag(view: VideoView, start: tuple[int, int], end: tuple[int, int]) -> None:
    QTest.mousePress(view, LEFT, pos=QPoint(*start))
    QTest.mouseMove(view, QPoint(*end))
    QTest.mouseRelease(view, LEFT, pos=QPoint(*end))


def drawn(view: VideoView, start: tuple[int, int], end: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """Return what a drag from one place of the view to another draws, None where that is refused."""
    editor = ZoneEditor(view)
    found: list[tuple[float, float, float, float]] = []
    editor.drawn.connect(lambda: found.append(editor.rectangle))
    editor.switch(True)
    drag(view, start, end)
    editor.switch(False)
    view.removeEventFilter(editor)
    return found[0] if found else None


def test_a_drag_is_a_rectangle_in_shares_of_the_picture(qtbot: QtBot, view: VideoView) -> None:
    show(qtbot, view)
    wanted = pytest.approx((0.25, 0.25, 0.75, 0.5))
    assert drawn(view, (240, 120), (560, 240)) == wanted
    assert drawn(view, (560, 240), (240, 120)) == wanted  # the other way round
    view.set_mirrored(True)
    assert drawn(view, (240, 120), (560, 240)) == wanted  # symmetric
    assert drawn(view, (80, 0), (240, 480)) == pytest.approx((0.75, 0, 1, 1))


@pytest.mark.parametrize("size", [(320, 240), (240, 180), (1200, 300), (300, 900)])
def test_any_size_of_the_view_maps_alike(qtbot: QtBot, view: VideoView, size: tuple[int, int]) -> None:
    show(qtbot, view)
    view.resize(*size)
    place = view._picture_rect(640, 480)
    at = [round(place.left() + x * place.width()) for x in (0.2, 0.6)]
    down = [round(place.top() + y * place.height()) for y in (0.1, 0.8)]
    assert drawn(view, (at[0], down[0]), (at[1], down[1])) == pytest.approx((0.2, 0.1, 0.6, 0.8), abs=0.005)


def test_a_drag_over_a_steadied_picture_is_where_the_frame_has_it(qtbot: QtBot, view: VideoView) -> None:
    matrix = turn_about((320, 240), (30, -20), math.radians(8), 1.25)
    for is_mirrored in (False, True):
        show(qtbot, view, matrix=matrix)
        view.set_mirrored(is_mirrored)
        x, y = matrix @ (0.3 * 640, 0.4 * 480, 1)  # where the frame's point is in the picture shown
        seen = QPointF(80 + (640 - x if is_mirrored else x), y)
        assert view.share_at(seen) == pytest.approx((0.3, 0.4))


def test_what_lies_beside_the_picture_ends_at_its_edge(qtbot: QtBot, view: VideoView) -> None:
    show(qtbot, view)
    assert drawn(view, (10, -50), (240, 240)) == pytest.approx((0, 0, 0.25, 0.5))
    assert drawn(view, (560, 240), (5000, 5000)) == pytest.approx((0.75, 0.5, 1, 1))
    assert drawn(view, (10, 10), (70, 470)) is None  # all of it beside


@pytest.mark.parametrize("end", [(240, 120), (240, 400), (500, 121), (246, 126)])
def test_too_small_is_refused(qtbot: QtBot, view: VideoView, end: tuple[int, int]) -> None:
    show(qtbot, view)
    refused: list[bool] = []
    editor = ZoneEditor(view)
    editor.refused.connect(lambda: refused.append(True))
    editor.drawn.connect(lambda: pytest.fail("this is no zone"))
    editor.switch(True)
    drag(view, (240, 120), end)
    assert refused == [True]
    assert min(abs(end[0] - 240) / 640, abs(end[1] - 120) / 480) < LEAST_SHARE


def test_without_a_picture_nothing_is_drawn(view: VideoView) -> None:
    assert view.share_at(QPointF(10, 10)) is None
    assert drawn(view, (240, 120), (560, 240)) is None


def test_a_drag_is_dropped_when_drawing_ends_or_another_button_comes(qtbot: QtBot, view: VideoView) -> None:
    show(qtbot, view)
    editor = ZoneEditor(view)
    editor.drawn.connect(lambda: pytest.fail("this was dropped"))
    editor.switch(True)
    QTest.mousePress(view, LEFT, pos=QPoint(240, 120))
    QTest.mouseMove(view, QPoint(560, 240))
    assert view._draft is not None
    QTest.mousePress(view, Qt.MouseButton.RightButton, pos=QPoint(560, 240))
    assert view._draft is None
    QTest.mouseRelease(view, LEFT, pos=QPoint(560, 240))
    QTest.mousePress(view, LEFT, pos=QPoint(240, 120))
    editor.switch(False)
    QTest.mouseRelease(view, LEFT, pos=QPoint(560, 240))
    drag(view, (240, 120), (560, 240))  # it is off
    assert view._draft is None


def test_the_picture_may_change_its_size_while_a_zone_is_drawn(qtbot: QtBot, view: VideoView) -> None:
    show(qtbot, view)
    editor = ZoneEditor(view)
    editor.switch(True)
    QTest.mousePress(view, LEFT, pos=QPoint(240, 120))
    show(qtbot, view, (1280, 720))  # 800x450, from y = 15
    QTest.mouseRelease(view, LEFT, pos=QPoint(600, 15 + 225))
    assert editor.rectangle == pytest.approx((0.25, 0.25, 0.75, 0.5))


def test_what_is_being_drawn_is_seen(qtbot: QtBot, view: VideoView) -> None:
    show(qtbot, view)
    before = view.grab().toImage().pixelColor(400, 240)
    view.set_draft(Zone.rectangle(0.3, 0.3, 0.7, 0.7))
    assert view.grab().toImage().pixelColor(400, 240).blue() > before.blue() + 15
    snapshot = view.snapshot()
    assert snapshot is not None
    assert snapshot.pixelColor(320, 240) == before  # a draft is no part of a screenshot


def test_names_go_on_counting() -> None:
    named = [Zone(name, ZONE.corners) for name in ("zone 2", "door", "zone", "zone x", "zone 7", "zone " + "9" * 5000)]
    assert next_name([]) == "zone 1"
    assert next_name(named) == "zone 8"


def test_the_newest_of_two_zones_is_found() -> None:
    other = Zone("zone 2", Zone.rectangle(0.3, 0.3, 0.9, 0.9))
    assert zone_at([ZONE, other], (0.35, 0.5)) is other
    assert zone_at([ZONE, other], (0.2, 0.5)) is ZONE
    assert zone_at([ZONE, other], (0.05, 0.5)) is None
    assert rectangle_of((1.5, 0.2), (0.5, -3.0)) == (0.5, 0.0, 1.0, 0.2)


OpenFlow = Callable[[KeptZones | None], MainWindow]


@pytest.fixture
def open_flow(qtbot: QtBot, plan: FakePlan, tmp_path: Path) -> Iterator[OpenFlow]:
    """Open a window of task flow with zones, over a picture of 320x240."""
    windows: list[MainWindow] = []

    def make(kept: KeptZones | None) -> MainWindow:
        settings = Settings(source="camera:0", task="flow", method="dis", media_folder=str(tmp_path))
        window = MainWindow(Networks(), settings, lambda _settings: None, zones=kept)
        windows.append(window)
        qtbot.addWidget(window)
        window.show()
        qtbot.waitUntil(lambda: window.view.meters.painted > 0, timeout=5000)
        return window

    yield make
    for window in windows:
        window.select_language("en")
        window.close()


def press(qtbot: QtBot, window: MainWindow, key: str) -> None:
    qtbot.keySequence(window, QKeySequence(key))


def drag_shares(window: MainWindow, left: float, top: float, right: float, bottom: float) -> None:
    place = window.view._picture_rect(320, 240)
    start, end = (
        (round(place.left() + x * place.width()), round(place.top() + y * place.height()))
        for x, y in ((left, top), (right, bottom))
    )
    drag(window.view, start, end)


def watched(plan: FakePlan) -> list[str]:
    """Return the names of the zones that the present program watches."""
    return [zone.name for zone in plan.made[-1].zones]


def corners(zone: Zone) -> list[float]:
    return [at for corner in zone.corners for at in corner]


def test_zones_are_drawn_watched_and_kept(qtbot: QtBot, open_flow: OpenFlow, plan: FakePlan, tmp_path: Path) -> None:
    path = tmp_path / "own" / "zones.json"
    window = open_flow(KeptZones((), path))
    drag_shares(window, 0.1, 0.2, 0.4, 0.6)
    assert watched(plan) == []  # the mouse draws nothing until it is asked to
    press(qtbot, window, "E")
    assert window.menus.actions["toggle_zones"].isChecked()
    assert window.view._hint != ""
    drag_shares(window, 0.1, 0.2, 0.4, 0.6)
    drag_shares(window, 0.5, 0.5, 0.9, 0.9)
    assert watched(plan) == ["zone 1", "zone 2"]
    assert corners(plan.made[-1].zones[0]) == pytest.approx([0.1, 0.2, 0.4, 0.2, 0.4, 0.6, 0.1, 0.6], abs=0.005)
    assert load_zones(path) == plan.made[-1].zones == window.motion.zones
    press(qtbot, window, "1")  # another task, another program
    assert plan.made[-1].zones == window.motion.zones
    window.close()
    again = open_flow(KeptZones(load_zones(path), path))
    assert plan.made[-1].zones == again.motion.zones == window.motion.zones


def test_escape_ends_the_drawing_before_it_quits(qtbot: QtBot, open_flow: OpenFlow) -> None:
    window = open_flow(None)
    press(qtbot, window, "E")
    press(qtbot, window, "Esc")
    assert not window.motion.editor.is_on
    assert not window.menus.actions["toggle_zones"].isChecked()
    assert (window.isVisible(), window.view._hint) == (True, "")
    press(qtbot, window, "E")
    press(qtbot, window, "E")
    assert not window.motion.editor.is_on
    assert [key.toString() for key in window.menus.actions["quit"].shortcuts()] == ["Q", "Esc"]
    press(qtbot, window, "Esc")
    qtbot.waitUntil(lambda: not window.isVisible())


def test_zones_are_removed_one_or_all_and_that_can_be_undone(
    qtbot: QtBot, open_flow: OpenFlow, plan: FakePlan, tmp_path: Path
) -> None:
    zones = tuple(Zone(f"zone {k + 1}", Zone.rectangle(0.3 * k, 0.2, 0.3 * k + 0.2, 0.8)) for k in range(3))
    window = open_flow(KeptZones(zones, tmp_path / "zones.json"))
    press(qtbot, window, "Del")
    assert plan.made[-1].zones == load_zones(tmp_path / "zones.json") == zones[:2]
    assert window.banner.text == "Removed: zone 3"
    window.select_language("ja")
    assert window.banner.text == "削除しました: ゾーン 3"
    window.select_language("en")
    window.banner.buttons[0].click()
    assert plan.made[-1].zones == zones
    press(qtbot, window, "E")
    place = window.view._picture_rect(320, 240)
    QTest.mouseMove(window.view, QPoint(round(place.left() + 0.1 * place.width()), round(place.center().y())))
    press(qtbot, window, "Del")
    assert plan.made[-1].zones == zones[1:]  # the one under the mouse
    press(qtbot, window, "Shift+Del")
    assert plan.made[-1].zones == load_zones(tmp_path / "zones.json") == ()
    assert window.banner.text == "Removed: all zones"
    window.banner.buttons[0].click()
    assert load_zones(tmp_path / "zones.json") == zones[1:]
    press(qtbot, window, "Shift+Del")
    press(qtbot, window, "Del")
    assert window.banner.text == "There is no zone."


def test_zones_that_cannot_be_kept_hold_and_a_sentence_says_so(
    qtbot: QtBot, open_flow: OpenFlow, plan: FakePlan, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    window = open_flow(KeptZones((), tmp_path / "file" / "zones.json"))
    press(qtbot, window, "E")
    drag_shares(window, 0.1, 0.2, 0.4, 0.6)
    assert window.banner.text.startswith(f"cannot save the zones to {tmp_path}/file/zones.json: ")
    assert watched(plan) == ["zone 1"]
    drag_shares(window, 0.1, 0.2, 0.1, 0.2)
    assert window.banner.text == "That is too small: drag further."


def test_another_task_draws_no_zones(qtbot: QtBot, open_flow: OpenFlow) -> None:
    window = open_flow(None)
    press(qtbot, window, "E")
    press(qtbot, window, "1")
    assert not window.motion.editor.is_on
    reasons = dict.fromkeys(("toggle_zones", "remove_zone", "remove_zones"), "task expression watches no zones")
    reasons |= {"toggle_pages": "task expression draws no flow", "toggle_lines": "task expression counts nobody"}
    for name, reason in reasons.items():
        action = window.menus.actions[name]
        assert (action.isEnabled(), action.toolTip()) == (False, reason)
    assert window.menus.actions["toggle_steady"].isEnabled()


def test_a_zone_is_drawn_in_a_tiny_window(qtbot: QtBot, open_flow: OpenFlow, plan: FakePlan) -> None:
    window = open_flow(None)
    window.setMinimumSize(1, 1)
    window.resize(320, 240)
    press(qtbot, window, "E")
    drag_shares(window, 0.1, 0.2, 0.7, 0.9)
    assert corners(plan.made[-1].zones[0])[:2] == pytest.approx([0.1, 0.2], abs=0.01)
    assert not window.grab().isNull()
