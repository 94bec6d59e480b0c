# SPDX-License-Identifier: Apache-2.0
"""The window as the program runs it: it closes by itself, by a signal and at the end, and returns its figures."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.build import Networks
from app.cli import Command
from app.config import Settings
from app.sources.source import SourceError
from app.ui.run import offscreen_annotate, run_window
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
