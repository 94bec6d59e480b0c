# SPDX-License-Identifier: Apache-2.0
"""`python -m app.bench.gpu_table`: every .tflite network of the program on the GPU, or the reason why not.

Difference from the CPU on a picture, seconds to open, ms of a run on both. On a software driver the times say nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from app.config import write_whole
from app.measured import quiet_ms
from app.samples import sample
from device.errors import AppError, BackendUnavailable
from device.gpu import GpuBackend
from device.registry import probe_backend
from device.tflite import TfliteBackend
from models.card import Card, card_names, load_card


def rows() -> list[dict[str, Any]]:
    """Return one row a network, in the order of their names."""
    cards = [load_card(name) for name in card_names()]
    return [row(card) for card in cards if card.file.endswith(".tflite")]


def row(card: Card) -> dict[str, Any]:
    """Return what the GPU makes of a network; `reason` is None where it runs there."""
    found: dict[str, Any] = {"network": card.name, "sha256": card.sha256, "reason": None}
    path = card.verified_path()
    cpu = TfliteBackend(path)
    found["cpu_ms"] = quiet_ms(cpu, sample(card, cpu))
    start = time.perf_counter()
    try:
        gpu = GpuBackend(path, sample(card))
    except BackendUnavailable as error:
        return {**found, "reason": str(error)}
    try:
        found["open_s"] = round(time.perf_counter() - start, 2)
        found["gpu_ms"] = quiet_ms(gpu, sample(card, gpu))
        found["difference"] = str(gpu.difference)
    except AppError as error:
        return {**found, "reason": str(error)}
    finally:
        gpu.close()
    return found


def lines(found: list[dict[str, Any]]) -> list[str]:
    """Return the table that a person reads."""
    out = [f"{'network':17} {'GPU differs by':32} {'opens':>7} {'GPU ms':>8} {'CPU ms':>8}"]
    for each in found:
        if each["reason"] is None:
            shown = f"{each['difference']:32} {each['open_s']:5.1f} s {each['gpu_ms']:8.2f} {each['cpu_ms']:8.2f}"
        else:
            shown = f"not used: {each['reason']}"
        out.append(f"{each['network']:17} {shown}")
    return out


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.bench.gpu_table", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT")
    given = parser.parse_args(arguments)
    try:
        device = probe_backend("gpu")
        found = rows()
        print("\n".join([device, *lines(found)]))
        if given.json is not None:
            write_whole(json.dumps({"device": device, "rows": found}, indent=1) + "\n", given.json)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{given.json} cannot be written: {error.strerror}; choose another place", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
