/* SPDX-License-Identifier: Apache-2.0
 * x86 with AVX-512, layers of one digit and 9 taps: one step is 6 channels. The 64 bytes of a table are the sums of all
 * subsets of their 6 values, the weights of 64 outputs are 64 subsets, one permutation looks all of them up.
 *
 * Output blocks lie in pairs, interleaved, so that a running sum of 16-bit words and one of their upper bytes tell them
 * apart. The last one of an odd number of blocks is interleaved with itself: its odd bytes look up the next pixel.
 * All tables would not fit the first-level cache: rows of the input come one by one, each is counted for all outputs
 * that it reaches before the next one takes its place. */
#ifndef AVX512_TABLES_H
#define AVX512_TABLES_H
#include "avx512_common.h"
#include "stores.h"

/* 3 blocks are 16 groups of channels. Bytes hold the sums of 4 groups of 3 pixels (4 * 3 * 6 * 3 = 216). */
enum { TAPS = 3, CHUNK_BLOCKS = 3, CHUNK_GROUPS = 16, GROUPS_AT_ONCE = 4, GROUP_BITS = 6, SUBSETS = 64 };

/* Running sums of GROUP pixels: of a pair of blocks one vector for each pixel, of a single one a vector for two. */
enum { SINGLE = GROUP, SUMS = GROUP + GROUP / 2 };
struct sums_avx512 {
  __m512i total[SUMS], upper[SUMS];
};

/* Output blocks counted at once: a pair, a single one or both. */
struct unit {
  uint32_t first, n_blocks;
  uint8_t *places;          /* weights as places in the tables: [group][tap][pair, single][VECTOR] */
  struct sums_avx512 *sums; /* [output row % TAPS][group of pixels], zero where none was counted yet */
  int16_t limits[3][3][LANES];
};

struct tables_avx512 {
  const struct work *work;
  uint32_t n_groups, n_units;
  __m512i all_subsets;                /* 0, 1, ... 63: of 6 channels */
  uint8_t (*values)[2][CHUNK_GROUPS]; /* of a row: [column][plane][group] */
  uint8_t *row;                       /* tables of a row: [group][column][VECTOR] */
  struct unit units[MAX_BLOCKS / 2];
};

/* gcc loads a table anew for each use: that is more loads than the loop has look-ups. */
#define KEEP_IN_REGISTER(vector) __asm__("" : "+v"(vector))
#define IN_REGISTERS __attribute__((always_inline)) TARGET_AVX512 static inline /* arguments that are constants */

/* ---- counting ---- */

/* Whether n pixels need place i of the sums. */
IN_REGISTERS bool is_used(const int i, const int n, const bool has_pair, const bool has_single) {
  return i < SINGLE ? has_pair && i < n : has_single && i - SINGLE < n / 2;
}

/* One group of channels in the 3 rows of windows that a row of n pixels belongs to: a table serves all 9 taps. */
IN_REGISTERS void count_group_avx512(const uint8_t *table, const uint8_t *places, const int n, const bool has_pair,
                                     const bool has_single, __m512i bytes[TAPS][SUMS]) {
  __m512i values[GROUP + TAPS - 1];
#pragma GCC unroll 6
  for (int i = 0; i < n + TAPS - 1; i++) {
    values[i] = _mm512_load_si512(table + i * VECTOR);
    KEEP_IN_REGISTER(values[i]);
  }
#pragma GCC unroll 9
  for (int tap = 0; tap < TAPS * TAPS; tap++) {
    __m512i *sums = bytes[tap / TAPS], *at = values + tap % TAPS;
    if (has_pair) {
      const __m512i subsets = _mm512_load_si512(places);
      places += VECTOR;
#pragma GCC unroll 4
      for (int i = 0; i < n; i++) {
        sums[i] = _mm512_add_epi8(sums[i], _mm512_permutexvar_epi8(subsets, at[i]));
        KEEP_IN_REGISTER(sums[i]);
      }
    }
    if (has_single) {
      const __m512i subsets = _mm512_load_si512(places);
      places += VECTOR;
#pragma GCC unroll 2
      for (int i = 0; i < n / 2; i++) {
        const __m512i found = _mm512_permutex2var_epi8(at[2 * i], subsets, at[2 * i + 1]);
        sums[SINGLE + i] = _mm512_add_epi8(sums[SINGLE + i], found);
        KEEP_IN_REGISTER(sums[SINGLE + i]);
      }
    }
  }
}

