/* SPDX-License-Identifier: Apache-2.0
 * A plug-in of QEMU that counts the instructions a program executes and prints one number at its end. Debian ships no
 * plug-ins and no header for them, so the few functions that are used are declared here. QEMU_API is the version of
 * the interface: 1 up to QEMU 8.1, then higher. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#ifndef QEMU_API
#define QEMU_API 1
#endif
#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
typedef void translated(uint64_t id, struct qemu_plugin_tb *block);
typedef void executed(unsigned int cpu, void *argument);
typedef void ended(uint64_t id, void *argument);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, translated *call);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, executed *call, int flags, void *argument);
void qemu_plugin_register_atexit_cb(uint64_t id, ended *call, void *argument);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_outs(const char *text);

EXPORT int qemu_plugin_version = QEMU_API;
static uint64_t count;

static void add(unsigned int cpu, void *argument) {
  (void)cpu;
  count += (uintptr_t)argument;
}

/* A block is left only at its end: the programs that are counted raise no signals. */
static void instrument(uint64_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_cb(block, add, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void print(uint64_t id, void *argument) {
  char text[40];
  (void)id, (void)argument;
  snprintf(text, sizeof text, "instructions %" PRIu64 "\n", count);
  qemu_plugin_outs(text);
}

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
  (void)info, (void)argc, (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, instrument);
  qemu_plugin_register_atexit_cb(id, print, NULL);
  return 0;
}
