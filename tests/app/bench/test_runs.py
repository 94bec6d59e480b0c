# SPDX-License-Identifier: Apache-2.0
"""Runs of whole programs: the figures of one, and commands that fail or hang."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.bench import runs
from app.bench.runs import BenchError, run_program, timed
from models.fetch import DEMO_CLIP, fetched


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.mark.parametrize("is_drawn", [False, True])
def test_figures_of_a_run(is_drawn: bool) -> None:
    found = run_program(fetched(DEMO_CLIP), ["--precision", "int8", "--backend", "cpu"], is_drawn, 30)
    assert found.frames == 30
    assert found.size == DEMO_CLIP
    assert 1 < found.fps < 10_000
    assert 1 < found.cpu_ms < 1_000  # per frame; the start of the program counts too
    assert 50 < found.rss_mb < 1_000
    assert {"capture", "detect", "track", "expression"} <= set(found.stage_ms)


def test_program_that_fails_is_told_with_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"failed: no file at .*nothing\.mp4"):
        run_program(tmp_path / "nothing.mp4", ["--precision", "float"], False, 5)


def test_command_that_fails() -> None:
    with pytest.raises(BenchError, match=r"failed: it broke$"):
        timed([sys.executable, "-c", "import sys; print('first', file=sys.stderr); sys.exit('it broke')"])
    with pytest.raises(BenchError, match="failed: no reason"):
        timed([sys.executable, "-c", "raise SystemExit(3)"])


def test_command_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "TIMEOUT_S", 0.3)
    with pytest.raises(BenchError, match=r"did not end within 0\.3 s"):
        timed([sys.executable, "-c", "import time; time.sleep(60)"])


def test_processor_time_is_that_of_the_command() -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    assert timed([sys.executable, "-c", busy]) == pytest.approx(0.5, abs=0.2)
    assert timed([sys.executable, "-c", "import time; time.sleep(0.5)"]) < 0.3
