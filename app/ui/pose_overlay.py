# SPDX-License-Identifier: Apache-2.0
"""Skeletons over the picture: thin lines in the colour of the track, the person's left side paler than the right.

A limb is as clear as the less sure of its two ends; what was guessed and not seen is not drawn. Lines are sized on
the target, so that a small picture is not hidden and a large one stays sharp.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QTransform

from app.frame import PoseOutput
from app.ui.pencil import Pencil, keep_inside
from app.ui.track_marks import ink_on, map_box, track_colour
from models.results import MISSED, Float32

LEFT, MIDDLE, RIGHT = "left", "middle", "right"
LIMBS = (
    (0, 1, LEFT), (1, 3, LEFT), (0, 2, RIGHT), (2, 4, RIGHT),
    (5, 6, MIDDLE), (11, 12, MIDDLE), (5, 11, LEFT), (6, 12, RIGHT),
    (5, 7, LEFT), (7, 9, LEFT), (6, 8, RIGHT), (8, 10, RIGHT),
    (11, 13, LEFT), (13, 15, LEFT), (12, 14, RIGHT), (14, 16, RIGHT),
)  # fmt: skip
"""Ends of each line, as numbers of COCO's keypoints, and the person's own side."""
UNSEEN = 0.2
SURE = 0.5
"""Scores from which a keypoint is drawn at all, and fully."""
FAINT = 0.35
"""Strength of what is just seen; that of a person who is predicted, not found, is never above it."""
FARTHEST_PX = 1e5
"""Keypoints are held to what can be drawn."""
OUTLINE = QColor(0, 0, 0, 150)
PALE_SHARE = 0.6
"""Of white in the colour of the left side."""
EVEN = 2
"""Odd keypoints of COCO are left ones, even ones right, but for the nose."""


@dataclass(frozen=True)
class Skeleton:
    """What is drawn of one person, px of the target."""

    lines: tuple[tuple[QLineF, str, float], ...]  # side, strength 0..1
    points: tuple[tuple[QPointF, str, float], ...]


class PoseOverlay:
    """Skeletons with track numbers; boxes only of people of whom no keypoint is seen. One thread."""

    def paint(self, painter: QPainter, output: PoseOutput, picture: QRectF, pencil: Pencil) -> None:
        """Draw `output`; the painter maps frame pixels to the target, of which `picture` is the part that is shown."""
        to_screen = painter.worldTransform()
        painter.save()
        painter.setWorldTransform(QTransform())
        painter.setClipRect(picture, Qt.ClipOperation.IntersectClip)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        boxes = [map_box(to_screen, row) for row in output.tracks.xyxy.tolist()]
        for k in sorted(range(len(boxes)), key=lambda k: boxes[k].height()):
            is_predicted = bool(output.tracks.detection_index[k] == MISSED)
            skeleton = skeleton_of(output.keypoints[k], to_screen, is_predicted)
            colour = track_colour(int(output.tracks.track_id[k]))
            line_px = line_width(boxes[k], pencil)
            if skeleton.points:
                paint_skeleton(painter, skeleton, colour, line_px)
            else:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(pencil.pen(colour.rgb(), is_predicted, line_px))
                painter.drawRect(boxes[k])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        self._paint_numbers(painter, boxes, output, picture, pencil)
        painter.restore()

    @staticmethod
    def _paint_numbers(
        painter: QPainter, boxes: list[QRectF], output: PoseOutput, picture: QRectF, pencil: Pencil
    ) -> None:
        """Draw the number of every track over its head."""
        painter.setFont(pencil.bold)
        for k, box in enumerate(boxes):
            if not box.intersects(picture):
                continue
            track_id = int(output.tracks.track_id[k])
            text, height = str(track_id), float(pencil.chip_px)
            width = pencil.width_px(text, True) + 8
            place = QRectF(box.center().x() - width / 2, box.top() - height - 2, width, height)
            chip = keep_inside(place, picture)
            painter.fillRect(chip, track_colour(track_id))
            painter.setPen(ink_on(track_colour(track_id)))
            painter.drawStaticText(QPointF(chip.left() + 4, chip.top() + 1), pencil.text(text, True))


def line_width(box: QRectF, pencil: Pencil) -> float:
    """Return the width of a limb in px: a hundredth of the person, between a hair and a seventh of a letter."""
    return min(max(box.height() / 100, 1.2), max(pencil.size_px / 7, 2.0))


def skeleton_of(keypoints: Float32, to_screen: QTransform, is_predicted: bool) -> Skeleton:
    """Return the lines and points of one person's keypoints (17, 3) whose ends were seen."""
    places = [
        to_screen.map(QPointF(min(max(x, -FARTHEST_PX), FARTHEST_PX), min(max(y, -FARTHEST_PX), FARTHEST_PX)))
        for x, y, _ in keypoints.tolist()
    ]
    strengths = [strength_of(score, is_predicted) for score in keypoints[:, 2].tolist()]
    lines = [
        (QLineF(places[a], places[b]), side, min(strengths[a], strengths[b]))
        for a, b, side in LIMBS
        if strengths[a] and strengths[b]
    ]
    points = [(place, side_of(k), strengths[k]) for k, place in enumerate(places) if strengths[k]]
    return Skeleton(tuple(lines), tuple(points))


def side_of(keypoint: int) -> str:
    return MIDDLE if keypoint == 0 else RIGHT if keypoint % EVEN == 0 else LEFT


def strength_of(score: float, is_predicted: bool) -> float:
    """Return how strongly a keypoint is drawn, 0 = not at all."""
    if not score >= UNSEEN:  # NaN too
        return 0.0
    strength = FAINT + (1 - FAINT) * min((score - UNSEEN) / (SURE - UNSEEN), 1.0)
    return min(strength, FAINT) if is_predicted else strength


def paint_skeleton(painter: QPainter, skeleton: Skeleton, colour: QColor, line_px: float) -> None:
    """Draw dark outlines first, then the limbs over them, then the keypoints."""
    for line, _, strength in skeleton.lines:
        painter.setPen(round_pen(OUTLINE, strength, line_px + 1.6))
        painter.drawLine(line)
    for line, side, strength in skeleton.lines:
        painter.setPen(round_pen(side_colour(colour, side), strength, line_px))
        painter.drawLine(line)
    painter.setPen(Qt.PenStyle.NoPen)
    for place, side, strength in skeleton.points:
        fill = side_colour(colour, side)
        fill.setAlphaF(strength)
        painter.setBrush(fill)
        painter.drawEllipse(place, line_px * 1.1, line_px * 1.1)


def side_colour(colour: QColor, side: str) -> QColor:
    """Return the colour of a side: the track's own on the person's right, paler on the left."""
    if side != LEFT:
        return QColor(colour)
    share = PALE_SHARE
    return QColor.fromRgbF(*(share + (1 - share) * c for c in (colour.redF(), colour.greenF(), colour.blueF())))


def round_pen(colour: QColor, strength: float, width_px: float) -> QPen:
    shown = QColor(colour)
    shown.setAlphaF(colour.alphaF() * strength)
    pen = QPen(shown, width_px)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    return pen
