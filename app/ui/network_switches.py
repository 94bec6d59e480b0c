# SPDX-License-Identifier: Apache-2.0
"""What of the networks takes seconds, in threads of their own: a GPU that is opened, backends that are measured.

And what the user is told of it: that it goes on, which backend is the fastest, that the CPU took over from a GPU.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot

from app.config import Settings
from app.measured import Measured, Verdict
from app.ui import messages
from app.ui.banner import Banner, Message
from app.ui.menus import Menus
from app.ui.session import Session
from app.ui.words import word
from device.errors import AppError

END_LIMIT_S = 2.0


class NetworkSwitches(QObject):
    """Opens, measures and tells. Main thread only, but for what the threads emit."""

    _opened = Signal()
    _demoted = Signal(str)
    _measures = Signal(str, str)  # precision, backend
    _measured = Signal(str, bool, str)  # task, whether anything was measured, what failed

    def __init__(self, session: Session, banner: Banner, pick: Callable[[str, str], None]) -> None:
        """`pick` uses another backend, as if the user had picked it."""
        super().__init__(banner)
        self._session, self._banner, self._pick = session, banner, pick
        self._waiting: dict[str, Callable[[], None]] = {}
        self._opener: threading.Thread | None = None
        self._measurer: threading.Thread | None = None
        self._is_stopped = threading.Event()
        self._untold: Message | None = None
        self._known: set[str] = set()  # tasks that were measured, or looked up, in this run
        queued = Qt.ConnectionType.QueuedConnection
        self._opened.connect(self._go_on, queued)
        self._demoted.connect(self._tell_demotion, queued)
        self._measures.connect(self._tell_progress, queued)
        self._measured.connect(self._tell_verdict, queued)
        session.networks.on_demoted = self._demoted.emit

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the table do here."""
        return {"measure_backends": self.measure_anew}

    def show_in(self, menus: Menus, _task: str) -> None:
        """Grey out what has nothing to do, with the reason."""
        is_off = self._session.networks.measured is None
        menus.set_reason("measure_backends", "nothing is measured in this run" if is_off else None)

    def retranslate(self) -> None:
        """The banner changes its texts itself."""

    def waits(self, settings: Settings, what: str, then: Callable[[], None]) -> bool:
        """Return whether `then` has to wait for a network that is being opened; it is called afterwards.

        Of several calls for the same `what` the last one counts.
        """
        networks = self._session.networks
        wanted = settings.task, settings.backend, settings.precision
        has_network = settings.task != "flow" or settings.method == "net"
        if self._opener is None and not (has_network and networks.is_slow_to_open(*wanted)):
            return False
        self._waiting[what] = then
        if self._opener is None:
            self._banner.tell(preparing())
            self._opener = threading.Thread(target=self._open, args=wanted, name="gpu")
            self._opener.start()
        return True

    def _open(self, task: str, backend: str, precision: str) -> None:
        """Thread of its own; bounded by what the backend waits for its driver."""
        try:
            self._session.networks.prepare(task, backend, precision)
        finally:
            self._opened.emit()

    @Slot()
    def _go_on(self) -> None:
        if self._opener is not None:
            self._opener.join(END_LIMIT_S)
        self._opener = None
        waiting, self._waiting = self._waiting, {}
        if self._is_stopped.is_set():
            return
        if "open" in waiting:
            self._banner.dismiss()
        for what in ("open", "pick"):
            if what in waiting:
                waiting[what]()
        verdict, self._untold = self._untold, None
        if verdict is not None:
            self._banner.tell(verdict)

    def measure(self) -> None:
        """Measure the present task's networks, unless that was done on this computer."""
        measured, task = self._session.networks.measured, self._session.settings.task
        if measured is None or task in self._known or self._measurer is not None:
            return
        self._known.add(task)
        self._measurer = threading.Thread(target=self._measure, args=(measured, task), name="measure")
        self._measurer.start()

    def measure_anew(self) -> None:
        """Measure the present task's networks once more."""
        measured, networks = self._session.networks.measured, self._session.networks
        if measured is not None and self._measurer is None:
            measured.forget()
            networks.demoted.clear()  # a driver may have been updated
            self._known.clear()
            self.measure()

    def _measure(self, measured: Measured, task: str) -> None:
        """Thread of its own."""
        told: list[str] = []

        def tell(precision: str, backend: str) -> None:
            told.append(backend)
            self._measures.emit(precision, backend)

        failure = ""
        try:
            measured.measure(task, tell, self._is_stopped.is_set)
        except AppError as error:  # a network file that is missing: the task itself says so too
            failure = str(error)
        finally:
            self._measured.emit(task, bool(told), failure)

    @Slot(str, str)
    def _tell_progress(self, precision: str, backend: str) -> None:
        if not self._is_stopped.is_set():
            self._banner.tell(measuring(precision, backend))

    @Slot(str, bool, str)
    def _tell_verdict(self, task: str, is_new: bool, failure: str) -> None:
        if self._measurer is not None:
            self._measurer.join(END_LIMIT_S)
        self._measurer = None
        measured, settings = self._session.networks.measured, self._session.settings
        if self._is_stopped.is_set() or measured is None or settings.task != task:
            return
        if failure:
            self._banner.tell(messages.warning(failure))
            return
        verdict = measured.verdict(task, settings.precision)
        program = self._session.program
        if verdict is None or program is None:
            return
        if settings.backend == "auto" and program.task.in_use.backend != verdict.backend:
            self._pick("backend", "auto")
        if is_new and self._opener is not None:  # its own message comes in between
            self._untold = verdict_message(verdict)
        elif is_new:
            self._banner.tell(verdict_message(verdict))

    @Slot(str)
    def _tell_demotion(self, sentence: str) -> None:
        if self._is_stopped.is_set():
            return
        if self._session.settings.backend == "gpu":
            self._pick("backend", "auto")  # which passes over what failed; "cpu" would keep T from w1a2
        self._banner.tell(messages.warning(sentence))

    def stop(self) -> None:
        """Begin nothing more and wait a little for what goes on; a driver that hangs is left alone."""
        self._is_stopped.set()
        for thread in (self._opener, self._measurer):
            if thread is not None:
                thread.join(END_LIMIT_S)


