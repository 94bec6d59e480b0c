# SPDX-License-Identifier: Apache-2.0
"""`python -m models.train NET`: train a network by its recipe; a second call resumes."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from device.errors import AppError
from models.lowbit.modules import Precision
from models.nets.expression import ExpressionNet
from models.nets.expression_teacher import ExpressionTeacher
from models.train import expression
from models.train.fer2013 import load_faces


def main() -> int:
    arguments, recipe = parse()
    if "WORLD_SIZE" in os.environ:
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        train(arguments, recipe)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
    return 0


def parse() -> tuple[argparse.Namespace, expression.Recipe]:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("net", choices=["expression", "expression-teacher"])
    parser.add_argument("--data", type=Path, help="train_public.npz (default: $EDGE_DATA/fer2013/train_public.npz)")
    parser.add_argument("--out", type=Path, help="folder of checkpoint, log and weights (default: build/train/...)")
    parser.add_argument("--precision", type=Precision, choices=list(Precision), default=Precision.FLOAT)
    parser.add_argument("--start", type=Path, help="weights.pt to start from (w1a2: default its float twin's)")
    parser.add_argument(
        "--teacher", type=Path, action="append", default=[], help="weights.pt of a network to learn from"
    )
    for field in dataclasses.fields(expression.Recipe)[1:]:
        kind = float if isinstance(field.default, float) else int
        parser.add_argument("--" + field.name.replace("_", "-"), type=kind)
    arguments = parser.parse_args()
    given = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(expression.Recipe)}
    recipe = dataclasses.replace(
        expression.RECIPES[arguments.precision], **{name: value for name, value in given.items() if value is not None}
    )
    folder = Path("build/train") / f"{arguments.net}-{arguments.precision}-seed{recipe.seed}"
    arguments.out = arguments.out or folder
    if arguments.start is None and recipe.precision == Precision.W1A2:
        arguments.start = Path("build/train") / f"expression-float-seed{recipe.seed}" / "weights.pt"
    arguments.data = arguments.data or Path(os.environ.get("EDGE_DATA", "../shared/data")) / "fer2013/train_public.npz"
    for path in filter(None, (arguments.data, arguments.start, *arguments.teacher)):
        if not path.exists():
            parser.error(f"{path} is not here; train the float network first, name the file, or set EDGE_DATA")
    return arguments, recipe


def train(arguments: argparse.Namespace, recipe: expression.Recipe) -> None:
    faces, public, clean = load_faces(arguments.data)
    teachers = [load_teacher(path) for path in arguments.teacher]
    labels = expression.soft_labels(teachers, faces.image) if teachers else None
    torch.manual_seed(recipe.seed)
    net: ExpressionNet | ExpressionTeacher = ExpressionNet(recipe.precision, dropout=recipe.dropout)
    if arguments.net == "expression-teacher":
        net = ExpressionTeacher(dropout=recipe.dropout)
    if arguments.start and isinstance(net, ExpressionNet):
        net.start_from(load_weights(arguments.start))
        if (
            recipe.precision != Precision.FLOAT
            and summary_of(arguments.start)["recipe"]["precision"] == Precision.FLOAT
        ):
            expression.unit_activations(net)
    elif arguments.start:
        net.load_state_dict(load_weights(arguments.start))
    training = expression.Training(recipe, net, arguments.out, faces, labels)
    trained = training.run(public, clean)
    if training.rank != 0:
        return
    torch.save(trained.state_dict(), arguments.out / "weights.pt")
    probability = expression.predict(trained, public.image)
    summary = {
        "net": arguments.net,
        "shape": getattr(net, "shape", None),
        "recipe": dataclasses.asdict(recipe),
        "teachers": [summary_of(path) for path in arguments.teacher],
        "start": summary_of(arguments.start) if arguments.start else None,
        "public_top1": expression.accuracy(probability, public.label),
        "clean_top1": expression.accuracy(probability[clean], public.label[clean]),
        "recall": expression.recall(probability, public.label),
    }
    (arguments.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(json.dumps(summary, indent=2))


def load_weights(path: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def load_teacher(path: Path) -> nn.Module:
    """Return the network of an earlier run: `summary.json` beside the weights says which and in which shape."""
    made = summary_of(path)
    net: nn.Module = ExpressionTeacher()
    if made["net"] == "expression":
        net = ExpressionNet(shape=tuple((c, k, s) for c, k, s in made["shape"]))
    net.load_state_dict(load_weights(path))
    return net


def summary_of(weights: Path) -> dict[str, Any]:
    """Return network, recipe, start and accuracy of the run that made `weights`."""
    summary = json.loads((weights.parent / "summary.json").read_text())
    return {key: summary.get(key) for key in ("net", "shape", "recipe", "start", "public_top1")}


if __name__ == "__main__":
    sys.exit(main())
