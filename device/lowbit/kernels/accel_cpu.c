/* SPDX-License-Identifier: Apache-2.0
 * The low-bit machine on a CPU. Section numbers are those of the accelerator specification; the NumPy emulator is the
 * definition. One source builds with plain -O3: kernels above the base instruction set carry target attributes and are
 * chosen at run time.
 *
 * A layer runs in this order: check, copy the input into a zero-padded buffer (pixel-major), sum each window without
 * weights once (the terms that all outputs share), then per output block and group of 4 pixels count, compare and
 * store. */
#include "accel_cpu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(__ARM_NEON)
#define HAVE_NEON 1
#include <arm_neon.h>
#elif defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86 1
#include <immintrin.h>
#endif

enum { LANES = 32, GROUP = 4, DESCRIPTOR_WORDS = 16, MAX_SIDE = 1024, MAX_BLOCKS = 32, MAX_DIGITS = 4 };
enum { PLAIN = 0, SPACE_TO_DEPTH = 1, UPSAMPLE = 2 };
enum { TABLE_BYTES = 128 }; /* 8 groups of 4 channels, 16 sums each: one block of one pixel */
static const uint64_t ACTIVATION_BYTES = 131072, WEIGHT_STEPS = 288;

struct layer {
  uint32_t src, dst, constants, src_pitch, dst_pitch;
  uint32_t w, h, cb_in, cb_out, digits, k, top, bottom, left, right, store, raw;
  uint32_t out_h, out_w, stored_h, stored_w;
};

/* Working copies of one layer. Pixel-major, so that one window row is one piece: [row][column][digit][block]. */
struct work {
  const struct layer *l;
  uint32_t rows, columns, steps; /* of the padded input; steps = words per pixel */
  uint64_t *pixels;              /* [rows][columns][steps] */
  uint8_t *tables;               /* sums of subsets of 4 channels, see the kernels that need them */
  int32_t *shared;               /* [out_h][columns]: minus the sum of the window's values */
  uint8_t *nibbles;              /* weights of the current output block as places in the tables */
  const uint8_t *weights;        /* stream of the current output block, [tap][cb][LANES] words */
  /* NEON only: */
  uint32_t n_groups;         /* groups of 4 channels that are not zero in all pixels and digits */
  uint8_t live[MAX_BLOCKS];  /* one bit for each of these groups */
  bool is_narrow;            /* all sums of the layer fit 16 bits */
  int16_t limits[3 * LANES]; /* thresholds of the current output block, clamped */
};

struct kernel {
  /* Fill work->tables from the pixels and work->nibbles from the weights; NULL where no tables are used. */
  void (*build_tables)(struct work *);
  void (*split_nibbles)(struct work *);
  /* Sum of the values of all channels of a pixel. */
  int32_t (*sum_of_pixel)(const struct work *, const uint64_t *words);
  /* Sum of the values whose weight bit is 1, for 4 pixels and 32 outputs. */
  void (*count)(const struct work *, uint32_t y, uint32_t x, int32_t counted[GROUP * LANES]);
  /* acc = 2 * counted + shared[pixel]; how many of the [3][LANES] thresholds it reaches, as pixel words. */
  void (*quantise)(const int32_t *counted, const int32_t *shared, const int32_t *thresholds, uint64_t words[GROUP]);
  /* Both in one where is_narrow is set. */
  void (*quantise_narrow)(const struct work *, uint32_t y, uint32_t x, const int32_t *shared, uint64_t words[GROUP]);
};

static uint32_t up4(uint32_t n) { return (n + 3) & ~3u; }

