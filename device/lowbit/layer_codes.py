# SPDX-License-Identifier: Apache-2.0
"""What is between the layers of a low-bit network: the codes 0..3 that each one leaves for an input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.backend import Tensors
from device.errors import BackendError
from device.lowbit import emulator
from device.lowbit.cpu import choose_program, open_bundle, stored
from device.lowbit.descriptor import Descriptor, ErrorCode, Op, Store
from device.lowbit.emulator import Arena
from device.lowbit.layout import LANES, THRESHOLD_MAX, unpack_codes, unpack_constants, up4
from device.lowbit.machine import Emulator


@dataclass(frozen=True, eq=False)
class LayerCodes:
    """The codes (C, H, W) uint8 of one layer, before they are laid down in quarters or enlarged."""

    number: int  # from 1
    codes: NDArray[np.uint8]

    @property
    def shares(self) -> tuple[float, ...]:
        """How much of the values has each of the codes 0..3; the first is the sparsity."""
        return tuple((np.bincount(self.codes.reshape(-1), minlength=4) / max(self.codes.size, 1)).tolist())


def layer_codes(path: Path, inputs: Tensors, program: str | None = None) -> list[LayerCodes]:
    """Run the emulator, layer by layer, on inputs as `LowbitBackend.run` takes them; the last layer gives no codes.

    Takes a tenth of a second and more. Raises BackendUnavailable for a file that is no program.
    """
    bundle = open_bundle(path)
    chosen = choose_program(path, bundle, program)
    arena, by_constants = bundle.new_arena(), dict[int, NDArray[np.uint8]]()
    for port in chosen.inputs:
        Emulator().packer(port.shape, port.digits, stored(arena, port), port.copies)(inputs[port.name])
    for words in bundle.words(chosen):
        code = emulator.run(arena, words[None])
        if code != ErrorCode.OK:
            raise BackendError(f"{path.name}: program {chosen.name} stopped with {code.name}")
        descriptor = Descriptor.decode([int(word) for word in words])
        if descriptor.op != Op.CONV or descriptor.raw:
            continue
        codes = codes_of(arena, descriptor)
        if descriptor.constants in by_constants:  # the next rows of a layer that is too large for one descriptor
            codes = np.concatenate([by_constants[descriptor.constants], codes], axis=1)
        by_constants[descriptor.constants] = codes
    return [LayerCodes(number, codes) for number, codes in enumerate(by_constants.values(), 1)]


def codes_of(arena: Arena, d: Descriptor) -> NDArray[np.uint8]:
    """Return the codes that a layer has just stored, of the channels that exist."""
    height, width = d.stored_hw
    planes = np.stack([arena[start:end].view("<u8").reshape(1, height, up4(width)) for start, end in d.dst_planes()])
    codes = unpack_codes(planes, width)
    if d.store == Store.SPACE_TO_DEPTH:
        by_parity = codes.reshape(2, 2, d.cb_out * LANES, height, width)
        codes = by_parity.transpose(2, 3, 0, 4, 1).reshape(d.cb_out * LANES, 2 * height, 2 * width)
    elif d.store == Store.UPSAMPLE:
        codes = codes[:, ::2, ::2]
    stream = arena[d.constants : d.constants + d.constants_bytes]
    _, thresholds = unpack_constants(stream, d.k, d.cb_in, d.cb_out, False)
    exists = np.flatnonzero((thresholds < THRESHOLD_MAX).any(axis=1))
    return codes[: exists[-1] + 1 if exists.size else 0]
