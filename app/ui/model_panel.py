# SPDX-License-Identifier: Apache-2.0
"""The model panel: what the networks of the task are, and on request what goes on between their low-bit layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from html import escape

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QDialog, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.model_facts import ModelFacts, layers_of, model_facts
from app.ui.background import Background
from app.ui.menus import Menus
from app.ui.reasons import reason_text
from app.ui.session import Session
from app.ui.status import bits_text
from app.ui.theme import LINE, MUTED, SURFACE, TEXT
from app.ui.view import VideoView
from app.ui.words import QT_TRANSLATE_NOOP, word
from device.errors import AppError
from device.lowbit.layer_codes import LayerCodes
from models.results import Image

REFRESH_MS = 1000
SIZE_PX = (760, 560)
PICTURE_PX = 700
"""About as wide are the pictures of a layer's channels."""
CODE_GREY = 85
"""Codes 0..3 become black to white."""
DASH = "–"
ROWS: dict[str, str] = {
    "task": QT_TRANSLATE_NOOP("Models", "task"),
    "bits": QT_TRANSLATE_NOOP("Models", "bits"),
    "parameters": QT_TRANSLATE_NOOP("Models", "parameters"),
    "macs": QT_TRANSLATE_NOOP("Models", "multiply-adds"),
    "bytes": QT_TRANSLATE_NOOP("Models", "bytes"),
    "accuracy": QT_TRANSLATE_NOOP("Models", "accuracy"),
    "conditions": QT_TRANSLATE_NOOP("Models", "measured on"),
    "ms": QT_TRANSLATE_NOOP("Models", "ms here"),
    "licence": QT_TRANSLATE_NOOP("Models", "licence"),
    "sha256": QT_TRANSLATE_NOOP("Models", "file (sha256)"),
}


