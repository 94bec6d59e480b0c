# SPDX-License-Identifier: Apache-2.0
"""Finding the accelerator in a made-up root folder: sysfs, device tree, command line; a sentence for each miss."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.errors import BackendUnavailable
from device.fpga import regs
from device.fpga.discover import ARENA_AT, ARENA_BYTES, REGISTERS_AT, describe_accelerator, find_place, open_accelerator
from tests.device.fpga.conftest import ARENA_AT as SMALL_AT
from tests.device.fpga.conftest import ARENA_BYTES as SMALL_BYTES
from tests.device.fpga.conftest import CALM, Planted
from tests.device.fpga.standin import StandIn


def put(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def make_uio(root: Path, classes: str = "u-dma-buf") -> None:
    put(root / "sys/class/uio/uio0/name", "other\n")
    put(root / "sys/class/uio/uio3/name", "accel\n")
    put(root / "sys/class/uio/uio3/maps/map0/size", "0x00001000\n")
    buffer = root / "sys/class" / classes / "udmabuf0"
    put(buffer / "size", f"{SMALL_BYTES}\n")
    put(buffer / "phys_addr", "0x3c000000\n")
    put(buffer / "sync_mode", "1\n")


def make_devmem(root: Path, command_line: str = "console=ttyS0 fpga=ok", node: str = "fpga@3c000000") -> None:
    put(root / "proc/cmdline", command_line + "\n")
    put(root / "proc/device-tree/reserved-memory" / node / "reg", struct.pack(">II", ARENA_AT, 0x4000000))


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[StandIn]:
    """Two files as /dev/uio3 and /dev/udmabuf0 of a root folder, the stand-in behind them."""
    put(tmp_path / "root/run/lock/empty", "")
    board = tmp_path / "board"
    with board.open("wb") as file:
        file.truncate(0x3C000000 + SMALL_BYTES)
    unit = StandIn(board, 0, ARENA_AT, SMALL_BYTES)
    unit.start()
    yield unit
    unit.close()


@pytest.mark.parametrize("classes", ["u-dma-buf", "udmabuf"])
def test_uio_and_u_dma_buf_are_found_under_both_names(tmp_path: Path, classes: str) -> None:
    make_uio(tmp_path, classes)
    place = find_place("uio", tmp_path)
    assert (place.registers, place.registers_at) == (tmp_path / "dev/uio3", 0)
    assert (place.arena, place.arena_at, place.arena_base) == (tmp_path / "dev/udmabuf0", 0, 0x3C000000)
    assert (place.arena_bytes, place.lock) == (SMALL_BYTES, tmp_path / "run/lock/accel.lock")
    assert (tmp_path / "sys/class" / classes / "udmabuf0/sync_mode").read_text() == "2"
    text = describe_accelerator("auto", tmp_path)
    assert text == f"registers {tmp_path}/dev/uio3, 16 MiB of {tmp_path}/dev/udmabuf0"


def test_reserved_memory_is_found_and_the_picture_behind_the_arena_is_left_alone(tmp_path: Path) -> None:
    make_devmem(tmp_path)
    place = find_place("devmem", tmp_path)
    assert (place.registers, place.registers_at) == (tmp_path / "dev/mem", REGISTERS_AT)
    assert (place.arena_at, place.arena_base, place.arena_bytes) == (ARENA_AT, ARENA_AT, ARENA_BYTES)
    put(tmp_path / "proc/device-tree/reserved-memory/accel@30000000/reg", struct.pack(">QQ", 0x30000000, 0x100000))
    place = find_place("devmem", tmp_path)
    assert (place.arena_at, place.arena_bytes) == (0x30000000, 0x100000)
    place = find_place("devmem:0x9e000000,0x9c000000,0x2000000", tmp_path)
    assert (place.registers_at, place.arena_at, place.arena_bytes) == (0x9E000000, 0x9C000000, 0x2000000)


def test_files_have_the_addresses_of_the_board_or_their_own() -> None:
    place = find_place("file:/tmp/a:b", Path("/"))
    assert (place.registers, place.registers_at, place.arena_at) == (Path("/tmp/a:b"), REGISTERS_AT, ARENA_AT)
    place = find_place("file:x:0x1000,8192,0x4000", Path("/"))
    assert (place.arena, place.registers_at, place.arena_base, place.arena_bytes) == (Path("x"), 4096, 8192, 16384)
    assert place.lock == Path("x")


@pytest.mark.parametrize(
    ("remove", "content", "message"),
    [
        ("sys/class/uio/uio3/name", "others", r"no device named accel in .*class/uio, there are other, others"),
        ("sys/class/uio/uio3/maps/map0/size", "64", r"uio3: map 0 of accel has 64 bytes, registers need 4096"),
        ("sys/class/uio/uio3/maps/map0/size", "many", r"map0/size: expected a number, got 'many'"),
        ("sys/class/uio/uio3/maps/map0/size", None, r"map0/size cannot be read \(No such file"),
        ("sys/class/u-dma-buf/udmabuf0/phys_addr", None, r"phys_addr cannot be read"),
        ("sys/class/u-dma-buf/udmabuf0/sync_mode", None, r"sync_mode cannot be read"),
    ],
)
def test_what_uio_lacks_is_told(tmp_path: Path, remove: str, content: str | None, message: str) -> None:
    make_uio(tmp_path)
    (tmp_path / remove).unlink()
    if content is not None:
        put(tmp_path / remove, content)
    with pytest.raises(BackendUnavailable, match=message):
        find_place("uio", tmp_path)


def test_without_the_marker_the_registers_are_never_touched(tmp_path: Path) -> None:
    make_devmem(tmp_path, "console=ttyS0 fpga=okay")
    with pytest.raises(BackendUnavailable, match=r"cmdline has no fpga=ok: U-Boot loaded no bitstream"):
        open_accelerator("devmem", root=tmp_path)
    make_devmem(tmp_path, node="video@0")
    node = tmp_path / "proc/device-tree/reserved-memory/fpga@3c000000"
    node.rename(node.with_name("other@3c000000"))
    with pytest.raises(BackendUnavailable, match=r"no region accel@... or fpga@... in .*; the device tree reserves no"):
        find_place("devmem", tmp_path)
    put(tmp_path / "proc/device-tree/reserved-memory/accel@1/reg", b"123")
    with pytest.raises(BackendUnavailable, match=r"accel@1/reg: expected one address and one size, got 3 bytes"):
        find_place("devmem", tmp_path)


@pytest.mark.parametrize("device", ["usb", "file", "file:", "devmem:1,2", "uio:3", ""])
def test_unknown_devices_are_refused_with_the_known_ones(tmp_path: Path, device: str) -> None:
    make_devmem(tmp_path)
    with pytest.raises(BackendUnavailable, match=r"expected .*devmem:REGS,ARENA,SIZE|expected auto, uio, devmem"):
        open_accelerator(device, root=tmp_path)


def test_auto_names_every_reason_and_never_takes_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), pytest.raises(BackendUnavailable) as caught:
        open_accelerator(root=tmp_path)
    text = str(caught.value)
    assert text.startswith("no accelerator here (uio: no device named accel in ")
    assert "; devmem: " in text
    assert "cmdline cannot be read (No such file or directory)" in text
    assert "accelerator uio not used: no device named" in caplog.text
    assert "accelerator devmem not used: " in caplog.text
    with pytest.raises(BackendUnavailable, match=r"no accelerator here \(uio: .*; devmem: "):
        describe_accelerator("auto", tmp_path)


def test_auto_opens_uio_and_goes_on_to_devmem_when_a_node_is_missing(
    tmp_path: Path, nodes: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    root, board = tmp_path / "root", tmp_path / "board"
    make_uio(root)
    make_devmem(root)
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(BackendUnavailable, match=r"uio: no .*uio3.*devmem: no .*dev/mem"),
    ):
        open_accelerator(root=root, patience=CALM)
    (root / "dev").mkdir()
    (root / "dev/mem").symlink_to(board)
    with pytest.raises(
        BackendUnavailable, match=rf"mem ends at byte .*, expected at least {REGISTERS_AT + 4096} bytes"
    ):
        open_accelerator(root=root, patience=CALM)
    caplog.clear()
    os.truncate(board, REGISTERS_AT + 4096)
    with pytest.raises(BackendUnavailable, match=r"devmem: .*accelerator id 0x00000000, expected 0x41434331"):
        open_accelerator(root=root, patience=CALM)
    (root / "dev/uio3").symlink_to(board)
    (root / "dev/udmabuf0").symlink_to(tmp_path / "arena")
    (tmp_path / "arena").write_bytes(bytes(SMALL_BYTES))
    assert nodes.get(regs.GENERATION) == 0
    # The unit works on the memory of `board`, not on this `arena`: the reset needs registers only.
    opened = open_accelerator("uio", root=root, patience=CALM)
    with pytest.raises(BackendUnavailable, match=f"uio: the accelerator is in use by pid {os.getpid()}"):
        open_accelerator(root=root, patience=CALM)
    opened.close()


def test_a_file_is_locked_by_itself(planted: Planted) -> None:
    opened = planted.open()
    with pytest.raises(BackendUnavailable, match=rf"in use by pid {os.getpid()} \(it holds .*board\)"):
        planted.open()
    opened.close()
    planted.open().close()


def test_what_fails_while_opening_is_given_back(tmp_path: Path, planted: Planted) -> None:
    path = planted.device.split(":")[1]
    with pytest.raises(BackendUnavailable, match=r"board ends at byte \d+, expected at least"):
        open_accelerator(f"file:{path}:0,{SMALL_AT},{2 * SMALL_BYTES}")
    with pytest.raises(BackendUnavailable, match="expected an offset and a size of whole pages"):
        open_accelerator(f"file:{path}:0,{SMALL_AT},100")
    with pytest.raises(BackendUnavailable, match=r"^no .*nowhere"):
        open_accelerator(f"file:{tmp_path}/nowhere")
    planted.open().close()
