# SPDX-License-Identifier: Apache-2.0
"""The small file of a trained network holds exactly what the network computes with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make test-train` installs it and runs this")

from models.lowbit.fold import fold  # noqa: E402
from models.lowbit.modules import Precision  # noqa: E402
from models.lowbit.trained import TrainedError, load_trained, save_trained  # noqa: E402
from models.nets.expression import ExpressionNet  # noqa: E402


def test_the_small_file_is_the_same_network(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = ExpressionNet(Precision.W1A2)
    with torch.no_grad():
        net(torch.rand(8, 1, 48, 48))
    net.eval()
    save_trained(net, tmp_path / "net.npz")
    assert (tmp_path / "net.npz").stat().st_size < 300_000  # the weights alone are 0.9 M
    small = load_trained(tmp_path / "net.npz")
    for one, other in zip(fold(net).layers, fold(small).layers, strict=True):
        assert np.array_equal(one.weights, other.weights)
    x = torch.rand(4, 1, 48, 48)
    with torch.inference_mode():
        assert torch.allclose(net(x), small(x), atol=1e-4)
    save_trained(small, tmp_path / "again.npz")
    again = load_trained(tmp_path / "again.npz")
    for one, other in zip(fold(again).layers, fold(small).layers, strict=True):
        assert np.array_equal(one.weights, other.weights)
        for name in ("thresholds", "scale", "bias"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), (one.name, name)


@pytest.mark.parametrize("content", [b"", b"no network", {"conv.weight": 1}, [1, 2], {"a.convolution.weight": 3}])
@pytest.mark.parametrize("name", ["weights.pt", "weights.npz"])
def test_another_file_is_one_sentence(tmp_path: Path, content: object, name: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif name.endswith(".pt"):
        torch.save(content, path)
    else:
        np.savez(path, a=np.zeros(3))
    with pytest.raises(TrainedError, match=rf"{name}: expected a trained w1a2 network"):
        load_trained(path)
