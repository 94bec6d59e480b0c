# SPDX-License-Identifier: Apache-2.0
"""What happens to the program becomes a banner, and the window lives on."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication, QKeySequence
from pytestqt.qtbot import QtBot

from app.config import ConfigError, Settings
from app.sources.source import SourceError
from app.ui.dialog import DropArea
from app.ui.session import Startup
from app.ui.window import MainWindow
from tests.app.ui.conftest import OpenWindow
from tests.app.ui.fakes import FakePlan, FakeSource


def click(window: MainWindow, text: str) -> None:
    """Press a button of the banner."""
    [button] = [button for button in window.banner.buttons if text in (button.text(), button.accessibleName())]
    button.click()


def test_the_empty_window_is_painted_before_the_program_is_built(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan
) -> None:
    window = open_window(is_running=False)
    painted: list[int] = []
    window.view.shown_first.connect(lambda: painted.append(len(plan.made)))
    qtbot.waitUntil(lambda: bool(plan.made))
    assert painted == [0]


def test_close_joins_all_threads_within_a_second_and_saves(
    open_window: OpenWindow, saved: list[Settings], qtbot: QtBot
) -> None:
    window = open_window()
    window.setGeometry(30, 40, 700, 500)
    window.toggle_mirror()
    window.next_precision()
    start = time.monotonic()
    window.close()
    assert time.monotonic() - start < 1
    assert not {"capture", "inference"} & {thread.name for thread in threading.enumerate()}
    assert saved[-1].window_xywh == (30, 40, 700, 500)
    assert (saved[-1].mirror, saved[-1].precision, saved[-1].source) == (True, "int8", "camera:0")
    assert window.session.figures == {"source": "fake camera", "painted": window.view.meters.painted}


def test_saving_that_fails_does_not_keep_the_window_open(
    open_window: OpenWindow, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    window = open_window()

    def refuse(settings: Settings) -> None:
        raise ConfigError("the disk is full")

    window._save_settings = refuse
    window.close()
    assert not window.isVisible()
    assert "the disk is full" in caplog.text


def test_saved_place_on_a_screen_that_is_gone_is_not_used(open_window: OpenWindow) -> None:
    window = open_window(Settings(source="demo", window_xywh=(90_000, 90_000, 400, 300)))
    assert window.geometry().intersects(QGuiApplication.primaryScreen().geometry())


def test_lost_source_dims_and_comes_back(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    plan.source = lambda: FakeSource(lost_at=10)
    window = open_window()
    qtbot.waitUntil(lambda: "unplugged" in window.banner.text)
    qtbot.waitUntil(lambda: bool(window.view._lost_since))
    plan.made[-1].source.plug_in()
    qtbot.waitUntil(lambda: window.banner.text == "")
    assert window.view._lost_since == ""
    painted = window.view.meters.painted
    qtbot.waitUntil(lambda: window.view.meters.painted > painted + 3)


def test_source_that_cannot_be_opened(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    plan.error = SourceError("cannot open /dev/video0: it is busy; close the other program")
    window = open_window(is_running=False)
    qtbot.waitUntil(lambda: "it is busy" in window.banner.text)
    assert window.isVisible()
    assert window.session.program is None
    plan.error = None
    click(window, "Retry")
    qtbot.waitUntil(lambda: window.view.meters.painted > 0)
    assert window.banner.text == ""


def test_another_source_that_fails_keeps_the_saved_one(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, saved: list[Settings]
) -> None:
    window = open_window()
    plan.error = SourceError("there is no /tmp/gone.mp4; give another file")
    window.open_source("/tmp/gone.mp4")
    assert "gone.mp4" in window.banner.text
    assert plan.made[0].source.is_closed
    window.close()
    assert saved[-1].source == "camera:0"


def test_failed_worker_offers_a_restart(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    plan.source = lambda: FakeSource(fail_at=10)
    window = open_window()
    qtbot.waitUntil(lambda: "broke" in window.banner.text)
    qtbot.wait(50)  # the end that follows a failure must not hide it
    assert "broke" in window.banner.text
    plan.source = FakeSource
    click(window, "Retry")
    qtbot.waitUntil(lambda: window.view.meters.painted > 20)
    assert window.banner.text == ""


def test_failed_recorder_leaves_the_picture_running(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    window.media.toggle_recording()
    window.session.signals.listeners().on_error("recorder", SourceError("the disk is full; free some space"))
    qtbot.waitUntil(lambda: "disk is full" in window.banner.text)
    assert not window.session.is_recording
    painted = window.view.meters.painted
    qtbot.waitUntil(lambda: window.view.meters.painted > painted + 3)


def test_notice_of_no_camera(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    plan.notice = "no camera found"
    window = open_window(Settings(source="auto"))
    assert window.banner.text == "no camera found"
    assert window.status.camera.text().startswith("○")
    assert [button.text() for button in window.banner.buttons][:3] == ["Retry camera", "Open file", "Keep demo"]
    plan.notice = None
    click(window, "Retry camera")
    assert plan.made[-1].settings.source == "auto"
    assert window.status.camera.text().startswith("●")
    assert window.banner.text == ""


def test_end_of_a_clip_keeps_the_last_picture(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    plan.source = lambda: FakeSource(n_frames=20)
    window = open_window(Settings(source="clip.mp4"))
    qtbot.waitUntil(lambda: window.banner.text == "End of the clip.")
    assert window.view.result is not None
    assert window.view.result.frame.seq == 19
    window.select_language("ja")
    assert window.banner.text == "動画の終わりです。"
    click(window, "もう一度再生")
    assert len(plan.made) == 2
    qtbot.waitUntil(lambda: window.view.meters.painted > 0)


def test_first_program_does_what_the_command_line_says(
    qtbot: QtBot, open_window: OpenWindow, plan: FakePlan, tmp_path: Path
) -> None:
    startup = Startup(tmp_path / "a.mp4", tmp_path / "a.jsonl", max_frames=30)
    window = open_window(startup=startup, close_at_end=True)
    first = plan.made[0]
    assert first.recorder is not None
    assert first.events is not None
    qtbot.waitUntil(lambda: not window.isVisible())
    assert first.pipeline.meters.captured == 30
    assert first.recorder is None


def test_hung_thread_is_named_and_the_window_lives(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    plan.hang = "thread 'capture' did not stop within 2.0 s"
    window = open_window()
    plan.hang = None
    window.open_source("demo")
    assert "'capture' did not stop" in window.banner.text
    assert "'capture' did not stop" in window.session.hung
    qtbot.waitUntil(lambda: window.view.meters.painted > 3)


def test_file_dropped_on_the_window_is_opened(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/videos/clip.mp4")])
    move, button, key = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    centre = window.centralWidget()
    assert isinstance(centre, DropArea)
    centre.dropEvent(QDropEvent(QPointF(5, 5), move, mime, button, key))
    assert plan.made[-1].settings.source == "/videos/clip.mp4"


def test_note_covers_a_warning_only_for_a_while(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    plan.notice = "no camera found"
    window = open_window(Settings(source="auto"))
    window.next_precision()
    assert window.banner.text == "Networks: Automatic · int8"
    click(window, "Dismiss")
    assert window.banner.text == "no camera found"


def test_kiosk_fills_the_screen(qtbot: QtBot, open_window: OpenWindow, saved: list[Settings]) -> None:
    place = (1, 2, 300, 200)
    window = open_window(Settings(source="demo", kiosk=True, window_xywh=place))
    assert window.geometry() == QGuiApplication.primaryScreen().geometry()
    assert not window.menuBar().isVisible()
    assert window.cursor().shape() == Qt.CursorShape.BlankCursor
    qtbot.keySequence(window, QKeySequence("M"))
    assert window.view.is_mirrored
    window.close()
    assert saved[-1] == replace(saved[-1], window_xywh=place)


@pytest.mark.parametrize("attempt", range(5))
def test_start_and_close_at_once(open_window: OpenWindow, qtbot: QtBot, attempt: int) -> None:
    window = open_window(is_running=False)
    qtbot.wait(attempt * 3)
    window.close()
    assert window.session.program is None
