// SPDX-License-Identifier: GPL-2.0

//! How two hosts agree on the blocks of a channel, and change them without losing a packet.
//!
//! Nothing here does input or output, or looks at a clock. An [`Endpoint`] is one side of a channel. A program gives it
//! what happens, and the time since any moment that stays the same:
//!
//! - [`Endpoint::open`], [`Endpoint::close`]: what the user wants
//! - [`Endpoint::receive`]: a message of the other host
//! - [`Endpoint::applied`]: the result of a transaction on the graph
//! - [`Endpoint::drained`]: blocks that keep packets have none any longer
//! - [`Endpoint::timeout`]: the time that [`Endpoint::next_timeout`] has told is there
//!
//! After each of these, the program takes each [`Output`] from [`Endpoint::poll`], and does it. [`plan`] is the graph of a
//! state. A program that is to go on after a restart stores [`Endpoint::graph`] and [`Endpoint::staged`]; neither has keys
//! that matter, as the graph has them already.
//!
//! The rest of this page is the document of the protocol.
//!
#![doc = include_str!("../../Documentation/channels.md")]

mod adaptive;
mod endpoint;
mod link;
mod message;
mod name;
mod plan;
mod seal;
mod services;
mod stack;
mod wire;

pub use adaptive::Policy;
pub use endpoint::{
    BadConfig, Config, Endpoint, Fallback, Output, Random, Refusal, Report, Step, Timing,
    DELAY_MAX, QUESTIONS_MAX,
};
pub use link::Measured;
pub use message::{Held, Link, Message, Reason, StackId, BASE, STACKS_MAX};
pub use name::{BadName, Name, NAME_MAX};
pub use plan::{
    plan, Block, Graph, Keys, Place, Plan, Stack, Value, ETHER_TYPE, KIND_MAX, PREFIX_MAX,
};
pub use seal::{
    header, open, seal, BadKey, BadMessage, Header, Key, Nonce, HEADER, MESSAGE_MAX, TAG, VERSION,
};
pub use services::{BadService, Service, Services, LIFETIME_MAX, SERVICES_MAX};
pub use stack::{
    catalogue, Agreed, BadStack, Capability, Secrets, Verdict, Wanted, Wire, BLOCKS_MAX,
    OPTIONS_MAX,
};
pub use wire::MUST_KNOW;

/// A time: since any moment that stays the same, by a clock that is never set.
pub type Time = std::time::Duration;

/// The UDP port of channels.
pub const UDP_PORT: u16 = 0xac00;
