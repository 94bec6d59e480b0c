// SPDX-License-Identifier: Apache-2.0
// The memory behind the accelerator: an Avalon-MM slave that answers as slowly and irregularly as it is told to, and
// stops the simulation when the master breaks the protocol.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <stdexcept>

// What a correct master never does; the message names the rule, the clock and the values.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// One beat a clock in either direction, as DRAM has one set of data lines: data wait for a write beat.
// With `waitrequest_percent` 0 every command is taken at once and data come `latency` clocks later, one a clock.
// Else commands and data are each held back in that share of the clocks, and the latency varies up to its double.
struct Timing {
  uint32_t waitrequest_percent, latency;
  uint64_t seed;
};

struct Command {  // what the master shows in one clock
  bool read, write;
  uint32_t address, burstcount;
  uint64_t data;
  uint8_t byteenable;
};

struct Answer {  // what the slave shows in one clock; data and response are noise unless valid
  bool waitrequest, valid;
  uint64_t data;
  uint8_t response;
};

class Random {  // xorshift64*
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  uint64_t next();
  bool percent(uint32_t share) { return share && (next() >> 33) % 100 < share; }

 private:
  uint64_t state_;
};

class Memory {
 public:
  static constexpr uint32_t kBeatBytes = 8, kMostBeats = 32, kMostPending = 8;

  // `bytes` stays the caller's: `size` bytes that the master sees at address `base`. Aligned to 8.
  Memory(uint8_t *bytes, uint32_t base, uint32_t size, Timing timing);

  const Answer &answer();             // begins a clock
  void take(const Command &command);  // ends it; throws Violation

  void fail(uint32_t first, uint32_t end) { fail_first_ = first, fail_end_ = end; }  // beats in here answer SLAVEERROR
  void stall(uint64_t first, uint64_t clocks) { stall_first_ = first, stall_end_ = first + clocks; }

  bool is_idle() const { return pending_.empty() && !write_beats_; }
  uint64_t clock = 0, beats_read = 0, beats_written = 0;

 private:
  struct Beat {
    uint64_t due, data;
    uint8_t response;
    bool is_last;
  };
  void check_held(const Command &command);
  void check_range(const Command &command);
  void begin_read(const Command &command);
  void write_beat(const Command &command);
  [[noreturn]] void refuse(const char *rule, const Command &command) const;

  uint8_t *bytes_;
  uint32_t base_, size_;
  Timing timing_;
  Random random_;
  Answer shown_{};
  Command held_{};
  bool is_held_ = false, is_writing_ = false;
  std::deque<Beat> pending_;
  uint32_t bursts_ = 0, write_address_ = 0, write_beats_ = 0;
  uint64_t last_due_ = 0;
  uint64_t fail_first_ = 0, fail_end_ = 0, stall_first_ = 0, stall_end_ = 0;
};
