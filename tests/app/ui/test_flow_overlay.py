# SPDX-License-Identifier: Apache-2.0
"""The picture of a flow: its colours mean what is seen, also in a mirror, and nothing covers anything."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter, QTransform
from pytestqt.qtbot import QtBot

from app.frame import FlowOutput, Frame, FrameResult
from app.ui.flow_arrows import arrow_lines
from app.ui.flow_colours import flow_rgb
from app.ui.flow_figures import LEAST_SCALE_PX, FlowFigures
from app.ui.flow_overlay import SCALES_PX, FlowStyle, half_and_half, spread, thinned
from app.ui.overlay import Annotator, Overlays
from app.ui.signals import ProgramSignals
from app.ui.view import VideoView
from device.backend import Cycles
from models.results import Flow, Image

GREY = 90
ALONE = FlowStyle(is_alone=True, scale_px=4.0)
MS = 1_000_000


def flow(
    uv: tuple[float, float] = (4, 0),
    size_wh: tuple[int, int] = (640, 480),
    stride: int = 2,
    seq: int = 1,
    share: float = 1.0,
    epe_px: float | None = None,
) -> FrameResult[FlowOutput]:
    """Return one motion in the left half of a grey picture, none in the right one; `share` of the left is known."""
    rows, columns = -(-size_wh[1] // stride), -(-size_wh[0] // stride)
    field, valid = np.zeros((rows, columns, 2), np.float32), np.ones((rows, columns), bool)
    field[:, : columns // 2] = uv
    if share < 1:
        valid = np.random.default_rng(0).uniform(size=valid.shape) < share
        field[~valid] = 0
    image = np.full((size_wh[1], size_wh[0], 3), GREY, np.uint8)
    previous = np.full_like(image, 30)
    output = FlowOutput(Flow(field, valid), stride, previous, seq - 1, 0.033, "dis", epe_px)
    return FrameResult(Frame(image, seq, 0, seq * 33 * MS), output, {"flow": 9.0}, "cpu", "float")


def no_flow(size_wh: tuple[int, int] = (640, 480)) -> FrameResult[FlowOutput]:
    image = np.full((size_wh[1], size_wh[0], 3), GREY, np.uint8)
    nothing = Flow(np.zeros((1, 1, 2), np.float32), np.zeros((1, 1), bool))
    output = FlowOutput(nothing, max(size_wh), image, 0, 0.0, "dis")
    return FrameResult(Frame(image, 0, 0, 0), output, {}, "cpu", "float")


def drawn(result: FrameResult[FlowOutput], style: FlowStyle | None = None) -> Image:
    annotate = Annotator()
    annotate.flow_style = style or FlowStyle()
    return annotate(result)


def on_screen(result: FrameResult[FlowOutput], style: FlowStyle, is_mirrored: bool) -> Image:
    """Return what is drawn into a picture of its size, perhaps as in a mirror; the ground is black."""
    height, width = result.frame.image.shape[:2]
    picture = np.zeros((height, width, 3), np.uint8)
    overlays = Overlays()
    overlays.flow_style = style
    target = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    with QPainter(target) as painter:
        if is_mirrored:
            painter.setWorldTransform(QTransform(-1, 0, 0, 1, width, 0))
        overlays.paint(painter, result)
    return picture


def wheel(u: float, v: float) -> NDArray[np.int64]:
    """Return the colour of a motion of full hue."""
    uv = np.array([[[u, v]]], np.float32) / np.hypot(u, v) * np.float32(0.9999)
    return np.asarray(flow_rgb(uv, np.ones((1, 1), bool), 1.0)[0, 0], np.int64)


def colour(picture: Image, x: int, y: int) -> NDArray[np.int64]:
    return np.asarray(picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3).mean(axis=0).round(), np.int64)


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("uv", [(4, 0), (0, 4), (-4, 0), (0, -4)])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_colours_lie_where_the_motion_is(uv: tuple[float, float], stride: int) -> None:
    picture = drawn(flow(uv, stride=stride), ALONE)
    assert np.abs(colour(picture, 80, 200) - wheel(*uv)).max() <= 9
    assert np.abs(colour(picture, 300, 200) - wheel(*uv)).max() <= 9
    assert colour(picture, 345, 200).tolist() == [255, 255, 255]


@pytest.mark.usefixtures("qapp")
def test_over_the_picture_what_stands_still_is_the_picture() -> None:
    picture = drawn(flow((4, 0)), FlowStyle(scale_px=4.0))
    assert colour(picture, 400, 300).tolist() == [GREY] * 3
    assert colour(picture, 80, 200).tolist() == pytest.approx([255 * 0.75 + GREY * 0.25] + [GREY * 0.25] * 2, abs=6)


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("is_alone", [False, True])
def test_in_a_mirror_the_hue_is_that_of_the_motion_seen(is_alone: bool) -> None:
    """Motion to the right in the left half is seen, in a mirror, as motion to the left in the right half."""
    style = dataclasses.replace(ALONE, is_alone=is_alone)
    strength = 1 if is_alone else 0.75
    plain, mirrored = (on_screen(flow((4, 0)), style, each) for each in (False, True))
    assert np.abs(colour(plain, 80, 200) - strength * wheel(1, 0)).max() <= 9
    assert np.abs(colour(mirrored, 639 - 80, 200) - strength * wheel(-1, 0)).max() <= 9
    assert np.abs(colour(mirrored, 200, 300) - (255 if is_alone else 0)).max() == 0
    legend = [picture[-100:, -82:].astype(int) for picture in (plain, mirrored)]
    assert np.abs(legend[0][10:70] - legend[1][10:70])[:, 8:72].max() < 90  # only what shines through differs


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_arrows_point_along_the_motion_seen(is_mirrored: bool) -> None:
    result = flow((4, 3))
    to_screen = QTransform(-2, 0, 0, 2, 1280, 0) if is_mirrored else QTransform(2, 0, 0, 2, 0, 0)
    lines = arrow_lines(result.output, to_screen, 40.0, 5.0)
    shafts = lines[: len(lines) // 3]
    assert len(shafts) == 16 * 24  # of the left half; what stands still has none
    for shaft in shafts:
        assert (shaft.dx() < 0) == is_mirrored
        assert abs(shaft.dy() / shaft.dx()) == pytest.approx(0.75, rel=1e-3)
        assert shaft.length() == pytest.approx(0.9 * 40, rel=1e-3)  # |(4, 3)| is the scale
        assert (shaft.x1() > 640) == is_mirrored


@pytest.mark.usefixtures("qapp")
def test_arrows_are_drawn_only_when_wanted_and_of_known_motion() -> None:
    without, having = (drawn(flow(), FlowStyle(has_arrows=each)) for each in (False, True))
    changed = (without != having).any(axis=2)
    assert changed[:, :320].sum() > 2000
    assert not changed[:, 340:].any()
    assert arrow_lines(no_flow().output, QTransform(), 40.0, 5.0) == []


@pytest.mark.usefixtures("qapp")
def test_the_two_frames_are_shown_half_and_half_in_the_upper_right_corner() -> None:
    picture = drawn(flow())
    assert colour(picture, 560, 60).tolist() == [(GREY + 30) // 2] * 3
    assert colour(picture, 460, 60).tolist() == [GREY] * 3
    assert (drawn(no_flow())[:150, 400:] == GREY).all()  # nothing was compared
    first, second = np.full((2, 2, 3), 255, np.uint8), np.full((2, 2, 3), 254, np.uint8)
    assert (half_and_half(first, second) == 254).all()


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("size_wh", [(320, 240), (640, 360), (480, 640), (1280, 720)])
def test_everything_stays_in_the_free_part_of_the_picture(size_wh: tuple[int, int]) -> None:
    result = flow((0, 0), size_wh)
    width, height = size_wh
    free = QRectF(0, 40, width, height - 70)
    picture = np.zeros((height, width, 3), np.uint8)
    overlays = Overlays()
    target = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    with QPainter(target) as painter:
        overlays.paint(painter, result, free)
    changed = picture.max(axis=2) > 0
    assert not changed[:40].any()
    assert not changed[-30:].any()
    corners = [changed[40:90, -60:], changed[-70:-30, -60:], changed[-60:-30, :60]]
    assert all(corner.mean() > 0.5 for corner in corners)
    assert not changed[40:90, :60].any()


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("size_wh", [(1, 1), (40, 30), (3, 900), (900, 3), (160, 120)])
@pytest.mark.parametrize("has_flow", [True, False])
def test_odd_sizes_are_drawn_and_the_frame_is_not_touched(size_wh: tuple[int, int], has_flow: bool) -> None:
    result = flow(size_wh=size_wh, stride=1) if has_flow else no_flow(size_wh)
    for style in (FlowStyle(), FlowStyle(has_arrows=True), ALONE):
        assert drawn(result, style).shape == result.frame.image.shape
    assert (result.frame.image == GREY).all()


@pytest.mark.usefixtures("qapp")
def test_without_a_flow_the_picture_is_the_frame_and_a_line_says_so() -> None:
    picture = drawn(no_flow())
    changed = (picture != GREY).any(axis=2)
    assert not changed[:300].any()
    assert changed[-30:, :100].any()
    figures = FlowFigures()
    figures.add(no_flow())
    assert figures.lines(False) == ["no motion known"]


@pytest.mark.usefixtures("qapp")
def test_lone_points_are_drawn_large() -> None:
    result = flow((4, 0), share=0.002)
    n_known = int(result.output.flow.valid[:, :160].sum())
    red = (drawn(result, FlowStyle(scale_px=4.0))[..., :2].astype(int) @ (1, -1) > 120).sum()
    assert 0 < n_known < 120
    assert red > 15 * n_known  # a cell has 4 px
    argb = np.zeros((5, 6), np.uint32)
    argb[0, 0] = argb[3, 4] = 7
    assert spread(argb).tolist() == [
        [7, 7, 0, 0, 0, 0],
        [7, 7, 0, 0, 0, 0],
        [0, 0, 0, 7, 7, 7],
        [0, 0, 0, 7, 7, 7],
        [0, 0, 0, 7, 7, 7],
    ]


@pytest.mark.usefixtures("qapp")
def test_cycles_stand_below_the_figures() -> None:
    plain = flow((0, 0))
    counted = dataclasses.replace(plain, backend="fpga-sim", cycles=Cycles(41_222, 100_000_000))
    changed = (drawn(plain) != drawn(counted)).any(axis=2)
    assert changed[-8:, 250:300].any()  # the line of the cycles is longer than the figures
    assert (drawn(counted)[-140:-24, :40] != GREY).any()


def test_figures_are_means_of_a_quarter_of_a_second() -> None:
    figures = FlowFigures()
    figures.add(flow((4, -2), seq=1, epe_px=1.0))
    first = ["mean motion 2.0 px right, 1.0 px up", "longest 4.5 px", "error (EPE) 1.00 px"]
    assert figures.lines(False) == first
    assert figures.lines(True)[0] == "mean motion 2.0 px left, 1.0 px up"
    for seq in range(2, 9):
        figures.add(flow((8, 2), seq=seq, epe_px=0.5))
        assert figures.lines(False) == first
    figures.add(flow((8, 2), seq=9, epe_px=0.5))  # 264 ms after the first
    assert figures.lines(False) == ["mean motion 4.0 px right, 1.0 px down", "longest 8.2 px", "error (EPE) 0.50 px"]
    figures.add(flow((0, 0), seq=60))  # a gap
    assert figures.lines(False) == ["mean motion 0.0 px right, 0.0 px down", "longest 0.0 px"]


def test_the_automatic_scale_follows_the_motion_and_the_time_not_the_repaints() -> None:
    figures = FlowFigures()
    figures.add(flow((5, 0), seq=0))
    assert figures.scale_px == pytest.approx(6, abs=0.11)
    faster = flow((50, 0), seq=1)
    for _ in range(5):
        figures.add(faster)
    after_33_ms = 6 + (60 - 6) * (1 - np.exp(-0.033 / 0.1))
    assert figures.scale_px == pytest.approx(after_33_ms, abs=0.6)
    for seq in range(2, 20):
        figures.add(flow((50, 0), seq=seq))
    assert figures.scale_px == pytest.approx(60, abs=1)
    for seq in range(20, 41):  # 0.7 s
        figures.add(flow((0, 0), seq=seq))
    assert figures.scale_px == pytest.approx(60 / np.e, rel=0.06)
    for seq in range(41, 200):
        figures.add(flow((0, 0), seq=seq))
    assert figures.scale_px == LEAST_SCALE_PX
    figures.add(no_flow())
    assert figures.scale_px == LEAST_SCALE_PX


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("scale_px", SCALES_PX[1:])
def test_a_chosen_scale_holds(scale_px: float) -> None:
    picture = drawn(flow((scale_px / 2, 0)), dataclasses.replace(ALONE, scale_px=scale_px))
    assert colour(picture, 80, 200).tolist() == pytest.approx([255, 128, 128], abs=4)


def test_a_fine_flow_is_thinned_out() -> None:
    uv, valid, cell_px = thinned(flow(size_wh=(640, 480), stride=1).output)
    assert (uv.shape, valid.shape, cell_px) == ((240, 320, 2), (240, 320), 2)
    assert thinned(flow(stride=2).output)[2] == 2
    assert thinned(flow(size_wh=(1281, 721), stride=1).output)[0].shape == (241, 427, 2)


@pytest.mark.usefixtures("qapp")
def test_drawing_keeps_up_with_60_frames_a_second() -> None:
    """About 3 ms on one quiet core, and 1.2 ms when the same result is drawn again; the bounds leave room."""
    overlays, target = Overlays(), QImage(640, 480, QImage.Format.Format_RGB32)
    first_ms: list[float] = []
    again_ms: list[float] = []
    for seq in range(1, 25):
        result = flow((3, 1), seq=seq)
        for spent in (first_ms, again_ms):
            with QPainter(target) as painter:
                start = time.perf_counter()
                overlays.paint(painter, result)
                spent.append((time.perf_counter() - start) * 1e3)
    assert min(first_ms) < 8
    assert min(again_ms) < 4
    assert min(again_ms) < min(first_ms)


def test_the_view_leaves_the_numbers_free_and_names_the_method(qtbot: QtBot) -> None:
    view, signals = VideoView(), ProgramSignals()
    qtbot.addWidget(view)
    view.resize(640, 480)
    view.follow(signals)
    view.show()
    signals.listeners().on_result(flow((0, 0)))
    qtbot.waitUntil(lambda: view.meters.painted == 1)
    qtbot.waitUntil(lambda: view.numbers.method == "dis")
    view.set_notice("", is_recording=True)
    free = view._free_rect()
    assert 30 < free.top() < 120
    assert 20 < 480 - free.bottom() < 60
    picture = view.grab().toImage()
    place = (630, round(free.top()) + 30)
    assert picture.pixelColor(*place).red() == (GREY + 30) // 2  # the pair below the strip of numbers
    signals.silence()
