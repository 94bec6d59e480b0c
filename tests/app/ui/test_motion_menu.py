# SPDX-License-Identifier: Apache-2.0
"""The list of the menu Motion."""

from __future__ import annotations

from tests.app.ui.conftest import OpenWindow
from tests.app.ui.fakes import FakePlan
from tests.app.ui.test_actions import submenu


def test_the_tracker_of_people_is_picked_in_the_menu(open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    greyed = submenu(window, "Tracking of people").actions()
    assert {action.toolTip() for action in greyed} == {"task expression tracks no people"}
    window.select_task("pose")
    actions = {action.objectName(): action for action in submenu(window, "Tracking of people").actions()}
    assert actions["sort"].isChecked()
    actions["hybrid"].trigger()
    assert (window.settings.tracker, window.session.settings.tracker) == ("hybrid", "hybrid")
    assert len(plan.made[-1].calls) == 1
    assert window.banner.text == "Tracking of people: By place, by looks in doubt (hybrid)"


def test_the_motion_of_the_camera_is_picked_in_the_menu(open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    actions = {action.objectName(): action for action in submenu(window, "Tracking of faces").actions()}
    assert [action.text() for action in actions.values()] == ["Camera stands still", "Camera is moved (Lucas-Kanade)"]
    assert actions["none"].isChecked()
    actions["lk"].trigger()
    assert (window.settings.camera_motion, window.session.settings.camera_motion) == ("lk", "lk")
    assert len(plan.made[-1].calls) == 1
    assert window.banner.text == "Tracking of faces: Camera is moved (Lucas-Kanade)"
    window.select_task("flow")
    greyed = submenu(window, "Tracking of faces").actions()
    assert {action.toolTip() for action in greyed} == {"task flow tracks no faces"}
