// SPDX-License-Identifier: Apache-2.0
// One Avalon-MM master for all: the store unit's bursts first, then the ring's writes and reads, then the loads. Every
// access is checked against the arena; one that leaves it is swallowed and reported, nothing stray reaches the memory.
//
//   ring, store --write--+
//                        +-> check -> output register -> mem_*      (kept while waitrequest is high)
//   ring, load  --read---+       \-> tags of open reads -> who gets the beats that come back, in order
//
//   clk             0      1      2      3
//   store beats     A0     A1     A2     B0        a write burst is not interleaved with anything
//   mem_write_o            A0     A1     A2
`default_nettype none
module accel_bus (
  input  wire         clk_i, rst_ni,
  input  wire  [31:0] arena_base_i, arena_size_i,
  // writes; offsets in the arena
  input  wire         store_valid_i, store_first_i,
  input  wire  [31:0] store_offset_i,
  input  wire  [5:0]  store_beats_i,
  input  wire  [63:0] store_data_i,
  output wire         store_ready_o,
  input  wire         record_valid_i,       // single beats
  input  wire  [31:0] record_offset_i,
  input  wire  [63:0] record_data_i,
  output wire         record_ready_o,
  // reads
  input  wire         fetch_valid_i,
  input  wire  [31:0] fetch_offset_i,
  input  wire  [5:0]  fetch_beats_i,
  output wire         fetch_ready_o,
  output wire         fetch_beat_o,
  input  wire         load_valid_i,
  input  wire  [31:0] load_offset_i,
  input  wire  [5:0]  load_beats_i,
  output wire         load_ready_o,
  output wire         load_beat_o,
  output wire  [63:0] beat_o,
  // state
  output wire         idle_o,               // nothing is open
  output logic        outside_o,            // an access, or a beat of a write burst, was swallowed
  output wire         fault_o,              // one clock: the memory answered with an error
  // memory
  output logic [31:0] mem_address_o,
  output logic        mem_read_o, mem_write_o,
  output logic [5:0]  mem_burstcount_o,
  output logic [63:0] mem_writedata_o,
  output wire  [7:0]  mem_byteenable_o,
  input  wire         mem_waitrequest_i, mem_readdatavalid_i,
  input  wire  [63:0] mem_readdata_i,
  input  wire  [1:0]  mem_response_i
);
  localparam int Open = 8;                  // read bursts at a time
  assign mem_byteenable_o = 8'hFF;          // all that is written is whole words

  wire free = ~(mem_read_o | mem_write_o) | ~mem_waitrequest_i;

  // ---- choice ----
  logic [5:0] burst_left_q;                 // beats of the store's burst that are still to come
  logic       tags_full;
  wire  in_burst = burst_left_q != 0;
  wire  store = store_valid_i;
  wire  record = ~in_burst & ~store & record_valid_i;
  wire  fetch = ~in_burst & ~store & ~record_valid_i & fetch_valid_i & ~tags_full;
  wire  load = ~in_burst & ~store & ~record_valid_i & ~fetch_valid_i & load_valid_i & ~tags_full;
  assign store_ready_o = free;
  assign record_ready_o = free & record;
  assign fetch_ready_o = free & fetch;
  assign load_ready_o = free & load;

  wire [31:0] offset = store ? store_offset_i : record ? record_offset_i : fetch ? fetch_offset_i : load_offset_i;
  wire [5:0]  beats = store ? store_beats_i : record ? 6'd1 : fetch ? fetch_beats_i : load_beats_i;
  wire [32:0] last = {1'b0, offset} + {24'd0, beats, 3'd0};
  wire        is_outside = ~in_burst & (last > {1'b0, arena_size_i});
  wire        write = store | record;
  wire        read = fetch | load;

  always_ff @(posedge clk_i) begin
    outside_o <= free & (write | read) & is_outside;
    if (free) begin
      mem_write_o      <= write & ~is_outside;
      mem_read_o       <= read & ~is_outside;
      mem_address_o    <= in_burst ? mem_address_o : arena_base_i + offset;
      mem_burstcount_o <= in_burst ? mem_burstcount_o : beats;
      mem_writedata_o  <= store ? store_data_i : record_data_i;
      if (store) burst_left_q <= (store_first_i ? store_beats_i : burst_left_q) - 6'd1;
      if (store && is_outside) burst_left_q <= '0;
    end
    if (!rst_ni) {mem_write_o, mem_read_o, burst_left_q, outside_o} <= '0;
  end

  // ---- open reads ----
  logic [Open-1:0]      is_fetch_q;
  logic [Open-1:0][5:0] beats_q;
  logic [3:0]           put_q, get_q;
  logic [5:0]           come_q;             // beats of the oldest burst that have come
  wire  [2:0]           oldest = get_q[2:0];
  wire  [3:0]           n_open = put_q - get_q;
  wire                  put = free & read & ~is_outside;
  wire                  get = mem_readdatavalid_i & (come_q + 6'd1 == beats_q[oldest]);
  assign tags_full = n_open == 4'(Open);
  assign beat_o = mem_readdata_i;
  assign fetch_beat_o = mem_readdatavalid_i & is_fetch_q[oldest];
  assign load_beat_o = mem_readdatavalid_i & ~is_fetch_q[oldest];
  assign fault_o = mem_readdatavalid_i & (mem_response_i != 0);
  assign idle_o = ~mem_read_o & ~mem_write_o & ~in_burst & (n_open == 0);

  always_ff @(posedge clk_i) begin
    if (put) begin
      is_fetch_q[put_q[2:0]] <= fetch;
      beats_q[put_q[2:0]]    <= beats;
      put_q                  <= put_q + 4'd1;
    end
    if (mem_readdatavalid_i) come_q <= get ? 6'd0 : come_q + 6'd1;
    if (get) get_q <= get_q + 4'd1;
    if (!rst_ni) {put_q, get_q, come_q} <= '0;
  end

`ifdef FORMAL
  (* anyconst *) logic [31:0] base, size;
  logic       is_first_q = 1'b1, held_q;
  logic [5:0] left_q;                         // beats of the write burst on the bus that the memory has not taken
  wire  [32:0] ends = {1'b0, mem_address_o - base} + {24'd0, mem_burstcount_o, 3'd0};
  wire        taken = (mem_read_o | mem_write_o) & ~mem_waitrequest_i;
  always_ff @(posedge clk_i) begin
    is_first_q <= 1'b0;
    held_q     <= rst_ni & (mem_read_o | mem_write_o) & mem_waitrequest_i;
    if (!rst_ni) left_q <= '0;
    else if (taken & mem_write_o) left_q <= (left_q == 0 ? mem_burstcount_o : left_q) - 6'd1;
    if (held_q && !is_first_q) begin          // a command stays as it is until it is taken
      assert ($stable(mem_address_o) && $stable(mem_burstcount_o) && $stable(mem_writedata_o));
      assert ($stable(mem_read_o) && $stable(mem_write_o));
    end
  end
  always_comb begin
    if (is_first_q) assume (!rst_ni);
    assume (arena_base_i == base && arena_size_i == size);
    assume (store_first_i == ~in_burst && store_beats_i >= 1 && store_beats_i <= 8);
    assume (fetch_beats_i >= 1 && fetch_beats_i <= 32 && load_beats_i >= 1 && load_beats_i <= 32);
    if (n_open == 0) assume (!mem_readdatavalid_i);
    if (!is_first_q) begin
      assert (!(mem_read_o && mem_write_o));
      if (mem_read_o || (mem_write_o && left_q == 0)) begin
        assert (ends <= {1'b0, size});        // nothing outside the arena
        assert (mem_burstcount_o >= 1 && mem_burstcount_o <= 32);
      end
      if (left_q != 0) assert (!mem_read_o);  // a write burst is not interrupted
      if (mem_write_o) assert ((left_q == 0 ? mem_burstcount_o : left_q) == burst_left_q + 1);
      else assert (left_q == burst_left_q);
      assert (n_open <= Open);
    end
  end
`endif
endmodule
`default_nettype wire
