# SPDX-License-Identifier: Apache-2.0
"""The golden files are what the emulator writes today, cover the machine, and every C kernel reproduces them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from device.lowbit import emulator
from device.lowbit.descriptor import Descriptor, ErrorCode, Op
from device.lowbit.library import CpuLibrary
from tests.device.lowbit import golden
from tests.device.lowbit.illegal import ARENA_BYTES

LEGAL, ILLEGAL = golden.load()
MOST_BYTES = 300_000


def test_files_are_what_the_emulator_writes() -> None:
    for name, content in golden.encoded().items():
        assert (golden.FOLDER / name).read_bytes() == content, f"{name}: run `make golden` and look at the difference"


def test_files_are_small() -> None:
    assert sum(path.stat().st_size for path in golden.FOLDER.iterdir()) < MOST_BYTES


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "golden.bin").write_bytes(b"")
    (tmp_path / "golden.json").write_text('{"format": 2}')
    with pytest.raises(ValueError, match="expected format 1, got 2"):
        golden.load(tmp_path)


def test_records_cover_the_machine() -> None:
    found = [Descriptor.decode(row) for record in LEGAL for row in record.words]
    layers = [d for d in found if d.op == Op.CONV]
    stores = {(d.store, d.raw) for d in layers}
    assert stores == {(0, 0), (1, 0), (2, 0), (0, 1)}
    kinds = {(d.k, d.digits, d.store, d.raw) for d in layers}
    assert kinds == {(k, digits, *store) for k in (1, 3) for digits in (1, 2, 3, 4) for store in stores}
    pads = {(d.pad_top, d.pad_bottom, d.pad_left, d.pad_right) for d in layers if d.k == 3}
    assert len(pads) == 16
    assert {d.w % 4 for d in layers} == {0, 1, 2, 3}
    assert {d.h % 2 for d in layers} == {0, 1}
    assert {d.cb_in for d in layers} >= {1, 2, 3, 4}
    assert {d.cb_out for d in layers} >= {1, 2}
    assert len(found) > len(layers), "a NOP"
    assert {record.code for record in ILLEGAL} == {ErrorCode(code) for code in (1, 3, 4, 5, 6, 7)}


@pytest.mark.parametrize("record", LEGAL, ids=lambda record: record.name)
def test_emulator_reproduces(record: golden.Legal) -> None:
    arena = record.arena.copy()
    assert emulator.run(arena, record.words) == ErrorCode.OK
    assert hashlib.sha256(arena.tobytes()).hexdigest() == record.after


def test_every_kernel_reproduces(kernels: CpuLibrary) -> None:
    for record in LEGAL:
        arena = record.arena.copy()
        assert kernels.run(arena, record.words) == ErrorCode.OK, record.name
        assert hashlib.sha256(arena.tobytes()).hexdigest() == record.after, record.name


def test_every_machine_refuses_what_is_illegal(kernels: CpuLibrary) -> None:
    arena = np.full(ARENA_BYTES, 0xA5, np.uint8)
    for record in ILLEGAL:
        assert emulator.run(arena, record.words) == record.code, record.name
        assert kernels.run(arena, record.words) == record.code, record.name
    assert (arena == 0xA5).all()
