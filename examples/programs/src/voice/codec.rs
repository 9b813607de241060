// SPDX-License-Identifier: GPL-2.0

//! Opus, for samples of 16 bits.

use super::{FRAMES, RATE};
use anyhow::{bail, Result};
use opus::{Application, Bitrate, Channels};

/// Bits in a second of a channel.
const BITRATE: i32 = 32_000;
/// The longest packet that there is.
const LONGEST: usize = 1275;

pub(super) struct Encoder {
    opus: opus::Encoder,
}

impl Encoder {
    /// For samples of this rate; the decoder need not know which it was.
    pub(super) fn new(rate: u32, channels: u16) -> Result<Self> {
        let mut opus = opus::Encoder::new(rate, layout(channels)?, Application::Audio)?;
        opus.set_bitrate(Bitrate::Bits(BITRATE * i32::from(channels)))?;
        Ok(Encoder { opus })
    }

    /// The packet of a frame.
    pub(super) fn encode(&mut self, samples: &[i16]) -> Result<Vec<u8>> {
        Ok(self.opus.encode_vec(samples, LONGEST)?)
    }
}

pub(super) struct Decoder {
    opus: opus::Decoder,
    channels: usize,
}

impl Decoder {
    pub(super) fn new(channels: u16) -> Result<Self> {
        Ok(Decoder {
            opus: opus::Decoder::new(RATE, layout(channels)?)?,
            channels: channels.into(),
        })
    }

    /// The samples of a frame; those that sound most likely, where there is no packet or a broken
    /// one.
    pub(super) fn decode(&mut self, packet: Option<&[u8]>) -> Vec<i16> {
        let mut samples = vec![0; (RATE / FRAMES) as usize * self.channels];
        // An empty packet is a lost one.
        let decoded = self
            .opus
            .decode(packet.unwrap_or_default(), &mut samples, false)
            .or_else(|_| self.opus.decode(&[], &mut samples, false));
        if decoded.is_err() {
            samples.fill(0);
        }
        samples
    }
}

fn layout(channels: u16) -> Result<Channels> {
    Ok(match channels {
        1 => Channels::Mono,
        2 => Channels::Stereo,
        _ => bail!("Opus: {channels} channels"),
    })
}
