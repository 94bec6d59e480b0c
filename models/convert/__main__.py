# SPDX-License-Identifier: Apache-2.0
"""`python -m models.convert NET`: trained weights -> .tflite files, a low-bit program, cards, accuracy."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from device.errors import AppError
from models.convert import expression, flow

CONVERT = {"expression": expression.convert, "flow": flow.convert}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.convert", description=__doc__)
    parser.add_argument("net", choices=list(CONVERT))
    parser.add_argument("--float", type=Path, help="its run (default: build/train/NET-float-seed0)")
    parser.add_argument("--w1a2", type=Path, help="its run (default: build/train/NET-w1a2-seed0)")
    parser.add_argument("--data", type=Path, help="expression: train_public.npz; flow: folder (default: $EDGE_DATA's)")
    arguments = parser.parse_args()
    runs = {p: getattr(arguments, p) or Path(f"build/train/{arguments.net}-{p}-seed0") for p in ("float", "w1a2")}
    folder = Path(os.environ.get("EDGE_DATA", "../shared/data"))
    data = arguments.data or (folder if arguments.net == "flow" else folder / "fer2013/train_public.npz")
    for path in (*(run / "weights.pt" for run in runs.values()), data):
        if not path.exists():
            parser.error(f"{path} is not here; train first (python -m models.train), or set EDGE_DATA")
    try:
        cards = CONVERT[arguments.net](runs["float"], runs["w1a2"], data)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps([card["measured"] for card in cards], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
