// SPDX-License-Identifier: Apache-2.0
// Sum of the 2-bit activations of 32 lanes whose weight bit is 1, 0..96; three clocks.
//
//   planes, weight -> AND, count per plane -> c0 + 2 c1 -> register -> sum_o
//
//   clk      0        1          2           3
//            A        counts A   c0 + 2 c1   sum_o A
//            B        counts B   ..
`default_nettype none
module accel_dot (
  input  wire         clk_i,
  input  wire  [31:0] plane0_i, plane1_i,
  input  wire  [31:0] weight_i,
  output logic [6:0]  sum_o
);
  logic [5:0] count0_q, count1_q;
  logic [6:0] sum_q;
  always_ff @(posedge clk_i) begin
    count0_q <= 6'($countones(plane0_i & weight_i));
    count1_q <= 6'($countones(plane1_i & weight_i));
    sum_q    <= {1'b0, count0_q} + {count1_q, 1'b0};
    sum_o    <= sum_q;
  end
endmodule
`default_nettype wire
