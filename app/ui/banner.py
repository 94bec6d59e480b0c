# SPDX-License-Identifier: Apache-2.0
"""One line over the picture that says what happened and offers what to do; never a modal dialog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

NOTE_MS = 8000

Text = Callable[[], str]
"""Gives a text in the present language, so that a message on the screen can change its language."""


@dataclass(frozen=True)
class Message:
    """What a banner says. A note goes away by itself; a warning stands until it is answered or withdrawn."""

    text: Text
    buttons: tuple[tuple[Text, Callable[[], None]], ...] = ()
    is_note: bool = False


class BannerButton(QPushButton):
    """A button that Return presses too: Space holds the picture, wherever the focus is."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)


class Banner(QFrame):
    """Shows the present note, else the standing warning, else nothing. Main thread only."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._standing: Message | None = None
        self._note: Message | None = None
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(14, 8, 8, 8)
        self._row = QHBoxLayout()
        self._row.addStretch(1)
        self._layout.addWidget(self._label, 1)
        self._layout.addLayout(self._row)
        self._buttons: list[QPushButton] = []
        self._timer = QTimer(self, singleShot=True, interval=NOTE_MS)
        self._timer.timeout.connect(self._end_note)
        self.hide()

    @property
    def text(self) -> str:
        """The text on the screen, "" where there is none."""
        return "" if self._shown is None else self._label.text()

    @property
    def buttons(self) -> list[QPushButton]:
        """The buttons on the screen; the last one dismisses the banner."""
        return list(self._buttons)

    def tell(self, message: Message) -> None:
        """Show `message`; a note covers a warning for a while, a warning replaces everything."""
        if message.is_note:
            self._note = message
            self._timer.start()
        else:
            self._standing, self._note = message, None
        self.retranslate()

    def withdraw(self) -> None:
        """The reason for the standing warning is gone."""
        self._standing = None
        self.retranslate()

    def dismiss(self) -> None:
        """Remove what is shown."""
        if self._note is not None:
            self._note = None
        else:
            self._standing = None
        self.retranslate()

    def retranslate(self) -> None:
        """Show the present message in the present language."""
        for button in self._buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = []
        message = self._shown
        self.setVisible(message is not None)
        if message is not None:
            self._fill(message)

    @property
    def _shown(self) -> Message | None:
        return self._note or self._standing

    def _fill(self, message: Message) -> None:
        self._label.setText(message.text())
        self.setAccessibleName(message.text())
        self.setProperty("kind", "note" if message.is_note else "warning")
        self.style().polish(self)
        for label, press in message.buttons:
            self._add_button(label(), label(), press)
        self._add_button("✕", self.tr("Dismiss"), self.dismiss)
        self._arrange()

    def _add_button(self, text: str, name: str, press: Callable[[], None]) -> None:
        button = BannerButton(text)
        button.setAccessibleName(name)
        button.setToolTip(name)
        button.clicked.connect(lambda _checked=False: press())
        self._row.addWidget(button)
        self._buttons.append(button)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Put the buttons below the text where they would leave it less than half of the width."""
        is_narrow = self._row.sizeHint().width() > self.width() / 2
        direction = QBoxLayout.Direction.TopToBottom if is_narrow else QBoxLayout.Direction.LeftToRight
        self._layout.setDirection(direction)

    def _end_note(self) -> None:
        self._note = None
        self.retranslate()
