# SPDX-License-Identifier: Apache-2.0
"""Pages turned by swipes: which one is shown in the window, and in what it records."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from app.frame import FlowOutput
from app.motion.pages import Deck
from app.motion.swipes import Swipe
from app.ui.overlay import Annotator
from app.ui.page_content import PAGES
from app.ui.page_overlay import Pages
from app.ui.view import VideoView


class PageTurner(QObject):
    """Turns the page at every swipe that the newest results tell, once. Main thread only."""

    def __init__(self, view: VideoView, annotate: Annotator) -> None:
        super().__init__(view)
        self.is_on = False
        self._pages = Pages(Deck(len(PAGES)), 1)
        self._heard: Swipe | None = None
        self._view, self._annotate = view, annotate
        view.result_taken.connect(self._look)

    @property
    def page(self) -> int:
        """The number of the page, from 1."""
        return self._pages.deck.page

    def switch(self, is_on: bool) -> None:
        """Show the first page, or no page any more."""
        self.is_on = is_on
        self._pages = Pages(Deck(len(PAGES)), 1)
        self._show()

    @Slot()
    def _look(self) -> None:
        """Hear of the newest swipe, also where the frame in which it ended was never shown."""
        result = self._view.result
        swipe = result.output.motion.last_swipe if result and isinstance(result.output, FlowOutput) else None
        if swipe == self._heard:
            return
        self._heard = swipe
        if swipe is not None and self.is_on:
            before = self._pages.deck
            self._pages = Pages(before.turned(swipe.direction, self._view.is_mirrored), before.page, swipe)
            self._show()

    def _show(self) -> None:
        shown = self._pages if self.is_on else None
        self._view.set_pages(shown)
        self._annotate.pages = shown
