# SPDX-License-Identifier: Apache-2.0
"""The recipe on a few steps, its checkpoints, and the way from a trained network to the two files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make test-train` installs it and runs this")

from models.card import load_card  # noqa: E402
from models.convert import expression as convert_expression  # noqa: E402
from models.convert.tflite import (  # noqa: E402
    ConversionError,
    Deployed,
    fold_space_to_depth,
    joint_ranges,
    operators,
    refuse_transposes,
    to_float,
    to_int8,
)
from models.nets.expression import ExpressionNet  # noqa: E402
from models.train import expression  # noqa: E402
from models.train.expression import Recipe, Training  # noqa: E402

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # the converters warn about their own future
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data file in FER2013's format: the class is the brightness of the picture."""
    random = np.random.default_rng(5)
    label = random.integers(0, 7, 420).astype(np.int8)
    level = (18 + 36 * label.astype(int))[:, None, None]
    image = np.clip(level + random.normal(0, 12, (420, 48, 48)), 0, 255).astype(np.uint8)
    votes = np.full((420, 10), -1, np.int8)
    votes[::2] = np.eye(10, dtype=np.int8)[label[::2]] * 10
    usage = (np.arange(420) % 3 == 0).astype(np.int8)
    path = tmp_path_factory.mktemp("data") / "faces.npz"
    np.savez(path, X=image, y=label, usage=usage, ferplus_votes=votes, clean=(usage == 1) & (label < 6))
    return path


def run(data: Path, folder: Path, **recipe: float) -> tuple[Training, ExpressionNet]:
    train, public, clean = expression.load_faces(data)
    training = Training(Recipe(batch=20, **recipe), folder, train)  # type: ignore[arg-type]
    return training, training.run(public, clean)


def test_rows_without_votes_have_no_vote_loss(data: Path) -> None:
    train, public, clean = expression.load_faces(data)
    total = train.votes.sum(1)
    assert set(total.tolist()) == {0.0, 1.0}
    assert len(train.label) == 280
    assert len(public.label) == len(clean) == 140


def test_learns_and_logs(data: Path, tmp_path: Path) -> None:
    _, net = run(data, tmp_path, epochs=6, warmup_epochs=1.0, mixup=0.0)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["public_top1"] > 0.3  # chance is 0.14
    assert not net.training


def test_same_seed_same_weights(data: Path, tmp_path: Path) -> None:
    first, second, other = (
        run(data, tmp_path / name, epochs=1, max_steps=3, seed=seed)[1].state_dict()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["classes.weight"], other["classes.weight"])


def test_resumes_where_it_stopped(data: Path, tmp_path: Path) -> None:
    _, whole = run(data, tmp_path / "whole", epochs=2)
    training, _ = run(data, tmp_path / "parts", epochs=2, max_steps=14)  # one epoch of 280 faces
    assert training.epoch == 1
    resumed, net = run(data, tmp_path / "parts", epochs=2)
    assert resumed.step == 28
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), net.state_dict().values(), strict=True))


def test_distillation_changes_what_is_learned(data: Path, tmp_path: Path) -> None:
    train, public, clean = expression.load_faces(data)
    torch.manual_seed(9)
    teacher = ExpressionNet().eval()
    plain, taught = (
        Training(Recipe(batch=20, epochs=1, max_steps=2, distil_weight=weight), tmp_path / str(weight), train, teacher)
        for weight in (0.0, 1.0)
    )
    a, b = plain.run(public, clean), taught.run(public, clean)
    assert not torch.equal(a.classes.weight, b.classes.weight)


def test_augmentation_keeps_range_and_shape() -> None:
    torch.manual_seed(0)
    x = expression.augment(torch.rand(64, 1, 48, 48) * 2 - 1)
    assert x.shape == (64, 1, 48, 48)
    assert float(x.min()) >= -1
    assert float(x.max()) <= 1


def test_folded_first_layer_is_exact() -> None:
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(4, 5, 3, 1, 1, bias=False)
    x = torch.randn(2, 1, 48, 48)
    expected = conv(torch.nn.functional.pixel_unshuffle(x, 2))
    assert torch.allclose(fold_space_to_depth(conv)(x), expected, atol=1e-5)


def test_converts_without_transpose(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = tmp_path / "trained"
    _, net = run(data, trained, epochs=1, max_steps=2)
    torch.save(net.state_dict(), trained / "weights.pt")
    (trained / "summary.json").write_text(json.dumps({"recipe": {"seed": 0}}))
    monkeypatch.setattr(convert_expression, "WEIGHTS", tmp_path)
    monkeypatch.setattr(convert_expression, "CARDS", tmp_path)
    monkeypatch.setattr(convert_expression, "load_card", lambda name: load_card(name, tmp_path))
    cards = convert_expression.convert(trained, data)
    assert [card["precision"] for card in cards] == ["float", "int8"]
    assert abs(cards[0]["measured"]["public_top1"] - cards[1]["measured"]["public_top1"]) < 0.2
    assert cards[0]["macs"] == pytest.approx(71e6, rel=0.02)
    for name in ("expression_float", "expression_int8"):
        assert operators(tmp_path / f"{name}.tflite")["TRANSPOSE"] == 0
        assert load_card(name, tmp_path).precision in name


def test_float_file_equals_the_network(tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = Deployed(ExpressionNet().eval()).eval()
    to_float(net, (1, 48, 48, 1), tmp_path / "net.tflite")
    from device.tflite import TfliteBackend

    backend = TfliteBackend(tmp_path / "net.tflite")
    grey = np.random.default_rng(0).uniform(-1, 1, (1, 48, 48, 1)).astype(np.float32)
    found = backend.run({backend.inputs[0].name: grey})[backend.outputs[0].name]
    with torch.inference_mode():
        expected = net(torch.from_numpy(grey).permute(0, 3, 1, 2)).numpy()
    assert np.abs(found - expected).max() < 1e-4
    to_int8(tmp_path / "net.tflite", [grey], tmp_path / "int8.tflite")
    assert TfliteBackend(tmp_path / "int8.tflite").inputs[0].dtype == "int8"


def test_joint_ranges_hold_the_extremes_of_most_samples() -> None:
    found = [{"x": {"min": np.array([-k]), "max": np.array([2.0 * k]), "num_samples": 1}} for k in range(101)]
    joint = joint_ranges(found)["x"]
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
