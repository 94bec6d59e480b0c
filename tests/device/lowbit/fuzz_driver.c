/* SPDX-License-Identifier: Apache-2.0
 * Runs random descriptors, legal and malformed, on arenas that end exactly where malloc's block ends; built with the
 * sanitizers. Usage: fuzz_driver COUNT; prints how often each code came, -1 first. All kernels must leave equal
 * bytes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel_cpu.h"

static uint64_t state = 88172645463325252u;

static uint32_t below(uint32_t n) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (uint32_t)(state >> 16) % n;
}

static uint32_t offset_in(uint32_t bytes, uint32_t multiple) { return below(bytes / multiple + 1) * multiple; }

/* Source in the first third of the arena, target in the second, constants in the last: results are then defined. */
static void make(uint32_t *d, uint32_t bytes) {
  const uint32_t third = bytes / 3 / 64 * 64, k = below(2) ? 3 : 1, raw = below(4) == 0;
  const uint32_t pads = k == 3 ? below(16) : 0, store = raw ? 0 : below(3), w = 1 + below(12), h = 1 + below(12);
  const uint32_t row = (w + 5) / 4 * 4 * (raw ? 128 : 8) * (store == 2 ? 4 : 1);
  memset(d, 0, 64);
  d[0] = 0xD1000001u | raw << 9 | store << 10;
  d[4] = offset_in(third / 4, 32), d[5] = third + offset_in(third / 4, 32), d[6] = 2 * third + offset_in(third / 4, 64);
  d[7] = h * ((w + 3) / 4 * 4) * 8, d[8] = (h + 2) * row;
  d[9] = h << 16 | w;
  d[10] = pads << 24 | k << 20 | (1 + below(4)) << 16 | (1 + below(3)) << 8 | (1 + below(3));
  if (below(3) == 0) d[below(16)] ^= 1u << below(32);
  if (below(30) == 0) for (int i = 1; i < 16; i++) d[i] = below(0xFFFFFFFFu);
}

static int is_apart(const uint32_t *d, uint32_t bytes) { /* mutated addresses may overlap: results are not compared */
  const uint32_t third = bytes / 3 / 64 * 64;
  const int is_placed = d[4] < third / 2 && d[5] >= third && d[5] < third * 3 / 2 && d[6] >= 2 * third;
  return is_placed && d[7] < third && d[8] < third / 8;
}

int main(int argc, char **argv) {
  const int levels[] = {ACCEL_PLAIN, ACCEL_AVX2, ACCEL_AVX512, ACCEL_NEON};
  int seen[9] = {0}, n = argc > 1 ? atoi(argv[1]) : 1000;
  for (int i = 0; i < n; i++) {
    const uint32_t bytes = below(8) ? 49152 + below(49152) : below(4096);
    uint32_t d[16];
    make(d, bytes);
    uint8_t *first = malloc(bytes + !bytes), *arena = malloc(bytes + !bytes), *start = malloc(bytes + !bytes);
    for (uint32_t b = 0; b < bytes; b++) start[b] = (uint8_t)below(256);
    int expected = 0;
    for (int l = 0; l < 4; l++) {
      if (accel_cpu_force(levels[l]) < 0) continue;
      memcpy(arena, start, bytes);
      const int code = accel_cpu_run(arena, bytes, d, 1);
      if (l == 0) {
        expected = code, memcpy(first, arena, bytes);
      } else if (code != expected || (is_apart(d, bytes) && memcmp(first, arena, bytes))) {
        printf("kernel %d differs from plain C in round %d\n", levels[l], i);
        return 1;
      }
    }
    seen[expected + 1]++;
    free(first), free(arena), free(start);
  }
  for (int c = 0; c < 9; c++) printf("%d ", seen[c]);
  printf("\n");
  return 0;
}
