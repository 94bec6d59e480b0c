# SPDX-License-Identifier: Apache-2.0
"""`python -m models.train NET`: train a network by its recipe; a second call resumes."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from pathlib import Path

import torch

from models.nets.expression import ExpressionNet
from models.train import expression


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("net", choices=["expression"])
    parser.add_argument("--data", type=Path, help="train_public.npz (default: $EDGE_DATA/fer2013/train_public.npz)")
    parser.add_argument("--out", type=Path, default=Path("build/train/expression-float"))
    parser.add_argument("--teacher", type=Path, help="weights.pt of an earlier run to learn from as well")
    for field in dataclasses.fields(expression.Recipe):
        kind = float if isinstance(field.default, float) else int
        parser.add_argument("--" + field.name.replace("_", "-"), type=kind, default=field.default)
    arguments = parser.parse_args()
    recipe = expression.Recipe(**{f.name: getattr(arguments, f.name) for f in dataclasses.fields(expression.Recipe)})
    data = arguments.data or Path(os.environ.get("EDGE_DATA", "../shared/data")) / "fer2013/train_public.npz"
    if not data.exists():
        parser.error(f"{data} is not here; give --data or set EDGE_DATA to the data folder")
    train, public, clean = expression.load_faces(data)
    teacher, taught_by = None, None
    if arguments.teacher:
        taught_by = json.loads((arguments.teacher.parent / "summary.json").read_text())
        teacher = ExpressionNet()
        teacher.load_state_dict(torch.load(arguments.teacher, map_location="cpu", weights_only=True))
        teacher.eval()
    net = expression.Training(recipe, arguments.out, train, teacher).run(public, clean)
    torch.save(net.state_dict(), arguments.out / "weights.pt")
    probability = expression.predict(net, public.image)
    summary = {
        "recipe": dataclasses.asdict(recipe),
        "teacher": taught_by and {key: taught_by[key] for key in ("recipe", "public_top1")},
        "public_top1": expression.accuracy(probability, public.label),
        "clean_top1": expression.accuracy(probability[clean], public.label[clean]),
        "recall": expression.recall(probability, public.label),
    }
    (arguments.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
