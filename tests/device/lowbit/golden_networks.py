# SPDX-License-Identifier: Apache-2.0
"""Golden record of the committed low-bit networks, whole: `python -m tests.device.lowbit.golden_networks`.

`networks.json` has, by the name of a network's card, `image`, the SHA-256 of its program's image, and `after`, the
SHA-256 of the arena after each descriptor. The input comes from SHAKE-128 of the card's name, as in `golden`. To be
recorded again when a network is trained anew: the test says so.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.lowbit import emulator
from device.lowbit.bundle_file import load_bundle
from device.lowbit.descriptor import ErrorCode
from device.lowbit.layout import pack_codes
from device.lowbit.program import Bundle
from models.card import card_names, load_card
from tests.device.lowbit.golden import FOLDER, Numbers

FILE = FOLDER / "networks.json"
Arena = NDArray[np.uint8]
Run = Callable[[Arena, NDArray[np.uint32]], ErrorCode]


def networks() -> list[str]:
    """Return the cards of low-bit networks."""
    return [name for name in card_names() if load_card(name).precision == "w1a2"]


def loaded(name: str) -> tuple[Bundle, Arena, NDArray[np.uint32]]:
    """Return a committed network, an arena with the record's input in slot 0, and its descriptor words."""
    bundle = load_bundle(load_card(name).verified_path())
    (program,) = bundle.programs.values()
    arena, numbers = bundle.new_arena(), Numbers(name)
    for port in program.inputs:
        values = numbers.array(port.shape, 0, 4**port.digits - 1)
        packed = pack_codes(values.repeat(port.copies, 0), port.digits)
        arena[port.offset : port.offset + port.n_bytes] = packed.view(np.uint8).reshape(-1)
    return bundle, arena, bundle.words(program)


def record(name: str, run: Run) -> dict[str, Any]:
    """Return what a machine leaves; raises ValueError when it stops."""
    bundle, arena, words = loaded(name)
    after = []
    for row in words:
        code = run(arena, row[None])
        if code != ErrorCode.OK:
            raise ValueError(f"{name}: expected a legal program, the machine answers {code.name}")
        after.append(hashlib.sha256(arena.tobytes()).hexdigest())
    return {"image": bundle.sha256, "after": after}


def main() -> int:
    found = {name: record(name, emulator.run) for name in networks()}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{FILE.name}: {', '.join(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
