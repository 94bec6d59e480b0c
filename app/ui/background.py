# SPDX-License-Identifier: Apache-2.0
"""Steps that take longer than a frame, such as opening a network: done in a thread, told to the main thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot

from device.errors import AppError

Told = Callable[[AppError | None], None]
CLOSE_TIMEOUT_S = 2.0


class Background(QObject):
    """Main thread only; steps run one after another in the order given."""

    _ended = Signal(object, object)  # Told, AppError | None

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None
        self._is_open = True
        self._ended.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    def run(self, step: Callable[[], object], then: Told) -> None:
        """Do `step` in a thread, then call `then` in the main thread with its AppError, None = it went well."""
        before = self._thread

        def work() -> None:
            if before is not None:
                before.join()
            error: AppError | None = None
            try:
                step()
            except AppError as failure:
                error = failure
            self._ended.emit(then, error)

        self._thread = threading.Thread(target=work, name="background")
        self._thread.start()

    def close(self) -> None:
        """Tell nothing more, and wait a little for what is going on."""
        self._is_open = False
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    @Slot(object, object)
    def _tell(self, then: Told, error: AppError | None) -> None:
        if self._is_open:
            then(error)
