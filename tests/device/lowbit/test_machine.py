# SPDX-License-Identifier: Apache-2.0
"""EDGE_LOWBIT chooses what runs low-bit programs; the emulator runs only where it was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device.errors import BackendUnavailable
from device.lowbit import machine
from device.lowbit.descriptor import Descriptor, ErrorCode
from device.lowbit.layout import tensor_bytes
from device.lowbit.library import CpuLibrary, Level
from device.lowbit.machine import LEVELS, Emulator, Kernels, SharedLibrary, open_machine
from tests.device.lowbit.cases import make_case

ROOT = Path(__file__).parents[3]


@pytest.fixture
def built(library: CpuLibrary, monkeypatch: pytest.MonkeyPatch) -> Iterator[CpuLibrary]:
    """The kernels of the test run in the place of those of the user's cache, and no choice in the environment."""
    monkeypatch.delenv("EDGE_LOWBIT", raising=False)
    shared = SharedLibrary()
    shared._library = library
    monkeypatch.setattr(machine, "SHARED", shared)
    yield library
    library.force(Level.AUTO)


def test_without_a_choice_the_fastest_kernels_run(built: CpuLibrary) -> None:
    for choice in (None, "auto"):
        assert open_machine(choice).name == f"{machine.SHOWN[built.levels()[-1]]} kernels"


def test_the_environment_chooses(built: CpuLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_LOWBIT", "plain")
    assert open_machine().name == "plain C kernels"
    monkeypatch.setenv("EDGE_LOWBIT", "emulator")
    assert isinstance(open_machine(), Emulator)
    assert isinstance(open_machine("plain"), Kernels)
    monkeypatch.setenv("EDGE_LOWBIT", "")
    assert isinstance(open_machine(), Kernels)


def test_unknown_choice_names_the_known_ones() -> None:
    with pytest.raises(BackendUnavailable, match=r"EDGE_LOWBIT=sse: expected auto, avx512, .*plain, emulator; set one"):
        open_machine("sse")


def test_kernels_this_cpu_lacks_are_refused(built: CpuLibrary) -> None:
    missing = [name for name, level in LEVELS.items() if level not in (Level.AUTO, *built.levels())]
    assert missing
    for name in missing:
        with pytest.raises(BackendUnavailable, match=rf"EDGE_LOWBIT={name}: this CPU does not have .* it has .*plain"):
            open_machine(name)


def test_each_machine_keeps_its_level(built: CpuLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    forced: list[Level] = []
    force = built.force

    def watched(level: Level) -> Level | None:
        forced.append(level)
        return force(level)

    monkeypatch.setattr(built, "force", watched)
    case = make_case(np.random.default_rng(0), Descriptor(w=3, h=2, cb_in=1, cb_out=1, digits=1, k=1))
    levels = [Level.PLAIN, built.levels()[-1]]
    forced.clear()
    runs = [Kernels(built, level).runner(case.arena, case.words) for level in levels]
    for run in (*runs, *runs):
        assert run() == ErrorCode.OK
    assert forced == levels * 2


def test_emulator_gives_the_bytes_of_the_kernels(built: CpuLibrary) -> None:
    values = np.random.default_rng(1).integers(0, 16, (40, 3, 5)).astype(np.uint8)
    targets = [np.zeros(tensor_bytes(values.shape, 2), np.uint8) for _ in range(2)]
    cases = [make_case(np.random.default_rng(2), Descriptor(w=5, h=4, cb_in=2, cb_out=1, digits=2, k=3)) for _ in "ab"]
    for one, target, case in zip((Emulator(), open_machine()), targets, cases, strict=True):
        one.packer((40, 3, 5), 2, target)(values)
        assert one.runner(case.arena, case.words)() == ErrorCode.OK
    assert np.array_equal(targets[0], targets[1])
    assert np.array_equal(cases[0].arena, cases[1].arena)
    with pytest.raises(ValueError, match=r"values: expected 0\.\.3, got 0\.\.15"):
        Emulator().packer((40, 3, 5), 1, targets[0])(values)


def test_failure_to_build_is_tried_again(library: CpuLibrary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "SHARED", SharedLibrary())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setenv("CC", "no-such-compiler")
        with pytest.raises(BackendUnavailable, match=r"no-such-compiler cannot be .* or set EDGE_LOWBIT=emulator"):
            open_machine("auto")
    monkeypatch.setenv("XDG_CACHE_HOME", str(library.path.parents[1]))
    assert isinstance(open_machine("auto"), Kernels)


def test_building_in_a_thread_lets_the_others_go_on(monkeypatch: pytest.MonkeyPatch, built: CpuLibrary) -> None:
    shared, finish = SharedLibrary(), threading.Event()
    monkeypatch.setattr(machine, "SHARED", shared)

    def build_slowly() -> CpuLibrary:
        assert finish.wait(10)
        return built

    monkeypatch.setattr(machine, "open_library", build_slowly)
    shared.prepare()
    with pytest.raises(BackendUnavailable, match="the low-bit kernels are being built; try again in a few seconds"):
        open_machine(wait=False)
    assert isinstance(open_machine("emulator", wait=False), Emulator)
    [thread] = [thread for thread in threading.enumerate() if thread.name == "kernels"]
    finish.set()
    assert isinstance(open_machine(), Kernels)
    thread.join(10)
    assert isinstance(open_machine(wait=False), Kernels)
    shared.prepare()  # they are here: no thread
    assert "kernels" not in {thread.name for thread in threading.enumerate()}


def test_failure_in_the_thread_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> CpuLibrary:
        raise BackendUnavailable("no compiler here")

    monkeypatch.setattr(machine, "open_library", fail)
    with caplog.at_level("INFO"):
        SharedLibrary().prepare()
        for thread in [thread for thread in threading.enumerate() if thread.name == "kernels"]:
            thread.join(10)
    assert "no compiler here" in caplog.text


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = [sys.executable, "-m", "device.lowbit.machine"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_setup_builds_the_kernels_or_says_why_not(library: CpuLibrary, tmp_path: Path) -> None:
    done = start(EDGE_LOWBIT="plain", XDG_CACHE_HOME=str(library.path.parents[1]))
    assert (done.returncode, done.stdout) == (0, "low-bit networks run on the plain C kernels\n")
    refused = start(CC="no-such-compiler", XDG_CACHE_HOME=str(tmp_path))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("the low-bit kernels need a C compiler")
    assert len(refused.stderr.splitlines()) == 1