/* Add what n pixels of the current row, from x on, give to the sums of 3 output rows. */
IN_REGISTERS void count_pixels_avx512(const struct tables_avx512 *tables, const uint8_t *places, uint32_t x,
                                      const int n, const bool has_pair, const bool has_single,
                                      struct sums_avx512 *const sums[TAPS]) {
  const size_t step = (size_t)tables->work->columns * VECTOR;
  const uint8_t *table = tables->row + (size_t)x * VECTOR;
  for (uint32_t left = tables->n_groups; left;) {
    uint32_t room = left < GROUPS_AT_ONCE ? left : GROUPS_AT_ONCE;
    left -= room;
    __m512i bytes[TAPS][SUMS];
#pragma GCC unroll 18
    for (int i = 0; i < TAPS * SUMS; i++) bytes[i / SUMS][i % SUMS] = _mm512_setzero_si512();
    do {
      count_group_avx512(table, places, n, has_pair, has_single, bytes);
      table += step, places += TAPS * TAPS * (has_pair + has_single) * VECTOR;
    } while (--room);
#pragma GCC unroll 18
    for (int i = 0; i < TAPS * SUMS; i++) {
      const int row = i / SUMS, at = i % SUMS;
      if (!is_used(at, n, has_pair, has_single)) continue;
      sums[row]->total[at] = _mm512_add_epi16(sums[row]->total[at], bytes[row][at]);
      sums[row]->upper[at] = _mm512_add_epi16(sums[row]->upper[at], _mm512_srli_epi16(bytes[row][at], 8));
    }
  }
}

/* ---- comparing ---- */

/* Differences that keep their sign tell which thresholds are not reached: none 3, one 2, two 1, all 0. */
TARGET_AVX512 static inline void code_avx512(__m512i counted, int32_t shared, const int16_t limits[3][LANES],
                                             uint64_t *word) {
  enum { EVEN_NUMBER = 0x69, AT_MOST_ONE = 0x17 }; /* of three bits */
  const __m512i acc = _mm512_add_epi16(_mm512_slli_epi16(counted, 1), _mm512_set1_epi16((int16_t)shared));
  const __m512i d1 = _mm512_subs_epi16(acc, _mm512_loadu_si512(limits[0]));
  const __m512i d2 = _mm512_subs_epi16(acc, _mm512_loadu_si512(limits[1]));
  const __m512i d3 = _mm512_subs_epi16(acc, _mm512_loadu_si512(limits[2]));
  const uint32_t low = _mm512_movepi16_mask(_mm512_ternarylogic_epi32(d1, d2, d3, EVEN_NUMBER));
  const uint32_t high = _mm512_movepi16_mask(_mm512_ternarylogic_epi32(d1, d2, d3, AT_MOST_ONE));
  *word = (uint64_t)high << LANES | low;
  __asm__("" : "+m"(*word)); /* gcc takes longer to join words in a vector register than to store them */
}

IN_REGISTERS void quantise_sums_avx512(const struct unit *unit, const struct sums_avx512 *sums, const int32_t *shared,
                                       const bool has_pair, const bool has_single, uint64_t words[3][GROUP]) {
  __m512i lower[SUMS];
#pragma GCC unroll 6
  for (int i = 0; i < SUMS; i++) lower[i] = _mm512_sub_epi16(sums->total[i], _mm512_slli_epi16(sums->upper[i], 8));
  if (has_pair)
#pragma GCC unroll 4
    for (int i = 0; i < GROUP; i++) {
      code_avx512(lower[i], shared[i], unit->limits[0], &words[0][i]);
      code_avx512(sums->upper[i], shared[i], unit->limits[1], &words[1][i]);
    }
  const int single = has_pair ? 2 : 0;
  if (has_single)
#pragma GCC unroll 2
    for (int i = 0; i < GROUP / 2; i++) {
      code_avx512(lower[SINGLE + i], shared[2 * i], unit->limits[single], &words[single][2 * i]);
      code_avx512(sums->upper[SINGLE + i], shared[2 * i + 1], unit->limits[single], &words[single][2 * i + 1]);
    }
}

