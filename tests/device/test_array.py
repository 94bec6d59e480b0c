# SPDX-License-Identifier: Apache-2.0
"""The message of a wrong array says what was expected and what came."""

from __future__ import annotations

import re

import numpy as np
import pytest

from device.array import expect_array


@pytest.mark.parametrize(
    ("shape", "want", "dtype", "message"),
    [
        ((3, 4), (4, 3), "float32", "boxes: expected (4, 3) float32, got (3, 4) float32"),
        ((3, 4), (3,), "float32", "boxes: expected (3) float32, got (3, 4) float32"),
        ((3, 4), (None, 5), "float32", "boxes: expected (any, 5) float32, got (3, 4) float32"),
        ((3, 4), (3, 4), "float64", "boxes: expected (3, 4) float64, got (3, 4) float32"),
        ((), (1,), "float32", "boxes: expected (1) float32, got () float32"),
    ],
)
def test_message(shape: tuple[int, ...], want: tuple[int | None, ...], dtype: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        expect_array("boxes", np.zeros(shape, np.float32), want, dtype)


@pytest.mark.parametrize("want", [(3, 4), (None, 4), (None, None)])
def test_fitting_array_passes(want: tuple[int | None, ...]) -> None:
    array = np.zeros((3, 4), np.float32)
    expect_array("boxes", array, want, np.float32)
    with pytest.raises(ValueError, match="boxes"):
        expect_array("boxes", array[:, :3], (3, 4), np.float32)
