// SPDX-License-Identifier: Apache-2.0
// The accelerator: a control port for the processor, a memory port, an interrupt.
//
//   csr <-> accel_regs <-> accel_ring <-> accel_check
//                              | start
//   mem <-> accel_bus <-> accel_load -> accel_buffer -> accel_array -> accel_post -> accel_fifo -> accel_store -> accel_bus
//                                          ^ accel_steps                 ^ thresholds from accel_load
`default_nettype none
module accel_top
  import accel_pkg::*;
#(
  parameter int PX = 4,                     // pixels at a time: 1, 2 or 4
  parameter int CLOCK_HZ = 100_000_000
) (
  input  wire         clk_i, rst_ni,        // synchronous reset, active low
  // control: Avalon-MM slave, word address, read latency 1, no waitrequest
  input  wire  [9:0]  csr_address_i,
  input  wire         csr_read_i, csr_write_i,
  input  wire  [31:0] csr_writedata_i,
  output wire  [31:0] csr_readdata_o,
  // memory: Avalon-MM pipelined burst master
  output wire  [31:0] mem_address_o,
  output wire         mem_read_o, mem_write_o,
  output wire  [5:0]  mem_burstcount_o,
  output wire  [63:0] mem_writedata_o,
  output wire  [7:0]  mem_byteenable_o,
  input  wire         mem_waitrequest_i,
  input  wire         mem_readdatavalid_i,
  input  wire  [63:0] mem_readdata_i,
  input  wire  [1:0]  mem_response_i,       // with readdatavalid; not 0: an error
  output wire         irq_o
);
  localparam int FifoDepth = 64;
  config_t config_asked, cfg;
  state_t  state;
  layer_t  layer;
  logic [31:0] tail, generation;
  logic start, stop, clear, layer_done;

  // ---- control ----
  accel_regs #(.PX(PX), .ClockHz(CLOCK_HZ)) u_regs (
    .clk_i, .rst_ni, .address_i(csr_address_i), .read_i(csr_read_i), .write_i(csr_write_i),
    .writedata_i(csr_writedata_i), .readdata_o(csr_readdata_o),
    .config_o(config_asked), .tail_o(tail), .generation_o(generation), .state_i(state), .irq_o
  );

  logic record_valid, record_ready, fetch_valid, fetch_ready, fetch_beat;
  logic [31:0] record_offset, fetch_offset;
  logic [63:0] record_data, beat;
  logic [5:0]  fetch_beats;
  logic bus_idle, bus_outside, bus_fault, check, checked, busy, wait_load, wait_store;
  logic [7:0] check_error;
  logic [15:0][31:0] descriptor;
  accel_ring u_ring (
    .clk_i, .rst_ni, .config_i(config_asked), .tail_i(tail), .generation_i(generation), .config_o(cfg), .state_o(state),
    .record_valid_o(record_valid), .record_offset_o(record_offset), .record_data_o(record_data),
    .record_ready_i(record_ready), .fetch_valid_o(fetch_valid), .fetch_offset_o(fetch_offset),
    .fetch_beats_o(fetch_beats), .fetch_ready_i(fetch_ready), .fetch_beat_i(fetch_beat), .beat_i(beat),
    .bus_idle_i(bus_idle), .bus_outside_i(bus_outside), .bus_fault_i(bus_fault),
    .check_o(check), .descriptor_o(descriptor), .checked_i(checked), .check_error_i(check_error),
    .start_o(start), .stop_o(stop), .clear_o(clear), .layer_done_i(layer_done),
    .busy_i(busy), .wait_load_i(wait_load), .wait_store_i(wait_store)
  );
  accel_check u_check (
    .clk_i, .rst_ni, .start_i(check), .descriptor_i(descriptor), .arena_bytes_i(cfg.arena_size),
    .done_o(checked), .error_o(check_error), .layer_o(layer)
  );

  // ---- memory to buffers ----
  logic load_valid, load_ready, load_beat;
  logic [31:0] load_offset;
  logic [5:0]  load_beats;
  logic word_write, weight_write, threshold_write;
  logic [13:0] word_at;
  logic [63:0] word, threshold;
  logic [9:0]  weight_at;
  logic [1023:0] weight;
  logic [5:0]  threshold_at, blocks_taken, blocks, block;
  logic [10:0] rows;
  accel_load u_load (
    .clk_i, .rst_ni, .start_i(start), .stop_i(stop), .layer_i(layer),
    .ask_valid_o(load_valid), .ask_offset_o(load_offset), .ask_beats_o(load_beats), .ask_ready_i(load_ready),
    .beat_valid_i(load_beat), .beat_i(beat),
    .word_write_o(word_write), .word_at_o(word_at), .word_o(word),
    .weight_write_o(weight_write), .weight_at_o(weight_at), .weight_o(weight),
    .threshold_write_o(threshold_write), .threshold_at_o(threshold_at), .threshold_o(threshold),
    .block_i(block), .blocks_taken_i(blocks_taken), .rows_o(rows), .blocks_o(blocks)
  );

  // ---- steps ----
  step_t step_read, step_array, step_done;
  logic  room, begins, is_inside;
  logic [11:0] bank_row, column;
  logic [9:0]  weight_row;
  accel_steps #(.PX(PX)) u_steps (
    .clk_i, .rst_ni, .start_i(start), .clear_i(clear), .layer_i(layer), .rows_i(rows), .blocks_i(blocks), .room_i(room),
    .begin_o(begins), .step_o(step_read), .row_o(bank_row), .column_o(column), .inside_o(is_inside),
    .weight_row_o(weight_row), .block_o(block), .wait_load_o(wait_load), .wait_store_o(wait_store)
  );
  assign busy = step_read.valid;

  logic [PX-1:0][63:0]    window;
  logic [Lanes-1:0][31:0] weights;
  accel_buffer #(.PX(PX)) u_buffer (
    .clk_i, .rst_ni, .word_write_i(word_write), .word_at_i(word_at), .word_i(word),
    .weight_write_i(weight_write), .weight_at_i(weight_at), .weight_i(weight),
    .step_i(step_read), .row_i(bank_row), .column_i(column), .inside_i(is_inside), .width_i(layer.w),
    .weight_row_i(weight_row), .step_o(step_array), .word_o(window), .weight_o(weights)
  );

  // ---- sums to memory ----
  logic [PX-1:0][Lanes-1:0][AccBits-1:0] acc;
  accel_array #(.PX(PX)) u_array (
    .clk_i, .rst_ni, .step_i(step_array), .word_i(window), .weight_i(weights), .step_o(step_done), .acc_o(acc)
  );

  logic post_done, push, entry_valid, entry_pop;
  logic [255:0] made, entry;
  accel_post #(.PX(PX)) u_post (
    .clk_i, .rst_ni, .start_i(start), .clear_i(clear), .raw_i(layer.raw), .step_i(step_done), .acc_i(acc),
    .threshold_write_i(threshold_write), .threshold_at_i(threshold_at), .threshold_i(threshold),
    .blocks_o(blocks_taken), .done_o(post_done), .push_o(push), .entry_o(made)
  );

  logic [$clog2(FifoDepth)+1:0] n_entries;
  accel_fifo #(.Width(256), .Depth(FifoDepth)) u_fifo (
    .clk_i, .rst_ni, .clear_i(clear | start), .push_i(push), .data_i(made), .pop_i(entry_pop), .valid_o(entry_valid),
    .data_o(entry), .count_o(n_entries)
  );
  accel_room #(.PX(PX), .Depth(FifoDepth)) u_room (
    .clk_i, .rst_ni, .clear_i(clear | start), .raw_i(layer.raw), .begin_i(begins), .done_i(post_done),
    .entries_i(n_entries), .room_o(room)
  );

  logic store_valid, store_first, store_ready;
  logic [31:0] store_offset;
  logic [5:0]  store_beats;
  logic [63:0] store_data;
  accel_store u_store (
    .clk_i, .rst_ni, .start_i(start), .clear_i(clear), .stop_i(stop), .layer_i(layer),
    .entry_valid_i(entry_valid), .entry_i(entry), .entry_pop_o(entry_pop),
    .beat_valid_o(store_valid), .beat_first_o(store_first), .offset_o(store_offset), .beats_o(store_beats),
    .beat_o(store_data), .beat_ready_i(store_ready), .done_o(layer_done)
  );

  accel_bus u_bus (
    .clk_i, .rst_ni, .arena_base_i(cfg.arena_base), .arena_size_i(cfg.arena_size),
    .store_valid_i(store_valid), .store_first_i(store_first), .store_offset_i(store_offset),
    .store_beats_i(store_beats), .store_data_i(store_data), .store_ready_o(store_ready),
    .record_valid_i(record_valid), .record_offset_i(record_offset), .record_data_i(record_data),
    .record_ready_o(record_ready), .fetch_valid_i(fetch_valid), .fetch_offset_i(fetch_offset),
    .fetch_beats_i(fetch_beats), .fetch_ready_o(fetch_ready), .fetch_beat_o(fetch_beat),
    .load_valid_i(load_valid), .load_offset_i(load_offset), .load_beats_i(load_beats), .load_ready_o(load_ready),
    .load_beat_o(load_beat), .beat_o(beat), .idle_o(bus_idle), .outside_o(bus_outside), .fault_o(bus_fault),
    .mem_address_o, .mem_read_o, .mem_write_o, .mem_burstcount_o, .mem_writedata_o, .mem_byteenable_o,
    .mem_waitrequest_i, .mem_readdatavalid_i, .mem_readdata_i, .mem_response_i
  );
endmodule
`default_nettype wire
