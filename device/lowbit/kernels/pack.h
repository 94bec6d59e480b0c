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

/* One row of one block and digit, 8 pixels of 8 channels at a time; returns the bits that occur in the values. */
static uint64_t pack_row(const uint8_t *values, size_t plane, uint32_t lanes, uint32_t width, uint32_t digit,
                         const uint32_t *spread, uint8_t *target) {
  enum { PIECE = 8, BYTE = 8 };
  const uint64_t lowest_bits = 0x0101010101010101;
  uint64_t seen = 0;
  for (uint32_t from = 0; from < width; from += PIECE) {
    const uint32_t n = width - from < PIECE ? width - from : PIECE;
    uint64_t words[PIECE] = {0};
    for (uint32_t first = 0; first < lanes; first += BYTE) {
      uint64_t low = 0, high = 0; /* a byte for each pixel, a bit for each channel */
      for (uint32_t bit = 0; bit < BYTE && first + bit < lanes; bit++) {
        const uint64_t piece = load_values(values + (first + bit) * plane + from, n);
        low |= (piece >> (2 * digit) & lowest_bits) << bit, high |= (piece >> (2 * digit + 1) & lowest_bits) << bit;
        seen |= piece;
      }
      for (uint32_t x = 0; x < PIECE; x++, low >>= BYTE, high >>= BYTE)
        words[x] |= spread ? (uint64_t)spread[high & 255] << LANES | spread[low & 255]
                           : ((high & 255) << LANES | (low & 255)) << first;
    }
    memcpy(target + (size_t)from * 8, words, (size_t)up4(n) * 8);
  }
  for (uint32_t shift = 32; shift >= BYTE; shift /= 2) seen |= seen >> shift;
  return seen & 255;
}

int accel_cpu_pack(const uint8_t *values, uint32_t channels, uint32_t height, uint32_t width, uint32_t digits,
                   uint32_t copies, uint8_t *target) {
  const size_t plane = (size_t)height * width;
  uint32_t spread[256];
  uint64_t seen = 0;
  if (copies > 1) spread_channels(copies, spread);
  for (uint32_t first = 0; first < channels; first += LANES, values += LANES * plane) {
    const uint32_t lanes = channels - first < LANES ? channels - first : LANES;
    for (uint32_t digit = 0; digit < digits; digit++)
      for (uint32_t y = 0; y < height; y++, target += (size_t)up4(width) * 8)
        seen |= pack_row(values + (size_t)y * width, plane, lanes, width, digit, copies > 1 ? spread : NULL, target);
  }
  return seen >> (2 * digits) != 0;
}
#endif
