# SPDX-License-Identifier: Apache-2.0
"""The definition of the low-bit machine in NumPy (accelerator specification, sections 2 to 4 and 8).

The C kernels and the hardware change the same bytes of the arena and answer the same error code. A descriptor that
writes what it reads has no defined result; `check_bundle` refuses it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.lowbit.descriptor import N_WORDS, Descriptor, ErrorCode, Op, Store, check_words
from device.lowbit.layout import LANES, pack_codes, unpack_codes, unpack_constants, up4

Arena = NDArray[np.uint8]
"""(n,) bytes in one piece: everything a program reads and writes."""


def run(arena: Arena, descriptors: NDArray[np.uint32]) -> ErrorCode:
    """Execute (n, 16) descriptor words in order on `arena`, in place; stop at the first error and return it."""
    check_arena(arena, descriptors)
    for row in descriptors:
        words = [int(word) for word in row]
        code = check_words(words, arena.size)
        if code != ErrorCode.OK:
            return code
        descriptor = Descriptor.decode(words)
        if descriptor.op == Op.CONV:
            convolve(arena, descriptor)
    return ErrorCode.OK


def check_arena(arena: Arena, descriptors: NDArray[np.uint32]) -> None:
    """Raise ValueError unless both arrays have the form that `run` takes."""
    if arena.dtype != np.uint8 or arena.ndim != 1 or not arena.flags.c_contiguous or not arena.flags.writeable:
        raise ValueError(f"arena: expected writable (n,) uint8 in one piece, got {arena.shape} {arena.dtype}")
    if descriptors.dtype != np.dtype("<u4") or descriptors.ndim != 2 or descriptors.shape[1] != N_WORDS:
        raise ValueError(f"descriptors: expected (n, {N_WORDS}) uint32, got {descriptors.shape} {descriptors.dtype}")


def convolve(arena: Arena, d: Descriptor) -> None:
    """Execute one legal CONV."""
    stream = arena[d.constants : d.constants + d.constants_bytes]
    weights, thresholds = unpack_constants(stream, d.k, d.cb_in, d.cb_out, bool(d.raw))
    acc = accumulate(read_values(arena, d), weights, d)
    if d.raw:
        write_raw(arena, d, acc)
        return
    code = np.zeros(acc.shape, np.uint8)
    for j in range(3):
        code += acc >= thresholds[:, j, None, None]
    write_planes(arena, d, pack_codes(code)[:, 0, :, : acc.shape[2]])


def read_values(arena: Arena, d: Descriptor) -> NDArray[np.uint8]:
    """Return the (32 * cb_in, h, w) input values; row padding is not looked at."""
    planes = [arena[start:end].view("<u8") for start, end in d.src_planes()]
    return unpack_codes(np.stack(planes).reshape(d.cb_in, d.digits, d.h, up4(d.w)), d.w)


def accumulate(x: NDArray[np.uint8], weights: NDArray[np.int8], d: Descriptor) -> NDArray[np.int32]:
    """Return the (32 * cb_out, rows, columns) sums of section 2.

    float32 matrix products are exact here: every partial sum is an integer of at most 9 * 1024 * 255 < 2**24.
    """
    height, width = d.out_hw
    padded = np.pad(x, ((0, 0), (d.pad_top, d.pad_bottom), (d.pad_left, d.pad_right))).astype(np.float32)
    windows = [padded[:, ky : ky + height, kx : kx + width] for ky in range(d.k) for kx in range(d.k)]
    columns = np.stack(windows).reshape(-1, height * width)  # (ky, kx, channel), pixel
    matrix = weights.transpose(0, 2, 3, 1).reshape(d.cb_out * LANES, -1).astype(np.float32)
    return (matrix @ columns).astype(np.int32).reshape(-1, height, width)


def write_raw(arena: Arena, d: Descriptor, acc: NDArray[np.int32]) -> None:
    """Store accumulators as [Cb][H][W4][32] int32."""
    height, width = d.out_hw
    by_block = acc.reshape(d.cb_out, LANES, height, width)
    for block, (start, end) in zip(by_block, d.dst_planes(), strict=True):
        plane = arena[start:end].view("<i4").reshape(height, up4(width), LANES)
        plane[:, :width] = block.transpose(1, 2, 0)


def write_planes(arena: Arena, d: Descriptor, words: NDArray[np.uint64]) -> None:
    """Store (cb_out, rows, columns) words in the layout the store mode asks for; row padding is never written."""
    if d.store == Store.SPACE_TO_DEPTH:
        words = np.concatenate([words[:, dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)])
    elif d.store == Store.UPSAMPLE:
        words = words.repeat(2, axis=1).repeat(2, axis=2)
    height, width = d.stored_hw
    for block, (start, end) in zip(words, d.dst_planes(), strict=True):
        arena[start:end].view("<u8").reshape(height, up4(width))[:, :width] = block
