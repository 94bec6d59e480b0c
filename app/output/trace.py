# SPDX-License-Identifier: Apache-2.0
"""A run's threads over time in the Trace Event Format, which Perfetto and chrome://tracing open.

Format: "Trace Event Format", Google, docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU: complete
events ("X") with `ts` and `dur` in microseconds, metadata events ("M") for the names of process and threads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from app.config import write_whole
from app.output.queued_file import OutputError
from app.runtime.ledger import Entry, Runs
from app.runtime.meters import Span

PROCESS = 1
THREADS = {"capture": 1, "inference": 2, "window": 3, "compare": 4}


def trace(entries: Iterable[Entry], reads: Iterable[Span], runs: Runs) -> dict[str, Any]:
    """Return the object of a trace file: `entries` by frame, `reads` of the source, networks inside their stages."""
    events = [_name("process_name", "edge-vision", 0), *(_name("thread_name", t, n) for t, n in THREADS.items())]
    events += [_span(read, "capture", {}) for read in reads]
    for entry in entries:
        times, frame = entry.times, {"frame": entry.seq}
        events.append(_span(Span("frame", times.begun_ns, times.done_ns, 0.0), "inference", frame))
        events += [_span(span, "inference", frame) for span in times.spans]
        events += [_span(run, "inference", frame) for run in runs(times.begun_ns, times.done_ns)]
        if entry.twin is not None:
            events += [_span(span, "compare", frame) for span in entry.twin.spans]
        if entry.paint_ns is not None:
            age_ms = round((entry.paint_ns[1] - entry.captured_ns) / 1e6, 3)
            events.append(_span(Span("paint", *entry.paint_ns, 0.0), "window", {**frame, "age_ms": age_ms}))
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def write_trace(content: dict[str, Any], path: Path) -> None:
    """Write a trace file, whole or not at all; raises OutputError."""
    try:
        write_whole(json.dumps(content, separators=(",", ":")) + "\n", path)
    except OSError as error:
        raise OutputError(f"cannot write the trace to {path}: {error.strerror}; choose another place") from error


def _span(span: Span, thread: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": span.name,
        "cat": thread,
        "ph": "X",
        "ts": span.start_ns / 1e3,
        "dur": max(span.end_ns - span.start_ns, 0) / 1e3,
        "pid": PROCESS,
        "tid": THREADS[thread],
        "args": arguments,
    }


def _name(kind: str, name: str, thread: int) -> dict[str, Any]:
    return {"name": kind, "ph": "M", "pid": PROCESS, "tid": thread, "args": {"name": name}}
