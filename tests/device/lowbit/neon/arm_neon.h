/* SPDX-License-Identifier: Apache-2.0
 * The few NEON intrinsics of the kernels in portable C, so that their NEON path is tested on any CPU and with
 * the sanitizers. */
#ifndef PORTABLE_ARM_NEON_H
#define PORTABLE_ARM_NEON_H
#include <stdint.h>
#include <string.h>

#define VECTOR(element, n, name) typedef element name __attribute__((vector_size(n * sizeof(element))))
VECTOR(uint8_t, 8, uint8x8_t);
VECTOR(uint16_t, 4, uint16x4_t);
VECTOR(uint32_t, 2, uint32x2_t);
VECTOR(uint8_t, 16, uint8x16_t);
VECTOR(uint16_t, 8, uint16x8_t);
VECTOR(int16_t, 8, int16x8_t);
VECTOR(uint32_t, 4, uint32x4_t);
VECTOR(int32_t, 4, int32x4_t);

#define SEVERAL(type, n, name) \
  typedef struct {             \
    type val[n];               \
  } name
SEVERAL(uint8x16_t, 2, uint8x16x2_t);
SEVERAL(uint8x16_t, 4, uint8x16x4_t);
SEVERAL(uint16x8_t, 4, uint16x8x4_t);
SEVERAL(uint32x4_t, 2, uint32x4x2_t);

/* Fill, load, store. */
#define DUP(name, type, element) \
  static inline type name(element v) { return v - (type){0}; }
DUP(vdup_n_u8, uint8x8_t, uint8_t)
DUP(vdup_n_u16, uint16x4_t, uint16_t)
DUP(vdup_n_u32, uint32x2_t, uint32_t)
DUP(vdupq_n_u8, uint8x16_t, uint8_t)
DUP(vdupq_n_u16, uint16x8_t, uint16_t)
DUP(vdupq_n_s16, int16x8_t, int16_t)
DUP(vdupq_n_u32, uint32x4_t, uint32_t)
DUP(vdupq_n_s32, int32x4_t, int32_t)

#define MOVE(suffix, type, element)                           \
  static inline type vld1##suffix(const element *p) {         \
    type v;                                                   \
    memcpy(&v, p, sizeof v);                                  \
    return v;                                                 \
  }                                                           \
  static inline void vst1##suffix(element *p, type v) { memcpy(p, &v, sizeof v); }
MOVE(_u8, uint8x8_t, uint8_t)
MOVE(q_u8, uint8x16_t, uint8_t)
MOVE(q_s16, int16x8_t, int16_t)
MOVE(q_u32, uint32x4_t, uint32_t)
MOVE(q_s32, int32x4_t, int32_t)

#define LOAD_APART(name, type, several, n, lanes, element)    \
  static inline several name(const element *p) {              \
    several v;                                                \
    for (int i = 0; i < n * lanes; i++) v.val[i % n][i / n] = p[i]; \
    return v;                                                 \
  }
LOAD_APART(vld2q_u8, uint8x16_t, uint8x16x2_t, 2, 16, uint8_t)
LOAD_APART(vld4q_u8, uint8x16_t, uint8x16x4_t, 4, 16, uint8_t)

static inline void vst2q_u8(uint8_t *p, uint8x16x2_t v) {
  for (int i = 0; i < 32; i++) p[i] = v.val[i % 2][i / 2];
}

/* Lane by lane. */
#define BINARY(name, type, operator) \
  static inline type name(type a, type b) { return a operator b; }
BINARY(vaddq_u8, uint8x16_t, +)
BINARY(vsubq_u8, uint8x16_t, -)
BINARY(vandq_u8, uint8x16_t, &)
BINARY(vand_u8, uint8x8_t, &)
BINARY(vorr_u8, uint8x8_t, |)
BINARY(vaddq_u16, uint16x8_t, +)
BINARY(vaddq_s16, int16x8_t, +)
BINARY(veorq_u16, uint16x8_t, ^)
BINARY(vandq_u32, uint32x4_t, &)
BINARY(vorrq_u32, uint32x4_t, |)
BINARY(veorq_u32, uint32x4_t, ^)
BINARY(vaddq_s32, int32x4_t, +)
BINARY(vorr_u32, uint32x2_t, |)

#define SHIFT(name, type, operator) \
  static inline type name(type a, int n) { return a operator n; }
