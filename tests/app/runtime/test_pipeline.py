# SPDX-License-Identifier: Apache-2.0
"""Capture and inference together: what is delivered, what is told, and that the threads end."""

from __future__ import annotations

import threading
import time

import pytest

from app.frame import Frame
from app.runtime.pipeline import Pipeline
from app.sources.pace import Pace
from app.sources.source import EndOfStream, SourceError, SourceLost
from tests.app.runtime.scripted import WAIT_S, Memory, ScriptedSource, ScriptedTask, StuckSource, wait_until

EACH_PACE = pytest.mark.parametrize("pace", ["realtime", "max"])


def fail_at(seq: int, error: Exception) -> ScriptedTask:
    def work(frame: Frame) -> None:
        if frame.seq == seq:
            raise error

    return ScriptedTask(work)


@EACH_PACE
def test_start_and_stop_leave_no_thread(pace: Pace) -> None:
    before = set(threading.enumerate())
    for _ in range(20):
        memory = Memory()
        pipeline = Pipeline(ScriptedSource(), ScriptedTask(), memory.listeners(), pace)
        pipeline.start()
        assert memory.got_result.wait(WAIT_S)
        pipeline.stop(WAIT_S)
        assert set(threading.enumerate()) == before
        assert (memory.errors, memory.n_ends) == ([], 1)


def test_stop_without_start_is_at_once() -> None:
    memory = Memory()
    Pipeline(ScriptedSource(), ScriptedTask(), memory.listeners()).stop(0.0)
    assert memory.results == []


def test_nothing_is_delivered_after_stop() -> None:
    memory = Memory()
    pipeline = Pipeline(ScriptedSource(), ScriptedTask(), memory.listeners())
    pipeline.start()
    assert memory.got_result.wait(WAIT_S)
    pipeline.stop(WAIT_S)
    n_results = len(memory.results)
    time.sleep(0.03)
    assert len(memory.results) == n_results == memory.at_end[0]


def test_results_carry_their_frame_and_how_they_came_to_be() -> None:
    memory = Memory()
    pipeline = Pipeline(ScriptedSource({3: EndOfStream()}), ScriptedTask(), memory.listeners(), "max")
    pipeline.start()
    assert memory.ended.wait(WAIT_S)
    pipeline.stop(WAIT_S)
    assert [(r.frame.seq, r.output) for r in memory.results] == [(0, 0), (1, 1), (2, 2)]
    for result in memory.results:
        assert (result.backend, result.precision, result.models) == ("cpu", "float", {"net": "net.tflite"})
        assert list(result.stage_ms) == ["work"]
        assert not result.frame.image.flags.writeable
    assert set(pipeline.meters.stage_ms) == {"capture", "work"}
    assert [len(ms) for ms in pipeline.meters.stage_ms.values()] == [3, 3]
    assert len(pipeline.meters.latency_ms) == 3


@EACH_PACE
def test_source_error_is_reported_once_and_ends(pace: Pace) -> None:
    memory, error = Memory(), SourceError("the camera broke")
    pipeline = Pipeline(ScriptedSource({5: error}), ScriptedTask(), memory.listeners(), pace)
    pipeline.start()
    assert memory.ended.wait(WAIT_S)
    pipeline.stop(WAIT_S)
    assert memory.errors == [("capture", error)]
    assert memory.n_ends == 1
    assert memory.losses == []
    assert memory.results[-1].frame.seq == 4  # what was captured before is still delivered


@EACH_PACE
def test_task_error_is_reported_once_and_frees_capture(pace: Pace) -> None:
    memory, error = Memory(), ValueError("a bug")
    source = ScriptedSource()
    pipeline = Pipeline(source, fail_at(0, error), memory.listeners(), pace)
    pipeline.start()
    assert memory.ended.wait(WAIT_S)
    assert wait_until(lambda: not any(thread.name == "capture" for thread in threading.enumerate()))
    pipeline.stop(WAIT_S)
    assert memory.errors == [("inference", error)]
    assert (memory.results, memory.n_ends) == ([], 1)


