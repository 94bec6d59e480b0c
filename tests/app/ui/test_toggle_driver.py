# SPDX-License-Identifier: Apache-2.0
"""A window that is switched again and again: every toggle is done, nothing is left over, and the figures are there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.ui import toggle_driver
from app.ui.compare_overlay import OFF
from app.ui.toggle_driver import ORDER, ToggleDriver
from tests.app.ui.fakes import FakePlan


def test_toggles_are_done_in_turn_and_noted(
    open_window: Callable[..., Any], qtbot: QtBot, plan: FakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toggle_driver, "WARM_UP_MS", 10)
    monkeypatch.setattr(toggle_driver, "SETTLED", 3)
    window = open_window()
    driver = ToggleDriver(window, 30, 20)
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=20_000)
    found = driver.found
    assert len(found.toggle_ms) == found.n_toggles == 30
    assert len(found.gap_ms) > 10
    assert min(found.gap_ms) > 0
    assert found.rss_mb[0] > 20
    assert found.ledger is not None
    assert found.ledger.adds_up
    selects = [call for call in plan.made[0].calls if call[0] == "select"]
    assert len(selects) >= 30 * 2 / len(ORDER)
    assert window.compare.style.layout in (OFF, "wipe", "side by side")
    assert plan.made[0].second_path is None
