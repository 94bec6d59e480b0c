/* SPDX-License-Identifier: Apache-2.0
 * The float twin of the network that is counted: direct convolution, bias, ReLU, rows x columns x channels, plain C.
 * Two orders of the loops, of several that were tried the best for each kind of code:
 * - without INPUTS: sums of PIXELS x OUTPUTS stay in registers, for scalar code;
 * - with INPUTS: sums of all outputs of a pixel lie in memory, INPUTS values are added at a time, for vectors.
 *
 * Standard input, little-endian: uint32 runs, layers; per layer uint32 inputs, outputs, kernel, stride, pad, rows,
 * columns (of the input), is_relu; then per layer float32 weights [block][ky][kx][i][outputs of a block] and biases,
 * outputs rounded up to OUTPUTS, one block with INPUTS; then the input of the first layer. Standard output: what the
 * last layer leaves. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef INPUTS
enum { PIXELS = 1, OUTPUTS = 8, MOST_OUTPUTS = 256 };
#else
enum { PIXELS = 2, OUTPUTS = 8 };
#endif

struct layer {
  uint32_t inputs, outputs, kernel, stride, pad, rows, columns, is_relu;
};

static uint32_t up(uint32_t n, uint32_t multiple) { return (n + multiple - 1) / multiple * multiple; }
static uint32_t out_of(uint32_t n, const struct layer *l) { return (n + 2 * l->pad - l->kernel) / l->stride + 1; }
static size_t n_weights(const struct layer *l) {
  return (size_t)up(l->outputs, OUTPUTS) * l->kernel * l->kernel * l->inputs;
}

#ifdef INPUTS
static uint32_t block_outputs(const struct layer *l) { return up(l->outputs, OUTPUTS); }

static void sum_windows(const struct layer *l, const float *restrict row, size_t pitch, const float *restrict weights,
                        const float *restrict bias, float *restrict to) {
  const size_t run = (size_t)l->kernel * l->inputs;
  const uint32_t n = block_outputs(l);
  float sums[MOST_OUTPUTS];
  for (uint32_t o = 0; o < n; o++) sums[o] = bias[o];
  for (uint32_t ky = 0; ky < l->kernel; ky++, row += pitch) {
    size_t i = 0;
    for (; i + INPUTS <= run; i += INPUTS, weights += INPUTS * n)
      for (uint32_t o = 0; o < n; o++)
        for (int j = 0; j < INPUTS; j++) sums[o] += row[i + j] * weights[j * n + o];
    for (; i < run; i++, weights += n)
      for (uint32_t o = 0; o < n; o++) sums[o] += row[i] * weights[o];
  }
  for (uint32_t o = 0; o < l->outputs; o++) to[o] = l->is_relu && sums[o] < 0 ? 0 : sums[o];
}
#else
static uint32_t block_outputs(const struct layer *l) {
  (void)l;
  return OUTPUTS;
}

static void sum_windows(const struct layer *l, const float *restrict row, size_t pitch, const float *restrict weights,
                        const float *restrict bias, float *restrict to) {
  const size_t step = (size_t)l->stride * l->inputs, run = (size_t)l->kernel * l->inputs;
  float sums[PIXELS][OUTPUTS];
  for (int p = 0; p < PIXELS; p++)
    for (int o = 0; o < OUTPUTS; o++) sums[p][o] = bias[o];
  for (uint32_t ky = 0; ky < l->kernel; ky++, row += pitch)
    for (size_t i = 0; i < run; i++, weights += OUTPUTS)
      for (int p = 0; p < PIXELS; p++)
        for (int o = 0; o < OUTPUTS; o++) sums[p][o] += row[p * step + i] * weights[o];
  for (int p = 0; p < PIXELS; p++)
    for (int o = 0; o < OUTPUTS; o++)
      to[p * l->outputs + o] = l->is_relu && sums[p][o] < 0 ? 0 : sums[p][o];
}
#endif

/* `padded` has the zeros around the input and behind its last column that a group of PIXELS may reach. */
static void convolve(const struct layer *l, const float *in, const float *weights, const float *bias, float *padded,
                     float *out) {
  const uint32_t height = out_of(l->rows, l), width = out_of(l->columns, l);
  const size_t pitch = ((size_t)(up(width, PIXELS) - 1) * l->stride + l->kernel) * l->inputs;
  memset(padded, 0, (l->rows + 2 * l->pad) * pitch * sizeof *padded);
  for (uint32_t y = 0; y < l->rows; y++)
    memcpy(padded + (y + l->pad) * pitch + (size_t)l->pad * l->inputs, in + (size_t)y * l->columns * l->inputs,
           (size_t)l->columns * l->inputs * sizeof *in);
  const uint32_t step = block_outputs(l);
  const size_t block = (size_t)l->kernel * l->kernel * l->inputs;
  for (uint32_t y = 0; y < height; y++)
    for (uint32_t x = 0; x < width; x += PIXELS) {
      const float *window = padded + y * l->stride * pitch + (size_t)x * l->stride * l->inputs;
      float *to = out + ((size_t)y * width + x) * l->outputs;
      for (uint32_t o = 0; o < l->outputs; o += step) sum_windows(l, window, pitch, weights + o * block, bias + o, to + o);
    }
}

static void *read_array(size_t count, size_t size) {
  void *to = malloc(count * size);
  if (to && fread(to, size, count, stdin) == count) return to;
  fprintf(stderr, "float_network: expected %zu values of %zu bytes, found fewer\n", count, size);
  exit(1);
}

int main(void) {
  const uint32_t *head = read_array(2, sizeof *head), n = head[1];
  const struct layer *layers = read_array(n, sizeof *layers);
  float **weights = calloc(n, sizeof *weights), **biases = calloc(n, sizeof *biases);
  size_t most = 0;
  for (uint32_t i = 0; i < n; i++) {
    const struct layer *l = layers + i;
    weights[i] = read_array(n_weights(l), sizeof **weights);
    biases[i] = read_array(up(l->outputs, OUTPUTS), sizeof **biases);
    const size_t side = (l->rows + 2 * l->pad) * ((size_t)l->columns + 2 * l->pad + PIXELS * l->stride) * l->inputs;
    const size_t made = (size_t)(out_of(l->rows, l) * out_of(l->columns, l) + PIXELS) * up(l->outputs, OUTPUTS);
    most = side > most ? side : most, most = made > most ? made : most;
  }
  const struct layer *first = layers, *last = layers + n - 1;
  const float *input = read_array((size_t)first->rows * first->columns * first->inputs, sizeof *input);
  float *padded = malloc(most * sizeof *padded);
  float *tensors[2] = {malloc(most * sizeof(float)), malloc(most * sizeof(float))};
  if (!padded || !tensors[0] || !tensors[1]) return 1;
  for (uint32_t run = 0; run < head[0]; run++)
    for (uint32_t i = 0; i < n; i++)
      convolve(layers + i, i ? tensors[i & 1] : input, weights[i], biases[i], padded, tensors[~i & 1]);
  fwrite(tensors[n & 1], sizeof(float), (size_t)out_of(last->rows, last) * out_of(last->columns, last) * last->outputs,
         stdout);
  return 0;
}
