/* SPDX-License-Identifier: Apache-2.0
 * Working copies of a layer, and what a kernel does with them. */
#ifndef WORK_H
#define WORK_H
#include "layer.h"

#include <stdlib.h>
#include <string.h>

enum { GROUP = 4, VECTOR = 64 };    /* pixels counted at once; bytes, the alignment of all working copies */
enum { LEAST_MEMORY = 120 * 1024 }; /* usual layers fit, and malloc maps larger pieces anew each time */

/* Pixel-major, so that one window row is one piece: [row][column][digit][block]. */
struct work {
  const struct layer *l;
  uint32_t rows, columns, steps; /* of the padded input; steps = words per pixel */
  uint64_t *pixels;              /* [rows][columns][steps] */
  int32_t *sums;                 /* [rows][columns]: of all values of a pixel, then of k pixels of a row */
  int32_t *shared;               /* [out_h][columns]: minus the sum of the window's values */
  uint8_t *tables;               /* of the kernel: what it makes of the pixels */
  uint8_t *split;                /* of the kernel: what it makes of the weights of the current output block */
  const uint8_t *weights;        /* stream of the current output block, [tap][cb][LANES] words */
  /* NEON and AVX-512 only: */
  uint32_t n_groups;         /* groups of 4 channels that are not zero in all pixels and digits */
  uint8_t live[MAX_BLOCKS];  /* one bit for each of these groups */
  bool is_narrow;            /* NEON: all sums of the layer fit 16 bits */
  int16_t limits[3 * LANES]; /* NEON: thresholds of the current output block, clamped */
};

struct kernel {
  /* A kernel that suits a layer better, or NULL; NULL: there is none. */
  const struct kernel *(*choose)(const struct layer *);
  /* Bytes of work->tables; NULL: none. */
  size_t (*table_bytes)(const struct work *);
  /* Fill work->tables from the pixels and work->split from the weights; NULL where these are not used. */
  void (*build_tables)(struct work *);
  void (*split_weights)(struct work *);
  /* Sum of the values of all channels of a pixel; not needed where there is add_row. */
  int32_t (*sum_of_pixel)(const struct work *, const uint64_t *words);
  /* Add the sums of the 32 values of n pixel words, times 4**digit, to sums[n]. */
  void (*add_row)(const uint8_t *words, uint32_t n, uint32_t digit, int32_t *sums);
  /* Sum of the values whose weight bit is 1, for 4 pixels and 32 outputs. */
  void (*count)(const struct work *, uint32_t y, uint32_t x, int32_t counted[GROUP * LANES]);
  /* acc = 2 * counted + shared[pixel]; how many of the [3][LANES] thresholds it reaches, as pixel words. */
  void (*quantise)(const int32_t *counted, const int32_t *shared, const int32_t *thresholds, uint64_t words[GROUP]);
  /* Both in one where is_narrow is set. */
  void (*quantise_narrow)(const struct work *, uint32_t y, uint32_t x, const int32_t *shared, uint64_t words[GROUP]);
  /* All output blocks of a layer, instead of the four above. */
  void (*run_blocks)(uint8_t *arena, struct work *);
};

/* Of one run: as large as its largest layer. */
struct memory {
  uint8_t *bytes;
  size_t size;
};

