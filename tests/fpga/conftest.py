# SPDX-License-Identifier: Apache-2.0
"""The simulated accelerator for these tests: `make sim` sets EDGE_SIM to the variant (px4, px1, px4-cov)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device.errors import BackendUnavailable
from fpga.sim.build import Variant, build


@pytest.fixture(scope="session")
def variant() -> Variant:
    """What EDGE_SIM names; a skip without it, because these tests take minutes."""
    name = os.environ.get("EDGE_SIM", "")
    if not name:
        pytest.skip("simulates the accelerator for minutes; `make sim` runs it")
    known = {v.name: v for px in (1, 2, 4) for v in (Variant(px), Variant(px, coverage=True))}
    assert name in known, f"EDGE_SIM={name}: expected one of {', '.join(known)}"
    return known[name]


@pytest.fixture(scope="session")
def simulator(variant: Variant) -> Path:
    """The library of the variant; `make sim` has built it, so this takes no time."""
    try:
        return build(variant)
    except BackendUnavailable as error:
        pytest.fail(str(error))
