# SPDX-License-Identifier: Apache-2.0
"""What the user may pick here, value by value, with the reason for each that cannot be used now."""

from __future__ import annotations

from dataclasses import dataclass

from app.backends import PRECISIONS_OF, backend_reason, network_reason, resolve_backend
from app.chosen_task import BUILT_TASKS, CLASSICAL_METHODS
from app.compare.pair import Pair
from app.config import BACKENDS, CAMERA_MOTIONS, METHODS, PRECISIONS, TASKS, TRACKERS, Settings
from app.sources.camera import list_cameras

CAMERA_MOTION_LABELS = {"none": "camera stands still", "lk": "camera is moved (Lucas-Kanade)"}

TRACKER_LABELS = {"sort": "by place (SORT)", "hybrid": "by place, by looks in doubt (hybrid)"}


@dataclass(frozen=True)
class Choice:
    """One value the user may pick; `reason` says why it cannot be used here, None = it can."""

    value: str
    label: str
    reason: str | None = None


def backend_choices(settings: Settings) -> list[Choice]:
    """Return the backends; usable are those that run the chosen precision of the task's network."""
    return [Choice(b, b, _network_reason_now(settings, b, settings.precision)) for b in BACKENDS]


def precision_choices(settings: Settings) -> list[Choice]:
    """Return the precisions; usable are those that the chosen backend runs."""
    return [Choice(p, p, _network_reason_now(settings, settings.backend, p)) for p in PRECISIONS]


def pair_choices(settings: Settings) -> list[Choice]:
    """Return every backend with each precision that it runs at all; usable are those that the task has here."""
    pairs = [Pair(b, p) for b in BACKENDS if b != "auto" for p in PRECISIONS if p in PRECISIONS_OF.get(b, ())]
    return [Choice(str(p), str(p), _reason_now(settings.task, p.backend, p.precision)) for p in pairs]


def method_choices(settings: Settings) -> list[Choice]:
    """Return the flow methods; the network is usable where backend and precision are."""
    if settings.task != "flow":
        return [Choice(m, m, f"task {settings.task} has no choice of method") for m in METHODS]
    reasons = dict.fromkeys(METHODS) | {"net": _reason_now("flow", settings.backend, settings.precision)}
    return [Choice(m, m, reasons[m]) for m in METHODS]


def tracker_choices(settings: Settings) -> list[Choice]:
    """Return what can number people."""
    reason = None if settings.task == "pose" else f"task {settings.task} tracks no people"
    return [Choice(t, TRACKER_LABELS[t], reason) for t in TRACKERS]


def camera_motion_choices(settings: Settings) -> list[Choice]:
    """Return what can tell the tracker of faces how the camera moves."""
    reason = None if settings.task == "expression" else f"task {settings.task} tracks no faces"
    return [Choice(m, CAMERA_MOTION_LABELS[m], reason) for m in CAMERA_MOTIONS]


def _network_reason_now(settings: Settings, backend: str, precision: str) -> str | None:
    if settings.task == "flow" and settings.method in CLASSICAL_METHODS:
        return f"method {settings.method} has no network"
    return _reason_now(settings.task, backend, precision)


def _reason_now(task: str, backend: str, precision: str) -> str | None:
    """Return why the network of `task` cannot be used so at this moment, without waiting for a compiler."""
    used = resolve_backend(backend, precision, wait=False)
    if task not in BUILT_TASKS:
        return backend_reason(used, precision, wait=False)
    return network_reason(task, used, precision, wait=False)


def task_choices() -> list[Choice]:
    return [Choice(t, t, None if t in BUILT_TASKS else f"task {t} is not part of this version") for t in TASKS]


def source_choices() -> list[Choice]:
    """Return the cameras here by name, then the built-in sources."""
    cameras = [Choice(f"camera:{c.number}", f"{c.name} ({c.path})") for c in list_cameras()]
    return [*cameras, Choice("demo", "demo"), Choice("synthetic", "synthetic")]
