# SPDX-License-Identifier: Apache-2.0
"""Results of task flow for drawing: a grey picture that does not move, with what the test says about it."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage, QPainter, QTransform

from app.frame import FlowOutput, Frame, FrameResult, Motion, Steady
from app.ui.overlay import Overlays
from models.results import Flow, Image
from models.similarity import Affine

GREY = 90


def still(
    motion: Motion | None = None,
    size_wh: tuple[int, int] = (640, 480),
    seq: int = 1,
    t_ns: int = 0,
    matrix: Affine | None = None,
) -> FrameResult[FlowOutput]:
    """Return a flow of no motion; with `matrix` the picture is steadied by it (it is grey all the same)."""
    image = np.full((size_wh[1], size_wh[0], 3), GREY, np.uint8)
    rows, columns = -(-size_wh[1] // 4), -(-size_wh[0] // 4)
    flow = Flow(np.zeros((rows, columns, 2), np.float32), np.ones((rows, columns), bool))
    output = FlowOutput(flow, 4, image, seq - 1, 0.033, "dis", motion=motion or Motion())
    steady = None if matrix is None else Steady(image, matrix)
    return FrameResult(Frame(image, seq, 0, t_ns), output, {}, "cpu", "float", steady=steady)


def drawn_by(overlays: Overlays, result: FrameResult[FlowOutput], is_mirrored: bool = False) -> Image:
    """Return what is drawn into a black picture of the frame's size, perhaps as in a mirror."""
    height, width = result.frame.image.shape[:2]
    picture = np.zeros((height, width, 3), np.uint8)
    target = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    with QPainter(target) as painter:
        if is_mirrored:
            painter.setWorldTransform(QTransform(-1, 0, 0, 1, width, 0))
        overlays.paint(painter, result)
    return picture
