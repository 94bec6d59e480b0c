# SPDX-License-Identifier: Apache-2.0
"""A steadied picture is shown instead of the frame's own, and everything drawn over it moves along."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QTransform
from pytestqt.qtbot import QtBot

from app.config import Settings
from app.frame import FlowOutput, FrameResult, Steady
from app.ui.flow_arrows import arrow_lines
from app.ui.flow_overlay import FlowStyle
from app.ui.overlay import Annotator, Overlays
from app.ui.shown_picture import frame_to_shown, share_of, shown_image, steadied_boxes
from app.ui.signals import ProgramSignals
from app.ui.view import VideoView
from models.results import Flow, Image
from models.similarity import Affine, moved_boxes, moved_points, turn_about
from tests.app.ui.conftest import OpenWindow
from tests.app.ui.fakes import FakePlan, faces, result
from tests.app.ui.flows import drawn_by, still

MATRIX = turn_about((320, 240), (24, -16), math.radians(6), 1.25)


def half_moving(matrix: Affine | None) -> FrameResult[FlowOutput]:
    """Return a flow whose left half moves to the right, colours alone."""
    one = still(matrix=matrix)
    uv = np.zeros_like(one.output.flow.uv)
    uv[:, : uv.shape[1] // 2] = (4, 0)
    return dataclasses.replace(one, output=dataclasses.replace(one.output, flow=Flow(uv, one.output.flow.valid)))


def test_the_picture_and_the_map_are_those_of_the_result() -> None:
    plain, steadied = still(), still(matrix=MATRIX)
    assert shown_image(plain) is plain.frame.image
    assert frame_to_shown(plain).isIdentity()
    assert steadied.steady is not None
    assert shown_image(steadied) is steadied.steady.image
    at = frame_to_shown(steadied).map(QPointF(100, 50))
    assert (at.x(), at.y()) == pytest.approx(moved_points(MATRIX, np.array([[100, 50]], np.float32))[0])


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_shares_are_the_way_back(is_mirrored: bool) -> None:
    to_target = frame_to_shown(still(matrix=MATRIX)) * QTransform(-2 if is_mirrored else 2, 0, 0, 2, 1280, 30)
    assert share_of(to_target.map(QPointF(160, 360)), to_target, (640, 480)) == pytest.approx((0.25, 0.75))
    assert share_of(QPointF(1, 1), QTransform.fromScale(0, 0), (640, 480)) is None


def test_boxes_of_faces_move_upright() -> None:
    one = result(2)
    assert steadied_boxes(one) is one.output
    steadied = dataclasses.replace(one, steady=Steady(one.frame.image, MATRIX))
    moved = steadied_boxes(steadied)
    np.testing.assert_allclose(moved.tracks.xyxy, moved_boxes(MATRIX, one.output.tracks.xyxy), rtol=1e-5)
    assert moved.tracks.track_id.tolist() == one.output.tracks.track_id.tolist()


@pytest.mark.usefixtures("qapp")
def test_a_box_is_drawn_where_the_steadied_picture_has_it() -> None:
    one = result(1, (640, 480))
    track = dataclasses.replace(one.output.tracks, xyxy=np.array([[100, 100, 300, 300]], np.float32))
    one = dataclasses.replace(one, output=dataclasses.replace(faces(1, (640, 480)), tracks=track))
    shifted = dataclasses.replace(one, steady=Steady(one.frame.image, turn_about((0, 0), (50, 20))))
    plain, moved = Annotator()(one), Annotator()(shifted)
    assert (plain[:, :550][130:460, 90:500] == moved[150:480, 140:550]).all(axis=2).mean() > 0.95
    assert (plain != moved).any()


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_colours_lie_where_the_steadied_picture_has_them(is_mirrored: bool) -> None:
    """The edge between what moves and what rests is the frame's middle line, turned and moved."""
    overlays = Overlays()
    overlays.flow_style = FlowStyle(is_alone=True, scale_px=4.0)
    picture = drawn_by(overlays, half_moving(MATRIX), is_mirrored)
    for y in (180, 240, 300):  # clear of legend, pair and figures
        for x, is_moving in ((320 - 12, True), (320 + 12, False)):
            seen_x, seen_y = moved_points(MATRIX, np.array([[x, y]], np.float32))[0]
            at = picture[round(seen_y), round(639 - seen_x if is_mirrored else seen_x)].astype(int)
            assert (at.max() - at.min() > 128) == is_moving, (x, y)
    red = picture[300, 500 if is_mirrored else 100].astype(int)
    assert (red[0] < 100) if is_mirrored else (red[0] > 200)  # seen as motion to the left, or to the right


def test_arrows_turn_with_the_picture() -> None:
    output = half_moving(None).output
    to_screen = frame_to_shown(still(matrix=MATRIX))
    shaft = arrow_lines(output, to_screen, 40.0, 4.0)[0]
    assert math.degrees(math.atan2(shaft.dy(), shaft.dx())) == pytest.approx(6, abs=0.01)
    assert shaft.length() == pytest.approx(0.9 * 40, rel=1e-3)


@pytest.mark.usefixtures("qapp")
def test_nothing_is_drawn_beside_the_picture(qtbot: QtBot) -> None:
    """The steadied flow is larger than the picture, by its zoom: in the view it must not cover the bars beside it."""
    view, signals = VideoView(), ProgramSignals()
    qtbot.addWidget(view)
    view.resize(900, 480)
    view.set_flow_style(FlowStyle(is_alone=True))
    view.follow(signals)
    view.show()
    signals.listeners().on_result(still(matrix=MATRIX))
    qtbot.waitUntil(lambda: view.meters.painted == 1)
    seen = view.grab().toImage()
    assert seen.pixelColor(60, 300).lightness() < 20  # the bar at the left
    assert seen.pixelColor(300, 300).lightness() > 200  # colours alone: white
    signals.silence()


def half_dark(size_wh: tuple[int, int]) -> Image:
    image = np.full((size_wh[1], size_wh[0], 3), 200, np.uint8)
    image[:, : size_wh[0] // 2] = 0
    return image


def test_the_view_a_screenshot_and_a_video_show_the_steadied_picture(qtbot: QtBot) -> None:
    one = dataclasses.replace(still(size_wh=(320, 240)), steady=Steady(half_dark((320, 240)), np.eye(2, 3)))
    view, signals = VideoView(), ProgramSignals()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.follow(signals)
    view.show()
    signals.listeners().on_result(one)
    qtbot.waitUntil(lambda: view.meters.painted == 1)
    snapshot = view.snapshot()
    assert snapshot is not None
    height, width = 240, 320
    video = Annotator()(one)
    recorded = QImage(video.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    for image in (view.grab().toImage(), snapshot, recorded):
        row = image.height() // 2
        levels = [image.pixelColor(image.width() * k // 20, row).red() for k in (8, 12)]
        assert levels == [0, 200]
    signals.silence()


def test_the_key_steadies_this_program_and_the_next_ones(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    window = open_window()
    action = window.menus.actions["toggle_steady"]
    action.trigger()
    assert action.isChecked()
    assert plan.made[-1].calls == [("steady", "True")]
    assert window.settings.steady
    window.open_source("demo")
    assert plan.made[-1].settings.steady
    action.trigger()
    assert (plan.made[-1].calls, window.settings.steady) == ([("steady", "False")], False)


def test_a_window_that_was_steadied_is_steadied_again(open_window: OpenWindow) -> None:
    window = open_window(Settings(source="camera:0", steady=True))
    assert window.menus.actions["toggle_steady"].isChecked()
