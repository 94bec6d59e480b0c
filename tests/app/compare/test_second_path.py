# SPDX-License-Identifier: Apache-2.0
"""The second path: which frames it compares, what it delivers, and that the first path never waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.compare import second_path
from app.compare.pair import Pair, parse_pair
from app.compare.second_path import N_WORST, SecondPath
from app.config import ConfigError
from app.frame import ExpressionOutput, FrameResult, FrameTimes
from app.runtime.meters import Span, StageTimes
from app.runtime.pipeline import NetworkChoice
from tests.app.compare.test_agreement import faces
from tests.app.runtime.scripted import WAIT_S, frame

PAIR = Pair("lowbit", "w1a2")


class ScriptedTwin:
    """Answers with the class of the frame's number; `work` is done first."""

    task = "expression"

    def __init__(self, work: Callable[[int], None] = lambda seq: None) -> None:
        self.times, self.in_use = StageTimes(), NetworkChoice("lowbit", "w1a2")
        self._work = work

    def __call__(self, first: FrameResult[Any]) -> ExpressionOutput:
        with self.times.stage(self.task):
            self._work(first.frame.seq)
        return faces(first.frame.seq % 7)


class Delivered:
    """What arrived, in order."""

    def __init__(self) -> None:
        self.results: list[FrameResult[Any]] = []
        self.errors: list[tuple[str, Exception]] = []
        self._came = threading.Condition()

    def take(self, result: FrameResult[Any]) -> None:
        with self._came:
            self.results.append(result)
            self._came.notify_all()

    def fail(self, worker: str, error: Exception) -> None:
        with self._came:
            self.errors.append((worker, error))
            self._came.notify_all()

    def wait(self, is_done: Callable[[], bool]) -> None:
        with self._came:
            assert self._came.wait_for(is_done, WAIT_S)


def first(seq: int, best: int = 0, network_ms: float = 2.0) -> FrameResult[ExpressionOutput]:
    spans = (Span("expression", 0, round(network_ms * 1e6), network_ms / 2),)
    return FrameResult(
        frame(seq), faces(best), {"expression": network_ms}, "cpu", "float", times=FrameTimes(0, 1, spans)
    )


def path_of(
    twin: ScriptedTwin, to: Delivered, is_every_frame: bool, n_dropped: Callable[[], int] = lambda: 0
) -> SecondPath:
    return SecondPath(twin, PAIR, to.take, to.fail, n_dropped, is_every_frame)


def test_every_frame_is_compared_in_order() -> None:
    to = Delivered()
    path = path_of(ScriptedTwin(), to, True)
    for seq in range(20):
        path.offer(first(seq))
    path.close(is_now=False)
    assert [result.frame.seq for result in to.results] == list(range(20))
    pairs = [(result, result.compared) for result in to.results]
    assert all(other is not None and other.frame is result.frame for result, other in pairs)
    whole = path.figures.whole()
    assert (whole.n_frames, whole.n) == (20, 20)
    assert whole.agreement == pytest.approx(3 / 20)
    assert whole.flips == (0, 19)
    assert whole.network_ms[0] == pytest.approx(2.0, rel=0.02)
    assert whole.cpu_ms[0] == pytest.approx(1.0, rel=0.02)


def test_a_slow_twin_does_not_hold_the_first_path() -> None:
    release, is_busy, to = threading.Event(), threading.Event(), Delivered()

    def work(seq: int) -> None:
        is_busy.set()
        assert release.wait(WAIT_S)

    path = path_of(ScriptedTwin(work), to, False)
    path.offer(first(0))
    assert is_busy.wait(WAIT_S)
    time.sleep(second_path.PATIENCE_NS / 1e9 + 0.02)
    path.offer(first(1))
    assert [(r.frame.seq, r.compared) for r in to.results] == [(1, None)]
    release.set()
    to.wait(lambda: len(to.results) == 2)
    path.close()
    assert to.results[1].compared is not None
    assert to.results[1].compared.frame.seq == 0


