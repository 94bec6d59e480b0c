# SPDX-License-Identifier: Apache-2.0
"""Every machine leaves the recorded bytes of the committed networks, layer by layer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from device.lowbit import emulator
from device.lowbit.library import Level
from device.lowbit.machine import SHARED
from tests.device.lowbit.golden_networks import FILE, loaded, networks, record

MACHINES = ["emulator", *(level.name for level in Level if level != Level.AUTO)]


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, Any]]:
    known: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return known


def test_every_low_bit_network_is_recorded(recorded: dict[str, dict[str, Any]]) -> None:
    assert list(recorded) == networks()


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", networks())
def test_machine_leaves_the_recorded_bytes(recorded: dict[str, dict[str, Any]], name: str, machine: str) -> None:
    bundle, _, _ = loaded(name)
    assert bundle.sha256 == recorded[name]["image"], f"{name} was made anew: run `make golden`"
    if machine == "emulator":
        assert record(name, emulator.run) == recorded[name]
        return
    library = SHARED.open()
    if library.force(Level[machine]) is None:
        pytest.skip(f"this CPU has no {machine} kernels")
    try:
        assert record(name, library.run) == recorded[name]
    finally:
        library.force(Level.AUTO)
