# SPDX-License-Identifier: Apache-2.0
"""Several compiled networks in one arena: control, descriptors, constants, one scratch, inputs and outputs by slot.

`unlink` takes a network out again, so that programs from different files can be linked into one arena.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from device.lowbit.compiler import SCRATCH, CompiledNetwork, align
from device.lowbit.cycles import model_cycles
from device.lowbit.descriptor import DST_WORD, SRC_WORD, Descriptor, Op, encode_all
from device.lowbit.program import (
    DESCRIPTOR_BYTES,
    PAGE_BYTES,
    RECORD_BYTES,
    Bundle,
    BundleError,
    Port,
    Program,
    Ring,
    Span,
    check_bundle,
)


def link(networks: Sequence[CompiledNetwork], slots: int | None = None, ring_log2: int = 6) -> Bundle:
    """Return a checked bundle with `slots` places for every input and output, None = as each port says."""
    names = [network.name for network in networks]
    if len(set(names)) != len(names) or not names:
        raise BundleError(f"expected networks with different names, got {names}")
    ring = Ring(0, ring_log2, DESCRIPTOR_BYTES << ring_log2)
    tables, constants, at = [], [], align(ring.records + (RECORD_BYTES << ring_log2))
    for network in networks:
        tables.append(at)
        at += len(network.descriptors) * DESCRIPTOR_BYTES
        constants.append(at)
        at += align(network.constants.size)
    image = np.zeros(at, np.uint8)
    scratch = at
    at += align(max(network.scratch_bytes for network in networks))
    programs = {}
    for network, table, own_constants in zip(networks, tables, constants, strict=True):
        bases, at = place_ports(network, at, slots)
        image[own_constants : own_constants + network.constants.size] = network.constants
        starts = {SCRATCH: scratch, **{region: port.offset for region, port in bases.items()}}
        descriptors = [
            replace(d, src=d.src + starts[src], dst=d.dst + starts[dst], constants=d.constants + own_constants)
            for d, (src, dst) in zip(network.descriptors, network.regions, strict=True)
        ]
        words = encode_all(descriptors).reshape(-1)
        image[table : table + words.nbytes] = words.view(np.uint8)
        inputs = tuple(bases[f"input:{port.name}"] for port in network.inputs)
        outputs = tuple(bases[f"output:{port.name}"] for port in network.outputs)
        cycles = model_cycles(descriptors)
        programs[network.name] = Program(network.name, table, len(descriptors), inputs, outputs, network.macs, cycles)
    arena_bytes = -(-at // PAGE_BYTES) * PAGE_BYTES
    bundle = Bundle(image, hashlib.sha256(image.tobytes()).hexdigest(), arena_bytes, ring, programs)
    check_bundle(bundle)
    return bundle


def place_ports(network: CompiledNetwork, at: int, slots: int | None) -> tuple[dict[str, Port], int]:
    """Return the ports by region with their places from byte `at` on, and the byte behind them."""
    placed = {}
    for region, port in by_region(network).items():
        uses = tuple(
            (index, word)
            for index, used in enumerate(network.regions)
            for word, name in zip((SRC_WORD, DST_WORD), used, strict=True)
            if name == region
        )
        pitch = align(port.n_bytes)
        placed[region] = replace(port, offset=at, slots=slots or port.slots, slot_pitch=pitch, uses=uses)
        at += placed[region].slots * pitch
    return placed, at


def by_region(owner: CompiledNetwork | Program) -> dict[str, Port]:
    """Return the ports by the name of their region; raises BundleError for two of one name."""
    named = [(f"input:{port.name}", port) for port in owner.inputs]
    named += [(f"output:{port.name}", port) for port in owner.outputs]
    if len(dict(named)) != len(named):
        raise BundleError(f"{owner.name}: expected ports of different names, got {[region for region, _ in named]}")
    return dict(named)


def unlink(bundle: Bundle, name: str) -> CompiledNetwork:
    """Return the network of a checked bundle's program `name`, its addresses relative to regions again.

    Its ports keep their number of slots. A NOP computes nothing and is left out. Raises BundleError.
    """
    if name not in bundle.programs:
        raise BundleError(f"expected one of the programs {', '.join(bundle.programs)}, got {name}")
    program = bundle.programs[name]
    ports = by_region(program)
    used = {use: region for region, port in ports.items() for use in port.uses}
    layers = [(i, d) for i, d in enumerate(map(Descriptor.decode, bundle.words(program))) if d.op == Op.CONV]
    regions = [(used.get((i, SRC_WORD), SCRATCH), used.get((i, DST_WORD), SCRATCH)) for i, _ in layers]
    (scratch, scratch_end), (constants, constants_end) = extents([d for _, d in layers], regions)
    starts = {SCRATCH: scratch, **{region: port.offset for region, port in ports.items()}}
    stream = bundle.image[constants:constants_end]
    return CompiledNetwork(
        name=name,
        descriptors=tuple(
            replace(d, src=d.src - starts[src], dst=d.dst - starts[dst], constants=d.constants - constants)
            for (_, d), (src, dst) in zip(layers, regions, strict=True)
        ),
        regions=tuple(regions),
        constants=np.pad(stream, (0, align(stream.size) - stream.size)),
        scratch_bytes=align(scratch_end - scratch),
        inputs=tuple(replace(port, offset=0, slot_pitch=0, uses=()) for port in program.inputs),
        outputs=tuple(replace(port, offset=0, slot_pitch=0, uses=()) for port in program.outputs),
        macs=program.macs,
    )


def extents(descriptors: Sequence[Descriptor], regions: Sequence[tuple[str, str]]) -> tuple[Span, Span]:
    """Return the bytes from the first to the last that a program uses in scratch, and among the constants."""
    scratch: list[Span] = []
    for d, (src, dst) in zip(descriptors, regions, strict=True):
        scratch += (d.src_planes() if src == SCRATCH else []) + (d.dst_planes() if dst == SCRATCH else [])
    streams = [(d.constants, d.constants + d.constants_bytes) for d in descriptors]
    return extent(scratch), extent(streams)


def extent(spans: list[Span]) -> Span:
    return min((start for start, _ in spans), default=0), max((end for _, end in spans), default=0)
