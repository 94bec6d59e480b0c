# SPDX-License-Identifier: Apache-2.0
"""Which GPUs this computer has, asked of its Vulkan drivers in a process of its own: a driver may hang or crash."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from device.errors import BackendUnavailable

log = logging.getLogger(__name__)

LIMIT_S = 10.0
ENVIRONMENT = ("VK_ICD_FILENAMES", "VK_DRIVER_FILES")
"""Where a user names the drivers; tests change them while the program runs."""
IS_CPU = 4
"""VkPhysicalDeviceType of a driver in software."""
PROPERTIES_BYTES = 4096  # VkPhysicalDeviceProperties: 824
NAME_AT, NAME_BYTES = 20, 256


@dataclass(frozen=True)
class Adapter:
    """One GPU; `driver` is the number of its driver's version, whose meaning is the maker's."""

    name: str
    is_software: bool
    driver: int

    def __str__(self) -> str:
        return f"{self.name}, a software driver: it proves function, not speed" if self.is_software else self.name


class Adapters:
    """The first GPU of this computer, looked for once for each choice of drivers. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str | None, ...], Adapter | BackendUnavailable] = {}

    def first(self, wait: bool = True) -> Adapter:
        """Return it; raises BackendUnavailable with the reason. Without `wait` not yet is a reason too."""
        key = chosen_drivers()
        if not wait and key not in self._found:
            self.prepare()
            raise BackendUnavailable("the GPU is being looked for; try again in a few seconds")
        with self._lock:
            if key not in self._found:
                self._found[key] = look()
            found = self._found[key]
        if isinstance(found, BackendUnavailable):
            raise BackendUnavailable(str(found))
        return found

    def prepare(self) -> None:
        """Begin to look in a thread of its own, unless one does or the GPU is known."""
        if chosen_drivers() not in self._found and not self._lock.locked():
            threading.Thread(target=self._try, name="vulkan").start()

    def _try(self) -> None:
        try:
            log.info("GPU: %s", self.first())
        except BackendUnavailable as error:
            log.info("%s", error)


ADAPTERS = Adapters()


def chosen_drivers() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in ENVIRONMENT)


def look() -> Adapter | BackendUnavailable:
    """Return the GPU, one with hardware before one without, or why there is none; within LIMIT_S."""
    process = subprocess.Popen(
        [sys.executable, "-m", "device.vulkan"],
        cwd=Path(__file__).resolve().parents[1],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        answer, _ = process.communicate(timeout=LIMIT_S)
        found = json.loads(answer)
    except subprocess.TimeoutExpired:
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        return refusal(f"the Vulkan driver hangs: no answer within {LIMIT_S:g} s")
    except ValueError:
        return refusal(f"the Vulkan driver ended its process with {process.returncode}")
    finally:
        if process.stdout is not None:
            process.stdout.close()
    if isinstance(found, str):
        return refusal(found)
    return min((Adapter(*each) for each in found), key=lambda adapter: adapter.is_software)


def refusal(reason: str) -> BackendUnavailable:
    return BackendUnavailable(f"backend gpu finds no GPU here ({reason}); use --backend auto")


class InstanceInfo(ctypes.Structure):
    """VkInstanceCreateInfo without extensions; an application that says nothing of itself is one of Vulkan 1.0."""

    _fields_ = [
        ("s_type", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("flags", ctypes.c_uint32),
        ("application", ctypes.c_void_p),
        ("n_layers", ctypes.c_uint32),
        ("layers", ctypes.c_void_p),
        ("n_extensions", ctypes.c_uint32),
        ("extensions", ctypes.c_void_p),
    ]


def enumerate_adapters() -> list[tuple[str, bool, int]] | str:
    """Return (name, is_software, driver version) of each GPU, or why there is none. Calls the drivers."""
    try:
        vulkan = ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return "no libvulkan.so.1; on Debian it is in libvulkan1"
    instance = ctypes.c_void_p()
    result = vulkan.vkCreateInstance(ctypes.byref(InstanceInfo(s_type=1)), None, ctypes.byref(instance))
    if result != 0:
        return f"no Vulkan driver: vkCreateInstance gave {result}; install the GPU's"
    count = ctypes.c_uint32(16)
    devices = (ctypes.c_void_p * count.value)()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), devices)
    found = []
    for device in devices[: count.value]:
        raw = ctypes.create_string_buffer(PROPERTIES_BYTES)
        vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(device), raw)
        _, driver, _, _, kind = (int.from_bytes(raw.raw[4 * i : 4 * i + 4], sys.byteorder) for i in range(5))
        name = raw.raw[NAME_AT : NAME_AT + NAME_BYTES].partition(b"\0")[0].decode(errors="replace")
        found.append((name, kind == IS_CPU, driver))
    return found or "its Vulkan drivers have no device"


if __name__ == "__main__":
    print(json.dumps(enumerate_adapters()), flush=True)
    os._exit(0)  # whatever a driver does at the end of a process