def test_end_of_stream_delivers_every_frame_then_ends() -> None:
    memory = Memory()
    slow = ScriptedTask(lambda frame: time.sleep(0.002))
    pipeline = Pipeline(ScriptedSource({40: EndOfStream()}, period_s=0.0), slow, memory.listeners(), "max")
    pipeline.start()
    assert memory.ended.wait(WAIT_S)
    assert memory.at_end == [40]
    pipeline.stop(WAIT_S)
    assert [result.frame.seq for result in memory.results] == list(range(40))
    assert (pipeline.meters.captured, pipeline.meters.processed, pipeline.dropped) == (40, 40, 0)


def test_realtime_drops_old_frames_and_counts_them() -> None:
    memory = Memory()
    slow = ScriptedTask(lambda frame: time.sleep(0.02))
    pipeline = Pipeline(ScriptedSource({100: EndOfStream()}), slow, memory.listeners(), "realtime")
    pipeline.start()
    assert memory.ended.wait(WAIT_S)
    pipeline.stop(WAIT_S)
    seqs = [result.frame.seq for result in memory.results]
    assert seqs == sorted(set(seqs))
    assert seqs[-1] == 99  # the newest one wins
    assert pipeline.dropped > 0
    assert len(seqs) + pipeline.dropped == pipeline.meters.captured == 100


def test_lost_source_goes_on_and_tells_its_return() -> None:
    memory = Memory()
    lost = {3: SourceLost("unplugged"), 4: SourceLost("still away"), 9: EndOfStream()}
    pipeline = Pipeline(ScriptedSource(lost), ScriptedTask(), memory.listeners(), "max")
    pipeline.start()
    assert memory.ended.wait(WAIT_S)
    pipeline.stop(WAIT_S)
    assert memory.losses == ["unplugged", "still away", None]
    assert memory.errors == []
    assert [result.frame.seq for result in memory.results] == list(range(7))


def test_pause_holds_the_source() -> None:
    memory, source = Memory(), ScriptedSource()
    pipeline = Pipeline(source, ScriptedTask(), memory.listeners(), "max")
    pipeline.pause(True)
    pipeline.start()
    time.sleep(0.12)
    assert source.n_reads == 0
    pipeline.pause(False)
    assert memory.got_result.wait(WAIT_S)
    pipeline.pause(True)
    assert wait_until(lambda: len(memory.results) == source.n_frames)  # the frame in flight is still processed
    time.sleep(0.12)
    n_frames = source.n_frames
    time.sleep(0.05)
    assert source.n_frames == n_frames
    pipeline.stop(WAIT_S)
    assert memory.n_ends == 1


@EACH_PACE
@pytest.mark.parametrize("n_frames", [1, 7])
def test_max_frames_counts_captures(pace: Pace, n_frames: int) -> None:
    memory, source = Memory(), ScriptedSource({2: SourceLost("away")})
    pipeline = Pipeline(source, ScriptedTask(), memory.listeners(), pace, n_frames)
    pipeline.start()
    assert memory.ended.wait(WAIT_S)
    pipeline.stop(WAIT_S)
    assert source.n_frames == pipeline.meters.captured == n_frames
    assert pipeline.meters.processed + pipeline.dropped == n_frames
    assert memory.results[-1].frame.seq == n_frames - 1


def test_stuck_source_is_named_in_time() -> None:
    memory, source = Memory(), StuckSource()
    pipeline = Pipeline(source, ScriptedTask(), memory.listeners())
    pipeline.start()
    assert source.is_reading.wait(WAIT_S)
    began_s = time.monotonic()
    with pytest.raises(TimeoutError, match="thread 'capture' did not stop"):
        pipeline.stop(0.1)
    assert time.monotonic() - began_s < WAIT_S / 2
    assert memory.ended.wait(WAIT_S)  # inference ends all the same
    source.release.set()
    pipeline.stop(WAIT_S)
    assert memory.n_ends == 1


def test_stuck_task_is_named_in_time() -> None:
    memory, release = Memory(), threading.Event()
    is_working = threading.Event()

    def work(frame: Frame) -> None:
        is_working.set()
        release.wait(WAIT_S)

    pipeline = Pipeline(ScriptedSource(), ScriptedTask(work), memory.listeners())
    pipeline.start()
    assert is_working.wait(WAIT_S)
    with pytest.raises(TimeoutError, match="thread 'inference' did not stop"):
        pipeline.stop(0.1)
    release.set()
    pipeline.stop(WAIT_S)
    assert memory.n_ends == 1
