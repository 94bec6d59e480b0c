// SPDX-License-Identifier: Apache-2.0
// The board as C functions for ctypes. After a Violation every further call answers kViolated and changes nothing.
#include "board.h"
#include "registers.h"

enum Until : int { kHead, kGeneration, kInterrupt, kClocks };
enum Outcome : int { kReached, kExpired, kHalted, kViolated };

struct Handle {
  Board board;
  std::string violation;
};

// Call `work`; remember what it refused.
template <class Work>
static int guarded(Handle *h, Work work) {
  if (!h->violation.empty()) return kViolated;
  try {
    return work(h->board);
  } catch (const std::exception &error) {
    h->violation = error.what();
    return kViolated;
  }
}

// Both looks cost a clock: the board runs while it is watched.
static int run(Board &board, uint64_t most_clocks, int until, uint32_t value) {
  const uint64_t end = board.memory.clock + most_clocks;
  while (board.memory.clock < end) {
    if (until == kClocks) {
      board.idle();
      continue;
    }
    if (until == kInterrupt && board.interrupt()) return kReached;
    const uint32_t seen = board.read(until == kGeneration ? reg::CURRENT_GENERATION : reg::HEAD);
    if (until == kGeneration && seen == value) return kReached;
    if (until == kHead && static_cast<int32_t>(seen - value) >= 0) return kReached;
    constexpr uint32_t mask = reg::STATUS_ERROR_MASK | reg::STATUS_BUSY_MASK;  // an error and its record is written
    if (until == kHead && (board.read(reg::STATUS) & mask) == reg::STATUS_ERROR_MASK) return kHalted;
  }
  return until == kClocks ? kReached : kExpired;
}

extern "C" {
Handle *board_new(uint8_t *bytes, uint32_t base, uint32_t size, uint32_t waitrequest_percent, uint32_t latency,
                  uint64_t seed) {
  return new Handle{{bytes, base, size, {waitrequest_percent, latency, seed}}, {}};
}
void board_free(Handle *h) { delete h; }
int board_write(Handle *h, uint32_t offset, uint32_t value) {
  return guarded(h, [&](Board &b) { return b.write(offset, value), kReached; });
}
int board_read(Handle *h, uint32_t offset, uint32_t *value) {
  return guarded(h, [&](Board &b) { return *value = b.read(offset), kReached; });
}
int board_run(Handle *h, uint64_t most_clocks, int until, uint32_t value) {
  return guarded(h, [&](Board &b) { return run(b, most_clocks, until, value); });
}
int board_coverage(Handle *h, const char *path) {
  return guarded(h, [&](Board &b) { return b.write_coverage(path), kReached; });
}
void board_fail(Handle *h, uint32_t first, uint32_t end) { h->board.memory.fail(first, end); }
void board_stall(Handle *h, uint64_t clocks) { h->board.memory.stall(h->board.memory.clock, clocks); }
int board_interrupt(Handle *h) { return h->board.interrupt(); }
uint64_t board_clock(Handle *h) { return h->board.memory.clock; }
uint64_t board_beats(Handle *h, int is_write) {
  return is_write ? h->board.memory.beats_written : h->board.memory.beats_read;
}
const char *board_violation(Handle *h) { return h->violation.c_str(); }
}
