# SPDX-License-Identifier: Apache-2.0
"""Speed of the expression network alone: 48x48 pixels to probabilities, all precisions by turns in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from app.backends import CARDS, network_reason, resolve_backend
from app.build import Networks
from device.errors import BackendUnavailable
from device.lowbit.cpu import LowbitBackend
from device.lowbit.machine import LEVELS, open_machine
from models.card import load_card
from models.expression import SIZE, ExpressionClassifier
from models.results import Float32, Image

Network = tuple[str, str, Callable[[Image], Float32]]
"""Backend, precision with what is special about it, and the call that is timed."""
TURN = 20
"""Faces in a row: so that a network finds its weights in the caches, and all meet the same changes of load."""


def measure_networks(n_faces: int = 600) -> list[dict[str, Any]]:
    """Return one row a precision and one a kernel of `lowbit`: median ms of one face in one thread.

    The networks take turns of TURN faces; the kernels do so apart from the precisions. `w1a2, alternating` comes from
    turns of one face, in which the others' weights push its own out of the caches; its peer is the float network in
    the same turns.
    """
    with opened() as (precisions, by_kernel):
        rows = compare(precisions, n_faces, TURN)
        alternating = [
            {**r, "precision": f"{r['precision']}, alternating"}
            for r in compare(precisions, n_faces, 1)
            if r["backend"] == "lowbit"
        ]
        return rows + alternating + compare([precisions[0], *by_kernel], n_faces, TURN)[1:]


def compare(networks: list[Network], n_faces: int, turn: int) -> list[dict[str, Any]]:
    """Return the rows of networks that take turns of so many faces; the first is the peer."""
    faces = np.random.default_rng(0).integers(0, 256, (-(-n_faces // turn) + 1, turn, SIZE, SIZE), np.uint8)
    ms: list[list[float]] = [[] for _ in networks]
    for some in faces:
        for spent, (_, _, classify) in zip(ms, networks, strict=True):
            for face in some:
                start_ns = time.perf_counter_ns()
                classify(face)
                spent.append((time.perf_counter_ns() - start_ns) / 1e6)
    medians = [statistics.median(spent[turn:]) for spent in ms]  # without the first turn
    named = zip(networks, medians, strict=True)
    return [row(backend, precision, median_ms, medians[0]) for (backend, precision, _), median_ms in named]


def row(backend: str, precision: str, ms_p50: float, peer_ms: float) -> dict[str, Any]:
    return {
        "task": "expression",
        "backend": backend,
        "precision": precision,
        "size": f"{SIZE}x{SIZE}",
        "fps": round(1e3 / ms_p50, 1),
        "ms_p50": round(ms_p50, 4),
        "stage_ms": {},
        "ratio_vs_peer": round(peer_ms / ms_p50, 2),
        "peer": "float on cpu",
    }


@contextmanager
def opened() -> Iterator[tuple[list[Network], list[Network]]]:
    """Open every precision that can run here, float first, and the low-bit network on each kernel of this CPU."""
    with ExitStack() as stack:
        networks = stack.enter_context(Networks())
        precisions: list[Network] = []
        for precision in CARDS["expression"]:
            backend = resolve_backend("auto", precision)
            if network_reason("expression", backend, precision) is None:
                precisions.append((backend, precision, networks.expression(backend, precision).classify_grey))
        by_kernel: list[Network] = []
        for level in kernels():
            classifier = on_kernels(level)
            stack.callback(classifier.close)
            by_kernel.append(("lowbit", f"w1a2, {level} kernels", classifier.classify_grey))
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


def on_kernels(level: str) -> ExpressionClassifier:
    card = load_card(CARDS["expression"]["w1a2"])
    return ExpressionClassifier(card, LowbitBackend(card.verified_path(), machine=open_machine(level)))


def table(rows: list[dict[str, Any]]) -> str:
    """Return the lines a person reads."""
    lines = [f"{'one face, 48x48':36} {'ms':>7} {'x float':>8}"]
    lines += [f"{r['backend'] + ' ' + r['precision']:36} {r['ms_p50']:7.3f} {r['ratio_vs_peer']:8.2f}" for r in rows]
    return "\n".join(lines)
