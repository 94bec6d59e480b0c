# SPDX-License-Identifier: Apache-2.0
"""Networks of the shapes that the cycle model plans for, with random numbers (specification, section 12)."""

from __future__ import annotations

import numpy as np

from device.lowbit.descriptor import Store
from device.lowbit.network import InputTensor, Network
from tests.device.lowbit.networks import codes, raw

DOWN, UP = Store.SPACE_TO_DEPTH, Store.UPSAMPLE
BYTES = 80
"""Spread of thresholds behind an input of four digits, in the units of `codes`."""


def lmnet_v1() -> Network:
    """LmnetV1 at 48x48x3: 300 MMAC."""
    rng = np.random.default_rng(48)
    layers = (
        codes(rng, "conv1", ("image",), (3, 32), spread=BYTES),
        codes(rng, "conv2", ("conv1",), (32, 64), store=DOWN),
        codes(rng, "conv3", ("conv2",), (256, 128)),
        codes(rng, "conv4", ("conv3",), (128, 64), store=DOWN),
        codes(rng, "conv5", ("conv4",), (256, 128), store=DOWN),
        codes(rng, "conv6", ("conv5",), (512, 64), k=1),
        raw(rng, "conv7", ("conv6",), (64, 7)),
    )
    return Network("lmnet", (InputTensor("image", (3, 48, 48)),), layers, ("conv7",))


def flow_depth3() -> Network:
    """LmFlowNet cut at depth 3, 96x128, with the first space-to-depth done while packing: 754 MMAC and two copies.

    A layer has one store mode: `conv2` is also needed with halved sides, so `pack2` is one layer more than the model's,
    and `predict3` reads `conv3`, which has the shape of `conv3_1`.
    """
    rng = np.random.default_rng(96)
    layers = (
        codes(rng, "conv1", ("frames",), (24, 64), spread=BYTES, store=DOWN),
        codes(rng, "conv2", ("conv1",), (256, 128)),
        codes(rng, "pack2", ("conv2",), (128, 128), k=1, store=DOWN),
        codes(rng, "conv3", ("pack2",), (512, 256)),
        codes(rng, "conv3_1", ("conv3",), (256, 256), store=UP),
        codes(rng, "predict3", ("conv3",), (256, 2), store=UP),
        codes(rng, "upflow3", ("predict3",), (2, 2)),
        codes(rng, "deconv2", ("conv3_1",), (256, 64)),
        codes(rng, "cast", ("conv2", "deconv2", "upflow3"), (194, 194), k=1),
        raw(rng, "predict2", ("cast",), (194, 2), k=3),
    )
    return Network("flow", (InputTensor("frames", (24, 48, 64)),), layers, ("predict2",))
