/* SPDX-License-Identifier: Apache-2.0
 * The low-bit machine on a CPU: same bytes of the arena and same error codes as device/lowbit/emulator.py. */
#ifndef ACCEL_CPU_H
#define ACCEL_CPU_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Error codes of section 8 that software can meet, and one of its own. */
enum {
  ACCEL_OK = 0,
  ACCEL_BAD_TAG = 1,
  ACCEL_BAD_OP = 3,
  ACCEL_BAD_FIELD = 4,
  ACCEL_BAD_ALIGN = 5,
  ACCEL_BUFFER_FULL = 6,
  ACCEL_OUT_OF_ARENA = 7,
  ACCEL_NO_MEMORY = -1 /* the host has no room for the working copies of a layer */
};

/* Kernels; ACCEL_AUTO takes the fastest this CPU has. */
enum { ACCEL_AUTO = -1, ACCEL_PLAIN = 0, ACCEL_AVX2 = 1, ACCEL_AVX512 = 2, ACCEL_NEON = 3 };

/* Execute n descriptors of 16 words in order; stops at the first error and returns it. Touches nothing outside
 * arena[0..bytes-1]. May run in several threads at once on different arenas. */
int accel_cpu_run(uint8_t *arena, uint32_t bytes, const uint32_t *descriptors, uint32_t n);

/* Use one kernel for all later runs of the process (tests, measurements). Returns the kernel in use, or -1 and changes
 * nothing when this CPU or this build does not have it. */
int accel_cpu_force(int level);

/* Write (channels, height, width) values of 1 to 4 base-4 digits as a digit tensor (section 3) at `target`, which may
 * have any alignment. Of each channel `copies` stand beside each other: 1, or as many as 8 channels at most have room for in
 * 32 lanes. Row padding is written as zero. Returns 0, or 1 when a value does not fit its digits: then the
 * tensor holds the lower digits of it. */
int accel_cpu_pack(const uint8_t *values, uint32_t channels, uint32_t height, uint32_t width, uint32_t digits,
                   uint32_t copies, uint8_t *target);

/* Displacements of -radius..radius times `step` pixels each way, for cells of side x side pixels; `side` is 1, 2 or 4.
 * With `spread` a displacement counts as the best of those up to so many pixels from it, within the largest one.
 * Scores fall by 1 for every 2^shift that the cost of a cell rises. */
struct accel_displacements {
  uint32_t side, radius, step, spread, shift;
};

/* Write matching scores of two pictures (height, width), whose sides are multiples of `side`: a plane of cells for each
 * displacement, row by row. Returns 0 or ACCEL_NO_MEMORY. */
int accel_cpu_match(const uint8_t *first, const uint8_t *second, uint32_t width, uint32_t height,
                    const struct accel_displacements *displacements, uint8_t *target);

/* Return only when all stores before it can be seen by other bus masters (section 9): Python cannot say that itself. */
void accel_barrier(void);

#ifdef __cplusplus
}
#endif
#endif
