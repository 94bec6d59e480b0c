/* SPDX-License-Identifier: Apache-2.0
 * Matching scores: how well each cell of one picture is found at a set of displacements in another one. Integers only;
 * models/flow_stem.py is the definition. Written for the compiler's own vectors, so loops run over whole planes. */
#ifndef MATCH_H
#define MATCH_H
#include "accel_cpu.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define IN_CALLER static inline __attribute__((always_inline)) /* built with the instructions of whoever calls it */

enum { BEST_SCORE = 255 };

/* Copy a picture into one with `border` pixels more on each side, which continue its edges. */
static void widen(const uint8_t *picture, uint32_t width, uint32_t height, uint32_t border, uint8_t *wide) {
  for (uint32_t y = 0; y < height + 2 * border; y++, wide += width + 2 * border) {
    const uint8_t *row = picture + (size_t)(y < border ? 0 : y - border < height ? y - border : height - 1) * width;
    memset(wide, row[0], border);
    memcpy(wide + border, row, width);
    memset(wide + border + width, row[width - 1], border);
  }
}

/* Add the absolute differences of one row to `sums`. */
IN_CALLER void add_row(const uint8_t *restrict a, const uint8_t *restrict b, uint32_t width, uint16_t *restrict sums) {
  for (uint32_t x = 0; x < width; x++) sums[x] = (uint16_t)(sums[x] + (a[x] > b[x] ? a[x] - b[x] : b[x] - a[x]));
}

/* The same for cells of one pixel, counted as if they had 4. */
IN_CALLER void take_row(const uint8_t *restrict a, const uint8_t *restrict b, uint32_t width, uint16_t *restrict sums) {
  for (uint32_t x = 0; x < width; x++) sums[x] = (uint16_t)(4 * (a[x] > b[x] ? a[x] - b[x] : b[x] - a[x]));
}

/* Sums over 2 or 4 neighbours, rounded down to what cells of 4 pixels would have. */
IN_CALLER void join_columns(const uint16_t *restrict sums, uint32_t cells, uint32_t side, uint16_t *restrict target) {
  if (side == 2)
    for (uint32_t x = 0; x < cells; x++) target[x] = (uint16_t)(sums[2 * x] + sums[2 * x + 1]);
  else
    for (uint32_t x = 0; x < cells; x++) {
      const uint16_t *four = sums + 4 * x;
      target[x] = (uint16_t)((four[0] + four[1] + four[2] + four[3]) >> 2);
    }
}

/* Weigh each cell and its neighbours by 1 2 1 in both directions, the edges continued. `cells` has a row more above and
 * below, `middle` a cell before and behind. */
IN_CALLER void smooth(uint16_t *restrict cells, uint32_t nx, uint32_t ny, uint16_t *restrict middle,
                      uint16_t *restrict target) {
  const uint32_t n = nx * ny;
  memcpy(cells - nx, cells, nx * sizeof *cells);
  memcpy(cells + n, cells + n - nx, nx * sizeof *cells);
  const uint16_t *up = cells - nx, *down = cells + nx;
  for (uint32_t i = 0; i < n; i++) middle[i] = (uint16_t)(up[i] + 2 * cells[i] + down[i]);
  const uint16_t *left = middle - 1, *right = middle + 1;
  for (uint32_t i = 0; i < n; i++) target[i] = (uint16_t)(left[i] + 2 * middle[i] + right[i]);
  for (uint32_t i = 0; i < n; i += nx) { /* there the neighbour was of another row */
    const uint32_t last = i + nx - 1;
    target[i] = (uint16_t)(3 * middle[i] + (nx > 1 ? middle[i + 1] : middle[i]));
    target[last] = (uint16_t)(3 * middle[last] + (nx > 1 ? middle[last - 1] : middle[last]));
  }
}

IN_CALLER void take_less(const uint16_t *restrict a, uint32_t n, uint16_t *restrict least) {
  for (uint32_t i = 0; i < n; i++) least[i] = a[i] < least[i] ? a[i] : least[i];
}

struct matching {
  const uint8_t *first, *wide; /* `wide` continues the second picture by radius * step pixels */
  uint32_t width, side, nx, ny, radius, step, spread, shift;
  uint16_t *costs, *sums, *middle, *row, *least, *pooled;
};

