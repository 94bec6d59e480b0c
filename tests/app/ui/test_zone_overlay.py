# SPDX-License-Identifier: Apache-2.0
"""Zones on the picture: where they are, also mirrored and steadied, and what is written and pointed at."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QTransform

from app.frame import Motion
from app.motion.zones import Zone, ZoneState
from app.ui.overlay import Annotator, Overlays
from app.ui.zone_overlay import LIT, QUIET, arrow, outline, state_text, states_of, zone_text
from models.results import Image
from models.similarity import turn_about
from tests.app.ui.flows import drawn_by, still

ZONE = Zone("zone 1", Zone.rectangle(0.1, 0.3, 0.4, 0.7))
LIT_STATE = ZoneState(ZONE, True, True, 0.0, 0.25)


def share_of_colour(picture: Image, place: QRectF, colour: QColor) -> float:
    """Return which part of `place` is about of `colour`."""
    left, top, right, bottom = (round(v) for v in (place.left(), place.top(), place.right(), place.bottom()))
    wanted = np.array([colour.red(), colour.green(), colour.blue()])
    return float((np.abs(picture[top:bottom, left:right].astype(int) - wanted).max(axis=2) < 40).mean())


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_a_quiet_zone_is_an_outline_and_a_lit_one_is_filled(is_mirrored: bool) -> None:
    left = 1 - 0.4 if is_mirrored else 0.1
    inside = QRectF((left + 0.02) * 640, 0.5 * 480, 0.03 * 640, 0.15 * 480)  # beside arrow and name
    cut = slice(int(inside.top()), int(inside.bottom())), slice(int(inside.left()), int(inside.right()))
    edge = QRectF(left * 640 - 2, 0.5 * 480, 4, 40)
    quiet = drawn_by(Overlays(), still(Motion((ZoneState(ZONE, True),))), is_mirrored)
    assert share_of_colour(quiet, edge, QUIET) > 0.3
    assert not quiet[cut].any()
    lit = drawn_by(Overlays(), still(Motion((LIT_STATE,))), is_mirrored)
    assert share_of_colour(lit, edge, LIT) > 0.4
    assert (lit[cut][..., 0] > 40).all()
    other = slice(0, 200) if is_mirrored else slice(440, 540)
    assert not lit[200:280, other].any()


@pytest.mark.usefixtures("qapp")
def test_a_zone_moves_with_the_steadied_picture() -> None:
    """The zone belongs to the scene: steadied by 60 px to the right it is drawn there, and nothing beside the frame."""
    matrix = turn_about((0, 0), (60, 0))
    picture = drawn_by(Overlays(), still(Motion((LIT_STATE,)), matrix=matrix))
    assert share_of_colour(picture, QRectF(64 + 60 - 2, 240, 4, 40), LIT) > 0.4
    assert not picture[240:280, 60:68].any()


@pytest.mark.usefixtures("qapp")
def test_a_steadied_turn_turns_the_outline() -> None:
    matrix = turn_about((320, 240), (5, -3), math.radians(10), 1.2)
    linear = QTransform(matrix[0, 0], matrix[1, 0], matrix[0, 1], matrix[1, 1], matrix[0, 2], matrix[1, 2])
    corners = outline(ZONE.corners, (640, 480), linear)
    picture = drawn_by(Overlays(), still(Motion((LIT_STATE,)), matrix=matrix))
    for k in range(4):  # the middle of each edge is drawn
        middle = (corners.at(k) + corners.at((k + 1) % 4)) / 2
        assert share_of_colour(picture, QRectF(middle.x() - 2, middle.y() - 2, 5, 5), LIT) > 0.3


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("direction_deg", [0.0, 90.0, 180.0, 225.0])
def test_the_arrow_points_where_the_motion_is_seen_to_go(direction_deg: float, is_mirrored: bool) -> None:
    to_screen = QTransform(-2, 0, 0, 2, 1280, 0) if is_mirrored else QTransform.fromScale(2, 2)
    state = ZoneState(ZONE, True, True, direction_deg, 0.25)
    polygon = outline(ZONE.corners, (640, 480), to_screen)
    tail, tip = arrow(state, polygon, to_screen)
    seen = math.degrees(math.atan2(tip.y() - tail.y(), tip.x() - tail.x())) % 360
    assert seen == pytest.approx((180 - direction_deg) % 360 if is_mirrored else direction_deg, abs=1e-6)
    assert polygon.boundingRect().contains(tip)
    assert polygon.boundingRect().contains(tail)
    faster = arrow(ZoneState(ZONE, True, True, direction_deg, 5.0), polygon, to_screen)
    assert math.dist(faster[0].toTuple(), faster[1].toTuple()) > math.dist(tail.toTuple(), tip.toTuple())
    assert polygon.boundingRect().contains(faster[1])


def test_what_is_written_at_a_zone() -> None:
    assert state_text(ZoneState(ZONE, True)) == "zone 1"
    assert state_text(LIT_STATE) == "zone 1: 0.25 widths/s"
    assert state_text(ZoneState(ZONE)) == "zone 1: motion not known"
    assert state_text(ZoneState(ZONE, False, True, 0.0, 0.25)) == "zone 1: motion not known"
    assert zone_text("door") == "door"


def test_the_zones_of_the_user_are_drawn_with_the_states_of_the_frame() -> None:
    new = Zone("zone 2", Zone.rectangle(0.5, 0.5, 0.9, 0.9))
    assert states_of([LIT_STATE], None) == (LIT_STATE,)
    assert states_of([LIT_STATE], (new, ZONE)) == (ZoneState(new), LIT_STATE)
    assert states_of([LIT_STATE], ()) == ()


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("size_wh", [(1, 1), (3, 900), (320, 240)])
def test_any_size_is_drawn_and_names_stay_in_the_picture(size_wh: tuple[int, int]) -> None:
    edges = [Zone("at the left edge", Zone.rectangle(0.0, 0.0, 0.03, 0.03)), Zone("zone 2", Zone.rectangle(0, 0, 1, 1))]
    result = still(Motion(tuple(ZoneState(zone, True, True, 10.0, 0.3) for zone in edges)), size_wh)
    assert Annotator()(result).shape == result.frame.image.shape
