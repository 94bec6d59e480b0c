/* SPDX-License-Identifier: Apache-2.0
 * The low-bit machine on a CPU. Section numbers are those of the accelerator specification; the NumPy emulator is the
 * definition. One source builds with plain -O3: kernels above the base instruction set carry target attributes and are
 * chosen at run time. It includes all others, whose functions are static: no symbol but those of accel_cpu.h is public.
 *
 * A layer runs in this order: check, copy the input into a zero-padded buffer (pixel-major), sum each window without
 * weights once (the terms that all outputs share), then per output block and group of 4 pixels count, compare and
 * store. */
#include "accel_cpu.h"

#include "layer.h"
#include "match.h"
#include "pack.h"
#include "plain.h"
#include "stores.h"
#include "work.h"

#if defined(__ARM_NEON)
#define HAVE_NEON 1
#include "neon.h"
#elif defined(__x86_64__) && defined(__GNUC__)
#define HAVE_X86 1
#include "avx2.h"
#include "avx512.h"
#endif

static void run_block(uint8_t *arena, struct work *work, const struct kernel *kernel, uint32_t block) {
  const struct layer *l = work->l;
  const uint8_t *limits = work->weights + (size_t)l->k * l->k * l->cb_in * LANES * 4;
  int32_t thresholds[3 * LANES];
  for (uint32_t j = 0; j < 3 && !l->raw && !work->is_narrow; j++)
    for (uint32_t o = 0; o < LANES; o++) thresholds[j * LANES + o] = (int32_t)load32(limits + 16 * o + 4 * j);
  for (uint32_t y = 0; y < l->out_h; y++)
    for (uint32_t x = 0; x < l->out_w; x += GROUP) {
      const int32_t *shared = work->shared + (size_t)y * work->columns + x;
      const uint32_t n = l->out_w - x < GROUP ? l->out_w - x : GROUP;
      int32_t counted[GROUP * LANES];
      uint64_t words[GROUP];
      const bool is_narrow = work->is_narrow && !l->raw;
      if (is_narrow)
        kernel->quantise_narrow(work, y, x, shared, words);
      else
        kernel->count(work, y, x, counted);
      if (l->raw) {
        for (uint32_t i = 0; i < n * LANES; i++) counted[i] = 2 * counted[i] + shared[i / LANES];
        const size_t at = ((size_t)y * up4(l->out_w) + x) * LANES * 4;
        memcpy(arena + l->dst + (size_t)block * l->dst_pitch + at, counted, (size_t)n * LANES * 4);
        continue;
      }
      if (!is_narrow) kernel->quantise(counted, shared, thresholds, words);
      store_codes(arena, l, block, y, x, words, n);
    }
}

/* The weights of a layer are read once in a run: where other work lies between runs, they are in no near cache. */
static void prefetch_constants(const uint8_t *arena, const struct layer *l) {
  const uint64_t bytes = l->cb_out * block_constants(l);
  for (uint64_t at = 0; at < bytes; at += VECTOR) __builtin_prefetch(arena + l->constants + at);
}

static int run_layer(uint8_t *arena, const struct layer *l, const struct kernel *kernel, struct memory *memory) {
  struct work work;
  const struct kernel *better = kernel->choose ? kernel->choose(l) : NULL;
  if (better) kernel = better;
  prefetch_constants(arena, l);
  if (!prepare(arena, l, kernel, memory, &work)) return ACCEL_NO_MEMORY;
  if (kernel->run_blocks) {
    kernel->run_blocks(arena, &work);
    return ACCEL_OK;
  }
  for (uint32_t block = 0; block < l->cb_out; block++) {
    work.weights = arena + l->constants + block * block_constants(l);
    if (kernel->split_weights) kernel->split_weights(&work);
    run_block(arena, &work, kernel, block);
  }
  return ACCEL_OK;
}

/* ---- choice of the kernel ---- */

static int forced = ACCEL_AUTO;

static const struct kernel *kernel_of(int level) {
  switch (level) {
    case ACCEL_PLAIN: return &kernel_plain;
#ifdef HAVE_X86
    case ACCEL_AVX2: return __builtin_cpu_supports("avx2") ? &kernel_avx2 : NULL;
    case ACCEL_AVX512: return has_avx512() ? &kernel_avx512 : NULL;
#endif
#ifdef HAVE_NEON
    case ACCEL_NEON: return &kernel_neon;
#endif
    default: return NULL;
  }
}

static int chosen_level(void) {
  if (forced != ACCEL_AUTO) return forced;
  int level = ACCEL_NEON;
  while (!kernel_of(level)) level--;
  return level;
}

int accel_cpu_force(int level) {
  if (level != ACCEL_AUTO && !kernel_of(level)) return -1;
  forced = level;
  return chosen_level();
}

int accel_cpu_run(uint8_t *arena, uint32_t bytes, const uint32_t *descriptors, uint32_t n) {
  const struct kernel *kernel = kernel_of(chosen_level());
  struct memory memory = {NULL, 0};
  int code = ACCEL_OK;
  for (uint32_t i = 0; i < n && code == ACCEL_OK; i++) {
    const uint32_t *d = descriptors + (size_t)i * DESCRIPTOR_WORDS;
    struct layer l;
    code = check(d, bytes, &l);
    if (code == ACCEL_OK && (d[0] & 0xFF) == 1) code = run_layer(arena, &l, kernel, &memory);
  }
  free(memory.bytes);
  return code;
}

void accel_barrier(void) {
#if defined(__aarch64__) || (defined(__ARM_ARCH) && __ARM_ARCH >= 7)
  __asm__ volatile("dsb sy" ::: "memory");
#else
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}
