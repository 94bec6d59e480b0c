# SPDX-License-Identifier: Apache-2.0
"""The byte streams that the C programs of this folder read and write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.lowbit.library import Level
from tests.arm.expression_shape import Array, FloatLayer


@dataclass(frozen=True, eq=False)
class ArenaJob:
    """(n, 16) descriptor words on an arena, `runs` times by one kernel."""

    arena: NDArray[np.uint8]
    words: NDArray[np.uint32]
    level: Level
    runs: int = 1

    def encode(self) -> bytes:
        head = np.array([self.level, self.runs, len(self.words), self.arena.size], "<u4")
        return head.tobytes() + self.words.astype("<u4").tobytes() + self.arena.tobytes()


def split_answers(printed: bytes, jobs: Sequence[ArenaJob]) -> list[tuple[int, NDArray[np.uint8]]]:
    """Return code and arena of every job; raises ValueError when the program wrote another number of bytes."""
    expected = sum(4 + job.arena.size for job in jobs)
    if len(printed) != expected:
        raise ValueError(f"answers of {len(jobs)} jobs: expected {expected} bytes, got {len(printed)}")
    answers, at = [], 0
    for job in jobs:
        code = int(np.frombuffer(printed, "<i4", 1, at)[0])
        answers.append((code, np.frombuffer(printed, np.uint8, job.arena.size, at + 4)))
        at += 4 + job.arena.size
    return answers


FLOAT_OUTPUTS = 8
"""Output channels of float_network.c are rounded up to a multiple of this."""


def float_job(layers: Sequence[FloatLayer], x: Array, runs: int = 1, one_block: bool = False) -> bytes:
    """Return the stream of float_network.c for x (C, H, W); `one_block` where it was built with INPUTS."""
    parts = [np.array([runs, len(layers)], "<u4").tobytes()]
    for layer in layers:
        n_out, n_in, k, _ = layer.weights.shape
        sizes = (n_in, n_out, k, layer.stride, layer.pad, *layer.in_hw, int(layer.is_relu))
        parts.append(np.array(sizes, "<u4").tobytes())
    for layer in layers:
        n_out, n_in, k, _ = layer.weights.shape
        rounded = -(-n_out // FLOAT_OUTPUTS) * FLOAT_OUTPUTS
        weights = np.zeros((rounded, n_in, k, k), "<f4")
        weights[:n_out] = layer.weights
        blocks = weights.reshape(-1, rounded if one_block else FLOAT_OUTPUTS, n_in, k, k)
        bias = np.zeros(rounded, "<f4")
        bias[:n_out] = layer.bias
        parts += [blocks.transpose(0, 3, 4, 2, 1).tobytes(), bias.tobytes()]  # block, ky, kx, input, output
    parts.append(x.astype("<f4").transpose(1, 2, 0).tobytes())
    return b"".join(parts)


def float_output(printed: bytes, last: FloatLayer) -> Array:
    """Return the (C, H, W) output of the last layer."""
    return np.frombuffer(printed, "<f4").reshape(*last.out_hw, -1).transpose(2, 0, 1)
