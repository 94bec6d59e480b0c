/* SPDX-License-Identifier: Apache-2.0
 * What the x86 kernels share. */
#ifndef X86_H
#define X86_H
#include "work.h"

#include <immintrin.h>

enum { NIBBLE = 4 }; /* channels of a group */

/* Planes of a code from the masks of its three thresholds: their sum has low bit "odd" and high bit "two or more". */
static inline uint64_t low_plane(uint64_t r1, uint64_t r2, uint64_t r3) { return r1 ^ r2 ^ r3; }
static inline uint64_t high_plane(uint64_t r1, uint64_t r2, uint64_t r3) { return (r1 & r2) | (r3 & (r1 | r2)); }

/* Groups of 4 channels that are not zero in all pixels and digits. */
static inline void find_live(struct work *work) {
  const uint64_t *end = work->pixels + (size_t)work->rows * work->columns * work->steps;
  work->n_groups = 0;
  for (uint32_t c = 0; c < work->l->cb_in; c++) {
    uint64_t used = 0;
    for (const uint64_t *word = work->pixels + c; word < end; word += work->l->cb_in) used |= *word;
    const uint32_t bits = (uint32_t)(used | used >> 32);
    work->live[c] = 0;
    for (uint32_t g = 0; g < LANES / NIBBLE; g++)
      if (bits >> (NIBBLE * g) & 15) work->live[c] |= (uint8_t)(1u << g), work->n_groups++;
  }
}
#endif
