/* SPDX-License-Identifier: Apache-2.0
 * x86 with AVX-512, layers of several digits: the digits of a value become one byte, a weight bit becomes a byte of 0
 * or 1, and one instruction multiplies and adds 4 channels of 16 outputs. Groups of 4 channels that are zero everywhere
 * are left out: a first layer has few channels.
 * tables: values, [row][column][live group][4]. split: [tap][live group][LANES][4]. */
#ifndef AVX512_BYTES_H
#define AVX512_BYTES_H
#include "avx512_common.h"

static size_t values_bytes_of_layer_avx512(const struct work *work) {
  return (size_t)work->rows * work->columns * work->l->cb_in * LANES + LANES; /* whole blocks are stored */
}

/* The values of a block of a pixel: 8 planes of 32 bits become 32 bytes. A product with the identity transposes the 8
 * by 8 bits of each 64-bit word, the last byte of which has the lowest bits. */
TARGET_AVX512 static inline __m256i values_avx512(const uint64_t *words, uint32_t cb_in, uint32_t digits) {
  const __m256i identity = _mm256_set1_epi64x((long long)0x8040201008040201);
  const __m256i gather = _mm256_setr_epi8(28, 24, 20, 16, 12, 8, 4, 0, 29, 25, 21, 17, 13, 9, 5, 1, /* channels 0-15 */
                                          30, 26, 22, 18, 14, 10, 6, 2, 31, 27, 23, 19, 15, 11, 7, 3);
  const uint64_t d2 = digits > 2 ? words[2 * cb_in] : 0, d3 = digits > 3 ? words[3 * cb_in] : 0;
  const __m256i of_digits = _mm256_setr_epi64x((int64_t)words[0], (int64_t)words[cb_in], (int64_t)d2, (int64_t)d3);
  const __m256i planes = _mm256_permutexvar_epi8(gather, of_digits);
  return _mm256_gf2p8affine_epi64_epi8(identity, planes, 0);
}

TARGET_AVX512 static void build_values_avx512(struct work *work) {
  const uint32_t cb_in = work->l->cb_in, digits = work->l->digits;
  const size_t n = (size_t)work->rows * work->columns;
  const uint64_t *words = work->pixels;
  uint8_t *to = work->tables;
  find_live(work);
  for (size_t i = 0; i < n; i++, words += work->steps)
    for (uint32_t c = 0; c < cb_in; c++) {
      const __m256i live = _mm256_maskz_compress_epi32(work->live[c], values_avx512(words + c, cb_in, digits));
      _mm256_storeu_si256((__m256i *)to, live); /* all of it: the next ones lie over the rest */
      to += NIBBLE * (uint32_t)__builtin_popcount(work->live[c]);
    }
}

TARGET_AVX512 static void split_bytes_avx512(struct work *work) {
  const uint32_t cb_in = work->l->cb_in, n = work->l->k * work->l->k * cb_in;
  const __m512i spread = _mm512_set4_epi32(0x0C0C0C0C, 0x08080808, 0x04040404, 0), one = _mm512_set1_epi8(1);
  const uint8_t *words = work->weights;
  uint8_t *to = work->split;
  for (uint32_t s = 0; s < n; s++, words += LANES * 4)
    for (uint32_t rest = work->live[s % cb_in]; rest; rest &= rest - 1) {
      const int g = __builtin_ctz(rest);
      /* The byte that holds the group, 4 times, and one bit in each. */
      const __m512i from = _mm512_add_epi8(spread, _mm512_set1_epi8((char)(g / 2)));
      const __m512i bits = _mm512_set1_epi32(g % 2 ? (int)0x80402010 : 0x08040201);
      for (int half = 0; half < 2; half++, to += VECTOR) {
        const __m512i bytes = _mm512_shuffle_epi8(_mm512_loadu_si512(words + half * VECTOR), from);
        _mm512_store_si512(to, _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(bytes, bits), one));
      }
    }
}

TARGET_AVX512 static void count_bytes_avx512(const struct work *work, uint32_t y, uint32_t x, int32_t *counted) {
  const uint32_t k = work->l->k, n_groups = work->n_groups;
  const size_t pixel = (size_t)n_groups * NIBBLE;
  const uint8_t *weights = work->split;
  __m512i sum[GROUP][2];
  for (int i = 0; i < GROUP; i++) sum[i][0] = sum[i][1] = _mm512_setzero_si512();
  for (uint32_t ky = 0; ky < k; ky++) {
    /* The groups of k pixels of a row lie behind each other. */
    const uint8_t *values = work->tables + ((size_t)(y + ky) * work->columns + x) * pixel;
    for (const uint8_t *end = values + k * pixel; values < end; values += NIBBLE, weights += 2 * VECTOR) {
      const __m512i w0 = _mm512_load_si512(weights), w1 = _mm512_load_si512(weights + VECTOR);
#pragma GCC unroll 4
      for (int i = 0; i < GROUP; i++) {
        const __m512i v = _mm512_set1_epi32((int)load32(values + i * pixel));
        sum[i][0] = _mm512_dpbusd_epi32(sum[i][0], v, w0);
        sum[i][1] = _mm512_dpbusd_epi32(sum[i][1], v, w1);
      }
    }
  }
  for (int i = 0; i < GROUP; i++)
    for (int half = 0; half < 2; half++) _mm512_storeu_si512(counted + i * LANES + half * 16, sum[i][half]);
}

static const struct kernel kernel_bytes_avx512 = {.table_bytes = values_bytes_of_layer_avx512,
                                                  .build_tables = build_values_avx512,
                                                  .split_weights = split_bytes_avx512,
                                                  .add_row = add_row_avx512,
                                                  .count = count_bytes_avx512,
                                                  .quantise = quantise_avx512};
#endif
