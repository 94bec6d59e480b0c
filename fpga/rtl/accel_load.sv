// SPDX-License-Identifier: Apache-2.0
// Fetches a layer: constants of output block 0, all input rows, then the constants of each next block while the array
// works on the one before. Asking runs ahead of what comes back; both sides walk the same order.
//
//   bus asks :  W0 T0 | row 0: plane 0, plane 1 .. | row 1 .. | W1 | T1 | W2 | ..
//   bus gives:          W0 -> weight_write, T0 -> threshold_write ; rows -> word_write, rows_o counts ; ..
//
// There are two halves of weights and one spare set of thresholds: W2 waits until the array has begun with block 1, T2
// until the post unit has taken T1.
//
//   clk             0      1 ..          ..                 a word of 1024 bits after 16 beats
//   beat_valid_i    1      1             1
//   weight_write_o  0      0             0  1 (clock 16)
//   rows_o                                      +1 one clock after the last word of a row is written
//
// A constant block is `taps` words of 1024 bits, 16 beats each, then, unless raw, 64 beats of thresholds.
`default_nettype none
module accel_load
  import accel_pkg::*;
(
  input  wire           clk_i, rst_ni,
  input  wire           start_i,
  input  wire           stop_i,              // ask for nothing more
  input  wire layer_t   layer_i,
  // bus
  output wire           ask_valid_o,
  output wire  [31:0]   ask_offset_o,
  output wire  [5:0]    ask_beats_o,
  input  wire           ask_ready_i,
  input  wire           beat_valid_i,
  input  wire  [63:0]   beat_i,
  // buffers
  output logic          word_write_o,
  output logic [13:0]   word_at_o,
  output logic [63:0]   word_o,
  output logic          weight_write_o,
  output logic [9:0]    weight_at_o,
  output logic [1023:0] weight_o,
  output logic          threshold_write_o,
  output logic [5:0]    threshold_at_o,      // record and half of it
  output logic [63:0]   threshold_o,
  // progress
  input  wire  [5:0]    block_i,             // the output block that the array works on
  input  wire  [5:0]    blocks_taken_i,      // output blocks whose thresholds the post unit has taken
  output logic [10:0]   rows_o,              // input rows in the buffer
  output logic [5:0]    blocks_o             // blocks of constants in the buffers
);
  wire [12:0] threshold_beats = layer_i.raw ? 13'd0 : 13'd64;
  wire [12:0] block_beats = {layer_i.taps, 4'd0} + threshold_beats;
  wire [14:0] row_beats = {layer_i.row_words, 2'd0};

  // ---- asking ----
  typedef enum logic [1:0] {Idle, AskConstants, AskRows} state_e;
  state_e      state_q;
  logic [31:0] constants_q, row_q, plane_q, offset_q;
  logic [12:0] left_q;                       // beats of the constant block or of the plane's row
  logic [7:0]  planes_left_q;
  logic [10:0] rows_left_q;
  logic [5:0]  block_q;

  wire [31:0] row_bytes = {18'd0, layer_i.groups, 5'd0};
  wire [12:0] plane_beats = {2'd0, layer_i.groups, 2'd0};
  wire        for_rows = state_q == AskRows;
  wire        for_weights = state_q == AskConstants & (left_q > threshold_beats);
  wire        for_thresholds = state_q == AskConstants & (left_q <= threshold_beats);
  wire [12:0] piece = for_weights ? left_q - threshold_beats : left_q;
  assign ask_valid_o = ~stop_i & (for_rows | (for_weights & (block_i + 6'd1 >= block_q))
                                           | (for_thresholds & (blocks_taken_i >= block_q)));
  assign ask_beats_o = piece > 13'd32 ? 6'd32 : piece[5:0];
  assign ask_offset_o = for_rows ? offset_q : constants_q;
  wire   taken = ask_valid_o & ask_ready_i;
  wire   is_last = left_q == {7'd0, ask_beats_o};
  wire [31:0] asked_bytes = {23'd0, ask_beats_o, 3'd0};

  always_ff @(posedge clk_i)
    if (!rst_ni) state_q <= Idle;
    else if (start_i) begin
      state_q     <= AskConstants;
      constants_q <= layer_i.constants;
      left_q      <= block_beats;
      block_q     <= '0;
    end else if (stop_i) state_q <= Idle;
    else if (taken && state_q == AskConstants) begin
      constants_q <= constants_q + asked_bytes;
      left_q      <= left_q - {7'd0, ask_beats_o};
      if (is_last) begin
        left_q  <= block_beats;
        block_q <= block_q + 6'd1;
        if (block_q == 0) begin
          state_q       <= AskRows;
          left_q        <= plane_beats;
          planes_left_q <= layer_i.planes;
          rows_left_q   <= layer_i.h;
          {row_q, plane_q, offset_q} <= {3{layer_i.src}};
        end else if (block_q + 6'd1 == layer_i.cb_out) state_q <= Idle;
      end
    end else if (taken) begin
      offset_q <= offset_q + asked_bytes;
      left_q   <= left_q - {7'd0, ask_beats_o};
      if (is_last) begin
        left_q        <= plane_beats;
        planes_left_q <= planes_left_q - 8'd1;
        plane_q       <= plane_q + layer_i.src_pitch;
        offset_q      <= plane_q + layer_i.src_pitch;
        if (planes_left_q == 8'd1) begin
          planes_left_q <= layer_i.planes;
          rows_left_q   <= rows_left_q - 11'd1;
          row_q         <= row_q + row_bytes;
          plane_q       <= row_q + row_bytes;
          offset_q      <= row_q + row_bytes;
          if (rows_left_q == 11'd1) begin
            left_q  <= block_beats;
            state_q <= layer_i.cb_out == 6'd1 ? Idle : AskConstants;
          end
        end
      end
    end

  // ---- what comes back ----
  logic        rows_next_q;                  // the next beat belongs to an input row
  logic [12:0] beat_q;                       // of the constant block
  logic [14:0] row_left_q;                   // beats of the input row
  logic [13:0] at_q;
  logic [10:0] rows_come_q;                  // one clock ahead of rows_o: the last word is still on its way
  logic [5:0]  blocks_come_q;
  logic        odd_q;                        // half of the weight buffer
  logic [8:0]  tap_q;
  wire         is_weight = beat_q < {layer_i.taps, 4'd0};
  wire [12:0]  record = beat_q - {layer_i.taps, 4'd0};

  always_ff @(posedge clk_i) begin
    word_write_o      <= beat_valid_i & rows_next_q;
    weight_write_o    <= beat_valid_i & ~rows_next_q & is_weight & (beat_q[3:0] == 4'd15);
    threshold_write_o <= beat_valid_i & ~rows_next_q & ~is_weight;
    word_o            <= beat_i;
    word_at_o         <= at_q;
    threshold_o       <= beat_i;
    threshold_at_o    <= record[5:0];
    weight_at_o       <= {1'b0, tap_q} + (odd_q ? 10'(WeightSteps) : 10'd0);
    if (beat_valid_i & ~rows_next_q & is_weight) weight_o <= {beat_i, weight_o[1023:64]};
    rows_o            <= rows_come_q;
    blocks_o          <= blocks_come_q;
    if (beat_valid_i && !rows_next_q) begin
      beat_q <= beat_q + 13'd1;
      if (is_weight && beat_q[3:0] == 4'd15) tap_q <= tap_q + 9'd1;
      if (beat_q + 13'd1 == block_beats) begin
        beat_q        <= '0;
        tap_q         <= '0;
        odd_q         <= ~odd_q;
        blocks_come_q <= blocks_come_q + 6'd1;
        rows_next_q   <= blocks_come_q == 0;
      end
    end
    if (beat_valid_i && rows_next_q) begin
      at_q       <= at_q + 14'd1;
      row_left_q <= row_left_q - 15'd1;
      if (row_left_q == 15'd1) begin
        row_left_q  <= row_beats;
        rows_come_q <= rows_come_q + 11'd1;
        rows_next_q <= rows_come_q + 11'd1 != layer_i.h;
      end
    end
    if (!rst_ni || start_i) begin
      {word_write_o, weight_write_o, threshold_write_o, rows_next_q, odd_q} <= '0;
      {beat_q, at_q, rows_come_q, blocks_come_q, tap_q, rows_o, blocks_o} <= '0;
      row_left_q <= row_beats;
    end
  end

`ifdef FORMAL
  // What is asked for stays in its row and block, in whole; weights are asked for only when the array has left the
  // block before the last, thresholds when those of the last block are taken.
  layer_t layer_q;                           // a layer does not change while it runs
  logic        is_first_q = 1'b1;
  logic [31:0] block_at_q;                   // where the constants of this block begin
  always_ff @(posedge clk_i) begin
    is_first_q <= 1'b0;
    layer_q    <= layer_i;
    if (start_i) block_at_q <= layer_i.constants;
    else if (taken && state_q == AskConstants && is_last) block_at_q <= block_at_q + {block_beats, 3'd0};
  end
  always_comb begin
    if (is_first_q) assume (!rst_ni);
    assume (is_first_q || layer_i == layer_q);
    assume (layer_i.groups >= 1 && layer_i.groups <= 256 && layer_i.planes >= 1 && layer_i.h >= 1);
    assume (layer_i.taps >= 1 && layer_i.taps <= 288 && layer_i.cb_out >= 1 && layer_i.cb_out <= 32);
    if (!is_first_q && state_q != Idle) begin
      assert (left_q >= 1);
      if (state_q == AskConstants) begin
        assert (left_q <= block_beats && block_q < layer_i.cb_out);
        assert (constants_q + {left_q, 3'd0} == block_at_q + {block_beats, 3'd0});
      end
      if (state_q == AskRows) begin
        assert (left_q <= plane_beats && planes_left_q >= 1 && rows_left_q >= 1);
        assert (block_q == 1 && constants_q == block_at_q);
        assert (offset_q + {left_q, 3'd0} == plane_q + row_bytes);
      end
      if (ask_valid_o) assert (ask_beats_o >= 1 && ask_beats_o <= 32 && ask_beats_o <= left_q);
      if (ask_valid_o && for_weights) begin
        assert (block_i + 1 >= block_q && left_q - ask_beats_o >= threshold_beats);
      end
      if (ask_valid_o && for_thresholds) assert (blocks_taken_i >= block_q);
    end
  end
`endif
endmodule
`default_nettype wire
