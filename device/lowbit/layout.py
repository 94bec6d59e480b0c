# SPDX-License-Identifier: Apache-2.0
"""Tensor layouts of the low-bit machines (accelerator specification, section 3): arrays in, bytes out.

Rows are `up4(width)` pixels long, channels lie in blocks of 32, everything is little-endian.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LANES = 32
"""Channels of one block: one bit each in a 32-bit plane."""
MAX_DIGITS = 4
MAX_COPIED_CHANNELS = 8
THRESHOLD_MIN, THRESHOLD_MAX = -(2**23), 2**23 - 1
"""A threshold at the lower end is always reached, one at the upper end never."""

Words = NDArray[np.uint64]
"""(Cb, D, H, W4): one 64-bit word per pixel, block and digit; plane 0 in the low half, channel i in bit i."""


def up4(width_px: int) -> int:
    """Return the pixels of one stored row, padding included."""
    return (width_px + 3) // 4 * 4


def blocks(n_channels: int) -> int:
    """Return how many blocks of 32 hold `n_channels`."""
    return -(-n_channels // LANES)


def code_row_bytes(width_px: int) -> int:
    """Return the bytes of one row of one plane of a code or digit tensor."""
    return up4(width_px) * 8


def raw_row_bytes(width_px: int) -> int:
    """Return the bytes of one row of one block of a raw tensor."""
    return up4(width_px) * LANES * 4


def tensor_bytes(shape: tuple[int, int, int], digits: int = 1, raw: bool = False) -> int:
    """Return the bytes of a (C, H, W) tensor, row padding included."""
    channels, height, width = shape
    if raw:
        return blocks(channels) * height * raw_row_bytes(width)
    return blocks(channels) * digits * height * code_row_bytes(width)


def constants_bytes(k: int, cb_in: int, cb_out: int, raw: bool) -> int:
    """Return the bytes of a layer's constant stream."""
    return cb_out * (k * k * cb_in * LANES * 4 + (0 if raw else LANES * 16))


def can_copy(channels: int, copies: int) -> bool:
    """Tell whether so many copies of each channel of an input can stand beside each other, in one block."""
    return copies == 1 or (copies > 1 and channels <= MAX_COPIED_CHANNELS and channels * copies <= LANES)


def pack_codes(values: NDArray[np.integer[Any]], digits: int = 1) -> Words:
    """Return the words of (C, H, W) `values` in 0..4**digits-1; lanes and pixels that do not exist are 0."""
    if values.ndim != 3 or 0 in values.shape:
        raise ValueError(f"values: expected (channels, rows, columns), got {values.shape}")
    if not 1 <= digits <= MAX_DIGITS:
        raise ValueError(f"digits: expected 1..{MAX_DIGITS}, got {digits}")
    if values.min() < 0 or values.max() >= 4**digits:
        raise ValueError(f"values: expected 0..{4**digits - 1}, got {values.min()}..{values.max()}")
    channels, height, width = values.shape
    padded = np.zeros((blocks(channels) * LANES, height, up4(width)), np.uint8)
    padded[:channels, :, :width] = values
    lanes = np.moveaxis(padded.reshape(-1, LANES, height, up4(width)), 1, -1)
    # One bit of every lane at a time: 32 lanes become 4 bytes, plane 0 of a digit then plane 1 become one word.
    planes = [np.packbits(lanes >> bit & 1, axis=-1, bitorder="little") for bit in range(2 * digits)]
    pairs = [np.concatenate(planes[2 * d : 2 * d + 2], axis=-1) for d in range(digits)]
    return np.ascontiguousarray(np.stack(pairs, axis=1)).view("<u8")[..., 0]


def unpack_codes(words: Words, width_px: int) -> NDArray[np.uint8]:
    """Return the (32 * Cb, H, width) values of (Cb, D, H, W4) words; row padding is dropped."""
    cb, digits, height, _ = words.shape
    octets = np.ascontiguousarray(words[..., :width_px]).astype("<u8")[..., None].view(np.uint8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little").reshape(cb, digits, height, width_px, 2, LANES)
    values = np.zeros((cb, height, width_px, LANES), np.uint8)
    for d in range(digits):
        values += (bits[:, d, ..., 0, :] + 2 * bits[:, d, ..., 1, :]) << (2 * d)
    return np.ascontiguousarray(np.moveaxis(values, -1, 1)).reshape(cb * LANES, height, width_px)


def pack_raw(values: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Return the [Cb][H][W4][32] words of (C, H, W) `values`."""
    channels, height, width = values.shape
    padded = np.zeros((blocks(channels) * LANES, height, up4(width)), "<i4")
    padded[:channels, :, :width] = values
    return np.ascontiguousarray(np.moveaxis(padded.reshape(-1, LANES, height, up4(width)), 1, -1))


def unpack_raw(words: NDArray[np.int32], width_px: int) -> NDArray[np.int32]:
    """Return the (32 * Cb, H, width) accumulators of [Cb][H][W4][32] words, a copy in every case."""
    cb, height = words.shape[:2]
    return np.array(np.moveaxis(words[:, :, :width_px], -1, 1), order="C").reshape(cb * LANES, height, width_px)


def pack_constants(weights: NDArray[np.int8], thresholds: NDArray[np.int32] | None) -> NDArray[np.uint8]:
    """Return the constant stream of one layer.

    `weights` (Cout, Cin, k, k) of -1 and +1, `thresholds` (Cout, 3) rising or None for raw. Channels that do not
    exist get weight bits 0 and thresholds that are never reached.
    """
    c_out, c_in, k, _ = weights.shape
    bits = np.zeros((blocks(c_out) * LANES, blocks(c_in) * LANES, k, k), np.bool_)
    bits[:c_out, :c_in] = weights > 0
    split = bits.reshape(-1, LANES, blocks(c_in), LANES, k, k).transpose(0, 4, 5, 2, 1, 3)  # ob, ky, kx, cb, out, in
    words = np.packbits(split, axis=-1, bitorder="little").reshape(blocks(c_out), -1)
    if thresholds is None:
        return words.reshape(-1)
    limits = np.zeros((blocks(c_out) * LANES, 4), "<i4")
    limits[:, :3] = THRESHOLD_MAX
    limits[:c_out, :3] = thresholds
    return np.concatenate([words, limits.reshape(blocks(c_out), -1).view(np.uint8)], axis=1).reshape(-1)


def unpack_constants(
    stream: NDArray[np.uint8], k: int, cb_in: int, cb_out: int, raw: bool
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Return weights (32 * cb_out, 32 * cb_in, k, k) of -1 and +1, and thresholds (32 * cb_out, 3), (0, 3) if raw."""
    parts = stream.reshape(cb_out, -1)
    n_bytes = k * k * cb_in * LANES * 4
    bits = np.unpackbits(np.ascontiguousarray(parts[:, :n_bytes]), axis=-1, bitorder="little")
    split = bits.reshape(cb_out, k, k, cb_in, LANES, LANES).transpose(0, 4, 3, 5, 1, 2)
    weights = split.reshape(cb_out * LANES, cb_in * LANES, k, k).astype(np.int8) * 2 - 1
    limits = np.ascontiguousarray(parts[:, n_bytes:]).view("<i4").reshape(-1, 4)[:, :3]
    return weights.astype(np.int8), limits[: 0 if raw else None]
