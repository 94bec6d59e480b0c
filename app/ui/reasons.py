# SPDX-License-Identifier: Apache-2.0
"""Why something cannot be used, in the present language: the other parts of the program give reasons in English."""

from __future__ import annotations

import re

from PySide6.QtCore import QCoreApplication

from app.ui.words import QT_TRANSLATE_NOOP, word

REASONS: tuple[str, ...] = (
    QT_TRANSLATE_NOOP("Reasons", "task {0} is not part of this version"),
    QT_TRANSLATE_NOOP("Reasons", "task {0} has no choice of method"),
    QT_TRANSLATE_NOOP("Reasons", "task {0} draws no flow"),
    QT_TRANSLATE_NOOP("Reasons", "task {0} tracks no faces"),
    QT_TRANSLATE_NOOP("Reasons", "task {0} tracks no people"),
    QT_TRANSLATE_NOOP("Reasons", "task {0} watches no zones"),
    QT_TRANSLATE_NOOP("Reasons", "task {0} counts nobody"),
    QT_TRANSLATE_NOOP("Reasons", "method {0} has no network"),
    QT_TRANSLATE_NOOP("Reasons", "nothing is measured in this run"),
    QT_TRANSLATE_NOOP("Reasons", "the GPU is being looked for; try again in a few seconds"),
    QT_TRANSLATE_NOOP("Reasons", "backend gpu finds no GPU here ({0}); use --backend auto"),
    QT_TRANSLATE_NOOP("Reasons", "{0} runs on the CPU from now on: {1}"),
    QT_TRANSLATE_NOOP(
        "Reasons",
        "no {0} network for task {1} here (there is no card {2}); use --method dis, or another --precision",
    ),
    QT_TRANSLATE_NOOP("Reasons", "no {0} network for task {1} here (there is no card {2}); use another --precision"),
    QT_TRANSLATE_NOOP("Reasons", "backend {0} is not part of this version; use --backend auto"),
    QT_TRANSLATE_NOOP("Reasons", "backend {0} does not run {1} networks; use --precision {2}, or --backend auto"),
    QT_TRANSLATE_NOOP("Reasons", "no accelerator here ({0})"),
    QT_TRANSLATE_NOOP("Reasons", "no simulated accelerator at {0}; build it with `make fpga-sim`"),
    QT_TRANSLATE_NOOP("Reasons", "the low-bit kernels are being built; try again in a few seconds"),
    QT_TRANSLATE_NOOP(
        "Reasons",
        "the low-bit kernels need a C compiler, and {0} cannot be started ({1}); "
        "install gcc, name one in CC, or set EDGE_LOWBIT=emulator, which is slow",
    ),
)
_PATTERNS = tuple(re.compile(re.sub(r"\\{\d\\}", "(.+)", re.escape(each))) for each in REASONS)


def reason_text(reason: str) -> str:
    """Return `reason` in the present language, as it is where it is not one of the known ones."""
    for source, pattern in zip(REASONS, _PATTERNS, strict=True):
        match = pattern.fullmatch(reason)
        shown = QCoreApplication.translate("Reasons", source)
        if match is not None and shown != source:
            return shown.format(*map(word, match.groups()))
    return reason
