// SPDX-License-Identifier: GPL-2.0

//! The sender.

use super::{codec::Encoder, due, frame::Frame, wav::Wav, FRAMES, RATE};
use crate::{
    program::{milliseconds, Totals},
    transport::Transport,
};
use anyhow::{Context, Result};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How often the end is sent.
const ENDS: u64 = 3;

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Frames.
    pub frames: u64,
    /// Bytes of the datagrams.
    pub bytes: usize,
    /// How much after its time one was sent.
    pub latest: Duration,
}

impl Spoken {
    /// All of it.
    pub fn totals(self) -> Totals {
        Totals::default()
            .with("frames sent", self.frames)
            .with("bytes", self.bytes)
            .with("latest-ms", milliseconds(self.latest))
    }
}

/// Sends a file, each frame at its time: none waits because those before it were late.
pub fn send(transport: &mut dyn Transport, wav: &Wav) -> Result<Spoken> {
    let mut encoder = Encoder::new(wav.rate, wav.channels)?;
    let size = (wav.rate / FRAMES) as usize * usize::from(wav.channels);
    let mut spoken = Spoken::default();
    let (mut sequence, mut timestamp) = (0_u16, 0_u32);
    let start = Instant::now();
    let mut say = |slot: u64, end, opus: &[u8]| {
        // The number stays that of the next frame while the end is repeated.
        let frame = Frame {
            end,
            stereo: wav.channels == 2,
            sequence,
            timestamp,
            opus,
        };
        let datagram = frame.encode();
        let due = due(start, slot);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let late = Instant::now().saturating_duration_since(due);
        spoken.latest = spoken.latest.max(late);
        transport.send(&datagram).context("send")?;
        spoken.bytes += datagram.len();
        if !end {
            spoken.frames += 1;
            sequence = sequence.wrapping_add(1);
            timestamp = timestamp.wrapping_add(RATE / FRAMES);
        }
        anyhow::Ok(())
    };
    let mut slot = 0;
    for samples in wav.samples.chunks(size) {
        let mut samples = samples.to_vec();
        samples.resize(size, 0);
        say(slot, false, &encoder.encode(&samples)?)?;
        slot += 1;
    }
    for end in 0..ENDS {
        say(slot + end, true, &[])?;
    }
    Ok(spoken)
}
