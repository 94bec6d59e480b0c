# SPDX-License-Identifier: Apache-2.0
"""Asking for a file, without stopping the picture; and files dropped on the window."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QMimeData, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QWidget

VIDEOS = "*.mp4 *.m4v *.mkv *.avi *.mov *.webm"


def choose_video(parent: QWidget, on_chosen: Callable[[str], None]) -> QFileDialog:
    """Open a file dialog and return at once; `on_chosen` gets the path if the user picks one."""
    dialog = QFileDialog(parent, QCoreApplication.translate("Dialog", "Open file"))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters(
        [
            QCoreApplication.translate("Dialog", "Videos ({0})").format(VIDEOS),
            QCoreApplication.translate("Dialog", "All files ({0})").format("*"),
        ]
    )
    dialog.fileSelected.connect(on_chosen)
    dialog.open()
    return dialog


class DropArea(QWidget):
    """A widget on which files can be dropped."""

    dropped = Signal(str)
    """The path of the first local file that was dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _first_file(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _first_file(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.dropped.emit(path)


def _first_file(mime: QMimeData) -> str | None:
    paths = [url.toLocalFile() for url in mime.urls() if url.isLocalFile()]
    return paths[0] if paths else None
