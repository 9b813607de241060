// SPDX-License-Identifier: GPL-2.0

//! Voice over Ethernet: Opus frames of 20 ms, sent at their times and played at theirs.

mod codec;
mod frame;
mod jitter;
mod receive;
mod send;
mod tone;
pub mod wav;

pub use receive::{receive, Heard, Listening};
pub use send::{send, Spoken};
pub use tone::tone;

use std::time::{Duration, Instant};

/// Frames in a second.
const FRAMES: u32 = 50;
/// How long a frame is.
pub const FRAME: Duration = Duration::from_millis(20);
/// Samples in a second, of what is played.
const RATE: u32 = 48_000;

/// When a frame is due that comes so many after the one due at `first`.
fn due(first: Instant, frames: u64) -> Instant {
    first + Duration::from_millis(frames.saturating_mul(20))
}

#[cfg(test)]
mod tests;
