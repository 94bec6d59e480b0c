# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a person's looks: few vectors, none of them old, and one picture not embedded yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.geometry import shrunk
from models.results import Float32, Image

Embedder = Callable[[Image, Float32], Float32]
"""Picture (H, W, 3) RGB and boxes (N, 4) px to vectors (N, D); zeros = nothing to see."""
Likeness = Callable[[Float32, Float32], float]
"""Two vectors (D,) of an embedder to how alike they are, 1 = equal."""
LARGEST_SIDE_PX = 256
"""Of a kept picture: larger ones are shrunk, so that a picture of 8K costs no more memory than a small one."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The pixels of a person, copied out of a frame, to be embedded when that is asked for."""

    part: Image
    xyxy: Float32  # (1, 4) px of `part`
    t_ns: int


def snapshot_of(image: Image, xyxy: NDArray[np.floating], t_ns: int) -> Snapshot | None:
    """Copy what a box (4,) px shows; None where no pixel of it is in the picture."""
    height, width = image.shape[:2]
    low = np.clip(np.floor(xyxy[:2]), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(xyxy[2:]), 0, (width, height)).astype(int)
    if (low >= high).any():
        return None
    part = shrunk(image[low[1] : high[1], low[0] : high[0]], LARGEST_SIDE_PX)
    scale = np.array(part.shape[1::-1]) / (high - low)
    box = (np.asarray(xyxy, np.float64) - np.tile(low, 2)) * np.tile(scale, 2)
    return Snapshot(part, box.astype(np.float32)[None], t_ns)


def scalar_product(a: Float32, b: Float32) -> float:
    """Return how alike vectors of length 1 are."""
    return float(a @ b)


class Gallery:
    """At most `n_vectors` vectors of one person and the newest picture that was not embedded."""

    def __init__(self, n_vectors: int, likeness: Likeness = scalar_product) -> None:
        self._likeness = likeness
        self._vectors: deque[tuple[int, Float32]] = deque(maxlen=n_vectors)
        self._snapshot: Snapshot | None = None

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def is_useful(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self._vectors) or self._snapshot is not None

    @property
    def n_bytes(self) -> int:
        """Memory of vectors and picture."""
        picture = 0 if self._snapshot is None else self._snapshot.part.nbytes
        return picture + sum(vector.nbytes for _, vector in self._vectors)

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a picture in the place of the one before."""
        self._snapshot = snapshot

    def add(self, vector: Float32, t_ns: int) -> None:
        """Keep a vector (D,), newer than any picture, in the place of the oldest; zeros (nothing seen) are not kept."""
        self._snapshot = None
        if vector.any():
            self._vectors.append((t_ns, vector))

    def is_stale(self, fresh_ns: int) -> bool:
        """Whether there is a picture to embed and no vector of `fresh_ns` or later."""
        return self._snapshot is not None and (not self._vectors or self._vectors[-1][0] < fresh_ns)

    def embed(self, embedder: Embedder) -> None:
        """Turn the picture into a vector; without one nothing happens."""
        if self._snapshot is not None:
            self.add(embedder(self._snapshot.part, self._snapshot.xyxy)[0], self._snapshot.t_ns)

    def forget(self, before_ns: int) -> None:
        """Drop what is older."""
        while self._vectors and self._vectors[0][0] < before_ns:
            self._vectors.popleft()

    def similarity(self, vector: Float32) -> float:
        """Return the likeness of `vector` (D,) with the most similar vector kept, 0 where there is none."""
        return max((self._likeness(kept, vector) for _, kept in self._vectors), default=0.0)
