// SPDX-License-Identifier: Apache-2.0
// The board as a process behind a file that stands for physical memory: its register page and arena lie at their
// physical offsets, and the driver maps the same file.
//   accel_sim FILE REGS_OFFSET ARENA_OFFSET ARENA_SIZE [--waitrequest PERCENT] [--latency CYCLES] [--seed N]
// Registers are levels: a word of the page that changed is written to the accelerator, values are published back.
// Ends when word 1023 of the page is 0xDEAD or the parent is gone. Words 1020 and 1021 hold the simulated clocks.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "board.h"
#include "registers.h"

namespace {
constexpr uint32_t kPageBytes = 4096, kClocksWord = 1020, kStopWord = 1023, kStop = 0xDEAD;
constexpr int kQuietClocks = 256;      // this long without work: nothing can happen until a register changes
constexpr useconds_t kFirstNapUs = 20, kLongestNapUs = 1000;

struct Options {
  const char *path;
  uint64_t regs, arena, size;
  Timing timing;
};

class Page {
 public:
  explicit Page(volatile uint32_t *words) : words_(words) {}
  uint32_t load(uint32_t offset) const { return __atomic_load_n(words_ + offset / 4, __ATOMIC_ACQUIRE); }
  void store(uint32_t offset, uint32_t value) { __atomic_store_n(words_ + offset / 4, value, __ATOMIC_RELEASE); }

 private:
  volatile uint32_t *words_;
};

class Server {
 public:
  Server(Board &board, Page page) : board_(board), page_(page), parent_(getppid()) {}
  void run();

 private:
  bool apply();
  void publish();
  bool is_quiet();

  Board &board_;
  Page page_;
  pid_t parent_;
  uint32_t written_[kPageBytes / 4] = {};
};

// Look at the triggers first and write them last: who sees a new trigger sees the configuration stored before it.
bool Server::apply() {
  uint32_t seen[sizeof reg::kWritable / sizeof *reg::kWritable];
  bool has_changed = false;
  int n = 0;
  for (uint32_t offset : reg::kWritable) seen[n++] = page_.load(offset);
  while (n--) {
    const uint32_t offset = reg::kWritable[n];
    if (seen[n] == written_[offset / 4]) continue;
    board_.write(offset, written_[offset / 4] = seen[n]);
    has_changed = true;
  }
  return has_changed;
}

// Read in one order and store in the other: who sees CURRENT_GENERATION or HEAD change sees all that came before it.
void Server::publish() {
  constexpr int n_words = sizeof reg::kReadable / sizeof *reg::kReadable;
  uint32_t seen[n_words];
  for (int i = 0; i < n_words; i++) seen[i] = board_.read(reg::kReadable[i]);
  page_.store(4 * kClocksWord, static_cast<uint32_t>(board_.memory.clock));
  page_.store(4 * kClocksWord + 4, static_cast<uint32_t>(board_.memory.clock >> 32));
  for (int i = n_words; i--;) page_.store(reg::kReadable[i], seen[i]);
}

bool Server::is_quiet() {
  const uint32_t status = page_.load(reg::STATUS);
  const bool is_waiting = status & reg::STATUS_ERROR_MASK || page_.load(reg::HEAD) == written_[reg::TAIL / 4];
  return board_.memory.is_idle() && is_waiting && !(status & (reg::STATUS_BUSY_MASK | reg::STATUS_RESETTING_MASK)) &&
         page_.load(reg::CURRENT_GENERATION) == written_[reg::GENERATION / 4];
}

void Server::run() {
  int quiet_clocks = 0;
  useconds_t nap_us = kFirstNapUs;
  for (uint32_t turn = 0; page_.load(4 * kStopWord) != kStop; turn++) {
    const uint64_t before = board_.memory.clock;
    if (apply()) quiet_clocks = 0, nap_us = kFirstNapUs;
    if (quiet_clocks >= kQuietClocks) {  // time stands still: the clock counts work only
      usleep(nap_us);
      nap_us = nap_us < kLongestNapUs ? 2 * nap_us : kLongestNapUs;
      if (getppid() != parent_) return;
      continue;
    }
    publish();
    quiet_clocks = is_quiet() ? quiet_clocks + static_cast<int>(board_.memory.clock - before) : 0;
    if (turn % 1024 == 0) sched_yield();
    if (turn % 1024 == 0 && getppid() != parent_) return;
  }
}

[[noreturn]] void usage(const char *reason) {
  fprintf(stderr, "accel_sim: %s\nusage: accel_sim FILE REGS_OFFSET ARENA_OFFSET ARENA_SIZE [--waitrequest PERCENT] "
          "[--latency CYCLES] [--seed N]\n", reason);
  exit(64);
}

uint64_t number(const char *text, uint64_t most) {
  char *end = nullptr;
  const uint64_t value = strtoull(text, &end, 0);
  if (end == text || *end || value > most) usage((std::string("not a number in range: ") + text).c_str());
  return value;
}

Options parse(int n, char **arguments) {
  if (n < 5 || n % 2 == 0) usage("expected four arguments and pairs of options");
  Options o{arguments[1], number(arguments[2], UINT32_MAX), number(arguments[3], UINT32_MAX),
            number(arguments[4], UINT32_MAX), {0, 8, 1}};
  for (int i = 5; i < n; i += 2) {
    if (!strcmp(arguments[i], "--waitrequest")) o.timing.waitrequest_percent = number(arguments[i + 1], 99);
    else if (!strcmp(arguments[i], "--latency")) o.timing.latency = number(arguments[i + 1], 10000);
    else if (!strcmp(arguments[i], "--seed")) o.timing.seed = number(arguments[i + 1], UINT32_MAX);
    else usage(arguments[i]);
  }
  if ((o.regs | o.arena | o.size) % kPageBytes || !o.size) usage("offsets and size are multiples of 4096");
  return o;
}

void *map(int file, const Options &o, uint64_t offset, uint64_t size) {
  struct stat found;
  if (fstat(file, &found) || static_cast<uint64_t>(found.st_size) < offset + size) {
    fprintf(stderr, "accel_sim: %s ends before byte %llu\n", o.path, static_cast<unsigned long long>(offset + size));
    exit(66);
  }
  void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, static_cast<off_t>(offset));
  if (at != MAP_FAILED) return at;
  perror(o.path);
  exit(66);
}
}  // namespace

int main(int n, char **arguments) {
  const Options o = parse(n, arguments);
  const int file = open(o.path, O_RDWR);
  if (file < 0) return perror(o.path), 66;
  auto *page = static_cast<volatile uint32_t *>(map(file, o, o.regs, kPageBytes));
  auto *arena = static_cast<uint8_t *>(map(file, o, o.arena, o.size));
  try {
    Board board(arena, o.arena, o.size, o.timing);
    Server(board, Page(page)).run();
  } catch (const Violation &violation) {
    return fprintf(stderr, "accel_sim: %s\n", violation.what()), 70;
  }
  return 0;
}