static uint32_t load32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static uint64_t load64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* Sum of the 32 values of a pixel word: bits of plane 0 and twice those of plane 1, no popcount instruction needed. */
static inline int32_t sum_of_word(uint64_t v) {
  v -= v >> 1 & 0x5555555555555555u;
  v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
  v = (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
  return (int32_t)(((uint32_t)v + 2 * (uint32_t)(v >> 32)) * 0x01010101u >> 24);
}

static int32_t sum_of_pixel(const struct work *work, const uint64_t *words) {
  int32_t sum = 0;
  for (uint32_t d = work->l->digits; d-- > 0;) {
    sum <<= 2;
    for (uint32_t c = 0; c < work->l->cb_in; c++) sum += sum_of_word(words[d * work->l->cb_in + c]);
  }
  return sum;
}

/* ---- checks, sections 4 and 8 ---- */

static void decode(const uint32_t *d, struct layer *l) {
  l->raw = d[0] >> 9 & 1, l->store = d[0] >> 10 & 3;
  l->src = d[4], l->dst = d[5], l->constants = d[6], l->src_pitch = d[7], l->dst_pitch = d[8];
  l->w = d[9] & 0x7FF, l->h = d[9] >> 16 & 0x7FF;
  l->cb_in = d[10] & 0x3F, l->cb_out = d[10] >> 8 & 0x3F, l->digits = d[10] >> 16 & 7, l->k = d[10] >> 20 & 15;
  l->top = d[10] >> 24 & 1, l->bottom = d[10] >> 25 & 1, l->left = d[10] >> 26 & 1, l->right = d[10] >> 27 & 1;
}

static bool any_set(const uint32_t *d, int from) {
  uint32_t seen = 0;
  for (int i = from; i < DESCRIPTOR_WORDS; i++) seen |= d[i];
  return seen != 0;
}

static bool fields_are_legal(struct layer *l) {
  if (l->store > UPSAMPLE || (l->raw && l->store != PLAIN) || (l->k != 1 && l->k != 3)) return false;
  if (l->w < 1 || l->w > MAX_SIDE || l->h < 1 || l->h > MAX_SIDE) return false;
  if (l->cb_in < 1 || l->cb_in > MAX_BLOCKS || l->cb_out < 1 || l->cb_out > MAX_BLOCKS) return false;
  if (l->digits < 1 || l->digits > MAX_DIGITS) return false;
  if (l->k == 1 && (l->top | l->bottom | l->left | l->right)) return false;
  uint32_t h = l->h + l->top + l->bottom, w = l->w + l->left + l->right;
  if (h < l->k || w < l->k) return false;
  l->out_h = l->stored_h = h - l->k + 1, l->out_w = l->stored_w = w - l->k + 1;
  if (l->store == SPACE_TO_DEPTH) {
    if (l->out_h % 2 || l->out_w % 2) return false;
    l->stored_h /= 2, l->stored_w /= 2;
  } else if (l->store == UPSAMPLE) {
    l->stored_h *= 2, l->stored_w *= 2;
  }
  return true;
}

static uint64_t block_constants(const struct layer *l) {
  return (uint64_t)l->k * l->k * l->cb_in * LANES * 4 + (l->raw ? 0 : LANES * 16);
}

static int check_ranges(const struct layer *l, uint32_t bytes) {
  if ((l->src | l->dst | l->src_pitch | l->dst_pitch) % 32 || l->constants % 64) return ACCEL_BAD_ALIGN;
  uint64_t src_planes = (uint64_t)l->cb_in * l->digits, src_plane = (uint64_t)l->h * up4(l->w) * 8;
  if (src_planes * src_plane > ACTIVATION_BYTES || (uint64_t)l->k * l->k * l->cb_in > WEIGHT_STEPS)
    return ACCEL_BUFFER_FULL;
  uint64_t dst_planes = (uint64_t)l->cb_out * (l->store == SPACE_TO_DEPTH ? 4 : 1);
  uint64_t dst_plane = (uint64_t)l->stored_h * up4(l->stored_w) * (l->raw ? LANES * 4 : 8);
  if (l->src + (src_planes - 1) * l->src_pitch + src_plane > bytes) return ACCEL_OUT_OF_ARENA;
  if (l->dst + (dst_planes - 1) * l->dst_pitch + dst_plane > bytes) return ACCEL_OUT_OF_ARENA;
  if (l->constants + l->cb_out * block_constants(l) > bytes) return ACCEL_OUT_OF_ARENA;
  return ACCEL_OK;
}

static int check(const uint32_t *d, uint32_t bytes, struct layer *l) {
  if (d[0] >> 24 != 0xD1) return ACCEL_BAD_TAG;
  uint32_t op = d[0] & 0xFF;
  if (op > 1) return ACCEL_BAD_OP;
  if (op == 0) return (d[0] & 0x00FFFE00) || any_set(d, 4) ? ACCEL_BAD_FIELD : ACCEL_OK;
  if ((d[0] & 0x00FFF000) || (d[9] & 0xF800F800) || (d[10] & 0xF008C0C0) || any_set(d, 11)) return ACCEL_BAD_FIELD;
  decode(d, l);
  if (!fields_are_legal(l)) return ACCEL_BAD_FIELD;
  return check_ranges(l, bytes);
}

/* ---- plain C ---- */

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

static const struct kernel kernel_plain = {NULL, NULL, sum_of_pixel, count_plain, quantise_plain, NULL};

/* ---- x86 ---- */

#ifdef HAVE_X86
/* Planes of a code from the masks of its three thresholds: their sum has low bit "odd" and high bit "two or more". */
static inline uint64_t low_plane(uint64_t r1, uint64_t r2, uint64_t r3) { return r1 ^ r2 ^ r3; }
static inline uint64_t high_plane(uint64_t r1, uint64_t r2, uint64_t r3) { return (r1 & r2) | (r3 & (r1 | r2)); }

typedef int32_t __attribute__((may_alias)) half_word; /* one plane of a pixel word */

/* 4 pixels x 32 outputs stay in registers: 16 sums, one per pixel, plane and half of the outputs. Digits from the top:
 * shift what is there, add the next. */
__attribute__((target("avx512f,avx512vpopcntdq"))) static void count_avx512(const struct work *work, uint32_t y,
                                                                            uint32_t x, int32_t *counted) {
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

__attribute__((target("avx512f"))) static void quantise_avx512(const int32_t *counted, const int32_t *shared,
                                                               const int32_t *thresholds, uint64_t *words) {
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

static const struct kernel kernel_avx512 = {NULL, NULL, sum_of_pixel, count_avx512, quantise_avx512, NULL};

/* One step is 4 channels: the table of a pixel holds the sum of every subset of its 4 values, the weights of 32 outputs
 * are 32 subsets, one shuffle looks all of them up. Bytes hold 16 steps (16 * 12 = 192), 16-bit words a whole digit
 * (9 * 1024 * 3 = 27,648). */
__attribute__((target("avx2"))) static void count_digit_avx2(const struct work *work, uint32_t y, uint32_t x,
                                                             uint32_t d, __m256i wide[GROUP][2]) {
  const struct layer *l = work->l;
  const size_t pixel_bytes = (size_t)work->steps * TABLE_BYTES;
  const uint8_t *words = work->nibbles;
  const __m256i zero = _mm256_setzero_si256();
  for (uint32_t ky = 0; ky < l->k; ky++) {
    const uint8_t *row = work->tables + ((size_t)(y + ky) * work->columns + x) * pixel_bytes;
    row += (size_t)d * l->cb_in * TABLE_BYTES;
    for (uint32_t kx = 0; kx < l->k; kx++, row += pixel_bytes) {
      for (uint32_t c = 0; c < l->cb_in; c++) {
        const uint8_t *table = row + (size_t)c * TABLE_BYTES;
        __m256i sum[GROUP] = {zero, zero, zero, zero};
        for (int g = 0; g < 8; g++, words += LANES) {
          const __m256i subsets = _mm256_loadu_si256((const __m256i *)words);
#pragma GCC unroll 4
          for (int i = 0; i < GROUP; i++) {
            const __m128i *sums = (const __m128i *)(table + i * pixel_bytes + g * 16);
            const __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128(sums));
            sum[i] = _mm256_add_epi8(sum[i], _mm256_shuffle_epi8(both, subsets));
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
}

__attribute__((target("avx2"))) static void count_avx2(const struct work *work, uint32_t y, uint32_t x,
                                                       int32_t *counted) {
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

__attribute__((target("avx2"))) static void quantise_avx2(const int32_t *counted, const int32_t *shared,
                                                          const int32_t *thresholds, uint64_t *words) {
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

/* The 16 sums of every 4 channels of every pixel word: [rows][columns][steps][TABLE_BYTES]. */
static void build_tables_avx2(struct work *work) {
  uint8_t counts[16][16];
  for (uint32_t bits = 0; bits < 16; bits++)
    for (uint32_t subset = 0; subset < 16; subset++) counts[bits][subset] = (uint8_t)__builtin_popcount(bits & subset);
  const size_t n = (size_t)work->rows * work->columns * work->steps;
  for (size_t i = 0; i < n; i++)
    for (uint32_t g = 0; g < 8; g++) {
      const uint8_t *low = counts[work->pixels[i] >> (4 * g) & 15];
      const uint8_t *high = counts[work->pixels[i] >> (32 + 4 * g) & 15];
      uint8_t *table = work->tables + i * TABLE_BYTES + g * 16;
      for (uint32_t j = 0; j < 16; j++) table[j] = (uint8_t)(low[j] + 2 * high[j]);
    }
}

/* [tap][cb][8][LANES] */
static void split_nibbles_avx2(struct work *work) {
  const size_t n = (size_t)work->l->k * work->l->k * work->l->cb_in;
  for (size_t s = 0; s < n; s++)
    for (uint32_t g = 0; g < 8; g++)
      for (uint32_t o = 0; o < LANES; o++)
        work->nibbles[(s * 8 + g) * LANES + o] = load32(work->weights + (s * LANES + o) * 4) >> (4 * g) & 15;
}

static const struct kernel kernel_avx2 = {build_tables_avx2, split_nibbles_avx2, sum_of_pixel, count_avx2,
                                          quantise_avx2,     NULL};
#endif

/* ---- ARM ---- */

#ifdef HAVE_NEON
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
  const uint8_t *places = work->nibbles, *rows = work->tables + y * row + ((size_t)d * work->columns + x) * pixel;
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

static void split_nibbles_neon(struct work *work) {
  const uint32_t n = work->l->k * work->l->k * work->l->cb_in;
  const uint8x16_t low_half = vdupq_n_u8(15);
  const uint8_t *words = work->weights;
  uint8_t *to = work->nibbles;
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

static const struct kernel kernel_neon = {build_tables_neon, split_nibbles_neon,  sum_of_pixel_neon,
                                          count_neon,        quantise_neon,       quantise_narrow_neon};
#endif

/* ---- working copies ---- */

/* Copy the input into the padded buffer: [row][column][digit][block], zeros around it. */
static void load_pixels(const uint8_t *arena, struct work *work) {
  const struct layer *l = work->l;
  for (uint32_t c = 0; c < l->cb_in; c++)
    for (uint32_t d = 0; d < l->digits; d++)
      for (uint32_t y = 0; y < l->h; y++) {
        const uint8_t *from = arena + l->src + (size_t)(c * l->digits + d) * l->src_pitch + (size_t)y * up4(l->w) * 8;
        uint64_t *to = work->pixels + ((size_t)(y + l->top) * work->columns + l->left) * work->steps + d * l->cb_in + c;
        for (uint32_t x = 0; x < l->w; x++) to[(size_t)x * work->steps] = load64(from + 8 * x);
      }
}

/* shared[y][x] = - sum of all values in the window: acc = 2 * counted + shared. */
static void sum_windows(struct work *work, const struct kernel *kernel, int32_t *pixel_sums) {
  const struct layer *l = work->l;
  const size_t n = (size_t)work->rows * work->columns;
  for (size_t i = 0; i < n; i++) pixel_sums[i] = kernel->sum_of_pixel(work, work->pixels + i * work->steps);
  memset(work->shared, 0, (size_t)l->out_h * work->columns * sizeof *work->shared);
  for (uint32_t y = 0; y < l->out_h; y++)
    for (uint32_t tap = 0; tap < l->k * l->k; tap++) {
      const int32_t *restrict row = pixel_sums + (size_t)(y + tap / l->k) * work->columns + tap % l->k;
      int32_t *restrict to = work->shared + (size_t)y * work->columns;
      const uint32_t width = l->out_w;
      for (uint32_t x = 0; x < width; x++) to[x] -= row[x];
    }
}

static void release(struct work *work) {
  free(work->pixels), free(work->tables), free(work->shared), free(work->nibbles);
}

/* Groups of 4 may reach 3 columns beyond the last one: the buffer holds zeros there. */
static bool prepare(const uint8_t *arena, const struct layer *l, const struct kernel *kernel, struct work *work) {
  memset(work, 0, sizeof *work);
  work->l = l, work->rows = l->h + l->top + l->bottom, work->columns = up4(l->out_w) + l->k - 1;
  work->steps = l->cb_in * l->digits;
  const size_t n = (size_t)work->rows * work->columns;
  int32_t *pixel_sums = malloc(n * sizeof *pixel_sums);
  work->pixels = calloc(n * work->steps + 3, sizeof *work->pixels); /* whole vectors of 4 words */
  work->shared = malloc((size_t)l->out_h * work->columns * sizeof *work->shared);
  if (kernel->build_tables) {
    work->tables = malloc(n * work->steps * TABLE_BYTES);
    work->nibbles = malloc((size_t)l->k * l->k * l->cb_in * 8 * LANES);
  }
  const bool is_complete =
      pixel_sums && work->pixels && work->shared && (!kernel->build_tables || (work->tables && work->nibbles));
  if (is_complete) {
    load_pixels(arena, work);
    sum_windows(work, kernel, pixel_sums);
    if (kernel->build_tables) kernel->build_tables(work);
  }
  free(pixel_sums);
  if (!is_complete) release(work);
  return is_complete;
}

/* ---- stores ---- */

/* The words of n neighbouring pixels of one output block. */
static void store_codes(uint8_t *arena, const struct layer *l, uint32_t block, uint32_t y, uint32_t x,
                        const uint64_t *words, uint32_t n) {
  const size_t row = (size_t)up4(l->stored_w) * 8;
  uint8_t *plane = arena + l->dst + (size_t)block * l->dst_pitch;
  if (l->store == PLAIN) {
    memcpy(plane + y * row + (size_t)x * 8, words, (size_t)n * 8);
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

static void run_block(uint8_t *arena, struct work *work, const struct kernel *kernel, uint32_t block) {
  const struct layer *l = work->l;
  const uint8_t *limits = work->weights + (size_t)l->k * l->k * l->cb_in * LANES * 4;
  int32_t thresholds[3 * LANES];
  for (uint32_t j = 0; j < 3 && !l->raw && !work->is_narrow; j++)
    for (uint32_t o = 0; o < LANES; o++) thresholds[j * LANES + o] = (int32_t)load32(limits + 16 * o + 4 * j);
  for (uint32_t y = 0; y < l->out_h; y++)
    for (uint32_t x = 0; x < l->out_w; x += GROUP) {
      const int32_t *shared = work->shared + (size_t)y * work->columns + x;
      const uint32_t n = l->out_w - x < GROUP ? l->out_w - x : GROUP;
      int32_t counted[GROUP * LANES];
      uint64_t words[GROUP];
      const bool is_narrow = work->is_narrow && !l->raw;
      if (is_narrow)
        kernel->quantise_narrow(work, y, x, shared, words);
      else
        kernel->count(work, y, x, counted);
      if (l->raw) {
        for (uint32_t i = 0; i < n * LANES; i++) counted[i] = 2 * counted[i] + shared[i / LANES];
        const size_t at = ((size_t)y * up4(l->out_w) + x) * LANES * 4;
        memcpy(arena + l->dst + (size_t)block * l->dst_pitch + at, counted, (size_t)n * LANES * 4);
        continue;
      }
      if (!is_narrow) kernel->quantise(counted, shared, thresholds, words);
      store_codes(arena, l, block, y, x, words, n);
    }
}

static int run_layer(uint8_t *arena, const struct layer *l, const struct kernel *kernel) {
  struct work work;
  if (!prepare(arena, l, kernel, &work)) return ACCEL_NO_MEMORY;
  for (uint32_t block = 0; block < l->cb_out; block++) {
    work.weights = arena + l->constants + block * block_constants(l);
    if (kernel->split_nibbles) kernel->split_nibbles(&work);
    run_block(arena, &work, kernel, block);
  }
  release(&work);
  return ACCEL_OK;
}

/* ---- choice of the kernel ---- */

static int forced = ACCEL_AUTO;

static const struct kernel *kernel_of(int level) {
  switch (level) {
    case ACCEL_PLAIN: return &kernel_plain;
#ifdef HAVE_X86
    case ACCEL_AVX2: return __builtin_cpu_supports("avx2") ? &kernel_avx2 : NULL;
    case ACCEL_AVX512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vpopcntdq") ? &kernel_avx512 : NULL;
#endif
#ifdef HAVE_NEON
    case ACCEL_NEON: return &kernel_neon;
#endif
    default: return NULL;
  }
}

static int chosen_level(void) {
  if (forced != ACCEL_AUTO) return forced;
  int level = ACCEL_NEON;
  while (!kernel_of(level)) level--;
  return level;
}

int accel_cpu_force(int level) {
  if (level != ACCEL_AUTO && !kernel_of(level)) return -1;
  forced = level;
  return chosen_level();
}

int accel_cpu_run(uint8_t *arena, uint32_t bytes, const uint32_t *descriptors, uint32_t n) {
  const struct kernel *kernel = kernel_of(chosen_level());
  for (uint32_t i = 0; i < n; i++) {
    const uint32_t *d = descriptors + (size_t)i * DESCRIPTOR_WORDS;
    struct layer l;
    int code = check(d, bytes, &l);
    if (code == ACCEL_OK && (d[0] & 0xFF) == 1) code = run_layer(arena, &l, kernel);
    if (code != ACCEL_OK) return code;
  }
  return ACCEL_OK;
}

/* ---- inputs and memory ordering ---- */

/* One row of one block and digit. Channel by channel over a piece of the row, so that the compiler can use vectors;
 * returns the bits that occur in the values. */
static uint32_t pack_row(const uint8_t *values, size_t plane, uint32_t lanes, uint32_t width, uint32_t digit,
                         uint8_t *target) {
  enum { PIECE = 32 };
  uint8_t seen = 0;
  for (uint32_t from = 0; from < width; from += PIECE) {
    const uint32_t n = width - from < PIECE ? width - from : PIECE;
    uint64_t words[PIECE] = {0};
    for (uint32_t lane = 0; lane < lanes; lane++) {
      const uint8_t *row = values + lane * plane + from;
      for (uint32_t x = 0; x < n; x++) {
        const uint64_t planes = row[x] >> (2 * digit);
        words[x] |= (planes & 1) << lane | (planes & 2) << (LANES - 1 + lane);
        seen |= row[x];
      }
    }
    memcpy(target + (size_t)from * 8, words, (size_t)up4(n) * 8);
  }
  return seen;
}

int accel_cpu_pack(const uint8_t *values, uint32_t channels, uint32_t height, uint32_t width, uint32_t digits,
                   uint8_t *target) {
  const size_t plane = (size_t)height * width;
  uint32_t seen = 0;
  for (uint32_t first = 0; first < channels; first += LANES, values += LANES * plane) {
    const uint32_t lanes = channels - first < LANES ? channels - first : LANES;
    for (uint32_t digit = 0; digit < digits; digit++)
      for (uint32_t y = 0; y < height; y++, target += (size_t)up4(width) * 8)
        seen |= pack_row(values + (size_t)y * width, plane, lanes, width, digit, target);
  }
  return seen >> (2 * digits) != 0;
}

void accel_barrier(void) {
#if defined(__aarch64__) || (defined(__ARM_ARCH) && __ARM_ARCH >= 7)
  __asm__ volatile("dsb sy" ::: "memory");
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}
