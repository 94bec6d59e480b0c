# SPDX-License-Identifier: Apache-2.0
"""Let the program think that a GPU is here, whose driver is one of `gpu_stand_ins`."""

from __future__ import annotations

from functools import partial

import pytest

from device import registry
from device.gpu import GpuBackend


def use_stand_in(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    driver = f"tests.device.gpu_stand_ins:{name}"
    monkeypatch.setattr(registry, "GpuBackend", partial(GpuBackend, driver=driver))
    monkeypatch.setitem(registry.RUNS_ON, "gpu", lambda wait: f"stand-in {name}")
