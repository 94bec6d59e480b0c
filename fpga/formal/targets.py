# SPDX-License-Identifier: Apache-2.0
"""What `fpga.formal.prove` proves: modules with properties under `ifdef FORMAL`, and bugs that the proofs must find."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plant:
    """A bug: `old`, which stands once in the module, becomes `new`."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Target:
    """A module, its parameters in the proof (small, where sizes only repeat themselves), and planted bugs."""

    module: str
    plants: tuple[Plant, ...]
    parameters: tuple[str, ...] = ()
    most_clocks: int = 12

    @property
    def name(self) -> str:
        return " ".join([self.module, *self.parameters])


FIFO = (
    Plant("an entry is read twice", "if (fill) read_q <= read_q + 1'b1", "if (fill & ~pop_i) read_q <= read_q + 1'b1"),
    Plant("data of the neighbour", "memory[write_q[Bits-1:0]] <= data_i", "memory[read_q[Bits-1:0]] <= data_i"),
)
ROOM = (
    Plant("one too many", "+ cost <= Bits'(Depth)", "<= Bits'(Depth)"),
    Plant("a raw group counts as one", "(begin_i ? cost : Bits'(0)) -", "(begin_i ? Bits'(1) : Bits'(0)) -"),
)
BUS = (
    Plant("a command under waitrequest is replaced", "| ~mem_waitrequest_i;", "| 1'b1;"),
    Plant("the last burst leaves the arena", "(last > {1'b0, arena_size_i})", "(last > {1'b0, arena_size_i} + 33'd8)"),
    Plant("a read inside a write burst", "wire  load = ~in_burst &", "wire  load ="),
    Plant("one read too many", "tags_full = n_open == 4'(Open)", "tags_full = n_open == 4'(Open + 1)"),
)
LOAD = (
    Plant("a burst beyond the row", "piece > 13'd32 ? 6'd32 : piece[5:0]", "6'd32"),
    Plant("thresholds still in use", "(for_thresholds & (blocks_taken_i >= block_q))", "for_thresholds"),
    Plant("weights still in use", "(for_weights & (block_i + 6'd1 >= block_q))", "for_weights"),
    Plant("thresholds asked for with weights", "for_weights ? left_q - threshold_beats : left_q", "left_q"),
    Plant("the same row again", "plane_q       <= row_q + row_bytes", "plane_q       <= plane_q + row_bytes"),
)
STORE = (
    Plant("one column too many", "wire last_x = x_next >=", "wire last_x = x_next >"),
    Plant("bursts of full groups only", "(left >= 11'd4) ? 3'd4 : left[2:0]", "(left >= 11'd1) ? 3'd4 : left[2:0]"),
    Plant("a row too far", "wire last_y = y_q + 11'd1 ==", "wire last_y = y_q =="),
)
RING = (
    Plant(
        "HEAD before the fence", "RecordLow: if (record_ready_i) state_q <=", "RecordLow: if (record_ready_i) head_q <="
    ),
    Plant("a reset inside a burst", "Reset:\n        if (bus_idle_i) begin", "Reset:\n        if (1'b1) begin"),
    Plant("half a record", "(record_ready_i) state_q <= RecordLow;", "(record_ready_i) state_q <= Fence;"),
)
STEPS = (
    Plant("a column too many", "wire last_x = x_next >=", "wire last_x = x_next >"),
    Plant("a group without weights", "wire        is_loaded = (blocks_i > block_q) &", "wire        is_loaded ="),
    Plant("groups too close", "7'(16 * PX - 1) : 7'(PX - 1)", "7'(16 * PX - 1) : 7'd0"),
    Plant("weights of the next digit", "if (last_digit) tap_q <=", "if (1'b1) tap_q <="),
)
TARGETS = (
    Target("accel_fifo", FIFO, ("Width=2", "Depth=4")),
    Target("accel_room", ROOM),
    Target("accel_bus", BUS),
    Target("accel_load", LOAD),
    Target("accel_store", STORE),
    Target("accel_ring", RING),
    Target("accel_steps", STEPS),
    Target("accel_steps", (), ("PX=1",)),
)
