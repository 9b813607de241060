// SPDX-License-Identifier: GPL-2.0
/*
 * Exports the crate's Rust symbols to the modules of the blocks; the list is
 * generated from the object file.
 */

#include <linux/export.h>

#define EXPORT_SYMBOL_RUST_GPL(sym) extern int sym; EXPORT_SYMBOL_GPL(sym)

#include "exports.h"
