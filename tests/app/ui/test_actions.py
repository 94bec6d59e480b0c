# SPDX-License-Identifier: Apache-2.0
"""Every action of the table is in a menu, has keys and a name that is read aloud, and does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QAccessible, QImage, QKeySequence
from PySide6.QtWidgets import QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from app import backends
from app.config import TASKS, Settings
from app.ui.actions import ACTIONS, TASK_PREFIX, ActionSpec
from app.ui.flow_overlay import FlowStyle
from tests.app.ui.conftest import OpenWindow
from tests.app.ui.fakes import FakePlan


def press(qtbot: QtBot, window: object, key: str) -> None:
    """Press a key as written in the table."""
    qtbot.keySequence(window, QKeySequence(key))


def submenu(window: object, title: str) -> QMenu:
    found: list[QMenu] = [menu for menu in window.findChildren(QMenu) if menu.title() == title]  # type: ignore[attr-defined]
    assert len(found) == 1
    found[0].aboutToShow.emit()
    return found[0]


@pytest.mark.parametrize("spec", ACTIONS, ids=lambda spec: spec.name)
def test_is_in_a_menu_with_keys_and_names(open_window: OpenWindow, spec: ActionSpec) -> None:
    window = open_window()
    menu = window.menus.menus[spec.menu]
    action = window.menus.actions[spec.name]
    assert action in menu.actions()
    assert action in window.actions()  # the key works where the menu bar is hidden
    assert [key.toString() for key in action.shortcuts()] == list(spec.keys)
    assert action.text() == spec.text
    assert action.statusTip()
    accessible = QAccessible.queryAccessibleInterface(menu)
    names = [accessible.child(k).text(QAccessible.Text.Name) for k in range(accessible.childCount())]
    assert spec.text in names


def test_names_and_keys_are_used_once() -> None:
    names = [spec.name for spec in ACTIONS]
    keys = [key for spec in ACTIONS for key in spec.keys]
    assert len(set(names)) == len(names)
    assert len(set(keys)) == len(keys)
    assert {spec.name for spec in ACTIONS if spec.name.startswith(TASK_PREFIX)} == {TASK_PREFIX + t for t in TASKS}


@pytest.mark.parametrize("key", ["Q", "Esc"])
def test_quit(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, key: str) -> None:
    window = open_window()
    press(qtbot, window, key)
    qtbot.waitUntil(lambda: not window.isVisible())
    assert plan.made[-1].source.is_closed


def test_pause(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    press(qtbot, window, "Space")
    qtbot.wait(150)
    painted = window.view.meters.painted
    qtbot.wait(200)
    assert window.view.meters.painted == painted
    assert window.menus.actions["toggle_pause"].isChecked()
    press(qtbot, window, "Space")
    qtbot.waitUntil(lambda: window.view.meters.painted > painted + 5)
    assert not window.menus.actions["toggle_pause"].isChecked()


def test_full_screen(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    press(qtbot, window, "F")
    assert window.isFullScreen()
    assert not window.menuBar().isVisible()
    press(qtbot, window, "F")
    assert not window.isFullScreen()
    assert window.menuBar().isVisible()


def test_mirror(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    press(qtbot, window, "M")
    assert window.view.is_mirrored
    assert window.settings.mirror
    assert window.menus.actions["toggle_mirror"].isChecked()


def test_task(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    expression = window.menus.actions["task_expression"]
    press(qtbot, window, "1")
    assert expression.isChecked()
    assert len(plan.made) == 1  # it runs already
    assert window.menus.actions["task_pose"].isEnabled()
    face = window.menus.actions["task_face"]
    assert not face.isEnabled()
    assert face.toolTip() == face.statusTip() == "task face is not part of this version"


def test_task_flow_is_another_program_on_the_same_source(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window(Settings(source="camera:0", method="dis"))
    assert window.status.network.text().endswith(" · float")
    press(qtbot, window, "3")
    assert [(made.settings.task, made.settings.source) for made in plan.made] == [
        ("expression", "camera:0"),
        ("flow", "camera:0"),
    ]
    assert plan.made[0].source.is_closed
    assert window.menus.actions["task_flow"].isChecked()
    assert window.status.task.text() == "Optical flow"
    assert window.status.network.text() == "DIS · no network"
    assert window.settings.task == "flow"
    press(qtbot, window, "1")
    assert plan.made[-1].settings.task == "expression"


def test_method_goes_round_the_usable_ones(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(Settings(source="camera:0", task="flow", method="dis"))
    monkeypatch.setattr(backends, "card_names", list)
    for method in ("farneback", "lk", "dis"):  # the network has no card
        press(qtbot, window, "N")
        assert window.settings.method == method
    assert plan.made[-1].calls == [("select", "farneback"), ("select", "lk"), ("select", "dis")]
    assert window.banner.text == "Optical flow by: DIS · no network"
    greyed = {action.objectName(): action.toolTip() for action in submenu(window, "Flow method").actions()}
    assert greyed["net"].startswith("no float network for task flow here (there is no card flow_float); use --method")
    monkeypatch.setattr(backends, "card_names", lambda: ["flow_float"])
    submenu(window, "Flow method").actions()[0].trigger()
    assert window.settings.method == "net"
    assert window.banner.text == "Optical flow by: Network"


def test_a_method_without_a_network_has_no_precision_and_says_so(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan
) -> None:
    window = open_window(Settings(source="camera:0", task="flow", method="lk"))
    for title in ("Precision", "Backend"):
        actions = submenu(window, title).actions()
        assert {(action.isEnabled(), action.toolTip()) for action in actions} == {(False, "method lk has no network")}
    for key in ("T", "B"):
        press(qtbot, window, key)
        assert window.banner.text == "method lk has no network"
    assert plan.made[-1].calls == []
    window.select_language("ja")
    assert window.banner.text == "Lucas-Kanade はネットワークを使いません"


def test_the_drawing_of_a_flow_is_changed_in_the_view_and_in_videos(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(Settings(source="camera:0", task="flow", method="dis"))
    for key, name in (("A", "toggle_arrows"), ("V", "toggle_alone")):
        press(qtbot, window, key)
        qtbot.waitUntil(window.menus.actions[name].isChecked)
    press(qtbot, window, "Z")
    wanted = FlowStyle(has_arrows=True, is_alone=True, scale_px=2.0)
    assert window.view._overlays.flow_style == window.session.annotate.flow_style == wanted
    assert window.banner.text == "Motion of full colour: 2.0 px"
    for _ in range(4):
        press(qtbot, window, "Z")
    assert window.banner.text == "Motion of full colour: automatic"
    press(qtbot, window, "A")
    assert window.session.annotate.flow_style == FlowStyle(is_alone=True)


def test_other_tasks_draw_no_flow(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    for key, name in (("A", "toggle_arrows"), ("V", "toggle_alone"), ("Z", "next_scale")):
        action = window.menus.actions[name]
        assert (action.isEnabled(), action.toolTip()) == (False, "task expression draws no flow")
        press(qtbot, window, key)
    assert window.session.annotate.flow_style == FlowStyle()
    press(qtbot, window, "N")
    assert window.banner.text == "task expression has no choice of method"


def test_backend_goes_round_the_available_ones(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    press(qtbot, window, "B")
    assert window.settings.backend == "cpu"
    press(qtbot, window, "B")
    assert window.settings.backend == "auto"
    assert plan.made[-1].calls == [("select", "cpu", "float"), ("select", "auto", "float")]
    greyed = {action.objectName(): action.toolTip() for action in submenu(window, "Backend").actions()}
    assert greyed["fpga"] == "backend fpga does not run float networks; use --precision w1a2, or --backend auto"
    assert greyed["gpu"].startswith("backend gpu finds no GPU here (")


def test_precision_swaps_without_a_gap(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    qtbot.wait(300)
    gaps, last = [0.0], [0]

    def watch() -> bool:
        if last[0] and window.view.meters.last_ns != last[0]:
            gaps.append((window.view.meters.last_ns - last[0]) / 1e6)
        last[0] = window.view.meters.last_ns
        return window.view.numbers.precision == "int8"

    press(qtbot, window, "T")
    qtbot.waitUntil(watch, timeout=3000)
    assert window.settings.precision == "int8"
    assert max(gaps) < 200
    assert "expression_int8.tflite" in window.view.numbers.models
    qtbot.waitUntil(lambda: window.status.network.text() == "CPU · int8")
    press(qtbot, window, "T")
    qtbot.waitUntil(lambda: window.status.network.text() == "CPU, low-bit · W1A2")
    assert (window.settings.backend, window.settings.precision) == ("auto", "w1a2")
    press(qtbot, window, "T")
    assert window.settings.precision == "float"


def test_every_precision_can_be_picked_in_the_menu(open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    for precision in ("w1a2", "int8", "float"):
        actions = {action.objectName(): action for action in submenu(window, "Precision").actions()}
        assert all(action.isEnabled() for action in actions.values())
        actions[precision].trigger()
        assert window.settings.precision == precision
    assert plan.made[-1].calls == [("select", "auto", precision) for precision in ("w1a2", "int8", "float")]


def test_precision_that_a_named_backend_cannot_run_is_greyed(open_window: OpenWindow) -> None:
    window = open_window(Settings(source="camera:0", backend="cpu"))
    actions = {action.objectName(): action for action in submenu(window, "Precision").actions()}
    assert [name for name, action in actions.items() if action.isEnabled()] == ["float", "int8"]
    wanted = "backend cpu does not run w1a2 networks; use --precision float|int8, or --backend auto"
    assert actions["w1a2"].toolTip() == wanted
    window.select_language("ja")
    actions = {action.objectName(): action for action in submenu(window, "演算精度").actions()}
    assert "「CPU」では W1A2 のネットワークを実行できません" in actions["w1a2"].toolTip()


def test_no_other_precision_is_said_with_the_reason(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window(Settings(source="camera:0", backend="lowbit", precision="w1a2"))
    press(qtbot, window, "T")
    wanted = "backend lowbit does not run float networks; use --precision w1a2, or --backend auto"
    assert window.banner.text == wanted
    assert plan.made[-1].calls == []
    assert (window.settings.backend, window.settings.precision) == ("lowbit", "w1a2")


def test_switch_that_fails_changes_nothing(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    plan.refusal = "the low-bit kernels could not be built"
    window = open_window()
    window.pick("precision", "w1a2")
    assert window.banner.text == plan.refusal
    assert window.settings.precision == "float"


def test_screenshot(qtbot: QtBot, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window()
    press(qtbot, window, "S")
    press(qtbot, window, "S")
    files = sorted(tmp_path.iterdir())
    assert [file.suffix for file in files] == [".png", ".png"]
    assert str(tmp_path) in window.banner.text
    assert not QImage(str(files[0])).isNull()


def test_screenshot_that_cannot_be_written(qtbot: QtBot, open_window: OpenWindow, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    window = open_window(Settings(source="camera:0", media_folder=str(tmp_path / "file")))
    press(qtbot, window, "S")
    assert "cannot make the folder" in window.banner.text


def test_record(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, tmp_path: Path) -> None:
    window = open_window()
    press(qtbot, window, "R")
    recorder = plan.made[-1].recorder
    assert recorder is not None
    assert recorder.path.parent == tmp_path
    assert recorder.path.suffix == ".mp4"
    assert window.status.recording.text().startswith("●")
    assert window.menus.actions["toggle_recording"].isChecked()
    press(qtbot, window, "R")
    assert plan.made[-1].recorder is None
    assert str(recorder.path) in window.banner.text
    assert window.status.recording.text().startswith("○")


def test_open_file(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, tmp_path: Path) -> None:
    window = open_window()
    press(qtbot, window, "O")
    dialog = window.findChild(QFileDialog)
    assert isinstance(dialog, QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "clip.mp4"))
    dialog.close()
    assert plan.made[-1].settings.source == str(tmp_path / "clip.mp4")
    assert window.settings.source == str(tmp_path / "clip.mp4")


def test_language(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    press(qtbot, window, "H")
    press(qtbot, window, "L")
    assert window.settings.lang == "ja"
    assert window.menus.menus["file"].title() == "ファイル"
    assert window.menus.actions["toggle_pause"].text() == "一時停止"
    assert "全画面表示" in window.keys.text()
    assert window.status.task.text() == "表情認識"
    press(qtbot, window, "L")
    assert window.menus.menus["file"].title() == "File"


@pytest.mark.parametrize("key", ["H", "?"])
def test_help_lists_every_key(qtbot: QtBot, open_window: OpenWindow, key: str) -> None:
    window = open_window()
    press(qtbot, window, key)
    assert window.keys.isVisible()
    for spec in ACTIONS:
        assert spec.text in window.keys.text()
    press(qtbot, window, key)
    assert not window.keys.isVisible()


def test_escape_closes_the_help_first(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    press(qtbot, window, "H")
    qtbot.keySequence(window.keys, QKeySequence("Esc"))
    assert not window.keys.isVisible()
    assert window.isVisible()


def test_source_menu_lists_what_is_there_now(open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    actions = {action.objectName(): action for action in submenu(window, "Source").actions()}
    assert list(actions) == ["camera:0", "demo"]
    assert actions["camera:0"].isChecked()
    assert actions["demo"].text() == "demo" or actions["demo"].text() == "Demo clip"
    actions["demo"].trigger()
    assert plan.made[-1].settings.source == "demo"
    assert plan.made[0].source.is_closed
