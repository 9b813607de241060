// SPDX-License-Identifier: GPL-2.0

//! `lanad` keeps the graph as files say, and acts on what happens.
//!
//! Facts come from the kernel and from probes ([`watch`], [`probe`]) into what is known ([`world`]), of which rules are a
//! pure function ([`engine`]). What they want of the graph, [`keep`] makes in one transaction; what
//! they want of the host, [`act`] does. A [`channel`] is another part of the graph. [`daemon`] puts it together, [`control`] lets `lanactl` ask.

pub mod act;
pub mod channel;
pub mod config;
pub mod control;
pub mod daemon;
pub mod engine;
pub mod keep;
pub mod ping;
pub mod probe;
pub mod record;
pub mod state;
pub mod watch;
pub mod world;
