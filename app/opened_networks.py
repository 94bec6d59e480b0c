# SPDX-License-Identifier: Apache-2.0
"""The networks of this process: each is opened once and stays, so that a switch costs nothing."""

from __future__ import annotations

import bisect
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from app.backends import CARDS, auto_backends, network_reason, resolve_backend
from app.measured import Measured
from app.runtime.ledger import Runs
from app.runtime.meters import Span
from app.samples import sample
from device.backend import Backend, Cycles
from device.errors import AppError, BackendError, BackendUnavailable
from device.guarded import GuardedBackend
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
        networks, name, key = self._networks, CARDS[self._task][precision], (backend, precision)
        reason = networks.demoted.get((name, backend)) or network_reason(self._task, backend, precision)
        if reason is not None:
            raise BackendUnavailable(reason)
        if key not in self.opened:
            with networks.opening:  # may take seconds; `lock` is not held meanwhile: the window takes it to paint
                if key not in self.opened:
                    self._open(name, key)
        return self.opened[key][0]

    def _open(self, name: str, key: tuple[str, str]) -> None:
        """Open a card on a backend; a GPU that refuses is not asked again, because asking takes seconds."""
        try:
            card, timed = self._networks.open(load_card(name), key[0])
        except BackendError as error:
            if key[0] == "gpu":
                self._networks.demoted[name, key[0]] = str(error)
            raise
        with self._networks.lock:
            self.opened[key] = self._new(card, timed), timed

    def choose(self, backend: str, precision: str) -> N:
        """Return the network of a named backend, for `auto` of the first that opens; raises BackendUnavailable."""
        for name in self._order(backend, precision):
            try:
                return self.named(name, precision)
            except BackendError as error:
                log.info("backend auto: %s not used: %s", name, error)
        return self.named(resolve_backend(backend, precision), precision)

    def is_slow_to_open(self, backend: str, precision: str) -> bool:
        """Whether `choose` would begin with a GPU that is not open yet: seconds, and more where its driver hangs."""
        measured = self._networks.measured
        order = measured.order(self._task, precision) if measured is not None and backend == "auto" else [backend]
        is_known = ("gpu", precision) in self.opened or (CARDS[self._task][precision], "gpu") in self._networks.demoted
        return order[:1] == ["gpu"] and precision in CARDS[self._task] and not is_known

    def _order(self, backend: str, precision: str) -> Iterator[str]:
        """Yield what `auto` tries: what was measured to be the fastest first, else the fixed order."""
        if backend == "auto":
            measured = self._networks.measured
            yield from (measured.order(self._task, precision) if measured is not None else ())
            yield from auto_backends(precision)

    def facts(self, backend: str, precision: str) -> NetworkFacts | None:
        """Return what is known of it there, None where it has not been opened."""
        if not self._networks.lock.acquire(blocking=False):
            return None  # a network is being opened, and the window must not wait for it
        try:
            found = [(n, t) for (_, p), (n, t) in self.opened.items() if (t.name, p) == (backend, precision)]
        finally:
            self._networks.lock.release()
        for network, timed in found:
            recent_ms = timed.ms_p50(time.perf_counter_ns() - RECENT_NS)
            return NetworkFacts(network.card.fields["bits"], recent_ms, timed.last_cycles)
        return None


class Networks:
    """The loaded networks of this process: each is opened once and stays, so that a switch costs nothing.

    Any thread may ask; the networks themselves are run by one inference thread at a time.
    """

    def __init__(self) -> None:
        self.lock, self.opening = threading.Lock(), threading.RLock()
        self.demoted: dict[tuple[str, str], str] = {}  # (card, backend) -> why it was refused, or failed in a run
        self.on_demoted: Callable[[str], None] = partial(log.warning, "%s")
        self.measured: Measured | None = None  # what `auto` goes by, None = the fixed order
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
        self._second: Networks | None = None

    def second(self) -> Networks:
        """Return networks of their own for a second thread; they are closed with these."""
        with self.lock:
            if self._second is None:
                self._second = Networks()
                self._second.on_demoted, self._second.measured = self.on_demoted, self.measured
            return self._second

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

    def is_slow_to_open(self, task: str, backend: str, precision: str) -> bool:
        """Whether the network of a task would take seconds to open there: too long for the window's thread."""
        variants = self._of_tasks.get(task)
        return variants is not None and variants.is_slow_to_open(backend, precision)

    def prepare(self, task: str, backend: str, precision: str) -> None:
        """Open the network of a task, in a thread that may wait; a refusal is remembered for whoever asks next."""
        variants, reason = self._of_tasks[task], "the GPU was refused"
        try:
            variants.choose(backend, precision)
        except BackendError as error:
            reason = str(error)
        if variants.is_slow_to_open(backend, precision):  # it was refused before it was opened: no GPU is here
            self.demoted[CARDS[task][precision], "gpu"] = network_reason(task, "gpu", precision) or reason

    def preload(self, task: str, precision: str) -> None:
        """Open what `auto` would use, so that a later switch costs nothing; where it cannot be, nothing happens."""
        variants = self._of_tasks.get(task)
        try:
            if variants is not None:
                variants.choose("auto", precision)
        except AppError as error:
            log.info("not opened in advance: %s", error)

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
            if self._second is not None:
                self._second.close()
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

    def files(self) -> list[dict[str, str]]:
        """Return name and sha256 of the networks that were opened."""
        with self.lock:
            return [{"name": card.name, "sha256": card.sha256} for card, _ in self._opened]

    def times_now(self) -> dict[str, dict[str, float]]:
        """Return the median ms of the last second by card and backend, of the networks that have run in it."""
        since_ns, found = time.perf_counter_ns() - RECENT_NS, dict[str, dict[str, float]]()
        with self.lock:
            opened = list(self._opened)
        for card, timed in opened:
            ms = timed.ms_p50(since_ns)
            if ms > 0:
                found.setdefault(card.name, {})[timed.name] = ms
        return found

    def runs(self) -> Runs:
        """Return what finds the remembered runs of all networks by time."""
        with self.lock:
            opened = list(self._opened)
        found = sorted(run for card, timed in opened for run in timed.runs(card.name))

        def between(begin_ns: int, end_ns: int) -> list[Span]:
            first = bisect.bisect_left(found, (begin_ns, 0, ""))
            last = bisect.bisect_left(found, (end_ns, 0, ""))
            return [Span(name, begin, end, 0.0) for begin, end, name in found[first:last] if end <= end_ns]

        return between

    def open(self, card: Card, backend: str) -> tuple[Card, TimedBackend]:
        """Open the file of `card`; it is closed by `close`. A GPU that fails later on is replaced by the CPU, aloud."""
        path = card.verified_path()
        opened: Backend = open_backend(backend, path, sample=partial(sample, card))
        if backend == "gpu":
            opened = GuardedBackend(opened, partial(open_backend, "cpu", path), partial(self._demote, card, backend))
        timed = TimedBackend(opened)
        self._opened.append((card, timed))
        return card, timed

    def _demote(self, card: Card, backend: str, reason: str) -> None:
        """Inference thread: remember and tell that the CPU goes on in the place of a device that failed."""
        self.demoted[card.name, backend] = reason
        self.on_demoted(f"{card.name} runs on the CPU from now on: {reason}")


def counted(backend: TimedBackend) -> dict[str, Any]:
    """Return the cycles of the last run, empty where the device counts none; simulated ones never look measured."""
    cycles = backend.last_cycles
    if cycles is None:
        return {}
    return {"cycles": cycles.n, "clock_hz": cycles.clock_hz, "simulated": is_simulated(backend.name)}
