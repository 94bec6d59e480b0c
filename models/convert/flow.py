# SPDX-License-Identifier: Apache-2.0
"""The flow network from trained weights to its files and cards, measured as they will run."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from device.lowbit.bundle_file import save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.linker import link
from device.registry import open_backend
from models.card import CARDS, WEIGHTS, load_card
from models.convert.card_figures import BACKEND, TFLITE_BITS, multiply_adds
from models.convert.tflite import operators, to_float, to_int8
from models.flow import FlowNet as DeployedNet
from models.flow_stem import CELL_PX, CHANNELS, HEIGHT_PX, WIDTH_PX, open_kernels, stem
from models.lowbit.fold import fold_flow
from models.lowbit.modules import Precision
from models.lowbit.trained import load_flow, save_trained
from models.nets.flow import PLANES, UNIT_PX, FlowNet
from models.train.flow import N_VALIDATION, VALIDATION_SEED, FlowPairs, draw_pairs, to_input, to_motion
from models.train.flow_photos import load_photos

N_CALIBRATION, CALIBRATION_SEED = 128, 0
"""Generated pairs that set the int8 ranges."""
HELD_PERCENT = 90
"""Of these pairs an int8 range holds the extremes. Activations have long tails: the validation error is 1.64 px with 90
as in float, 1.91 with 99, 1.75 with 70."""
SLOTS = 2
"""Pairs that may wait for the accelerator at once."""
CELLS_HW = (HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX)
BITS: dict[str, dict[str, int | str]] = {
    **TFLITE_BITS,
    "w1a2": {
        "weights": 1,
        "activations": 2,
        "first layer": "1, input 8",
        "last layer": f"{PLANES} planes of 1, sums 24",
    },
}
"""What each file computes with."""


def convert(float_run: Path, w1a2_run: Path, data: Path) -> list[dict[str, Any]]:
    """Write the float, int8 and w1a2 files with their cards from the folders of two training runs; return the cards."""
    photos, held_out = load_photos(data)
    WEIGHTS.mkdir(exist_ok=True)
    write_tflite(load_net(float_run, Precision.FLOAT), draw_pairs(photos, N_CALIBRATION, CALIBRATION_SEED))
    kept = WEIGHTS / "flow_w1a2.npz"
    save_trained(load_net(w1a2_run, Precision.W1A2), kept)
    save_bundle(link([compile_network(fold_flow(load_flow(kept)))], SLOTS), WEIGHTS / "flow_w1a2.json")
    validation = draw_pairs(held_out, N_VALIDATION, VALIDATION_SEED)
    made = {"float": float_run, "int8": float_run, "w1a2": w1a2_run}
    return [write_card(precision, run, validation) for precision, run in made.items()]


def load_net(run: Path, precision: Precision) -> FlowNet:
    """Return the trained network of a run, ready to be read (eval mode)."""
    width = json.loads((run / "summary.json").read_text())["recipe"]["width"]
    net = FlowNet(precision, width)
    net.load_state_dict(torch.load(run / "weights.pt", map_location="cpu", weights_only=True))
    return net.eval()


def write_tflite(net: FlowNet, pairs: FlowPairs) -> None:
    """Write the float file, and the int8 file with ranges from generated pairs."""
    float_path, int8_path = WEIGHTS / "flow_float.tflite", WEIGHTS / "flow_int8.tflite"
    to_float(in_pixels(net), (1, *CELLS_HW, CHANNELS), float_path, (0,))
    samples = to_input(pairs.grey).permute(0, 2, 3, 1).numpy()
    to_int8(float_path, [np.ascontiguousarray(sample[None]) for sample in samples], int8_path, HELD_PERCENT)


def in_pixels(net: FlowNet) -> FlowNet:
    """Return a copy whose output is in px."""
    scaled = copy.deepcopy(net)
    with torch.no_grad():
        scaled.motion.weight *= UNIT_PX
        assert scaled.motion.bias is not None
        scaled.motion.bias *= UNIT_PX
    return scaled.eval()


def count(width: int) -> dict[str, int]:
    """Return weights and multiply-adds of a network."""
    net = FlowNet(Precision.FLOAT, width).eval()
    weights = sum(layer.weight.numel() for layer in net.modules() if isinstance(layer, nn.Conv2d))
    return {"parameters": weights, "macs": multiply_adds(net, torch.zeros(1, CHANNELS, *CELLS_HW))}


def write_card(precision: str, run: Path, validation: FlowPairs) -> dict[str, Any]:
    """Write the card of one file, then measure the file through the code the program runs and add the figures."""
    path = WEIGHTS / f"flow_{precision}{'.json' if precision == 'w1a2' else '.tflite'}"
    card_path = CARDS / f"flow_{precision}.json"
    card = describe(precision, path, json.loads((run / "summary.json").read_text()))
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    backend = open_backend(BACKEND[precision], path)
    net = DeployedNet(load_card(card_path.stem), backend)
    kernels, errors = open_kernels(), []
    for (first, second), uv in zip(validation.grey.numpy(), validation.uv.float().numpy(), strict=True):
        parts = net.infer(stem(first, second, kernels))
        found = to_motion(torch.from_numpy(parts[None]) / UNIT_PX)[0].numpy()
        errors.append(float(np.linalg.norm(found - uv, axis=0).mean()))
    card["measured"] = {
        "epe_px": round(float(np.mean(errors)), 4),
        "n": len(errors),
        "conditions": f"generated pairs of {WIDTH_PX}x{HEIGHT_PX} from photos that training has not seen, all pixels, "
        f"hidden ones too; backend {backend.name}",
    }
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    return card


def describe(precision: str, path: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """Return the card without measured figures."""
    files = [path, path.with_suffix(".bin")] if precision == "w1a2" else [path]
    card: dict[str, Any] = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "task": "flow",
        "precision": precision,
        "bits": BITS[precision],
        "input": {
            "size": [WIDTH_PX, HEIGHT_PX],
            "range": [0, 255] if precision == "w1a2" else [0, 1],
            "values": "matching scores and grey levels of two pictures: models/flow_stem.py",
        },
        "output": "motions of the 2x2 quarters of 24x32 cells in px of 128x96"
        + (f", in {PLANES} planes to be added up" if precision == "w1a2" else ""),
        **count(summary["recipe"]["width"]),
        "bytes": sum(file.stat().st_size for file in files),
        "training": {
            "data": "generated scenes (models/train/flow_scenes.py) of photos of research sets: COCO, LFW, dlib's "
            "examples, two MOTChallenge sequences and the demo clips; no pixel of them is in the weights' files",
            "recipe": summary["recipe"],
            "start": summary["start"],
            "dev_set": "the generated validation pairs: other photos and another seed, same generator",
        },
        "licence": "Apache-2.0 (weights trained on generated scenes of photos from research sets)",
        "limits": "motions up to a quarter of the width; pictures are reduced to 128x96 first, so fine structures and "
        "motions below a few hundredths of the width are coarse; no notion of what is hidden",
    }
    if precision != "w1a2":
        card["operators"] = dict(operators(path))
    if precision == "int8":
        card["calibration"] = (
            f"{N_CALIBRATION} generated pairs, static, per-channel weights, extremes of {HELD_PERCENT} %"
        )
    return card
