// SPDX-License-Identifier: GPL-2.0

//! Opus, for samples of 16 bits.

use super::{FRAMES, RATE};
use anyhow::{anyhow, Result};
use opus_rs::{Application, OpusDecoder, OpusEncoder};

/// Bits in a second of a channel.
const BITRATE: i32 = 32_000;
/// The longest packet that there is.
const LONGEST: usize = 1275;

pub(super) struct Encoder {
    opus: OpusEncoder,
    frame: usize,
}

impl Encoder {
    /// For samples of this rate; the decoder need not know which it was.
    pub(super) fn new(rate: u32, channels: u16) -> Result<Self> {
        let mut opus = OpusEncoder::new(rate.try_into()?, channels.into(), Application::Audio)
            .map_err(|text| anyhow!("Opus: {text}"))?;
        opus.bitrate_bps = BITRATE * i32::from(channels);
        let frame = (rate / FRAMES) as usize;
        Ok(Encoder { opus, frame })
    }

    /// The packet of a frame.
    pub(super) fn encode(&mut self, samples: &[i16]) -> Result<Vec<u8>> {
        let mut packet = vec![0; LONGEST];
        let length = self.opus.encode_i16(samples, self.frame, &mut packet);
        packet.truncate(length.map_err(|text| anyhow!("Opus: {text}"))?);
        Ok(packet)
    }
}

pub(super) struct Decoder {
    opus: OpusDecoder,
    channels: usize,
}

impl Decoder {
    pub(super) fn new(channels: u16) -> Result<Self> {
        let channels = channels.into();
        let opus = OpusDecoder::new(RATE.try_into()?, channels);
        Ok(Decoder {
            opus: opus.map_err(|text| anyhow!("Opus: {text}"))?,
            channels,
        })
    }

    /// The samples of a frame; those that sound most likely, where there is no packet or a broken
    /// one.
    pub(super) fn decode(&mut self, packet: Option<&[u8]>) -> Vec<i16> {
        let frame = (RATE / FRAMES) as usize;
        let mut samples = vec![0.0; frame * self.channels];
        let decoded = self
            .opus
            .decode(packet.unwrap_or_default(), frame, &mut samples)
            .or_else(|_| self.opus.decode(&[], frame, &mut samples));
        if decoded.is_err() {
            samples.fill(0.0);
        }
        samples.into_iter().map(sample).collect()
    }
}

/// A sample of 16 bits for a number from -1 to 1.
#[expect(
    clippy::cast_possible_truncation,
    reason = "numbers too large become the largest"
)]
pub(super) fn sample(number: f32) -> i16 {
    (number * 32_768.0) as i16
}
