# SPDX-License-Identifier: Apache-2.0
"""Qt without a screen, and windows whose programs are fakes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pytest
from pytestqt.qtbot import QtBot

from app import build, choices
from app.build import Networks
from app.config import Settings
from app.ui.session import Startup
from app.ui.window import MainWindow
from device.errors import BackendUnavailable
from device.lowbit.machine import open_machine
from device.vulkan import ADAPTERS
from tests.app.ui import fakes
from tests.app.ui.fakes import FakePlan, FakeSource, FakeTask

OpenWindow = Callable[..., MainWindow]


@pytest.fixture(scope="session", autouse=True)
def _kernels_are_built() -> None:
    """Else the first window builds them, and looks for a GPU, in threads of their own, which may outlive its test."""
    with suppress(BackendUnavailable):
        open_machine()
    with suppress(BackendUnavailable):
        ADAPTERS.first()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [
        thread.name for thread in threading.enumerate() if thread not in before and not thread.name.startswith("Dummy")
    ]
    assert left == []


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> FakePlan:
    """What the programs of this test are made of."""
    plan = FakePlan(FakeSource, FakeTask)
    monkeypatch.setattr(build, "Program", plan.program)
    monkeypatch.setattr(choices, "source_choices", fakes.source_choices)
    return plan


@pytest.fixture
def saved() -> list[Settings]:
    """The settings that windows of this test have saved."""
    return []


@pytest.fixture
def open_window(qtbot: QtBot, plan: FakePlan, saved: list[Settings], tmp_path: Path) -> Iterator[OpenWindow]:
    """Make and show a window; it is closed after the test. With `is_running` it returns after the first picture."""
    windows: list[MainWindow] = []

    def make(
        settings: Settings | None = None,
        startup: Startup | None = None,
        close_at_end: bool = False,
        is_running: bool = True,
    ) -> MainWindow:
        chosen = settings or Settings(source="camera:0", media_folder=str(tmp_path))
        window = MainWindow(Networks(), chosen, saved.append, startup, close_at_end)
        windows.append(window)
        qtbot.addWidget(window)
        window.show()
        if is_running:
            qtbot.waitUntil(lambda: window.view.meters.painted > 0, timeout=5000)
        return window

    yield make
    for window in windows:
        window.select_language("en")
        window.close()
