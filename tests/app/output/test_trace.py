# SPDX-License-Identifier: Apache-2.0
"""A trace file follows the Trace Event Format, and its spans lie inside each other as a viewer needs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.build import Networks, Program
from app.config import Settings
from app.output.queued_file import OutputError
from app.output.trace import THREADS, trace, write_trace
from app.runtime.ledger import Ledger
from models.fetch import FetchError
from tests.app.output.test_events import faults
from tests.app.runtime.scripted import WAIT_S, Memory
from tests.app.runtime.test_ledger import painted, result, runs, span

NUMBER, INTEGER, TEXT = {"type": "number", "minimum": 0}, {"type": "integer"}, {"type": "string"}
OF_FRAME = {"type": "object", "properties": {"frame": INTEGER, "age_ms": NUMBER}}
PLACE = {"name": TEXT, "pid": INTEGER, "tid": INTEGER, "args": OF_FRAME}
COMPLETE = {**PLACE, "ph": {"enum": ["X"]}, "ts": NUMBER, "dur": NUMBER, "cat": TEXT}
METADATA = {**PLACE, "name": {"enum": ["process_name", "thread_name"]}, "ph": {"enum": ["M"]}}
METADATA["args"] = {"type": "object", "required": ["name"], "properties": {"name": TEXT}}
SCHEMAS = {
    "X": {"type": "object", "required": list(COMPLETE), "properties": COMPLETE},
    "M": {"type": "object", "required": list(METADATA), "properties": METADATA},
}
"""What the format's document asks of complete and metadata events."""


def expect_format(found: dict[str, Any]) -> None:
    assert found["displayTimeUnit"] in ("ms", "ns")
    assert [fault for event in found["traceEvents"] for fault in faults(SCHEMAS[event["ph"]], event)] == []


def expect_nested(events: list[dict[str, Any]]) -> None:
    """Events of one thread contain each other or lie apart: a viewer draws nothing else right."""
    for thread in THREADS.values():
        ends: list[float] = []
        spans = sorted(
            ((e["ts"], -e["dur"]) for e in events if e["ph"] == "X" and e["tid"] == thread),
        )
        for begin, minus_dur in spans:
            while ends and ends[-1] <= begin:
                ends.pop()
            assert not ends or begin - minus_dur <= ends[-1] + 1e-3
            ends.append(begin - minus_dur)


def test_a_trace_is_well_formed() -> None:
    ledger = Ledger()
    painted(ledger, result())
    ledger.add(result(seq=1), None)
    found = trace(ledger.entries()[:1], [span("read", 0, 1)], runs)
    expect_format(found)
    expect_nested(found["traceEvents"])
    names = [event["name"] for event in found["traceEvents"] if event["ph"] == "X"]
    assert sorted(names) == sorted(
        ["read", "frame", "detect", "track", "expression", "blazeface", "expression_float", "expression_float", "paint"]
    )
    paint = next(event for event in found["traceEvents"] if event["name"] == "paint")
    assert (paint["ts"], paint["dur"], paint["args"]) == (13_000.0, 3_000.0, {"frame": 0, "age_ms": 16.0})


def test_a_real_run_leaves_a_trace_of_every_frame(tmp_path: Path) -> None:
    memory = Memory()
    with Networks() as networks:
        try:
            program = Program(Settings(source="synthetic", pace="max"), networks, memory.listeners(), max_frames=6)
        except FetchError as error:
            pytest.skip(str(error))
        program.start()
        assert memory.ended.wait(WAIT_S)
        for each in memory.results:
            program.ledger.add(each, None)
        program.write_trace(tmp_path / "new" / "trace.json")
        program.close()
    found = json.loads((tmp_path / "new" / "trace.json").read_text())
    expect_format(found)
    expect_nested(found["traceEvents"])
    spans = [event for event in found["traceEvents"] if event["ph"] == "X"]
    assert sorted(event["args"]["frame"] for event in spans if event["name"] == "frame") == list(range(6))
    assert {"read", "detect", "blazeface_short"} <= {event["name"] for event in spans}


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot write the trace to"):
        write_trace({}, tmp_path / "taken" / "t.json")
