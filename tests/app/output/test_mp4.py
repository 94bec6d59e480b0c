# SPDX-License-Identifier: Apache-2.0
"""The fragmented MP4 plays whatever it was cut to, with the times it was given."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.output.mp4 import TIMESCALE, Mp4Writer
from tests.app.sources.films import frame_bgr, index_of

SIZE_WH = (64, 48)
TIMES_S = (0.0, 1 / 30, 0.1, 0.1 + 1 / 90_000, 1.5, 7.25)


def jpeg(index: int) -> bytes:
    is_encoded, found = cv2.imencode(".jpg", frame_bgr(index, SIZE_WH))
    assert is_encoded
    return found.tobytes()


def written(
    times_s: tuple[float, ...] = TIMES_S, is_finished: bool = False, fps: float = 30.0
) -> tuple[bytes, list[int]]:
    """Return the file and its length after the header and after each frame."""
    file = io.BytesIO()
    writer = Mp4Writer(file, SIZE_WH, fps)
    ends = [file.tell()]
    for index, time_s in enumerate(times_s):
        writer.write(jpeg(index), time_s)
        ends.append(file.tell())
    if is_finished:
        writer.finish()
    return file.getvalue(), ends


def decoded(path: Path) -> tuple[list[int], list[float]]:
    """Return the index that each frame tells, and its time in ms."""
    clip = cv2.VideoCapture(str(path))
    indices, times_ms = [], []
    while True:
        is_read, bgr = clip.read()
        if not is_read:
            break
        assert bgr.shape == (SIZE_WH[1], SIZE_WH[0], 3)
        indices.append(index_of(np.asarray(bgr[..., ::-1], np.uint8)))
        times_ms.append(clip.get(cv2.CAP_PROP_POS_MSEC))
    clip.release()
    return indices, times_ms


def boxes(content: bytes) -> list[tuple[bytes, int, int]]:
    """Return kind, start and end of the top boxes."""
    found, at = [], 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        found.append((kind, at, at + size))
        at += size
    return found


def test_boxes_fill_the_file() -> None:
    content, ends = written()
    found = boxes(content)
    assert [kind for kind, _, _ in found] == [b"ftyp", b"moov", *[b"moof", b"mdat"] * len(TIMES_S)]
    assert [end for kind, _, end in found if kind == b"mdat"] == ends[1:]


@pytest.mark.parametrize("n_frames", range(1, len(TIMES_S) + 1))
def test_cut_after_any_frame_plays_up_to_it(tmp_path: Path, n_frames: int) -> None:
    content, ends = written()
    (tmp_path / "cut.mp4").write_bytes(content[: ends[n_frames]])
    indices, _ = decoded(tmp_path / "cut.mp4")
    assert indices == list(range(n_frames))


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
def test_cut_within_a_frame_plays_the_whole_ones(tmp_path: Path, part: float) -> None:
    content, ends = written()
    for n_whole in (1, 3, 5):
        cut = ends[n_whole] + max(1, int(part * (ends[n_whole + 1] - ends[n_whole])))
        (tmp_path / "cut.mp4").write_bytes(content[:cut])
        indices, _ = decoded(tmp_path / "cut.mp4")
        assert indices[:n_whole] == list(range(n_whole))
        assert len(indices) <= n_whole + 1  # a decoder may show what there is of the cut picture


@pytest.mark.parametrize("is_finished", [False, True])
def test_times_are_those_given(tmp_path: Path, is_finished: bool) -> None:
    content, _ = written(is_finished=is_finished)
    (tmp_path / "whole.mp4").write_bytes(content)
    indices, times_ms = decoded(tmp_path / "whole.mp4")
    assert indices == list(range(len(TIMES_S)))
    np.testing.assert_allclose(times_ms, 1000 * np.array(TIMES_S), atol=1000 / TIMESCALE)


def stored_times(content: bytes) -> list[int]:
    """Return the decode time of every fragment, in ticks."""
    found, at = [], content.find(b"tfdt")
    while at >= 0:
        found.append(struct.unpack_from(">Q", content, at + 8)[0])
        at = content.find(b"tfdt", at + 4)
    return found


def test_times_in_the_file_are_exact() -> None:
    content, _ = written()
    assert stored_times(content) == [round(time_s * TIMESCALE) for time_s in TIMES_S]


def test_times_that_do_not_advance_are_moved_on() -> None:
    """A clip that starts anew: the file's own times still rise, by one tick at least."""
    ticks = stored_times(written((0.0, 0.5, 0.5, 0.1, 0.6))[0])
    assert ticks == [0, 45_000, 45_001, 45_002, 54_000]


def test_finish_sets_the_duration(tmp_path: Path) -> None:
    before, _ = written()
    after, _ = written(is_finished=True)
    at = after.find(b"mehd") + 8
    assert struct.unpack_from(">Q", before, at)[0] == 0
    assert struct.unpack_from(">Q", after, at)[0] == round(7.25 * TIMESCALE) + TIMESCALE // 30
    assert len(after) == len(before)
    assert after[:at] + before[at : at + 8] + after[at + 8 :] == before


def test_empty_film_has_a_whole_header() -> None:
    content, (end,) = written(())
    assert [kind for kind, _, _ in boxes(content)] == [b"ftyp", b"moov"]
    assert end == len(content)
