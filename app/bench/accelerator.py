# SPDX-License-Identifier: Apache-2.0
"""What the low-bit networks take on the accelerator: cycles of the MODEL, and simulated ones where that is built.

None is a measurement on a board, and the ARM's work (packing, copies, softmax) is in none of them.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import BackendUnavailable
from device.fpga.fpga_backend import SIMULATION, SimulatedBackend
from device.lowbit.bundle_file import load_bundle
from device.lowbit.cycles import BUS_EFFICIENCY, PIXELS, model_cycles
from device.lowbit.descriptor import Descriptor
from device.registry import probe_backend
from models.card import card_names, load_card

CLOCKS_HZ = (100e6, 150e6)
NOTE = (
    f"no board was measured: the memory of the MODEL gives {BUS_EFFICIENCY:.0%}, the simulated one is never busy; "
    "ARM work (packing, copies, softmax) excluded"
)


def measure_accelerator() -> dict[str, Any]:
    """Return one row a program of every low-bit card; `not_simulated` is why there are MODEL figures alone, or None."""
    try:
        probe_backend(SIMULATION)
        reason = None
    except BackendUnavailable as error:
        reason = str(error)
    rows = [row for path in low_bit_files() for row in rows_of(path, reason is None)]
    return {"note": NOTE, "px": PIXELS, "not_simulated": reason, "rows": rows}


def low_bit_files() -> list[Path]:
    """Return the program files of the cards that have one."""
    cards = [load_card(name) for name in card_names()]
    return [card.verified_path() for card in cards if card.precision == "w1a2"]


def rows_of(path: Path, is_simulated: bool) -> list[dict[str, Any]]:
    """Return one row a program: cycles by assumed clock, because the memory does not get faster with the array."""
    bundle = load_bundle(path)
    rows = []
    for name, program in bundle.programs.items():
        descriptors = [Descriptor.decode(words) for words in bundle.words(program)]
        model = [figures(model_cycles(descriptors, clock_hz), clock_hz) for clock_hz in CLOCKS_HZ]
        simulated = simulate(path, name) if is_simulated else None
        rows.append({"network": name, "macs": program.macs, "model": model, "simulated": simulated})
    return rows


def figures(cycles: int, clock_hz: float) -> dict[str, Any]:
    return {"clock_mhz": clock_hz / 1e6, "cycles": cycles, "ms": round(1e3 * cycles / clock_hz, 4)}


def simulate(path: Path, program: str) -> dict[str, Any]:
    """Return what the simulated unit counted for one input, at the clock that it was built for."""
    with closing(SimulatedBackend(path, program)) as backend:
        backend.run({spec.name: np.zeros(spec.shape, np.uint8) for spec in backend.inputs})
        return figures(sum(backend.cycles), backend.clock_hz)


def table(found: dict[str, Any]) -> str:
    """Return the lines a person reads."""
    lines = [f"{'accelerator, ' + str(found['px']) + ' pixels':28} {'MHz':>5} {'cycles':>10} {'ms':>7}"]
    for row in found["rows"]:
        simulated = [("simulated", row["simulated"])] if row["simulated"] else []
        for kind, each in [*(("MODEL", each) for each in row["model"]), *simulated]:
            what = f"{row['network']}, {kind}"
            lines.append(f"{what:28} {each['clock_mhz']:5.0f} {each['cycles']:10,} {each['ms']:7.3f}")
    if found["not_simulated"] is not None:
        lines.append(f"not simulated: {found['not_simulated']}")
    return "\n".join([*lines, found["note"]])