/* Row y of the padded input: the first one of the windows of output row y, the last one of those of row y - 2. */
IN_REGISTERS void run_row_avx512(uint8_t *arena, const struct tables_avx512 *tables, const struct unit *unit,
                                 uint32_t y, const bool has_pair, const bool has_single) {
  const struct work *work = tables->work;
  const struct layer *l = work->l;
  const uint32_t n_groups = (l->out_w + GROUP - 1) / GROUP, done = y - (TAPS - 1);
  for (uint32_t g = 0; g < n_groups; g++) {
    const uint32_t x = g * GROUP, n = l->out_w - x < GROUP ? l->out_w - x : GROUP;
    struct sums_avx512 *const sums[TAPS] = {unit->sums + y % 3 * n_groups + g, unit->sums + (y + 2) % 3 * n_groups + g,
                                            unit->sums + (y + 1) % 3 * n_groups + g};
    if (y < l->top + l->h) { /* zeros below add nothing */
      if (n > 2)
        count_pixels_avx512(tables, unit->places, x, GROUP, has_pair, has_single, sums);
      else
        count_pixels_avx512(tables, unit->places, x, 2, has_pair, has_single, sums);
    }
    if (done < l->out_h) {
      uint64_t words[3][GROUP];
      quantise_sums_avx512(unit, sums[2], work->shared + (size_t)done * work->columns + x, has_pair, has_single, words);
      for (uint32_t b = 0; b < unit->n_blocks; b++) store_codes(arena, l, unit->first + b, done, x, words[b], n);
    }
#pragma GCC unroll 6
    for (int i = 0; i < SUMS; i++) /* its place is that of row y + 1 */
      if (is_used(i, GROUP, has_pair, has_single)) sums[2]->total[i] = sums[2]->upper[i] = _mm512_setzero_si512();
  }
}

TARGET_AVX512 static void run_unit_avx512(uint8_t *arena, const struct tables_avx512 *tables, const struct unit *unit,
                                          uint32_t y) {
  if (unit->n_blocks == 1)
    run_row_avx512(arena, tables, unit, y, false, true);
  else if (unit->n_blocks == 2)
    run_row_avx512(arena, tables, unit, y, true, false);
  else
    run_row_avx512(arena, tables, unit, y, true, true);
}

/* ---- tables ---- */

/* The 6 bits of each group of n blocks of a pixel: [plane][group]. */
IN_REGISTERS void find_values_avx512(const uint64_t *words, uint32_t n, uint8_t values[2][CHUNK_GROUPS]) {
  /* 8 groups of a plane are 6 bytes: they begin at byte 0 or 6 of the 12 bytes that 3 blocks have. */
  const __m256i gather = _mm256_setr_epi8(0, 1, 2, 3, 8, 9, 31, 31, 10, 11, 16, 17, 18, 19, 31, 31,  /* plane 0 */
                                          4, 5, 6, 7, 12, 13, 31, 31, 14, 15, 20, 21, 22, 23, 31, 31);
  const __m256i shifts = _mm256_set1_epi64x(0x2A241E18120C0600); /* 6 bits each, and 2 of the next ones */
  const __m256i blocks = _mm256_maskz_loadu_epi64((__mmask8)((1u << n) - 1), words);
  const __m256i parts = _mm256_multishift_epi64_epi8(shifts, _mm256_permutexvar_epi8(gather, blocks));
  _mm256_storeu_si256((__m256i *)values, parts);
}

/* Counting the bits that a subset and the values share is faster than loading the tables from a list of all. */
TARGET_AVX512 static void build_row_avx512(const struct tables_avx512 *tables, uint32_t y) {
  const struct work *work = tables->work;
  const uint32_t cb_in = work->steps, end = (work->l->out_w + 1) / 2 * 2 + TAPS - 1;
  const uint64_t *words = work->pixels + (size_t)y * work->columns * cb_in;
  uint8_t(*const values)[2][CHUNK_GROUPS] = tables->values;
  __m512i subsets = tables->all_subsets;
  KEEP_IN_REGISTER(subsets);
  for (uint32_t c = 0, first = 0; c < cb_in; c += CHUNK_BLOCKS, first += CHUNK_GROUPS) {
    const uint32_t n_blocks = cb_in - c < CHUNK_BLOCKS ? cb_in - c : CHUNK_BLOCKS;
    const uint32_t n = tables->n_groups - first < CHUNK_GROUPS ? tables->n_groups - first : CHUNK_GROUPS;
    for (uint32_t x = 0; x < end; x++) find_values_avx512(words + (size_t)x * cb_in + c, n_blocks, values[x]);
    for (uint32_t g = 0; g < n; g++) {
      uint8_t *table = tables->row + (size_t)(first + g) * work->columns * VECTOR;
      for (uint32_t x = 0; x < end; x++, table += VECTOR) {
        const __m512i low = _mm512_and_si512(subsets, _mm512_set1_epi8((char)values[x][0][g]));
        const __m512i high = _mm512_popcnt_epi8(_mm512_and_si512(subsets, _mm512_set1_epi8((char)values[x][1][g])));
        _mm512_store_si512(table, _mm512_add_epi8(_mm512_popcnt_epi8(low), _mm512_add_epi8(high, high)));
      }
    }
  }
}

