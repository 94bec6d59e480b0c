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
  uint8_t *tables;               /* [rows][columns][steps][TABLE_BYTES], AVX2 only */
  int32_t *shared;               /* [out_h][columns]: minus the sum of the window's values */
  uint8_t *nibbles;              /* [tap][cb][8][LANES], AVX2 only: weights of the current output block */
  const uint8_t *weights;        /* stream of the current output block, [tap][cb][LANES] words */
};

struct kernel {
  bool needs_tables;
  /* Sum of the values whose weight bit is 1, for 4 pixels and 32 outputs. */
  void (*count)(const struct work *, uint32_t y, uint32_t x, int32_t counted[GROUP * LANES]);
  /* acc = 2 * counted + shared[pixel]; how many of the [3][LANES] thresholds it reaches, as pixel words. */
  void (*quantise)(const int32_t *counted, const int32_t *shared, const int32_t *thresholds, uint64_t words[GROUP]);
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

static const struct kernel kernel_plain = {false, count_plain, quantise_plain};

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

static const struct kernel kernel_avx512 = {false, count_avx512, quantise_avx512};

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

static const struct kernel kernel_avx2 = {true, count_avx2, quantise_avx2};
#endif

/* ---- ARM ---- */

#ifdef HAVE_NEON
/* Bytes of vcnt for 4 outputs at a time: plane 1 counts double, so a byte grows by at most 24 a step; every 8 steps the
 * bytes go to 32-bit sums. */
enum { NEON_STEPS = 8 };

static void count_digit_neon(const struct work *work, uint32_t y, uint32_t x, uint32_t d, uint32x4_t sum[LANES / 4]) {
  const struct layer *l = work->l;
  const uint32_t n = l->k * l->k * l->cb_in;
  for (uint32_t from = 0; from < n; from += NEON_STEPS) {
    const uint32_t to = from + NEON_STEPS < n ? from + NEON_STEPS : n;
    uint8x16_t bytes[LANES / 4];
    for (int o = 0; o < LANES / 4; o++) bytes[o] = vdupq_n_u8(0);
    for (uint32_t s = from; s < to; s++) {
      const uint32_t tap = s / l->cb_in;
      const size_t pixel = (size_t)(y + tap / l->k) * work->columns + x + tap % l->k;
      const uint64_t value = work->pixels[pixel * work->steps + d * l->cb_in + s % l->cb_in];
      const uint8x16_t p0 = vreinterpretq_u8_u32(vdupq_n_u32((uint32_t)value));
      const uint8x16_t p1 = vreinterpretq_u8_u32(vdupq_n_u32((uint32_t)(value >> 32)));
      for (int o = 0; o < LANES / 4; o++) {
        const uint8x16_t bits = vld1q_u8(work->weights + (size_t)s * LANES * 4 + 16 * o);
        const uint8x16_t twice = vshlq_n_u8(vcntq_u8(vandq_u8(p1, bits)), 1);
        bytes[o] = vaddq_u8(bytes[o], vaddq_u8(vcntq_u8(vandq_u8(p0, bits)), twice));
      }
    }
    for (int o = 0; o < LANES / 4; o++) sum[o] = vpadalq_u16(sum[o], vpaddlq_u8(bytes[o]));
  }
}

static void count_neon(const struct work *work, uint32_t y, uint32_t x, int32_t *counted) {
  for (uint32_t i = 0; i < GROUP; i++) {
    uint32x4_t sum[LANES / 4];
    for (int o = 0; o < LANES / 4; o++) sum[o] = vdupq_n_u32(0);
    for (uint32_t d = work->l->digits; d-- > 0;) {
      for (int o = 0; o < LANES / 4; o++) sum[o] = vshlq_n_u32(sum[o], 2);
      count_digit_neon(work, y, x + i, d, sum);
    }
    for (int o = 0; o < LANES / 4; o++) vst1q_s32(counted + i * LANES + 4 * o, vreinterpretq_s32_u32(sum[o]));
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

static const struct kernel kernel_neon = {false, count_neon, quantise_neon};
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
static void sum_windows(struct work *work, int32_t *pixel_sums) {
  const struct layer *l = work->l;
  const size_t n = (size_t)work->rows * work->columns;
  for (size_t i = 0; i < n; i++) {
    const uint64_t *value = work->pixels + i * work->steps;
    int32_t sum = 0;
    for (uint32_t d = l->digits; d-- > 0;) {
      sum <<= 2;
      for (uint32_t c = 0; c < l->cb_in; c++) sum += sum_of_word(value[d * l->cb_in + c]);
    }
    pixel_sums[i] = sum;
  }
  memset(work->shared, 0, (size_t)l->out_h * work->columns * sizeof *work->shared);
  for (uint32_t y = 0; y < l->out_h; y++)
    for (uint32_t tap = 0; tap < l->k * l->k; tap++) {
      const int32_t *row = pixel_sums + (size_t)(y + tap / l->k) * work->columns + tap % l->k;
      for (uint32_t x = 0; x < l->out_w; x++) work->shared[(size_t)y * work->columns + x] -= row[x];
    }
}

/* The 16 sums of every 4 channels of every pixel word. */
static void build_tables(struct work *work) {
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

static void split_nibbles(struct work *work) {
  const size_t n = (size_t)work->l->k * work->l->k * work->l->cb_in;
  for (size_t s = 0; s < n; s++)
    for (uint32_t g = 0; g < 8; g++)
      for (uint32_t o = 0; o < LANES; o++)
        work->nibbles[(s * 8 + g) * LANES + o] = load32(work->weights + (s * LANES + o) * 4) >> (4 * g) & 15;
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
  work->pixels = calloc(n * work->steps, sizeof *work->pixels);
  work->shared = malloc((size_t)l->out_h * work->columns * sizeof *work->shared);
  if (kernel->needs_tables) {
    work->tables = malloc(n * work->steps * TABLE_BYTES);
    work->nibbles = malloc((size_t)l->k * l->k * l->cb_in * 8 * LANES);
  }
  const bool is_complete =
      pixel_sums && work->pixels && work->shared && (!kernel->needs_tables || (work->tables && work->nibbles));
  if (is_complete) {
    load_pixels(arena, work);
    sum_windows(work, pixel_sums);
    if (kernel->needs_tables) build_tables(work);
  }
  free(pixel_sums);
  if (!is_complete) release(work);
  return is_complete;
}

/* ---- stores ---- */

static void store_codes(uint8_t *arena, const struct layer *l, uint32_t block, uint32_t y, uint32_t x, uint64_t word) {
  uint32_t row = y, column = x;
  if (l->store == SPACE_TO_DEPTH) {
    block += (2 * (y & 1) + (x & 1)) * l->cb_out;
    row = y / 2, column = x / 2;
  } else if (l->store == UPSAMPLE) {
    row = 2 * y, column = 2 * x;
  }
  const size_t pitch = (size_t)up4(l->stored_w) * 8;
  uint8_t *to = arena + l->dst + (size_t)block * l->dst_pitch + row * pitch + (size_t)column * 8;
  memcpy(to, &word, sizeof word);
  if (l->store != UPSAMPLE) return;
  memcpy(to + 8, &word, sizeof word);
  memcpy(to + pitch, &word, sizeof word);
  memcpy(to + pitch + 8, &word, sizeof word);
}

static void run_block(uint8_t *arena, struct work *work, const struct kernel *kernel, uint32_t block) {
  const struct layer *l = work->l;
  const uint8_t *limits = work->weights + (size_t)l->k * l->k * l->cb_in * LANES * 4;
  int32_t thresholds[3 * LANES];
  for (uint32_t j = 0; j < 3 && !l->raw; j++)
    for (uint32_t o = 0; o < LANES; o++) thresholds[j * LANES + o] = (int32_t)load32(limits + 16 * o + 4 * j);
  for (uint32_t y = 0; y < l->out_h; y++)
    for (uint32_t x = 0; x < l->out_w; x += GROUP) {
      const int32_t *shared = work->shared + (size_t)y * work->columns + x;
      const uint32_t n = l->out_w - x < GROUP ? l->out_w - x : GROUP;
      int32_t counted[GROUP * LANES];
      kernel->count(work, y, x, counted);
      if (l->raw) {
        for (uint32_t i = 0; i < n * LANES; i++) counted[i] = 2 * counted[i] + shared[i / LANES];
        const size_t at = ((size_t)y * up4(l->out_w) + x) * LANES * 4;
        memcpy(arena + l->dst + (size_t)block * l->dst_pitch + at, counted, (size_t)n * LANES * 4);
        continue;
      }
      uint64_t words[GROUP];
      kernel->quantise(counted, shared, thresholds, words);
      for (uint32_t i = 0; i < n; i++) store_codes(arena, l, block, y, x + i, words[i]);
    }
}

static int run_layer(uint8_t *arena, const struct layer *l, const struct kernel *kernel) {
  struct work work;
  if (!prepare(arena, l, kernel, &work)) return ACCEL_NO_MEMORY;
  for (uint32_t block = 0; block < l->cb_out; block++) {
    work.weights = arena + l->constants + block * block_constants(l);
    if (kernel->needs_tables) split_nibbles(&work);
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
