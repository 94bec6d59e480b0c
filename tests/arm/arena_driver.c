/* SPDX-License-Identifier: Apache-2.0
 * Runs jobs of the low-bit machine from standard input and writes what they leave to standard output.
 * A job, little-endian: uint32 level, runs, descriptors, arena bytes; the descriptor words; the arena.
 * An answer: int32 code of the last run, or -2 when a byte around the arena changed; the arena. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel_cpu.h"

enum { GUARD = 4096, GUARD_VALUE = 0x5A, GUARD_BROKEN = -2 };

static int fail(const char *reason) {
  fprintf(stderr, "arena_driver: %s\n", reason);
  return 1;
}

static int is_guard(const uint8_t *bytes) {
  for (int i = 0; i < GUARD; i++)
    if (bytes[i] != GUARD_VALUE) return 0;
  return 1;
}

int main(void) {
  uint32_t job[4];
  while (fread(job, sizeof job, 1, stdin) == 1) {
    const uint32_t level = job[0], runs = job[1], n = job[2], bytes = job[3];
    uint32_t *descriptors = malloc((size_t)n * 64 + 1);
    uint8_t *framed = malloc((size_t)bytes + 2 * GUARD), *arena = framed + GUARD;
    if (!descriptors || !framed) return fail("no memory for a job");
    memset(framed, GUARD_VALUE, (size_t)bytes + 2 * GUARD);
    if (fread(descriptors, 64, n, stdin) != n || fread(arena, 1, bytes, stdin) != bytes)
      return fail("expected a whole job, found its beginning");
    if (accel_cpu_force((int)level) != (int)level) return fail("this build does not have the kernel asked for");
    int32_t code = 0;
    for (uint32_t i = 0; i < runs; i++) code = accel_cpu_run(arena, bytes, descriptors, n);
    if (!is_guard(framed) || !is_guard(arena + bytes)) code = GUARD_BROKEN;
    fwrite(&code, sizeof code, 1, stdout);
    fwrite(arena, 1, bytes, stdout);
    free(descriptors), free(framed);
  }
  return 0;
}
