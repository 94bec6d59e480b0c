/* SPDX-License-Identifier: Apache-2.0
 * ARM with NEON. */
#ifndef NEON_H
#define NEON_H
#include "work.h"

#include <arm_neon.h>

/* One step is 4 channels of two neighbouring pixels: byte s of its table is the sum of subset s of the left pixel's
 * values plus 16 times that of the right pixel's. A look-up with the weights of 8 outputs thus counts both pixels; a
 * running sum of the bytes and one of their upper halves tell them apart after at most 21 steps (21 * 12 < 256).
 * Groups of 4 channels whose values are all zero are left out.
 * tables: [row][digit][column][live group][16], the right pixel is the one of the next column.
 * nibbles: [tap][live group][LANES]. */
enum { NEON_STEPS = 21, NEON_PAIRS = GROUP / 2, TABLE = 16 };
enum { NEON_CHUNKS = (9 * MAX_BLOCKS * 8 + NEON_STEPS - 1) / NEON_STEPS }; /* of the largest layer */

/* As intrinsics, 32-bit compilers spend a third of the loop on moving halves of registers. */
static inline uint8x16_t look_up_neon(uint8x16_t table, uint8x16_t places) {
#ifdef __arm__
  uint8x16_t found;
  __asm__("vtbl.8 %e0, %h1, %e2\n\tvtbl.8 %f0, %h1, %f2" : "=&w"(found) : "w"(table), "w"(places));
  return found;
#else
  return vqtbl1q_u8(table, places);
#endif
}

/* Running sums of one chunk: of the bytes of the tables, and of the upper halves of these bytes. */
struct chunk_neon {
  uint8x16_t total[NEON_PAIRS][2], upper[NEON_PAIRS][2];
};

/* Look up 32 outputs in the tables of 4 channels and go on to the next 4 channels. */
static inline __attribute__((always_inline)) void step_neon(struct chunk_neon *sums, const int pairs,
                                                            const uint8_t *tables[NEON_PAIRS],
                                                            const uint8_t **places) {
  const uint8x16x2_t weights = vld2q_u8(*places);
  *places += LANES;
#pragma GCC unroll 2
  for (int p = 0; p < pairs; p++) {
    const uint8x16_t table = vld1q_u8(tables[p]);
    tables[p] += TABLE;
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
      const uint8x16_t found = look_up_neon(table, weights.val[half]);
      sums->total[p][half] = vaddq_u8(sums->total[p][half], found);
      sums->upper[p][half] = vsraq_n_u8(sums->upper[p][half], found, 4);
    }
  }
}

/* Counts of one digit as bytes that belong together, [chunk][pixel][output]; returns the number of chunks. `pairs` is
 * a constant where this is inlined. */
static inline __attribute__((always_inline)) uint32_t count_pairs_neon(const struct work *work, uint32_t y, uint32_t x,
                                                                       uint32_t d, const int pairs, uint8_t *bytes) {
  const uint8x16_t zero = vdupq_n_u8(0);
  const uint32_t taps = work->l->k;
  const size_t pixel = (size_t)work->n_groups * TABLE, row = work->l->digits * work->columns * pixel;
  const uint8_t *places = work->split, *rows = work->tables + y * row + ((size_t)d * work->columns + x) * pixel;
  struct chunk_neon sums = {{{zero, zero}, {zero, zero}}, {{zero, zero}, {zero, zero}}};
  uint32_t room = NEON_STEPS, n_chunks = 0;
  for (uint32_t ky = 0; ky < taps; ky++, rows += row) {
    const uint8_t *tables[NEON_PAIRS] = {rows, rows + 2 * pixel};
    for (uint32_t left = taps * work->n_groups; left;) {
      const uint32_t n = left < room ? left : room;
      left -= n, room -= n;
      const uint8_t *end = places + n * LANES;
      do step_neon(&sums, pairs, tables, &places);
      while (places != end);
      if (room && (left || ky + 1 < taps)) continue;
      room = NEON_STEPS, n_chunks++;
#pragma GCC unroll 2
      for (int p = 0; p < pairs; p++)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
          uint8_t *to = bytes + 2 * p * LANES + 16 * half;
          vst1q_u8(to, vsubq_u8(sums.total[p][half], vshlq_n_u8(sums.upper[p][half], 4)));
          vst1q_u8(to + LANES, sums.upper[p][half]);
          sums.total[p][half] = sums.upper[p][half] = zero;
        }
      bytes += GROUP * LANES;
    }
  }
  return n_chunks;
}

