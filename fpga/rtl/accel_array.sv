// SPDX-License-Identifier: Apache-2.0
// The array: PX pixels x 32 outputs, each the sum over 32 input lanes of weight (+1, -1) times activation (0..3), added
// up over the steps of a group with the place value of the digit. A sum stays where it grows (output stationary).
//
//   words, weights -> registers -> accel_dot -> (2 sum - total) << 2 digit -> accumulator
//   step_i            clock 1      2 3 4        5                             6: step_o with last, sums complete
//
// One step a clock; steps without `valid` change nothing. `total`, the sum of all activations, serves all outputs.
`default_nettype none
module accel_array
  import accel_pkg::*;
#(
  parameter int PX = 4,
  parameter int Outputs = Lanes              // fewer to place a slice alone
) (
  input  wire                                clk_i, rst_ni,
  input  wire step_t                         step_i,
  input  wire  [PX-1:0][63:0]                word_i,     // pixel words: plane 1, plane 0
  input  wire  [Outputs-1:0][31:0]           weight_i,
  output wire step_t                         step_o,     // the step whose sum has just been added
  output wire  [PX-1:0][Outputs-1:0][AccBits-1:0] acc_o
);
  localparam int Latency = 6;
  logic [Outputs-1:0][31:0] weight_q;
  logic [PX-1:0][63:0]    word_q;
  logic [Latency-1:0][$bits(step_t)-1:0] pipe_q;
  step_t                  shift, add;

  assign step_o = pipe_q[Latency-1];
  assign shift  = pipe_q[3];
  assign add    = pipe_q[4];
  always_ff @(posedge clk_i) begin
    weight_q <= weight_i;
    word_q   <= word_i;
    pipe_q   <= rst_ni ? {pipe_q[Latency-2:0], step_i} : '0;
  end

  for (genvar p = 0; p < PX; p++) begin : g_pixel
    wire [6:0] total;
    accel_dot u_total (.clk_i, .plane0_i(word_q[p][31:0]), .plane1_i(word_q[p][63:32]), .weight_i(32'hFFFF_FFFF), .sum_o(total));
    for (genvar o = 0; o < Outputs; o++) begin : g_output
      wire [6:0] sum;
      logic signed [AccBits-1:0] term_q, acc_q;
      wire signed [8:0] dot = $signed({1'b0, sum, 1'b0}) - $signed({2'b00, total});
      accel_dot u_dot (
        .clk_i, .plane0_i(word_q[p][31:0]), .plane1_i(word_q[p][63:32]), .weight_i(weight_q[o]), .sum_o(sum)
      );
      always_ff @(posedge clk_i) begin
        term_q <= AccBits'(dot) <<< {shift.digit, 1'b0};
        if (add.valid) acc_q <= add.first ? term_q : acc_q + term_q;
      end
      assign acc_o[p][o] = acc_q;
    end
  end
endmodule
`default_nettype wire
