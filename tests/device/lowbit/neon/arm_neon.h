/* SPDX-License-Identifier: Apache-2.0
 * The few NEON intrinsics of the kernels in portable C, so that their NEON path is tested on any CPU. */
#ifndef PORTABLE_ARM_NEON_H
#define PORTABLE_ARM_NEON_H
#include <stdint.h>
#include <string.h>

typedef uint8_t uint8x16_t __attribute__((vector_size(16)));
typedef uint16_t uint16x8_t __attribute__((vector_size(16)));
typedef uint32_t uint32x4_t __attribute__((vector_size(16)));
typedef int32_t int32x4_t __attribute__((vector_size(16)));
typedef uint32_t uint32x2_t __attribute__((vector_size(8)));

static inline uint8x16_t vdupq_n_u8(uint8_t v) { return v - (uint8x16_t){0}; }
static inline uint32x4_t vdupq_n_u32(uint32_t v) { return v - (uint32x4_t){0}; }
static inline uint8x16_t vreinterpretq_u8_u32(uint32x4_t v) { return (uint8x16_t)v; }
static inline int32x4_t vreinterpretq_s32_u32(uint32x4_t v) { return (int32x4_t)v; }
static inline uint8x16_t vandq_u8(uint8x16_t a, uint8x16_t b) { return a & b; }
static inline uint8x16_t vaddq_u8(uint8x16_t a, uint8x16_t b) { return a + b; }
static inline uint32x4_t vandq_u32(uint32x4_t a, uint32x4_t b) { return a & b; }
static inline uint32x4_t vorrq_u32(uint32x4_t a, uint32x4_t b) { return a | b; }
static inline uint32x4_t veorq_u32(uint32x4_t a, uint32x4_t b) { return a ^ b; }
static inline uint8x16_t vshlq_n_u8(uint8x16_t a, int n) { return a << n; }
static inline uint32x4_t vshlq_n_u32(uint32x4_t a, int n) { return a << n; }
static inline int32x4_t vdupq_n_s32(int32_t v) { return v - (int32x4_t){0}; }
static inline int32x4_t vaddq_s32(int32x4_t a, int32x4_t b) { return a + b; }
static inline int32x4_t vshlq_n_s32(int32x4_t a, int n) { return a << n; }
static inline uint32x4_t vcgeq_s32(int32x4_t a, int32x4_t b) { return (uint32x4_t)(a >= b); }

static inline uint8x16_t vld1q_u8(const uint8_t *p) {
  uint8x16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint32x4_t vld1q_u32(const uint32_t *p) {
  uint32x4_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline int32x4_t vld1q_s32(const int32_t *p) {
  int32x4_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void vst1q_s32(int32_t *p, int32x4_t v) { memcpy(p, &v, sizeof v); }

static inline uint8x16_t vcntq_u8(uint8x16_t v) {
  v -= v >> 1 & 0x55;
  v = (v & 0x33) + (v >> 2 & 0x33);
  return (v + (v >> 4)) & 0x0F;
}

static inline uint16x8_t vpaddlq_u8(uint8x16_t v) {
  uint16x8_t out;
  for (int i = 0; i < 8; i++) out[i] = (uint16_t)(v[2 * i] + v[2 * i + 1]);
  return out;
}

static inline uint32x4_t vpadalq_u16(uint32x4_t sum, uint16x8_t v) {
  for (int i = 0; i < 4; i++) sum[i] += (uint32_t)v[2 * i] + v[2 * i + 1];
  return sum;
}

static inline uint32x2_t vget_low_u32(uint32x4_t v) { return (uint32x2_t){v[0], v[1]}; }
static inline uint32x2_t vget_high_u32(uint32x4_t v) { return (uint32x2_t){v[2], v[3]}; }
static inline uint32x2_t vorr_u32(uint32x2_t a, uint32x2_t b) { return a | b; }
static inline uint32_t vget_lane_u32(uint32x2_t v, int lane) { return v[lane]; }
#endif
