// SPDX-License-Identifier: Apache-2.0
// From complete sums to what is stored, one pixel a clock: 32 lanes are compared with three thresholds each and become
// the two planes of a code word; raw sums leave as they are, 8 lanes every fourth clock, 16 clocks a pixel.
//
//   clk      0      1        2         3        4
//   step_i   last
//            sums   pixel 0  pixel 1   pixel 2  pixel 3      of the held group, selected
//                            compare 0 1        2            words of up to 4 pixels, aligned to 4 columns, make an entry
//
// An entry is 32 bytes: words of 4 columns, or 8 sums of a pixel. Thresholds come in while the block before is at work;
// they take over with the first pixel of their block, and blocks_o counts that.
`default_nettype none
module accel_post
  import accel_pkg::*;
#(
  parameter int PX = 4
) (
  input  wire                                   clk_i, rst_ni,
  input  wire                                   start_i, clear_i,
  input  wire                                   raw_i,
  input  wire step_t                            step_i,
  input  wire  [PX-1:0][Lanes-1:0][AccBits-1:0] acc_i,
  input  wire                                   threshold_write_i,
  input  wire  [5:0]                            threshold_at_i,
  input  wire  [63:0]                           threshold_i,
  output logic [5:0]                            blocks_o,     // whose thresholds are in use or have been
  output logic                                  done_o,       // a group has left its sums
  output logic                                  push_o,
  output logic [255:0]                          entry_o
);
  logic [PX-1:0][Lanes-1:0][AccBits-1:0] held_q;
  group_t      group_q;
  logic        active_q;
  logic [6:0]  clock_q;                      // of the group: pixel, and with raw sums 16 clocks of each
  wire [2:0]   pixel = raw_i ? clock_q[6:4] : clock_q[2:0];
  // With the last pixel that exists: the store unit may be done, and another layer begin, soon after it.
  wire         last_clock = (pixel + 3'd1 >= group_q.pixels) & (~raw_i | (clock_q[3:0] == 4'd15));
  wire         takes = step_i.valid & step_i.last;
  wire         exists = pixel < group_q.pixels;
  wire         switch = active_q & group_q.block_first & (clock_q == 0);
  assign done_o = active_q & last_clock;

  always_ff @(posedge clk_i) begin
    if (takes) begin
      held_q  <= acc_i;
      group_q <= step_i.group;
    end
    active_q <= takes | (active_q & ~last_clock);
    clock_q  <= takes ? 7'd0 : clock_q + 7'd1;
    if (!rst_ni || clear_i) active_q <= 1'b0;
  end

  always_ff @(posedge clk_i)
    if (!rst_ni || start_i) blocks_o <= '0;
    else if (switch) blocks_o <= blocks_o + 6'd1;

  // Thresholds beyond the range of sums mean "always" or "never", as the nearest value that fits does.
  function automatic logic [AccBits-1:0] clamped(input logic [31:0] value);
    if (value[31:AccBits-1] == '0 || value[31:AccBits-1] == '1) clamped = value[AccBits-1:0];
    else clamped = {value[31], {(AccBits - 1){~value[31]}}};
  endfunction
  wire [AccBits-1:0] threshold_low = clamped(threshold_i[31:0]), threshold_high = clamped(threshold_i[63:32]);

  // ---- one pixel ----
  logic [Lanes-1:0][AccBits-1:0] sums_q;
  logic       compare_q, flush_q;
  logic [1:0] place_q;
  logic       raw_push_q;
  logic [1:0] part_q;
  always_ff @(posedge clk_i) begin
    sums_q     <= held_q[pixel[$clog2(PX > 1 ? PX : 2)-1:0]];
    compare_q  <= active_q & ~raw_i & exists;
    flush_q    <= group_q.row_last & (pixel + 3'd1 == group_q.pixels);
    place_q    <= group_q.x + pixel[1:0];
    raw_push_q <= active_q & raw_i & exists & (clock_q[1:0] == 2'd0);
    part_q     <= clock_q[3:2];
    if (!rst_ni || clear_i) {compare_q, raw_push_q} <= '0;
  end

  wire [Lanes-1:0] low, high;
  for (genvar o = 0; o < Lanes; o++) begin : g_lane
    logic signed [AccBits-1:0] next0_q, next1_q, next2_q, now0_q, now1_q, now2_q;
    wire is_mine = threshold_write_i & (threshold_at_i[5:1] == 5'(o));
    always_ff @(posedge clk_i) begin
      if (is_mine && !threshold_at_i[0]) begin
        next0_q <= threshold_low;
        next1_q <= threshold_high;
      end
      if (is_mine && threshold_at_i[0]) next2_q <= threshold_low;
      if (switch) begin
        now0_q <= next0_q;
        now1_q <= next1_q;
        now2_q <= next2_q;
      end
    end
    wire signed [AccBits-1:0] sum = sums_q[o];
    wire r0 = sum >= now0_q, r1 = sum >= now1_q, r2 = sum >= now2_q;
    assign low[o]  = r0 ^ r1 ^ r2;
    assign high[o] = (r0 & r1) | (r2 & (r0 | r1));
  end

  // ---- entries ----
  wire [Lanes*AccBits-1:0] all = sums_q;
  wire [8*AccBits-1:0]     part = all[8 * AccBits * part_q +: 8 * AccBits];
  wire [255:0]             wide;
  for (genvar i = 0; i < 8; i++) begin : g_sum
    assign wide[32*i +: 32] = {{(32 - AccBits){part[AccBits*i + AccBits - 1]}}, part[AccBits*i +: AccBits]};
  end
  always_ff @(posedge clk_i) begin
    if (compare_q) entry_o[64*place_q +: 64] <= {high, low};
    if (raw_push_q) entry_o <= wide;
    push_o <= raw_push_q | (compare_q & (flush_q | (place_q == 2'd3)));
    if (!rst_ni || clear_i) push_o <= 1'b0;
  end
endmodule
`default_nettype wire
