# SPDX-License-Identifier: Apache-2.0
"""A w1a2 network as a QONNX file, made from its trained parameters and nothing that `models.lowbit.fold` computes.

QONNX (Pappalardo et al. 2022, arXiv:2206.07527) adds quantisers to ONNX: here `BipolarQuant` for weights and
`IntQuant` for codes. Its executor, which is slow and not ours, is what the proof of the arithmetic runs.

No rounding of a float can move a code: convolutions see whole numbers, codes and signs, whose sums are exact in
float32 (onnxruntime has no Conv in float64); the real scales (mean |w| of a channel, step of the input) multiply the
sums behind them, which is the same by linearity, and from there to the next code all is float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import qonnx_make_model
from torch import Tensor, nn

from models.lowbit.modules import Block, Convolution
from models.lowbit.quantizers import STEP, weight_scale
from models.nets.expression import CLASSES, ExpressionNet

DOMAIN = "qonnx.custom_op.general"
INPUT, OUTPUT = "face", "logits"


class Graph:
    """Nodes in the order they run, each with one output, and constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, values: NDArray[Any] | Sequence[int] | float, dtype: type = np.float64) -> str:
        """Store `values` and return `name`."""
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Append one node and return the name of its output."""
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def codes(self, source: str, output: str, bits: int) -> str:
        """Append clip(floor(source + 1/2), 0, 2**bits - 1) and return `output`, float32.

        QONNX clips first, so HALF_UP, which is sign(x) * floor(|x| + 1/2), never sees a negative number: it is half up.
        For the same reason no ReLU is needed.
        """
        bit_width = self.constant(f"{output}.bits", bits, np.float32)
        attributes = {"signed": 0, "narrow": 0, "rounding_mode": "HALF_UP"}
        return self.node("IntQuant", [source, "one", "zero", bit_width], output, DOMAIN, **attributes)


def export_qonnx(net: ExpressionNet, path: Path, batch: int = 1) -> None:
    """Write `net` with a fixed batch of `batch` faces.

    Input `face` (N, 1, 48, 48) float32, grey levels 0..255; output `logits` (N, 7) float64. The tensors between have
    the names of the folded layers: `conv3` holds codes 0..3, `conv3.sum` and `score.sum` the sums of a convolution.
    """
    graph = Graph()
    graph.constant("one", 1, np.float32)
    graph.constant("zero", 0, np.float32)
    graph.constant("step", STEP)
    source, step = graph.codes(INPUT, "grey", bits=8), 1 / 255
    source = graph.node("Concat", [source] * net.copies, "copies", axis=1)
    for number, block in enumerate(net.features, 1):
        source, step = add_block(graph, f"conv{number}", source, block, step), STEP
    value = add_convolution(graph, "score", source, net.classes, step)
    shape = graph.constant("planes.shape", [batch, net.planes, len(CLASSES)], np.int64)
    planes = graph.node("Reshape", [value, shape], "planes")
    graph.node("ReduceSum", [planes], OUTPUT, axes=[1], keepdims=0)
    face = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, (batch, 1, 48, 48))
    logits = helper.make_tensor_value_info(OUTPUT, TensorProto.DOUBLE, (batch, len(CLASSES)))
    made = qonnx_make_model(helper.make_graph(graph.nodes, "expression", [face], [logits], graph.constants))
    ModelWrapper(made).transform(InferShapes()).save(str(path))


def add_block(graph: Graph, name: str, source: str, block: Block, input_step: float) -> str:
    """Append convolution, batch norm and 2-bit activation; return the name of the codes."""
    value = add_convolution(graph, name, source, block.convolution, input_step)
    normed = add_norm(graph, f"{name}.norm", value, block.norm)
    return graph.codes(graph.node("Div", [normed, "step"], f"{name}.steps"), name, bits=2)


def add_convolution(graph: Graph, name: str, source: str, convolution: Convolution, input_step: float) -> str:
    """Append (source codes * signs) * (scale * input_step) + bias; return the name of the float64 result."""
    weight = convolution.weight.detach().double()
    trained = graph.constant(f"{name}.weight", weight.numpy(), np.float32)
    signs = graph.node("BipolarQuant", [trained, "one"], f"{name}.signs", DOMAIN)
    pads, strides = [*convolution.padding] * 2, [*convolution.stride]
    sums = graph.node("Conv", [source, signs], f"{name}.sum", pads=pads, strides=strides)
    wide = graph.node("Cast", [sums], f"{name}.wide", to=TensorProto.DOUBLE)
    scale = graph.constant(f"{name}.scale", by_channel(weight_scale(weight) * input_step))
    value = graph.node("Mul", [wide, scale], f"{name}.scaled")
    if convolution.bias is None:
        return value
    return graph.node("Add", [value, graph.constant(f"{name}.bias", by_channel(convolution.bias))], f"{name}.biased")


def add_norm(graph: Graph, name: str, source: str, norm: nn.BatchNorm2d) -> str:
    """Append a batch norm in float64; return the name of its result."""
    # The attribute epsilon is a float32: 1e-5 would not be PyTorch's 1e-5, so it is part of the variance.
    numbers = {
        "gamma": norm.weight,
        "beta": norm.bias,
        "mean": norm.running_mean,
        "variance": norm.running_var.double() + norm.eps,
    }
    inputs = [graph.constant(f"{name}.{key}", value.detach().double().numpy()) for key, value in numbers.items()]
    return graph.node("BatchNormalization", [source, *inputs], name, epsilon=0.0)


def by_channel(values: Tensor) -> NDArray[np.float64]:
    """Return one number a channel as (C, 1, 1), which broadcasts over (N, C, H, W)."""
    return values.detach().double().numpy().reshape(-1, 1, 1)
