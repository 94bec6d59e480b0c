# SPDX-License-Identifier: Apache-2.0
"""The language of the program: installed once, changed while it runs. Main thread only."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

TRANSLATIONS = Path(__file__).with_name("translations")


class Language:
    """Holds the translators of `language`; English needs none, because the sources are English."""

    def __init__(self) -> None:
        self._translators: list[QTranslator] = []

    def set(self, language: str) -> None:
        """Change every text; the widgets hear of it by a LanguageChange event."""
        for translator in self._translators:
            QCoreApplication.removeTranslator(translator)
        self._translators = []
        QLocale.setDefault(QLocale(language))
        if language == "en":
            return
        self._install(f"qtbase_{language}", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
        self._install(f"edge_vision_{language}", str(TRANSLATIONS))

    def _install(self, name: str, folder: str) -> None:
        translator = QTranslator()
        if translator.load(name, folder):
            QCoreApplication.installTranslator(translator)
            self._translators.append(translator)
