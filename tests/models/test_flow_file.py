# SPDX-License-Identifier: Apache-2.0
"""Flow files: round trips, unknown pixels, and files that are cut off, huge or something else."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.flow_file import FlowFileError, read_flow, write_flow
from models.results import Flow


def random_flow(height: int, width: int, seed: int) -> Flow:
    rng = np.random.default_rng(seed)
    valid = rng.random((height, width)) < 0.8
    uv = rng.normal(0, 20, (height, width, 2)).astype(np.float32)
    return Flow(np.where(valid[..., None], uv, np.float32(0)), valid)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000), st.sampled_from([".flo", ".png"]))
def test_a_field_comes_back(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int, ending: str
) -> None:
    flow, path = random_flow(height, width, seed), tmp_path_factory.mktemp("flow") / f"field{ending}"
    write_flow(path, flow)
    found = read_flow(path)
    assert np.array_equal(found.valid, flow.valid)
    assert np.abs(found.uv - flow.uv).max() <= (0 if ending == ".flo" else 0.5 / 64)


def test_a_flo_file_by_hand(tmp_path: Path) -> None:
    """Two pixels in a row: one to the right and up, one whose motion nobody knows."""
    path = tmp_path / "a.flo"
    path.write_bytes(b"PIEH" + struct.pack("<ii4f", 2, 1, 1.5, -2.0, 1e10, 1e10))
    flow = read_flow(path)
    assert flow.valid.tolist() == [[True, False]]
    assert flow.uv.tolist() == [[[1.5, -2.0], [0.0, 0.0]]]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e9, -3e9])
def test_what_is_no_motion_is_unknown(tmp_path: Path, odd: float) -> None:
    path = tmp_path / "a.flo"
    path.write_bytes(b"PIEH" + struct.pack("<ii4f", 2, 1, 0.0, odd, 3.0, 4.0))
    flow = read_flow(path)
    assert flow.valid.tolist() == [[False, True]]
    assert np.isfinite(flow.uv).all()


def test_kitti_s_own_numbers(tmp_path: Path) -> None:
    """Its PNG holds (u, v) * 64 + 2^15 and a flag, red first."""
    path = tmp_path / "a.png"
    rgb = np.array([[[32768 + 64, 32768 - 128, 1], [0, 0, 0]]], np.uint16)
    cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))
    flow = read_flow(path)
    assert flow.uv[0, 0].tolist() == [1.0, -2.0]
    assert flow.valid.tolist() == [[True, False]]


def test_kitti_clips_what_it_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_flow(path, Flow(np.full((1, 1, 2), 9000, np.float32), np.ones((1, 1), bool)))
    assert read_flow(path).uv[0, 0].tolist() == [(65535 - 32768) / 64] * 2


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "ends after 0 bytes"),
        (b"PIEH\x01\x00", "ends after 6 bytes"),
        (b"JPEG" + bytes(40), "expected the tag"),
        (struct.pack("<fii", 202021.25, 2, 2) + bytes(31), "expected 44 bytes"),
        (struct.pack("<fii", 202021.25, 2, 2) + bytes(33), "expected 44 bytes"),
        (struct.pack("<fii", 202021.25, 0, 2), "size of 1"),
        (struct.pack("<fii", 202021.25, -1, 2), "size of 1"),
        (struct.pack("<fii", 202021.25, 1 << 30, 1 << 30), "size of 1"),
    ],
)
def test_broken_flo_files_are_refused(tmp_path: Path, octets: bytes, said: str) -> None:
    path = tmp_path / "a.flo"
    path.write_bytes(octets)
    with pytest.raises(FlowFileError, match=said):
        read_flow(path)


def test_other_pictures_are_no_kitti_flow(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(FlowFileError, match="16-bit"):
        read_flow(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(FlowFileError, match="16-bit"):
        read_flow(path)
    path.write_bytes(b"")
    with pytest.raises(FlowFileError, match="16-bit"):
        read_flow(path)
    with pytest.raises(FlowFileError, match="cannot be read"):
        read_flow(tmp_path / "missing.flo")
