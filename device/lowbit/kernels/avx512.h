/* SPDX-License-Identifier: Apache-2.0
 * x86 with AVX-512: bits are counted, unless the layer has several digits or 9 taps. */
#ifndef AVX512_H
#define AVX512_H
#include "avx512_bytes.h"
#include "avx512_common.h"
#include "avx512_tables.h"

typedef int32_t __attribute__((may_alias)) half_word; /* one plane of a pixel word */

/* 4 pixels x 32 outputs stay in registers: 16 sums, one per pixel, plane and half of the outputs. Digits from the top:
 * shift what is there, add the next. */
TARGET_AVX512 static void count_avx512(const struct work *work, uint32_t y, uint32_t x, int32_t *counted) {
  const struct layer *l = work->l;
  const size_t steps = work->steps;
  __m512i sum[GROUP][2][2];
  for (int i = 0; i < GROUP; i++)
    for (int p = 0; p < 2; p++) sum[i][p][0] = sum[i][p][1] = _mm512_setzero_si512();
  for (uint32_t d = l->digits; d-- > 0;) {
    const uint8_t *words = work->weights;
    for (int i = 0; i < GROUP; i++)
      for (int p = 0; p < 2; p++)
        for (int half = 0; half < 2; half++) sum[i][p][half] = _mm512_slli_epi32(sum[i][p][half], 2);
    for (uint32_t ky = 0; ky < l->k; ky++) {
      const uint64_t *row = work->pixels + ((size_t)(y + ky) * work->columns + x) * steps + (size_t)d * l->cb_in;
      for (uint32_t kx = 0; kx < l->k; kx++, row += steps) {
        for (uint32_t c = 0; c < l->cb_in; c++, words += LANES * 4) {
          const __m512i w0 = _mm512_loadu_si512(words), w1 = _mm512_loadu_si512(words + 64);
#pragma GCC unroll 4
          for (int i = 0; i < GROUP; i++) {
            const half_word *value = (const half_word *)(row + i * steps + c);
#pragma GCC unroll 2
            for (int p = 0; p < 2; p++) {
              const __m512i v = _mm512_set1_epi32(value[p]);
              sum[i][p][0] = _mm512_add_epi32(sum[i][p][0], _mm512_popcnt_epi32(_mm512_and_si512(v, w0)));
              sum[i][p][1] = _mm512_add_epi32(sum[i][p][1], _mm512_popcnt_epi32(_mm512_and_si512(v, w1)));
            }
          }
        }
      }
    }
  }
  for (int i = 0; i < GROUP; i++)
    for (int half = 0; half < 2; half++) {
      const __m512i both = _mm512_add_epi32(sum[i][0][half], _mm512_slli_epi32(sum[i][1][half], 1));
      _mm512_storeu_si512(counted + i * LANES + half * 16, both);
    }
}

/* Layers for which something else is better. */
static const struct kernel *choose_avx512(const struct layer *l) {
  if (l->digits > 1) return &kernel_bytes_avx512;
  return l->k > 1 && !l->raw && has_free_order(l) ? &kernel_tables_avx512 : NULL;
}

static const struct kernel kernel_avx512 = {
    .choose = choose_avx512, .add_row = add_row_avx512, .count = count_avx512, .quantise = quantise_avx512};
#endif
