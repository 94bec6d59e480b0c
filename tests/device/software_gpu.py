# SPDX-License-Identifier: Apache-2.0
"""A GPU in software for tests: SwiftShader, which `make` installs where it may (chromium-common and libvulkan1)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from device import gpu_process
from device.errors import BackendUnavailable
from device.gpu import probe_gpu

DRIVER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")


def use_software_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this test find it; skip where it is not, fail where CI is set: there it must be."""
    monkeypatch.setenv("VK_ICD_FILENAMES", str(DRIVER))
    monkeypatch.setattr(gpu_process, "RUN_LIMIT_S", 30.0)  # in software, on a busy machine, a run takes a second
    try:
        probe_gpu()
    except BackendUnavailable as error:
        sentence = f"{error}; apt-get install --no-install-recommends chromium-common libvulkan1"
        if os.environ.get("CI", "") in ("", "0", "false"):
            pytest.skip(sentence)
        pytest.fail(sentence)
