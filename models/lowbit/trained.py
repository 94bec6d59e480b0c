# SPDX-License-Identifier: Apache-2.0
"""A trained w1a2 network in a small file: of each weight its sign, and the scale of its channel.

PyTorch's own file keeps the real weights that training moves, 32 bits each; here they are alpha * sign(w), which the
quantiser maps to themselves and which compress to little more than a bit.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from device.errors import AppError
from models.lowbit.modules import Precision
from models.lowbit.quantizers import binary_weight
from models.nets.expression import ExpressionNet
from models.nets.flow import FlowNet

Net = TypeVar("Net", ExpressionNet, FlowNet)

UNREADABLE = (OSError, ValueError, EOFError, KeyError, TypeError, pickle.UnpicklingError, zipfile.BadZipFile)
"""What NumPy and PyTorch raise for a file of another kind."""


class TrainedError(AppError):
    """A file that does not hold a trained network."""


def save_trained(net: ExpressionNet | FlowNet, path: Path) -> None:
    """Write the w1a2 `net` to `path` (.npz); the scales are rounded to float32, so fold what is loaded again."""
    with torch.no_grad():
        state = {name: binary_weight(v.double()).float() if v.ndim == 4 else v for name, v in net.state_dict().items()}
    np.savez_compressed(path, **{name: value.numpy() for name, value in state.items()})


def load_trained(path: Path) -> ExpressionNet:
    """Return the w1a2 expression network of `save_trained`'s .npz or of a run's `weights.pt`, in eval mode.

    Its tensors say its shape. Raises TrainedError.
    """

    def shaped(state: dict[str, Tensor]) -> ExpressionNet:
        kernels = [value.shape for name, value in state.items() if name.endswith("convolution.weight")]
        return ExpressionNet(Precision.W1A2, tuple((k[0], k[2], 1 if k[2] % 2 else 2) for k in kernels))

    return load(path, shaped)


def load_flow(path: Path) -> FlowNet:
    """Return the w1a2 flow network of such a file; as `load_trained`."""
    return load(path, lambda state: FlowNet(Precision.W1A2, len(state["cells.convolution.weight"])))


def load(path: Path, shaped: Callable[[dict[str, Tensor]], Net]) -> Net:
    try:
        state = read_state(path)
        net = shaped(state)
        net.load_state_dict(state)
    except (*UNREADABLE, RuntimeError, AttributeError, IndexError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrainedError(f"{path}: expected a trained w1a2 network, found another file ({reason})") from error
    net.eval()
    return net


def read_state(path: Path) -> dict[str, Tensor]:
    if path.suffix != ".npz":
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        return state
    with path.open("rb") as opened, np.load(opened) as file:
        return {name: torch.from_numpy(file[name]) for name in file}
