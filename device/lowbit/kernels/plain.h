/* SPDX-License-Identifier: Apache-2.0
 * Any CPU. */
#ifndef PLAIN_H
#define PLAIN_H
#include "work.h"

static int32_t sum_of_pixel(const struct work *work, const uint64_t *words) {
  int32_t sum = 0;
  for (uint32_t d = work->l->digits; d-- > 0;) {
    sum <<= 2;
    for (uint32_t c = 0; c < work->l->cb_in; c++) sum += sum_of_word(words[d * work->l->cb_in + c]);
  }
  return sum;
}

static void count_plain(const struct work *work, uint32_t y, uint32_t x, int32_t *counted) {
  const struct layer *l = work->l;
  memset(counted, 0, GROUP * LANES * sizeof *counted);
  for (uint32_t tap = 0; tap < l->k * l->k; tap++) {
    const uint64_t *row = work->pixels + ((size_t)(y + tap / l->k) * work->columns + x + tap % l->k) * work->steps;
    for (uint32_t c = 0; c < l->cb_in; c++) {
      const uint8_t *words = work->weights + (size_t)(tap * l->cb_in + c) * LANES * 4;
      for (uint32_t i = 0; i < GROUP; i++) {
        for (uint32_t d = 0; d < l->digits; d++) {
          const uint64_t value = row[i * work->steps + d * l->cb_in + c];
          for (uint32_t o = 0; o < LANES; o++) {
            const uint64_t bits = load32(words + 4 * o);
            counted[i * LANES + o] += sum_of_word(value & (bits << 32 | bits)) << (2 * d);
          }
        }
      }
    }
  }
}

static void quantise_plain(const int32_t *counted, const int32_t *shared, const int32_t *thresholds, uint64_t *words) {
  for (uint32_t i = 0; i < GROUP; i++, counted += LANES) {
    words[i] = 0;
    for (uint32_t o = 0; o < LANES; o++) {
      const int32_t acc = 2 * counted[o] + shared[i];
      uint64_t code = 0;
      for (uint32_t j = 0; j < 3; j++) code += acc >= thresholds[j * LANES + o];
      words[i] |= (code & 1) << o | (code >> 1) << (LANES + o);
    }
  }
}

static const struct kernel kernel_plain = {
    .sum_of_pixel = sum_of_pixel, .count = count_plain, .quantise = quantise_plain};
#endif
