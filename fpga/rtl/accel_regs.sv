// SPDX-License-Identifier: Apache-2.0
// The page of registers: an Avalon-MM slave with one clock of read latency. Reads have no effect, writes only keep the
// value: what the accelerator does follows from levels, so that the page can also be a file.
//
//   csr -> registers that are written -> config_o, tail_o, generation_o
//      <- all registers, state_i
//
//   clk         0       1       2
//   read_i      1       0
//   readdata_o          value
//   write_i     1       0
//   tail_o              new
`default_nettype none
module accel_regs
  import accel_pkg::*, accel_regs_pkg::*;
#(
  parameter int PX = 4,
  parameter int ClockHz = 100_000_000
) (
  input  wire          clk_i, rst_ni,
  input  wire  [9:0]   address_i,           // of a word
  input  wire          read_i, write_i,
  input  wire  [31:0]  writedata_i,
  output logic [31:0]  readdata_o,
  output config_t      config_o,
  output logic [31:0]  tail_o, generation_o,
  input  wire state_t  state_i,
  output wire          irq_o
);
  logic [31:0] arena_base_q, arena_size_q, ring_offset_q, ring_log2_q, record_offset_q;
  logic [31:0] irq_enable_q, irq_seen_q, scratch_q;

  assign config_o = {arena_base_q, arena_size_q, ring_offset_q, record_offset_q, ring_log2_q[3:0]};
  assign irq_o = irq_enable_q[0] & (state_i.irq_count != irq_seen_q);

  always_ff @(posedge clk_i) begin
    if (write_i)
      case (address_i)
        ARENA_BASE:    arena_base_q    <= writedata_i;
        ARENA_SIZE:    arena_size_q    <= writedata_i;
        RING_OFFSET:   ring_offset_q   <= writedata_i;
        RING_LOG2:     ring_log2_q     <= writedata_i;
        RECORD_OFFSET: record_offset_q <= writedata_i;
        IRQ_ENABLE:    irq_enable_q    <= writedata_i;
        IRQ_SEEN:      irq_seen_q      <= writedata_i;
        TAIL:          tail_o          <= writedata_i;
        GENERATION:    generation_o    <= writedata_i;
        SCRATCH:       scratch_q       <= writedata_i;
        default: ;
      endcase
    if (!rst_ni) begin
      arena_base_q    <= ARENA_BASE_RESET;
      arena_size_q    <= ARENA_SIZE_RESET;
      ring_offset_q   <= RING_OFFSET_RESET;
      ring_log2_q     <= RING_LOG2_RESET;
      record_offset_q <= RECORD_OFFSET_RESET;
      irq_enable_q    <= IRQ_ENABLE_RESET;
      irq_seen_q      <= IRQ_SEEN_RESET;
      tail_o          <= TAIL_RESET;
      generation_o    <= GENERATION_RESET;
      scratch_q       <= SCRATCH_RESET;
    end
  end

  always_ff @(posedge clk_i)
    if (read_i)
      case (address_i)
        ID:                 readdata_o <= ID_VALUE;
        VERSION:            readdata_o <= VERSION_VALUE;
        CAPS0:              readdata_o <= {8'd8, 8'(Lanes), 8'(Lanes), 8'(PX)};
        CAPS1:              readdata_o <= {16'(WeightSteps), 16'(BufferRows * 32 / 1024)};
        CLOCK_HZ:           readdata_o <= 32'(ClockHz);
        ARENA_BASE:         readdata_o <= arena_base_q;
        ARENA_SIZE:         readdata_o <= arena_size_q;
        RING_OFFSET:        readdata_o <= ring_offset_q;
        RING_LOG2:          readdata_o <= ring_log2_q;
        RECORD_OFFSET:      readdata_o <= record_offset_q;
        IRQ_ENABLE:         readdata_o <= irq_enable_q;
        IRQ_SEEN:           readdata_o <= irq_seen_q;
        TAIL:               readdata_o <= tail_o;
        GENERATION:         readdata_o <= generation_o;
        SCRATCH:            readdata_o <= scratch_q;
        CURRENT_GENERATION: readdata_o <= state_i.current_generation;
        HEAD:               readdata_o <= state_i.head;
        STATUS:             readdata_o <= state_i.status;
        ERROR_SEQ:          readdata_o <= state_i.error_seq;
        ERROR_OFFSET:       readdata_o <= state_i.error_offset;
        IRQ_COUNT:          readdata_o <= state_i.irq_count;
        BUSY:               readdata_o <= state_i.busy;
        READ_STALL:         readdata_o <= state_i.read_stall;
        WRITE_STALL:        readdata_o <= state_i.write_stall;
        default:            readdata_o <= 32'd0;
      endcase
endmodule
`default_nettype wire
