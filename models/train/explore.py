# SPDX-License-Identifier: Apache-2.0
"""`python -m models.train.explore`: a grid of expression networks, trained and timed here, in one HTML report.

Every row is a run that was made: its log lies beside the report. A second call makes only the points that are missing.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import platform
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from device.errors import AppError
from device.lowbit.layout import LANES
from models.lowbit.modules import Precision
from models.nets.expression import SHAPE, ExpressionNet
from models.train import expression
from models.train.fer2013 import load_faces
from models.train.latency import latency_ms


@dataclass(frozen=True)
class Point:
    """One network of the grid: precision of its middle, of its first and of its last layer, and its width."""

    precision: Precision
    first: Precision
    last: Precision
    width: float

    @property
    def name(self) -> str:
        return f"{self.precision}-first-{self.first}-last-{self.last}-width-{self.width:g}"

    def net(self) -> ExpressionNet:
        widths = [max(LANES, round(channels * self.width / LANES) * LANES) for channels, _, _ in SHAPE]
        shape = tuple((width, kernel, stride) for width, (_, kernel, stride) in zip(widths, SHAPE, strict=True))
        return ExpressionNet(self.precision, shape, 0.1, self.first, self.last)


FLOAT, W1A2, W2A2 = Precision.FLOAT, Precision.W1A2, Precision.W2A2
GRID = (
    Point(FLOAT, FLOAT, FLOAT, 0.5),
    Point(W1A2, FLOAT, FLOAT, 0.5),
    Point(W1A2, W1A2, FLOAT, 0.5),
    Point(W1A2, FLOAT, W1A2, 0.5),
    Point(W1A2, W1A2, W1A2, 0.5),
    Point(W2A2, W2A2, W2A2, 0.5),
    Point(W1A2, W1A2, W1A2, 0.25),
    Point(W1A2, W1A2, W1A2, 0.75),
)
RECIPE = replace(expression.RECIPES[W1A2], epochs=10, learning_rate=4e-3, mixup=0.0, teacher_share=0.0)
"""Short and from random weights: it ranks the points, it does not reach what the whole recipe reaches."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.train.explore", description=__doc__)
    parser.add_argument("--data", type=Path, help="train_public.npz (default: $EDGE_DATA/fer2013/train_public.npz)")
    parser.add_argument("--out", type=Path, default=Path("out/explore"), help="folder of runs and report.html")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--max-steps", type=int, help="cut every run short, to try the command")
    arguments = parser.parse_args()
    data = arguments.data or Path(os.environ.get("EDGE_DATA", "../shared/data")) / "fer2013/train_public.npz"
    if not data.exists():
        parser.error(f"{data} is not here; give --data or set EDGE_DATA to the data folder")
    recipe = replace(RECIPE, epochs=arguments.epochs, max_steps=arguments.max_steps)
    try:
        rows = [explore(point, recipe, data, arguments.out) for point in GRID]
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    report = arguments.out / "report.html"
    report.write_text(page(rows, recipe), encoding="utf-8")
    print(f"{report}: {len(rows)} networks")
    return 0


def explore(point: Point, recipe: expression.Recipe, data: Path, out: Path) -> dict[str, Any]:
    """Return the figures of one point; trains it unless its result is already in `out`."""
    folder = out / point.name
    result = folder / "result.json"
    if not result.exists():
        faces, public, clean = load_faces(data)
        torch.manual_seed(recipe.seed)
        training = expression.Training(replace(recipe, precision=point.precision), point.net(), folder, faces)
        net = training.run(public, clean)
        assert isinstance(net, ExpressionNet)
        probability = expression.predict(net, public.image)
        figures = {
            "top1": expression.accuracy(probability, public.label),
            "ms": latency_ms(net.cpu()),
            "weights": sum(p.numel() for name, p in net.named_parameters() if name.endswith("convolution.weight")),
        }
        result.write_text(json.dumps(figures) + "\n")
    print(point.name, result.read_text().strip(), flush=True)
    return {"point": point, **json.loads(result.read_text())}


def page(rows: list[dict[str, Any]], recipe: expression.Recipe) -> str:
    """Return the report: the picture, the table, and under which conditions they were made."""
    conditions = (
        f"{recipe.epochs} epochs from random weights, seed {recipe.seed}, FER2013 Training rows, PublicTest accuracy "
        "in one pass; ms of one 48x48 face, one thread, float layers in LiteRT, low-bit layers in the C kernels, "
        f"{platform.machine()}. Two weight bits: twice the time of the program with one (there is no such machine)."
    )
    head = "<tr><th>middle<th>first layer<th>last layer<th>width<th>weights<th>PublicTest<th>ms</tr>"
    body = "".join(
        f"<tr><td>{r['point'].precision}<td>{r['point'].first}<td>{r['point'].last}<td>x{r['point'].width:g}"
        f"<td>{r['weights']:,}<td>{100 * r['top1']:.1f} %<td>{r['ms']:.3f}</tr>"
        for r in sorted(rows, key=lambda row: row["ms"])
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Expression networks</title><style>body{font:15px sans-serif;"
        "max-width:60em;margin:2em auto}td,th{padding:.2em .8em;text-align:right}th{border-bottom:1px solid}</style>"
        f"<h1>Accuracy and latency of expression networks</h1>{picture(rows)}<table>{head}{body}</table>"
        f"<p>{html.escape(conditions)}"
    )


def picture(rows: list[dict[str, Any]], width: int = 800, height: int = 420) -> str:
    """Return an SVG: ms to the right, accuracy upwards, one labelled dot a network."""
    left, bottom, margin = 60, height - 50, 30
    most_ms = 1.25 * max(row["ms"] for row in rows)
    low, high = min(row["top1"] for row in rows) - 0.01, max(row["top1"] for row in rows) + 0.01

    def x(ms: float) -> float:
        return left + (width - left - margin) * ms / most_ms

    def y(top1: float) -> float:
        return bottom - (bottom - margin) * (top1 - low) / (high - low)

    marks = [f'<path d="M{left} {margin}V{bottom}H{width - margin}" fill="none" stroke="#444"/>']
    for k in range(6):
        ms, top1 = most_ms * k / 5, low + (high - low) * k / 5
        marks.append(f'<text x="{x(ms):.0f}" y="{bottom + 20}" text-anchor="middle">{ms:.2f}</text>')
        marks.append(f'<text x="{left - 8}" y="{y(top1) + 5:.0f}" text-anchor="end">{100 * top1:.1f}</text>')
    marks.append(f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">ms a face, one thread</text>')
    marks.append(f'<text x="{left}" y="18">PublicTest top-1, %</text>')
    colours = {FLOAT: "#777", W1A2: "#0a7", W2A2: "#c60"}
    for row in rows:
        point = row["point"]
        ends = "" if point.precision == FLOAT else f", ends {point.first}/{point.last}"
        label = html.escape(f"{point.precision} x{point.width:g}{ends}")
        at_x, at_y = x(row["ms"]), y(row["top1"])
        marks.append(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="5" fill="{colours[point.precision]}"/>')
        marks.append(f'<text x="{at_x + 8:.1f}" y="{at_y + 4:.1f}" font-size="12">{label}</text>')
    return f'<svg viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">{"".join(marks)}</svg>'


if __name__ == "__main__":
    sys.exit(main())
