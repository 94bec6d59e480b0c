# SPDX-License-Identifier: Apache-2.0
"""The flow network's layers: at low bits as committed, and with equal multiplications and random numbers in float."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.lowbit.bundle_file import load_bundle
from device.lowbit.layout import pack_codes
from models.card import load_card
from tests.arm.expression_shape import FloatLayer, float_layer

CARD = "flow_w1a2"
CHANNELS, PARTS = 300, 8
FORMS = (  # kernel, stride, inputs, outputs as shares of the first layer's width, rows
    ("cells", 1, 1, None, 1.0, 24),
    ("near", 3, 1, 1.0, 1.0, 24),
    ("near_down", 3, 1, 1.0, 0.5, 24),
    ("to_middle", 2, 2, 0.5, 1.5, 24),
    ("middle", 3, 1, 1.5, 1.5, 12),
    ("middle_down", 3, 1, 1.5, 1.0, 12),
    ("to_far", 2, 2, 1.0, 2.0, 12),
    ("far", 3, 1, 2.0, 2.0, 6),
    ("far_up", 3, 1, 2.0, 1.5, 6),
    ("both_middle", 3, 1, 3.0, 1.5, 12),
    ("middle_up", 3, 1, 1.5, 1.0, 12),
    ("both_near", 3, 1, 2.0, 1.0, 24),
    ("last", 3, 1, 1.0, 1.0, 24),
    ("motion", 3, 1, 1.0, None, 24),
)


def loaded_arena(seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return an arena with the committed network and a random input in it, and its descriptor words."""
    bundle = load_bundle(load_card(CARD).verified_path())
    program = bundle.programs["flow"]
    arena, (port,) = bundle.new_arena(), program.inputs
    values = np.random.default_rng(seed).integers(0, 256, port.shape)
    arena[port.offset : port.offset + port.n_bytes] = pack_codes(values, port.digits).view(np.uint8).reshape(-1)
    return arena, bundle.words(program)


def float_layers(width: int, seed: int = 0) -> tuple[FloatLayer, ...]:
    """Return the float twins of the layers, each by itself: what lies between them multiplies nothing."""
    rng = np.random.default_rng(seed)
    layers = []
    for name, k, stride, n_in, n_out, rows in FORMS:
        inputs = CHANNELS if n_in is None else int(n_in * width)
        outputs = PARTS if n_out is None else int(n_out * width)
        form = (k, stride, k // 2 if stride == 1 else 0, inputs, outputs)
        layers.append(float_layer(rng, name, form, (rows, rows * 4 // 3), name != "motion"))
    return tuple(layers)
