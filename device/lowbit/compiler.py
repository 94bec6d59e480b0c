# SPDX-License-Identifier: Apache-2.0
"""A network becomes descriptors whose addresses are relative to regions; `linker` gives the regions their places.

Layers that do not fit the machine (accelerator specification, section 4) are split into bands of rows. Tensors that are
concatenated lie behind each other, so concatenation costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device.lowbit.descriptor import ACTIVATION_BYTES, MAX_BLOCKS, MAX_SIDE_PX, Descriptor, ErrorCode, Store
from device.lowbit.layout import LANES, blocks, code_row_bytes, pack_constants, raw_row_bytes
from device.lowbit.network import InputTensor, Layer, Network
from device.lowbit.program import BundleError, Port

ALIGNMENT_BYTES = 64
SCRATCH = "scratch"


@dataclass(frozen=True, eq=False)
class Tensor:
    """A stored tensor: `lanes` are the places of its channels, `region` and `offset` where it starts."""

    shape: tuple[int, int, int]
    lanes: NDArray[np.intp]
    cb: int
    digits: int
    region: str
    offset: int = 0

    @property
    def plane_bytes(self) -> int:
        return self.shape[1] * code_row_bytes(self.shape[2])


@dataclass(frozen=True, eq=False)
class CompiledNetwork:
    """A program without addresses: `regions[i]` names where src and dst of descriptor i are counted from."""

    name: str
    descriptors: tuple[Descriptor, ...]
    regions: tuple[tuple[str, str], ...]
    constants: NDArray[np.uint8]
    scratch_bytes: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    macs: int


def align(value: int) -> int:
    return -(-value // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def compile_network(network: Network) -> CompiledNetwork:
    """Return the program; raises BundleError with the layer's name for what the machine cannot do."""
    tensors = {tensor.name: input_tensor(tensor) for tensor in network.inputs}
    shapes: dict[str, Descriptor] = {}
    macs = 0
    for layer in network.layers:
        sources = [tensors[name] for name in layer.sources]
        shapes[layer.name] = shape = layer_shape(layer, sources)
        region = f"output:{layer.name}" if layer.name in network.outputs else SCRATCH
        tensors[layer.name] = output_tensor(layer, shape, region)
        height, width = shape.out_hw
        macs += height * width * layer.weights.size
    scratch_bytes = place_scratch(network, tensors)
    descriptors: list[Descriptor] = []
    regions: list[tuple[str, str]] = []
    constants: list[NDArray[np.uint8]] = []
    at = 0
    for layer in network.layers:
        sources, target = [tensors[name] for name in layer.sources], tensors[layer.name]
        stream = pack_constants(spread(layer, sources), layer.thresholds)
        addresses = {"src": sources[0].offset, "dst": target.offset, "constants": at}
        bands = list(split(layer.name, replace(shapes[layer.name], **addresses)))
        descriptors += bands
        regions += [(sources[0].region, target.region)] * len(bands)
        constants.append(np.pad(stream, (0, align(stream.size) - stream.size)))
        at += constants[-1].size
    inputs = tuple(Port(t.name, t.shape, digits=t.digits, copies=t.copies) for t in network.inputs)
    outputs = tuple(
        output_port(layer, tensors[layer.name]) for layer in network.layers if layer.name in network.outputs
    )
    stored = np.concatenate(constants)
    return CompiledNetwork(
        network.name, tuple(descriptors), tuple(regions), stored, scratch_bytes, inputs, outputs, macs
    )


def input_tensor(tensor: InputTensor) -> Tensor:
    channels = tensor.shape[0] * tensor.copies
    return Tensor(
        (channels, *tensor.shape[1:]), np.arange(channels), blocks(channels), tensor.digits, f"input:{tensor.name}"
    )


def output_tensor(layer: Layer, shape: Descriptor, region: str) -> Tensor:
    """Return what `layer` stores; four quarters of whole blocks after space-to-depth."""
    n_out = layer.weights.shape[0]
    parts = 4 if layer.store == Store.SPACE_TO_DEPTH else 1
    lanes = np.concatenate([part * shape.cb_out * LANES + np.arange(n_out) for part in range(parts)])
    height, width = shape.stored_hw
    return Tensor((lanes.size, height, width), lanes, parts * shape.cb_out, 1, region)


def output_port(layer: Layer, tensor: Tensor) -> Port:
    """Return the port of an output; its channels are counted as they lie in the blocks."""
    channels, height, width = tensor.shape
    if tensor.lanes[-1] != channels - 1:
        channels = tensor.cb * LANES
    numbers = {"scale": layer.scale, "bias": layer.bias}
    listed = {name: () if array is None else tuple(float(v) for v in array) for name, array in numbers.items()}
    return Port(layer.name, (channels, height, width), raw=layer.is_raw, scale=listed["scale"], bias=listed["bias"])


