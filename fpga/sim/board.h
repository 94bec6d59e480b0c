// SPDX-License-Identifier: Apache-2.0
// The Verilated accelerator wired to its memory and to a register port. One thread at a time.
#pragma once
#include <memory>
#include <string>

#include "memory.h"

class Vaccel_top;
class VerilatedContext;

class Board {
 public:
  // Comes out of a hardware reset; registers that the design does not reset start with noise made from the seed.
  Board(uint8_t *bytes, uint32_t base, uint32_t size, Timing timing);
  ~Board();

  // One clock each; a read is answered in the next clock, as the register port does. Offsets in bytes.
  void write(uint32_t offset, uint32_t value) { clock(false, true, offset, value); }
  uint32_t read(uint32_t offset);
  void idle() { clock(false, false, 0, 0); }

  bool interrupt() const;
  void write_coverage(const std::string &path) const;

  Memory memory;

 private:
  void clock(bool read, bool write, uint32_t offset, uint32_t value);

  std::unique_ptr<VerilatedContext> context_;
  std::unique_ptr<Vaccel_top> top_;
  Random noise_;
};
