# SPDX-License-Identifier: Apache-2.0
"""The one check that an array has the shape and type its owner states."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def expect_array(name: str, array: NDArray[Any], shape: tuple[int | None, ...], dtype: DTypeLike) -> None:
    """Raise ValueError "NAME: expected ... got ..." unless `array` has `shape` (None = any size) and `dtype`."""
    fits = len(array.shape) == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != np.dtype(dtype):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name}: expected ({wanted}) {np.dtype(dtype)}, got {array.shape} {array.dtype}")
