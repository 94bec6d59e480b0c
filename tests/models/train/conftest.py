# SPDX-License-Identifier: Apache-2.0
"""A small set of faces in FER2013's format, and short runs on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class is the brightness of the picture."""
    random = np.random.default_rng(5)
    label = random.integers(0, 7, 420).astype(np.int8)
    level = (18 + 36 * label.astype(int))[:, None, None]
    image = np.clip(level + random.normal(0, 12, (420, 48, 48)), 0, 255).astype(np.uint8)
    votes = np.full((420, 10), -1, np.int8)
    votes[::2] = np.eye(10, dtype=np.int8)[label[::2]] * 10
    usage = (np.arange(420) % 3 == 0).astype(np.int8)
    path = tmp_path_factory.mktemp("data") / "faces.npz"
    np.savez(path, X=image, y=label, usage=usage, ferplus_votes=votes, clean=(usage == 1) & (label < 6))
    return path
