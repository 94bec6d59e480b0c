# SPDX-License-Identifier: Apache-2.0
"""The main window: what the user does becomes a change of the session, what the session tells becomes a banner."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QVBoxLayout

from app import choices
from app.build import Networks
from app.choices import Choice
from app.config import Settings, with_setting
from app.motion.zone_file import KeptZones
from app.ui import messages
from app.ui.actions import ACTIONS, TASK_PREFIX
from app.ui.banner import Banner
from app.ui.compare_switches import CompareSwitches
from app.ui.dialog import DropArea, choose_video
from app.ui.flow_switches import FlowSwitches
from app.ui.keys import KeysOverlay
from app.ui.language import Language
from app.ui.ledger_switches import LedgerSwitches
from app.ui.media_switches import MediaSwitches
from app.ui.menus import Menus, languages
from app.ui.messages import Ways, warned
from app.ui.model_panel import ModelSwitches
from app.ui.motion_switches import MotionSwitches
from app.ui.network_switches import NetworkSwitches
from app.ui.placement import place, saved_xywh, toggle_full_screen
from app.ui.session import Session, Startup, next_available
from app.ui.status import StatusLine
from app.ui.view import VideoView
from app.ui.why_panel import WhyPanel
from device.errors import AppError
from device.registry import prepare_backends

log = logging.getLogger(__name__)

START_AT_LATEST_MS = 300
"""The program is built after the empty window was painted, or after this time where nothing shows the window."""
KIOSK_TEXT_SCALE = 1.4
PIPELINE_WORKERS = ("capture", "inference")


class MainWindow(QMainWindow):
    """Owns the session and shows it. Main thread only; `start` builds the first program."""

    def __init__(
        self,
        networks: Networks,
        settings: Settings,
        save_settings: Callable[[Settings], None],
        startup: Startup | None = None,
        close_at_end: bool = False,
        zones: KeptZones | None = None,
    ) -> None:
        super().__init__()
        self.view, self.banner = VideoView(), Banner()
        self.session = Session(networks, settings, self.view.shown)
        self.error = ""  # the sentence of the failure that ended the last program, "" = none
        self._settings, self._save_settings, self._close_at_end = settings, save_settings, close_at_end
        self._startup: Startup | None = startup or Startup()
        self._ways = Ways(self.retry, self.open_file, self.open_source, self.banner.dismiss)
        self._language = Language()
        self._language.set(settings.lang)
        self._build_widgets()
        shown = self.view, self.session, self.banner
        self.flow = FlowSwitches(self.view, self.session.annotate, self.banner)
        self.motion = MotionSwitches(*shown, zones or KeptZones(), self._refresh_status)
        self.media = MediaSwitches(*shown, lambda: self._settings.media_folder)
        self.compare = CompareSwitches(*shown, self._startup.compare)
        self.ledger = LedgerSwitches(*shown, self, lambda: self._settings.media_folder)
        self.network = NetworkSwitches(self.session, self.banner, self.pick)
        self.models = ModelSwitches(self.view, self.session)
        self.switches = (self.flow, self.motion, self.media, self.network, self.models, self.compare, self.ledger)
        self.menus = Menus(self, self._commands())
        self._add_choices()
        self.keys = KeysOverlay(self.view, self.menus.actions)
        self.status = StatusLine(self.statusBar())
        self._apply_settings()
        self.retranslate()

    @property
    def settings(self) -> Settings:
        """What the user chose, as it would be saved now."""
        return self._settings

    def _build_widgets(self) -> None:
        centre = DropArea()
        centre.dropped.connect(self.open_source)
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.view, 1)
        self.setCentralWidget(centre)
        self.why = WhyPanel(self.view)
        self.view.pipeline_numbers = self.session.numbers
        self.view.shown_first.connect(self.start, Qt.ConnectionType.QueuedConnection)
        self.view.numbers_changed.connect(self._refresh_status)

    def _commands(self) -> dict[str, Callable[[], object]]:
        tasks = {TASK_PREFIX + c.value: partial(self.select_task, c.value) for c in choices.task_choices()}
        known: dict[str, Callable[[], object]] = {**tasks, "quit": self.close}
        for switches in self.switches:
            known |= switches.commands()
        return known | {spec.name: getattr(self, spec.name) for spec in ACTIONS if spec.name not in known}

    def _add_choices(self) -> None:
        picks: dict[str, Callable[[str], None]] = {"source": self.open_source, "lang": self.select_language}
        picked = ("backend", "precision", "method", "camera_motion", "tracker")
        picks |= {name: partial(self.pick, name) for name in picked}
        self.menus.add_choices(self.session, lambda: self._settings, picks)
        self.compare.add_menu(self.menus)

    def _apply_settings(self) -> None:
        settings = self._settings
        for choice in choices.task_choices():
            self.menus.set_reason(TASK_PREFIX + choice.value, choice.reason)
        self.menus.check("toggle_mirror", settings.mirror)
        self.menus.check("toggle_steady", settings.steady)
        self.view.set_mirrored(settings.mirror)
        self.view.text_scale = KIOSK_TEXT_SCALE if settings.kiosk else 1.0
        place(self, settings.kiosk, settings.window_xywh)

    # The program: start, change, failure, end.

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(START_AT_LATEST_MS, self, self.start)

    @Slot()
    def start(self) -> None:
        """Build and start the first program; a second call does nothing."""
        if self._startup is not None:
            startup, self._startup = self._startup, None
            prepare_backends()
            self._open(self._settings, startup)

    def open_source(self, source: str) -> None:
        """Close the program and start one with `source` ("demo", "camera:0", a path...)."""
        self._reopen(dataclasses.replace(self._settings, source=source))

    def retry(self) -> None:
        """Start again with the source that was asked for last."""
        self._reopen(self.session.settings)

    def _reopen(self, settings: Settings) -> None:
        recorded = self.media.finish_recording()
        trouble = self.session.close()
        self._open(settings, Startup())
        self.media.tell_saved(recorded)
        if trouble is not None:
            self.banner.tell(messages.warning(trouble))

    def _open(self, settings: Settings, startup: Startup) -> None:
        self.banner.withdraw()
        self.error = ""
        self.session.settings = settings
        if self.network.waits(settings, "open", partial(self._open, settings, startup)):
            return
        try:
            signals = self.session.open(settings, startup)
        except AppError as error:
            self._fail(str(error))
            return
        self._settings = dataclasses.replace(self._settings, source=settings.source, task=settings.task)
        self.view.follow(signals)
        signals.failed.connect(self._on_failed)
        signals.lost.connect(self._on_lost)
        signals.recovered.connect(self._on_recovered)
        signals.ended.connect(self._on_ended)
        self.compare.restart()
        self.session.start()
        if self.session.notice is not None:
            self.banner.tell(messages.no_camera(self.session.notice, self._ways))
        self._refresh_status()
        self.network.measure()

    def _fail(self, sentence: str) -> None:
        """The program could not be built or has ended by a failure: say so and offer the ways on."""
        self.error = sentence
        self.banner.tell(messages.failure(sentence, self._ways))
        self._refresh_status()
        if self._close_at_end:
            self.close()

    @Slot(str, str)
    def _on_failed(self, worker: str, sentence: str) -> None:
        log.error("%s: %s", worker, sentence)
        if worker in PIPELINE_WORKERS:
            self._fail(sentence)
            return
        if worker == "recorder":
            self.media.finish_recording()
        elif worker == "compare":
            self.compare.stop()
        self.banner.tell(messages.warning(sentence))

    @Slot(str)
    def _on_lost(self, sentence: str) -> None:
        self.view.set_lost(True)
        self.banner.tell(messages.lost(sentence, self._ways))

    @Slot()
    def _on_recovered(self) -> None:
        self.view.set_lost(False)
        self.banner.withdraw()

    @Slot()
    def _on_ended(self) -> None:
        if self.error:
            return
        if self._close_at_end:
            self.close()
            return
        recorded = self.media.finish_recording()
        self.banner.tell(messages.end_of_clip(self._ways))
        self.media.tell_saved(recorded)

    # What the user can do: one method an action of the table.

    def open_file(self) -> None:
        """Ask for a video file; the picture goes on meanwhile."""
        choose_video(self, self.open_source)

    def select_task(self, task: str) -> None:
        """Start again with another task on the same source."""
        if task != self.session.settings.task or self.session.program is None:
            self._reopen(dataclasses.replace(self.session.settings, task=task))
        self._refresh_status()

    def next_backend(self) -> None:
        """Go to the next backend that can be used here, or say why there is none."""
        self._pick_next("backend", self.session.backends)

    def next_precision(self) -> None:
        """Go to the next precision that can be used here, or say why there is none."""
        self._pick_next("precision", self.session.precisions)

    def next_method(self) -> None:
        """Go to the next flow method that can be used here, or say why there is none."""
        self._pick_next("method", self.session.methods)

    def _pick_next(self, name: str, listed: Callable[[], list[Choice]]) -> None:
        with warned(self.banner):
            self.pick(name, next_available(listed(), getattr(self._settings, name)))

    def pick(self, name: str, value: str) -> None:
        """Use another backend, precision, method or camera motion (`name`) from the next frame on, or say why not."""
        with warned(self.banner):
            wanted = with_setting(self.session.settings, name, value)
            if self.network.waits(wanted, "pick", partial(self.pick, name, value)):
                return
            self.session.pick(name, value)
            self._settings = with_setting(self._settings, name, value)
            self.banner.tell(messages.in_use(name, self._settings))
        if self.session.program is None and self.error:
            self.retry()
        self._refresh_status()

    def toggle_pause(self) -> None:
        """Hold the picture or go on."""
        self.session.pause(not self.session.is_paused)
        self._refresh_status()

    def toggle_full_screen(self) -> None:
        """Fill the screen with the picture, or go back."""
        self.menus.check("toggle_full_screen", toggle_full_screen(self, self._settings.kiosk))

    def toggle_mirror(self) -> None:
        """Show the picture as in a mirror, or as the camera sees it."""
        self._settings = dataclasses.replace(self._settings, mirror=not self._settings.mirror)
        self.view.set_mirrored(self._settings.mirror)
        self.menus.check("toggle_mirror", self._settings.mirror)

    def toggle_steady(self) -> None:
        """Take the shaking of the camera out of the picture, or show it as it comes."""
        self._settings = dataclasses.replace(self._settings, steady=not self._settings.steady)
        self.session.steady(self._settings.steady)
        self.menus.check("toggle_steady", self._settings.steady)

    def next_language(self) -> None:
        """Go to the other language."""
        self.select_language(next_available(languages(), self._settings.lang))

    def select_language(self, language: str) -> None:
        """Change every text at once."""
        self._settings = dataclasses.replace(self._settings, lang=language)
        self._language.set(language)
        self.retranslate()

    def toggle_help(self) -> None:
        """Show or hide the keys."""
        self.keys.toggle()
        self.menus.check("toggle_help", self.keys.isVisible())

    # What follows from it.

    def retranslate(self) -> None:
        """Write every text in the present language."""
        self.setWindowTitle(self.tr("Edge Vision"))
        self.menus.retranslate()
        self.banner.retranslate()
        self.view.retranslate()
        for switches in self.switches:
            switches.retranslate()
        self.keys.refresh()
        self._refresh_status()

    @Slot()
    def _refresh_status(self) -> None:
        session = self.session
        self.status.refresh(session, self.view)
        self.menus.check("toggle_pause", session.is_paused)
        for choice in choices.task_choices():
            self.menus.check(TASK_PREFIX + choice.value, choice.value == session.settings.task)
        for switches in self.switches:
            switches.show_in(self.menus, session.settings.task)
        self.view.set_notice(self._notice(), session.is_recording)

    def _notice(self) -> str:
        if self._startup is not None:
            return self.tr("starting...")
        paused = self.tr("paused") if self.session.is_paused else ""
        return self.tr("stopped") if self.error else paused

    def closeEvent(self, event: QCloseEvent) -> None:
        self._startup = None
        self.network.stop()
        self.models.panel.end()
        if not self._settings.kiosk:
            self._settings = dataclasses.replace(self._settings, window_xywh=saved_xywh(self))
        self.compare.close()
        self.session.close()
        try:
            self._save_settings(self._settings)
        except AppError as error:
            log.error("%s", error)
        super().closeEvent(event)
