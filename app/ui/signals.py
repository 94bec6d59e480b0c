# SPDX-License-Identifier: Apache-2.0
"""From the worker threads to the main thread: words travel in queued signals, results wait in a one-place mailbox."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.frame import FrameResult
from app.runtime.latest import Latest
from app.runtime.pipeline import Listeners


class ProgramSignals(QObject):
    """What one program tells the window; lives in the main thread, where all public signals are emitted.

    After `silence` nothing more is emitted, also not what was already on its way from a worker.
    """

    result_ready = Signal()
    failed = Signal(str, str)  # thread name, sentence
    lost = Signal(str)  # sentence
    recovered = Signal()
    ended = Signal()

    _result_put = Signal()
    _worker_failed = Signal(str, str)
    _source_lost = Signal(str, bool)
    _stream_ended = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.results: Latest[FrameResult[Any]] = Latest()
        self._is_open = True
        queued = Qt.ConnectionType.QueuedConnection
        self._result_put.connect(self._forward_result, queued)
        self._worker_failed.connect(self._forward_failure, queued)
        self._source_lost.connect(self._forward_loss, queued)
        self._stream_ended.connect(self._forward_end, queued)

    def listeners(self) -> Listeners:
        """Return the four callbacks for a program; its worker threads call them."""
        return Listeners(self._publish, self._report, self._tell_loss, self._stream_ended.emit)

    def silence(self) -> None:
        """Main thread: stop emitting; a result that a worker still offers ends that worker quietly."""
        self._is_open = False
        self.results.close()

    def _publish(self, result: FrameResult[Any]) -> None:
        if self.results.put(result):
            self._result_put.emit()

    def _report(self, worker: str, error: Exception) -> None:
        self._worker_failed.emit(worker, str(error) or type(error).__name__)

    def _tell_loss(self, sentence: str | None) -> None:
        self._source_lost.emit(sentence or "", sentence is not None)

    @Slot()
    def _forward_result(self) -> None:
        if self._is_open:
            self.result_ready.emit()

    @Slot(str, str)
    def _forward_failure(self, worker: str, sentence: str) -> None:
        if self._is_open:
            self.failed.emit(worker, sentence)

    @Slot(str, bool)
    def _forward_loss(self, sentence: str, is_lost: bool) -> None:
        if not self._is_open:
            return
        if is_lost:
            self.lost.emit(sentence)
        else:
            self.recovered.emit()

    @Slot()
    def _forward_end(self) -> None:
        if self._is_open:
            self.ended.emit()
