# SPDX-License-Identifier: Apache-2.0
"""What takes seconds does not hold the window, and what becomes of it is said."""

from __future__ import annotations

import dataclasses
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.build import Networks
from app.config import Settings
from app.measured import Measured, Verdict
from app.ui.network_switches import verdict_text
from tests.app.test_measured import row, stored
from tests.app.ui.conftest import OpenWindow
from tests.app.ui.fakes import FakePlan
from tests.app.ui.test_actions import press
from tests.device.gpu_here import use_stand_in

VERDICT = Verdict("expression", "float", "cpu", 1.0, (("gpu", 9.0),), (("int8", "cpu", 1.3), ("w1a2", "lowbit", 0.2)))


@pytest.fixture
def slow_gpu(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A GPU here that opens when the event is set."""
    use_stand_in(monkeypatch, "Faithful")
    release = threading.Event()

    def prepare(networks: Networks, task: str, backend: str, precision: str) -> None:
        release.wait(10)
        networks.demoted["expression_float", "gpu"] = ""  # known from now on, and no reason against it

    monkeypatch.setattr(Networks, "prepare", prepare)
    return release


def test_a_gpu_is_opened_beside_the_window(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, slow_gpu: threading.Event
) -> None:
    window = open_window()
    start = time.perf_counter()
    window.pick("backend", "gpu")
    assert time.perf_counter() - start < 0.1
    assert window.banner.text == "Preparing the GPU and comparing it with the CPU..."
    painted = window.view.meters.painted
    qtbot.waitUntil(lambda: window.view.meters.painted > painted + 10)
    assert plan.made[-1].calls == []
    assert window.settings.backend == "auto"
    slow_gpu.set()
    qtbot.waitUntil(lambda: window.settings.backend == "gpu")
    assert plan.made[-1].calls == [("select", "gpu", "float")]


def test_a_window_can_begin_with_a_gpu(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, slow_gpu: threading.Event
) -> None:
    window = open_window(Settings(source="camera:0", backend="gpu"), is_running=False)
    qtbot.waitUntil(lambda: window.banner.text.startswith("Preparing the GPU"))
    assert plan.made == []
    window.open_source("camera:0")  # impatience: the last wish counts
    slow_gpu.set()
    qtbot.waitUntil(lambda: window.view.meters.painted > 0)
    assert len(plan.made) == 1
    assert window.banner.text == ""


def test_closing_while_a_gpu_is_opened_begins_nothing(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, slow_gpu: threading.Event
) -> None:
    window = open_window()
    window.pick("backend", "gpu")
    threading.Timer(0.2, slow_gpu.set).start()
    window.close()
    qtbot.wait(100)
    assert plan.made[-1].calls == []


def test_a_refusal_is_said(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    networks = window.session.networks
    window.pick("backend", "gpu")
    qtbot.waitUntil(lambda: bool(networks.demoted))
    assert networks.demoted["expression_float", "gpu"].startswith("backend gpu finds no GPU here (")


def test_a_demotion_leaves_the_choice_to_auto_and_says_why(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, slow_gpu: threading.Event
) -> None:
    slow_gpu.set()
    window = open_window()
    window.pick("backend", "gpu")
    qtbot.waitUntil(lambda: window.settings.backend == "gpu")
    sentence = "expression_float runs on the CPU from now on: the GPU driver hangs"
    thread = threading.Thread(target=window.session.networks.on_demoted, args=(sentence,))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: window.banner.text == sentence)
    assert window.settings.backend == window.session.settings.backend == "auto"
    painted = window.view.meters.painted
    qtbot.waitUntil(lambda: window.view.meters.painted > painted + 3)
    window.select_language("ja")
    assert window.banner.text == "expression_float は今から CPU で動きます: the GPU driver hangs"


def test_the_first_window_measures_and_says_what_came_out(
    qtbot: QtBot, open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGE_FPGA", "uio:none")
    window = open_window()
    measured = window.session.networks.measured = Measured(tmp_path / "measured.json")
    window.network.measure()
    qtbot.waitUntil(lambda: window.banner.text.startswith("Measuring which backend is the fastest: "), timeout=5000)
    qtbot.waitUntil(lambda: window.banner.text.startswith("Expression, float: CPU is used ("), timeout=30_000)
    assert measured.missing("expression") == []
    told = window.banner.text
    window.network.measure()  # once a run
    qtbot.wait(50)
    assert window.banner.text == told


def test_what_was_measured_before_is_used_without_a_word(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Measured, "missing", lambda self, task: [])
    window = open_window()
    rows = (row("float", "lowbit", 0.1), row("float", "cpu", 1.0))  # another than the one in use, and quick to open
    window.session.networks.measured = stored(tmp_path / "measured.json", *rows)
    window.network.measure()
    qtbot.waitUntil(lambda: plan.made[-1].calls == [("select", "auto", "float")])
    assert "is used" not in window.banner.text


def test_measuring_anew_is_for_runs_that_measure(
    qtbot: QtBot, open_window: OpenWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: not window.menus.actions["measure_backends"].isEnabled())
    assert window.menus.actions["measure_backends"].toolTip() == "nothing is measured in this run"
    done: list[str] = []
    monkeypatch.setattr(Measured, "measure", lambda self, task, tell, is_stopped: done.append(task))
    window.session.networks.measured = stored(tmp_path / "measured.json", row("float", "cpu", 1.0))
    window._refresh_status()

    def is_done(n: int) -> bool:
        return done == ["expression"] * n and window.network._measurer is None

    for n in (1, 2):
        press(qtbot, window, "Shift+B")
        qtbot.waitUntil(partial(is_done, n))
    assert window.session.networks.measured.rows() == ()


def test_the_verdict_is_one_text_in_both_languages(open_window: OpenWindow) -> None:
    window = open_window()
    assert verdict_text(VERDICT) == (
        "Expression, float: CPU is used (1.00 ms, GPU 9.00 ms). int8 (CPU) is 1.3x slower than float here: float is "
        "used. W1A2 (CPU, low-bit) is 5.0x faster than float here."
    )
    window.select_language("ja")
    assert "1.3 倍遅い" in verdict_text(VERDICT)
    assert verdict_text(dataclasses.replace(VERDICT, precisions=())).endswith("を使います (1.00 ms, GPU 9.00 ms)。")
