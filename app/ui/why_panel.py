# SPDX-License-Identifier: Apache-2.0
"""Why a person has his number: a click on a box of the picture shows the winner and the runner-up with their scores."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF, QRectF, Qt, Slot
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QTransform
from PySide6.QtWidgets import QWidget

from app.frame import PoseOutput
from app.tracking.why import Candidate, Why
from app.ui.pencil import INK, Pencil, keep_inside
from app.ui.track_marks import map_box, track_colour
from app.ui.view import VideoView
from app.ui.words import QT_TRANSLATE_NOOP

GROUND = QColor(12, 14, 18, 235)
"""Darker than other panels: it lies over people and their numbers."""
DECISIONS = {
    "new": QT_TRANSLATE_NOOP("WhyPanel", "first seen, followed by place"),
    "appearance": QT_TRANSLATE_NOOP("WhyPanel", "looked at in doubt"),
    "found_again": QT_TRANSLATE_NOOP("WhyPanel", "lost and found again"),
}
SCORES = {
    "appearance": QT_TRANSLATE_NOOP("WhyPanel", "looks {0:.2f}"),
    "motion": QT_TRANSLATE_NOOP("WhyPanel", "way {0:.1f} σ"),
    "heading": QT_TRANSLATE_NOOP("WhyPanel", "ahead {0:+.2f}"),
    "overlap": QT_TRANSLATE_NOOP("WhyPanel", "overlap {0:.2f}"),
}


class WhyPanel(QWidget):
    """Lies over the whole view and lets the mouse through. A click on a person opens it, one beside closes it.

    It follows the person's box and closes when he is not shown any more. Main thread only.
    """

    def __init__(self, view: VideoView) -> None:
        super().__init__(view)
        self.track_id = 0
        """The person it is about, 0 = closed."""
        self._view, self._pencil = view, Pencil(12)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        view.installEventFilter(self)
        view.result_taken.connect(self._follow)

    def open(self, track_id: int) -> None:
        """Tell about a person who is shown, 0 = close."""
        self.track_id = track_id
        self.setGeometry(self._view.rect())
        self.setVisible(bool(track_id))
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._view.rect())
        is_press = event.type() == QEvent.Type.MouseButtonPress
        if is_press and isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.LeftButton:
            self.open(self._person_at(event.position()))
        return super().eventFilter(watched, event)

    @Slot()
    def _follow(self) -> None:
        if self.track_id:
            self.open(self.track_id if self._shown() is not None else 0)

    def _output(self) -> PoseOutput | None:
        output = None if self._view.result is None else self._view.result.output
        return output if isinstance(output, PoseOutput) and output.whys else None

    def _shown(self) -> tuple[Why, QRectF] | None:
        """Return why the person has his number and where his box is on the widget; None where he is not shown."""
        output, to_widget = self._output(), frame_to_widget(self._view)
        if output is None or to_widget is None:
            return None
        numbers = output.tracks.track_id.tolist()
        if self.track_id not in numbers:
            return None
        k = numbers.index(self.track_id)
        return output.whys[k], map_box(to_widget, output.tracks.xyxy[k].tolist())

    def _person_at(self, place: QPointF) -> int:
        """Return the number of the smallest box under the mouse, 0 where there is none that has a reason."""
        output, to_widget = self._output(), frame_to_widget(self._view)
        if output is None or to_widget is None:
            return 0
        rows = zip(output.tracks.track_id.tolist(), output.tracks.xyxy.tolist(), strict=True)
        boxes = [(map_box(to_widget, xyxy), number) for number, xyxy in rows]
        hit = [(box.width() * box.height(), number) for box, number in boxes if box.contains(place)]
        return min(hit)[1] if hit else 0

    def paintEvent(self, event: QPaintEvent) -> None:
        shown = self._shown()
        if shown is None:
            return
        why, box = shown
        self._pencil = self._pencil.sharpened(min(self.width(), self.height()), self._view.text_scale)
        t_ns = self._view.result.frame.t_ns if self._view.result is not None else why.t_ns
        with QPainter(self) as painter:
            paint_why(painter, why_lines(why, t_ns), why.track_id, box, QRectF(self.rect()), self._pencil)


def frame_to_widget(view: VideoView) -> QTransform | None:
    """Return the map from px of the frame to px of the widget, None while there is no picture."""
    if view.result is None:
        return None
    corners = [view.share_at(QPointF(x, y)) for x, y in ((0, 0), (1, 0), (0, 1))]
    if None in corners:
        return None
    height, width = view.result.frame.image.shape[:2]
    (x, y), (x_x, y_x), (x_y, y_y) = ((each[0] * width, each[1] * height) for each in corners if each is not None)
    to_widget, is_possible = QTransform(x_x - x, y_x - y, x_y - x, y_y - y, x, y).inverted()
    return to_widget if is_possible else None


def why_lines(why: Why, t_ns: int) -> list[str]:
    """Return what the panel says at the time `t_ns` of the picture, in the present language."""
    decided = QCoreApplication.translate("WhyPanel", DECISIONS[why.decision])
    ago = QCoreApplication.translate("WhyPanel", "{0:.1f} s ago").format(max(0, t_ns - why.t_ns) / 1e9)
    lines = [f"{decided}, {ago}", candidate_text(why.winner)]
    if why.runner_up is not None:
        second = QCoreApplication.translate("WhyPanel", "then {0}")
        lines.append(second.format(candidate_text(why.runner_up)))
    else:
        lines.append(QCoreApplication.translate("WhyPanel", "nobody else was near"))
    return lines


def candidate_text(candidate: Candidate) -> str:
    """Return number and scores in one line."""
    scores = [(text, getattr(candidate, name)) for name, text in SCORES.items()]
    known = [QCoreApplication.translate("WhyPanel", text).format(value) for text, value in scores if value is not None]
    name = f"#{candidate.track_id}" if candidate.track_id else QCoreApplication.translate("WhyPanel", "a new one")
    return " · ".join([name, *known])


def paint_why(
    painter: QPainter, lines: Sequence[str], track_id: int, box: QRectF, area: QRectF, pencil: Pencil
) -> None:
    """Write `lines` beside `box`, inside `area`, with a bar in the colour of the track."""
    em = float(pencil.size_px)
    width = max(pencil.width_px(line, k == 1) for k, line in enumerate(lines)) + 1.6 * em
    height = len(lines) * pencil.chip_px + em
    right = box.right() + em * 0.5
    left = right if right + width <= area.right() else box.left() - em * 0.5 - width
    panel = keep_inside(QRectF(left, box.top(), width, height), area)
    painter.fillRect(panel, GROUND)
    painter.fillRect(QRectF(panel.left(), panel.top(), em * 0.4, height), track_colour(track_id))
    painter.setPen(INK)
    for k, line in enumerate(lines):
        painter.setFont(pencil.bold if k == 1 else pencil.small)
        place = QPointF(panel.left() + em, panel.top() + em * 0.5 + k * pencil.chip_px)
        painter.drawStaticText(place, pencil.text(line, k == 1))
