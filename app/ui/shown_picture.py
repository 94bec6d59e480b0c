# SPDX-License-Identifier: Apache-2.0
"""Which picture of a result is shown, and where the px of its frame are in it: the same, unless it is steadied."""

from __future__ import annotations

import dataclasses
from typing import Any

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QTransform

from app.frame import ExpressionOutput, FrameResult
from models.results import Image
from models.similarity import moved_boxes


def shown_image(result: FrameResult[Any]) -> Image:
    """Return the picture (H, W, 3) RGB that is shown, as large as the frame's."""
    return result.frame.image if result.steady is None else result.steady.image


def frame_to_shown(result: FrameResult[Any]) -> QTransform:
    """Return the map from px of the frame to px of the picture that is shown: a shift, turn and zoom."""
    if result.steady is None:
        return QTransform()
    (a, b, x), (c, d, y) = result.steady.matrix.tolist()
    return QTransform(a, c, b, d, x, y)


def steadied_boxes(result: FrameResult[ExpressionOutput]) -> ExpressionOutput:
    """Return the faces with their boxes where the picture shown has them: upright, though the picture is turned."""
    output = result.output
    if result.steady is None:
        return output
    moved = moved_boxes(result.steady.matrix, output.tracks.xyxy)
    return dataclasses.replace(output, tracks=dataclasses.replace(output.tracks, xyxy=moved))


def share_of(place: QPointF, to_target: QTransform, size_wh: tuple[int, int]) -> tuple[float, float] | None:
    """Return which place of the frame, in shares of its width and height, is at a place of the target.

    Beyond 0..1 beside the frame; None where the map has no inverse (a target without an area).
    """
    to_frame, is_possible = to_target.inverted()
    if not is_possible:
        return None
    at = to_frame.map(place)
    return at.x() / size_wh[0], at.y() / size_wh[1]


def picture_to_target(size_wh: tuple[int, int], target: QRectF, is_mirrored: bool) -> QTransform:
    """Return the map from px of a picture to a rectangle that it fills, perhaps as in a mirror."""
    scale_x, scale_y = target.width() / size_wh[0], target.height() / size_wh[1]
    side = -1 if is_mirrored else 1
    start = target.right() if is_mirrored else target.left()
    return QTransform(side * scale_x, 0, 0, scale_y, start, target.top())
