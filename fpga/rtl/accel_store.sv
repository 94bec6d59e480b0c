// SPDX-License-Identifier: Apache-2.0
// Writes the entries of a layer, in the order in which they are made: output block, row, group of 4 columns (raw: pixel,
// then 4 entries of it). Columns beyond the row are not written: bursts end with the last pixel.
//
//   plain          1 burst: up to 4 words                raw        1 burst of 4 beats: 8 sums
//   space-to-depth 2 bursts: even columns, odd columns, each to its quarter of the channels
//   upsample       2 bursts, one a row: every word twice
//
//   clk       0     1     2     3     4
//   entry     A     A     A     A     B       4 beats with a ready bus, no clock between entries
`default_nettype none
module accel_store
  import accel_pkg::*;
(
  input  wire          clk_i, rst_ni,
  input  wire          start_i, clear_i,
  input  wire          stop_i,              // begin no burst
  input  wire layer_t  layer_i,
  input  wire          entry_valid_i,
  input  wire  [255:0] entry_i,
  output wire          entry_pop_o,
  output wire          beat_valid_o,
  output wire          beat_first_o,
  output wire  [31:0]  offset_o,            // of the burst
  output wire  [5:0]   beats_o,             // of the burst
  output wire  [63:0]  beat_o,
  input  wire          beat_ready_i,
  output logic         done_o               // holds until the next start
);
  logic        running_q;
  logic        second_q;                    // burst of the entry
  logic [2:0]  beat_q;
  logic [5:0]  block_q;
  logic [10:0] y_q, x_q;
  logic [1:0]  part_q;                      // of a raw pixel
  logic [31:0] block_at_q, row_at_q, at_q;  // byte offsets: plane, row in it, entry

  wire is_depth = layer_i.store == StoreDepth, is_upsample = layer_i.store == StoreUpsample;
  wire [10:0] left = layer_i.out_w - x_q;
  wire [2:0]  words = layer_i.raw | (left >= 11'd4) ? 3'd4 : left[2:0];
  wire [3:0]  beats = is_depth ? {2'd0, words[2:1]} : is_upsample ? {words, 1'b0} : {1'b0, words};
  wire [31:0] second_at = is_depth ? layer_i.quarter : {14'd0, layer_i.stored_row};
  wire [1:0]  word = is_depth ? {beat_q[0], second_q} : is_upsample ? beat_q[2:1] : beat_q[1:0];

  assign beat_first_o = beat_q == 0;
  assign beat_valid_o = running_q & entry_valid_i & ~(stop_i & beat_first_o);
  assign offset_o = at_q + (second_q ? second_at : 32'd0);
  assign beats_o = {2'd0, beats};
  assign beat_o = entry_i[64*word +: 64];

  wire taken = beat_valid_o & beat_ready_i;
  wire last_beat = {1'b0, beat_q} + 4'd1 == beats;
  assign entry_pop_o = taken & last_beat & (second_q | ~(is_depth | is_upsample));

  wire last_part = ~layer_i.raw | (part_q == 2'd3);
  wire [10:0] x_next = x_q + (layer_i.raw ? 11'd1 : 11'd4);
  wire last_x = x_next >= layer_i.out_w;
  wire last_y = y_q + 11'd1 == layer_i.out_h;
  wire last_block = block_q + 6'd1 == layer_i.cb_out;
  wire [31:0] entry_bytes = is_depth ? 32'd16 : is_upsample ? 32'd64 : 32'd32;

  // Space-to-depth: an even row goes to the first two quarters, the odd one to the same place in the others.
  wire [31:0] row_bytes = {14'd0, layer_i.stored_row};
  wire [31:0] half = {layer_i.quarter[30:0], 1'b0};
  wire [31:0] row_step = is_upsample ? row_bytes << 1 : ~is_depth ? row_bytes : y_q[0] ? row_bytes - half : half;

  always_ff @(posedge clk_i) begin
    if (taken) beat_q <= last_beat ? 3'd0 : beat_q + 3'd1;
    if (taken && last_beat) second_q <= ~second_q & (is_depth | is_upsample);
    if (entry_pop_o) begin
      part_q <= layer_i.raw ? part_q + 2'd1 : 2'd0;
      at_q   <= at_q + entry_bytes;
      if (last_part) begin
        x_q <= x_next;
        if (last_x) begin
          x_q      <= '0;
          y_q      <= y_q + 11'd1;
          row_at_q <= row_at_q + row_step;
          at_q     <= row_at_q + row_step;
          if (last_y) begin
            y_q        <= '0;
            block_q    <= block_q + 6'd1;
            block_at_q <= block_at_q + layer_i.dst_pitch;
            row_at_q   <= block_at_q + layer_i.dst_pitch;
            at_q       <= block_at_q + layer_i.dst_pitch;
            if (last_block) begin
              running_q <= 1'b0;
              done_o    <= 1'b1;
            end
          end
        end
      end
    end
    if (start_i) begin
      running_q <= 1'b1;
      done_o    <= 1'b0;
      {second_q, beat_q, block_q, y_q, x_q, part_q} <= '0;
      {block_at_q, row_at_q, at_q} <= {3{layer_i.dst}};
    end
    if (!rst_ni || clear_i) begin
      running_q <= 1'b0;
      done_o    <= 1'b0;
      beat_q    <= '0;
    end
  end

`ifdef FORMAL
  // No burst leaves its row of the plane, whatever the layer: the checks of accel_check then hold for every access.
  layer_t layer_q;                           // a layer does not change while it runs
  logic is_first_q = 1'b1;
  always_ff @(posedge clk_i) begin
    is_first_q <= 1'b0;
    layer_q    <= layer_i;
  end
  wire [11:0] stored_w = is_depth ? layer_i.out_w >> 1 : is_upsample ? layer_i.out_w << 1 : layer_i.out_w;
  wire [17:0] wanted_row = ((stored_w + 18'd3) & ~18'd3) << (layer_i.raw ? 7 : 3);
  wire [17:0] x_bytes = layer_i.raw ? {x_q, part_q, 5'd0} : is_depth ? x_q << 2 : is_upsample ? x_q << 4 : x_q << 3;
  always_comb begin
    if (is_first_q) assume (!rst_ni);
    assume (is_first_q || layer_i == layer_q);
    assume (layer_i.out_w >= 1 && layer_i.out_w <= 1024 && layer_i.out_h >= 1 && layer_i.out_h <= 1024);
    assume (layer_i.cb_out >= 1 && layer_i.cb_out <= 32 && layer_i.store != 3 && !(layer_i.raw && layer_i.store != 0));
    assume (!(is_depth && (layer_i.out_w[0] || layer_i.out_h[0])) && layer_i.stored_row == wanted_row);
    if (!is_first_q && running_q) begin
      assert (x_q < layer_i.out_w && y_q < layer_i.out_h && block_q < layer_i.cb_out);
      assert (at_q == row_at_q + x_bytes);
      assert (layer_i.raw || part_q == 0);
      assert (layer_i.raw || x_q[1:0] == 0);
      assert (!(second_q && !is_depth && !is_upsample));
      assert (beat_q < beats);
      assert (x_bytes + (beats << 3) <= layer_i.stored_row);
    end
  end
`endif
endmodule
`default_nettype wire
