// SPDX-License-Identifier: Apache-2.0
// Constants and types that the modules of the accelerator share.
`default_nettype none
package accel_pkg;
  localparam int Lanes = 32;           // input channels of a word and outputs of a block
  localparam int AccBits = 24;         // |sum| <= 9 * 1024 * 255
  localparam int WeightSteps = 288;    // largest k * k * cb_in
  localparam int BufferRows = 4096;    // activation buffer: rows of 4 words of 64 bit

  // Error codes, in the order in which they apply.
  localparam logic [7:0] Ok = 8'd0, BadTag = 8'd1, BadSeq = 8'd2, BadOp = 8'd3, BadField = 8'd4, BadAlign = 8'd5;
  localparam logic [7:0] BufferFull = 8'd6, OutOfArena = 8'd7, Timeout = 8'd8, RingOverrun = 8'd9, BusError = 8'd10;

  localparam logic [1:0] StorePlain = 2'd0, StoreDepth = 2'd1, StoreUpsample = 2'd2;

  // A checked layer, with what follows from its fields. Offsets, pitches and rows of the output in bytes.
  typedef struct packed {
    logic [31:0] src, dst, constants, src_pitch, dst_pitch;
    logic [10:0] w, h, out_w, out_h;
    logic [5:0]  cb_in, cb_out;
    logic [2:0]  digits;
    logic        k3;
    logic        pad_top, pad_left;
    logic [1:0]  store;
    logic        raw;
    logic [8:0]  groups;               // 4-pixel groups of an input row
    logic [7:0]  planes;               // cb_in * digits
    logic [12:0] row_words;            // rows of the activation buffer that hold one input row: planes * groups
    logic [8:0]  taps;                 // k * k * cb_in
    logic [17:0] stored_row;
    logic [31:0] quarter;              // space-to-depth: bytes from one quarter of the channels to the next
  } layer_t;

  // What travels with a group of pixels from the sequencer to the post unit.
  typedef struct packed {
    logic       block_first;           // first group of an output block: its thresholds take over
    logic       row_last;              // last group of an output row
    logic [1:0] x;                     // column of the first pixel, modulo 4
    logic [2:0] pixels;                // 1..PX pixels that exist
  } group_t;

  // One step of the array.
  typedef struct packed {
    logic       valid, first, last;    // of the sum
    logic [1:0] digit;
    group_t     group;
  } step_t;

  // What software configures; looked at during a generation reset only.
  typedef struct packed {
    logic [31:0] arena_base, arena_size, ring_offset, record_offset;
    logic [3:0]  ring_log2;
  } config_t;

  // What software can see.
  typedef struct packed {
    logic [31:0] current_generation, head, status, error_seq, error_offset, irq_count;
    logic [31:0] busy, read_stall, write_stall;
  } state_t;
endpackage
`default_nettype wire
