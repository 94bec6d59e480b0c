// SPDX-License-Identifier: Apache-2.0
// Credits of the store FIFO: a group of pixels may begin only when the FIFO can take what all groups under way will push
// and one group more. So the FIFO never overflows and nothing between the sequencer and it has to stall.
//
//   clk         0     1      ..    8     ..    11    12
//   begin_i     1     0
//   done_i                         1     0
//   reserved          +cost                          -cost     when the group's entries are counted in the FIFO
`default_nettype none
module accel_room #(
  parameter int PX = 4,
  parameter int Depth = 64
) (
  input  wire                      clk_i, rst_ni,
  input  wire                      clear_i,
  input  wire                      raw_i,
  input  wire                      begin_i,   // only while room_o
  input  wire                      done_i,    // the post unit has selected the last pixel of a group
  input  wire  [$clog2(Depth)+1:0] entries_i,
  output wire                      room_o
);
  localparam int Bits = $clog2(Depth) + 2;
  wire  [Bits-1:0] cost = raw_i ? Bits'(4 * PX) : Bits'(1);
  logic [Bits-1:0] reserved_q;
  logic [2:0]      done_q;
  assign room_o = entries_i + reserved_q + cost <= Bits'(Depth);
  always_ff @(posedge clk_i)
    if (!rst_ni || clear_i) begin
      reserved_q <= '0;
      done_q     <= '0;
    end else begin
      done_q     <= {done_q[1:0], done_i};
      reserved_q <= reserved_q + (begin_i ? cost : Bits'(0)) - (done_q[2] ? cost : Bits'(0));
    end

`ifdef FORMAL
  // Groups push at most what they reserved, at any time until that is given back; the reader pops at any time.
  (* anyseq *) logic push, pop;
  (* anyconst *) logic raw;
  logic            is_first_q = 1'b1;
  logic [Bits-1:0] entries_q;                  // in the FIFO
  logic [Bits-1:0] owed_q;                     // reserved and not yet pushed
  logic [Bits-1:0] under_way_q;                // groups whose reservation is not given back
  wire  [Bits-1:0] finishing = done_q[0] + done_q[1] + done_q[2];
  wire  [Bits-1:0] still_reserved = reserved_q - (done_q[2] ? cost : Bits'(0));
  wire  [Bits-1:0] still_owed = owed_q - push;
  always_ff @(posedge clk_i) begin
    is_first_q <= 1'b0;
    if (!rst_ni || clear_i) {entries_q, owed_q, under_way_q} <= '0;
    else begin
      entries_q   <= entries_q + push - pop;
      owed_q      <= (still_owed > still_reserved ? still_reserved : still_owed) + (begin_i ? cost : Bits'(0));
      under_way_q <= under_way_q + begin_i - done_q[2];
    end
  end
  always_comb begin
    if (is_first_q) assume (!rst_ni);
    assume (raw_i == raw && entries_i == entries_q);
    if (owed_q == 0) assume (!push);
    if (entries_q == 0) assume (!pop);
    if (!room_o) assume (!begin_i);
    if (under_way_q <= finishing) assume (!done_i);     // no group is done that has not begun
    if (!is_first_q) begin
      assert (entries_q + owed_q <= Depth);             // so the FIFO never overflows
      assert (owed_q <= reserved_q);
      assert (reserved_q <= Depth && finishing <= under_way_q);
      assert (reserved_q == (raw ? 4 * PX * under_way_q : under_way_q));
    end
  end
`endif
endmodule
`default_nettype wire
