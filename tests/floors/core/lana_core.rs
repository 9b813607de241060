// SPDX-License-Identifier: GPL-2.0

//! The root may name all.

mod base;
mod packet;
mod sys;

pub mod prelude {
    pub use crate::{base::error::Failure, packet::engine::Context, sys::Device};
}
