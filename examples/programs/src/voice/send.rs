// SPDX-License-Identifier: GPL-2.0

//! The sender.

use super::{codec::Encoder, due, frame::Frame, wav::Wav, FRAMES, RATE};
use crate::{program::Totals, transport::Transport};
use anyhow::{Context, Result};
use std::{thread, time::Instant};

/// How often the end is sent.
const ENDS: u64 = 3;

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Frames.
    pub frames: u64,
    /// Bytes of the datagrams.
    pub bytes: usize,
}

impl Spoken {
    /// All of it.
    pub fn totals(self) -> Totals {
        Totals::default()
            .with("frames sent", self.frames)
            .with("bytes", self.bytes)
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
        thread::sleep(due(start, slot).saturating_duration_since(Instant::now()));
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
