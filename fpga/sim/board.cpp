// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include "Vaccel_top.h"
#include "verilated.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

Board::Board(uint8_t *bytes, uint32_t base, uint32_t size, Timing timing)
    : memory(bytes, base, size, timing), context_(new VerilatedContext), noise_(~timing.seed) {
  context_->randReset(2);                                        // noise, not zeros
  context_->randSeed(static_cast<int>(timing.seed % 0x7FFFFFFF) + 1);  // 0 would mean another seed in every run
  top_.reset(new Vaccel_top(context_.get()));
  top_->rst_ni = 0;
  top_->clk_i = 0;
  top_->eval();  // without it the first edge is lost
  for (int i = 0; i < 4; i++) {
    top_->clk_i = 0, top_->eval();
    top_->clk_i = 1, top_->eval();
  }
  top_->rst_ni = 1;
}

Board::~Board() { top_->final(); }

void Board::clock(bool read, bool write, uint32_t offset, uint32_t value) {
  const bool is_used = read || write;
  top_->csr_read_i = read, top_->csr_write_i = write;
  top_->csr_address_i = (is_used ? offset / 4 : noise_.next()) & 0x3FF;
  top_->csr_writedata_i = write ? value : static_cast<uint32_t>(noise_.next());
  const Answer &answer = memory.answer();
  top_->mem_waitrequest_i = answer.waitrequest;
  top_->mem_readdatavalid_i = answer.valid;
  top_->mem_readdata_i = answer.data;
  top_->mem_response_i = answer.response;
  top_->clk_i = 0, top_->eval();
  memory.take({static_cast<bool>(top_->mem_read_o), static_cast<bool>(top_->mem_write_o), top_->mem_address_o,
               top_->mem_burstcount_o, top_->mem_writedata_o, top_->mem_byteenable_o});
  top_->clk_i = 1, top_->eval();
}

uint32_t Board::read(uint32_t offset) {
  clock(true, false, offset, 0);
  return top_->csr_readdata_o;
}

bool Board::interrupt() const { return top_->irq_o; }

void Board::write_coverage(const std::string &path) const {
#if VM_COVERAGE
  context_->coveragep()->write(path);
#else
  throw std::runtime_error("this library was built without --coverage");
#endif
}
