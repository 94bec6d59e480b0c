# SPDX-License-Identifier: Apache-2.0
"""The flow network from generated pairs to its files: it learns, and its program gives what PyTorch gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make test-train` installs it and runs this")

from device.lowbit.bundle_file import save_bundle  # noqa: E402
from device.lowbit.compiler import compile_network  # noqa: E402
from device.lowbit.cpu import LowbitBackend  # noqa: E402
from device.lowbit.linker import link  # noqa: E402
from device.lowbit.machine import open_machine  # noqa: E402
from device.registry import open_backend  # noqa: E402
from models.card import load_card  # noqa: E402
from models.convert import flow as convert_flow  # noqa: E402
from models.convert.tflite import operators  # noqa: E402
from models.flow import FlowNet as DeployedNet  # noqa: E402
from models.flow import joined_parts  # noqa: E402
from models.lowbit.fold import fold_flow  # noqa: E402
from models.lowbit.modules import Precision  # noqa: E402
from models.lowbit.trained import TrainedError, load_flow, save_trained  # noqa: E402
from models.nets.flow import UNIT_PX, FlowNet  # noqa: E402
from models.train.fer2013 import DataError  # noqa: E402
from models.train.flow import (  # noqa: E402
    FlowPairs,
    Recipe,
    Training,
    augment,
    draw_pairs,
    end_point_error,
    to_input,
    to_motion,
    to_parts,
)
from models.train.flow_baselines import end_point_errors  # noqa: E402
from models.train.flow_photos import load_photos  # noqa: E402
from models.train.flow_scenes import procedural  # noqa: E402

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # the converters warn about their own future
]
WIDTH = 8


@pytest.fixture(scope="module")
def pairs() -> FlowPairs:
    photos = [procedural(np.random.default_rng(seed), (300, 220)) for seed in range(4)]
    return draw_pairs(photos, 64, seed=3)


def seen(precision: Precision, pairs: FlowPairs) -> FlowNet:
    """Return a random network whose batch norms have seen pairs."""
    torch.manual_seed(7)
    net = FlowNet(precision, WIDTH)
    with torch.no_grad():
        for part in to_input(pairs.grey[:32]).split(8):
            net(part)
    return net.eval()


def test_targets_are_what_outputs_are_read_as(pairs: FlowPairs) -> None:
    parts = to_parts(pairs.uv[:5])
    assert parts.shape == (5, 8, 24, 32)
    places = pairs.uv[:5].float().unflatten(3, (64, 2)).mean(4).unflatten(2, (48, 2)).mean(3)
    for one, expected in zip(parts, places, strict=True):
        joined = joined_parts(one.numpy()) * UNIT_PX
        assert np.allclose(joined, expected.permute(1, 2, 0), atol=1e-4)
        whole = to_motion(one[None])[0].permute(1, 2, 0).numpy()
        assert np.allclose(whole, cv2.resize(joined, (128, 96), interpolation=cv2.INTER_LINEAR), atol=1e-4)


def test_mirrored_pairs_have_mirrored_motion() -> None:
    """A column that moves right by 3: mirrored it moves left by 3, and the noise stays in range."""
    grey = torch.zeros((64, 2, 96, 128), dtype=torch.uint8)
    grey[:, 0, :, 40], grey[:, 1, :, 43] = 255, 255
    uv = torch.zeros((64, 2, 96, 128), dtype=torch.float16)
    uv[:, 0] = 3
    torch.manual_seed(0)
    varied, motion = augment(grey, uv)
    assert (grey[:, 0, :, 40] == 255).all()  # the pool itself stays as it is
    for (first, second), (u, v) in zip(varied.numpy(), motion.numpy(), strict=True):
        moved = int(second.mean(0).argmax()) - int(first.mean(0).argmax())
        assert moved == u[0, 0] == u[-1, -1] in (-3, 3)
        assert not v.any()
    assert len({float(u) for u in motion[:, 0, 0, 0]}) == 2


def test_learns_logs_and_resumes(tmp_path: Path) -> None:
    """Pairs of one shift each: a few steps suffice to see that it is in the scores."""
    shift = torch.randint(-4, 5, (64, 2))
    texture = torch.from_numpy(procedural(np.random.default_rng(9), (160, 128))[..., 0])
    grey = torch.stack([texture[None, 16:112, 16:144].repeat(2, 1, 1) for _ in shift])
    for pair, (dx, dy) in zip(grey, shift.tolist(), strict=True):
        pair[1] = texture[16 - dy : 112 - dy, 16 - dx : 144 - dx]
    pairs = FlowPairs(grey, shift[:, :, None, None].expand(-1, -1, 96, 128).half())
    recipe = Recipe(epochs=8, batch=8, width=WIDTH, pairs=64, learning_rate=1e-2, warmup_epochs=0.0)

    def run(folder: Path, max_steps: int | None) -> Any:
        torch.manual_seed(0)
        wanted = Recipe(**{**recipe.__dict__, "max_steps": max_steps})
        return Training(wanted, FlowNet(width=WIDTH), folder, pairs, pairs).train()

    whole = run(tmp_path / "whole", None)
    rows = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    still = float(pairs.uv.float().square().sum(1).sqrt().mean())
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert end_point_error(whole, pairs) < 0.9 * still
    run(tmp_path / "parts", 40)
    resumed = run(tmp_path / "parts", None)
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("machine", ["auto", "emulator"])
def test_the_program_gives_what_pytorch_gives(pairs: FlowPairs, tmp_path: Path, machine: str) -> None:
    net = seen(Precision.W1A2, pairs).double()
    save_bundle(link([compile_network(fold_flow(net))], 1), tmp_path / "flow.json")
    backend = LowbitBackend(tmp_path / "flow.json", machine=open_machine(machine))
    for x in to_input(pairs.grey[32:34]).double():
        with torch.inference_mode():
            expected = net(x[None])[0] * UNIT_PX
        stored = (x * 255).round().byte().numpy()
        found = backend.run({"pair": stored})["motion"].reshape(-1, 8, 24, 32).sum(0)
        assert np.abs(found - expected.numpy()).max() < 1e-3 * float(expected.abs().max())
    assert float(expected.std()) > 0.01


def test_the_small_file_is_the_same_network(pairs: FlowPairs, tmp_path: Path) -> None:
    net = seen(Precision.W1A2, pairs)
    save_trained(net, tmp_path / "flow.npz")
    small = load_flow(tmp_path / "flow.npz")
    x = to_input(pairs.grey[:2])
    with torch.inference_mode():
        assert torch.allclose(net(x), small(x), atol=1e-3)
    (tmp_path / "other.npz").write_bytes(b"")
    with pytest.raises(TrainedError, match=r"other\.npz: expected a trained w1a2 network"):
        load_flow(tmp_path / "other.npz")


def test_converts_to_three_files(pairs: FlowPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for precision in (Precision.FLOAT, Precision.W1A2):
        run = tmp_path / precision
        run.mkdir()
        torch.save(seen(precision, pairs).state_dict(), run / "weights.pt")
        summary = {"recipe": {"width": WIDTH, "seed": 0}, "start": None}
        (run / "summary.json").write_text(json.dumps(summary))
    cards_folder = tmp_path / "cards"
    cards_folder.mkdir()
    photo = procedural(np.random.default_rng(1), (300, 220))
    for name, value in {
        "WEIGHTS": tmp_path,
        "CARDS": cards_folder,
        "N_VALIDATION": 4,
        "N_CALIBRATION": 4,
        "load_card": lambda name: load_card(name, cards_folder),
        "load_photos": lambda _folder: ([photo], [photo]),
    }.items():
        monkeypatch.setattr(convert_flow, name, value)
    cards = convert_flow.convert(tmp_path / "float", tmp_path / "w1a2", tmp_path)
    assert [card["precision"] for card in cards] == ["float", "int8", "w1a2"]
    error = [card["measured"]["epe_px"] for card in cards]
    assert error[1] == pytest.approx(error[0], rel=0.1)
    assert operators(tmp_path / "flow_float.tflite").keys() == {"CONV_2D", "CONCATENATION", "RESIZE_NEAREST_NEIGHBOR"}
    first, second = pairs.grey[40].numpy()
    for name, backend in (("float", "cpu"), ("w1a2", "lowbit")):
        card = load_card(f"flow_{name}", cards_folder)
        deployed = DeployedNet(card, open_backend(backend, tmp_path / card.file))
        with torch.inference_mode():
            parts = seen(Precision(name), pairs)(to_input(pairs.grey[40:41]))[0].numpy() * UNIT_PX
        assert np.allclose(deployed.motion_of(first, second), joined_parts(parts), atol=1e-3 * np.abs(parts).max())


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no clip")
    with pytest.raises(DataError, match=r"expected photos in pose_coco/images, .* found 0"):
        load_photos(tmp_path)


def test_methods_without_a_network_are_measured_on_the_same_pairs() -> None:
    errors = end_point_errors([procedural(np.random.default_rng(5), (300, 220))], 6)
    assert set(errors) == {"no motion", "dis ultrafast", "dis fast", "dis medium", "farneback"}
    assert errors["dis medium"] < errors["no motion"]
