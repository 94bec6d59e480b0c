# SPDX-License-Identifier: Apache-2.0
"""Counts in task `pose`: marks may change between two frames, and the counts of those that stay go on."""

from __future__ import annotations

import numpy as np
import pytest

from app.frame import PoseOutput
from app.motion.lines import Line
from app.motion.zones import Zone, ZoneError
from app.tasks.people_count import PeopleCount
from models.results import Tracks

GATE = Line("gate", ((0.1, 0.5), (0.9, 0.5)))
HALL = Zone("hall", Zone.rectangle(0.2, 0.2, 0.8, 0.8))


def standing(y: float) -> Tracks:
    xyxy = np.array([[300, y - 100, 340, y]], np.float32)
    ones = np.ones(1, np.float32)
    return Tracks(np.ones(1, np.int64), xyxy, np.zeros((1, 2), np.float32), ones, ones, np.zeros(1, np.int32))


def test_marks_hold_from_the_next_frame_on_and_counts_go_on() -> None:
    count = PeopleCount()
    assert count(standing(200), 0, (640, 480)).counts == ()
    count.watch([GATE])
    assert [each.mark for each in count(standing(200), 40_000_000, (640, 480)).counts] == [GATE]
    events = [e for k in range(2, 40) for e in count(standing(160 + 4 * k), k * 40_000_000, (640, 480)).events]
    assert [(e.mark, e.kind) for e in events] == [("gate", "enter")]
    count.watch([GATE, HALL])
    counting = count(standing(320), 40 * 40_000_000, (640, 480))
    assert [each.entries for each in counting.counts] == [1, 0]
    assert count.counts == counting.counts
    with pytest.raises(ZoneError, match="two zones are called 'gate'"):
        count.watch([GATE, GATE])
    count.watch([])
    assert count(standing(320), 41 * 40_000_000, (640, 480)).counts == ()


def test_the_middle_stands_for_who_is_seen_from_above() -> None:
    low = Zone("low", Zone.rectangle(0.0, 0.5, 1.0, 1.0))
    for anchor, inside in (("foot", 1), ("centre", 0)):
        count = PeopleCount("centre" if anchor == "centre" else "foot")
        count.watch([low])
        assert len(count(standing(280), 0, (640, 480)).counts[0].inside) == inside


def test_an_output_without_counts_is_an_empty_one() -> None:
    nobody = standing(100).take(np.zeros(1, bool))
    output = PoseOutput(nobody, np.zeros((0, 17, 3), np.float32), ("x",) * 17)
    assert (output.counting.counts, output.counting.events) == ((), ())
