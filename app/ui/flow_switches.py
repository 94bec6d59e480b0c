# SPDX-License-Identifier: Apache-2.0
"""What the user can change about the drawing of a flow; the window and the videos it records are drawn alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication

from app.ui.banner import Banner
from app.ui.flow_figures import scale_text
from app.ui.flow_overlay import AUTOMATIC, SCALES_PX, FlowStyle
from app.ui.menus import Menus
from app.ui.messages import flow_scale
from app.ui.overlay import Annotator
from app.ui.view import VideoView


class FlowSwitches:
    """The style of flows, in the view and in what is recorded. Main thread only."""

    def __init__(self, view: VideoView, annotate: Annotator, banner: Banner) -> None:
        self.style = FlowStyle()
        self._view, self._annotate, self._banner = view, annotate, banner

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the table do here."""
        names = ("toggle_arrows", "toggle_alone", "next_scale")
        return {name: getattr(self, name) for name in names}

    def toggle_arrows(self) -> None:
        """Draw arrows along the flow, or none."""
        self._use(dataclasses.replace(self.style, has_arrows=not self.style.has_arrows))

    def toggle_alone(self) -> None:
        """Show the colours without the picture, or over it."""
        self._use(dataclasses.replace(self.style, is_alone=not self.style.is_alone))

    def next_scale(self) -> None:
        """Go to the next scale of the colours and say which it is."""
        scale_px = SCALES_PX[(SCALES_PX.index(self.style.scale_px) + 1) % len(SCALES_PX)]
        self._use(dataclasses.replace(self.style, scale_px=scale_px))
        self._banner.tell(flow_scale(lambda: scale_name(scale_px)))

    def show_in(self, menus: Menus, task: str) -> None:
        """Check the actions that are on, and grey all where `task` draws no flow."""
        menus.check("toggle_arrows", self.style.has_arrows)
        menus.check("toggle_alone", self.style.is_alone)
        for name in self.commands():
            menus.set_reason(name, None if task == "flow" else f"task {task} draws no flow")

    def retranslate(self) -> None:
        """Nothing is written here."""

    def _use(self, style: FlowStyle) -> None:
        self.style = style
        self._view.set_flow_style(style)
        self._annotate.flow_style = style


def scale_name(scale_px: float) -> str:
    """Return a scale in words."""
    return QCoreApplication.translate("Flow", "automatic") if scale_px == AUTOMATIC else scale_text(scale_px)