/* ---- weights ---- */

/* The 6 bits of a group of channels that begins at bit `shift` of these words, others above them; of 16 outputs. */
IN_REGISTERS __m512i subsets_avx512(const uint8_t *words, __m512i shift, bool is_split) {
  const __m512i lower = _mm512_loadu_si512(words);
  return _mm512_shrdv_epi32(lower, is_split ? _mm512_loadu_si512(words + LANES * 4) : lower, shift);
}

/* The weights of a tap in two blocks, or in one twice, to every `stride`-th vector of each group. */
TARGET_AVX512 static void split_tap_avx512(const struct tables_avx512 *tables, const uint8_t *a, const uint8_t *b,
                                           uint32_t stride, uint8_t *to) {
  enum { A_AND_B_OR_C = 0xEA };
  const uint32_t cb_in = tables->work->steps;
  const __mmask64 odd_bytes = 0x2222222222222222; /* of the 16-bit words that are packed */
  const __m512i in_table = _mm512_set1_epi8(SUBSETS - 1);
  /* Bit 6 of a place chooses between the tables of two pixels. */
  const __m512i which = _mm512_set1_epi16(a == b ? SUBSETS << 8 : 0);
  for (uint32_t g = 0; g < tables->n_groups; g++, to += TAPS * TAPS * stride * VECTOR) {
    const uint32_t first = g * GROUP_BITS % LANES, block = g * GROUP_BITS / LANES;
    const bool is_split = first + GROUP_BITS > LANES && block + 1 < cb_in;
    const __m512i shift = _mm512_set1_epi32((int)first);
    __m256i both[2];
    for (int half = 0; half < 2; half++) {
      const size_t at = block * LANES * 4 + (size_t)half * VECTOR;
      const __m512i of_a = subsets_avx512(a + at, shift, is_split), of_b = subsets_avx512(b + at, shift, is_split);
      both[half] = _mm512_cvtepi32_epi16(_mm512_mask_blend_epi8(odd_bytes, of_a, _mm512_slli_epi32(of_b, 8)));
    }
    const __m512i places = _mm512_inserti64x4(_mm512_castsi256_si512(both[0]), both[1], 1);
    _mm512_store_si512(to, _mm512_ternarylogic_epi32(places, in_table, which, A_AND_B_OR_C));
  }
}

static void split_pair_avx512(const struct tables_avx512 *tables, const uint8_t *a, const uint8_t *b, uint32_t stride,
                              uint8_t *to) {
  const size_t tap_bytes = (size_t)tables->work->steps * LANES * 4;
  for (uint32_t tap = 0; tap < TAPS * TAPS; tap++, a += tap_bytes, b += tap_bytes, to += stride * VECTOR)
    split_tap_avx512(tables, a, b, stride, to);
}

/* Thresholds of a block, clamped: [3][LANES] from records of 4 words. */
TARGET_AVX512 static void narrow_limits_avx512(const uint8_t *records, int16_t limits[3][LANES]) {
  for (uint32_t o = 0; o < LANES; o += 4) {
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i found = _mm512_permutexvar_epi32(order, _mm512_loadu_si512(records + 16 * o));
    int16_t of_4[4][4];
    _mm256_storeu_si256((__m256i *)of_4, _mm512_cvtsepi32_epi16(found));
    for (uint32_t j = 0; j < 3; j++) memcpy(&limits[j][o], of_4[j], sizeof of_4[j]);
  }
}

