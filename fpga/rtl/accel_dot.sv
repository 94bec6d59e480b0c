// SPDX-License-Identifier: Apache-2.0
// Sum of the 2-bit activations of 32 lanes whose weight bit is 1, 0..96; three clocks.
//
//   planes, weight -> AND, counts of 8 lanes -> sums of the planes c0, c1 -> c0 + 2 c1 -> sum_o
//
//   clk      0        1          2           3
//            A        counts A   c0, c1 A    sum_o A
//            B        counts B   ..
`default_nettype none
module accel_dot (
  input  wire         clk_i,
  input  wire  [31:0] plane0_i, plane1_i,
  input  wire  [31:0] weight_i,
  output logic [6:0]  sum_o
);
  localparam int Parts = 4;                  // a count of all 32 lanes in one clock is the longest path of the unit
  wire  [31:0] taken0 = plane0_i & weight_i, taken1 = plane1_i & weight_i;
  logic [Parts-1:0][3:0] part0_q, part1_q;
  logic [5:0]  count0_q, count1_q;
  for (genvar i = 0; i < Parts; i++) begin : g_part
    always_ff @(posedge clk_i) begin
      part0_q[i] <= 4'($countones(taken0[8*i +: 8]));
      part1_q[i] <= 4'($countones(taken1[8*i +: 8]));
    end
  end
  always_ff @(posedge clk_i) begin
    count0_q <= ({2'd0, part0_q[0]} + {2'd0, part0_q[1]}) + ({2'd0, part0_q[2]} + {2'd0, part0_q[3]});
    count1_q <= ({2'd0, part1_q[0]} + {2'd0, part1_q[1]}) + ({2'd0, part1_q[2]} + {2'd0, part1_q[3]});
    sum_o    <= {1'b0, count0_q} + {count1_q, 1'b0};
  end
endmodule
`default_nettype wire
