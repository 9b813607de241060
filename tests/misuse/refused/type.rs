// SPDX-License-Identifier: GPL-2.0
// error: the trait bound `Misuse: Block` is not satisfied

//! Is no block.

use lana::prelude::*;

block_module! {
    type: Misuse,
    name: "fb_misuse",
    authors: ["The LANA developers"],
    description: "LANA block: must not compile",
    license: "GPL",
}

struct Misuse;