def test_behind_it_shows_what_was_compared_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_path, "PATIENCE_NS", -1)
    is_slow, to = threading.Event(), Delivered()
    begun = threading.Event()

    def work(seq: int) -> None:
        if seq == 1:
            begun.set()
            assert is_slow.wait(WAIT_S)

    path = path_of(ScriptedTwin(work), to, False)
    path.offer(first(0))
    to.wait(lambda: len(to.results) == 1)
    while path._busy_since_ns:
        time.sleep(0.001)
    path.offer(first(1))
    assert begun.wait(WAIT_S)
    path.offer(first(2))
    shown = to.results[1]
    assert shown.compared is not None
    assert (shown.frame.seq, shown.compared.frame.seq) == (2, 0)
    is_slow.set()
    path.close()


def test_while_the_first_path_drops_frames_the_second_pauses_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    lost, to = [0], Delivered()
    path = path_of(ScriptedTwin(), to, False, lambda: lost[0])
    monkeypatch.setattr(path._is_stopping, "wait", pauses.append)
    for seq, n_dropped in enumerate((1, 2, 3, 3, 3, 3, 3)):
        lost[0] = n_dropped
        path.offer(first(seq))
        to.wait(lambda n=seq + 1: len(to.results) == n)  # type: ignore[misc]
    path.close()
    assert pauses == [0.01, 0.02, 0.04, 0.02, 0.01]


def test_the_worst_frames_are_kept_and_no_more() -> None:
    to = Delivered()
    path = path_of(ScriptedTwin(), to, True)
    for seq in range(70):
        path.offer(first(seq))
    path.close(is_now=False)
    assert [entry.first.frame.seq for entry in path.worst] == [1, 2, 3, 4, 5, 6][:N_WORST]  # class 0 agrees
    assert all(entry.first.frame is entry.second.frame for entry in path.worst)


def test_one_that_pauses_stops_at_once_and_the_next_one_waits_for_it() -> None:
    to, lost, is_busy, release = Delivered(), [0], threading.Event(), threading.Event()

    def work(seq: int) -> None:
        is_busy.set()
        assert release.wait(WAIT_S)

    old = path_of(ScriptedTwin(work), to, False, lambda: lost[0])
    old.offer(first(0))
    assert is_busy.wait(WAIT_S)
    begin_s = time.monotonic()
    old.stop()
    new = SecondPath(ScriptedTwin(), PAIR, to.take, to.fail, lambda: 0, False, old)
    assert time.monotonic() - begin_s < 0.5
    new.offer(first(1))
    time.sleep(0.05)
    assert to.results == []
    release.set()
    to.wait(lambda: len(to.results) == 2)
    assert [result.frame.seq for result in to.results] == [0, 1]
    new.close()


def test_a_twin_that_fails_is_reported_once_and_the_first_path_goes_on() -> None:
    to = Delivered()

    def fail(seq: int) -> None:
        raise RuntimeError("broken")

    path = path_of(ScriptedTwin(fail), to, False)
    path.offer(first(0))
    to.wait(lambda: len(to.errors) == 1)
    path.offer(first(1))
    path.offer(first(2))
    assert [(r.frame.seq, r.compared) for r in to.results] == [(1, None), (2, None)]
    assert [worker for worker, _ in to.errors] == ["compare"]
    path.close()


def test_recent_figures_are_of_the_last_seconds() -> None:
    to = Delivered()
    path = path_of(ScriptedTwin(), to, True)
    path.offer(first(0))
    path.close(is_now=False)
    now_ns = time.monotonic_ns()
    assert path.figures.recent(now_ns).n_frames == 1
    later = path.figures.recent(now_ns + 6_000_000_000)
    assert (later.n_frames, later.agreement, later.value, later.speed_ratio) == (0, None, None, None)
    assert path.figures.whole().n_frames == 1


@pytest.mark.parametrize("text", ["", "cpu", "cpu:", ":int8", "cpu:int4", "tpu:int8", "cpu:int8:x", "cpu int8"])
def test_an_unknown_pair_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected BACKEND:PRECISION with a backend of auto\|cpu"):
        parse_pair(text)


def test_a_pair_is_written_as_it_is_read() -> None:
    assert str(parse_pair("fpga-sim:w1a2")) == "fpga-sim:w1a2"
