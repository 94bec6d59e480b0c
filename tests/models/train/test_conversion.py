# SPDX-License-Identifier: Apache-2.0
"""From a trained network to the three files: no transposes, the same answers, figures measured as they run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make test-train` installs it and runs this")

from device.registry import open_backend  # noqa: E402
from models.card import load_card  # noqa: E402
from models.convert import expression as convert_expression  # noqa: E402
from models.convert.tflite import (  # noqa: E402
    ConversionError,
    Deployed,
    joint_ranges,
    operators,
    refuse_transposes,
    to_float,
    to_int8,
)
from models.expression import ExpressionClassifier  # noqa: E402
from models.lowbit.modules import Precision  # noqa: E402
from models.nets.expression import SHAPE, ExpressionNet  # noqa: E402

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # the converters warn about their own future
]
SUMMARY: dict[str, Any] = {"shape": SHAPE, "recipe": {"seed": 0}, "teachers": [], "start": None}


def trained(folder: Path, precision: Precision) -> ExpressionNet:
    """Save a random network whose batch norms have seen faces, as a run would leave it."""
    torch.manual_seed(3)
    net = ExpressionNet(precision)
    with torch.no_grad():
        for _ in range(20):
            net(torch.rand(8, 1, 48, 48))
    folder.mkdir()
    torch.save(net.state_dict(), folder / "weights.pt")
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    return net.eval()


def test_converts_to_three_files(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(tmp_path / "float", Precision.FLOAT)
    low = trained(tmp_path / "w1a2", Precision.W1A2)
    monkeypatch.setattr(convert_expression, "WEIGHTS", tmp_path)
    cards_folder = tmp_path / "cards"
    cards_folder.mkdir()
    monkeypatch.setattr(convert_expression, "CARDS", cards_folder)
    monkeypatch.setattr(convert_expression, "load_card", lambda name: load_card(name, cards_folder))
    cards = convert_expression.convert(tmp_path / "float", tmp_path / "w1a2", data)
    assert [card["precision"] for card in cards] == ["float", "int8", "w1a2"]
    assert abs(cards[0]["measured"]["public_top1"] - cards[1]["measured"]["public_top1"]) < 0.2
    assert cards[0]["macs"] == pytest.approx(89e6, rel=0.01)
    assert cards[2]["bytes"] < 150_000
    for name in ("expression_float", "expression_int8"):
        assert operators(tmp_path / f"{name}.tflite")["TRANSPOSE"] == 0
        # A convolution of one input channel is a depthwise one to LiteRT.
        assert set(operators(tmp_path / f"{name}.tflite")) <= {"CONV_2D", "DEPTHWISE_CONV_2D", "SOFTMAX", "RESHAPE"}
    card = load_card("expression_w1a2", cards_folder)
    classifier = ExpressionClassifier(card, open_backend("lowbit", tmp_path / card.file))
    with np.load(data) as file:
        faces = file["X"][:10]
    with torch.inference_mode():
        expected = low.double()(torch.from_numpy(faces / 255)[:, None]).softmax(1).numpy()
    for face, prob in zip(faces, expected, strict=True):
        assert np.abs(classifier.classify_grey(face) - prob).max() < 1e-5


def test_float_file_equals_the_network(tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = Deployed(ExpressionNet().eval()).eval()
    to_float(net, (1, 48, 48, 1), tmp_path / "net.tflite")
    backend = open_backend("cpu", tmp_path / "net.tflite")
    grey = np.random.default_rng(0).uniform(0, 1, (1, 48, 48, 1)).astype(np.float32)
    found = backend.run({backend.inputs[0].name: grey})[backend.outputs[0].name]
    with torch.inference_mode():
        expected = net(torch.from_numpy(grey).permute(0, 3, 1, 2)).numpy()
    assert np.abs(found - expected).max() < 1e-4
    to_int8(tmp_path / "net.tflite", [grey], tmp_path / "int8.tflite")
    assert open_backend("cpu", tmp_path / "int8.tflite").inputs[0].dtype == "int8"


def test_joint_ranges_hold_the_extremes_of_most_samples() -> None:
    found = [{"x": {"min": np.array([-k]), "max": np.array([2.0 * k]), "num_samples": 1}} for k in range(101)]
    joint = joint_ranges(found, 99)["x"]
    assert joint["min"].tolist() == [-99]
    assert joint["max"].tolist() == [198.0]


def test_a_transpose_is_refused(tmp_path: Path) -> None:
    import litert_torch

    class Turned(torch.nn.Module):  # type: ignore[name-defined,misc]
        def forward(self, x: Any) -> Any:
            return torch.relu(x.permute(0, 3, 1, 2) * 2)

    litert_torch.convert(Turned().eval(), (torch.zeros(1, 4, 4, 3),)).export(str(tmp_path / "turned.tflite"))
    with pytest.raises(ConversionError, match="TRANSPOSE"):
        refuse_transposes(tmp_path / "turned.tflite")
