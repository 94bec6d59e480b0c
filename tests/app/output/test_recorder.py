# SPDX-License-Identifier: Apache-2.0
"""Recording: nothing waits for the encoder, and what is on disk plays whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.frame import FrameResult
from app.output import queued_file
from app.output.events import open_events
from app.output.queued_file import OutputError, QueuedFile
from app.output.recorder import QUEUE, open_recorder
from models.results import Image
from tests.app.output.files import WAIT_S, Reports, levels, plain, result

ROOT = Path(__file__).parents[3]


def record(path: Path, results: list[FrameResult[Any]], reports: Reports) -> QueuedFile:
    recorder = open_recorder(path, 30.0, plain, True, reports)
    for one in results:
        recorder.write(one)
    recorder.close()
    return recorder


def test_lossless_keeps_every_frame_with_its_time(tmp_path: Path) -> None:
    reports = Reports()
    recorder = record(tmp_path / "deep/er/out.mp4", [result(seq) for seq in range(25)], reports)
    assert (recorder.n_written, recorder.dropped, reports.errors) == (25, 0, [])
    assert levels(recorder.path) == list(range(25))
    clip = cv2.VideoCapture(str(recorder.path))
    assert clip.get(cv2.CAP_PROP_FPS) == pytest.approx(30.0, rel=0.01)
    clip.release()


class Gate:
    """An annotate that waits until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self, result: FrameResult[Any]) -> Image:
        self.entered.set()
        assert self.opened.wait(WAIT_S)
        return result.frame.image


def test_full_queue_drops_and_counts(tmp_path: Path) -> None:
    gate, reports = Gate(), Reports()
    recorder = open_recorder(tmp_path / "out.mp4", 30.0, gate, False, reports)
    recorder.write(result(0))
    assert gate.entered.wait(WAIT_S)
    for seq in range(1, 21):  # nothing waits here, though the encoder is held
        recorder.write(result(seq))
    assert recorder.dropped == 20 - QUEUE
    gate.opened.set()
    recorder.close()
    assert levels(recorder.path) == list(range(1 + QUEUE))
    assert reports.errors == []


def test_lossless_waits_for_the_encoder(tmp_path: Path) -> None:
    gate, reports = Gate(), Reports()
    recorder = open_recorder(tmp_path / "out.mp4", 30.0, gate, True, reports)

    def write() -> None:
        for seq in range(20):
            recorder.write(result(seq))

    writer = threading.Thread(target=write)
    writer.start()
    assert gate.entered.wait(WAIT_S)
    writer.join(0.05)
    assert writer.is_alive()
    gate.opened.set()
    writer.join(WAIT_S)
    recorder.close()
    assert (recorder.n_written, recorder.dropped) == (20, 0)


def test_another_size_is_scaled_to_the_first(tmp_path: Path) -> None:
    results = [result(seq, size_wh=(64, 48) if seq < 3 else (128, 40)) for seq in range(6)]
    recorder = record(tmp_path / "out.mp4", results, Reports())
    assert levels(recorder.path) == list(range(6))
    clip = cv2.VideoCapture(str(recorder.path))
    assert (clip.get(cv2.CAP_PROP_FRAME_WIDTH), clip.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (64, 48)
    clip.release()


def test_colours_stay(tmp_path: Path) -> None:
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 0] = 200
    recorder = open_recorder(tmp_path / "out.mp4", 0.0, lambda result: red, True, Reports())
    recorder.write(result(0))
    recorder.close()
    is_read, bgr = cv2.VideoCapture(str(recorder.path)).read()
    assert is_read
    np.testing.assert_allclose(np.asarray(bgr).mean(axis=(0, 1)), [0, 0, 200], atol=3)


def test_close_twice_and_write_after_close(tmp_path: Path) -> None:
    reports = Reports()
    recorder = record(tmp_path / "out.mp4", [result(0)], reports)
    before = recorder.path.read_bytes()
    recorder.write(result(1))
    recorder.close()
    assert recorder.path.read_bytes() == before
    assert (recorder.n_written, reports.errors) == (1, [])


@pytest.mark.parametrize("folder", ["/dev/null", "/proc"])
def test_unwritable_place_is_one_sentence(folder: str) -> None:
    path = Path(folder) / "deep/out.mp4"
    with pytest.raises(OutputError, match=rf"recorder: cannot write {path}: .*; choose another place"):
        open_recorder(path, 30.0, plain, True, Reports())


def test_folder_in_the_place_of_the_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=rf"events: cannot write {tmp_path}: Is a directory"):
        open_events(tmp_path, True, Reports())