def preparing() -> Message:
    """A network is being opened on a GPU."""
    return Message(
        lambda: QCoreApplication.translate("Networks", "Preparing the GPU and comparing it with the CPU..."),
        is_note=True,
    )


def measuring(precision: str, backend: str) -> Message:
    """A network is being timed."""
    return Message(
        lambda: QCoreApplication.translate("Networks", "Measuring which backend is the fastest: {0} on {1}...").format(
            word(precision), word(backend)
        ),
        is_note=True,
    )


def verdict_message(verdict: Verdict) -> Message:
    """Which backend is used because it is the fastest, and how the other precisions compare."""
    return Message(partial(verdict_text, verdict), is_note=True)


def verdict_text(verdict: Verdict) -> str:
    """Return the sentence in the present language."""
    others = "".join(f", {word(name)} {ms:.2f} ms" for name, ms in verdict.others)
    used = QCoreApplication.translate("Networks", "{0}, {1}: {2} is used ({3} ms{4}).")
    text = used.format(word(verdict.task), word(verdict.precision), word(verdict.backend), f"{verdict.ms:.2f}", others)
    for precision, backend, ratio in verdict.precisions:
        if ratio > 1:
            shown = QCoreApplication.translate("Networks", "{0} ({1}) is {2}x slower than {3} here: {3} is used.")
        else:
            shown = QCoreApplication.translate("Networks", "{0} ({1}) is {2}x faster than {3} here.")
        times = f"{max(ratio, 1 / ratio):.1f}"
        text += " " + shown.format(word(precision), word(backend), times, word(verdict.precision))
    return text
