// SPDX-License-Identifier: Apache-2.0
// Activation and weight buffers, and the window that the array sees.
//
//   activations: 4 banks by column modulo 4, [row of the image][plane][group of 4 columns], so that PX neighbouring
//   pixels, also across a group, lie in different banks and come in one clock.
//
//   clk       0            1             2
//   read      address  ->  bank words -> turned into place, pixels outside the image set to zero: word_o
`default_nettype none
module accel_buffer
  import accel_pkg::*;
#(
  parameter int PX = 4
) (
  input  wire                    clk_i, rst_ni,
  // loading
  input  wire                    word_write_i,
  input  wire  [13:0]            word_at_i,
  input  wire  [63:0]            word_i,
  input  wire                    weight_write_i,
  input  wire  [9:0]             weight_at_i,
  input  wire  [1023:0]          weight_i,
  // one step
  input  wire step_t             step_i,
  input  wire  [11:0]            row_i,        // row of the banks that holds group 0 of the wanted image row and plane
  input  wire  [11:0]            column_i,     // signed column of the first pixel, -1 and up
  input  wire                    inside_i,     // the image row exists
  input  wire  [10:0]            width_i,
  input  wire  [9:0]             weight_row_i,
  output step_t                  step_o,
  output logic [PX-1:0][63:0]    word_o,
  output logic [Lanes-1:0][31:0] weight_o
);
  logic [63:0]    bank0 [BufferRows], bank1 [BufferRows], bank2 [BufferRows], bank3 [BufferRows];
  logic [1023:0]  weights [2*WeightSteps];
  logic [3:0][63:0] bank_q;
  logic [1023:0]  weight_q;
  logic [1:0]     turn_q;
  logic [PX-1:0]  inside_q;
  step_t          step_q;

  // A bank left of the first pixel's serves a pixel of the next group.
  wire [11:0] first = row_i + {{2{column_i[11]}}, column_i[11:2]};
  wire [11:0] next = first + 12'd1;
  wire [11:0] from0 = column_i[1:0] > 2'd0 ? next : first;
  wire [11:0] from1 = column_i[1:0] > 2'd1 ? next : first;
  wire [11:0] from2 = column_i[1:0] > 2'd2 ? next : first;

  always_ff @(posedge clk_i) begin
    if (word_write_i && word_at_i[1:0] == 2'd0) bank0[word_at_i[13:2]] <= word_i;
    if (word_write_i && word_at_i[1:0] == 2'd1) bank1[word_at_i[13:2]] <= word_i;
    if (word_write_i && word_at_i[1:0] == 2'd2) bank2[word_at_i[13:2]] <= word_i;
    if (word_write_i && word_at_i[1:0] == 2'd3) bank3[word_at_i[13:2]] <= word_i;
    bank_q[0] <= bank0[from0];
    bank_q[1] <= bank1[from1];
    bank_q[2] <= bank2[from2];
    bank_q[3] <= bank3[first];
  end
  always_ff @(posedge clk_i) begin
    if (weight_write_i) weights[weight_at_i] <= weight_i;
    weight_q <= weights[weight_row_i];
  end

  for (genvar p = 0; p < PX; p++) begin : g_pixel
    wire [11:0] column = column_i + 12'(p);
    wire [1:0]  bank = turn_q + 2'(p);
    always_ff @(posedge clk_i) begin
      inside_q[p] <= inside_i & (column < {1'b0, width_i});   // column -1 is 4095
      word_o[p]   <= inside_q[p] ? bank_q[bank] : 64'd0;
    end
  end
  always_ff @(posedge clk_i) begin
    turn_q   <= column_i[1:0];
    weight_o <= weight_q;
    step_q   <= step_i;
    step_o   <= step_q;
    if (!rst_ni) begin
      step_q.valid <= 1'b0;
      step_o.valid <= 1'b0;
    end
  end
endmodule
`default_nettype wire