/* At least one chunk. */
static uint32_t count_digit_neon(const struct work *work, uint32_t y, uint32_t x, uint32_t d, uint8_t *bytes) {
  if (work->n_groups == 0) {
    memset(bytes, 0, GROUP * LANES);
    return 1;
  }
  return x + 2 < work->l->out_w ? count_pairs_neon(work, y, x, d, 2, bytes) : count_pairs_neon(work, y, x, d, 1, bytes);
}

/* Sums of the 32 outputs of a pixel over n chunks: even outputs, then odd ones. */
static inline uint16x8x4_t sum_chunks_neon(const uint8_t *bytes, uint32_t n) {
  uint16x8_t sum0 = vdupq_n_u16(0), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  do {
    const uint8x16x2_t chunk = vld2q_u8(bytes);
    sum0 = vaddw_u8(sum0, vget_low_u8(chunk.val[0])), sum1 = vaddw_u8(sum1, vget_high_u8(chunk.val[0]));
    sum2 = vaddw_u8(sum2, vget_low_u8(chunk.val[1])), sum3 = vaddw_u8(sum3, vget_high_u8(chunk.val[1]));
    bytes += GROUP * LANES;
  } while (--n);
  const uint16x8x4_t sums = {{sum0, sum1, sum2, sum3}};
  return sums;
}

/* Digits from the top: shift what is there, add the next. */
static void count_neon(const struct work *work, uint32_t y, uint32_t x, int32_t *counted) {
  uint8_t bytes[NEON_CHUNKS * GROUP * LANES];
  const uint32_t n = (x + 2 < work->l->out_w ? GROUP : 2) * LANES;
  memset(counted, 0, GROUP * LANES * sizeof *counted);
  for (uint32_t d = work->l->digits; d-- > 0;) {
    const uint32_t n_chunks = count_digit_neon(work, y, x, d, bytes);
    for (uint32_t o = 0; o < n; o += LANES) {
      const uint16x8x4_t sums = sum_chunks_neon(bytes + o, n_chunks);
#pragma GCC unroll 4
      for (int part = 0; part < 4; part++) {
        int32_t *to = counted + o + 16 * (part & 1) + part / 2;
        for (int i = 0; i < 8; i++) to[2 * i] = 4 * to[2 * i] + sums.val[part][i];
      }
    }
  }
}

