/* SPDX-License-Identifier: Apache-2.0
 * What the AVX-512 kernels share. */
#ifndef AVX512_COMMON_H
#define AVX512_COMMON_H
#include "x86.h"

/* Ice Lake and Zen 4 and what came after them. */
#define TARGET_AVX512                                                                                               \
  __attribute__((                                                                                                   \
      target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,avx512vnni,avx512bitalg,avx512vpopcntdq,gfni")))

static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
         __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("avx512vpopcntdq") &&
         __builtin_cpu_supports("gfni");
}

TARGET_AVX512 static void quantise_avx512(const int32_t *counted, const int32_t *shared, const int32_t *thresholds,
                                          uint64_t *words) {
  __m512i t[3][2];
  for (int j = 0; j < 3; j++)
    for (int half = 0; half < 2; half++) t[j][half] = _mm512_loadu_si512(thresholds + j * LANES + 16 * half);
  for (int i = 0; i < GROUP; i++) {
    uint32_t r[3] = {0, 0, 0};
    for (int half = 0; half < 2; half++) {
      const __m512i twice = _mm512_slli_epi32(_mm512_loadu_si512(counted + i * LANES + 16 * half), 1);
      const __m512i acc = _mm512_add_epi32(twice, _mm512_set1_epi32(shared[i]));
      for (int j = 0; j < 3; j++) r[j] |= (uint32_t)_mm512_cmpge_epi32_mask(acc, t[j][half]) << (16 * half);
    }
    words[i] = high_plane(r[0], r[1], r[2]) << LANES | low_plane(r[0], r[1], r[2]);
  }
}

/* Each word has the counts of its planes in its halves. */
TARGET_AVX512 static void add_row_avx512(const uint8_t *words, uint32_t n, uint32_t digit, int32_t *sums) {
  for (uint32_t x = 0; x < n; x += 8) {
    const __mmask8 some = (__mmask8)(n - x < 8 ? (1u << (n - x)) - 1 : 255);
    const __m512i planes = _mm512_popcnt_epi32(_mm512_maskz_loadu_epi64(some, words + (size_t)x * 8));
    const __m512i values = _mm512_add_epi64(planes, _mm512_srli_epi64(planes, 31)); /* the lower halves */
    const __m512i old = _mm512_maskz_loadu_epi32(some, sums + x);
    const __m512i scaled = _mm512_sll_epi64(values, _mm_cvtsi32_si128((int)(2 * digit)));
    const __m512i added = _mm512_add_epi32(old, _mm512_castsi256_si512(_mm512_cvtepi64_epi32(scaled)));
    _mm512_mask_storeu_epi32(sums + x, some, added);
  }
}
#endif
