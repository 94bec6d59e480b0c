/* SPDX-License-Identifier: Apache-2.0
 * Codes to the arena, in the layout that the store mode asks for. */
#ifndef STORES_H
#define STORES_H
#include "layer.h"

#include <string.h>

/* The words of n <= 4 neighbouring pixels of one output block. */
static inline void store_codes(uint8_t *arena, const struct layer *l, uint32_t block, uint32_t y, uint32_t x,
                               const uint64_t *words, uint32_t n) {
  const size_t row = (size_t)up4(l->stored_w) * 8;
  uint8_t *plane = arena + l->dst + (size_t)block * l->dst_pitch;
  if (l->store == PLAIN) {
    uint8_t *to = plane + y * row + (size_t)x * 8;
    if (n == 4)
      memcpy(to, words, 4 * 8); /* of a known size: no call */
    else
      memcpy(to, words, (size_t)n * 8);
  } else if (l->store == SPACE_TO_DEPTH) {
    uint8_t *to = plane + (size_t)(2 * (y & 1)) * l->cb_out * l->dst_pitch + y / 2 * row;
    for (uint32_t i = 0; i < n; i++) {
      const size_t quarter = (size_t)((x + i) & 1) * l->cb_out * l->dst_pitch;
      memcpy(to + quarter + (size_t)((x + i) / 2) * 8, words + i, 8);
    }
  } else {
    uint8_t *to = plane + 2 * y * row + (size_t)x * 16;
    for (uint32_t i = 0; i < 2 * n; i++) {
      memcpy(to + 8 * i, words + i / 2, 8);
      memcpy(to + row + 8 * i, words + i / 2, 8);
    }
  }
}
#endif
