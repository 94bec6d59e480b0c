# SPDX-License-Identifier: Apache-2.0
"""A source of changed pictures keeps time, numbers and truth, and is what the program shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.build import Networks
from app.cli import parse
from app.headless import run_headless
from app.sources.adapted import Adapted, adapted
from app.sources.source import EndOfStream
from app.sources.synthetic import Synthetic
from models.picture_geometry import Fisheye, Geometry, GeometryError


def scene() -> Synthetic:
    return Synthetic(3, (160, 120), pace="max", n_frames=3)


def test_frames_are_turned_and_nothing_else_about_them_changes() -> None:
    plain, turned = scene(), Adapted(scene(), Geometry(90.0))
    assert (turned.name, turned.fps, turned.size_wh) == (plain.name, plain.fps, (120, 160))
    for _ in range(3):
        before, after = plain.read(), turned.read()
        assert (after.seq, after.t_ns) == (before.seq, before.t_ns)
        assert np.array_equal(after.image, np.rot90(before.image, -1))
        assert not after.image.flags.writeable
        assert before.truth is not None
        assert after.truth is not None
        x0, y0, x1, y1 = before.truth.xyxy.T
        wanted = np.stack([120 - y1, x0, 120 - y0, x1], axis=1)  # clockwise: what was below is on the left
        assert after.truth.xyxy == pytest.approx(wanted, abs=1e-3)
        assert after.truth.flow_uv is None
    with pytest.raises(EndOfStream):
        turned.read()
    turned.close()
    turned.close()


def test_boxes_that_are_cut_off_leave_the_truth() -> None:
    plain, cut = scene(), Adapted(scene(), Geometry(0.0, None, (0.0, 0.0, 0.02, 0.02)))
    before, after = plain.read().truth, cut.read().truth
    assert before is not None
    assert after is not None
    assert len(before.track_id) > 0
    assert len(after.track_id) == 0
    bent = Adapted(scene(), Geometry(20.0, Fisheye(0.3))).read().truth
    assert bent is not None
    assert np.isfinite(bent.xyxy).all()


def test_a_plain_geometry_is_no_source_of_its_own() -> None:
    source = scene()
    assert adapted(source, Geometry(360.0)) is source
    assert isinstance(adapted(source, Geometry(1.0)), Adapted)


def test_the_program_turns_what_it_looks_at_and_events_are_of_that(tmp_path: Path) -> None:
    flags = f"--headless --source synthetic:1 --task flow --method dis --pace max --frames 3 --events {tmp_path}/a"
    with Networks() as networks:
        run_headless(parse([*flags.split(), "--rotate", "90", "--roi", "0,0,1,0.5"]), networks, None)
        with pytest.raises(GeometryError, match="--rotate: nan is no turn"):
            run_headless(parse([*flags.split(), "--rotate", "nan"]), networks, None)
    lines = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    assert [line["size"] for line in lines] == [[480, 320]] * 3