/* Where all sums fit 16 bits: always for one digit (288 * 32 * 3 = 27,648). */
static void quantise_narrow_neon(const struct work *work, uint32_t y, uint32_t x, const int32_t *shared,
                                 uint64_t *words) {
  const uint8_t even_bits[8] = {1, 4, 16, 64, 1, 4, 16, 64};
  const uint8x8_t bits[2] = {vld1_u8(even_bits), vshl_n_u8(vld1_u8(even_bits), 1)};
  uint8_t bytes[NEON_CHUNKS * GROUP * LANES]; /* several digits have fewer chunks each, or their sums would not fit */
  const int digits = (int)work->l->digits, pixels = x + 2 < work->l->out_w ? GROUP : 2;
  uint32_t n_chunks = 0;
  for (int d = 0; d < digits; d++)
    n_chunks = count_digit_neon(work, y, x, (uint32_t)d, bytes + d * n_chunks * GROUP * LANES);
  for (int i = 0; i < pixels; i++) {
    const uint8_t *from = bytes + (digits - 1) * n_chunks * GROUP * LANES + i * LANES;
    uint16x8x4_t counted = sum_chunks_neon(from, n_chunks);
    for (int d = digits - 1; d-- > 0;) {
      from -= n_chunks * GROUP * LANES;
      const uint16x8x4_t next = sum_chunks_neon(from, n_chunks);
#pragma GCC unroll 4
      for (int part = 0; part < 4; part++)
        counted.val[part] = vaddq_u16(vshlq_n_u16(counted.val[part], 2), next.val[part]);
    }
    const int16x8_t minus = vdupq_n_s16((int16_t)shared[i]);
    const int16_t *limits = work->limits;
    uint8x8_t low[4], high[4];
#pragma GCC unroll 4
    for (int part = 0; part < 4; part++, limits += 3 * 8) {
      const int16x8_t acc = vaddq_s16(vreinterpretq_s16_u16(vshlq_n_u16(counted.val[part], 1)), minus);
      const uint16x8_t r1 = vcgeq_s16(acc, vld1q_s16(limits)), r2 = vcgeq_s16(acc, vld1q_s16(limits + 8));
      const uint16x8_t r3 = vcgeq_s16(acc, vld1q_s16(limits + 16)), differ = veorq_u16(r1, r2);
      low[part] = vand_u8(vmovn_u16(veorq_u16(differ, r3)), bits[part / 2]);
      high[part] = vand_u8(vmovn_u16(vbslq_u16(differ, r3, r1)), bits[part / 2]);
    }
    const uint8x8_t lows = vpadd_u8(vorr_u8(low[0], low[2]), vorr_u8(low[1], low[3]));
    const uint8x8_t highs = vpadd_u8(vorr_u8(high[0], high[2]), vorr_u8(high[1], high[3]));
    vst1_u8((uint8_t *)(words + i), vpadd_u8(lows, highs));
  }
}

static uint32_t join_neon(uint32x4_t bits) {
  const uint32x2_t half = vorr_u32(vget_low_u32(bits), vget_high_u32(bits));
  return vget_lane_u32(half, 0) | vget_lane_u32(half, 1);
}

static void quantise_neon(const int32_t *counted, const int32_t *shared, const int32_t *thresholds, uint64_t *words) {
  const uint32_t first_bits[4] = {1, 2, 4, 8};
  for (int i = 0; i < GROUP; i++, counted += LANES) {
    uint32x4_t bit = vld1q_u32(first_bits), low = vdupq_n_u32(0), high = low;
    for (int o = 0; o < LANES; o += 4, bit = vshlq_n_u32(bit, 4)) {
      const int32x4_t acc = vaddq_s32(vshlq_n_s32(vld1q_s32(counted + o), 1), vdupq_n_s32(shared[i]));
      const uint32x4_t r1 = vcgeq_s32(acc, vld1q_s32(thresholds + o));
      const uint32x4_t r2 = vcgeq_s32(acc, vld1q_s32(thresholds + LANES + o));
      const uint32x4_t r3 = vcgeq_s32(acc, vld1q_s32(thresholds + 2 * LANES + o));
      low = vorrq_u32(low, vandq_u32(bit, veorq_u32(veorq_u32(r1, r2), r3)));
      high = vorrq_u32(high, vandq_u32(bit, vorrq_u32(vandq_u32(r1, r2), vandq_u32(r3, vorrq_u32(r1, r2)))));
    }
    words[i] = (uint64_t)join_neon(high) << LANES | join_neon(low);
  }
}

