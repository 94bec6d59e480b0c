# SPDX-License-Identifier: Apache-2.0
"""The speed measurement returns plausible rows; how fast is not asserted."""

from __future__ import annotations

import numpy as np
import pytest

from app.bench.association import measure_association, synthetic_scene
from app.tracking.sort import Sort


def test_rows() -> None:
    pytest.importorskip("filterpy")
    rows = measure_association(n_frames=20, peer=True)
    assert [row["objects"] for row in rows] == [10, 50, 200]
    for row in rows:
        assert 0.0 < row["hz_p5"] <= row["hz_median"]
        assert row["ratio_vs_peer"] == pytest.approx(row["hz_median"] / row["peer_hz_median"])


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="n_frames"):
        measure_association(n_frames=10)


def test_scene_keeps_the_tracker_busy() -> None:
    scene = synthetic_scene(50, 40)
    assert 40.0 < np.mean([len(found) for found in scene]) < 50.0
    tracker = Sort()
    tracks = [tracker.update(found, frame * 33_333_333) for frame, found in enumerate(scene)]
    assert np.mean([len(frame) for frame in tracks[10:]]) > 35.0
