# SPDX-License-Identifier: Apache-2.0
"""What the user can do with motion: draw and remove zones and lines, and turn pages by swipes."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QObject, Slot

from app.motion.lines import Line, Mark
from app.motion.zone_file import KeptZones, save_zones
from app.motion.zones import Zone
from app.ui import messages
from app.ui.banner import Banner
from app.ui.menus import Menus
from app.ui.messages import warned
from app.ui.page_turner import PageTurner
from app.ui.session import Session
from app.ui.view import VideoView
from app.ui.zone_editor import Shape, ZoneEditor, next_name, zone_at
from app.ui.zone_overlay import zone_text

ZONE_NAMES = ("toggle_zones", "remove_zone", "remove_zones")


class MotionSwitches(QObject):
    """The user's zones, in the view, in what is watched and in their file, and the pages. Main thread only."""

    def __init__(
        self, view: VideoView, session: Session, banner: Banner, kept: KeptZones, refresh: Callable[[], object]
    ) -> None:
        """`refresh` writes what is on into menus."""
        super().__init__(view)
        self.editor, self.pages = ZoneEditor(view), PageTurner(view, session.annotate)
        self.zones = kept.zones
        self._path, self._refresh = kept.path, refresh
        self._view, self._session, self._banner = view, session, banner
        self.editor.drawn.connect(self._add)
        self.editor.refused.connect(self._refuse)
        self._show(self.zones)

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the table do here."""
        names = ("toggle_zones", "toggle_lines", "remove_zone", "remove_zones", "toggle_pages")
        return {name: getattr(self, name) for name in names}

    def toggle_zones(self) -> None:
        """Let the mouse draw zones, or end that."""
        self._draw(not self._is_drawing("rectangle"))

    def toggle_lines(self) -> None:
        """Let the mouse draw lines at which people are counted, or end that."""
        self._draw(not self._is_drawing("line"), "line")

    def _is_drawing(self, shape: Shape) -> bool:
        return self.editor.is_on and self.editor.shape == shape

    def remove_zone(self) -> None:
        """Remove the zone under the mouse while zones are drawn, else the newest one."""
        pointer = self.editor.pointer
        zone = None if pointer is None else zone_at(self.zones, pointer)
        self._remove(tuple(each for each in self.zones if each != zone) if zone is not None else self.zones[:-1])

    def remove_zones(self) -> None:
        """Remove every zone."""
        self._remove(())

    def toggle_pages(self) -> None:
        """Show pages that swipes turn, or none; they cover what zones are drawn on."""
        self.pages.switch(not self.pages.is_on)
        if self.pages.is_on:
            self.editor.switch(False)
        self.retranslate()
        self._refresh()

    def show_in(self, menus: Menus, task: str) -> None:
        """Check what is on, grey what `task` has no use for, and lend Esc to the drawing while it is on."""
        reasons: dict[str, str | None] = dict.fromkeys(
            ZONE_NAMES, None if task in ("flow", "pose") else f"task {task} watches no zones"
        )
        reasons["toggle_lines"] = None if task == "pose" else f"task {task} counts nobody"
        reasons["toggle_pages"] = None if task == "flow" else f"task {task} draws no flow"
        drawing = "toggle_lines" if self.editor.shape == "line" else "toggle_zones"
        if self.editor.is_on and reasons[drawing] is not None:
            self._draw(False)
        for name, reason in reasons.items():
            menus.set_reason(name, reason)
        menus.check("toggle_zones", self._is_drawing("rectangle"))
        menus.check("toggle_lines", self._is_drawing("line"))
        menus.check("toggle_pages", self.pages.is_on)
        menus.lend_key("Esc", "quit", drawing if self.editor.is_on else "quit")

    def retranslate(self) -> None:
        """Write the hint in the present language."""
        hint = QCoreApplication.translate("Zones", "Drag a rectangle. Del: remove. Esc: done.")
        if self.editor.shape == "line":
            hint = QCoreApplication.translate("Zones", "Drag a line; its arrow points in. Del: remove. Esc: done.")
        self._view.set_hint(hint if self.editor.is_on else "")

    def _draw(self, is_on: bool, shape: Shape = "rectangle") -> None:
        self.editor.switch(is_on, shape)
        if is_on:
            self.pages.switch(False)
        self.retranslate()
        self._refresh()

    @Slot()
    def _add(self) -> None:
        if self.editor.shape == "line":
            drawn: Mark = Line(next_name(self.zones, "line"), self.editor.line)
        else:
            drawn = Zone(next_name(self.zones), Zone.rectangle(*self.editor.rectangle))
        self._use((*self.zones, drawn))

    @Slot()
    def _refuse(self) -> None:
        self._banner.tell(messages.zone_too_small())

    def _remove(self, left: tuple[Mark, ...]) -> None:
        """Keep only the zones `left`, and offer to undo that."""
        before = self.zones
        gone = [zone for zone in before if zone not in left]
        if not gone:
            self._banner.tell(messages.no_zone())
            return
        name = gone[0].name
        self._use(left)
        self._banner.tell(
            messages.zones_removed(
                (lambda: zone_text(name)) if len(gone) == 1 else messages.all_zones, lambda: self._undo(before)
            )
        )

    def _undo(self, before: tuple[Mark, ...]) -> None:
        self._banner.dismiss()
        self._use(before)

    def _use(self, zones: tuple[Mark, ...]) -> None:
        """Show, watch and keep these zones; where they cannot be kept they hold all the same."""
        self.zones = zones
        self._show(zones)
        if self._path is not None:
            with warned(self._banner):
                save_zones(zones, self._path)

    def _show(self, zones: tuple[Mark, ...]) -> None:
        self._view.set_zones(zones)
        self._session.watch(zones)
