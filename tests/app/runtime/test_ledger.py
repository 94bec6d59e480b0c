# SPDX-License-Identifier: Apache-2.0
"""The latency ledger: parts of a frame in their order, and a rest that is said when they do not add up."""

from __future__ import annotations

import dataclasses

import pytest

from app.frame import FrameResult, FrameTimes
from app.runtime.ledger import N_FRAMES, Ledger, parts_ms
from app.runtime.meters import Span
from tests.app.runtime.scripted import frame

MS = 1_000_000


def span(name: str, begin_ms: float, end_ms: float) -> Span:
    return Span(name, round(begin_ms * MS), round(end_ms * MS), 0.0)


STAGES = (span("detect", 3, 7), span("track", 7, 8), span("expression", 8, 11))
NETWORKS = (span("blazeface", 4, 6), span("expression_float", 8.5, 9), span("expression_float", 9.5, 10.5))


def runs(begin_ns: int, end_ns: int) -> list[Span]:
    return [run for run in NETWORKS if begin_ns <= run.start_ns and run.end_ns <= end_ns]


def no_runs(_begin_ns: int, _end_ns: int) -> list[Span]:
    return []


def result(spans: tuple[Span, ...] = STAGES, seq: int = 0) -> FrameResult[int]:
    """Return one captured at 0, begun at 3 ms, done at 11."""
    captured = dataclasses.replace(frame(seq), captured_ns=0)
    return FrameResult(captured, seq, {}, "cpu", "float", times=FrameTimes(3 * MS, 11 * MS, spans))


def painted(ledger: Ledger, shown: FrameResult[int], begin_ms: float = 13, end_ms: float = 16) -> None:
    ledger.add(shown, (round(begin_ms * MS), round(end_ms * MS)))


def test_parts_split_stages_around_their_networks_and_add_up() -> None:
    ledger = Ledger()
    painted(ledger, result())
    parts, total_ms = parts_ms(ledger.entries()[0], runs)
    assert parts == pytest.approx(
        {"queue": 3, "pre": 1.5, "network": 3.5, "post": 2.0, "track": 1, "between": 0, "wait": 2, "draw": 3}
    )
    assert sum(parts.values()) == pytest.approx(total_ms) == pytest.approx(16)


def test_layers_that_a_backend_knows_stand_by_their_names() -> None:
    ledger = Ledger()
    painted(ledger, result())
    layers = [span("first layer", 8.5, 9), span("inner layers", 9, 10), span("last layer", 10, 10.5)]
    parts, total_ms = parts_ms(ledger.entries()[0], lambda begin_ns, end_ns: layers)
    assert parts["first layer"] == parts["last layer"] == parts["inner layers"] / 2 == 0.5
    assert (parts["pre"], parts["post"], "network" in parts) == (0.5, 0.5, False)
    assert sum(parts.values()) == pytest.approx(total_ms)


def test_without_networks_stages_stand_by_their_own_names() -> None:
    ledger = Ledger()
    painted(ledger, result())
    found = ledger.summary(16 * MS, no_runs)
    assert found is not None
    assert [part.name for part in found.parts] == ["queue", "detect", "track", "expression", "between", "wait", "draw"]
    assert (found.total.p50_ms, found.n_frames, found.adds_up) == (16.0, 1, True)


def test_what_lies_between_stages_has_a_line_of_its_own() -> None:
    ledger = Ledger()
    painted(ledger, result((STAGES[0], STAGES[2])))  # 1 ms between them
    painted(ledger, result(STAGES[:2]))  # 3 ms after the last
    found = [parts_ms(entry, no_runs) for entry in ledger.entries()]
    assert [parts["between"] for parts, _ in found] == [1.0, 3.0]
    assert all(sum(parts.values()) == pytest.approx(total_ms) for parts, total_ms in found)


def test_time_that_is_counted_twice_is_said() -> None:
    ledger = Ledger()
    for _ in range(20):
        painted(ledger, result((*STAGES, span("detect", 3, 6))))
    found = ledger.summary(16 * MS, no_runs)
    assert found is not None
    assert found.rest.p95_ms == pytest.approx(8.0)  # the stage, and what lies between its end and the end of the frame
    assert not found.adds_up


def test_a_part_that_few_frames_have_counts_nothing_in_the_others() -> None:
    ledger = Ledger()
    for spans in (STAGES[:1], STAGES, STAGES[:1]):
        painted(ledger, result(spans))
    found = ledger.summary(16 * MS, no_runs)
    assert found is not None
    assert {part.name: part.p50_ms for part in found.parts}["track"] == 0.0
    assert [part.name for part in found.parts][-3:] == ["between", "wait", "draw"]


def test_the_second_path_is_a_part_where_it_had_this_frame() -> None:
    ledger, first = Ledger(), result()
    second = dataclasses.replace(first, times=FrameTimes(11 * MS, 12 * MS, ()))
    other = dataclasses.replace(second, frame=frame(9))
    painted(ledger, dataclasses.replace(first, compared=second))
    painted(ledger, dataclasses.replace(first, compared=other))
    (with_twin, total), (without, _) = (parts_ms(entry, no_runs) for entry in ledger.entries())
    assert (with_twin["twin"], with_twin["wait"]) == (1.0, 1.0)
    assert sum(with_twin.values()) == pytest.approx(total)
    assert ("twin" in without, without["wait"]) == (False, 2.0)


def test_only_painted_frames_of_the_last_seconds_count() -> None:
    ledger = Ledger()
    ledger.add(result(), None)
    assert ledger.summary(16 * MS, no_runs) is None
    painted(ledger, result())
    assert ledger.summary(16 * MS + 10_000 * MS, no_runs) is not None
    assert ledger.summary(16 * MS + 10_001 * MS, no_runs) is None


def test_memory_is_bounded() -> None:
    ledger = Ledger()
    for seq in range(N_FRAMES + 5):
        ledger.add(result((), seq), None)
    assert (len(ledger.entries()), ledger.entries()[0].seq) == (N_FRAMES, 5)
