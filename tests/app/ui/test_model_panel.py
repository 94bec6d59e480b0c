# SPDX-License-Identifier: Apache-2.0
"""The model panel beside the picture: cards in words, layers on request."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QKeySequence
from pytestqt.qtbot import QtBot

from app.frame import ExpressionOutput, Frame
from app.ui.model_panel import CODE_GREY, channel_mosaic, layer_text, sparsity_text
from device.lowbit.layer_codes import LayerCodes
from tests.app.ui.conftest import OpenWindow
from tests.app.ui.fakes import FakePlan, FakeTask
from tests.app.ui.test_actions import press


def test_i_shows_the_networks_and_hides_them(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    panel = window.models.panel
    press(qtbot, window, "I")
    assert panel.isVisible()
    for word in (
        "expression_int8",
        "blazeface_full",
        "89,058,816",
        "public_top1 0.703",
        "84027b6469576ec5",
        "Apache-2.0",
    ):
        assert word in panel.table.text()
    qtbot.waitUntil(lambda: window.menus.actions["toggle_models"].isChecked())
    painted = window.view.meters.painted
    qtbot.waitUntil(lambda: window.view.meters.painted > painted + 5)  # the picture goes on
    window.select_language("ja")
    assert "ライセンス" in panel.table.text()
    window.select_language("en")
    qtbot.keySequence(panel, QKeySequence("Esc"))
    assert panel.isHidden()
    qtbot.waitUntil(lambda: not window.menus.actions["toggle_models"].isChecked())


def test_layers_of_the_face_on_the_screen(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    panel = window.models.panel
    press(qtbot, window, "I")
    for _ in range(2):  # a second look replaces the first
        panel.button.click()
        assert not panel.button.isEnabled()
        qtbot.waitUntil(panel.button.isEnabled, timeout=20_000)
        assert len(panel._shown) == 20
    assert panel._shown[0].text().startswith("Layer 1: ")
    assert panel._shown[1].pixmap().width() > 100
    assert panel.note.text().startswith("Codes 0 (black) to 3 (white); ")


def test_without_a_face_there_is_a_sentence(qtbot: QtBot, open_window: OpenWindow, plan: FakePlan) -> None:
    class Nobody(FakeTask):
        def __call__(self, frame: Frame) -> ExpressionOutput:
            output = super().__call__(frame)
            return ExpressionOutput(
                output.tracks.take(np.zeros(len(output.tracks), bool)), output.prob[:0], output.labels
            )

    plan.task = Nobody
    window = open_window()
    press(qtbot, window, "I")
    window.models.panel.button.click()
    qtbot.waitUntil(window.models.panel.button.isEnabled, timeout=20_000)
    assert window.models.panel.note.text() == "There is no face, or no motion, in the picture to look at."
    assert window.models.panel._shown == []


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 3, 5), (128, 24, 24), (0, 4, 4)])
def test_mosaic_has_every_channel_once(shape: tuple[int, int, int]) -> None:
    codes = np.random.default_rng(0).integers(0, 4, shape).astype(np.uint8)
    whole = channel_mosaic(codes)
    channels, height, width = shape
    n_columns = whole.shape[1] // (width + 1)
    for channel in range(channels):
        y, x = channel // n_columns * (height + 1), channel % n_columns * (width + 1)
        np.testing.assert_array_equal(whole[y : y + height, x : x + width], codes[channel] * CODE_GREY)


def test_words_of_a_layer() -> None:
    layer = LayerCodes(2, np.array([[[0, 0, 1, 3]]], np.uint8))
    assert layer_text(layer) == "Layer 2: 1 channels of 4×1; codes 0 / 1 / 2 / 3: 50 / 25 / 0 / 25 %"
    assert sparsity_text([layer]) == "Codes 0 (black) to 3 (white); 50 % of 4 are zero."
