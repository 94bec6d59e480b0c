# SPDX-License-Identifier: Apache-2.0
"""What the overlays of tracked things share: the colour of a number, letters on it, and boxes on the screen."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QTransform

from app.ui.theme import OKABE_ITO


def track_colour(track_id: int) -> QColor:
    """Return the colour of a track: the same number always has the same one."""
    return QColor(OKABE_ITO[track_id % len(OKABE_ITO)])


def ink_on(colour: QColor) -> QColor:
    """Return black or white, whichever is read better on `colour` (relative luminance of WCAG 2)."""
    rgb = (colour.redF(), colour.greenF(), colour.blueF())
    channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    luminance = float(np.dot(channels, (0.2126, 0.7152, 0.0722)))
    return QColor("#000000") if luminance > 0.179 else QColor("#ffffff")


def map_box(to_screen: QTransform, xyxy: list[float]) -> QRectF:
    """Return a box in screen pixels on whole pixels; boxes of a diverged track are held to a drawable size."""
    left, top, right, bottom = (min(max(v, -1e5), 1e5) if math.isfinite(v) else 0.0 for v in xyxy)
    return QRectF(to_screen.mapRect(QRectF(left, top, right - left, bottom - top)).toRect())
