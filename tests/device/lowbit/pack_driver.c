/* SPDX-License-Identifier: Apache-2.0
 * Packs random tensors whose arrays end where their bytes end; built with the sanitizers. Prints how many had values
 * that do not fit their digits. */
#include "accel_cpu.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t below(uint32_t n) { return (uint32_t)rand() % n; }

int main(int argc, char **argv) {
  const int runs = argc > 1 ? atoi(argv[1]) : 100;
  int refused = 0;
  for (int run = 0; run < runs; run++) {
    const uint32_t is_copied = run % 3 == 0, channels = 1 + below(is_copied ? 8 : 70);
    const uint32_t copies = is_copied ? 1 + below(32 / channels) : 1;
    const uint32_t height = 1 + below(5), width = 1 + below(run % 8 ? 9 : 100);
    const uint32_t digits = 1 + below(4), bound = run % 2 ? 1u << (2 * digits) : 256;
    const size_t n = (size_t)channels * height * width;
    uint8_t *values = malloc(n), *target = malloc((size_t)((channels + 31) / 32) * digits * height * ((width + 3) / 4) * 32);
    for (size_t i = 0; i < n; i++) values[i] = (uint8_t)below(bound);
    const int is_refused = accel_cpu_pack(values, channels, height, width, digits, copies, target);
    if (run % 2 && is_refused) return 1;
    refused += is_refused;
    accel_barrier();
    free(values), free(target);
  }
  printf("%d\n", refused);
  return 0;
}
