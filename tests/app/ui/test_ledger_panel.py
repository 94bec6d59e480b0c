# SPDX-License-Identifier: Apache-2.0
"""The panel of the ledger: shown by a key, drawn at any size, and never in the way of the picture."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.runtime.ledger import Part, Summary
from app.runtime.machine_load import LoadMeter, degrees_of
from app.ui.heartbeat import Heartbeat
from app.ui.hud import Numbers
from app.ui.ledger_panel import LedgerPanel
from app.ui.strip_chart import SPAN_S, StripChart, round_up


def part(name: str, ms: float) -> Part:
    return Part(name, ms, 2 * ms, 3 * ms)


GOOD = Summary(300, (part("queue", 1), part("network", 3), part("draw", 2)), part("total", 6), part("rest", 0.1))
BAD = Summary(300, GOOD.parts, GOOD.total, part("rest", 0.6))


def test_g_shows_and_hides_the_ledger_of_what_is_painted(open_window: Callable[..., Any], qtbot: QtBot) -> None:
    window = open_window()
    panel = window.ledger.panel
    assert not panel.isVisible()
    QTest.keyClick(window, Qt.Key.Key_G)
    assert panel.isVisible()
    assert window.menus.actions["toggle_ledger"].isChecked()
    qtbot.waitUntil(lambda: panel._summary is not None and panel._summary.n_frames > 5, timeout=5000)
    assert [p.name for p in panel._summary.parts] == ["queue", "detect", "between", "wait", "draw"]
    assert panel._summary.adds_up
    QTest.keyClick(window, Qt.Key.Key_G)
    assert not panel.isVisible()
    assert not window.menus.actions["toggle_ledger"].isChecked()


def test_a_closed_panel_asks_for_nothing(open_window: Callable[..., Any], qtbot: QtBot) -> None:
    window = open_window()
    asked: list[int] = []
    window.ledger.panel._ask = lambda: asked.append(1)
    QTest.keyClick(window, Qt.Key.Key_G)
    window.ledger.dock.close()
    n_asked = len(asked)
    qtbot.wait(700)
    assert len(asked) == n_asked == 1
    assert not window.menus.actions["toggle_ledger"].isChecked()


def test_the_trace_is_saved_from_the_menu(open_window: Callable[..., Any], tmp_path: Path) -> None:
    window = open_window()
    window.menus.actions["save_trace"].trigger()
    (path,) = tmp_path.glob("*.trace.json")
    names = {event["name"] for event in json.loads(path.read_text())["traceEvents"]}
    assert {"frame", "detect", "paint"} <= names
    assert path.name in window.banner.text


@pytest.mark.parametrize("found", [None, GOOD, BAD])
@pytest.mark.parametrize("size", [(1, 1), (280, 100), (320, 700), (2000, 2160)])
def test_any_size_can_be_drawn(qtbot: QtBot, found: Summary | None, size: tuple[int, int]) -> None:
    panel = LedgerPanel(lambda: found, Numbers)
    qtbot.addWidget(panel)
    panel.resize(*size)
    for _ in range(3):
        panel.refresh()
    assert not panel.grab().isNull()


def test_the_verdict_says_whether_the_parts_add_up() -> None:
    assert LedgerPanel._verdict(GOOD) == ("the parts add up to within 0.20 ms (p95)", True)
    assert LedgerPanel._verdict(BAD) == ("the parts do NOT add up: 1.20 ms (p95) missing", False)


def test_the_heartbeat_notices_a_busy_main_thread(qtbot: QtBot) -> None:
    panel = LedgerPanel(lambda: None, Numbers)
    qtbot.addWidget(panel)
    beat = Heartbeat(panel)
    qtbot.wait(50)
    time.sleep(0.15)
    qtbot.wait(50)
    assert beat.longest_ms() >= 130
    beat.restart()
    assert beat.longest_ms() == 0.0


def drawn(chart: StripChart) -> QImage:
    picture = QImage(200, 80, QImage.Format.Format_RGB32)
    picture.fill(0)
    with QPainter(picture) as painter:
        chart.paint(painter, QRectF(0, 0, 200, 80), "", ("",), 12)
    return picture


def test_a_chart_forgets_after_a_minute_and_leaves_gaps() -> None:
    chart = StripChart(1)
    for k in range(200):
        chart.add(k / 2, None if 100 <= k < 150 else 5.0)
    assert chart._samples[0].t_s == pytest.approx(199 / 2 - SPAN_S, abs=0.51)
    assert [piece.count() for piece in chart._pieces(0, QRectF(0, 0, 120, 10), 10.0)] == [21, 50]
    assert not drawn(chart).isNull()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -3.0, 0.0, 1e300, None])
def test_a_chart_takes_any_number(value: float | None) -> None:
    chart = StripChart(1)
    chart.add(0.0, value)
    chart.add(1.0, value)
    assert not drawn(chart).isNull()


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (-1, 1), (1, 1), (1.1, 2), (2, 2), (4.9, 5), (7, 10), (10, 10), (11, 20), (0.03, 0.05)]
)
def test_scales_end_at_round_numbers(value: float, top: float) -> None:
    assert round_up(value) == pytest.approx(top)


def test_the_load_is_of_this_process_and_sensors_may_be_missing_or_mad(tmp_path: Path) -> None:
    for name, text in (("0", "45000"), ("1", "62500"), ("2", "-273150"), ("3", "no number")):
        (tmp_path / f"thermal_zone{name}").mkdir()
        (tmp_path / f"thermal_zone{name}" / "temp").write_text(text)
    meter = LoadMeter(tmp_path)
    end_s = time.process_time() + 0.05
    while time.process_time() < end_s:
        pass
    load = meter()
    assert load.temperature_c == 62.5
    assert load.cpu_percent > 5
    assert load.memory_mib > 20
    assert LoadMeter(tmp_path / "none")().temperature_c is None
    assert degrees_of(tmp_path / "gone") is None
