# SPDX-License-Identifier: Apache-2.0
"""What the model panel says is what cards, files and clocks say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from app.frame import FlowOutput, Frame, FrameResult
from app.model_facts import file_bytes, layers_of, model_facts
from app.opened_networks import Networks
from app.samples import snapshots
from device.lowbit.cpu import LowbitBackend
from device.lowbit.layer_codes import layer_codes
from models.card import load_card
from models.results import Flow
from tests.app.test_measured import row, stored
from tests.app.ui.fakes import faces, result


def test_a_task_has_its_networks_and_those_that_find_what_it_looks_at(tmp_path: Path) -> None:
    with Networks() as networks:
        networks.measured = stored(tmp_path / "m.json", row("int8", "cpu", 2.0), row("float", "cpu", 3.0))
        networks.expression("cpu", "float").classify_grey(np.zeros((48, 48), np.uint8))
        found = {each.name: each for each in model_facts("expression", networks)}
    names = ["expression_float", "expression_int8", "expression_w1a2", "blazeface_short", "blazeface_full"]
    assert list(found) == names
    card = load_card("expression_int8")
    int8 = found["expression_int8"]
    assert (int8.parameters, int8.macs, int8.n_bytes) == (840263, 89058816, card.path().stat().st_size)
    assert int8.accuracy == "public_top1 0.703, clean_top1 0.690"
    assert "PublicTest" in int8.conditions
    assert int8.ms == (("cpu", 2.0),)
    ((backend, ms),) = found["expression_float"].ms  # it has just run: that counts more than what was measured once
    assert backend == "cpu"
    assert 0 < ms != 3.0
    short = found["blazeface_short"]
    assert (short.parameters, short.accuracy, short.ms) == (None, "", ())
    assert short.n_bytes == file_bytes(load_card("blazeface_short"))


@pytest.mark.parametrize(("task", "n"), [("flow", 3), ("pose", 3), ("identity", 0)])
def test_every_task_can_be_asked(task: str, n: int) -> None:
    with Networks() as networks:
        found = model_facts(task, networks)
    assert len(found) == n
    assert all(each.accuracy and each.licence and each.n_bytes for each in found)


def test_layers_are_what_the_network_computes() -> None:
    """The last layer's scores, computed here from the codes of the layer before, are the network's own."""
    path = load_card("expression_w1a2").verified_path()
    inputs = {"face": np.random.default_rng(1).integers(0, 256, (4, 24, 24), np.uint8)}
    layers = layer_codes(path, inputs)
    assert [layer.number for layer in layers] == list(range(1, 11))
    for layer in layers:
        assert layer.codes.max() <= 3
        assert sum(layer.shares) == pytest.approx(1)
        assert layer.shares[0] == pytest.approx((layer.codes == 0).mean())
        assert layer.codes.any(axis=(1, 2)).mean() > 0.5  # channels that only fill up the lanes are left out
    again = layer_codes(path, inputs)
    for one, other in zip(layers, again, strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
    darker = layer_codes(path, {"face": inputs["face"] // 2})
    assert any((one.codes != other.codes).any() for one, other in zip(layers, darker, strict=True))
    backend = LowbitBackend(path)
    assert backend.run(inputs)["score"].shape == (28, 1, 1)
    backend.close()


def test_layers_of_a_face_and_of_a_motion() -> None:
    before, now = snapshots()
    shown = result(size_wh=(640, 480))
    on_scene = dataclasses.replace(shown, frame=dataclasses.replace(shown.frame, image=now.image))
    assert len(layers_of(on_scene)) == 10
    nobody = dataclasses.replace(shown, output=faces(0, (640, 480)))
    assert layers_of(nobody) == []
    flow = Flow(np.zeros((480, 640, 2), np.float32), np.ones((480, 640), bool))
    moved = FrameResult(Frame(now.image, 1, 0, 0), FlowOutput(flow, 1, before.image, 0, 0.1, "net"), {}, "cpu", "float")
    layers = layers_of(moved)
    assert len(layers) == 13
    assert {layer.codes.shape[1:] for layer in layers} == {(24, 32), (12, 16), (6, 8)}
