# SPDX-License-Identifier: Apache-2.0
"""`python -m models.train NET`: train a network by its recipe; a second call resumes."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from device.errors import AppError
from models.lowbit.modules import Block, Precision
from models.nets.expression import ExpressionNet
from models.nets.expression_teacher import ExpressionTeacher
from models.nets.flow import FlowNet
from models.train import expression, flow
from models.train.fer2013 import load_faces
from models.train.flow_photos import load_photos
from models.train.training import Recipe, summary_of, unit_activations

RECIPES: dict[str, Mapping[Precision, Recipe]] = {
    "expression": expression.RECIPES,
    "expression-teacher": expression.RECIPES,
    "flow": flow.RECIPES,
}


def main() -> int:
    arguments, recipe = parse()
    if "WORLD_SIZE" in os.environ:
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        if isinstance(recipe, flow.Recipe):
            train_flow(arguments, recipe)
        elif isinstance(recipe, expression.Recipe):
            train_expression(arguments, recipe)
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
    return 0


def parse() -> tuple[argparse.Namespace, Recipe]:
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("net", choices=list(RECIPES))
    parser.add_argument("--data", type=Path, help="expression: train_public.npz; flow: folder (default: $EDGE_DATA's)")
    parser.add_argument("--out", type=Path, help="folder of checkpoint, log and weights (default: build/train/...)")
    parser.add_argument("--precision", type=Precision, choices=list(Precision), default=Precision.FLOAT)
    parser.add_argument("--start", type=Path, help="weights.pt to start from (w1a2: default its float twin's)")
    parser.add_argument(
        "--teacher", type=Path, action="append", default=[], help="expression: weights.pt of a network to learn from"
    )
    fields = {f.name: f for recipes in RECIPES.values() for f in dataclasses.fields(recipes[Precision.FLOAT])}
    for field in fields.values():
        if field.name != "precision":
            kind = float if isinstance(field.default, float) else int
            parser.add_argument("--" + field.name.replace("_", "-"), type=kind)
    arguments = parser.parse_args()
    if arguments.precision not in RECIPES[arguments.net]:
        parser.error(f"{arguments.net} has no recipe for {arguments.precision}")
    recipe = RECIPES[arguments.net][arguments.precision]
    given = {name: getattr(arguments, name) for name in fields if getattr(arguments, name) is not None}
    unknown = sorted(given.keys() - {field.name for field in dataclasses.fields(recipe)})
    if unknown or (arguments.teacher and arguments.net == "flow"):
        parser.error(f"the recipe of {arguments.net} has no {', '.join(unknown or ['teacher'])}")
    recipe = dataclasses.replace(recipe, **given)
    arguments.out = arguments.out or Path("build/train") / f"{arguments.net}-{arguments.precision}-seed{recipe.seed}"
    if arguments.start is None and recipe.precision == Precision.W1A2:
        arguments.start = Path("build/train") / f"{arguments.net}-float-seed{recipe.seed}" / "weights.pt"
    folder = Path(os.environ.get("EDGE_DATA", "../shared/data"))
    arguments.data = arguments.data or (folder if arguments.net == "flow" else folder / "fer2013/train_public.npz")
    for path in filter(None, (arguments.data, arguments.start, *arguments.teacher)):
        if not path.exists():
            parser.error(f"{path} is not here; train the float network first, name the file, or set EDGE_DATA")
    return arguments, recipe


def train_flow(arguments: argparse.Namespace, recipe: flow.Recipe) -> None:
    photos, held_out = load_photos(arguments.data)
    pairs = flow.draw_pairs(photos, recipe.pairs, flow.VALIDATION_SEED + 1 + recipe.seed)
    validation = flow.draw_pairs(held_out, flow.N_VALIDATION, flow.VALIDATION_SEED)
    torch.manual_seed(recipe.seed)
    net = FlowNet(recipe.precision, recipe.width, recipe.planes)
    if arguments.start:
        start_from(net, arguments.start, recipe.precision, net.blocks())
    training = flow.Training(recipe, net, arguments.out, pairs, validation)
    trained = training.train()
    if training.rank == 0:
        epe_px = flow.end_point_error(trained, validation)
        write_results(trained, arguments, recipe, {"epe_px": epe_px, "n_photos": [len(photos), len(held_out)]})


def train_expression(arguments: argparse.Namespace, recipe: expression.Recipe) -> None:
    faces, public, clean = load_faces(arguments.data)
    teachers = [load_teacher(path) for path in arguments.teacher]
    labels = expression.soft_labels(teachers, faces.image) if teachers else None
    torch.manual_seed(recipe.seed)
    net: ExpressionNet | ExpressionTeacher = ExpressionNet(recipe.precision, dropout=recipe.dropout)
    if arguments.net == "expression-teacher":
        net = ExpressionTeacher(dropout=recipe.dropout)
    if arguments.start and isinstance(net, ExpressionNet):
        start_from(net, arguments.start, recipe.precision, list(net.features))
    elif arguments.start:
        net.load_state_dict(load_weights(arguments.start))
    training = expression.Training(recipe, net, arguments.out, faces, labels)
    trained = training.run(public, clean)
    if training.rank != 0:
        return
    probability = expression.predict(trained, public.image)
    figures = {
        "shape": getattr(net, "shape", None),
        "teachers": [summary_of(path) for path in arguments.teacher],
        "public_top1": expression.accuracy(probability, public.label),
        "clean_top1": expression.accuracy(probability[clean], public.label[clean]),
        "recall": expression.recall(probability, public.label),
    }
    write_results(trained, arguments, recipe, figures)


def start_from(net: ExpressionNet | FlowNet, start: Path, precision: Precision, blocks: Sequence[Block]) -> None:
    """Give `net` the weights of a run; those of a float network are made fit for codes of 2 bits."""
    net.start_from(load_weights(start))
    if precision != Precision.FLOAT and summary_of(start)["recipe"]["precision"] == Precision.FLOAT:
        unit_activations(blocks)


def write_results(trained: nn.Module, arguments: argparse.Namespace, recipe: Recipe, figures: dict[str, Any]) -> None:
    """Write `weights.pt` and `summary.json` into the folder of the run."""
    torch.save(trained.state_dict(), arguments.out / "weights.pt")
    summary = {
        "net": arguments.net,
        "recipe": dataclasses.asdict(recipe),
        "start": summary_of(arguments.start) if arguments.start else None,
        **figures,
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


if __name__ == "__main__":
    sys.exit(main())
