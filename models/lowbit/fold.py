# SPDX-License-Identifier: Apache-2.0
"""A trained w1a2 network becomes integers: signs for weights, batch norm and activation as three thresholds a channel.

The formulas are section 2 of the accelerator specification, in float64; rounding is half up, as in training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from device.lowbit.descriptor import Store
from device.lowbit.layout import THRESHOLD_MAX, THRESHOLD_MIN
from device.lowbit.network import InputTensor, Layer, Network
from models.flow_stem import CELL_PX, CHANNELS, HEIGHT_PX, WIDTH_PX
from models.lowbit.modules import Block, Convolution
from models.lowbit.quantizers import MAX_CODE, STEP, weight_scale
from models.nets.expression import ExpressionNet
from models.nets.flow import UNIT_PX, FlowNet

Float64 = NDArray[np.float64]

INPUT_STEP = 1 / 255
"""What one grey level is for a network trained on 0..1."""


def fold(net: ExpressionNet) -> Network:
    """Return the integer network of `net`; its input is the face's four interleaved quarters (4, 24, 24) of 0..255."""
    return fold_chain("expression", (1, 48, 48), list(net.features), net.classes, net.copies)


def fold_chain(
    name: str, image: tuple[int, int, int], blocks: Sequence[Block], head: Convolution, copies: int = 1
) -> Network:
    """Return blocks that follow each other and a raw head; the input is `image` (C, H, W) after a space-to-depth.

    Of a picture of one channel the first block may see `copies`.
    """
    channels, height, width = image
    face = InputTensor("face", (4 * channels, height // 2, width // 2), copies=copies)
    layers = []
    source, step = face.name, INPUT_STEP
    for number, (block, reader) in enumerate(zip(blocks, [*blocks[1:], None], strict=True), 1):
        convolution = head if reader is None else reader.convolution
        store = Store.SPACE_TO_DEPTH if reads_quarters(convolution) else Store.PLAIN
        layers.append(fold_block(f"conv{number}", (source,), block, step, store))
        source, step = layers[-1].name, STEP
    score = fold_head("score", source, head, step)
    return Network(name, (face,), (*layers, score), (score.name,))


def fold_flow(net: FlowNet) -> Network:
    """Return the integer network of `net`; its input is the stem's values (300, 24, 32), its output is in px."""
    plain, quarters, doubled = Store.PLAIN, Store.SPACE_TO_DEPTH, Store.UPSAMPLE
    layers = (
        fold_block("cells", ("pair",), net.cells, INPUT_STEP, plain),
        fold_block("near", ("cells",), net.near, STEP, plain),
        fold_block("near_down", ("near",), net.near_down, STEP, quarters),
        fold_block("to_middle", ("near_down",), net.to_middle, STEP, plain),
        fold_block("middle", ("to_middle",), net.middle, STEP, plain),
        fold_block("middle_down", ("middle",), net.middle_down, STEP, quarters),
        fold_block("to_far", ("middle_down",), net.to_far, STEP, plain),
        fold_block("far", ("to_far",), net.far, STEP, plain),
        fold_block("far_up", ("far",), net.far_up, STEP, doubled),
        fold_block("both_middle", ("far_up", "middle"), net.both_middle, STEP, plain),
        fold_block("middle_up", ("both_middle",), net.middle_up, STEP, doubled),
        fold_block("both_near", ("middle_up", "near"), net.both_near, STEP, plain),
        fold_block("last", ("both_near",), net.last, STEP, plain),
        fold_head("motion", "last", net.motion, STEP, UNIT_PX),
    )
    cells = InputTensor("pair", (CHANNELS, HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX))
    return Network("flow", (cells,), layers, ("motion",))


def fold_head(name: str, source: str, head: Convolution, input_step: float, unit: float = 1.0) -> Layer:
    """Return a raw layer; its reals are what `head` gives, times `unit`."""
    scale = weight_scale(head.weight.detach().double()).flatten().numpy() * input_step * unit
    assert head.bias is not None
    bias = head.bias.detach().double().numpy() * unit
    return Layer(
        name,
        (source,),
        machine_weights(head),
        scale=scale.astype(np.float32),
        bias=bias.astype(np.float32),
        pads=machine_pads(head),
    )


def fold_block(name: str, sources: tuple[str, ...], block: Block, input_step: float, store: Store) -> Layer:
    """Return one layer of codes. y = A * acc + B with the batch norm's running figures (Ioffe and Szegedy, 2015)."""
    norm = block.norm
    with torch.no_grad():
        slope = (norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)).numpy()
        offset = norm.bias.double().numpy() - norm.running_mean.double().numpy() * slope
        slope = slope * weight_scale(block.convolution.weight.double()).flatten().numpy() * input_step
    weights = machine_weights(block.convolution)
    weights[slope < 0] *= -1  # a falling channel is a rising one of the negated weights
    return Layer(
        name,
        sources,
        weights,
        thresholds(np.abs(slope), offset, STEP),
        store=store,
        pads=machine_pads(block.convolution),
    )


def thresholds(slope: Float64, offset: Float64, step: float) -> NDArray[np.int32]:
    """Return t (O, 3): floor((slope * acc + offset) / step + 1/2) >= j exactly when acc >= t[:, j - 1]; slope >= 0."""
    j = np.arange(1, MAX_CODE + 1)
    a, b = slope[:, None], offset[:, None]
    constant = np.where(code(b, step) >= j, THRESHOLD_MIN, THRESHOLD_MAX)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        t = np.ceil(((j - 0.5) * step - b) / a)
    t = np.where(a > 0, np.nan_to_num(t, nan=0, posinf=THRESHOLD_MAX, neginf=THRESHOLD_MIN), 0)
    # The division may be off by one unit in the last place: move t to where the formula itself steps.
    t += np.where(code(a * t + b, step) < j, 1, 0)
    t -= np.where(code(a * (t - 1) + b, step) >= j, 1, 0)
    t = np.where(a > 0, np.clip(t, THRESHOLD_MIN, THRESHOLD_MAX), constant)
    return t.astype(np.int32)


def code(value: Float64, step: float) -> Float64:
    """Return clip(floor(value / step + 1/2), 0, 3)."""
    return np.clip(np.floor(value / step + 0.5), 0, MAX_CODE)


def reads_quarters(convolution: Convolution) -> bool:
    """Return whether the machine runs this form on a tensor that was stored space-to-depth."""
    return convolution.kernel_size[0] % 2 == 0


def machine_weights(convolution: Convolution) -> NDArray[np.int8]:
    """Return -1 and +1, (O, I, k, k) with k = 1 or 3; kernels of even size see the four quarters as channels.

    Tap (2 KY + dy, 2 KX + dx) of an even kernel reads quarter (dy, dx) at (KY, KX); quarters come before channels.
    """
    signs = np.where(convolution.weight.detach().numpy() >= 0, 1, -1).astype(np.int8)
    if not reads_quarters(convolution):
        return signs
    outputs, inputs, kernel, _ = signs.shape
    taps = signs.reshape(outputs, inputs, kernel // 2, 2, kernel // 2, 2).transpose(0, 3, 5, 1, 2, 4)
    return np.ascontiguousarray(taps.reshape(outputs, 4 * inputs, kernel // 2, kernel // 2))


def machine_pads(convolution: Convolution) -> tuple[int, int, int, int]:
    """Return the rows and columns of zeros around the machine's input; a 6x6 kernel's two are one of the quarters."""
    pad = int(convolution.padding[0])
    return (pad // 2 if reads_quarters(convolution) else pad,) * 4
