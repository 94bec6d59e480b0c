// SPDX-License-Identifier: Apache-2.0
// Generated from fpga/regs.toml by `python -m fpga.registers`; do not edit.
package accel_regs_pkg;
  // Values of ID and VERSION.
  localparam logic [31:0] ID_VALUE = 32'h41434331;
  localparam logic [31:0] VERSION_VALUE = 32'h00010000;
  // Word addresses: byte offset / 4.
  localparam logic [9:0] ID = 10'h000;  // ro, byte offset 0x00
  localparam logic [9:0] VERSION = 10'h001;  // ro, byte offset 0x04
  localparam logic [9:0] CAPS0 = 10'h002;  // ro, byte offset 0x08
  localparam logic [9:0] CAPS1 = 10'h003;  // ro, byte offset 0x0C
  localparam logic [9:0] CLOCK_HZ = 10'h004;  // ro, byte offset 0x10
  localparam logic [9:0] ARENA_BASE = 10'h008;  // rw, byte offset 0x20
  localparam logic [9:0] ARENA_SIZE = 10'h009;  // rw, byte offset 0x24
  localparam logic [9:0] RING_OFFSET = 10'h00A;  // rw, byte offset 0x28
  localparam logic [9:0] RING_LOG2 = 10'h00B;  // rw, byte offset 0x2C
  localparam logic [9:0] RECORD_OFFSET = 10'h00C;  // rw, byte offset 0x30
  localparam logic [9:0] IRQ_ENABLE = 10'h00D;  // rw, byte offset 0x34
  localparam logic [9:0] IRQ_SEEN = 10'h00E;  // rw, byte offset 0x38
  localparam logic [9:0] TAIL = 10'h00F;  // rw, byte offset 0x3C
  localparam logic [9:0] GENERATION = 10'h010;  // rw, byte offset 0x40
  localparam logic [9:0] SCRATCH = 10'h011;  // rw, byte offset 0x44
  localparam logic [9:0] CURRENT_GENERATION = 10'h018;  // ro, byte offset 0x60
  localparam logic [9:0] HEAD = 10'h019;  // ro, byte offset 0x64
  localparam logic [9:0] STATUS = 10'h01A;  // ro, byte offset 0x68
  localparam logic [9:0] ERROR_SEQ = 10'h01B;  // ro, byte offset 0x6C
  localparam logic [9:0] ERROR_OFFSET = 10'h01C;  // ro, byte offset 0x70
  localparam logic [9:0] IRQ_COUNT = 10'h01D;  // ro, byte offset 0x74
  localparam logic [9:0] BUSY = 10'h01E;  // ro, byte offset 0x78
  localparam logic [9:0] READ_STALL = 10'h01F;  // ro, byte offset 0x7C
  localparam logic [9:0] WRITE_STALL = 10'h020;  // ro, byte offset 0x80
  // Values after power-up of the registers that are written.
  localparam logic [31:0] ARENA_BASE_RESET = 32'h00000000;
  localparam logic [31:0] ARENA_SIZE_RESET = 32'h00000000;
  localparam logic [31:0] RING_OFFSET_RESET = 32'h00000000;
  localparam logic [31:0] RING_LOG2_RESET = 32'h00000000;
  localparam logic [31:0] RECORD_OFFSET_RESET = 32'h00000000;
  localparam logic [31:0] IRQ_ENABLE_RESET = 32'h00000000;
  localparam logic [31:0] IRQ_SEEN_RESET = 32'h00000000;
  localparam logic [31:0] TAIL_RESET = 32'h00000000;
  localparam logic [31:0] GENERATION_RESET = 32'h00000000;
  localparam logic [31:0] SCRATCH_RESET = 32'h00000000;
  // Fields: lowest bit and number of bits.
  localparam int VERSION_MINOR_LSB = 0;
  localparam int VERSION_MINOR_WIDTH = 16;
  localparam int VERSION_MAJOR_LSB = 16;
  localparam int VERSION_MAJOR_WIDTH = 16;
  localparam int CAPS0_PX_LSB = 0;
  localparam int CAPS0_PX_WIDTH = 8;
  localparam int CAPS0_LANES_IN_LSB = 8;
  localparam int CAPS0_LANES_IN_WIDTH = 8;
  localparam int CAPS0_LANES_OUT_LSB = 16;
  localparam int CAPS0_LANES_OUT_WIDTH = 8;
  localparam int CAPS0_BUS_BYTES_LSB = 24;
  localparam int CAPS0_BUS_BYTES_WIDTH = 8;
  localparam int CAPS1_ACTIVATION_KIB_LSB = 0;
  localparam int CAPS1_ACTIVATION_KIB_WIDTH = 16;
  localparam int CAPS1_WEIGHT_WORDS_LSB = 16;
  localparam int CAPS1_WEIGHT_WORDS_WIDTH = 16;
  localparam int IRQ_ENABLE_ENABLE_LSB = 0;
  localparam int IRQ_ENABLE_ENABLE_WIDTH = 1;
  localparam int STATUS_BUSY_LSB = 0;
  localparam int STATUS_BUSY_WIDTH = 1;
  localparam int STATUS_ERROR_LSB = 1;
  localparam int STATUS_ERROR_WIDTH = 1;
  localparam int STATUS_RESETTING_LSB = 2;
  localparam int STATUS_RESETTING_WIDTH = 1;
  localparam int STATUS_CODE_LSB = 8;
  localparam int STATUS_CODE_WIDTH = 8;
  localparam int STATUS_STATE_LSB = 16;
  localparam int STATUS_STATE_WIDTH = 16;
endpackage
