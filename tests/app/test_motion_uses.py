# SPDX-License-Identifier: Apache-2.0
"""Zones, the steadied picture and the motion of the camera in a whole program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.build import Networks, Program
from app.choices import camera_motion_choices, tracker_choices
from app.config import Settings
from app.motion.zones import Zone
from models.fetch import FetchError
from tests.app.test_build import reasons, run_program
from tests.conftest import need


@pytest.fixture
def networks() -> Iterator[Networks]:
    with Networks() as found:
        yield found


def test_zones_and_the_steadied_picture_hold_from_the_next_frame_on(networks: Networks) -> None:
    settings = Settings(source="synthetic:1", task="flow", method="dis", pace="max")
    zone = Zone("zone 1", Zone.rectangle(0.0, 0.0, 1.0, 1.0))

    def change(program: Program) -> None:
        program.watch([zone])
        program.steady(True)

    memory = run_program(settings, networks, 6, change)
    watched = [[state.zone for state in result.output.motion.zones] for result in memory.results]
    assert watched == [[]] * 3 + [[zone]] * 3
    assert [result.steady is not None for result in memory.results] == [False] * 3 + [True] * 3
    assert ["stabilise" in result.stage_ms for result in memory.results] == [False] * 3 + [True] * 3
    first = memory.results[3]
    assert first.steady is not None
    assert first.steady.image.shape == first.frame.image.shape


def test_the_camera_is_followed_only_where_that_is_wanted(networks: Networks) -> None:
    settings = Settings(source="synthetic:1", pace="max")
    try:
        memory = run_program(settings, networks, 6, lambda p: p.select(replace(settings, camera_motion="lk")))
    except FetchError as error:
        pytest.skip(str(error))
    assert ["camera" in result.stage_ms for result in memory.results] == [False] * 3 + [True] * 3
    assert [len(result.output.tracks) > 0 for result in memory.results][3:] == [True] * 3


def test_people_are_numbered_by_another_tracker_from_the_next_frame_on(networks: Networks, tmp_path: Path) -> None:
    folder, clip = need("mot/TUD-Stadtmitte/img1"), tmp_path / "people.avi"
    film = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (640, 480))
    for path in sorted(folder.glob("*.jpg"))[:6]:
        film.write(np.asarray(cv2.imread(str(path)), np.uint8))
    film.release()
    settings = Settings(source=str(clip), task="pose", pace="max")
    try:
        memory = run_program(settings, networks, 6, lambda p: p.select(replace(settings, tracker="hybrid")))
    except FetchError as error:
        pytest.skip(str(error))
    outputs = [result.output for result in memory.results]
    assert [len(output.whys) > 0 for output in outputs] == [False] * 3 + [True] * 3
    before, after = (set(outputs[k].tracks.track_id.tolist()) for k in (2, 3))
    assert min(after) > max(before)


def test_only_task_pose_numbers_people_by_looks() -> None:
    assert reasons(tracker_choices(Settings(task="pose"))) == {"sort": None, "hybrid": None}
    wanted = "task expression tracks no people"
    assert reasons(tracker_choices(Settings())) == {"sort": wanted, "hybrid": wanted}


def test_only_task_expression_follows_the_camera() -> None:
    assert reasons(camera_motion_choices(Settings())) == {"none": None, "lk": None}
    wanted = "task flow tracks no faces"
    assert reasons(camera_motion_choices(Settings(task="flow"))) == {"none": wanted, "lk": wanted}
