# SPDX-License-Identifier: Apache-2.0
"""Counts are drawn where their lines and zones are, in both languages, and lines are drawn with the mouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage, QPainter, QTransform
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.build import Networks
from app.config import Settings
from app.frame import Counting
from app.motion.counting import Count
from app.motion.lines import Line
from app.motion.zone_file import KeptZones, load_zones, save_zones
from app.motion.zones import Zone
from app.ui.count_overlay import count_text, counts_of, stays_text
from app.ui.language import Language
from app.ui.overlay import Annotator, Overlays
from app.ui.window import MainWindow
from app.ui.zone_editor import LEAST_SHARE, line_of, next_name, zone_at
from models.results import Image
from tests.app.ui.fakes import FakePlan
from tests.app.ui.test_pose_overlay import people
from tests.app.ui.test_zone_editor import drag_shares, press

GATE = Line("line 1", ((0.2, 0.5), (0.8, 0.5)))
HALL = Zone("hall", Zone.rectangle(0.1, 0.1, 0.9, 0.4))
annotate = Annotator()


def counted(*counts: Count) -> Image:
    result = people()
    return annotate(replace(result, output=replace(result.output, counting=Counting(counts))))


def is_drawn(picture: Image, x: int, y: int) -> bool:
    """Whether anything was drawn within a px of a place."""
    return bool((picture[y - 1 : y + 2, x - 1 : x + 2] != 90).any())


@pytest.mark.usefixtures("qapp")
def test_lines_and_zones_are_drawn_where_they_are() -> None:
    picture = counted(Count(GATE), Count(HALL))
    for x, y in ((80, 150), (220, 150), (150, 165)):  # the line, and its arrow, which points down
        assert is_drawn(picture, x, y), (x, y)
    for x, y in ((30, 75), (270, 75), (150, 120)):  # the zone's edges
        assert is_drawn(picture, x, y), (x, y)
    assert not is_drawn(picture, 30, 200)


@pytest.mark.usefixtures("qapp")
def test_a_zone_is_lit_while_somebody_is_inside() -> None:
    empty, full = counted(Count(HALL)), counted(Count(HALL, inside=((3, 4.0),)))
    assert not is_drawn(empty, 200, 105)
    assert is_drawn(full, 200, 105)


@pytest.mark.usefixtures("qapp")
def test_the_arrow_points_in_as_it_is_seen_in_a_mirror() -> None:
    upright = Line("a", ((0.5, 0.2), (0.5, 0.8)))  # downwards: its right hand is on the left of the picture
    result = people()
    result = replace(result, output=replace(result.output, counting=Counting((Count(upright),))))
    for mirror, (on, off) in ((1, (135, 165)), (-1, (165, 135))):
        picture = QImage(300, 300, QImage.Format.Format_RGB32)
        picture.fill(0x5A5A5A)
        with QPainter(picture) as painter:
            painter.setWorldTransform(QTransform(mirror, 0, 0, 1, 300 if mirror < 0 else 0, 0))
            Overlays().paint(painter, result)
        assert picture.pixelColor(on, 150).rgb() != 0xFF5A5A5A
        assert picture.pixelColor(off, 150).rgb() == 0xFF5A5A5A


@pytest.mark.usefixtures("qapp")
def test_words_in_both_languages() -> None:
    hall = Count(HALL, entries=5, exits=3, inside=((4, 2.4), (1, 61.0)), n_stays=3, mean_s=12.34)
    crowd = Count(HALL, inside=tuple((n, float(n)) for n in range(1, 6)))
    language = Language()
    wanted = {
        "en": ("line 1: in 2, out 1", "hall: 2 inside, in 5, out 3, mean stay 12 s"),
        "ja": ("線 1: 入 2、出 1", "hall: 2 人、入 5、出 3, 平均滞在 12 秒"),
    }
    try:
        for name, texts in wanted.items():
            language.set(name)
            assert (count_text(Count(GATE, entries=2, exits=1)), count_text(hall)) == texts
            assert stays_text(hall) == "1: 61 s  4: 2 s"
            assert stays_text(crowd) == "5: 5 s  4: 4 s  3: 3 s ..."
    finally:
        language.set("en")
    assert QApplication.instance() is not None


def test_what_was_just_drawn_has_counted_nothing() -> None:
    count = Count(GATE, entries=3)
    assert counts_of((count,), None) == (count,)
    assert counts_of((count,), (HALL, GATE)) == (Count(HALL), count)


@pytest.mark.usefixtures("qapp")
def test_any_counts_on_any_picture_are_drawn() -> None:
    for size_wh in ((1, 1), (2, 300), (1920, 1080)):
        result = people(size_wh=size_wh)
        counts = tuple(Count(replace(GATE, name=f"line {k}"), 10**9, 10**9) for k in range(50))
        stays = (Count(HALL, inside=tuple((n, 1e9) for n in range(200)), n_stays=1, mean_s=1e12),)
        result = replace(result, output=replace(result.output, counting=Counting(counts + stays)))
        assert annotate(result).shape == (size_wh[1], size_wh[0], 3)


def test_lines_are_named_and_found_by_the_mouse() -> None:
    assert next_name([GATE, HALL], "line") == "line 2"
    assert next_name([GATE, HALL]) == "zone 1"
    assert zone_at([HALL, GATE], (0.5, 0.52)) is GATE
    assert zone_at([HALL, GATE], (0.5, 0.56)) is None
    assert zone_at([HALL, GATE], (0.85, 0.5)) is None  # beyond its end
    assert zone_at([GATE, HALL], (0.5, 0.3)) is HALL
    assert line_of((-1.0, 0.5), (0.5, 7.0)) == ((0.0, 0.5), (0.5, 1.0))
    assert LEAST_SHARE > 0


OpenPose = Callable[[KeptZones], MainWindow]


@pytest.fixture
def open_pose(qtbot: QtBot, plan: FakePlan, tmp_path: Path) -> Iterator[OpenPose]:
    """Open a window of task pose over a picture of 320x240."""
    windows: list[MainWindow] = []

    def make(kept: KeptZones) -> MainWindow:
        settings = Settings(source="camera:0", task="pose", media_folder=str(tmp_path))
        window = MainWindow(Networks(), settings, lambda _settings: None, zones=kept)
        windows.append(window)
        qtbot.addWidget(window)
        window.show()
        qtbot.waitUntil(lambda: window.view.meters.painted > 0, timeout=5000)
        return window

    yield make
    for window in windows:
        window.close()


def test_lines_and_zones_are_drawn_and_kept(qtbot: QtBot, open_pose: OpenPose, plan: FakePlan, tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    window = open_pose(KeptZones((), path))
    press(qtbot, window, "Shift+E")
    assert window.menus.actions["toggle_lines"].isChecked()
    assert window.view._hint.startswith("Drag a line")
    drag_shares(window, 0.25, 0.5, 0.75, 0.5)  # level: a rectangle would be too flat
    press(qtbot, window, "E")
    assert [window.menus.actions[name].isChecked() for name in ("toggle_zones", "toggle_lines")] == [True, False]
    drag_shares(window, 0.1, 0.1, 0.4, 0.4)
    press(qtbot, window, "Esc")
    line, zone = plan.made[-1].zones
    assert (line.name, zone.name) == ("line 1", "zone 1")
    assert isinstance(line, Line)
    assert np.ravel(line.ends) == pytest.approx([0.25, 0.5, 0.75, 0.5], abs=0.005)
    assert load_zones(path) == (line, zone)
    assert not window.motion.editor.is_on
    press(qtbot, window, "Del")
    assert load_zones(path) == (line,)
    assert window.banner.text == "Removed: zone 1"


def test_a_task_without_counts_keeps_lines_in_the_file(qtbot: QtBot, open_pose: OpenPose, tmp_path: Path) -> None:
    path = tmp_path / "zones.json"
    save_zones([GATE], path)
    window = open_pose(KeptZones(load_zones(path), path))
    press(qtbot, window, "Shift+E")
    drag_shares(window, 0.3, 0.3, 0.305, 0.3)
    assert window.banner.text == "That is too small: drag further."
    press(qtbot, window, "3")
    assert not window.motion.editor.is_on
    action = window.menus.actions["toggle_lines"]
    assert (action.isEnabled(), action.toolTip()) == (False, "task flow counts nobody")
    assert load_zones(path) == (GATE,)
