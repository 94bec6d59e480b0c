/* SPDX-License-Identifier: Apache-2.0
 * Matches random pictures whose arrays end where their bytes end; built with the sanitizers. Every cell has a
 * displacement with the best score. */
#include "accel_cpu.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t below(uint32_t n) { return (uint32_t)rand() % n; }

int main(int argc, char **argv) {
  const int runs = argc > 1 ? atoi(argv[1]) : 100;
  for (int run = 0; run < runs; run++) {
    const uint32_t step = 1 + below(3);
    const struct accel_displacements d = {.side = 1u << below(3), .radius = below(4), .step = step,
                                          .spread = below(step + 1), .shift = below(9)};
    const uint32_t nx = 1 + below(run % 8 ? 9 : 40), ny = 1 + below(9), width = nx * d.side, height = ny * d.side;
    const uint32_t n = (2 * d.radius + 1) * (2 * d.radius + 1), cells = nx * ny;
    uint8_t *first = malloc((size_t)width * height), *second = malloc((size_t)width * height);
    uint8_t *target = malloc((size_t)n * cells);
    for (uint32_t i = 0; i < width * height; i++) first[i] = (uint8_t)below(256), second[i] = (uint8_t)below(256);
    if (accel_cpu_match(first, second, width, height, &d, target) != ACCEL_OK) return 1;
    for (uint32_t cell = 0; cell < cells; cell++) {
      uint8_t best = 0;
      for (uint32_t k = 0; k < n; k++) best = target[k * cells + cell] > best ? target[k * cells + cell] : best;
      if (best != 255 && d.spread == 0) return 2;
    }
    free(first), free(second), free(target);
  }
  printf("%d\n", runs);
  return 0;
}
