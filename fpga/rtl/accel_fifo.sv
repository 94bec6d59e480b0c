// SPDX-License-Identifier: Apache-2.0
// FIFO whose oldest entry stands at the output, two clocks after its push at the earliest.
//
//   push -> [ memory, Depth ] -> [ output register ] -> pop
//
//   clk     0   1   2   3
//   push_i  A   B   -   -
//   valid_o 0   0   1   1        A has gone through the memory
//   data_o  -   -   A   B        popped in clock 2
//   pop_i   0   0   1   0
`default_nettype none
module accel_fifo #(
  parameter int Width = 8,
  parameter int Depth = 64             // power of two
) (
  input  wire                      clk_i, rst_ni,
  input  wire                      clear_i,
  input  wire                      push_i,    // only while count_o < Depth
  input  wire  [Width-1:0]         data_i,
  input  wire                      pop_i,     // only while valid_o
  output logic                     valid_o,
  output logic [Width-1:0]         data_o,
  output wire  [$clog2(Depth)+1:0] count_o    // entries, the one at the output included
);
  localparam int Bits = $clog2(Depth);
  logic [Width-1:0] memory [Depth];
  logic [Bits:0]    write_q, read_q;

  wire [Bits:0] stored = write_q - read_q;
  wire          fill = (stored != 0) & (~valid_o | pop_i);
  assign count_o = {1'b0, stored} + {{(Bits + 1){1'b0}}, valid_o};

  always_ff @(posedge clk_i) begin
    if (push_i) memory[write_q[Bits-1:0]] <= data_i;
    if (fill) data_o <= memory[read_q[Bits-1:0]];
  end
  always_ff @(posedge clk_i)
    if (!rst_ni || clear_i) begin
      write_q <= '0;
      read_q  <= '0;
      valid_o <= 1'b0;
    end else begin
      if (push_i) write_q <= write_q + 1'b1;
      if (fill) read_q <= read_q + 1'b1;
      valid_o <= fill | (valid_o & ~pop_i);
    end

`ifdef FORMAL
  // One entry, any, is followed from push to output; the proof holds for all because the solver chooses it.
  (* anyconst *) logic [Bits:0] chosen;
  logic [Width-1:0] kept_q;
  wire [Bits:0] age = chosen - read_q;         // entries in front of the chosen one
  wire          is_stored = age < stored;
  logic         is_first_q = 1'b1, shows_q = 1'b0;
  logic [Bits+1:0] inside_q;                   // pushed and not popped
  always_ff @(posedge clk_i) begin
    is_first_q <= 1'b0;
    if (push_i && write_q == chosen) kept_q <= data_i;
    inside_q <= !rst_ni || clear_i ? '0 : inside_q + push_i - pop_i;
    if (!rst_ni || clear_i) shows_q <= 1'b0;
    else if (fill) shows_q <= read_q == chosen;
  end
  always_comb begin
    if (is_first_q) assume (!rst_ni);
    if (count_o >= Depth) assume (!push_i);
    if (!valid_o) assume (!pop_i);
    if (!is_first_q) begin
      assert (stored <= Depth);
      assert (count_o == stored + valid_o && count_o == inside_q);
      if (is_stored) assert (memory[chosen[Bits-1:0]] == kept_q);
      if (valid_o && shows_q) assert (read_q == chosen + 1'b1 && data_o == kept_q);
    end
  end
`endif
endmodule
`default_nettype wire
