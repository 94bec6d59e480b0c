# SPDX-License-Identifier: Apache-2.0
"""`python -m models.convert NET`: trained weights -> .tflite files, a low-bit program, cards, accuracy."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from device.errors import AppError
from models.convert import expression


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.convert", description=__doc__)
    parser.add_argument("net", choices=["expression"])
    parser.add_argument("--float", type=Path, default=Path("build/train/expression-float-seed0"), help="its run")
    parser.add_argument("--w1a2", type=Path, default=Path("build/train/expression-w1a2-seed0"), help="its run")
    parser.add_argument("--data", type=Path, help="train_public.npz (default: $EDGE_DATA/fer2013/train_public.npz)")
    arguments = parser.parse_args()
    data = arguments.data or Path(os.environ.get("EDGE_DATA", "../shared/data")) / "fer2013/train_public.npz"
    for path in (arguments.float / "weights.pt", arguments.w1a2 / "weights.pt", data):
        if not path.exists():
            parser.error(f"{path} is not here; train first (python -m models.train), or set EDGE_DATA")
    try:
        cards = expression.convert(arguments.float, arguments.w1a2, data)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps([card["measured"] for card in cards], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
