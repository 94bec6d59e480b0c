# SPDX-License-Identifier: Apache-2.0
"""One register map: the files made from it are those in the tree, and wrong descriptions are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from device.fpga import regs
from fpga import registers
from fpga.registers import DRIVER, MARKER, PACKAGE, README, ROOT, SOURCE, RegisterError, main, read_map, with_table

TEXT = (ROOT / SOURCE).read_text("utf-8")


def test_the_files_in_the_tree_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with the description alone."""
    (tmp_path / "fpga").mkdir()
    (tmp_path / SOURCE).write_text(TEXT, "utf-8")
    return tmp_path


def test_stale_and_missing_files_are_named_and_written(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"], tree) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{PACKAGE} is stale; run `python -m fpga.registers`",
        f"{DRIVER} is stale; run `python -m fpga.registers`",
    ]
    assert main([], tree) == 0
    assert main(["--check"], tree) == 0
    (tree / README).write_text(f"# FPGA\n{MARKER}\nold\n{MARKER}\nend\n", "utf-8")
    (tree / DRIVER).write_text("ID = 1\n", "utf-8")
    assert main(["--check"], tree) == 1
    assert capsys.readouterr().err.count("is stale") == 2
    assert main([], tree) == 0
    assert main(["--check"], tree) == 0
    document = (tree / README).read_text("utf-8")
    assert document.startswith(f"# FPGA\n{MARKER}\n| offset | name |")
    assert "| 0x3C | TAIL | rw | 0x00000000 | descriptors offered" in document
    assert document.endswith(f"|\n{MARKER}\nend\n")
    assert (tree / DRIVER).read_bytes() == (ROOT / DRIVER).read_bytes()


def test_a_document_without_markers_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / README).write_text("# FPGA\n", "utf-8")
    assert main([], tree) == 1
    assert f"expected two lines {MARKER} around the table, got 0" in capsys.readouterr().err
    with pytest.raises(RegisterError, match="got 1"):
        with_table(f"a {MARKER} b", "rows")


def test_wrong_usage_is_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--chekc"]) == 2
    assert "usage: python -m fpga.registers [--check]" in capsys.readouterr().err


def test_package_and_driver_hold_the_same_numbers() -> None:
    package = registers.package(read_map(TEXT))
    words = {name: int(value, 16) for name, value in re.findall(r"\[9:0\] (\w+) = 10'h(\w+);", package)}
    assert {name: 4 * word for name, word in words.items()} == regs.REGISTERS
    lows = dict(re.findall(r"int (\w+)_LSB = (\d+);", package))
    widths = dict(re.findall(r"int (\w+)_WIDTH = (\d+);", package))
    fields = {name: value for name, value in vars(regs).items() if isinstance(value, regs.Field)}
    assert {name: regs.Field(int(lows[name]), int(widths[name])) for name in lows} == fields
    assert f"32'h{regs.ID_VALUE:08X}" in package
    assert regs.ID_VALUE.to_bytes(4, "big") == b"ACC1"
    assert regs.STATUS_CODE.of(0x00070702) == 7


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "HEAD"', 'name = "TAIL"', "two registers have one name"),
        ('name = "HEAD"', 'name = "head"', "head: expected a name in capitals"),
        ("offset = 0x64", "offset = 0x60", "HEAD: expected an offset of whole words, rising, in the page, got 0x60"),
        ("offset = 0x64", "offset = 0x66", "HEAD: expected an offset of whole words"),
        ("offset = 0x80", "offset = 0x1000", "WRITE_STALL: expected an offset"),
        ('access = "ro"', 'access = "wo"', "ID: expected access ro or rw, got wo"),
        ("bits = [2, 2]", "bits = [1, 1]", r"STATUS\.RESETTING: expected bits that rise, got 1:1"),
        ('bits = [31, 16], meaning = "state', 'bits = [32, 16], meaning = "state', r"STATUS\.STATE: expected bits"),
        ("reset = 0x00010000", "reset = 0x100000000", "VERSION: expected a reset value of 32 bits"),
        ("reset = 0x00010000", "reset = 0x00020000", "reset values of ID and VERSION are not those of"),
        ("reset = 0x00010000", "default = 1", "VERSION: unknown keys default"),
        ('meaning = "says that', 'meaning = "a | says that', "ID: the meaning stands in a table"),
        ("[page]", "[page", "is not a register map"),
        ("offset = 0x64\n", "", "is not a register map .*offset"),
    ],
)
def test_wrong_descriptions_are_refused(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(RegisterError, match=message):
        read_map(TEXT.replace(old, new, 1))
