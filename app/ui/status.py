# SPDX-License-Identifier: Apache-2.0
"""The line below the picture: source, task, the networks really in use, and whether a camera or a recording is on."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar

from app.ui.session import Session
from app.ui.theme import ACCENT, MUTED, RECORDING
from app.ui.view import VideoView
from app.ui.words import word


class StatusLine:
    """Labels in the status bar, written anew a few times a second. Main thread only."""

    def __init__(self, bar: QStatusBar) -> None:
        self.source, self.task, self.network = QLabel(), QLabel(), QLabel()
        self.camera, self.recording = QLabel(), QLabel()
        bar.setSizeGripEnabled(False)
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        bar.addWidget(self.source, 1)
        for label in (self.recording, self.camera, self.task, self.network):
            bar.addPermanentWidget(label)

    def refresh(self, session: Session, view: VideoView) -> None:
        """Write what is true now."""
        source = session.source_text() or QCoreApplication.translate("Status", "no source")
        self.source.setText(source)
        self.source.setToolTip(source)
        self.task.setText(word(session.settings.task))
        numbers = view.numbers
        backend, precision = (
            numbers.backend or session.settings.backend,
            numbers.precision or session.settings.precision,
        )
        self.network.setText(f"{word(backend)} · {word(precision)}")
        _lamp(self.camera, QCoreApplication.translate("Status", "camera"), session.is_camera_on, ACCENT)
        _lamp(self.recording, QCoreApplication.translate("Status", "recording"), session.is_recording, RECORDING)


def _lamp(label: QLabel, name: str, is_on: bool, colour: str) -> None:
    """Show a filled dot in `colour` or an empty one; the word says it too, for those who see no colour."""
    text = f"● {name}" if is_on else f"○ {name}"
    if label.text() == text:
        return
    label.setText(text)
    state = QCoreApplication.translate("Status", "on") if is_on else QCoreApplication.translate("Status", "off")
    label.setAccessibleName(f"{name}: {state}")
    label.setStyleSheet(f"color: {colour if is_on else MUTED}; font-weight: {'bold' if is_on else 'normal'};")
