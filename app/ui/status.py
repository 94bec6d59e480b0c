# SPDX-License-Identifier: Apache-2.0
"""The line below the picture: source, task, the network really in use with its bits and time, and what is on."""

from __future__ import annotations

import re
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar

from app.build import NetworkFacts
from app.ui.session import Session
from app.ui.theme import ACCENT, MUTED, RECORDING
from app.ui.view import VideoView
from app.ui.words import cycles_text, network_text, word

PADDING_PX, SPACING_PX = 8, 6
LEAST_SOURCE_PX = 150
"""Room that the name of the source keeps beside everything else; it ends in "..." where it does not fit."""


class StatusLine:
    """Labels in the status bar, written anew a few times a second. Main thread only."""

    def __init__(self, bar: QStatusBar) -> None:
        self.source, self.task, self.network, self.bits = QLabel(), QLabel(), QLabel(), QLabel()
        self.camera, self.recording = QLabel(), QLabel()
        self._bar = bar
        bar.setSizeGripEnabled(False)
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.source.setIndent(0)  # else half a letter, which `refresh` would have to know
        bar.addWidget(self.source, 1)
        self._always = (self.recording, self.camera, self.task, self.network)
        for label in (*self._always, self.bits):
            bar.addPermanentWidget(label)

    def refresh(self, session: Session, view: VideoView) -> None:
        """Write what is true now."""
        source = session.source_text() or QCoreApplication.translate("Status", "no source")
        self.source.setToolTip(source)
        self.task.setText(word(session.settings.task))
        numbers = view.numbers
        backend, precision = (
            numbers.backend or session.settings.backend,
            numbers.precision or session.settings.precision,
        )
        method = numbers.method or (session.settings.method if session.settings.task == "flow" else "")
        self.network.setText(network_text(method, backend, precision))
        self._show_bits(session.network_facts(backend, precision), backend)
        room_px = self.source.width() - 2 * PADDING_PX
        self.source.setText(self.source.fontMetrics().elidedText(source, Qt.TextElideMode.ElideRight, room_px))
        _lamp(self.camera, QCoreApplication.translate("Status", "camera"), session.is_camera_on, ACCENT)
        _lamp(self.recording, QCoreApplication.translate("Status", "recording"), session.is_recording, RECORDING)

    def _show_bits(self, facts: NetworkFacts | None, backend: str) -> None:
        """Show bits and time of the network: in words, else short, else not at all where there is no room."""
        if facts is None:
            self.bits.hide()
            return
        self.bits.setToolTip(f"{bits_tip(facts.bits)} {time_tip(facts)}")
        for text in network_texts(facts, backend):
            self.bits.setText(text)
            taken_px = sum(label.sizeHint().width() + SPACING_PX for label in (*self._always, self.bits))
            if taken_px + LEAST_SOURCE_PX <= self._bar.width():
                self.bits.show()
                return
        self.bits.hide()


def network_texts(facts: NetworkFacts, backend: str) -> list[str]:
    """Return what is said of a network, the longest text first; the time of a simulation is its unit's, not ours."""
    bits = [bits_text(facts.bits), bits_short(facts.bits)]
    if facts.cycles is not None:
        counted = cycles_text(backend, facts.cycles)
        return [*(f"{text} · {counted}" for text in bits), counted, cycles_text(backend, facts.cycles, is_short=True)]
    time = f" · {facts.ms_p50:.2f} ms" if facts.ms_p50 > 0 else ""
    return [text + time for text in bits]


def bits_text(bits: dict[str, Any]) -> str:
    """Return how many bits weights and activations have, by layer where the layers differ ("1/8")."""
    inner, first, last = _bit_pairs(bits)
    if _is_one_number(bits):
        return QCoreApplication.translate("Status", "all layers {0} bit").format(inner[0])
    shown = QCoreApplication.translate("Status", "weights {0} bit, activations {1} bit (first layer {2}, last {3})")
    return shown.format(*inner, "/".join(first), "/".join(last))


def bits_short(bits: dict[str, Any]) -> str:
    """Return the same in the notation of "W1A2"."""
    inner, first, last = _bit_pairs(bits)
    if _is_one_number(bits):
        return QCoreApplication.translate("Status", "{0} bit").format(inner[0])
    shown = QCoreApplication.translate("Status", "W{0} A{1}, first {2}, last {3}")
    return shown.format(*inner, "/".join(first), "/".join(last))


def bits_tip(bits: dict[str, Any]) -> str:
    """Return the same in words."""
    inner, first, last = _bit_pairs(bits)
    tip = QCoreApplication.translate(
        "Status",
        "Bits of one value. Inner layers: weights (W) {0}, activations (A) {1}. First layer: weights {2}, input {3}. "
        "Last layer: weights {4}, sums {5}.",
    )
    return tip.format(*inner, *first, *last)


def time_tip(facts: NetworkFacts) -> str:
    """Return what the time or the cycles are."""
    if facts.cycles is not None:
        return QCoreApplication.translate(
            "Status", "Cycles: of the last run, as the unit counted them, without ARM work."
        )
    return QCoreApplication.translate("Status", "Time: median run of this network over the last 1 s.")


def _bit_pairs(bits: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (weights, activations) inside, first and last; a card may give one number for both of a layer."""
    found = [re.findall(r"\d+", str(bits[part])) for part in ("first layer", "last layer")]
    return [(str(bits["weights"]), str(bits["activations"])), *((numbers[0], numbers[-1]) for numbers in found)]


def _is_one_number(bits: dict[str, Any]) -> bool:
    return len({number for pair in _bit_pairs(bits) for number in pair}) == 1


def _lamp(label: QLabel, name: str, is_on: bool, colour: str) -> None:
    """Show a filled dot in `colour` or an empty one; the word says it too, for those who see no colour."""
    text = f"● {name}" if is_on else f"○ {name}"
    if label.text() == text:
        return
    label.setText(text)
    state = QCoreApplication.translate("Status", "on") if is_on else QCoreApplication.translate("Status", "off")
    label.setAccessibleName(f"{name}: {state}")
    label.setStyleSheet(f"color: {colour if is_on else MUTED}; font-weight: {'bold' if is_on else 'normal'};")
