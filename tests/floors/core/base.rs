// SPDX-License-Identifier: GPL-2.0

//! Right, for all that [`crate::packet`] is named here.

pub(crate) mod error;
