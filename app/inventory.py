# SPDX-License-Identifier: Apache-2.0
"""What `--list` prints: cameras and sources, tasks, backends with reasons, models with their figures."""

from __future__ import annotations

from app.backends import backend_reason, resolve_backend
from app.choices import Choice, method_choices, source_choices, task_choices
from app.config import BACKENDS, PRECISIONS, Settings
from device.errors import AppError, BackendUnavailable
from device.lowbit.bundle_file import load_bundle
from device.registry import probe_backend
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
    lines.append("methods")
    lines += [f"  {choice.value:15} {_method(choice)}" for choice in method_choices(Settings(task="flow"))]
    lines.append("backends")
    lines += [f"  {name:15} {_backend(name)}" for name in BACKENDS]
    lines.append("precisions")
    lines += [f"  {name:15} {_precision(name)}" for name in PRECISIONS]
    lines.append("models")
    lines += [_model(name) for name in card_names()]
    return "\n".join(lines)


def _method(choice: Choice) -> str:
    """Return whether a flow method can be used on the default settings, or why not."""
    return choice.reason or ("available" if choice.value == "net" else "available (no network)")


def _backend(name: str) -> str:
    """Return what runs the networks of a backend, or why none can run."""
    if name == "auto":
        return "available"
    try:
        return f"available ({probe_backend(name)})"
    except BackendUnavailable as error:
        return str(error)


def _precision(name: str) -> str:
    """Return on which backend a precision runs, or why it cannot."""
    backend = resolve_backend("auto", name)
    return backend_reason(backend, name) or f"available (backend {backend})"


def _model(name: str) -> str:
    card = load_card(name)
    try:
        path = card.verified_path()
        if path.suffix == ".json":
            load_bundle(path)  # a low-bit program: the image beside it must be whole too
        state = "ready"
    except AppError as error:
        state = str(error)
    return f"  {name:20} {card.task}, {card.precision}, {card.fields['licence']}: {state}"
