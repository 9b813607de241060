// SPDX-License-Identifier: GPL-2.0

//! The lowest floor: what is pure, and knows neither the kernel's C side nor anything else of ours.

pub(crate) mod checksum;
pub(crate) mod error;
pub(crate) mod headers;
pub(crate) mod heap;
pub(crate) mod name;
pub(crate) mod option;
pub(crate) mod port;
pub(crate) mod units;
