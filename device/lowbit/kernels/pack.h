/* SPDX-License-Identifier: Apache-2.0
 * Inputs of a network: values to digit tensors. */
#ifndef PACK_H
#define PACK_H
#include "layer.h"

#include <string.h>

/* n <= 8 neighbouring values of a channel, the first one lowest, zeros behind them. */
static inline uint64_t load_values(const uint8_t *values, uint32_t n) {
  uint64_t piece = 0;
  if (n == sizeof piece) /* of a known size: no call */
    memcpy(&piece, values, sizeof piece);
  else
    memcpy(&piece, values, n);
  return piece;
}

/* The lanes of 8 channels that stand `copies` times beside each other, for every choice of channels. */
static void spread_channels(uint32_t copies, uint32_t spread[256]) {
  for (uint32_t choice = 0; choice < 256; choice++) {
    uint64_t lanes = 0;
    for (uint32_t channel = 0; channel < 8 && channel * copies < LANES; channel++)
      if (choice >> channel & 1) lanes |= ((UINT64_C(1) << copies) - 1) << (channel * copies);
    spread[choice] = (uint32_t)lanes;
  }
}

enum { PIECE = 8, BYTE = 8 }; /* pixels at a time; channels of a byte */

/* Exchange bits of `mask` in one row with those `shift` above in another. */
static inline void exchange(uint64_t *low, uint64_t *high, uint32_t shift, uint64_t mask) {
  const uint64_t change = (*low >> shift ^ *high) & mask;
  *high ^= change;
  *low ^= change << shift;
}

/* 8 channels, a byte for each pixel, become 8 bits of the values, in each pixel's byte a bit for each channel; by
 * exchanging smaller and smaller squares of the 8x8 bits (Warren, "Hacker's Delight", section 7-3). */
static inline void split_bits(uint64_t rows[BYTE]) {
  for (uint32_t i = 0; i < 4; i++) exchange(rows + i, rows + i + 4, 4, UINT64_C(0x0F0F0F0F0F0F0F0F));
  for (uint32_t i = 0; i < 4; i++)
    exchange(rows + i + (i & 2), rows + i + (i & 2) + 2, 2, UINT64_C(0x3333333333333333));
  for (uint32_t i = 0; i < 8; i += 2) exchange(rows + i, rows + i + 1, 1, UINT64_C(0x5555555555555555));
}

/* The same for bytes: 8 rows with a byte for each pixel become a word for each pixel. */
static inline void join_bytes(uint64_t rows[PIECE]) {
  for (uint32_t i = 0; i < 4; i++) exchange(rows + i, rows + i + 4, 32, UINT64_C(0x00000000FFFFFFFF));
  for (uint32_t i = 0; i < 4; i++)
    exchange(rows + i + (i & 2), rows + i + (i & 2) + 2, 16, UINT64_C(0x0000FFFF0000FFFF));
  for (uint32_t i = 0; i < 8; i += 2) exchange(rows + i, rows + i + 1, 8, UINT64_C(0x00FF00FF00FF00FF));
}

/* n <= 8 pixels of one row and block; the digits lie `pitch` bytes apart. Returns the bits that occur in the values. */
static uint64_t pack_piece(const uint8_t *values, size_t plane, uint32_t lanes, uint32_t n, uint32_t digits,
                           const uint32_t *spread, uint8_t *target, size_t pitch) {
  uint64_t bits[LANES / BYTE][BYTE] = {{0}};
  uint64_t seen = 0;
  for (uint32_t channel = 0; channel < lanes; channel++) {
    bits[channel / BYTE][channel % BYTE] = load_values(values + channel * plane, n);
    seen |= bits[channel / BYTE][channel % BYTE];
  }
  for (uint32_t byte = 0; byte * BYTE < lanes; byte++) split_bits(bits[byte]);
  for (uint32_t digit = 0; digit < digits; digit++, target += pitch) {
    uint64_t words[PIECE];
    for (uint32_t byte = 0; byte < LANES / BYTE; byte++) {
      words[byte] = bits[byte][2 * digit];
      words[LANES / BYTE + byte] = bits[byte][2 * digit + 1];
    }
    join_bytes(words);
    for (uint32_t x = 0; spread && x < PIECE; x++)
      words[x] = (uint64_t)spread[words[x] >> LANES & 255] << LANES | spread[words[x] & 255];
    memcpy(target, words, (size_t)up4(n) * 8);
  }
  return seen;
}

int accel_cpu_pack(const uint8_t *values, uint32_t channels, uint32_t height, uint32_t width, uint32_t digits,
                   uint32_t copies, uint8_t *target) {
  const size_t plane = (size_t)height * width;
  uint32_t spread[256];
  uint64_t seen = 0;
  if (copies > 1) spread_channels(copies, spread);
  const size_t row_bytes = (size_t)up4(width) * 8;
  for (uint32_t first = 0; first < channels; first += LANES, values += LANES * plane) {
    const uint32_t lanes = channels - first < LANES ? channels - first : LANES;
    for (uint32_t y = 0; y < height; y++, target += row_bytes)
      for (uint32_t x = 0; x < width; x += PIECE) {
        const uint32_t n = width - x < PIECE ? width - x : PIECE;
        seen |= pack_piece(values + (size_t)y * width + x, plane, lanes, n, digits, copies > 1 ? spread : NULL,
                           target + (size_t)x * 8, height * row_bytes);
      }
    target += (digits - 1) * height * row_bytes;
  }
  for (uint32_t shift = 32; shift >= BYTE; shift /= 2) seen |= seen >> shift;
  return (seen & 255) >> (2 * digits) != 0;
}
#endif