static inline uint32_t load32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint64_t load64(const uint8_t *p) {
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

/* Tables of 16 bytes for every 4 channels of every pixel word. */
static inline size_t nibble_table_bytes(const struct work *work) {
  return (size_t)work->rows * work->columns * work->steps * (LANES / 4) * 16;
}

/* Copy the input into the padded buffer: [row][column][digit][block], zeros around it. */
static void load_pixels(const uint8_t *arena, const struct work *work) {
  const struct layer *l = work->l;
  memset(work->pixels, 0, (size_t)work->rows * work->columns * work->steps * sizeof *work->pixels);
  for (uint32_t c = 0; c < l->cb_in; c++)
    for (uint32_t d = 0; d < l->digits; d++)
      for (uint32_t y = 0; y < l->h; y++) {
        const uint8_t *from = arena + l->src + (size_t)(c * l->digits + d) * l->src_pitch + (size_t)y * up4(l->w) * 8;
        uint64_t *to = work->pixels + ((size_t)(y + l->top) * work->columns + l->left) * work->steps + d * l->cb_in + c;
        for (uint32_t x = 0; x < l->w; x++) to[(size_t)x * work->steps] = load64(from + 8 * x);
      }
}

static void sum_pixels(const uint8_t *arena, const struct work *work, const struct kernel *kernel) {
  const struct layer *l = work->l;
  const size_t n = (size_t)work->rows * work->columns;
  if (!kernel->add_row) {
    for (size_t i = 0; i < n; i++) work->sums[i] = kernel->sum_of_pixel(work, work->pixels + i * work->steps);
    return;
  }
  memset(work->sums, 0, n * sizeof *work->sums);
  for (uint32_t plane = 0; plane < l->cb_in * l->digits; plane++) {
    const uint8_t *from = arena + l->src + (size_t)plane * l->src_pitch;
    for (uint32_t y = 0; y < l->h; y++, from += (size_t)up4(l->w) * 8)
      kernel->add_row(from, l->w, plane % l->digits, work->sums + (size_t)(y + l->top) * work->columns + l->left);
  }
}

/* shared[y][x] = - sum of all values in the window: acc = 2 * counted + shared. First the rows of the windows. */
static void sum_windows(const struct work *work) {
  const struct layer *l = work->l;
  const size_t columns = work->columns, n = l->out_h * columns;
  int32_t *row = work->sums, *restrict to = work->shared;
  if (l->k == 1) {
    for (size_t i = 0; i < n; i++) to[i] = -row[i];
    return;
  }
  for (size_t i = 0; i + 2 < work->rows * columns; i++) row[i] += row[i + 1] + row[i + 2];
  for (size_t i = 0; i < n; i++) to[i] = -(row[i] + row[i + columns] + row[i + 2 * columns]);
}

/* Place the working copies in `memory`; false when the host has no room for them. */
static bool lay_out(struct work *work, const struct kernel *kernel, struct memory *memory) {
  const struct layer *l = work->l;
  const size_t n = (size_t)work->rows * work->columns;
  const size_t sizes[] = {
      (n * work->steps + 3) * sizeof *work->pixels, /* whole vectors of 4 words */
      n * sizeof *work->sums,
      l->out_h * (size_t)work->columns * sizeof *work->shared,
      kernel->table_bytes ? kernel->table_bytes(work) : 0,
      kernel->split_weights ? (size_t)l->k * l->k * l->cb_in * LANES * LANES : 0, /* a byte for each weight */
  };
  enum { N_SIZES = sizeof sizes / sizeof *sizes };
  size_t starts[N_SIZES], total = 0;
  for (int i = 0; i < N_SIZES; i++) starts[i] = total, total += (sizes[i] + VECTOR - 1) / VECTOR * VECTOR;
  if (total < LEAST_MEMORY) total = LEAST_MEMORY;
  if (memory->size < total) {
    free(memory->bytes);
    memory->bytes = aligned_alloc(VECTOR, total);
    memory->size = memory->bytes ? total : 0;
    if (!memory->bytes) return false;
  }
  work->pixels = (uint64_t *)(memory->bytes + starts[0]);
  work->sums = (int32_t *)(memory->bytes + starts[1]);
  work->shared = (int32_t *)(memory->bytes + starts[2]);
  work->tables = memory->bytes + starts[3];
  work->split = memory->bytes + starts[4];
  return true;
}

/* Groups of 4 may reach 3 columns beyond the last one: the buffer holds zeros there. */
static bool prepare(const uint8_t *arena, const struct layer *l, const struct kernel *kernel, struct memory *memory,
                    struct work *work) {
  work->l = l, work->rows = l->h + l->top + l->bottom, work->columns = up4(l->out_w) + l->k - 1;
  work->steps = l->cb_in * l->digits;
  work->is_narrow = false;
  if (!lay_out(work, kernel, memory)) return false;
  load_pixels(arena, work);
  sum_pixels(arena, work, kernel);
  sum_windows(work);
  if (kernel->build_tables) kernel->build_tables(work);
  return true;
}
#endif
