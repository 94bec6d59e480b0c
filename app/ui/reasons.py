# SPDX-License-Identifier: Apache-2.0
"""Why something cannot be used, in the present language: the other parts of the program give reasons in English."""

from __future__ import annotations

import re

from PySide6.QtCore import QCoreApplication

from app.ui.words import QT_TRANSLATE_NOOP, word

REASONS: tuple[str, ...] = (
    QT_TRANSLATE_NOOP("Reasons", "task {0} is not part of this version"),
    QT_TRANSLATE_NOOP("Reasons", "backend {0} is not part of this version; use --backend cpu or auto"),
    QT_TRANSLATE_NOOP("Reasons", "there is no {0} expression network in this version; use --precision float or int8"),
)
_PATTERNS = tuple(re.compile(re.escape(each).replace(r"\{0\}", r"(\S+)")) for each in REASONS)


def reason_text(reason: str) -> str:
    """Return `reason` in the present language, as it is where it is not one of the known ones."""
    for source, pattern in zip(REASONS, _PATTERNS, strict=True):
        match = pattern.fullmatch(reason)
        shown = QCoreApplication.translate("Reasons", source)
        if match is not None and shown != source:
            return shown.format(word(match[1]))
    return reason
