# SPDX-License-Identifier: Apache-2.0
"""The status line says how many bits each part of the network has and how long it takes, where there is room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QMainWindow
from pytestqt.qtbot import QtBot

from app.build import NetworkFacts, Networks
from app.config import Settings
from app.output.stats import Display
from app.runtime.meters import Percentiles
from app.ui.language import Language
from app.ui.placement import FIRST_SIZE_WH
from app.ui.reasons import REASONS, reason_text
from app.ui.session import Session
from app.ui.status import StatusLine, bits_short, bits_text, bits_tip, time_tip
from app.ui.theme import font
from app.ui.view import VideoView
from device.backend import Cycles
from models.card import load_card

PRECISIONS = ("float", "int8", "w1a2")
SOURCE = "demo (demo_face.mp4) · 640×360 · 23.98 fps"


def bits(precision: str) -> dict[str, Any]:
    found: dict[str, Any] = load_card(f"expression_{precision}").fields["bits"]
    return found


class Line:
    """A window with a status line alone, for a network of which everything is known."""

    def __init__(self, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, precision: str, backend: str) -> None:
        self.window, self.view = QMainWindow(), VideoView()
        for widget in (self.window, self.view):
            qtbot.addWidget(widget)
        self.window.statusBar().setFont(font(14))
        self.status = StatusLine(self.window.statusBar())
        settings = Settings(precision=precision, backend=backend)
        self.session = Session(Networks(), settings, lambda: Display(0, Percentiles()))
        self.facts: NetworkFacts | None = NetworkFacts(bits(precision), 0.1934)
        monkeypatch.setattr(self.session, "network_facts", lambda backend, precision: self.facts)
        monkeypatch.setattr(self.session, "source_text", lambda: SOURCE)
        self.window.show()

    def at(self, width_px: int) -> str:
        """Return what the line says of the network at that width, "" where it leaves it out."""
        self.window.resize(width_px, 300)
        for _ in range(2):  # the first makes the layout, the second has its widths
            self.status.refresh(self.session, self.view)
            QApplication.processEvents()
        return self.status.bits.text() if self.status.bits.isVisible() else ""


@pytest.fixture(params=["en", "ja"])
def language(request: pytest.FixtureRequest, qtbot: QtBot) -> Iterator[str]:
    chosen = Language()
    chosen.set(request.param)
    yield request.param
    chosen.set("en")


def test_bits_in_words_and_short(qtbot: QtBot) -> None:
    assert [bits_text(bits(p)) for p in PRECISIONS[:2]] == ["all layers 32 bit", "all layers 8 bit"]
    assert [bits_short(bits(p)) for p in PRECISIONS[:2]] == ["32 bit", "8 bit"]
    assert bits_text(bits("w1a2")) == "weights 1 bit, activations 2 bit (first layer 3/8, last 4/24)"
    assert bits_short(bits("w1a2")) == "W1 A2, first 3/8, last 4/24"
    assert "First layer: weights 3, input 8. Last layer: weights 4, sums 24." in bits_tip(bits("w1a2"))


def test_mixed_network_shows_each_part(qtbot: QtBot) -> None:
    mixed = {"weights": 4, "activations": 8, "first layer": 8, "last layer": "16, sums 32"}
    assert bits_short(mixed) == "W4 A8, first 8/8, last 16/32"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_fits_at_the_size_of_the_first_start(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, language: str, precision: str
) -> None:
    line = Line(qtbot, monkeypatch, precision, "lowbit" if precision == "w1a2" else "cpu")
    shown = line.at(FIRST_SIZE_WH[0])
    assert shown.endswith(" · 0.19 ms")
    labels = [*line.status._always, line.status.bits, line.status.source]
    for label in labels:
        assert label.isVisible()
        assert label.geometry().right() <= FIRST_SIZE_WH[0]
    assert all(label.width() >= label.sizeHint().width() for label in labels[:-1])
    assert line.status.source.toolTip() == SOURCE


def test_words_where_there_is_room_and_nothing_where_there_is_none(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(qtbot, monkeypatch, "w1a2", "lowbit")
    shown = [line.at(width_px) for width_px in range(440, 1801, 40)]
    words = "weights 1 bit, activations 2 bit (first layer 3/8, last 4/24) · 0.19 ms"
    assert list(dict.fromkeys(shown)) == ["", "W1 A2, first 3/8, last 4/24 · 0.19 ms", words]
    assert shown == sorted(shown, key=len)
    line.at(440)
    assert line.status.source.text() != SOURCE
    assert line.status.network.text() == "CPU, low-bit · W1A2"


CYCLES = Cycles(41_222, 100_000_000)
TIMES = {
    ("fpga-sim", "en"): "41,222 cycles = 0.41 ms at 100 MHz",
    ("fpga-sim", "ja"): "41,222 サイクル = 0.41 ms (100 MHz)",
    ("fpga", "en"): "41,222 cycles = 0.41 ms",
    ("fpga", "ja"): "41,222 サイクル = 0.41 ms",
}


@pytest.mark.parametrize("backend", ["fpga", "fpga-sim"])
def test_an_accelerator_shows_cycles_at_the_size_of_the_first_start(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, language: str, backend: str
) -> None:
    line = Line(qtbot, monkeypatch, "w1a2", backend)
    line.facts = NetworkFacts(bits("w1a2"), 190.0, CYCLES)
    assert line.at(FIRST_SIZE_WH[0]).endswith(TIMES[backend, language])
    assert "190" not in line.at(FIRST_SIZE_WH[0])


def test_a_simulated_accelerator_says_so_beside_its_cycles(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(qtbot, monkeypatch, "w1a2", "fpga-sim")
    line.facts = NetworkFacts(bits("w1a2"), 190.0, CYCLES)
    assert line.at(1800).endswith(" · simulated accelerator: 41,222 cycles = 0.41 ms at 100 MHz")
    assert line.status.network.text() == "FPGA, simulated · W1A2"
    assert "without ARM work" in time_tip(line.facts)
    assert "without ARM work" in line.status.bits.toolTip()


def test_what_is_not_known_is_left_out(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(qtbot, monkeypatch, "w1a2", "lowbit")
    line.facts = NetworkFacts(bits("w1a2"), 0.0)
    assert line.at(1800).endswith("last 4/24)")
    line.facts = None
    assert line.at(1800) == ""


@pytest.mark.parametrize("reason", REASONS)
def test_known_reasons_are_translated_with_their_names(qtbot: QtBot, reason: str) -> None:
    filled = reason.format("cpu", "w1a2", "float")
    assert reason_text(filled) == filled
    language = Language()
    language.set("ja")
    try:
        assert reason_text(filled) != filled
        assert "{" not in reason_text(filled)
        assert reason_text("something else") == "something else"
    finally:
        language.set("en")
