# SPDX-License-Identifier: Apache-2.0
"""The one place that knows where the evaluation data is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["VK_ICD_FILENAMES"] = "/nowhere/no_gpu.json"
"""No test finds a GPU of this computer but those that ask for one (tests.device.software_gpu)."""
DATA = Path(os.environ.get("EDGE_DATA", "../shared/data"))


def need(relative: str) -> Path:
    """Return a file or folder of the evaluation data, or skip the test."""
    path = DATA / relative
    if not path.exists():
        pytest.skip(f"{path} is not here; set EDGE_DATA to the data folder to run this test")
    return path
