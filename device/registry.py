# SPDX-License-Identifier: Apache-2.0
"""Backends by name. A named backend is opened or refused with a reason, never replaced by another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from device.backend import Backend
from device.errors import BackendUnavailable
from device.lowbit.cpu import LowbitBackend
from device.lowbit.machine import SHARED, open_machine
from device.tflite import TfliteBackend

BACKENDS: dict[str, Callable[[Path], Backend]] = {"cpu": TfliteBackend, "lowbit": LowbitBackend}
RUNS_ON: dict[str, Callable[[bool], str]] = {
    "cpu": lambda wait: "LiteRT",
    "lowbit": lambda wait: open_machine(wait=wait).name,
}


def open_backend(name: str, path: Path) -> Backend:
    """Open the network file `path` on backend `name`; raises BackendUnavailable with the reason in words."""
    check_name(name)
    return BACKENDS[name](path)


def prepare_backends() -> None:
    """Begin what a backend needs once on a computer, the kernels of `lowbit`, in a thread of its own."""
    SHARED.prepare()


def probe_backend(name: str, wait: bool = True) -> str:
    """Return what runs the networks of backend `name` here ("AVX-512 kernels"); raises BackendUnavailable.

    May take a second or two once on a computer. Without `wait` that is a reason too while another thread is at it.
    """
    check_name(name)
    return RUNS_ON[name](wait)


def check_name(name: str) -> None:
    if name not in BACKENDS:
        raise BackendUnavailable(f"backend {name} is not part of this version; available: {', '.join(BACKENDS)}")
