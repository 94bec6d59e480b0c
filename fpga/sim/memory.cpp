// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

uint64_t Random::next() {
  state_ ^= state_ >> 12, state_ ^= state_ << 25, state_ ^= state_ >> 27;
  return state_ * 0x2545F4914F6CDD1Du;
}

Memory::Memory(uint8_t *bytes, uint32_t base, uint32_t size, Timing timing)
    : bytes_(bytes), base_(base), size_(size), timing_(timing), random_(timing.seed) {}

const Answer &Memory::answer() {
  const bool is_stalled = clock >= stall_first_ && clock < stall_end_;
  shown_ = {is_stalled || bursts_ >= kMostPending || random_.percent(timing_.waitrequest_percent), false,
            random_.next(), static_cast<uint8_t>(random_.next() >> 62)};
  if (!pending_.empty() && pending_.front().due <= clock && !is_stalled && !is_writing_ &&
      !random_.percent(timing_.waitrequest_percent)) {
    const Beat &beat = pending_.front();
    shown_.valid = true, shown_.data = beat.data, shown_.response = beat.response;
    bursts_ -= beat.is_last;
    pending_.pop_front();
    beats_read++;
  }
  return shown_;
}

void Memory::take(const Command &command) {
  if (is_held_) check_held(command);
  if (command.read && command.write) refuse("read and write in one clock", command);
  if (command.read && write_beats_) refuse("a read inside a write burst", command);
  if (command.read || (command.write && !write_beats_)) check_range(command);
  is_held_ = (command.read || command.write) && shown_.waitrequest;
  held_ = command;
  if (!is_held_ && command.read) begin_read(command);
  is_writing_ = !is_held_ && command.write;
  if (is_writing_) write_beat(command);
  clock++;
}

void Memory::check_held(const Command &command) {
  if (command.read != held_.read || command.write != held_.write) refuse("a command taken back", command);
  if (!write_beats_ && (command.address != held_.address || command.burstcount != held_.burstcount))
    refuse("address or burst count changed under waitrequest", command);
  if (command.write && (command.data != held_.data || command.byteenable != held_.byteenable))
    refuse("write data or byte enables changed under waitrequest", command);
}

void Memory::check_range(const Command &command) {
  if (command.burstcount < 1 || command.burstcount > kMostBeats) refuse("a burst of 1 to 32 beats", command);
  if (command.address % kBeatBytes) refuse("an address that is a multiple of 8", command);
  const uint64_t end = uint64_t{command.address} + command.burstcount * kBeatBytes;
  if (command.address < base_ || end > uint64_t{base_} + size_) refuse("a burst inside the memory", command);
}

// An in-order port: what a read returns is fixed when the command is taken.
void Memory::begin_read(const Command &command) {
  uint64_t due = clock + std::max(timing_.latency, 1u);
  if (timing_.waitrequest_percent) due += random_.next() % (timing_.latency + 1);
  for (uint32_t i = 0; i < command.burstcount; i++) {
    const uint32_t address = command.address + i * kBeatBytes;
    const auto *word = reinterpret_cast<const uint64_t *>(bytes_ + (address - base_));
    const bool is_bad = address >= fail_first_ && address < fail_end_;
    pending_.push_back({due, is_bad ? random_.next() : __atomic_load_n(word, __ATOMIC_ACQUIRE),
                        static_cast<uint8_t>(is_bad ? 2 : 0), i + 1 == command.burstcount});
  }
  bursts_++;
}

// Release stores: another process that sees this beat sees all earlier ones.
void Memory::write_beat(const Command &command) {
  if (!write_beats_) write_address_ = command.address, write_beats_ = command.burstcount;
  uint8_t *at = bytes_ + (write_address_ - base_);
  if (command.byteenable == 0xFF)
    __atomic_store_n(reinterpret_cast<uint64_t *>(at), command.data, __ATOMIC_RELEASE);
  else
    for (int i = 0; i < 8; i++)
      if (command.byteenable >> i & 1)
        __atomic_store_n(at + i, static_cast<uint8_t>(command.data >> 8 * i), __ATOMIC_RELEASE);
  write_address_ += kBeatBytes;
  write_beats_--;
  beats_written++;
}

void Memory::refuse(const char *rule, const Command &c) const {
  char text[256];
  snprintf(text, sizeof text, "bus protocol in clock %" PRIu64 ": %s; read %d write %d address 0x%08" PRIx32
           " burst %" PRIu32 ", memory 0x%08" PRIx32 " to 0x%08" PRIx64, clock, rule, c.read, c.write, c.address,
           c.burstcount, base_, uint64_t{base_} + size_);
  throw Violation(text);
}