/* sums[v]: the table of one pixel whose 4 values have their bits of plane 0 in the lower half of v, plane 1 above. */
static void fill_subset_sums(uint8_t sums[256 * TABLE]) {
  vst1q_u8(sums, vdupq_n_u8(0));
  for (uint32_t bit = 0; bit < 8; bit++) {
    uint8_t of_subset[TABLE];
    for (uint32_t s = 0; s < TABLE; s++) of_subset[s] = (uint8_t)((s >> (bit & 3) & 1) << (bit >> 2));
    const uint8x16_t value = vld1q_u8(of_subset);
    const uint32_t n = TABLE << bit;
    for (uint32_t at = 0; at < n; at += TABLE) vst1q_u8(sums + n + at, vaddq_u8(vld1q_u8(sums + at), value));
  }
}

/* Pixel words become 8 bytes, one for each group of 4 channels: plane 0 in the lower half. Whole vectors of 4 words. */
static void zip_planes_neon(uint64_t *words, size_t n) {
  for (size_t i = 0; i < n; i += 4) {
    uint8_t *bytes = (uint8_t *)(words + i);
    const uint32x4_t first = vreinterpretq_u32_u8(vld1q_u8(bytes)), last = vreinterpretq_u32_u8(vld1q_u8(bytes + 16));
    const uint32x4x2_t planes = vuzpq_u32(first, last);
    const uint8x16_t p0 = vreinterpretq_u8_u32(planes.val[0]), p1 = vreinterpretq_u8_u32(planes.val[1]);
    const uint8x16x2_t even_and_odd = {{vsliq_n_u8(p0, p1, 4), vsriq_n_u8(p1, p0, 4)}};
    vst2q_u8(bytes, even_and_odd);
  }
}

static void find_live_groups(struct work *work) {
  const uint32_t cb_in = work->l->cb_in;
  const uint8_t *end = (const uint8_t *)(work->pixels + (size_t)work->rows * work->columns * work->steps);
  work->n_groups = 0;
  for (uint32_t c = 0; c < cb_in; c++) {
    uint8x8_t used = vdup_n_u8(0);
    for (const uint8_t *word = (const uint8_t *)(work->pixels + c); word < end; word += 8 * cb_in)
      used = vorr_u8(used, vld1_u8(word));
    uint8_t of_group[8];
    vst1_u8(of_group, used);
    work->live[c] = 0;
    for (uint32_t g = 0; g < 8; g++)
      if (of_group[g]) work->live[c] |= (uint8_t)(1u << g), work->n_groups++;
  }
}

static inline void build_table_neon(const uint8_t *sums, uint8_t left, uint8_t right, uint8_t *table) {
  vst1q_u8(table, vsliq_n_u8(vld1q_u8(sums + left * TABLE), vld1q_u8(sums + right * TABLE), 4));
}

/* Tables of one digit of a pixel and its right neighbour; returns the place behind them. */
static inline uint8_t *build_pair_neon(const struct work *work, const uint64_t *pixel, const uint8_t *sums,
                                       uint8_t *table) {
  const uint8_t *left = (const uint8_t *)pixel, *right = (const uint8_t *)(pixel + work->steps);
  for (uint32_t c = 0; c < work->l->cb_in; c++, left += 8, right += 8) {
    if (work->live[c] == 255) {
#pragma GCC unroll 8
      for (uint32_t g = 0; g < 8; g++) build_table_neon(sums, left[g], right[g], table + g * TABLE);
      table += 8 * TABLE;
      continue;
    }
    for (uint32_t rest = work->live[c]; rest; rest &= rest - 1, table += TABLE) {
      const int g = __builtin_ctz(rest);
      build_table_neon(sums, left[g], right[g], table);
    }
  }
  return table;
}

