# SPDX-License-Identifier: Apache-2.0
"""What is known of the networks of a task: of their cards, and of their times on this computer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.backends import CARDS
from app.frame import ExpressionOutput, FlowOutput, FrameResult
from app.opened_networks import Networks
from app.samples import Witness
from device.errors import AppError
from device.lowbit.cpu import LowbitBackend
from device.lowbit.layer_codes import LayerCodes, layer_codes
from models.card import Card, card_names, load_card
from models.expression import ExpressionClassifier
from models.flow import FlowNet

HELPERS = {"expression": ("blazeface_short", "blazeface_full"), "pose": ("persons_float",)}
"""The networks that find what a task looks at."""
ACCURACY = {
    "expression": (("public_top1",), ("clean_top1",)),
    "flow": (("epe_px",),),
    "pose": (("ap",), ("ar",)),
    "person detection": (("both", "f1"), ("both", "recall"), ("both", "precision")),
}
"""Which of the measured figures of a card stand for it, by the card's task."""


@dataclass(frozen=True)
class ModelFacts:
    """One network; None and "" where its card does not say."""

    name: str
    task: str
    bits: dict[str, Any]  # weights, activations, first layer, last layer
    parameters: int | None
    macs: int | None
    n_bytes: int | None
    accuracy: str
    conditions: str
    licence: str
    sha256: str
    ms: tuple[tuple[str, float], ...]  # backend, ms of a run here: now where it runs, else as it was measured


def model_facts(task: str, networks: Networks) -> list[ModelFacts]:
    """Return those of a task: its networks by precision, then those that find what it looks at."""
    names = [*CARDS.get(task, {}).values(), *HELPERS.get(task, ())]
    now = networks.times_now()
    return [facts_of(load_card(name), task, networks, now.get(name, {})) for name in names if name in card_names()]


def facts_of(card: Card, task: str, networks: Networks, now: dict[str, float]) -> ModelFacts:
    """Return what the card says; `now` has the ms of its last second, by backend."""
    fields, measured = card.fields, networks.measured
    rows = measured.rows() if measured is not None and card.name in CARDS.get(task, {}).values() else ()
    kept = {r.backend: r.ms for r in rows if (r.task, r.precision) == (task, card.precision) and r.ms is not None}
    figures = fields.get("measured", {})
    return ModelFacts(
        name=card.name,
        task=card.task,
        bits=fields.get("bits", {"weights": fields.get("weights", "")}),
        parameters=fields.get("parameters"),
        macs=fields.get("macs"),
        n_bytes=fields.get("bytes") or file_bytes(card),
        accuracy=", ".join(filter(None, (figure(figures, path) for path in ACCURACY.get(card.task, ())))),
        conditions=str(figures.get("conditions", "")),
        licence=str(fields.get("licence", "")),
        sha256=card.sha256,
        ms=tuple(sorted({**kept, **now}.items())),
    )


def figure(figures: dict[str, Any], path: tuple[str, ...]) -> str:
    """Return "name value" of a figure of a card, "" where it is not there."""
    value: Any = figures
    for part in path:
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return f"{path[-1]} {value:.3f}" if isinstance(value, float | int) else ""


def file_bytes(card: Card) -> int | None:
    """Return the size of the network's file, None where it is not here."""
    try:
        return Path(card.path()).stat().st_size
    except (AppError, OSError):
        return None


def layers_of(result: FrameResult[Any]) -> list[LayerCodes]:
    """Return the codes of every layer of the task's w1a2 network on what a result was made of; empty without that.

    The first face, or the pair of frames. Takes some tenths of a second; any thread. Raises AppError.
    """
    output, image = result.output, result.frame.image
    if isinstance(output, ExpressionOutput) and len(output.tracks.xyxy):
        card = load_card(CARDS["expression"]["w1a2"])
        witness = Witness(LowbitBackend(card.verified_path()))
        ExpressionClassifier(card, witness)(image, output.tracks.xyxy[:1])
    elif isinstance(output, FlowOutput) and output.previous.shape == image.shape:
        card = load_card(CARDS["flow"]["w1a2"])
        witness = Witness(LowbitBackend(card.verified_path()))
        FlowNet(card, witness)(output.previous, image)
    else:
        return []
    witness.close()
    return layer_codes(card.verified_path(), witness.seen)
