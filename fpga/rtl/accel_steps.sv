// SPDX-License-Identifier: Apache-2.0
// The sequencer: output block, row, group of PX pixels, kernel row, kernel column, input block and digit, innermost last;
// one step of the array a clock.
//
// A group begins when its weights and its last input row are in the buffers, when the group before began as many clocks
// ago as the post unit needs for one (so that it is always free when a sum is complete), and when the store FIFO has
// room for all groups under way: behind this point nothing can stall.
//
//   clk       0     1     2          9         10
//   group     a     a     a   ...    a         b          9 steps of a 3x3 kernel and one input block
//   step_o    first -     -          last      first
//
// Addresses come by additions only; rows above the image wrap around the buffer and are masked.
`default_nettype none
module accel_steps
  import accel_pkg::*;
#(
  parameter int PX = 4
) (
  input  wire          clk_i, rst_ni,
  input  wire          start_i,
  input  wire          clear_i,              // forget the layer
  input  wire layer_t  layer_i,
  input  wire  [10:0]  rows_i,               // in the buffers
  input  wire  [5:0]   blocks_i,
  input  wire          room_i,               // the store FIFO can take one more group
  output logic         begin_o,              // a group begins
  output step_t        step_o,
  output logic [11:0]  row_o, column_o,      // see accel_buffer
  output logic         inside_o,
  output logic [9:0]   weight_row_o,
  output wire  [5:0]   block_o,              // at work
  output logic         wait_load_o, wait_store_o
);
  logic         running_q, head_q;           // head: no step of the group has been made
  logic [5:0]   block_q;
  logic         odd_q;
  logic [10:0]  y_q, x_q;
  logic [1:0]   ky_q, kx_q;
  logic [7:0]   plane_q;
  logic [1:0]   digit_q;
  logic [8:0]   tap_q;
  logic [6:0]   spacing_q;
  logic [11:0]  window_q, line_q, at_q;      // buffer rows: window's first image row, kernel row, plane in it

  wire [1:0]  last_k = layer_i.k3 ? 2'd2 : 2'd0;
  wire [11:0] row_words = layer_i.row_words[11:0];
  wire [11:0] top = layer_i.pad_top ? 12'd0 - row_words : 12'd0;

  // The last image row under the window; rows below the image are not waited for.
  wire [11:0] reach = {1'b0, y_q} + {10'd0, last_k} + 12'd1 - {11'd0, layer_i.pad_top};
  wire [11:0] needed = reach > {1'b0, layer_i.h} ? {1'b0, layer_i.h} : reach;
  wire        is_loaded = (blocks_i > block_q) & ({1'b0, rows_i} >= needed);
  wire        may_begin = is_loaded & room_i & (spacing_q == 0);
  wire        make = running_q & (~head_q | may_begin);
  assign block_o = block_q;
  assign begin_o = running_q & head_q & may_begin;
  assign wait_load_o = running_q & head_q & ~is_loaded;
  assign wait_store_o = running_q & head_q & is_loaded & ~room_i;

  wire last_digit = digit_q + 2'd1 == layer_i.digits[1:0];   // four digits wrap to zero
  wire last_plane = plane_q + 8'd1 == layer_i.planes;
  wire last_kx = kx_q == last_k;
  wire last_step = last_plane & last_kx & (ky_q == last_k);
  wire [11:0] x_next = {1'b0, x_q} + 12'(PX);
  wire last_x = x_next >= {1'b0, layer_i.out_w};
  wire last_y = y_q + 11'd1 == layer_i.out_h;
  wire last_block = block_q + 6'd1 == layer_i.cb_out;
  wire [10:0] left = layer_i.out_w - x_q;

  wire signed [12:0] input_y = $signed({2'b0, y_q}) + $signed({11'b0, ky_q}) - $signed({12'b0, layer_i.pad_top});

  always_ff @(posedge clk_i) begin
    step_o.valid             <= make;
    step_o.first             <= head_q;
    step_o.last              <= last_step;
    step_o.digit             <= digit_q;
    step_o.group.block_first <= (y_q == 0) & (x_q == 0);
    step_o.group.row_last    <= last_x;
    step_o.group.x           <= x_q[1:0];
    step_o.group.pixels      <= left > 11'(PX) ? 3'(PX) : left[2:0];
    row_o                    <= at_q;
    column_o                 <= {1'b0, x_q} + {10'd0, kx_q} - {11'd0, layer_i.pad_left};
    inside_o                 <= ~input_y[12] & (input_y < $signed({2'b0, layer_i.h}));
    weight_row_o             <= {1'b0, tap_q} + (odd_q ? 10'(WeightSteps) : 10'd0);
    if (spacing_q != 0) spacing_q <= spacing_q - 7'd1;
    if (begin_o) spacing_q <= layer_i.raw ? 7'(16 * PX - 1) : 7'(PX - 1);
    if (make) begin
      head_q  <= last_step;
      digit_q <= last_digit ? 2'd0 : digit_q + 2'd1;
      if (last_digit) tap_q <= tap_q + 9'd1;
      plane_q <= plane_q + 8'd1;
      at_q    <= at_q + {3'd0, layer_i.groups};
      if (last_plane) begin
        plane_q <= '0;
        kx_q    <= kx_q + 2'd1;
        at_q    <= line_q;
        if (last_kx) begin
          kx_q   <= '0;
          ky_q   <= ky_q + 2'd1;
          line_q <= line_q + row_words;
          at_q   <= line_q + row_words;
        end
      end
      if (last_step) begin
        ky_q   <= '0;
        tap_q  <= '0;
        line_q <= window_q;
        at_q   <= window_q;
        x_q    <= x_next[10:0];
        if (last_x) begin
          x_q      <= '0;
          y_q      <= y_q + 11'd1;
          window_q <= window_q + row_words;
          line_q   <= window_q + row_words;
          at_q     <= window_q + row_words;
          if (last_y) begin
            y_q     <= '0;
            block_q <= block_q + 6'd1;
            odd_q   <= ~odd_q;
            {window_q, line_q, at_q} <= {3{top}};
            if (last_block) running_q <= 1'b0;
          end
        end
      end
    end
    if (start_i) begin
      running_q <= 1'b1;
      head_q    <= 1'b1;
      {block_q, odd_q, y_q, x_q, ky_q, kx_q, plane_q, digit_q, tap_q, spacing_q} <= '0;
      {window_q, line_q, at_q} <= {3{top}};
    end
    if (!rst_ni || clear_i) begin
      running_q    <= 1'b0;
      step_o.valid <= 1'b0;
    end
  end

`ifdef FORMAL
  // Counters stay in range, weights are read in order, and sums are complete no faster than the post unit takes them.
  layer_t layer_q;                           // a layer does not change while it runs
  logic       is_first_q = 1'b1;
  logic [6:0] since_last_q;                  // clocks since the last step of a group, saturating
  logic [7:0] made_q;                        // steps of the group
  wire  [6:0] free = layer_i.raw ? 7'(16 * PX) : 7'(PX);
  wire  [3:0] kernel = layer_i.k3 ? 4'd9 : 4'd1;
  wire  [7:0] length = kernel * layer_i.planes;
  wire        is_last = make & last_step;
  always_ff @(posedge clk_i) begin
    is_first_q <= 1'b0;
    layer_q    <= layer_i;
    if (!rst_ni || start_i) begin
      since_last_q  <= '1;
      made_q        <= '0;
    end else begin
      since_last_q  <= is_last ? 7'd1 : since_last_q == '1 ? since_last_q : since_last_q + 7'd1;
      if (make) made_q <= last_step ? 8'd0 : made_q + 8'd1;
    end
  end
  always_comb begin
    if (is_first_q) assume (!rst_ni);
    if (running_q) assume (!start_i);
    assume (is_first_q || layer_i == layer_q);
    assume (layer_i.cb_in >= 1 && layer_i.cb_in <= 2 && layer_i.digits >= 1 && layer_i.digits <= 4);
    assume (layer_i.planes == layer_i.cb_in * layer_i.digits && layer_i.taps == kernel * layer_i.cb_in);
    assume (layer_i.out_w >= 1 && layer_i.out_h >= 1 && layer_i.out_w <= 1024 && layer_i.out_h <= 1024 && layer_i.cb_out >= 1);
    assume (layer_i.h >= 1 && layer_i.h <= 1024 && layer_i.w >= 1 && layer_i.w <= 1024);
    if (!is_first_q && running_q) begin
      assert (x_q < layer_i.out_w && y_q < layer_i.out_h && block_q < layer_i.cb_out);
      assert (x_q[1:0] % PX == 0);
      assert (kx_q <= last_k && ky_q <= last_k && plane_q < layer_i.planes && {1'b0, digit_q} < layer_i.digits);
      assert (made_q == (ky_q * (layer_i.k3 ? 2'd3 : 2'd1) + kx_q) * layer_i.planes + plane_q);
      assert (made_q < length && head_q == (made_q == 0));
      assert (tap_q * layer_i.digits + digit_q == made_q && tap_q < layer_i.taps);
      if (begin_o) assert (blocks_i > block_q && room_i);
      // Groups are of one length: begins that keep the distance make ends that keep it.
      if (head_q) assert (10'(since_last_q) + length - 10'd1 + spacing_q >= free);
      else assert (10'(since_last_q) + length - 10'd1 - made_q >= free && 10'(spacing_q) + made_q >= free);
      if (is_last) assert (since_last_q >= free);
    end
  end
`endif
endmodule
`default_nettype wire