IN_CALLER void match_all(const struct matching *m, uint8_t *target) {
  const uint32_t cells = m->nx * m->ny, reach = m->radius * m->step, every = m->spread ? 1 : m->step;
  const uint32_t n = 2 * reach / every + 1, pitch = m->width + 2 * reach;
  memset(m->least, 255, cells * sizeof *m->least);
  for (uint32_t k = 0; k < n * n; k++) {
    const uint8_t *moved = m->wide + (size_t)(k / n * every) * pitch + k % n * every;
    for (uint32_t y = 0; y < m->ny && m->side == 1; y++)
      take_row(m->first + (size_t)y * m->width, moved + (size_t)y * pitch, m->width, m->sums + (size_t)y * m->nx);
    for (uint32_t y = 0; y < m->ny && m->side > 1; y++) {
      memset(m->row, 0, m->width * sizeof *m->row);
      for (uint32_t i = y * m->side; i < (y + 1) * m->side; i++)
        add_row(m->first + (size_t)i * m->width, moved + (size_t)i * pitch, m->width, m->row);
      join_columns(m->row, m->nx, m->side, m->sums + (size_t)y * m->nx);
    }
    smooth(m->sums, m->nx, m->ny, m->middle, m->costs + (size_t)k * cells);
    take_less(m->costs + (size_t)k * cells, cells, m->least);
  }
  for (uint32_t i = 0; i < n; i += m->step / every)
    for (uint32_t j = 0; j < n; j += m->step / every, target += cells) {
      const uint32_t top = i < m->spread ? 0 : i - m->spread, bottom = i + m->spread < n ? i + m->spread : n - 1;
      const uint32_t left = j < m->spread ? 0 : j - m->spread, right = j + m->spread < n ? j + m->spread : n - 1;
      memcpy(m->pooled, m->costs + (size_t)(i * n + j) * cells, cells * sizeof *m->pooled);
      for (uint32_t y = top; y <= bottom; y++)
        for (uint32_t x = left; x <= right; x++)
          if (m->spread) take_less(m->costs + (size_t)(y * n + x) * cells, cells, m->pooled);
      for (uint32_t c = 0; c < cells; c++) {
        const uint16_t worse = (uint16_t)((uint16_t)(m->pooled[c] - m->least[c]) >> m->shift);
        target[c] = (uint8_t)(BEST_SCORE - (worse < BEST_SCORE ? worse : BEST_SCORE));
      }
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx2"))) static void match_avx2(const struct matching *m, uint8_t *target) {
  match_all(m, target);
}
#endif

static void match_plain(const struct matching *m, uint8_t *target) { match_all(m, target); }

int accel_cpu_match(const uint8_t *first, const uint8_t *second, uint32_t width, uint32_t height,
                    const struct accel_displacements *d, uint8_t *target) {
  const uint32_t nx = width / d->side, ny = height / d->side, cells = nx * ny, reach = d->radius * d->step;
  const uint32_t n = 2 * reach / (d->spread ? 1 : d->step) + 1;
  const size_t n_words = ((size_t)n * n + 4) * cells + 2 * nx + 2 + width;
  uint16_t *costs = malloc(n_words * sizeof *costs + (width + 2 * (size_t)reach) * (height + 2 * (size_t)reach));
  if (!costs) return ACCEL_NO_MEMORY;
  struct matching m = {.first = first, .width = width, .side = d->side, .nx = nx, .ny = ny, .radius = d->radius};
  m.step = d->step, m.spread = d->spread, m.shift = d->shift;
  m.costs = costs, m.least = costs + (size_t)n * n * cells, m.pooled = m.least + cells;
  m.sums = m.pooled + cells + nx, m.middle = m.sums + cells + nx + 1, m.row = m.middle + cells + 1;
  uint8_t *wide = (uint8_t *)(m.row + width);
  widen(second, width, height, reach, wide);
  m.wide = wide;
  m.middle[-1] = m.middle[cells] = 0;
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx2"))
    match_avx2(&m, target);
  else
#endif
    match_plain(&m, target);
  free(costs);
  return ACCEL_OK;
}
#endif
