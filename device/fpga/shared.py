# SPDX-License-Identifier: Apache-2.0
"""One accelerator for all networks of this process: each new one is linked with those that are there already."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from device.errors import BackendError, BackendUnavailable
from device.fpga.driver import Accelerator
from device.lowbit.compiler import CompiledNetwork
from device.lowbit.linker import link
from device.lowbit.program import BundleError, Program, Ring

log = logging.getLogger(__name__)


class SharedAccelerator:
    """Opened with the first network and closed after the last. Any thread may call.

    Networks keep nothing in the arena between two runs, so that they can be placed anew whenever one is added, and
    after the device was lost.
    """

    def __init__(self, open_device: Callable[[], Accelerator]) -> None:
        self._open_device = open_device
        self._changed = threading.Condition()
        self._n_running, self._n_waiting, self._n_names = 0, 0, 0
        self._networks: dict[str, CompiledNetwork] = {}
        self._programs: dict[str, Program] = {}
        self._accelerator: Accelerator | None = None

    @property
    def clock_hz(self) -> int:
        """The clock that the bitstream was built for, 0 while the device is closed."""
        accelerator = self._accelerator
        return accelerator.clock_hz if accelerator else 0

    @property
    def is_open(self) -> bool:
        return self._accelerator is not None

    def add(self, network: CompiledNetwork) -> str:
        """Load `network` beside the others and return its name here; waits for the runs of other threads.

        Raises BackendUnavailable when the device is not here or has no room; the others stay loaded then.
        """
        with self._alone():
            self._n_names += 1
            name = network.name if network.name not in self._networks else f"{network.name}#{self._n_names}"
            networks = {**self._networks, name: replace(network, name=name)}
            try:
                self._load(networks)
            except BackendError:
                self._close_if_unused()
                raise
            self._networks = networks
            return name

    def remove(self, name: str) -> None:
        """Forget a network; the last one closes the device."""
        with self._alone():
            self._networks.pop(name, None)
            self._close_if_unused()

    @contextmanager
    def session(self, name: str) -> Iterator[tuple[Accelerator, Program]]:
        """Give the device and the program of a network, which stays where it is until the block ends.

        Several threads may be in a block at once. A device that was lost is opened again first.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._n_waiting == 0)
            if self._is_lost():
                self._changed.wait_for(lambda: self._n_running == 0)
                self._reopen()
            accelerator, program = self._opened(), self._programs[name]
            self._n_running += 1
        try:
            yield accelerator, program
        finally:
            with self._changed:
                self._n_running -= 1
                self._changed.notify_all()

    def _is_lost(self) -> bool:
        if self._accelerator is None:
            return True
        try:
            self._accelerator.check_alive()
        except BackendError as error:
            log.warning("%s; it is opened again", error)
            return True
        return False

    def _reopen(self) -> None:
        if self._is_lost():  # unless another thread was here first
            self._close()
            self._load(self._networks)

    def _opened(self) -> Accelerator:
        self._accelerator = self._accelerator or self._open_device()
        return self._accelerator

    def _close(self) -> None:
        accelerator, self._accelerator = self._accelerator, None
        if accelerator is not None:
            accelerator.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no run is under way; new ones wait, so that busy threads keep nobody out."""
        with self._changed:
            self._n_waiting += 1
            try:
                self._changed.wait_for(lambda: self._n_running == 0)
                yield
            finally:
                self._n_waiting -= 1
                self._changed.notify_all()

    def _load(self, networks: dict[str, CompiledNetwork]) -> None:
        """Link all networks and install them; what is loaded stays when they do not fit."""
        accelerator, names = self._opened(), ", ".join(networks)
        longest = max(len(network.descriptors) for network in networks.values())
        log2 = max(Ring().log2, (longest - 1).bit_length())
        try:
            bundle = link(list(networks.values()), slots=1, ring_log2=log2)
        except BundleError as error:
            raise BackendUnavailable(f"{names} cannot share the accelerator ({error})") from error
        if bundle.arena_bytes > accelerator.arena_bytes:
            raise BackendUnavailable(
                f"{names} need {bundle.arena_bytes} bytes of the accelerator's memory, it has "
                f"{accelerator.arena_bytes}; close one of them, or reserve more memory"
            )
        try:
            self._programs = accelerator.install(bundle)
        except BackendError:
            self._close()  # it holds no whole bundle now: the next run opens and loads it again
            raise

    def _close_if_unused(self) -> None:
        if not self._networks:
            self._close()


class SharedAccelerators:
    """The accelerators of this process by device."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, SharedAccelerator] = {}

    def get(self, device: str, open_device: Callable[[], Accelerator]) -> SharedAccelerator:
        with self._lock:
            return self._known.setdefault(device, SharedAccelerator(open_device))


ACCELERATORS = SharedAccelerators()
