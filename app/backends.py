# SPDX-License-Identifier: Apache-2.0
"""Which networks there are, which backend runs which precision here, why another does not, and what `auto` means."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from app.config import PRECISIONS
from device.errors import BackendUnavailable
from device.registry import is_simulated, probe_backend
from models.card import card_names

log = logging.getLogger(__name__)

CARDS: dict[str, dict[str, str]] = {
    task: {precision: f"{task}_{precision}" for precision in PRECISIONS} for task in ("expression", "flow", "pose")
}
"""The card of each task's network by precision."""
PRECISIONS_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("cpu", "gpu"), ("float", "int8")),
    **dict.fromkeys(("lowbit", "fpga", "fpga-sim"), ("w1a2",)),
}
"""The first that runs a precision is the one named where `auto` finds none."""
AUTO_ORDER = ("fpga", "lowbit", "cpu")
"""Where nothing was measured (`app.measured`). Never a GPU then: a small network may be slower there. Never a
simulation: that is only what somebody asked for."""


def network_reason(task: str, backend: str, precision: str, wait: bool = True) -> str | None:
    """Return why the network of `task` cannot be used so, or None; `wait` as of `backend_reason`."""
    reason = backend_reason(backend, precision, wait)
    card = CARDS[task][precision]
    if reason is None and card not in card_names():
        way_on = "use --method dis, or another --precision" if task == "flow" else "use another --precision"
        return f"no {precision} network for task {task} here (there is no card {card}); {way_on}"
    return reason


def backend_reason(backend: str, precision: str, wait: bool = True) -> str | None:
    """Return why the pair cannot be used, or None. `wait` False: not yet is a reason too (see `probe_backend`)."""
    if backend not in PRECISIONS_OF:
        return f"backend {backend} is not part of this version; use --backend auto"
    if precision not in PRECISIONS_OF[backend]:
        runs = "|".join(PRECISIONS_OF[backend])
        return f"backend {backend} does not run {precision} networks; use --precision {runs}, or --backend auto"
    try:
        probe_backend(backend, wait)
    except BackendUnavailable as error:
        return str(error)
    return None


def resolve_backend(backend: str, precision: str, wait: bool = True) -> str:
    """Return the backend that `auto` means for `precision`; a named backend stays as it is."""
    if backend != "auto":
        return backend
    # Where none can: the one that is made for it, to be refused with its own reason.
    made_for_it = next(name for name, runs in PRECISIONS_OF.items() if precision in runs)
    return next(auto_backends(precision, wait), made_for_it)


def auto_backends(precision: str, wait: bool = True) -> Iterator[str]:
    """Yield the backends that can run `precision` here, the first choice first; the log has why others cannot."""
    for name in AUTO_ORDER:
        reason = "it is a simulation here" if is_simulated(name) else backend_reason(name, precision, wait)
        if reason is None:
            yield name
        else:
            log.info("backend auto: %s not used: %s", name, reason)
