# SPDX-License-Identifier: Apache-2.0
"""`python -m models.train.flow_baselines`: OpenCV's methods and no motion on the flow network's validation pairs."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from device.errors import AppError
from models.classical_flow import DIS_PRESETS, Dis, Farneback
from models.flow_stem import HEIGHT_PX, WIDTH_PX
from models.results import Flow, Image
from models.train.flow import N_VALIDATION, VALIDATION_SEED
from models.train.flow_photos import load_photos
from models.train.flow_scenes import scenes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.train.flow_baselines", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("EDGE_DATA", "../shared/data")))
    given = parser.parse_args()
    try:
        _, held_out = load_photos(given.data)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"epe_px": end_point_errors(held_out, N_VALIDATION), "n": N_VALIDATION}, indent=2))
    return 0


def end_point_errors(photos: Sequence[Image], n: int) -> dict[str, float]:
    """Return the mean end-point error of each method over all pixels of `n` pairs, px of 128x96."""
    methods: dict[str, Callable[[Image, Image], Flow]] = {f"dis {name}": Dis(name) for name in DIS_PRESETS}
    methods["farneback"] = Farneback()
    errors: dict[str, list[float]] = {name: [] for name in ("no motion", *methods)}
    for pair in itertools.islice(scenes(photos, (WIDTH_PX, HEIGHT_PX), VALIDATION_SEED), n):
        errors["no motion"].append(float(np.linalg.norm(pair.uv, axis=-1).mean()))
        for name, method in methods.items():
            found = method(pair.first_rgb, pair.second_rgb).uv
            errors[name].append(float(np.linalg.norm(found - pair.uv, axis=-1).mean()))
    return {name: round(float(np.mean(each)), 4) for name, each in errors.items()}


if __name__ == "__main__":
    sys.exit(main())
