// SPDX-License-Identifier: GPL-2.0

//! What is told to one side of a channel at its beginning.

use crate::{
    adaptive::Policy,
    name::Name,
    plan::{Place, KIND_MAX, PREFIX_MAX},
    seal::Key,
    stack::Capability,
};
use std::time::Duration;

/// What becomes of packets when the channel ends, or when both hosts have to begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// They pass without the blocks.
    Open,
    /// They are dropped. The default of a host that demands `crypt` should be this.
    Closed,
}

/// Times of the protocol.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The first wait for an answer. Each further one is twice as long.
    pub retry: Duration,
    /// The longest wait for an answer.
    pub retry_max: Duration,
    /// Between two keepalives.
    pub keepalive: Duration,
    /// The session is lost if no message has come for this long.
    pub dead: Duration,
    /// The channel ends if there is no session for this long.
    pub hold: Duration,
    /// How long a packet can be on its way.
    pub drain: Duration,
    /// How long blocks may keep packets of an old stack.
    pub drain_max: Duration,
    /// How long a request may take on the other host.
    pub patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Timing {
            retry: ms(200),
            retry_max: ms(2000),
            keepalive: ms(1000),
            dead: ms(8000),
            hold: ms(30_000),
            drain: ms(500),
            drain_max: ms(10_000),
            patience: ms(30_000),
        }
    }
}

/// One side of a channel.
#[derive(Debug, Clone)]
pub struct Config {
    /// The number of the channel between the two hosts.
    pub channel: u32,
    /// The key that both hosts have.
    pub key: Key,
    /// Where the channel is in the graph.
    pub place: Place,
    /// The blocks that this host has.
    pub have: Vec<Capability>,
    /// The blocks that a stack must have.
    pub demand: Vec<Name>,
    /// What becomes of packets without a stack.
    pub fallback: Fallback,
    /// The other host may open the channel.
    pub listen: bool,
    /// The block for a link that loses packets.
    pub policy: Option<Policy>,
    /// Milliseconds after which both hosts switch to a new stack.
    pub delay: u32,
    /// The times.
    pub timing: Timing,
}

/// The longest [`Config::delay`].
pub const DELAY_MAX: u32 = 10_000;

/// A configuration cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadConfig {
    /// The prefix is too long, or empty.
    #[error("the prefix of a channel's blocks has 1 to {PREFIX_MAX} bytes")]
    Prefix,
    /// A type is too long for names of blocks.
    #[error("the type of {0} has more than {KIND_MAX} bytes")]
    Kind(Name),
    /// The delay is too long.
    #[error("hosts switch after at most {DELAY_MAX} ms")]
    Delay,
}