@pytest.mark.parametrize("opened", ["video", "events"])
def test_full_disk_is_reported_once_in_one_sentence(opened: str) -> None:
    reports, full = Reports(), Path("/dev/full")
    file = open_recorder(full, 30.0, plain, False, reports) if opened == "video" else open_events(full, False, reports)
    file.write(result(0))
    assert reports.came.wait(WAIT_S)
    for seq in range(1, 20):  # the run goes on without it
        file.write(result(seq))
    file.close()
    file.close()
    ((_, error),) = reports.errors
    assert isinstance(error, OutputError)
    assert str(error).startswith("/dev/full ends after 0 frames: No space left on device; what was written is kept")
    assert file.n_written == 0


DISK_OF_20_KB = """
import resource, sys
from pathlib import Path
from app.output.events import open_events
from app.output.recorder import open_recorder
from tests.app.output.files import WAIT_S, Reports, plain, result
resource.setrlimit(resource.RLIMIT_FSIZE, (20_001, 20_001))
reports = Reports()
path = Path(sys.argv[1])
is_video = path.suffix == ".mp4"
file = open_recorder(path, 30.0, plain, True, reports) if is_video else open_events(path, True, reports)
for seq in range(400):
    file.write(result(seq))
assert reports.came.wait(WAIT_S)
file.close()
print(file.n_written)
print(*[error for _, error in reports.errors], sep="\\n")
"""


def run_python(script: str, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def test_video_on_a_disk_that_fills_up_ends_with_a_whole_frame(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    n_written, *errors = run_python(DISK_OF_20_KB, str(path))
    assert len(errors) == 1
    assert f"ends after {n_written} frames" in errors[0]
    assert int(n_written) > 3
    assert levels(path) == [seq % 28 for seq in range(int(n_written))]


def test_events_on_a_disk_that_fills_up_end_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    n_written, *errors = run_python(DISK_OF_20_KB, str(path))
    assert len(errors) == 1
    text = path.read_text()
    assert text.endswith("\n")
    assert [json.loads(line)["seq"] for line in text.splitlines()] == list(range(int(n_written)))
    assert int(n_written) > 3


def test_bug_in_the_drawing_is_reported_and_the_file_plays(tmp_path: Path) -> None:
    def draw(result: FrameResult[Any]) -> Image:
        if result.frame.seq == 3:
            raise ZeroDivisionError
        return result.frame.image

    reports = Reports()
    recorder = open_recorder(tmp_path / "out.mp4", 30.0, draw, True, reports)
    for seq in range(10):
        recorder.write(result(seq))
    recorder.close()
    assert [(name, type(error)) for name, error in reports.errors] == [("recorder", ZeroDivisionError)]
    assert levels(recorder.path) == [0, 1, 2]


def test_encoder_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queued_file, "CLOSE_TIMEOUT_S", 0.1)
    gate = Gate()
    recorder = open_recorder(tmp_path / "out.mp4", 30.0, gate, False, Reports())
    recorder.write(result(0))
    assert gate.entered.wait(WAIT_S)
    with pytest.raises(OutputError, match=r"out\.mp4 was not finished within"):
        recorder.close()
    gate.opened.set()
    recorder.close()
    assert levels(recorder.path) == [0]


RECORD_FOR_EVER = """
import itertools, sys, time
from pathlib import Path
from app.output.events import open_events
from app.output.recorder import open_recorder
from tests.app.output.files import Reports, plain, result
video = open_recorder(Path(sys.argv[1]), 30.0, plain, True, Reports())
events = open_events(Path(sys.argv[2]), True, Reports())
for seq in itertools.count():
    video.write(result(seq))
    events.write(result(seq))
    time.sleep(0.001)
"""


def test_killed_program_leaves_a_video_that_plays_and_whole_lines(tmp_path: Path) -> None:
    video, events = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    with subprocess.Popen([sys.executable, "-c", RECORD_FOR_EVER, str(video), str(events)], cwd=ROOT) as process:
        end = time.monotonic() + 30
        while not (video.exists() and events.exists() and video.stat().st_size > 30_000):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
        process.kill()
        process.wait(WAIT_S)
    assert process.returncode == -9
    found = levels(video)
    assert len(found) > 5
    assert found[:-1] == [seq % 28 for seq in range(len(found) - 1)]  # the last one may have been cut
    text = events.read_text()
    assert text.endswith("\n")
    lines = [json.loads(line)["seq"] for line in text.splitlines()]
    assert lines == list(range(len(lines)))
    assert len(lines) > 5
