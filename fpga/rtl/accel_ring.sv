// SPDX-License-Identifier: Apache-2.0
// The ring: fetches descriptors in order, has each checked and run, writes its record, reads the record back (the fence:
// in-order memory has then seen all earlier writes) and counts HEAD up. Errors write their record and halt; only a new
// generation goes on.
//
//   Idle -> Fetch -> Read -> Check ---> Run ------------> RecordHigh -> RecordLow -> Fence -> FenceRead -> Idle
//             ^        |       |  \       \-> Abort ->------^                                    |  (error: Halt)
//             +- Wait -+       \   +---- NOP, error ---->---^                                    +--> Fence until it fits;
//                                                                                               error: RecordHigh once more
//   any state, a new generation asked for: Reset, until no access is open -> Idle
//
//   clk      0       1 ..            18 ..      n          ..         m              +1          +2      ..
//   NOP      Fetch   8 beats come    Check      RecordHigh, RecordLow                            Fence   HEAD + 1
//   CONV     Fetch   8 beats come    Check      Run        layer done RecordHigh     RecordLow   Fence   HEAD + 1
`default_nettype none
module accel_ring
  import accel_pkg::*;
(
  input  wire           clk_i, rst_ni,
  input  wire config_t  config_i,
  input  wire  [31:0]   tail_i, generation_i,
  output config_t       config_o,           // as of the last reset
  output state_t        state_o,
  // bus
  output wire           record_valid_o,
  output wire  [31:0]   record_offset_o,
  output wire  [63:0]   record_data_o,
  input  wire           record_ready_i,
  output wire           fetch_valid_o,
  output wire  [31:0]   fetch_offset_o,
  output wire  [5:0]    fetch_beats_o,
  input  wire           fetch_ready_i,
  input  wire           fetch_beat_i,
  input  wire  [63:0]   beat_i,
  input  wire           bus_idle_i, bus_outside_i, bus_fault_i,
  // check
  output logic          check_o,
  output wire  [15:0][31:0] descriptor_o,
  input  wire           checked_i,
  input  wire  [7:0]    check_error_i,
  // layer
  output logic          start_o,
  output wire           stop_o,             // begin no access
  output wire           clear_o,            // forget the layer
  input  wire           layer_done_i,
  input  wire           busy_i, wait_load_i, wait_store_i
);
  localparam int RetryClocks = 64, Retries = 256;
  typedef enum logic [3:0] {
    Idle, Fetch, Read, Wait, Inspect, Check, Run, Abort, RecordHigh, RecordLow, Fence, FenceRead, Halt, Reset
  } state_e;
  state_e      state_q;
  logic [7:0][63:0] descriptor_q;
  logic [2:0]  beat_q;
  logic [5:0]  clock_q;
  logic [8:0]  tries_q;
  logic [7:0]  error_q;
  logic        fault_q;
  logic [31:0] cycles_q, generation_q, head_q, irq_q, busy_q, load_q, store_q;

  wire [31:0] words [4];
  assign {words[3], words[2]} = descriptor_q[1];
  assign {words[1], words[0]} = descriptor_q[0];
  wire [7:0]  op = words[0][7:0];
  wire        tag_wrong = words[0][31:24] != 8'hD1;
  wire [31:0] seq = head_q + 32'd1;
  wire [31:0] limit = words[3] == 0 ? 32'h0100_0000 : words[3];
  wire [31:0] length = 32'd1 << config_o.ring_log2;
  wire [31:0] slot = head_q & (length - 32'd1);
  wire [31:0] entry_at = config_o.ring_offset + {slot[25:0], 6'd0};
  wire [31:0] record_at = config_o.record_offset + {slot[27:0], 4'd0};
  wire        reset_asked = generation_i != generation_q;
  wire        failed = error_q != Ok;

  assign descriptor_o = descriptor_q;
  assign fetch_valid_o = state_q == Fetch | state_q == Fence;
  assign fetch_offset_o = state_q == Fence ? record_at : entry_at;
  assign fetch_beats_o = state_q == Fence ? 6'd1 : 6'd8;
  assign record_valid_o = state_q == RecordHigh | state_q == RecordLow;
  assign record_offset_o = record_at + (state_q == RecordHigh ? 32'd8 : 32'd0);
  assign record_data_o = state_q == RecordHigh ? {words[2], cycles_q}
                                               : {generation_q[7:0], 8'd0, op, error_q, seq};
  assign stop_o = state_q == Abort | state_q == Reset;
  assign clear_o = stop_o & bus_idle_i;

  assign state_o.current_generation = generation_q;
  assign state_o.head = head_q;
  assign state_o.status = {12'd0, state_q, error_q, 5'd0, reset_asked, failed, state_q != Idle & state_q != Halt};
  assign state_o.error_seq = failed ? seq : 32'd0;
  assign state_o.error_offset = failed ? entry_at : 32'd0;
  assign state_o.irq_count = irq_q;
  assign state_o.busy = busy_q;
  assign state_o.read_stall = load_q;
  assign state_o.write_stall = store_q;

  task automatic fail(input logic [7:0] error, input state_e next);
    error_q <= error;
    state_q <= next;
    if (next == Halt) irq_q <= irq_q + 32'd1;
  endtask

  always_ff @(posedge clk_i) begin
    check_o  <= 1'b0;
    start_o  <= 1'b0;
    cycles_q <= cycles_q + 32'd1;
    clock_q  <= clock_q + 6'd1;
    fault_q  <= fault_q | bus_fault_i;
    case (state_q)
      Idle: begin
        cycles_q <= '0;
        tries_q  <= '0;
        beat_q   <= '0;
        fault_q  <= 1'b0;
        if (head_q != tail_i) begin
          if (tail_i - head_q > length) fail(RingOverrun, RecordHigh);
          else state_q <= Fetch;
        end
      end
      Fetch: if (fetch_ready_i) state_q <= Read;
      Read:
        if (fetch_beat_i) begin
          descriptor_q[beat_q] <= beat_i;
          beat_q               <= beat_q + 3'd1;
          if (beat_q == 3'd7) state_q <= Inspect;
        end
      Inspect:                              // a late write may still be on its way
        if (fault_q) fail(BusError, RecordHigh);
        else if (tag_wrong | (words[1] != seq)) begin
          clock_q <= '0;
          tries_q <= tries_q + 9'd1;
          if (tries_q == 9'(Retries)) fail(tag_wrong ? BadTag : BadSeq, RecordHigh);
          else state_q <= Wait;
        end else begin
          check_o <= 1'b1;
          state_q <= Check;
        end
      Wait: if (clock_q == 6'(RetryClocks - 1)) state_q <= Fetch;
      Check:
        if (checked_i) begin
          if (check_error_i != Ok) fail(check_error_i, RecordHigh);
          else if (op == 8'd0) state_q <= RecordHigh;
          else begin
            start_o <= 1'b1;
            state_q <= Run;
          end
        end
      Run:
        if (fault_q) fail(BusError, Abort);
        else if (cycles_q >= limit) fail(Timeout, Abort);
        else if (layer_done_i && !start_o) state_q <= RecordHigh;
      Abort: if (bus_idle_i) state_q <= RecordHigh;
      RecordHigh: if (record_ready_i) state_q <= RecordLow;
      RecordLow: if (record_ready_i) state_q <= Fence;
      Fence: if (fetch_ready_i) state_q <= FenceRead;
      FenceRead:
        if (fetch_beat_i) begin
          if (failed) begin
            irq_q   <= irq_q + 32'd1;
            state_q <= Halt;
          end else if (bus_fault_i) fail(BusError, RecordHigh);   // the record must not say that all went well
          else if (beat_i[31:0] != seq) state_q <= Fence;
          else begin
            head_q  <= seq;
            irq_q   <= irq_q + {31'd0, words[0][8]};
            state_q <= Idle;
          end
        end
      Reset:
        if (bus_idle_i) begin
          generation_q <= generation_i;
          config_o     <= config_i;
          {head_q, error_q, irq_q} <= '0;
          state_q      <= Idle;
        end
      default: ;                            // Halt
    endcase
    // Ring or records outside the arena: there is no place to report to but the registers.
    if (bus_outside_i && state_q != Halt) fail(OutOfArena, Halt);
    if (reset_asked && state_q != Reset) state_q <= Reset;
    busy_q  <= busy_q + {31'd0, busy_i};
    load_q  <= load_q + {31'd0, wait_load_i};
    store_q <= store_q + {31'd0, wait_store_i};
    if (!rst_ni || (state_q == Reset && bus_idle_i)) {busy_q, load_q, store_q} <= '0;
    if (!rst_ni) begin
      state_q <= Idle;
      {config_o, generation_q, head_q, irq_q, error_q, start_o, check_o} <= '0;
    end
  end

`ifdef FORMAL
  // The driver keeps the rules of the ring: TAIL rises, by no more than there is room; 0 comes before a reset.
  logic        is_first_q = 1'b1;
  logic        low_q, high_q;                 // halves of the record that the bus has taken
  logic [31:0] tail_q, last_head_q, last_generation_q;
  logic        was_idle_q, was_reset_q, was_fence_q;
  config_t     last_config_q;
  always_ff @(posedge clk_i) begin
    is_first_q        <= 1'b0;
    tail_q            <= tail_i;
    last_head_q       <= head_q;
    last_generation_q <= generation_q;
    last_config_q     <= config_o;
    was_idle_q        <= bus_idle_i;
    was_reset_q       <= ~rst_ni | (state_q == Reset);
    was_fence_q       <= state_q == FenceRead & fetch_beat_i & (beat_i[31:0] == seq) & high_q & low_q;
    if (!rst_ni || state_q == Idle || state_q == Reset || (state_q == FenceRead && fetch_beat_i && bus_fault_i))
      {high_q, low_q} <= '0;
    else begin
      if (record_ready_i && state_q == RecordHigh) high_q <= 1'b1;
      if (record_ready_i && state_q == RecordLow) low_q <= 1'b1;
    end
  end
  always_comb begin
    if (is_first_q) assume (!rst_ni);
    assume (tail_i == tail_q || reset_asked || tail_i - head_q <= length);
    if (!record_valid_o) assume (!record_ready_i);
    if (!fetch_valid_o) assume (!fetch_ready_i);
    if (!is_first_q) begin
      // A descriptor counts as done only after both halves of its record, the one with seq last, and the fence.
      if (head_q != last_head_q) assert (was_reset_q || (was_fence_q && head_q == last_head_q + 1));
      if (state_q == Fetch || state_q == Read || state_q == Wait || state_q == Inspect || state_q == Check
          || state_q == Run || state_q == Abort || state_q == RecordHigh) assert (!high_q && !low_q);
      if (state_q == RecordLow) assert (high_q && !low_q);
      if (state_q == Fence || state_q == FenceRead) assert (high_q && low_q);
      // A reset, and the configuration with it, waits until nothing is open.
      if (generation_q != last_generation_q) assert (was_reset_q && (was_idle_q || generation_q == 0));
      if (config_o != last_config_q) assert (was_reset_q);
      // Reset and abort begin no access.
      if (stop_o) assert (!fetch_valid_o && !record_valid_o);
    end
  end
`endif
endmodule
`default_nettype wire