/* Pairs begin at every column that a tap of an even column reaches; with k = 1 those are the even ones. */
static void build_tables_neon(struct work *work) {
  const struct layer *l = work->l;
  uint8_t sums[256 * TABLE];
  fill_subset_sums(sums);
  zip_planes_neon(work->pixels, (size_t)work->rows * work->columns * work->steps);
  find_live_groups(work);
  const uint32_t largest = l->k * l->k * work->n_groups * 4 * ((1u << (2 * l->digits)) - 1);
  work->is_narrow = largest < INT16_MAX; /* so that clamped thresholds stay out of reach */
  const uint32_t end = (l->out_w + 1) / 2 * 2 + l->k - 2, step = l->k == 1 ? 2 : 1;
  for (uint32_t y = 0; y < work->rows; y++)
    for (uint32_t d = 0; d < l->digits; d++) {
      const size_t row = ((size_t)y * l->digits + d) * work->columns;
      const uint64_t *pixel = work->pixels + (size_t)y * work->columns * work->steps + d * l->cb_in;
      uint8_t *table = work->tables + row * work->n_groups * TABLE;
      for (uint32_t x = 0; x < end; x += step, pixel += step * work->steps)
        table = build_pair_neon(work, pixel, sums, table) + (step - 1) * work->n_groups * TABLE;
    }
}

/* Thresholds of the current output block, clamped to 16 bits: [output & 1][output / 16][3][8]. */
static void narrow_limits_neon(struct work *work, const uint8_t *records) {
  for (uint32_t o = 0; o < LANES; o++)
    for (uint32_t j = 0; j < 3; j++) {
      const int32_t limit = (int32_t)load32(records + 16 * o + 4 * j);
      const int32_t clamped = limit < INT16_MIN ? INT16_MIN : limit > INT16_MAX ? INT16_MAX : limit;
      work->limits[(2 * (o & 1) + o / 16) * 24 + 8 * j + o % 16 / 2] = (int16_t)clamped;
    }
}

static void split_weights_neon(struct work *work) {
  const uint32_t n = work->l->k * work->l->k * work->l->cb_in;
  const uint8x16_t low_half = vdupq_n_u8(15);
  const uint8_t *words = work->weights;
  uint8_t *to = work->split;
  for (uint32_t s = 0, c = 0; s < n; s++, words += LANES * 4, c = c + 1 < work->l->cb_in ? c + 1 : 0) {
    const uint8x16x4_t first = vld4q_u8(words), second = vld4q_u8(words + LANES * 2);
#pragma GCC unroll 4
    for (uint32_t b = 0; b < 4; b++) {
      const uint8x16x2_t even = {{vandq_u8(first.val[b], low_half), vandq_u8(second.val[b], low_half)}};
      const uint8x16x2_t odd = {{vshrq_n_u8(first.val[b], 4), vshrq_n_u8(second.val[b], 4)}};
      if (work->live[c] >> (2 * b) & 1) vst2q_u8(to, even), to += LANES;
      if (work->live[c] >> (2 * b + 1) & 1) vst2q_u8(to, odd), to += LANES;
    }
  }
  if (!work->l->raw) narrow_limits_neon(work, words);
}

static int32_t sum_of_pixel_neon(const struct work *work, const uint64_t *words) {
  uint32x2_t planes = vdup_n_u32(0);
  for (uint32_t d = work->l->digits; d-- > 0;) {
    const uint8_t *word = (const uint8_t *)(words + d * work->l->cb_in), *end = word + work->l->cb_in * 8;
    uint16x4_t counted = vdup_n_u16(0);
    for (; word != end; word += 8) counted = vpadal_u8(counted, vcnt_u8(vld1_u8(word)));
    planes = vpadal_u16(vshl_n_u32(planes, 2), counted);
  }
  return (int32_t)(vget_lane_u32(planes, 0) + 2 * vget_lane_u32(planes, 1));
}

static const struct kernel kernel_neon = {.table_bytes = nibble_table_bytes,
                                          .build_tables = build_tables_neon,
                                          .split_weights = split_weights_neon,
                                          .sum_of_pixel = sum_of_pixel_neon,
                                          .count = count_neon,
                                          .quantise = quantise_neon,
                                          .quantise_narrow = quantise_narrow_neon};
#endif
