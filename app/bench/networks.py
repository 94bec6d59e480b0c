# SPDX-License-Identifier: Apache-2.0
"""Speed of one network alone, all precisions by turns in one run.

Expression: 48x48 pixels to probabilities. Flow: the values of the stem to motions; the stem itself is a row of its own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.backends import CARDS, network_reason, resolve_backend
from app.build import Networks
from device.errors import BackendUnavailable
from device.lowbit.cpu import LowbitBackend
from device.lowbit.machine import LEVELS, open_machine
from models.card import Card, load_card
from models.expression import SIZE, ExpressionClassifier
from models.flow import FlowNet
from models.flow_stem import CELL_PX, CHANNELS, HEIGHT_PX, WIDTH_PX, open_kernels, stem
from models.results import Float32, Image

Call = Callable[[Image], Float32]
Network = tuple[str, str, Call]
"""Backend, precision with what is special about it, and the call that is timed."""
TURN = 20
"""Inputs in a row: so that a network finds its weights in the caches, and all meet the same changes of load."""


@dataclass(frozen=True)
class Subject:
    """The network of a task: the shape of its uint8 input, and how it is opened on a backend, or on one kernel."""

    task: str
    size: str
    input_shape: tuple[int, ...]
    open: Callable[[Networks, str, str], Call]
    on_backend: Callable[[Card, LowbitBackend], Call]


SUBJECTS = (
    Subject(
        "expression",
        f"{SIZE}x{SIZE}",
        (SIZE, SIZE),
        lambda networks, backend, precision: networks.expression(backend, precision).classify_grey,
        lambda card, backend: ExpressionClassifier(card, backend).classify_grey,
    ),
    Subject(
        "flow",
        f"{WIDTH_PX}x{HEIGHT_PX}",
        (CHANNELS, HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX),
        lambda networks, backend, precision: networks.flow(backend, precision).infer,
        lambda card, backend: FlowNet(card, backend).infer,
    ),
)


def measure_networks(n_inputs: int = 600) -> list[dict[str, Any]]:
    """Return, by task, one row a precision and one a kernel of `lowbit`: median ms of one input in one thread.

    The networks take turns of TURN inputs; the kernels do so apart from the precisions. `w1a2, alternating` comes from
    turns of one input, in which the others' weights push its own out of the caches; its peer is the float network in
    the same turns.
    """
    rows = []
    for subject in SUBJECTS:
        with opened(subject) as (precisions, by_kernel):
            rows += compare(subject, precisions, n_inputs, TURN)
            rows += [
                {**r, "precision": f"{r['precision']}, alternating"}
                for r in compare(subject, precisions, n_inputs, 1)
                if r["backend"] == "lowbit"
            ]
            rows += compare(subject, [precisions[0], *by_kernel], n_inputs, TURN)[1:]
    return [*rows, stem_row(n_inputs)]


def compare(subject: Subject, networks: list[Network], n_inputs: int, turn: int) -> list[dict[str, Any]]:
    """Return the rows of networks that take turns of so many inputs; the first is the peer."""
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (turn, *subject.input_shape), np.uint8)
    ms: list[list[float]] = [[] for _ in networks]
    for _ in range(-(-n_inputs // turn) + 1):
        for spent, (_, _, infer) in zip(ms, networks, strict=True):
            for values in inputs:
                spent.append(timed_ms(infer, values))
    medians = [statistics.median(spent[turn:]) for spent in ms]  # without the first turn
    named = zip(networks, medians, strict=True)
    return [row(subject, backend, precision, ms_p50, medians[0]) for (backend, precision, _), ms_p50 in named]


def timed_ms(call: Callable[..., object], *given: object) -> float:
    start_ns = time.perf_counter_ns()
    call(*given)
    return (time.perf_counter_ns() - start_ns) / 1e6


def row(subject: Subject, backend: str, precision: str, ms_p50: float, peer_ms: float) -> dict[str, Any]:
    return {
        "task": subject.task,
        "backend": backend,
        "precision": precision,
        "size": subject.size,
        "fps": round(1e3 / ms_p50, 1),
        "ms_p50": round(ms_p50, 4),
        "stage_ms": {},
        "ratio_vs_peer": round(peer_ms / ms_p50, 2),
        "peer": "float on cpu",
    }


def stem_row(n_inputs: int) -> dict[str, Any]:
    """Return the row of the stem that all flow networks share; its peer is the same in NumPy, once."""
    first, second = np.random.default_rng(0).integers(0, 256, (2, HEIGHT_PX, WIDTH_PX), np.uint8)
    kernels = open_kernels()
    ms_p50 = statistics.median(timed_ms(stem, first, second, kernels) for _ in range(n_inputs))
    peer_ms = timed_ms(stem, first, second, None)
    used = "stem in C" if kernels is not None else "stem in NumPy"
    return {**row(SUBJECTS[1], "cpu", used, ms_p50, peer_ms), "peer": "the same in NumPy"}


@contextmanager
def opened(subject: Subject) -> Iterator[tuple[list[Network], list[Network]]]:
    """Open every precision that can run here, float first, and the low-bit network on each kernel of this CPU."""
    with ExitStack() as stack:
        networks = stack.enter_context(Networks())
        precisions: list[Network] = []
        for precision in CARDS[subject.task]:
            backend = resolve_backend("auto", precision)
            if network_reason(subject.task, backend, precision) is None:
                precisions.append((backend, precision, subject.open(networks, backend, precision)))
        by_kernel: list[Network] = []
        card = load_card(CARDS[subject.task]["w1a2"])
        for level in kernels():
            backend_at_level = LowbitBackend(card.verified_path(), machine=open_machine(level))
            stack.callback(backend_at_level.close)
            by_kernel.append(("lowbit", f"w1a2, {level} kernels", subject.on_backend(card, backend_at_level)))
        yield precisions, by_kernel


def kernels() -> list[str]:
    """Return the names of the kernels that this CPU has, none where they cannot be built."""
    found = []
    for name in LEVELS:
        try:
            open_machine(name)
        except BackendUnavailable:
            continue
        found += [] if name == "auto" else [name]
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Return the lines a person reads."""
    lines = [f"{'network':44} {'ms':>7} {'x peer':>8}  peer"]
    for r in rows:
        name = f"{r['task']} {r['size']} {r['backend']} {r['precision']}"
        lines.append(f"{name:44} {r['ms_p50']:7.3f} {r['ratio_vs_peer']:8.2f}  {r['peer']}")
    return "\n".join(lines)
