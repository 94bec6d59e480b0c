// SPDX-License-Identifier: Apache-2.0
// Included ahead of all generated code: counts ones with the processor's instruction, where Verilator's own function
// takes a dozen operations. The array is nothing but such counts.
#pragma once
#include "verilated.h"
#define VL_COUNTONES_I(x) static_cast<IData>(__builtin_popcount(x))
