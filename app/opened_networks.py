# SPDX-License-Identifier: Apache-2.0
"""The networks of this process: each is opened once and stays, so that a switch costs nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.backends import CARDS, auto_backends, network_reason, resolve_backend
from device.backend import Cycles
from device.errors import BackendError, BackendUnavailable
from device.registry import is_simulated, open_backend
from device.timed import TimedBackend
from models.blazeface import FaceDetector
from models.card import Card, load_card
from models.expression import ExpressionClassifier
from models.flow import FlowNet
from models.persons import PersonDetector
from models.pose import PoseEstimator

log = logging.getLogger(__name__)

N = TypeVar("N", ExpressionClassifier, FlowNet, PoseEstimator)
RECENT_NS = 1_000_000_000
"""What the window calls "now": a second."""


@dataclass(frozen=True)
class NetworkFacts:
    """An opened network: bits by part of it, as its card has them, and the median run time of the last second.

    `cycles` are those of its last run, where the device counts them.
    """

    bits: dict[str, Any]
    ms_p50: float
    cycles: Cycles | None = None


class Variants(Generic[N]):
    """The network of one task, at each backend and precision that was asked for so far."""

    def __init__(self, task: str, new: Callable[[Card, TimedBackend], N], networks: Networks) -> None:
        self.opened: dict[tuple[str, str], tuple[N, TimedBackend]] = {}
        self._task, self._networks = task, networks
        self._new: Callable[[Card, TimedBackend], N] = new

    def named(self, backend: str, precision: str) -> N:
        """Return the network of a named backend; raises BackendUnavailable with the reason."""
        reason = network_reason(self._task, backend, precision)
        if reason is not None:
            raise BackendUnavailable(reason)
        key = (backend, precision)
        with self._networks.lock:
            if key not in self.opened:
                card, timed = self._networks.open(load_card(CARDS[self._task][precision]), backend)
                self.opened[key] = self._new(card, timed), timed
            return self.opened[key][0]

    def choose(self, backend: str, precision: str) -> N:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        for name in auto_backends(precision) if backend == "auto" else ():
            try:
                return self.named(name, precision)
            except BackendError as error:
                log.info("backend auto: %s not used: %s", name, error)
        return self.named(resolve_backend(backend, precision), precision)

    def facts(self, backend: str, precision: str) -> NetworkFacts | None:
        """Return what is known of it there, None where it has not been opened."""
        with self._networks.lock:
            found = [(n, t) for (_, p), (n, t) in self.opened.items() if (t.name, p) == (backend, precision)]
        for network, timed in found:
            recent_ms = timed.ms_p50(time.perf_counter_ns() - RECENT_NS)
            return NetworkFacts(network.card.fields["bits"], recent_ms, timed.last_cycles)
        return None


class Networks:
    """The loaded networks of this process: each is opened once and stays, so that a switch costs nothing.

    Any thread may ask; the networks themselves are run by one inference thread at a time.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._expression = Variants("expression", ExpressionClassifier, self)
        self._flow = Variants("flow", FlowNet, self)
        self._pose = Variants("pose", PoseEstimator, self)
        self._of_tasks: dict[str, Variants[Any]] = {
            "expression": self._expression,
            "flow": self._flow,
            "pose": self._pose,
        }
        self._persons: PersonDetector | None = None
        self._detectors: dict[str, FaceDetector] = {}
        self._opened: list[tuple[Card, TimedBackend]] = []

    def face_detector(self, card: str) -> FaceDetector:
        """Return `blazeface_short` or `blazeface_full`."""
        with self.lock:
            if card not in self._detectors:
                self._detectors[card] = FaceDetector(*self.open(load_card(card), "cpu"))
            return self._detectors[card]

    def expression(self, backend: str, precision: str) -> ExpressionClassifier:
        """Return the expression network; raises BackendUnavailable with the reason."""
        return self._expression.named(backend, precision)

    def choose_expression(self, backend: str, precision: str) -> ExpressionClassifier:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        return self._expression.choose(backend, precision)

    def person_detector(self) -> PersonDetector:
        """Return the detector of people; it runs in float on the cpu, whatever runs the poses."""
        with self.lock:
            if self._persons is None:
                self._persons = PersonDetector(*self.open(load_card("persons_float"), "cpu"))
            return self._persons

    def pose(self, backend: str, precision: str) -> PoseEstimator:
        """Return the network of body poses; raises BackendUnavailable with the reason."""
        return self._pose.named(backend, precision)

    def choose_pose(self, backend: str, precision: str) -> PoseEstimator:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        return self._pose.choose(backend, precision)

    def flow(self, backend: str, precision: str) -> FlowNet:
        """Return the flow network; raises BackendUnavailable with the reason."""
        return self._flow.named(backend, precision)

    def choose_flow(self, backend: str, precision: str) -> FlowNet:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        return self._flow.choose(backend, precision)

    def facts(self, task: str, backend: str, precision: str) -> NetworkFacts | None:
        """Return what is known of the network of a task, None where it has not been opened."""
        variants = self._of_tasks.get(task)
        return None if variants is None else variants.facts(backend, precision)

    def __enter__(self) -> Networks:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        with self.lock:
            for _, backend in self._opened:
                backend.close()
            for variants in self._of_tasks.values():
                variants.opened.clear()
            self._detectors.clear()
            self._persons = None
            self._opened.clear()

    def figures(self) -> list[dict[str, Any]]:
        """Return name, sha256 and median run time (ms) of the networks that have run, and what their device counted."""
        rows = [(card, round(backend.ms_p50(), 4), backend) for card, backend in self._opened]
        return [
            {"name": card.name, "sha256": card.sha256, "ms_p50": ms, **counted(backend)}
            for card, ms, backend in rows
            if ms > 0
        ]

    def open(self, card: Card, backend: str) -> tuple[Card, TimedBackend]:
        """Open the file of `card`; whoever calls holds `lock`, and gets it closed by `close`."""
        timed = TimedBackend(open_backend(backend, card.verified_path()))
        self._opened.append((card, timed))
        return card, timed


def counted(backend: TimedBackend) -> dict[str, Any]:
    """Return the cycles of the last run, empty where the device counts none; simulated ones never look measured."""
    cycles = backend.last_cycles
    if cycles is None:
        return {}
    return {"cycles": cycles.n, "clock_hz": cycles.clock_hz, "simulated": is_simulated(backend.name)}
