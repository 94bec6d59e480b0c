# SPDX-License-Identifier: Apache-2.0
"""Several compiled networks in one arena: control, descriptors, constants, one scratch, inputs and outputs by slot."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from device.lowbit.compiler import SCRATCH, CompiledNetwork, align
from device.lowbit.cycles import model_cycles
from device.lowbit.descriptor import DST_WORD, SRC_WORD, encode_all
from device.lowbit.program import (
    DESCRIPTOR_BYTES,
    PAGE_BYTES,
    RECORD_BYTES,
    Bundle,
    BundleError,
    Port,
    Program,
    Ring,
    check_bundle,
)


def link(networks: Sequence[CompiledNetwork], slots: int = 1, ring_log2: int = 6) -> Bundle:
    """Return a checked bundle with `slots` places for every input and output."""
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


def place_ports(network: CompiledNetwork, at: int, slots: int) -> tuple[dict[str, Port], int]:
    """Return the ports by region with their places from byte `at` on, and the byte behind them."""
    placed = {}
    named = [("input", port) for port in network.inputs] + [("output", port) for port in network.outputs]
    for kind, port in named:
        region = f"{kind}:{port.name}"
        uses = tuple(
            (index, word)
            for index, used in enumerate(network.regions)
            for word, name in zip((SRC_WORD, DST_WORD), used, strict=True)
            if name == region
        )
        pitch = align(port.n_bytes)
        placed[region] = replace(port, offset=at, slots=slots, slot_pitch=pitch, uses=uses)
        at += slots * pitch
    return placed, at
