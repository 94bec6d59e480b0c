# SPDX-License-Identifier: Apache-2.0
"""The help overlay: every key of the table of actions, over the picture."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QLabel, QWidget

from app.ui.actions import ACTIONS
from app.ui.menus import keys_text
from app.ui.theme import ACCENT, LINE, MUTED, SURFACE, TEXT, font


class KeysOverlay(QLabel):
    """Lists keys and what they do; a click, H, ? or Esc closes it. Main thread only."""

    def __init__(self, parent: QWidget, actions: dict[str, QAction]) -> None:
        super().__init__(parent)
        self._ground, self._actions = parent, actions
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setStyleSheet(
            f"background: {SURFACE}; color: {TEXT}; border: 1px solid {LINE}; border-radius: 8px; padding: 14px;"
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        parent.installEventFilter(self)
        self.hide()

    def toggle(self) -> None:
        """Show the list or hide it; it takes the focus, so that Esc closes it and not the program."""
        self.setVisible(self.isHidden())
        if not self.isHidden():
            self.refresh()
            self.raise_()
            self.setFocus()

    def refresh(self) -> None:
        """Write the list, in the middle of the parent; a small parent gets smaller letters, no tips, two columns."""
        space, own_px = self._ground.size(), self._ground.font().pixelSize()
        for size_px, has_tips, n_columns in (
            (own_px, True, 1),
            (13, True, 1),
            (13, False, 1),
            (13, False, 2),
            (10, False, 2),
        ):
            self.setFont(font(size_px))
            self.setText(self._table(has_tips, n_columns))
            self.adjustSize()
            if self.width() <= space.width() and self.height() <= space.height():
                break
        self.resize(self.size().boundedTo(space))
        self.move((space.width() - self.width()) // 2, (space.height() - self.height()) // 2)

    def _table(self, has_tips: bool, n_columns: int) -> str:
        title = escape(QCoreApplication.translate("Keys", "Keys"))
        cells = [self._cells(spec.name, has_tips) for spec in ACTIONS]
        n_rows = -(-len(cells) // n_columns)
        rows = "".join(f"<tr>{''.join(cells[row::n_rows])}</tr>" for row in range(n_rows))
        return f"<h3 style='margin:0'>{title}</h3><table cellspacing='0' cellpadding='3'>{rows}</table>"

    def _cells(self, name: str, has_tip: bool) -> str:
        action = self._actions[name]
        key, text, tip = (escape(each) for each in (keys_text(action), action.text(), action.toolTip()))
        ink = TEXT if action.isEnabled() else MUTED
        last = f"<td style='color:{MUTED}'>{tip}</td>" if has_tip else ""
        return (
            f"<td style='color:{ACCENT};padding-right:14px'><b>{key}</b></td>"
            f"<td style='color:{ink};padding-right:14px'>{text}</td>{last}"
        )

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.refresh()
        return super().eventFilter(watched, event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()  # as ShortcutOverride: the key comes here instead of quitting
            if event.type() == QEvent.Type.KeyPress:
                self._actions["toggle_help"].trigger()
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._actions["toggle_help"].trigger()
