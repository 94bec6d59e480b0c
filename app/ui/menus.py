# SPDX-License-Identifier: Apache-2.0
"""Menus and keys, built from the table of actions; lists of choices are greyed with the reason. Main thread only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from app import choices
from app.choices import Choice
from app.config import Settings
from app.ui.actions import ACTIONS, MENUS, ActionSpec, menu_title
from app.ui.reasons import reason_text
from app.ui.session import Session
from app.ui.words import QT_TRANSLATE_NOOP, word

LISTS = (
    ("file", "source", QT_TRANSLATE_NOOP("Menus", "Source"), "open_file"),
    ("network", "backend", QT_TRANSLATE_NOOP("Menus", "Backend"), "next_backend"),
    ("network", "precision", QT_TRANSLATE_NOOP("Menus", "Precision"), "next_precision"),
    ("network", "method", QT_TRANSLATE_NOOP("Menus", "Flow method"), "next_method"),
    ("motion", "camera_motion", QT_TRANSLATE_NOOP("Menus", "Tracking of faces"), "toggle_zones"),
    ("motion", "tracker", QT_TRANSLATE_NOOP("Menus", "Tracking of people"), "toggle_zones"),
    ("view", "lang", QT_TRANSLATE_NOOP("Menus", "Language"), "next_language"),
)
"""The lists of choices: their menu, setting, title, and the action they stand above."""


class ChoiceMenu(QMenu):
    """A list of which one is in use; asked for anew each time it opens."""

    def __init__(
        self, choices: Callable[[], Sequence[Choice]], current: Callable[[], str], pick: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._choices, self._current, self._pick = choices, current, pick
        self._group: QActionGroup | None = None
        self.setToolTipsVisible(True)
        self.aboutToShow.connect(self.refill)

    def refill(self) -> None:
        """Ask for the choices and list them."""
        self.clear()
        self._group = QActionGroup(self)
        for choice in self._choices():
            self._add(choice, self._group)

    def _add(self, choice: Choice, group: QActionGroup) -> None:
        action = self.addAction(word(choice.label))
        action.setObjectName(choice.value)
        action.setCheckable(True)
        action.setChecked(choice.value == self._current())
        grey_out(action, choice.reason, word(choice.label))
        action.triggered.connect(lambda _checked=False, value=choice.value: self._pick(value))
        group.addAction(action)


def grey_out(action: QAction, reason: str | None, tip: str) -> None:
    """Disable `action` and say why, or enable it with its own tip (`reason` None)."""
    action.setEnabled(reason is None)
    shown = tip if reason is None else reason_text(reason)
    action.setStatusTip(shown)
    action.setToolTip(shown)


class Menus:
    """The menu bar of `window`. Keys also work where the bar is hidden, because the window holds every action."""

    def __init__(self, window: QMainWindow, commands: dict[str, Callable[[], object]]) -> None:
        self.actions: dict[str, QAction] = {}
        self._reasons: dict[str, str | None] = {}
        self._lent: dict[str, str] = {}  # key -> the action that has it for now
        self._submenus: list[tuple[QMenu, Callable[[], str]]] = []
        self.menus = {name: window.menuBar().addMenu("") for name in MENUS}
        for name, menu in self.menus.items():
            menu.setObjectName(name)
            menu.setToolTipsVisible(True)
        for spec in ACTIONS:
            self._add(window, spec, commands[spec.name])
        self.retranslate()

    def _add(self, window: QMainWindow, spec: ActionSpec, command: Callable[[], object]) -> None:
        action = QAction(window)
        action.setObjectName(spec.name)
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        action.setCheckable(spec.is_checkable)
        action.setAutoRepeat(False)
        action.triggered.connect(lambda _checked=False: command())
        self.menus[spec.menu].addAction(action)
        window.addAction(action)
        self.actions[spec.name] = action

    def add_submenu(self, menu: str, submenu: ChoiceMenu, title: Callable[[], str], before: str) -> None:
        """Put a list of choices into `menu`, above the action named `before`."""
        submenu.setParent(self.menus[menu], submenu.windowFlags())
        self.menus[menu].insertMenu(self.actions[before], submenu)
        self._submenus.append((submenu, title))
        submenu.setTitle(title())

    def add_choices(
        self, session: Session, settings: Callable[[], Settings], picks: dict[str, Callable[[str], None]]
    ) -> None:
        """Add the lists of choices; `picks` has what to do with the one picked, by the name of the setting."""
        of_session = (session.backends, session.precisions, session.methods, session.camera_motions, session.trackers)
        listed = (choices.source_choices, *of_session, languages)
        for (menu, name, text, before), choices_now in zip(LISTS, listed, strict=True):
            submenu = ChoiceMenu(choices_now, partial(setting, settings, name), picks[name])
            self.add_submenu(menu, submenu, partial(QCoreApplication.translate, "Menus", text), before)

    def set_reason(self, name: str, reason: str | None) -> None:
        """Grey an action of the table with the reason why it cannot be used here, None = it can."""
        if self._reasons.get(name) != reason:
            self._reasons[name] = reason
            self.retranslate()

    def check(self, name: str, is_checked: bool) -> None:
        self.actions[name].setChecked(is_checked)

    def lend_key(self, key: str, owner: str, user: str) -> None:
        """Let `key` of the action `owner` do the action `user` for now; the owner as user gets it back."""
        before, self._lent[key] = self._lent.get(key, owner), user
        if before == user:
            return
        for spec in (each for each in ACTIONS if each.name in (before, user)):
            keys = [each for each in spec.keys if each != key] + ([key] if spec.name == user else [])
            self.actions[spec.name].setShortcuts([QKeySequence(each) for each in keys])

    def retranslate(self) -> None:
        """Write every text in the present language."""
        for name, menu in self.menus.items():
            menu.setTitle(menu_title(name))
        for submenu, title in self._submenus:
            submenu.setTitle(title())
        for spec in ACTIONS:
            action = self.actions[spec.name]
            action.setText(spec.shown_text())
            grey_out(action, self._reasons.get(spec.name), spec.shown_tip())


def setting(settings: Callable[[], Settings], name: str) -> str:
    """Return the present value of a setting."""
    return str(getattr(settings(), name))


def languages() -> list[Choice]:
    """Return the languages of the program, each by its own name."""
    return [Choice("en", "English"), Choice("ja", "日本語")]


def keys_text(action: QAction) -> str:
    """Return the keys of an action as they are written on a keyboard ("Q, Esc")."""
    return ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
