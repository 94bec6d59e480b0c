/* SPDX-License-Identifier: Apache-2.0
 * x86 with AVX2. */
#ifndef AVX2_H
#define AVX2_H
#include "x86.h"

/* One step is 4 channels: the table of a pixel holds the sum of every subset of its 4 values, the weights of 32 outputs
 * are 32 subsets, one shuffle looks all of them up. Bytes hold 21 steps (21 * 12 = 252), 16-bit words a whole digit
 * (9 * 1024 * 3 = 27,648). Groups of 4 channels that are zero everywhere are left out.
 * tables: [row][digit][column][live group][SUBSETS_OF_4]. split: [tap][live group][LANES]. */
#define TARGET_AVX2 __attribute__((target("avx2")))
enum { SUBSETS_OF_4 = 16, STEPS_AVX2 = 21 };

TARGET_AVX2 static void count_digit_avx2(const struct work *work, uint32_t y, uint32_t x, uint32_t d,
                                         __m256i wide[GROUP][2]) {
  const uint32_t k = work->l->k;
  const size_t pixel = (size_t)work->n_groups * SUBSETS_OF_4, row = work->l->digits * work->columns * pixel;
  const uint8_t *places = work->split, *rows = work->tables + y * row + ((size_t)d * work->columns + x) * pixel;
  const __m256i zero = _mm256_setzero_si256();
  for (uint32_t ky = 0; ky < k; ky++, rows += row) {
    const uint8_t *table = rows;
    for (uint32_t left = k * work->n_groups; left;) {
      const uint32_t n = left < STEPS_AVX2 ? left : STEPS_AVX2;
      left -= n;
      __m256i sum[GROUP] = {zero, zero, zero, zero};
      for (const uint8_t *end = table + n * SUBSETS_OF_4; table != end; table += SUBSETS_OF_4, places += LANES) {
        const __m256i subsets = _mm256_load_si256((const __m256i *)places);
#pragma GCC unroll 4
        for (int i = 0; i < GROUP; i++) {
          const __m256i sums = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(table + i * pixel)));
          sum[i] = _mm256_add_epi8(sum[i], _mm256_shuffle_epi8(sums, subsets));
        }
      }
#pragma GCC unroll 4
      for (int i = 0; i < GROUP; i++) {
        wide[i][0] = _mm256_add_epi16(wide[i][0], _mm256_unpacklo_epi8(sum[i], zero));
        wide[i][1] = _mm256_add_epi16(wide[i][1], _mm256_unpackhi_epi8(sum[i], zero));
      }
    }
  }
}

TARGET_AVX2 static void count_avx2(const struct work *work, uint32_t y, uint32_t x, int32_t *counted) {
  const __m256i zero = _mm256_setzero_si256();
  memset(counted, 0, GROUP * LANES * sizeof *counted);
  for (uint32_t d = work->l->digits; d-- > 0;) {
    __m256i wide[GROUP][2] = {{zero, zero}, {zero, zero}, {zero, zero}, {zero, zero}};
    count_digit_avx2(work, y, x, d, wide);
    for (int i = 0; i < GROUP; i++)
      for (int part = 0; part < 2; part++) { /* unpacking interleaves: bytes 0-7 and 16-23, then 8-15 and 24-31 */
        const __m128i lower = _mm256_castsi256_si128(wide[i][part]), upper = _mm256_extracti128_si256(wide[i][part], 1);
        __m256i *low = (__m256i *)(counted + i * LANES + 8 * part), *high = low + 2;
        const __m256i old_low = _mm256_slli_epi32(_mm256_loadu_si256(low), 2);
        const __m256i old_high = _mm256_slli_epi32(_mm256_loadu_si256(high), 2);
        _mm256_storeu_si256(low, _mm256_add_epi32(old_low, _mm256_cvtepu16_epi32(lower)));
        _mm256_storeu_si256(high, _mm256_add_epi32(old_high, _mm256_cvtepu16_epi32(upper)));
      }
  }
}

TARGET_AVX2 static void quantise_avx2(const int32_t *counted, const int32_t *shared, const int32_t *thresholds,
                                      uint64_t *words) {
  for (int i = 0; i < GROUP; i++) {
    uint32_t reached[3] = {0, 0, 0};
    for (int part = 0; part < 4; part++) {
      const __m256i once = _mm256_loadu_si256((const __m256i *)(counted + i * LANES + 8 * part));
      const __m256i acc = _mm256_add_epi32(_mm256_slli_epi32(once, 1), _mm256_set1_epi32(shared[i]));
      for (int j = 0; j < 3; j++) {
        const __m256i t = _mm256_loadu_si256((const __m256i *)(thresholds + j * LANES + 8 * part));
        reached[j] |= (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(t, acc))) << (8 * part);
      }
    }
    for (int j = 0; j < 3; j++) reached[j] = ~reached[j];
    words[i] = high_plane(reached[0], reached[1], reached[2]) << LANES | low_plane(reached[0], reached[1], reached[2]);
  }
}

