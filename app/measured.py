# SPDX-License-Identifier: Apache-2.0
"""Which backend is the fastest here for a task's network at each precision: measured once, kept, and said in words.

Kept in measured.json beside the user's settings, for one machine and one set of versions; a row counts for one network
file on one device. A file that cannot be read or written is no failure: then it is measured again.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from app.backends import CARDS, PRECISIONS_OF, network_reason
from app.config import default_path, write_whole
from app.samples import sample
from device.backend import Backend, Tensors
from device.errors import AppError, BackendError, BackendUnavailable
from device.registry import is_simulated, open_backend, probe_backend
from models.card import card_names, load_card

log = logging.getLogger(__name__)

FILE_NAME = "measured.json"
SCHEMA = 1
TURNS, TURN_S, MOST_RUNS = 10, 0.025, 50
"""Each network has so many turns of that time, and of no more runs than that."""
MOST_S = 20.0
"""No network is opened later than that; opening one is bounded by its backend (a GPU's driver: 30 s, a run 1.5 s)."""


@dataclass(frozen=True)
class Row:
    """One network on one backend; `ms` is of a run (see `quiet`), None where it cannot be used, and `note` says why."""

    task: str
    precision: str
    backend: str
    sha256: str
    device: str  # what runs it, as `probe_backend` has it
    ms: float | None
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """What `auto` means for a task at a precision: the fastest backend, the others, and the other precisions' best.

    `others` are (backend, ms); `precisions` are (precision, backend, how many times as long it takes).
    """

    task: str
    precision: str
    backend: str
    ms: float
    others: tuple[tuple[str, float], ...]
    precisions: tuple[tuple[str, str, float], ...]

    def __str__(self) -> str:
        others = "".join(f", {name} {ms:.2f} ms" for name, ms in self.others)
        text = f"{self.task}, {self.precision}: {self.backend} is used ({self.ms:.2f} ms{others})"
        for precision, backend, ratio in self.precisions:
            where = "on this CPU" if backend == self.backend == "cpu" else f"on {backend}"
            if ratio > 1:
                text += f"; {precision} is {ratio:.1f}x slower than {self.precision} {where}: {self.precision} is used"
            else:
                text += f"; {precision} is {1 / ratio:.1f}x faster {where}"
        return text


def log_progress(precision: str, backend: str) -> None:
    log.info("measuring %s on %s", precision, backend)


class Measured:
    """The rows of this computer. `order`, `verdict` and `is_known` may be asked by any thread, `measure` is for one."""

    def __init__(self, path: Path | None = None) -> None:
        """Read `path` (None: the user's own); one that is broken, or of another machine or version, is as if empty."""
        self._path = path or default_path().with_name(FILE_NAME)
        self._machine = machine()
        self._lock = threading.Lock()
        self._rows = read(self._path, self._machine)

    def rows(self) -> tuple[Row, ...]:
        """Return those of the networks as they are now, by task, precision and time."""
        with self._lock:
            rows = list(self._rows)
        current = [row for row in rows if row.sha256 == sha256_of(row.task, row.precision)]
        return tuple(sorted(current, key=lambda r: (r.task, r.precision, r.ms is None, r.ms or 0.0)))

    def order(self, task: str, precision: str) -> list[str]:
        """Return the backends that can run it, the fastest first; empty where nothing was measured."""
        return [r.backend for r in self.rows() if (r.task, r.precision) == (task, precision) and r.ms is not None]

    def verdict(self, task: str, precision: str) -> Verdict | None:
        """Return what `auto` means, None where nothing was measured."""
        usable = [(r.precision, r.backend, r.ms) for r in self.rows() if r.task == task and r.ms is not None]
        own = [(backend, ms) for its, backend, ms in usable if its == precision]
        if not own:
            return None
        (backend, ms), *others = own
        best = {its: (name, its_ms) for its, name, its_ms in reversed(usable) if its != precision}
        ratios = tuple((its, name, its_ms / ms) for its, (name, its_ms) in sorted(best.items()))
        return Verdict(task, precision, backend, ms, tuple(others), ratios)

    def missing(self, task: str) -> list[tuple[str, str]]:
        """Return the pairs (precision, backend) of a task that were not measured on the device that is here now.

        May take as long as finding a GPU does; not for the window's thread.
        """
        known = {(r.precision, r.backend): r.device for r in self.rows() if r.task == task}
        return [pair for pair in pairs(task) if known.get(pair) != device_of(pair[1])]

    def measure(
        self,
        task: str,
        tell: Callable[[str, str], None] = log_progress,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Measure a task's networks, all of them in turns where any is missing, and keep it.

        `tell` gets precision and backend before each is opened. Ends early, with nothing new, when `is_stopped`; opens
        nothing more after MOST_S: that stays missing.
        """
        if not self.missing(task):
            return
        until = time.monotonic() + MOST_S
        with ExitStack() as opened:
            found: list[Candidate] = []
            for precision, backend in pairs(task):
                if is_stopped() or time.monotonic() > until:
                    break
                tell(precision, backend)
                found.append(Candidate(task, precision, backend, opened))
            for _ in range(TURNS):
                for candidate in found:
                    if not is_stopped():
                        candidate.take_turn()
        if not is_stopped():
            self._keep(task, [candidate.row for candidate in found])

    def _keep(self, task: str, rows: list[Row]) -> None:
        for row in rows:
            log.info("measured: %s", row)
        with self._lock:
            measured = {(row.precision, row.backend) for row in rows}
            kept = [r for r in self._rows if r.task != task or (r.precision, r.backend) not in measured]
            self._rows = [*kept, *rows]
        self._save()

    def forget(self) -> None:
        """Measure everything anew from now on."""
        with self._lock:
            self._rows = []

    def _save(self) -> None:
        with self._lock:
            rows = [dataclasses.asdict(row) for row in self._rows]
        text = json.dumps({"schema": SCHEMA, "machine": self._machine, "rows": rows}, indent=1) + "\n"
        try:
            write_whole(text, self._path)
        except OSError as error:
            log.info("what was measured is not kept: %s cannot be written (%s)", self._path, error.strerror)


def pairs(task: str) -> Iterator[tuple[str, str]]:
    """Yield (precision, backend) for every network of a task and each backend that may run it and is no simulation."""
    for precision, card in CARDS[task].items():
        for backend, precisions in PRECISIONS_OF.items():
            if precision in precisions and card in card_names() and not is_simulated(backend):
                yield precision, backend


def device_of(backend: str) -> str:
    """Return what runs the networks of a backend, or why none can."""
    try:
        return probe_backend(backend)
    except BackendUnavailable as error:
        return str(error)


def sha256_of(task: str, precision: str) -> str:
    """Return that of the network's file, "" where there is no such network."""
    card = CARDS.get(task, {}).get(precision, "")
    return load_card(card).sha256 if card in card_names() else ""


class Candidate:
    """A network on a backend of its own, timed in turns with others: all meet the same changes of load."""

    def __init__(self, task: str, precision: str, backend: str, opened: ExitStack) -> None:
        """Open it, to be closed with `opened`, and run it once; a failure is a row too."""
        self._empty = Row(task, precision, backend, sha256_of(task, precision), device_of(backend), None)
        self._ms: list[float] = []
        self._failure = network_reason(task, backend, precision) or ""
        if self._failure:
            return
        card = load_card(CARDS[task][precision])
        try:
            self._backend = open_backend(backend, card.verified_path(), sample=partial(sample, card))
            opened.callback(self._backend.close)
            self._inputs = sample(card, self._backend)
        except AppError as error:  # of the file too
            self._failure = str(error)

    def take_turn(self) -> None:
        """Run for TURN_S, at least once; the first run of a turn, which finds nothing in the caches, does not count."""
        until = time.perf_counter() + TURN_S
        try:
            if not self._failure:
                self._ms += run_ms(self._backend, self._inputs, until)
        except BackendError as error:
            self._failure = str(error)

    @property
    def row(self) -> Row:
        """What came out."""
        if self._failure:
            return dataclasses.replace(self._empty, note=self._failure)
        differs = getattr(self._backend, "difference", None)
        note = "" if differs is None else f"differs from the CPU by {differs}"
        return dataclasses.replace(self._empty, ms=quiet(self._ms), note=note)


def run_ms(backend: Backend, inputs: Tensors, until: float) -> list[float]:
    """Return the ms of the runs up to a time of `perf_counter`, one at least, after one that does not count.

    A run of more than TURN_S is counted at once. Raises BackendError.
    """
    spent: list[float] = []
    while len(spent) < 2 or (time.perf_counter() < until and len(spent) < MOST_RUNS):
        start = time.perf_counter()
        backend.run(inputs)
        spent.append((time.perf_counter() - start) * 1e3)
        if spent[0] > TURN_S * 1e3:
            return spent
    return spent[1:]


def quiet_ms(backend: Backend, inputs: Tensors) -> float:
    """Return the ms of a run of one network alone, as `quiet` has it; raises BackendError."""
    backend.run(inputs)
    turns = [run_ms(backend, inputs, time.perf_counter() + TURN_S) for _ in range(TURNS)]
    return quiet([ms for turn in turns for ms in turn])


def quiet(spent_ms: list[float]) -> float:
    """Return the tenth percentile: what a run takes while nothing else wants the processor.

    A median of runs of some ms is two or three times that where another program runs (measured), and of shorter runs
    not, which would turn ratios around.
    """
    return round(sorted(spent_ms)[len(spent_ms) // 10], 4)


def machine() -> dict[str, Any]:
    """Return what a measurement holds for: the processor with its flags, and the versions of what runs the networks."""
    versions = {name: importlib.metadata.version(name) for name in ("ai-edge-litert", "numpy")}
    settings = {name: os.environ.get(name, "") for name in ("EDGE_LOWBIT", "EDGE_GPU", "EDGE_FPGA")}
    return {
        "processor": processor(),
        "n_cpus": os.cpu_count(),
        "python": platform.python_version(),
        **versions,
        **settings,
    }


def processor() -> str:
    """Return name and flags of the processor, as Linux has them; the architecture where it has none."""
    wanted = ("model name", "flags", "Features", "Hardware")
    found: dict[str, str] = {}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in wanted:
            found.setdefault(name.strip(), value.strip())
    return "; ".join([platform.machine(), *found.values()])


def read(path: Path, wanted: dict[str, Any]) -> list[Row]:
    """Return the rows of `path` that were measured on such a machine, none where the file is missing or broken."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["schema"] != SCHEMA or stored["machine"] != wanted:
            log.info("%s is of another machine or version: measured again", path)
            return []
        return [checked(Row(**fields)) for fields in stored["rows"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        log.info("%s cannot be used (%s: %s): measured again", path, type(error).__name__, error)
        return []


def checked(row: Row) -> Row:
    """Return `row`; raises ValueError where a value cannot be."""
    texts = (row.task, row.precision, row.backend, row.sha256, row.device, row.note)
    is_time = row.ms is None or (isinstance(row.ms, float | int) and 0 < row.ms < 1e6)
    if not is_time or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"not a row: {row}")
    return row


def table(rows: tuple[Row, ...]) -> list[str]:
    """Return the lines of `--list`."""
    lines = []
    for row in rows:
        took = row.note if row.ms is None else f"{row.ms:8.3f} ms, {row.device}" + (f"; {row.note}" if row.note else "")
        lines.append(f"  {f'{row.task}:{row.precision}:{row.backend}':24} {took}")
    return lines
