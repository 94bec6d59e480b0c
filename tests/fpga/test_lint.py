# SPDX-License-Identifier: Apache-2.0
"""A linter that never complains says nothing: each tool must find what is planted for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from device.errors import BackendUnavailable
from fpga.sim import lint
from fpga.sim.build import RTL, rtl_sources

AT = "\nendmodule"
PLANTED = {
    "verilator": "  logic nobody_reads;\n  assign nobody_reads = 1'b1;",
    "verilator width": "  logic [1:0] narrow = 3'd5;\n  wire used = |narrow & clk_i;",
    "iverilog": "  wire implicit_width = not_declared[0];",
    "yosys": "  wire two_drivers;\n  assign two_drivers = 1'b0;\n  assign two_drivers = 1'b1;",
}


pytestmark = pytest.mark.usefixtures("variant")  # `make sim` has the tools, and the time


def planted(folder: Path, text: str) -> list[Path]:
    """Return the sources with `text` at the end of the FIFO."""
    copy = folder / "rtl"
    shutil.copytree(RTL, copy)
    path = copy / "accel_fifo.sv"
    before, end, after = path.read_text().rpartition(AT)
    path.write_text(before + "\n" + text + end + after)
    return rtl_sources(copy)


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(tmp_path: Path, name: str) -> None:
    tool = name.split()[0]
    if tool == "iverilog" and shutil.which(tool) is None:
        pytest.skip("Icarus is not installed")
    run = {"verilator": lint.verilate, "iverilog": lint.check_with_icarus, "yosys": lint.check_with_yosys}[tool]
    assert run(planted(tmp_path, PLANTED[name]), 1) != []
    assert run(rtl_sources(), 1) == []


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"expected accel_top\.sv"):
        lint.lint(tmp_path)