class ModelSwitches(QObject):
    """The key of the panel. Main thread only."""

    def __init__(self, view: VideoView, session: Session) -> None:
        super().__init__(view)
        self.panel = ModelPanel(view, session)
        self.panel.finished.connect(lambda _code: view.numbers_changed.emit())

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what the actions of the table do here."""
        return {"toggle_models": self.toggle_models}

    def toggle_models(self) -> None:
        """Show what is known of the networks, or close that."""
        self.panel.setVisible(self.panel.isHidden())

    def show_in(self, menus: Menus, _task: str) -> None:
        """Check what is on."""
        menus.check("toggle_models", self.panel.isVisible())

    def retranslate(self) -> None:
        """Write the panel in the present language."""
        self.panel.refresh()


class ModelPanel(QDialog):
    """A window of its own beside the picture, which goes on. Main thread only."""

    def __init__(self, view: VideoView, session: Session) -> None:
        super().__init__(view)
        self._view, self._session, self._background = view, session, Background(self)
        self._shown: list[QLabel] = []
        self._note: Callable[[], str] = str
        self.setModal(False)
        self.setStyleSheet(f"background: {SURFACE}; color: {TEXT};")
        self.resize(*SIZE_PX)
        self.table, self.note, self.button = QLabel(), QLabel(), QPushButton()
        self.table.setTextFormat(Qt.TextFormat.RichText)
        for label in (self.table, self.note):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button.clicked.connect(self.look)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        for widget in (self.table, self.button, self.note):
            self._column.addWidget(widget)
        self._pictures = QVBoxLayout()
        self._column.addLayout(self._pictures)
        self._column.addStretch(1)
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        QVBoxLayout(self).addWidget(area)
        self._timer = QTimer(self, interval=REFRESH_MS)
        self._timer.timeout.connect(self.refresh)

    def setVisible(self, visible: bool) -> None:
        super().setVisible(visible)
        if visible:
            self._timer.start()
            self.refresh()
        else:
            self._timer.stop()

    def done(self, code: int) -> None:
        super().done(code)
        self._timer.stop()

    def refresh(self) -> None:
        """Write what is known now."""
        if self.isHidden():
            return
        self.setWindowTitle(QCoreApplication.translate("Models", "Models"))
        self.button.setText(QCoreApplication.translate("Models", "Layers of the W1A2 network on this picture"))
        self.note.setText(self._note())
        try:
            self.table.setText(table(model_facts(self._session.settings.task, self._session.networks)))
        except AppError as error:
            self.table.setText(escape(str(error)))

    def look(self) -> None:
        """Run the low-bit network on the picture on the screen, in the background, and show its layers."""
        result, found = self._view.result, list[LayerCodes]()
        if result is None:
            self._tell(nothing_to_look_at)
            return
        self.button.setEnabled(False)
        self._background.run(lambda: found.extend(layers_of(result)), partial(self._show, found))

    def _show(self, found: list[LayerCodes], error: AppError | None) -> None:
        self.button.setEnabled(True)
        for shown in self._shown:
            self._pictures.removeWidget(shown)
            shown.deleteLater()
        self._shown = []
        if error is not None:
            sentence = str(error)
            self._tell(lambda: reason_text(sentence))
            return
        self._tell(nothing_to_look_at if not found else partial(sparsity_text, found))
        for layer in found:
            self._add(layer)

    def _add(self, layer: LayerCodes) -> None:
        caption, picture = QLabel(layer_text(layer)), QLabel()
        mosaic = channel_mosaic(layer.codes)
        height, width = mosaic.shape
        image = QImage(mosaic.data, width, height, width, QImage.Format.Format_Grayscale8).copy()
        scale = max(1, PICTURE_PX // max(width, 1))
        picture.setPixmap(QPixmap.fromImage(image.scaled(width * scale, height * scale)))
        picture.setAccessibleName(caption.text())
        for label in (caption, picture):
            self._pictures.addWidget(label)
            self._shown.append(label)

    def _tell(self, note: Callable[[], str]) -> None:
        self._note = note
        self.note.setText(note())

    def end(self) -> None:
        """Wait a little for what is being looked at; the window closes."""
        self._timer.stop()
        self._background.close()


def nothing_to_look_at() -> str:
    """Return why there are no layers."""
    return QCoreApplication.translate("Models", "There is no face, or no motion, in the picture to look at.")


def sparsity_text(layers: list[LayerCodes]) -> str:
    """Return how many of all codes are zero."""
    n_zeros = sum(layer.shares[0] * layer.codes.size for layer in layers)
    n_codes = sum(layer.codes.size for layer in layers)
    shown = QCoreApplication.translate("Models", "Codes 0 (black) to 3 (white); {0} % of {1} are zero.")
    return shown.format(f"{100 * n_zeros / max(n_codes, 1):.0f}", f"{n_codes:,}")


def layer_text(layer: LayerCodes) -> str:
    """Return size and shares of a layer."""
    channels, height, width = layer.codes.shape
    shares = " / ".join(f"{100 * share:.0f}" for share in layer.shares)
    shown = QCoreApplication.translate("Models", "Layer {0}: {1} channels of {2}×{3}; codes 0 / 1 / 2 / 3: {4} %")
    return shown.format(layer.number, channels, width, height, shares)


def channel_mosaic(codes: Image) -> Image:
    """Return the channels (C, H, W) side by side as one grey picture, about twice as wide as high, 1 px apart."""
    channels, height, width = codes.shape
    n_columns = max(1, min(channels, math.ceil(math.sqrt(2 * channels * (height + 1) / (width + 1)))))
    n_rows = -(-channels // n_columns)
    tiles = np.full((n_rows * n_columns, height + 1, width + 1), 40, np.uint8)
    tiles[:channels, :height, :width] = codes * CODE_GREY
    whole = tiles.reshape(n_rows, n_columns, height + 1, width + 1).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(whole.reshape(n_rows * (height + 1), n_columns * (width + 1)))


def table(models: list[ModelFacts]) -> str:
    """Return the rich text of what is known: a row a property, a column a network."""
    cells = {
        "task": [each.task for each in models],
        "bits": [shown_bits(each) for each in models],
        "parameters": [number(each.parameters) for each in models],
        "macs": [number(each.macs) for each in models],
        "bytes": [number(each.n_bytes) for each in models],
        "accuracy": [each.accuracy or DASH for each in models],
        "conditions": [each.conditions or DASH for each in models],
        "ms": [shown_ms(each) for each in models],
        "licence": [each.licence or DASH for each in models],
        "sha256": [each.sha256[:16] for each in models],
    }
    rows = {QCoreApplication.translate("Models", ROWS[name]): row for name, row in cells.items()}
    head = "".join(f"<th align='left'>{escape(each.name)}</th>" for each in models)
    lines = "".join(
        f"<tr><td style='color:{MUTED}'>{escape(name)}</td>"
        + "".join(f"<td style='border-top:1px solid {LINE}'>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for name, row in rows.items()
    )
    return f"<table cellspacing='0' cellpadding='4'><tr><th></th>{head}</tr>{lines}</table>"


def shown_bits(model: ModelFacts) -> str:
    """Return the bits by layer in words, what the card says of the weights where it has no more."""
    return bits_text(model.bits) if "first layer" in model.bits else str(model.bits["weights"]) or DASH


def number(value: int | None) -> str:
    return DASH if value is None else f"{value:,}"


def shown_ms(model: ModelFacts) -> str:
    """Return "CPU 0.27, GPU 1.10"."""
    return ", ".join(f"{word(backend)} {ms:.2f}" for backend, ms in model.ms) or DASH
