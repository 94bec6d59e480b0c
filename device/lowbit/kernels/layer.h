/* SPDX-License-Identifier: Apache-2.0
 * One layer as its descriptor tells it, and whether it is legal (sections 4 and 8). */
#ifndef LAYER_H
#define LAYER_H
#include "accel_cpu.h"

#include <stdbool.h>
#include <stddef.h>

enum { LANES = 32, DESCRIPTOR_WORDS = 16, MAX_SIDE = 1024, MAX_BLOCKS = 32, MAX_DIGITS = 4 };
enum { PLAIN = 0, SPACE_TO_DEPTH = 1, UPSAMPLE = 2 };
static const uint64_t ACTIVATION_BYTES = 131072, WEIGHT_STEPS = 288;

struct layer {
  uint32_t src, dst, constants, src_pitch, dst_pitch;
  uint32_t w, h, cb_in, cb_out, digits, k, top, bottom, left, right, store, raw;
  uint32_t out_h, out_w, stored_h, stored_w;
};

static uint32_t up4(uint32_t n) { return (n + 3) & ~3u; }

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
#endif