/* sums[v]: table of 4 values whose bits of plane 0 are the lower half of v, those of plane 1 the upper one. */
TARGET_AVX2 static void fill_subset_sums_avx2(__m128i sums[256]) {
  const __m128i subsets = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  sums[0] = _mm_setzero_si128();
  for (int bit = 0; bit < 8; bit++) {
    const __m128i place = _mm_set1_epi8((char)(1 << bit % 4)), value = _mm_set1_epi8((char)(1 << bit / 4));
    const __m128i added = _mm_and_si128(_mm_cmpeq_epi8(_mm_and_si128(subsets, place), place), value);
    for (int v = 0, n = 1 << bit; v < n; v++) sums[n + v] = _mm_add_epi8(sums[v], added);
  }
}

TARGET_AVX2 static void build_tables_avx2(struct work *work) {
  const struct layer *l = work->l;
  __m128i sums[256], *table = (__m128i *)work->tables;
  fill_subset_sums_avx2(sums);
  find_live(work);
  for (uint32_t y = 0; y < work->rows; y++)
    for (uint32_t d = 0; d < l->digits; d++) {
      const uint64_t *words = work->pixels + (size_t)y * work->columns * work->steps + d * l->cb_in;
      for (uint32_t x = 0; x < work->columns; x++, words += work->steps)
        for (uint32_t c = 0; c < l->cb_in; c++)
          for (uint32_t rest = work->live[c]; rest; rest &= rest - 1) {
            const int first = NIBBLE * __builtin_ctz(rest);
            _mm_store_si128(table++, sums[(words[c] >> first & 15) | (words[c] >> (LANES + first) & 15) << NIBBLE]);
          }
    }
}

/* The bytes of 32 words are gathered, then their halves come apart. */
TARGET_AVX2 static void split_nibbles_avx2(struct work *work) {
  const size_t n = (size_t)work->l->k * work->l->k * work->l->cb_in;
  const __m256i by_byte = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,  /* 4 words a half */
                                           0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7), low_half = _mm256_set1_epi8(15);
  const uint8_t *words = work->weights;
  __m256i *to = (__m256i *)work->split;
  for (size_t s = 0; s < n; s++, words += LANES * 4) {
    const uint32_t live = work->live[s % work->l->cb_in];
    __m256i q[4]; /* [8 words]: 8 times byte 0, then bytes 1, 2, 3 */
    for (int i = 0; i < 4; i++) {
      const __m256i of_8 = _mm256_loadu_si256((const __m256i *)(words + 32 * i));
      q[i] = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(of_8, by_byte), order);
    }
    const __m256i even[2] = {_mm256_unpacklo_epi64(q[0], q[1]), _mm256_unpacklo_epi64(q[2], q[3])};
    const __m256i odd[2] = {_mm256_unpackhi_epi64(q[0], q[1]), _mm256_unpackhi_epi64(q[2], q[3])};
    const __m256i bytes[4] = {_mm256_permute2x128_si256(even[0], even[1], 0x20),
                              _mm256_permute2x128_si256(odd[0], odd[1], 0x20),
                              _mm256_permute2x128_si256(even[0], even[1], 0x31),
                              _mm256_permute2x128_si256(odd[0], odd[1], 0x31)};
    for (int b = 0; b < 4; b++) {
      if (live >> (2 * b) & 1) *to++ = _mm256_and_si256(bytes[b], low_half);
      if (live >> (2 * b + 1) & 1) *to++ = _mm256_and_si256(_mm256_srli_epi16(bytes[b], 4), low_half);
    }
  }
}

TARGET_AVX2 static void add_row_avx2(const uint8_t *words, uint32_t n, uint32_t digit, int32_t *sums) {
  for (uint32_t x = 0; x < n; x++) sums[x] += sum_of_word(load64(words + (size_t)x * 8)) << (2 * digit);
}

static const struct kernel kernel_avx2 = {.table_bytes = nibble_table_bytes,
                                          .build_tables = build_tables_avx2,
                                          .split_weights = split_nibbles_avx2,
                                          .add_row = add_row_avx2,
                                          .count = count_avx2,
                                          .quantise = quantise_avx2};
#endif
