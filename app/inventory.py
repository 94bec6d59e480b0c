# SPDX-License-Identifier: Apache-2.0
"""What `--list` prints: cameras and sources, tasks, backends with reasons, models with their figures."""

from __future__ import annotations

import sys
from functools import partial

from app.backends import CARDS, backend_reason, resolve_backend
from app.choices import Choice, method_choices, source_choices, task_choices
from app.config import BACKENDS, PRECISIONS, Settings
from app.measured import Measured, table
from device.errors import AppError, BackendUnavailable
from device.lowbit.bundle_file import load_bundle
from device.registry import probe_backend
from models.card import card_names, load_card


def inventory(measured: Measured | None = None) -> str:
    """Return the lines; a model whose file is missing is listed with the reason.

    `measured` (None: what is kept of this computer) says how fast the networks are here.
    """
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
    lines += ["measured", *_measured(measured or Measured())]
    return "\n".join(lines)


def measure_all() -> Measured:
    """Time the networks of every task on every backend anew, with a line on stderr for each. Raises AppError."""
    measured = Measured()
    measured.forget()
    measure_now(measured, tuple(CARDS))
    return measured


def measure_now(measured: Measured, tasks: tuple[str, ...]) -> None:
    """Time what is missing of these tasks, with a line on stderr for each network. Raises AppError."""
    for task in tasks:
        if task in CARDS:
            measured.measure(task, partial(_tell, task))


def _tell(task: str, precision: str, backend: str) -> None:
    print(f"measuring {task} {precision} on {backend}", file=sys.stderr, flush=True)


def _measured(measured: Measured) -> list[str]:
    """Return the table, and what follows from it for `--backend auto`."""
    rows = measured.rows()
    if not rows:
        return ["  nothing yet: a window measures at first use, --list --measure does it now"]
    verdicts = [measured.verdict(*pair) for pair in dict.fromkeys((row.task, row.precision) for row in rows)]
    return [*table(rows), *(f"  auto: {verdict}" for verdict in verdicts if verdict is not None)]


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
