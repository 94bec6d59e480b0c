# SPDX-License-Identifier: Apache-2.0
"""Backends by name. A named backend is opened or refused with a reason, never replaced by another."""

from __future__ import annotations

from pathlib import Path

from device.backend import Backend
from device.errors import BackendUnavailable
from device.tflite import TfliteBackend

BACKENDS = {"cpu": TfliteBackend}


def open_backend(name: str, path: Path) -> Backend:
    """Open the network file `path` on backend `name`; raises BackendUnavailable with the reason in words."""
    if name not in BACKENDS:
        raise BackendUnavailable(f"backend {name} is not part of this version; available: {', '.join(BACKENDS)}")
    return BACKENDS[name](path)
