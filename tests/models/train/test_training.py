# SPDX-License-Identifier: Apache-2.0
"""The recipe on a few steps: it learns, repeats itself, resumes, shares batches, and stops on numbers that are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make test-train` installs it and runs this")

from torch.nn import functional  # noqa: E402

from models.lowbit.modules import Precision  # noqa: E402
from models.lowbit.quantizers import binary_weight  # noqa: E402
from models.nets.expression import ExpressionNet  # noqa: E402
from models.nets.expression_teacher import ExpressionTeacher  # noqa: E402
from models.train import expression  # noqa: E402
from models.train.expression import Recipe, Training, measure_on_faces  # noqa: E402
from models.train.fer2013 import DataError, augment, load_faces, to_input  # noqa: E402
from models.train.training import TrainingError, unit_activations  # noqa: E402

pytestmark = pytest.mark.timeout(300)
SHAPE = ((8, 6, 2), (16, 3, 1), (16, 2, 2), (16, 3, 1), (16, 2, 2), (16, 3, 1))


def run(data: Path, folder: Path, net: Any = None, **recipe: Any) -> tuple[Training, Any]:
    train, public, clean = load_faces(data)
    wanted = Recipe(batch=20, **recipe)
    torch.manual_seed(wanted.seed)
    training = Training(wanted, net or ExpressionNet(wanted.precision, SHAPE), folder, train)
    return training, training.run(public, clean)


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_rows_without_votes_have_no_vote_loss(data: Path) -> None:
    train, public, clean = load_faces(data)
    assert set(train.votes.sum(1).tolist()) == {0.0, 1.0}
    assert len(train.label) == 280
    assert len(public.label) == len(clean) == 140


@pytest.mark.parametrize("precision", list(Precision))
def test_learns_and_logs(data: Path, tmp_path: Path, precision: Precision) -> None:
    _, net = run(data, tmp_path, precision=precision, epochs=8, warmup_epochs=1.0, mixup=0.0)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(1, 9))
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[-1]["public_top1"] > 0.3  # chance is 0.14
    assert not net.training


def test_the_teacher_learns_by_the_same_recipe(data: Path, tmp_path: Path) -> None:
    net = ExpressionTeacher((8, 8, 8))
    run(data, tmp_path, net, epochs=1, max_steps=2)
    assert (tmp_path / "checkpoint.pt").exists()


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


def test_another_recipe_does_not_resume(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path, epochs=1, max_steps=2)
    with pytest.raises(TrainingError, match=r"checkpoint.pt was made with epochs 1 instead of 2; name another folder"):
        run(data, tmp_path, epochs=2)


def test_norms_are_measured_on_plain_pictures(data: Path) -> None:
    train, _, _ = load_faces(data)
    torch.manual_seed(4)
    net = ExpressionNet(shape=SHAPE)
    measure_on_faces(net, train.image, batch=len(train.image))
    norm = net.features[0].norm
    with torch.no_grad():
        seen = net.features[0].convolution(to_input(train.image)).mean((0, 2, 3))
    assert torch.allclose(norm.running_mean, seen, atol=1e-4)
    assert not net.training
    assert norm.momentum == 0.1


def test_unit_activations_change_nothing_but_their_scale(data: Path) -> None:
    train, _, _ = load_faces(data)
    torch.manual_seed(5)
    net = ExpressionNet(shape=SHAPE)
    with torch.no_grad():
        for block in net.features:
            block.norm.weight.uniform_(0.1, 0.3)
    measure_on_faces(net, train.image)
    before = [block.norm.weight.detach().clone() for block in net.features]
    logits = net.features(to_input(train.image[:4]))
    unit_activations(list(net.features))
    measure_on_faces(net, train.image)
    for block in net.features:
        assert float(block.norm.weight.detach().square().mean()) == pytest.approx(1, abs=1e-4)
    factor = (net.features[-1].norm.weight / before[-1]).mean()
    assert torch.allclose(net.features(to_input(train.image[:4])), logits * factor, rtol=0.05, atol=0.02)


def test_teachers_answers_are_mixed_into_the_targets(data: Path) -> None:
    train, _, _ = load_faces(data)
    torch.manual_seed(9)
    teacher = ExpressionTeacher((8, 8, 8))
    labels = expression.soft_labels([teacher], train.image)
    assert torch.allclose(labels.sum(1), torch.ones(len(labels)), atol=1e-5)
    mirrored = expression.soft_labels([teacher], train.image.flip(2))
    assert torch.allclose(labels, mirrored, atol=1e-5)
    recipe = Recipe(teacher_share=0.25, label_smoothing=0.0)
    target = expression.class_targets(recipe, train, labels)
    own = expression.class_targets(recipe, train, None)
    assert torch.allclose(target, 0.75 * own + 0.25 * labels)
    assert torch.equal(own.argmax(1), train.label)


def test_augmentation_keeps_range_and_shape() -> None:
    torch.manual_seed(0)
    x = augment(torch.rand(64, 1, 48, 48))
    assert x.shape == (64, 1, 48, 48)
    assert float(x.min()) >= 0
    assert float(x.max()) <= 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"X": np.zeros((420, 48, 48), np.float32)}, "uint8"),
        ({"X": np.zeros((420, 32, 48), np.uint8)}, "48, 48"),
        ({"ferplus_votes": np.full((420, 10), np.nan, np.float32)}, "NaN or infinity in row 0"),
        ({"ferplus_votes": np.full((420, 10), np.inf, np.float32)}, "NaN or infinity"),
        ({"y": np.full(420, 7, np.int8)}, "labels 0..6"),
        ({"y": np.full(420, np.nan)}, "NaN"),
    ],
)
def test_wrong_data_are_refused(data: Path, tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with np.load(data) as file:
        arrays = dict(file)
    np.savez(tmp_path / "bad.npz", **{**arrays, **change})
    with pytest.raises(DataError, match=complaint):
        load_faces(tmp_path / "bad.npz")


def test_a_truncated_file_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.npz").write_bytes(data.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"cut.npz is not a file of FER2013 faces"):
        load_faces(tmp_path / "cut.npz")


def test_stops_when_the_loss_is_not_finite(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path, epochs=2, max_steps=14)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    train, public, clean = load_faces(data)
    training = Training(Recipe(batch=20, epochs=2), ExpressionNet(shape=SHAPE), tmp_path, train)
    with torch.no_grad():
        training.net.classes.bias[0] = float("nan")
    with pytest.raises(TrainingError, match=r"loss became nan in step 14 of epoch 2"):
        training.run(public, clean)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_the_command_trains_both_precisions(data: Path, tmp_path: Path) -> None:
    common = ["-m", "models.train", "expression", "--data", str(data), "--batch", "20", "--max-steps", "2"]
    done = command(*common, "--out", str(tmp_path / "float"))
    assert done.returncode == 0, done.stderr
    start = str(tmp_path / "float" / "weights.pt")
    done = command(*common, "--out", str(tmp_path / "low"), "--precision", "w1a2", "--start", start)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "low" / "summary.json").read_text())
    assert summary["recipe"]["precision"] == "w1a2"
    assert summary["start"]["recipe"]["precision"] == "float"


def test_planes_and_copies_stand_for_the_weights_they_start_from() -> None:
    """Each plane of the head comes nearer to the weights, the scores add up; seven copies make eight levels."""
    one = ExpressionNet(shape=SHAPE).eval()
    low = ExpressionNet(Precision.W1A2, SHAPE).eval()
    low.start_from(one.state_dict())
    wanted = one.classes.weight.detach()
    planes = binary_weight(low.classes.weight.detach()).unflatten(0, (4, 7))
    error = [float((planes[:n].sum(0) - wanted).square().mean()) for n in range(5)]
    assert error == sorted(error, reverse=True)
    assert error[4] < 0.05 * error[1]
    features = torch.rand(3, 16, 6, 6)
    by_hand = functional.conv2d(features, planes.sum(0), one.classes.bias).flatten(1)
    assert torch.allclose(low._scores(features), by_hand, atol=1e-5)
    first = one.features[0].convolution.weight.detach()
    sums = torch.sign(low.features[0].convolution.weight.detach()).unflatten(1, (7, 1)).sum(1)
    assert set(sums.unique().tolist()) <= {-7, -5, -3, -1, 1, 3, 5, 7}
    nearest = sums * first.std((1, 2, 3), keepdim=True) * 0.586 / 2
    assert float((nearest - first).square().mean() / first.square().mean()) < 0.06
    again = ExpressionNet(Precision.W1A2, SHAPE)
    again.start_from(low.state_dict())
    assert torch.equal(again.classes.weight, low.classes.weight)


def test_the_command_refuses_missing_files(tmp_path: Path) -> None:
    done = command("-m", "models.train", "expression", "--data", str(tmp_path / "none.npz"))
    assert done.returncode == 2
    assert "none.npz is not here" in done.stderr


def test_two_processes_share_the_batches(data: Path, tmp_path: Path) -> None:
    """Under torchrun both ranks keep equal weights; rank 0 alone writes the log."""
    done = command(
        *["-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29511", "-m", "models.train"],
        *["expression", "--data", str(data), "--batch", "20", "--epochs", "2", "--out", str(tmp_path)],
        *["--max-steps", "15"],
        OMP_NUM_THREADS="1",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2
