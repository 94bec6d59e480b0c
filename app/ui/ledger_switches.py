# SPDX-License-Identifier: Apache-2.0
"""What the user can do with the latency ledger: show it beside the picture, save what the threads did."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow

from app.runtime.ledger import Summary
from app.ui import messages
from app.ui.banner import Banner
from app.ui.ledger_panel import LedgerPanel
from app.ui.media import free_path, media_folder
from app.ui.menus import Menus
from app.ui.messages import warned
from app.ui.session import Session
from app.ui.view import VideoView


class LedgerSwitches:
    """The panel in a dock at the right, closed at first. Main thread only."""

    def __init__(
        self, view: VideoView, session: Session, banner: Banner, window: QMainWindow, folder: Callable[[], str]
    ) -> None:
        """`folder` says where files go, "" = the user's pictures folder."""
        self._view, self._session, self._banner, self._folder = view, session, banner, folder
        self.panel = LedgerPanel(self.summary, lambda: view.numbers)
        self.dock = QDockWidget(window)
        self.dock.setWidget(self.panel)
        self.dock.setObjectName("ledger")
        self.dock.hide()
        self.dock.visibilityChanged.connect(lambda _is_visible: view.numbers_changed.emit())
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        view.on_painted = session.note_paint

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the table do here."""
        return {"toggle_ledger": self.toggle_ledger, "save_trace": self.save_trace}

    def toggle_ledger(self) -> None:
        """Show the ledger beside the picture, or hide it."""
        self.dock.setVisible(self.dock.isHidden())

    def save_trace(self) -> None:
        """Write what the threads did in the last minute, for Perfetto, and say where."""
        program = self._session.program
        if program is None:
            self._banner.tell(messages.nothing_to_save())
            return
        with warned(self._banner):
            path = free_path(media_folder(self._folder()), ".trace.json")
            program.write_trace(path)
            self._banner.tell(messages.saved(path))

    def show_in(self, menus: Menus, _task: str) -> None:
        """Check what is on."""
        menus.check("toggle_ledger", not self.dock.isHidden())

    def retranslate(self) -> None:
        """Write the words in the present language."""
        self.dock.setWindowTitle(QCoreApplication.translate("Ledger", "Latency"))
        if not self.dock.isHidden():
            self.panel.refresh()

    def summary(self) -> Summary | None:
        """Return the ledger of the present program, None where nothing was painted lately."""
        program = self._session.program
        return None if program is None else program.ledger.summary(time.monotonic_ns(), program.networks.runs())
