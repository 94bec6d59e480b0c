# SPDX-License-Identifier: Apache-2.0
"""The view counts what is really shown, and paints whatever comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.runtime.latest import Closed
from app.ui.hud import Numbers, cells, footnote
from app.ui.signals import ProgramSignals
from app.ui.view import VideoView
from tests.app.ui.fakes import result


@pytest.fixture
def signals() -> ProgramSignals:
    return ProgramSignals()


@pytest.fixture
def view(qtbot: QtBot, signals: ProgramSignals) -> Iterator[VideoView]:
    view = VideoView()
    qtbot.addWidget(view)
    view.resize(480, 360)
    view.follow(signals)
    view.show()
    yield view
    signals.silence()


def brightness(image: QImage) -> float:
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    return float(np.frombuffer(grey.constBits(), np.uint8).mean())


def test_counts_distinct_frames_and_not_repaints(qtbot: QtBot, view: VideoView, signals: ProgramSignals) -> None:
    for seq in range(5):
        signals.listeners().on_result(result(seq=seq))
        qtbot.waitUntil(partial(lambda wanted: wanted in view.meters.recent_seq, seq))
        for _ in range(3):
            view.repaint()
    assert list(view.meters.recent_seq) == [0, 1, 2, 3, 4]
    assert view.shown().n_painted == 5


def test_display_rate_is_that_of_new_frames(qtbot: QtBot, view: VideoView, signals: ProgramSignals) -> None:
    start = time.monotonic()
    for seq in range(20):
        signals.listeners().on_result(result(seq=seq))
        qtbot.wait(25)
        view.repaint()
    expected_hz = 19 / (time.monotonic() - start)
    assert view.meters.rate.hz(time.monotonic_ns()) == pytest.approx(expected_hz, rel=0.25)


def test_shows_the_newest_of_several_results(qtbot: QtBot, view: VideoView, signals: ProgramSignals) -> None:
    for seq in range(4):
        signals.listeners().on_result(result(seq=seq))
    qtbot.waitUntil(lambda: view.meters.painted > 0)
    assert list(view.meters.recent_seq) == [3]
    assert signals.results.dropped == 3


def test_latency_is_paint_time_minus_capture_time(qtbot: QtBot, view: VideoView, signals: ProgramSignals) -> None:
    signals.listeners().on_result(result(captured_ns=time.monotonic_ns() - 80_000_000))
    qtbot.waitUntil(lambda: view.meters.painted == 1)
    assert 79 <= view.meters.age_ms.at(50)[0] < 400
    qtbot.waitUntil(lambda: view.numbers.age_ms is not None)
    assert 79 <= (view.numbers.age_ms or 0) < 400


def test_no_number_is_older_than_a_second(qtbot: QtBot, view: VideoView, signals: ProgramSignals) -> None:
    signals.listeners().on_result(result())
    qtbot.waitUntil(lambda: view.numbers.age_ms is not None)
    qtbot.wait(1500)
    assert view.numbers.age_ms is None
    assert view.numbers.display_hz == 0
    assert view.numbers.stage_ms == {}
    assert view.numbers.backend == ""


def test_numbers_come_in_their_order() -> None:
    numbers = Numbers(30.0, 29.0, 31.0, 12.4, 7, "cpu", "int8", ("/models/expression_int8.tflite",), {"detect": 3.25})
    captions = [cell.caption for cell in cells(numbers)]
    assert captions == ["effective FPS", "inference FPS", "capture FPS", "picture age", "dropped", "network"]
    assert [cell.value for cell in cells(numbers)] == ["30.0", "29.0", "31.0", "12 ms", "7", "CPU · int8"]
    assert footnote(numbers) == ["detect 3.2 ms", "expression_int8.tflite", "numbers over the last 1 s"]


def test_nothing_arrives_after_silence(qtbot: QtBot, signals: ProgramSignals) -> None:
    heard: list[str] = []
    signals.failed.connect(lambda _worker, sentence: heard.append(sentence))
    signals.listeners().on_error("capture", ValueError("late"))
    signals.silence()
    qtbot.wait(50)
    assert heard == []
    with pytest.raises(Closed):
        signals.listeners().on_result(result())


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 900), (640, 480), (5000, 4000)])
@pytest.mark.parametrize("n", [0, 1, 50])
def test_paints_any_size_and_number_of_faces(
    qtbot: QtBot, view: VideoView, signals: ProgramSignals, n: int, size_wh: tuple[int, int]
) -> None:
    signals.listeners().on_result(result(n, size_wh))
    qtbot.waitUntil(lambda: view.meters.painted == 1)
    shown = view.grab().toImage()
    assert brightness(shown) > 5
    snapshot = view.snapshot()
    assert snapshot is not None
    assert snapshot.width() >= 1


def test_dims_the_last_picture_while_the_source_is_lost(qtbot: QtBot, view: VideoView, signals: ProgramSignals) -> None:
    signals.listeners().on_result(result(0))
    qtbot.waitUntil(lambda: view.meters.painted == 1)
    bright = brightness(view.grab().toImage())
    view.set_lost(True)
    assert brightness(view.grab().toImage()) < bright * 0.7
    view.set_lost(False)
    assert brightness(view.grab().toImage()) == pytest.approx(bright, rel=0.02)


def test_mirror_swaps_the_picture_but_not_the_snapshot(qtbot: QtBot, view: VideoView, signals: ProgramSignals) -> None:
    half = result(0, (320, 240))
    half.frame.image.flags.writeable = True
    half.frame.image[:, :160] = 0
    half.frame.image.flags.writeable = False
    signals.listeners().on_result(half)
    qtbot.waitUntil(lambda: view.meters.painted == 1)

    def left_and_right(image: QImage) -> tuple[int, int]:
        row = image.height() * 3 // 4
        return image.pixelColor(image.width() // 4, row).red(), image.pixelColor(image.width() * 3 // 4, row).red()

    assert left_and_right(view.grab().toImage()) == (0, 90)
    view.set_mirrored(True)
    assert left_and_right(view.grab().toImage()) == (90, 0)
    snapshot = view.snapshot()
    assert snapshot is not None
    assert left_and_right(snapshot) == (0, 90)