def layer_shape(layer: Layer, sources: list[Tensor]) -> Descriptor:
    """Return the unsplit descriptor without addresses."""
    first = sources[0]
    for other in sources[1:]:
        if (other.shape[1:], other.digits) != (first.shape[1:], first.digits):
            raise BundleError(f"layer {layer.name}: sources of different size or digits cannot be concatenated")
    n_in = sum(source.lanes.size for source in sources)
    if layer.weights.shape[1] != n_in:
        raise BundleError(f"layer {layer.name}: weights for {layer.weights.shape[1]} channels, sources have {n_in}")
    cb_in, cb_out = sum(source.cb for source in sources), blocks(layer.weights.shape[0])
    if max(cb_in, cb_out) > MAX_BLOCKS:
        raise BundleError(f"layer {layer.name}: {max(cb_in, cb_out)} channel blocks, the machine has {MAX_BLOCKS}")
    _, h, w = first.shape
    top, bottom, left, right = layer.zero_pads
    shape = Descriptor(
        w=w, h=h, cb_in=cb_in, cb_out=cb_out, digits=first.digits, k=layer.k, store=layer.store, raw=int(layer.is_raw)
    )
    shape = replace(shape, pad_top=top, pad_bottom=bottom, pad_left=left, pad_right=right)
    if min(shape.out_hw) < 1:
        raise BundleError(f"layer {layer.name}: {h}x{w} pixels are too few for {layer.k}x{layer.k} weights")
    row = raw_row_bytes if layer.is_raw else code_row_bytes
    stored_h, stored_w = shape.stored_hw
    return replace(shape, src_pitch=h * code_row_bytes(w), dst_pitch=stored_h * row(stored_w))


def spread(layer: Layer, sources: list[Tensor]) -> NDArray[np.int8]:
    """Return the weights with every channel at the lane where its source holds it; unused lanes get bit 0."""
    firsts = np.cumsum([0, *(source.cb for source in sources)]) * LANES
    lanes = np.concatenate([source.lanes + first for source, first in zip(sources, firsts[:-1], strict=True)])
    wide = np.full((layer.weights.shape[0], firsts[-1], layer.k, layer.k), -1, np.int8)
    wide[:, lanes] = layer.weights
    return wide


def split(name: str, whole: Descriptor) -> Iterator[Descriptor]:
    """Yield `whole`, or bands of its rows that fit the machine; a band keeps the pitches of the tensors."""
    row_bytes = code_row_bytes(whole.w)
    most_rows = min(MAX_SIDE_PX, ACTIVATION_BYTES // (row_bytes * whole.n_src_planes))
    height, width = whole.out_hw
    step = height if whole.h <= most_rows else most_rows - whole.k + 1
    if step < height and whole.store == Store.SPACE_TO_DEPTH:
        step -= step % 2
    if step < 1 or whole.w > MAX_SIDE_PX:
        raise BundleError(f"layer {name}: a row of {whole.w} pixels in {whole.n_src_planes} planes is too wide")
    stored_row = raw_row_bytes(width) if whole.raw else code_row_bytes(whole.stored_hw[1])
    for y0 in range(0, height, step):
        y1 = min(y0 + step, height)
        first, last = y0 - whole.pad_top, y1 - whole.pad_top + whole.k - 1
        to = {Store.PLAIN: y0, Store.SPACE_TO_DEPTH: y0 // 2, Store.UPSAMPLE: 2 * y0}[Store(whole.store)]
        band = replace(
            whole,
            src=whole.src + max(first, 0) * row_bytes,
            dst=whole.dst + to * stored_row,
            h=min(last, whole.h) - max(first, 0),
            pad_top=max(0, -first),
            pad_bottom=max(0, last - whole.h),
        )
        code = band.check(0xFFFFFFFF)
        if code != ErrorCode.OK:
            raise BundleError(f"layer {name}: no legal descriptor ({code.name}), {band}")
        yield band


def place_scratch(network: Network, tensors: dict[str, Tensor]) -> int:
    """Give every tensor in scratch its offset, first fit over the layers it lives; return the bytes of scratch."""
    runs_at = {layer.name: i for i, layer in enumerate(network.layers)}
    last_read = dict(runs_at)
    for i, layer in enumerate(network.layers):
        last_read.update(dict.fromkeys(layer.sources, i))
    taken: list[tuple[int, int, int, int]] = []  # start, end, first layer, last layer
    for members in sorted(concatenations(network, tensors), key=lambda names: min(runs_at[n] for n in names)):
        size = align(sum(tensors[name].cb * tensors[name].plane_bytes for name in members))
        first, last = min(runs_at[name] for name in members), max(last_read[name] for name in members)
        at = 0
        for start, end, begins, ends in sorted(taken):
            if begins <= last and first <= ends and start < at + size and at < end:
                at = end
        taken.append((at, at + size, first, last))
        for name in members:
            tensors[name] = replace(tensors[name], offset=at)
            at += tensors[name].cb * tensors[name].plane_bytes
    return max((end for _, end, _, _ in taken), default=0)


def concatenations(network: Network, tensors: dict[str, Tensor]) -> list[tuple[str, ...]]:
    """Return the tensors of scratch in groups that must lie behind each other."""
    several = dict.fromkeys(layer.sources for layer in network.layers if len(layer.sources) > 1)  # in their order
    wanted = sorted(several, key=len, reverse=True)
    groups: list[tuple[str, ...]] = []
    home: dict[str, tuple[str, ...]] = {}
    for names in wanted:
        outside = [name for name in names if tensors[name].region != SCRATCH]
        if outside or len(set(names)) != len(names):
            raise BundleError(
                f"network {network.name}: {', '.join(outside or names)} cannot be part of a concatenation"
            )
        group = home.get(names[0])
        if group is None and not any(name in home for name in names):
            groups.append(names)
            home.update(dict.fromkeys(names, names))
            continue
        start = group.index(names[0]) if group else 0
        if group is None or group[start : start + len(names)] != names:
            raise BundleError(f"network {network.name}: {', '.join(names)} must lie behind each other in two orders")
    singles = [name for name, tensor in tensors.items() if tensor.region == SCRATCH and name not in home]
    return groups + [(name,) for name in singles]