SHIFT(vshlq_n_u8, uint8x16_t, <<)
SHIFT(vshrq_n_u8, uint8x16_t, >>)
SHIFT(vshlq_n_u16, uint16x8_t, <<)
SHIFT(vshlq_n_u32, uint32x4_t, <<)
SHIFT(vshlq_n_s32, int32x4_t, <<)
SHIFT(vshl_n_u32, uint32x2_t, <<)
SHIFT(vshl_n_u8, uint8x8_t, <<)

static inline uint8x16_t vsraq_n_u8(uint8x16_t a, uint8x16_t b, int n) { return a + (b >> n); }
static inline uint8x16_t vsliq_n_u8(uint8x16_t a, uint8x16_t b, int n) {
  const uint8_t kept = (uint8_t)((1 << n) - 1);
  return (a & kept) | b << n;
}
static inline uint8x16_t vsriq_n_u8(uint8x16_t a, uint8x16_t b, int n) {
  const uint8_t kept = (uint8_t)~(255 >> n);
  return (a & kept) | b >> n;
}
static inline uint16x8_t vbslq_u16(uint16x8_t which, uint16x8_t a, uint16x8_t b) { return (which & a) | (~which & b); }
static inline uint16x8_t vcgeq_s16(int16x8_t a, int16x8_t b) { return (uint16x8_t)(a >= b); }
static inline uint32x4_t vcgeq_s32(int32x4_t a, int32x4_t b) { return (uint32x4_t)(a >= b); }

static inline uint8x8_t vcnt_u8(uint8x8_t v) {
  v -= v >> 1 & 0x55;
  v = (v & 0x33) + (v >> 2 & 0x33);
  return (v + (v >> 4)) & 0x0F;
}

/* Across lanes and widths. */
static inline uint8x16_t vqtbl1q_u8(uint8x16_t table, uint8x16_t places) {
  uint8x16_t v;
  for (int i = 0; i < 16; i++) v[i] = (uint8_t)(places[i] < 16 ? table[places[i] & 15] : 0);
  return v;
}

#define HALVES(suffix, whole, half, lanes)                                   \
  static inline half vget_low_##suffix(whole v) {                            \
    half out;                                                                \
    for (int i = 0; i < lanes; i++) out[i] = v[i];                           \
    return out;                                                              \
  }                                                                          \
  static inline half vget_high_##suffix(whole v) {                           \
    half out;                                                                \
    for (int i = 0; i < lanes; i++) out[i] = v[lanes + i];                   \
    return out;                                                              \
  }
HALVES(u8, uint8x16_t, uint8x8_t, 8)
HALVES(u32, uint32x4_t, uint32x2_t, 2)

static inline uint32x4x2_t vuzpq_u32(uint32x4_t a, uint32x4_t b) {
  return (uint32x4x2_t){{{a[0], a[2], b[0], b[2]}, {a[1], a[3], b[1], b[3]}}};
}
static inline uint8x8_t vpadd_u8(uint8x8_t a, uint8x8_t b) {
  uint8x8_t v;
  for (int i = 0; i < 4; i++) v[i] = (uint8_t)(a[2 * i] + a[2 * i + 1]), v[4 + i] = (uint8_t)(b[2 * i] + b[2 * i + 1]);
  return v;
}

#define EACH(type, lanes, value)                             \
  type v;                                                    \
  for (int i = 0; i < lanes; i++) v[i] = value;              \
  return v
static inline uint16x8_t vaddw_u8(uint16x8_t a, uint8x8_t b) { EACH(uint16x8_t, 8, (uint16_t)(a[i] + b[i])); }
static inline uint16x4_t vpadal_u8(uint16x4_t a, uint8x8_t b) {
  EACH(uint16x4_t, 4, (uint16_t)(a[i] + b[2 * i] + b[2 * i + 1]));
}
static inline uint32x2_t vpadal_u16(uint32x2_t a, uint16x4_t b) { EACH(uint32x2_t, 2, a[i] + b[2 * i] + b[2 * i + 1]); }
static inline uint8x8_t vmovn_u16(uint16x8_t a) { EACH(uint8x8_t, 8, (uint8_t)a[i]); }

static inline uint32_t vget_lane_u32(uint32x2_t v, int lane) { return v[lane]; }
static inline uint8x16_t vreinterpretq_u8_u32(uint32x4_t v) { return (uint8x16_t)v; }
static inline uint32x4_t vreinterpretq_u32_u8(uint8x16_t v) { return (uint32x4_t)v; }
static inline int16x8_t vreinterpretq_s16_u16(uint16x8_t v) { return (int16x8_t)v; }
#endif