static void load_unit_avx512(const uint8_t *arena, const struct tables_avx512 *tables, struct unit *unit) {
  const struct layer *l = tables->work->l;
  const uint64_t bytes = block_constants(l);
  const uint8_t *first = arena + l->constants + unit->first * bytes, *last = first + (unit->n_blocks - 1) * bytes;
  const uint32_t stride = unit->n_blocks == 3 ? 2 : 1;
  if (unit->n_blocks > 1) split_pair_avx512(tables, first, first + bytes, stride, unit->places);
  if (unit->n_blocks != 2) split_pair_avx512(tables, last, last, stride, unit->places + (stride - 1) * VECTOR);
  for (uint32_t b = 0; b < unit->n_blocks; b++)
    narrow_limits_avx512(first + b * bytes + (size_t)l->k * l->k * l->cb_in * LANES * 4, unit->limits[b]);
}

/* ---- whole layers ---- */

/* Whether it makes no difference which output block is written first, and that weights are read before that. */
static bool has_free_order(const struct layer *l) {
  const uint64_t planes = (uint64_t)l->cb_out * (l->store == SPACE_TO_DEPTH ? 4 : 1);
  const uint64_t plane = (uint64_t)l->stored_h * up4(l->stored_w) * 8;
  const uint64_t end = l->dst + (planes - 1) * l->dst_pitch + plane;
  const bool is_apart = end <= l->constants || l->constants + l->cb_out * block_constants(l) <= l->dst;
  return is_apart && (planes == 1 || plane <= l->dst_pitch);
}

/* Sizes of what lies in work->tables. */
static size_t values_bytes_avx512(const struct tables_avx512 *t) { return (size_t)t->work->columns * VECTOR; }
static size_t row_bytes_avx512(const struct tables_avx512 *t) {
  return (size_t)t->n_groups * t->work->columns * VECTOR;
}
static size_t places_bytes_avx512(const struct tables_avx512 *t) {
  return (size_t)TAPS * TAPS * t->n_groups * 2 * VECTOR;
}
static size_t sums_bytes_avx512(const struct tables_avx512 *t) {
  return TAPS * ((t->work->l->out_w + GROUP - 1) / GROUP) * sizeof(struct sums_avx512);
}

static void size_tables_avx512(const struct work *work, struct tables_avx512 *tables) {
  tables->work = work;
  tables->n_groups = (work->l->cb_in * LANES + GROUP_BITS - 1) / GROUP_BITS;
  tables->n_units = work->l->cb_out < 2 ? 1 : work->l->cb_out / 2;
}

static size_t table_bytes_avx512(const struct work *work) {
  struct tables_avx512 t;
  size_tables_avx512(work, &t);
  return values_bytes_avx512(&t) + row_bytes_avx512(&t) + t.n_units * (places_bytes_avx512(&t) + sums_bytes_avx512(&t));
}

TARGET_AVX512 static void run_tables_avx512(uint8_t *arena, struct work *work) {
  struct tables_avx512 tables;
  size_tables_avx512(work, &tables);
  uint8_t *at = work->tables;
  tables.values = (uint8_t(*)[2][CHUNK_GROUPS])at, at += values_bytes_avx512(&tables);
  tables.row = at, at += row_bytes_avx512(&tables);
  for (uint32_t u = 0; u < tables.n_units; u++) {
    struct unit *unit = &tables.units[u];
    unit->first = 2 * u, unit->n_blocks = u + 1 < tables.n_units ? 2 : work->l->cb_out - 2 * u;
    unit->places = at, at += places_bytes_avx512(&tables);
    unit->sums = (struct sums_avx512 *)at, at += sums_bytes_avx512(&tables);
    memset(unit->sums, 0, sums_bytes_avx512(&tables));
    load_unit_avx512(arena, &tables, unit);
  }
  uint8_t all_subsets[SUBSETS];
  for (uint32_t i = 0; i < SUBSETS; i++) all_subsets[i] = (uint8_t)i;
  tables.all_subsets = _mm512_loadu_si512(all_subsets);
  for (uint32_t y = work->l->top; y < work->rows; y++) { /* zeros above add nothing */
    if (y < work->l->top + work->l->h) build_row_avx512(&tables, y);
    for (uint32_t u = 0; u < tables.n_units; u++) run_unit_avx512(arena, &tables, &tables.units[u], y);
  }
}

static const struct kernel kernel_tables_avx512 = {
    .table_bytes = table_bytes_avx512, .add_row = add_row_avx512, .run_blocks = run_tables_avx512};
#endif
