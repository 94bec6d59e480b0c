# SPDX-License-Identifier: Apache-2.0
"""What `--list` prints: cameras and sources, backends with reasons, models with their figures."""

from __future__ import annotations

from app.build import backend_choices, precision_choices, source_choices, task_choices
from device.errors import AppError
from models.card import card_names, load_card


def inventory() -> str:
    """Return the lines; a model whose file is missing is listed with the reason."""
    lines = ["sources"]
    sources = source_choices()
    if not any(choice.value.startswith("camera:") for choice in sources):
        lines.append("  camera:N        no camera found here (no video4linux capture device)")
    lines += [f"  {choice.value:15} {choice.label}" for choice in sources]
    lines.append("tasks")
    lines += [f"  {choice.value:15} {choice.reason or 'available'}" for choice in task_choices()]
    lines.append("backends")
    lines += [f"  {choice.value:15} {choice.reason or 'available'}" for choice in backend_choices("float")]
    lines.append("precisions (backend cpu)")
    lines += [f"  {choice.value:15} {choice.reason or 'available'}" for choice in precision_choices("cpu")]
    lines.append("models")
    lines += [_model(name) for name in card_names()]
    return "\n".join(lines)


def _model(name: str) -> str:
    card = load_card(name)
    try:
        card.verified_path()
        state = "ready"
    except AppError as error:
        state = str(error)
    return f"  {name:20} {card.task}, {card.precision}, {card.fields['licence']}: {state}"
