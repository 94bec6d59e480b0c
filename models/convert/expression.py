# SPDX-License-Identifier: Apache-2.0
"""The expression network from trained weights to its files and cards, measured as they will run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from device.lowbit.bundle_file import save_bundle
from device.lowbit.compiler import compile_network
from device.lowbit.linker import link
from device.registry import open_backend
from models.card import CARDS, WEIGHTS, load_card
from models.convert.card_figures import BACKEND, TFLITE_BITS, multiply_adds
from models.convert.tflite import Deployed, operators, to_float, to_int8
from models.expression import ExpressionClassifier
from models.lowbit.fold import fold
from models.lowbit.modules import Precision
from models.lowbit.trained import load_trained, save_trained
from models.nets.expression import CLASSES, ExpressionNet
from models.train.fer2013 import Faces, load_faces

N_CALIBRATION = 256
"""Training faces (evenly spread over the rows) that set the int8 ranges."""
SLOTS = 4
"""Faces that may wait for the accelerator at once."""
BITS: dict[str, dict[str, int | str]] = {
    **TFLITE_BITS,
    "w1a2": {
        "weights": 1,
        "activations": 2,
        "first layer": "3 (7 copies of 1), input 8",
        "last layer": "4 (planes of 1), sums 24",
    },
}
"""What each file computes with."""


def convert(float_run: Path, w1a2_run: Path, data: Path) -> list[dict[str, Any]]:
    """Write the float, int8 and w1a2 files with their cards from the folders of two training runs; return the cards."""
    train, public, clean = load_faces(data)
    WEIGHTS.mkdir(exist_ok=True)
    net, low = load_net(float_run, Precision.FLOAT), load_net(w1a2_run, Precision.W1A2)
    write_tflite(net, train)
    kept = WEIGHTS / "expression_w1a2.npz"
    save_trained(low, kept)
    save_bundle(link([compile_network(fold(load_trained(kept)))], SLOTS), WEIGHTS / "expression_w1a2.json")
    made = {"float": (float_run, net), "int8": (float_run, net), "w1a2": (w1a2_run, low)}
    return [write_card(precision, run, public, clean.numpy(), count(of)) for precision, (run, of) in made.items()]


def load_net(run: Path, precision: Precision) -> ExpressionNet:
    """Return the trained network of a run, ready to be read (eval mode)."""
    shape = json.loads((run / "summary.json").read_text())["shape"]
    net = ExpressionNet(precision, tuple((channels, kernel, stride) for channels, kernel, stride in shape))
    net.load_state_dict(torch.load(run / "weights.pt", map_location="cpu", weights_only=True))
    return net.eval()


def write_tflite(net: ExpressionNet, train: Faces) -> None:
    """Write the float file, and the int8 file with ranges from Training faces."""
    float_path, int8_path = WEIGHTS / "expression_float.tflite", WEIGHTS / "expression_int8.tflite"
    to_float(Deployed(net), (1, 48, 48, 1), float_path)
    rows = np.linspace(0, len(train.label) - 1, N_CALIBRATION).astype(int)
    grey = train.image.numpy()[rows].astype(np.float32)
    # A black and a white corner in each sample keep the input's range at exactly 0..1.
    grey[:, 0, 0], grey[:, -1, -1] = 0, 255
    to_int8(float_path, (grey / 255)[:, None, :, :, None], int8_path)


def count(net: ExpressionNet) -> dict[str, int]:
    """Return weights and multiply-adds of the deployed network."""
    deployed = Deployed(net)
    parameters = sum(p.numel() for p in deployed.parameters())
    return {"parameters": parameters, "macs": multiply_adds(net.eval(), torch.zeros(1, 1, 48, 48))}


def write_card(precision: str, run: Path, public: Faces, clean: Any, size: dict[str, int]) -> dict[str, Any]:
    """Write the card of one file, then measure the file through the code the program runs and add the figures."""
    path = WEIGHTS / f"expression_{precision}{'.json' if precision == 'w1a2' else '.tflite'}"
    card_path = CARDS / f"expression_{precision}.json"
    card = describe(precision, path, json.loads((run / "summary.json").read_text()), size)
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    backend = open_backend(BACKEND[precision], path)
    classifier = ExpressionClassifier(load_card(card_path.stem), backend)
    prob = np.stack([classifier.classify_grey(face) for face in public.image.numpy()])
    label, found = public.label.numpy(), prob.argmax(1)
    card["measured"] = {
        "public_top1": round(float((found == label).mean()), 4),
        "clean_top1": round(float((found == label)[clean].mean()), 4),
        "recall": {name: round(float((found[label == k] == k).mean()), 3) for k, name in enumerate(CLASSES)},
        "n": len(label),
        "n_clean": int(clean.sum()),
        "conditions": f"one pass, no flip averaging, backend {backend.name}; 280 PublicTest faces also stand in "
        "Training (true of the original set), `clean` leaves them out",
    }
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    return card


def describe(precision: str, path: Path, summary: dict[str, Any], size: dict[str, int]) -> dict[str, Any]:
    """Return the card without measured figures."""
    files = [path, path.with_suffix(".bin")] if precision == "w1a2" else [path]
    card: dict[str, Any] = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "task": "expression",
        "precision": precision,
        "bits": BITS[precision],
        "input": {"size": 48, "range": [0, 255] if precision == "w1a2" else [0, 1], "colour": "grey"},
        "output": "scores of seven classes in four planes, to be added up"
        if precision == "w1a2"
        else "seven probabilities that sum to 1",
        "labels": list(CLASSES),
        **size,
        "bytes": sum(file.stat().st_size for file in files),
        "training": {
            "data": "FER2013 Training rows (28,709 faces) with the FER+ votes as a second head that is not exported",
            "recipe": summary["recipe"],
            "teachers": summary["teachers"],
            "start": summary["start"],
            "dev_set": "PublicTest: the recipe was chosen by its figure, PrivateTest was never seen",
        },
        "licence": "Apache-2.0 (weights trained on FER2013, a research set without a formal licence)",
        "limits": "48x48 grey frontal faces with noisy labels; disgust and fear are weak; not a measure of feelings",
    }
    if precision != "w1a2":
        card["operators"] = dict(operators(path))
    if precision == "int8":
        card["calibration"] = f"{N_CALIBRATION} Training faces, static, per-channel weights, extremes of 99 %"
    return card
