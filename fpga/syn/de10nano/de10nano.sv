// UNTESTED ON HARDWARE: never built with the vendor's tool, never run on a board.
// SPDX-License-Identifier: Apache-2.0
// Top of the DE10-Nano: the processor system of system.tcl with the accelerator inside; LED 0 shows that a clock runs.
`default_nettype none
module de10nano (
  input  wire        FPGA_CLK1_50,
  input  wire  [0:0] KEY,
  output wire  [0:0] LED,
  output wire [14:0] HPS_DDR3_ADDR,
  output wire [2:0]  HPS_DDR3_BA,
  output wire        HPS_DDR3_CAS_N, HPS_DDR3_CKE, HPS_DDR3_CK_N, HPS_DDR3_CK_P, HPS_DDR3_CS_N,
  output wire [3:0]  HPS_DDR3_DM,
  inout  wire [31:0] HPS_DDR3_DQ,
  inout  wire [3:0]  HPS_DDR3_DQS_N, HPS_DDR3_DQS_P,
  output wire        HPS_DDR3_ODT, HPS_DDR3_RAS_N, HPS_DDR3_RESET_N,
  input  wire        HPS_DDR3_RZQ,
  output wire        HPS_DDR3_WE_N
);
  logic [25:0] count_q;
  assign LED[0] = count_q[25];
  always_ff @(posedge FPGA_CLK1_50) count_q <= count_q + 26'd1;

  system u_system (
    .clk_clk(FPGA_CLK1_50), .reset_reset_n(KEY[0]),
    .memory_mem_a(HPS_DDR3_ADDR), .memory_mem_ba(HPS_DDR3_BA), .memory_mem_ck(HPS_DDR3_CK_P),
    .memory_mem_ck_n(HPS_DDR3_CK_N), .memory_mem_cke(HPS_DDR3_CKE), .memory_mem_cs_n(HPS_DDR3_CS_N),
    .memory_mem_ras_n(HPS_DDR3_RAS_N), .memory_mem_cas_n(HPS_DDR3_CAS_N), .memory_mem_we_n(HPS_DDR3_WE_N),
    .memory_mem_reset_n(HPS_DDR3_RESET_N), .memory_mem_dq(HPS_DDR3_DQ), .memory_mem_dqs(HPS_DDR3_DQS_P),
    .memory_mem_dqs_n(HPS_DDR3_DQS_N), .memory_mem_odt(HPS_DDR3_ODT), .memory_mem_dm(HPS_DDR3_DM),
    .memory_oct_rzqin(HPS_DDR3_RZQ)
  );
endmodule
`default_nettype wire
