# SPDX-License-Identifier: Apache-2.0
"""The window as the program runs it: it closes by itself, by a signal and at the end, and returns its figures."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.build import Networks
from app.cli import Command
from app.config import ConfigError, Settings
from app.motion.zone_file import KeptZones, save_zones
from app.motion.zones import Zone
from app.sources.source import SourceError
from app.ui.run import kept_zones, offscreen_annotate, run_window
from app.ui.window import MainWindow
from tests.app.ui.fakes import FakePlan, result


def command(frames: int | None = None, notice: str | None = None) -> Command:
    return Command(
        settings=Settings(source="camera:0"),
        settings_path=Path("unused"),
        notice=notice,
        is_headless=False,
        is_list=False,
        frames=frames,
        record=None,
        events=None,
        stats=None,
        compare=None,
        verbose=False,
    )


def test_closes_after_the_wanted_frames(qtbot: QtBot, plan: FakePlan, saved: list[Settings]) -> None:
    figures = run_window(command(frames=30), Networks(), saved.append, time.monotonic_ns())
    assert figures is not None
    assert figures["source"] == "fake camera"
    assert 0 < figures["painted"] <= 30
    assert saved[-1].source == "camera:0"


def test_failure_is_raised_when_the_run_has_an_end(qtbot: QtBot, plan: FakePlan) -> None:
    plan.error = SourceError("there is no camera 0")
    with pytest.raises(Exception, match="there is no camera 0"):
        run_window(command(frames=30), Networks(), lambda settings: None, time.monotonic_ns())


def test_interrupt_closes_the_window(qtbot: QtBot, plan: FakePlan) -> None:
    timer = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    before = signal.getsignal(signal.SIGINT)
    run_window(command(), Networks(), lambda settings: None, time.monotonic_ns(), exit_after_s=20)
    timer.join()
    assert plan.made[-1].source.is_closed
    assert signal.getsignal(signal.SIGINT) == before


def test_hung_thread_is_raised(qtbot: QtBot, plan: FakePlan) -> None:
    plan.hang = "thread 'capture' did not stop within 2.0 s"
    with pytest.raises(TimeoutError, match="capture"):
        run_window(command(), Networks(), lambda settings: None, time.monotonic_ns(), exit_after_s=0.5)


def test_words_of_a_recording_without_a_window_are_translated(qtbot: QtBot) -> None:
    with offscreen_annotate("en") as annotate:
        english = annotate(result())
    with offscreen_annotate("ja") as annotate:
        japanese = annotate(result())
    assert english.shape == japanese.shape
    assert (english != japanese).any()


def test_qt_keeps_the_count_of_none(qtbot: QtBot) -> None:
    """PySide6 6.12.0 on Python 3.11 takes one reference to None at each call of a void function, until it aborts."""
    thing, before = QObject(), sys.getrefcount(None)
    for _ in range(500):
        thing.setObjectName("name")
    assert sys.getrefcount(None) > before - 100


def with_zones(folder: Path, text: str | None, named: bool = False) -> Command:
    """Return a command whose zones are `text` (None = there is no file), in the user's own file or a named one."""
    path = folder / "zones.json"
    if text is not None:
        path.write_text(text)
    return replace(command(), settings_path=folder / "settings.json", zones=path if named else None)


def test_the_zones_of_the_user_lie_beside_the_settings(tmp_path: Path) -> None:
    zones = (Zone("door", Zone.rectangle(0.1, 0.1, 0.5, 0.5)),)
    assert kept_zones(with_zones(tmp_path, None)) == (KeptZones((), tmp_path / "zones.json"), None)
    save_zones(zones, tmp_path / "zones.json")
    for named in (False, True):
        assert kept_zones(with_zones(tmp_path, None, named)) == (KeptZones(zones, tmp_path / "zones.json"), None)


def test_broken_zones_of_the_user_are_kept_and_told_and_named_ones_are_refused(
    qtbot: QtBot, plan: FakePlan, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"zones\.json is not a JSON file of zones"):
        run_window(with_zones(tmp_path, "{", named=True), Networks(), lambda settings: None, time.monotonic_ns())
    assert (tmp_path / "zones.json").read_text() == "{"
    told: list[str] = []

    def look(_settings: Settings) -> None:
        """Called when the window closes."""
        told.extend(
            w.banner.text for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow) and w.isVisible()
        )

    broken = replace(with_zones(tmp_path, "{"), notice="the settings are broken.")
    run_window(broken, Networks(), look, time.monotonic_ns(), exit_after_s=0.6)
    assert (tmp_path / "zones.broken.json").read_text() == "{"
    assert told[0].startswith("the settings are broken. ")
    assert told[0].endswith(f"there are no zones now, the file was kept as {tmp_path}/zones.broken.json.")
