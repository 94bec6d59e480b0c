# SPDX-License-Identifier: Apache-2.0
"""What the user can do with a comparison: turn it on, pick the second network, drag the divider."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QRectF, Qt, Slot
from PySide6.QtGui import QMouseEvent

from app.compare.figures import Summary
from app.compare.pair import Pair, parse_pair
from app.ui.background import Background
from app.ui.banner import Banner
from app.ui.compare_overlay import HANDLE_PX, LAYOUTS, OFF, WIPE, CompareStyle, divider_x, share_at_x
from app.ui.menus import ChoiceMenu, Menus
from app.ui.messages import warned
from app.ui.session import Session
from app.ui.view import VideoView
from device.errors import AppError, BackendUnavailable


class CompareSwitches(QObject):
    """The layout, the second pair and the divider. Main thread only."""

    def __init__(self, view: VideoView, session: Session, banner: Banner, pair: Pair | None = None) -> None:
        """`pair`: begin with this comparison."""
        super().__init__(view)
        self.style = CompareStyle(OFF if pair is None else WIPE)
        self.pair = pair
        self._view, self._session, self._banner = view, session, banner
        self._is_dragged, self._wanted = False, self.style.layout
        self._background = Background(self)
        view.installEventFilter(self)
        view.numbers_changed.connect(self._refresh)

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the table do here."""
        return {"next_compare": self.next_compare}

    def add_menu(self, menus: Menus) -> None:
        """Add the list of what can be compared with."""
        submenu = ChoiceMenu(self._session.pairs, lambda: str(self.pair), self.pick)
        menus.add_submenu("network", submenu, menu_title, "next_compare")

    def next_compare(self) -> None:
        """Go from the plain picture to a wipe, to two pictures side by side, and back."""
        layout = LAYOUTS[(LAYOUTS.index(self._wanted) + 1) % len(LAYOUTS)]
        self._begin(layout, self.pair)

    def pick(self, pair: str) -> None:
        """Compare with another network."""
        self._begin(WIPE if self.style.layout == OFF else self.style.layout, parse_pair(pair))

    def restart(self) -> None:
        """Compare in a new program as in the one before; where that cannot be, say why and show one picture."""
        if self._wanted != OFF:
            self._begin(self._wanted, self.pair)

    def stop(self) -> None:
        """Show one picture again."""
        self._begin(OFF, self.pair)

    def show_in(self, menus: Menus, _task: str) -> None:
        """Check what is on."""
        menus.check("next_compare", self.style.layout != OFF)

    def retranslate(self) -> None:
        """Write the figures in the present language."""
        self._refresh()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self.style.layout != WIPE or not isinstance(event, QMouseEvent):
            return super().eventFilter(watched, event)
        place, kind = self._view.picture_place(), event.type()
        if kind == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
            self._is_dragged = place is not None and is_on_divider(event.position().x(), self.style, place)
        elif kind == QEvent.Type.MouseButtonRelease and self._is_dragged:
            self._is_dragged = False
            return True
        if not self._is_dragged or place is None:
            return super().eventFilter(watched, event)
        self._use(dataclasses.replace(self.style, share=share_at_x(event.position().x(), place)))
        return True

    def close(self) -> None:
        """Let what is being opened come to its end."""
        self._background.close()

    def _begin(self, layout: str, pair: Pair | None) -> None:
        """Show the layout; a second network is opened in the background before."""
        self._wanted = layout
        is_same = pair is not None and pair == self._session.compared_with()
        if layout == OFF:
            self._use(dataclasses.replace(self.style, layout=OFF, figures=""))
            self._session.compare(None)
        elif is_same:
            self._use(dataclasses.replace(self.style, layout=layout))
        else:
            with warned(self._banner):
                chosen = pair or self._some_pair()
                self._background.run(partial(self._session.open_second, chosen), partial(self._show, chosen))

    def _show(self, pair: Pair, error: AppError | None) -> None:
        """The network of `pair` is open, or it cannot be opened: then one picture stays."""
        layout, self._wanted, self.pair = self._wanted, OFF, None
        if layout == OFF:
            return
        self._use(dataclasses.replace(self.style, layout=OFF, figures=""))
        with warned(self._banner):
            if error is not None:
                raise error
            self._session.compare(pair)
            self._wanted, self.pair = layout, pair
            self._use(dataclasses.replace(self.style, layout=layout))

    def _some_pair(self) -> Pair:
        """Return what is worth seeing beside the present network: another precision, the fewest bits first."""
        usable = [parse_pair(choice.value) for choice in self._session.pairs() if choice.reason is None]
        precision = self._session.settings.precision
        others = [pair for pair in usable if pair.precision != precision] or usable
        if not others:
            raise BackendUnavailable(f"task {self._session.settings.task} has no second network here to compare with")
        order = ("w1a2", "int8", "float") if precision == "float" else ("float", "int8", "w1a2")
        return min(others, key=lambda pair: order.index(pair.precision))

    @Slot()
    def _refresh(self) -> None:
        """Write the figures of the last seconds anew."""
        second = self._session.second_path()
        if second is None or self.style.layout == OFF:
            return
        figures = figures_text(second.figures.recent(time.monotonic_ns()), self._session.settings.task)
        self._use(dataclasses.replace(self.style, figures=figures))

    def _use(self, style: CompareStyle) -> None:
        if style != self.style:
            is_other = style.layout != self.style.layout
            self.style = style
            self._view.set_compare(style)
            if is_other:
                self._view.numbers_changed.emit()  # so that menus say it at once


def menu_title() -> str:
    return QCoreApplication.translate("Compare", "Compare with")


def is_on_divider(x: float, style: CompareStyle, picture: QRectF) -> bool:
    """Whether the mouse at `x` takes the divider."""
    return abs(x - divider_x(style, picture)) <= HANDLE_PX


def figures_text(found: Summary, task: str) -> str:
    """Return the figures of a comparison in words; what is not known is left out."""
    if found.n_frames == 0:
        return QCoreApplication.translate("Compare", "nothing compared in the last 5 s")
    parts = []
    if found.agreement is not None:
        agreed = QCoreApplication.translate("Compare", "{0} % agree in 5 s, {1} frames")
        parts.append(agreed.format(f"{100 * found.agreement:.0f}", found.n_frames))
    if found.value is not None:
        parts.append(measure_text(task, found.value))
    if task == "expression":
        parts.append(QCoreApplication.translate("Compare", "class flips {0} / {1}").format(*found.flips))
    if found.epe_px is not None:
        parts.append(
            QCoreApplication.translate("Compare", "error {0} / {1} px").format(*(f"{px:.2f}" for px in found.epe_px))
        )
    ratio = found.speed_ratio
    if ratio is not None:
        times = (f"{ms:.2f}" for ms in found.network_ms)
        compared = QCoreApplication.translate(
            "Compare", "{0} / {1} ms with pre- and post-processing: {2} times as fast"
        )
        parts.append(compared.format(*times, f"{ratio:.2g}"))
        parts.append(
            QCoreApplication.translate("Compare", "processor {0} / {1} ms a frame").format(
                *(f"{ms:.2f}" for ms in found.cpu_ms)
            )
        )
    return " · ".join(parts)


def measure_text(task: str, value: float) -> str:
    """Return the task's measure in words."""
    if task == "flow":
        return QCoreApplication.translate("Compare", "{0} px apart").format(f"{value:.2f}")
    if task == "pose":
        return QCoreApplication.translate("Compare", "keypoint similarity {0}").format(f"{value:.2f}")
    return QCoreApplication.translate("Compare", "correlation {0}").format(f"{value:.2f}")
