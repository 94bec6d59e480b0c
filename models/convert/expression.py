# SPDX-License-Identifier: Apache-2.0
"""The expression network from trained weights to two files and their cards, measured as they will run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from device.registry import open_backend
from models.card import CARDS, WEIGHTS, load_card
from models.convert.tflite import Deployed, operators, to_float, to_int8
from models.expression import ExpressionClassifier
from models.nets.expression import CLASSES, ExpressionNet
from models.train.expression import Faces, load_faces

N_CALIBRATION = 256
"""Training faces (evenly spread over the rows) that set the int8 ranges."""


def convert(trained: Path, data: Path) -> list[dict[str, Any]]:
    """Write `expression_float` and `expression_int8` with their cards; return the cards."""
    net = ExpressionNet()
    net.load_state_dict(torch.load(trained / "weights.pt", map_location="cpu", weights_only=True))
    train, public, clean = load_faces(data)
    WEIGHTS.mkdir(exist_ok=True)
    float_path, int8_path = WEIGHTS / "expression_float.tflite", WEIGHTS / "expression_int8.tflite"
    to_float(Deployed(net), (1, 48, 48, 1), float_path)
    rows = np.linspace(0, len(train.label) - 1, N_CALIBRATION).astype(int)
    grey = train.image.numpy()[rows].astype(np.float32)
    # A black and a white corner in each sample keep the input's range at exactly -1..1.
    grey[:, 0, 0], grey[:, -1, -1] = 0, 255
    to_int8(float_path, (grey / 127.5 - 1)[:, None, :, :, None], int8_path)
    summary = json.loads((trained / "summary.json").read_text())
    macs_and_parameters = count(net)
    return [
        write_card(path, precision, public, clean.numpy(), summary, macs_and_parameters)
        for path, precision in ((float_path, "float"), (int8_path, "int8"))
    ]


def count(net: ExpressionNet) -> dict[str, int]:
    """Return parameters and multiply-adds of the deployed network."""
    macs = 0

    def add(layer: Any, _inputs: Any, output: Any) -> None:
        nonlocal macs
        macs += layer.weight[0].numel() * output.numel()

    deployed = Deployed(net).eval()
    layers = [m for m in deployed.modules() if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))]
    hooks = [layer.register_forward_hook(add) for layer in layers]
    deployed(torch.zeros(1, 1, 48, 48))
    for hook in hooks:
        hook.remove()
    return {"parameters": sum(p.numel() for p in deployed.parameters()), "macs": macs}


def write_card(
    path: Path, precision: str, public: Faces, clean: Any, summary: dict[str, Any], size: dict[str, int]
) -> dict[str, Any]:
    """Write the card of one file, then measure the file through the code the program runs and add the figures."""
    bits = 32 if precision == "float" else 8
    card: dict[str, Any] = {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "task": "expression",
        "precision": precision,
        "bits": {"weights": bits, "activations": bits, "first layer": bits, "last layer": bits},
        "input": {"size": 48, "range": [-1, 1], "colour": "grey"},
        "output": "seven probabilities that sum to 1",
        "labels": list(CLASSES),
        **size,
        "bytes": path.stat().st_size,
        "operators": dict(operators(path)),
        "training": {
            "data": "FER2013 Training rows (28,709 faces) with the FER+ votes as a second head that is not exported",
            "recipe": summary["recipe"],
            "teacher": summary.get("teacher"),
            "dev_set": "PublicTest: the recipe was chosen by its figure, PrivateTest was never seen",
        },
        "calibration": None
        if precision == "float"
        else f"{N_CALIBRATION} Training faces, static, per-channel weights, extremes of 99 %",
        "licence": "Apache-2.0 (weights trained on FER2013, a research set without a formal licence)",
        "limits": "48x48 grey frontal faces with noisy labels; disgust and fear are weak; not a measure of feelings",
    }
    card_path = CARDS / f"expression_{precision}.json"
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    classifier = ExpressionClassifier(load_card(card_path.stem), open_backend("cpu", path))
    prob = np.stack([classifier.classify_grey(face) for face in public.image.numpy()])
    label, found = public.label.numpy(), prob.argmax(1)
    card["measured"] = {
        "public_top1": round(float((found == label).mean()), 4),
        "clean_top1": round(float((found == label)[clean].mean()), 4),
        "recall": {name: round(float((found[label == k] == k).mean()), 3) for k, name in enumerate(CLASSES)},
        "n": len(label),
        "n_clean": int(clean.sum()),
        "conditions": "one pass, no flip averaging, LiteRT 2.3.0 on the CPU; 280 PublicTest faces also stand in "
        "Training (true of the original set), `clean` leaves them out",
    }
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    return card
