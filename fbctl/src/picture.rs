// SPDX-License-Identifier: GPL-2.0

//! Pictures of the graph.

pub(crate) mod caption;
pub(crate) mod dot;
pub(crate) mod layout;
pub(crate) mod model;
pub(crate) mod scene;
pub(crate) mod svg;
pub(crate) mod text;
