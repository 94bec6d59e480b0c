# SPDX-License-Identifier: Apache-2.0
"""The end of a program: every output is finalised, whatever the others do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.build import Networks, Program
from app.config import Settings
from app.frame import FrameResult
from app.output import queued_file
from app.output.queued_file import OutputError
from models.fetch import FetchError
from models.results import Image
from tests.app.runtime.scripted import WAIT_S, Memory


@pytest.fixture
def networks() -> Iterator[Networks]:
    with Networks() as found:
        yield found


def test_recorder_that_hangs_does_not_cost_the_events(
    tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued_file, "CLOSE_TIMEOUT_S", 0.2)
    release, is_drawing = threading.Event(), threading.Event()

    def draw(result: FrameResult[Any]) -> Image:
        is_drawing.set()
        release.wait(WAIT_S)
        return result.frame.image

    memory = Memory()
    try:
        program = Program(Settings(source="synthetic", pace="max"), networks, memory.listeners(), draw, max_frames=5)
    except FetchError as error:
        pytest.skip(str(error))
    program.record(tmp_path / "out.mp4")
    program.write_events(tmp_path / "out.jsonl")
    recorder = program.recorder
    program.start()
    assert memory.ended.wait(WAIT_S)
    assert is_drawing.wait(WAIT_S)
    with pytest.raises(OutputError, match=r"out\.mp4 was not finished within"):
        program.close()
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(5))
    assert program.events is not None
    assert program.events._file.closed
    release.set()
    assert recorder is not None
    recorder.close()
    assert recorder.n_written == 5
