// SPDX-License-Identifier: GPL-2.0

//! WAV files of samples of 16 bits: a header, and chunks of which two matter.

use super::RATE;
use anyhow::{bail, ensure, Context, Result};
use std::io::{Seek, SeekFrom, Write};

/// Sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wav {
    /// Samples in a second, of a channel.
    pub rate: u32,
    /// 1, or 2 that take turns.
    pub channels: u16,
    /// The samples.
    pub samples: Vec<i16>,
}

/// Bytes before the samples of a file that we write.
const HEADER: u32 = 44;
const BYTES: u16 = 2;
/// Formats: plain, and with more about it than we need.
const PCM: u16 = 1;
const EXTENSIBLE: u16 = 0xfffe;

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn take16(bytes: &mut &[u8]) -> Option<u16> {
    take(bytes).map(u16::from_le_bytes)
}

fn take32(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes).map(u32::from_le_bytes)
}

/// Format, channels, rate and bits of a sample.
fn format(mut chunk: &[u8]) -> Option<(u16, u16, u32, u16)> {
    let (format, channels) = (take16(&mut chunk)?, take16(&mut chunk)?);
    let rate = take32(&mut chunk)?;
    let _bytes_a_second = take32(&mut chunk)?;
    let _bytes_a_moment = take16(&mut chunk)?;
    Some((format, channels, rate, take16(&mut chunk)?))
}

impl Wav {
    /// Reads a file. One whose end is missing is as long as it is.
    pub fn read(mut file: &[u8]) -> Result<Self> {
        let magic = (take(&mut file), take32(&mut file), take(&mut file));
        ensure!(
            matches!(magic, (Some(b), _, Some(w)) if (&b, &w) == (b"RIFF", b"WAVE")),
            "not a WAV file"
        );
        let mut sound = None;
        loop {
            let name: [u8; 4] = take(&mut file).context("no samples")?;
            let length = take32(&mut file).context("no samples")? as usize;
            let chunk = file.get(..length).unwrap_or(file);
            // A chunk of odd length is padded.
            file = file.get(length.next_multiple_of(2)..).unwrap_or_default();
            match (&name, sound) {
                (b"fmt ", _) => {
                    let (format, channels, rate, bits) = format(chunk).context("no format")?;
                    ensure!(
                        matches!(format, PCM | EXTENSIBLE) && bits == 16,
                        "not PCM of 16 bits"
                    );
                    ensure!(matches!(channels, 1 | 2), "{channels} channels, not 1 or 2");
                    ensure!(
                        matches!(rate, 16_000 | 48_000),
                        "{rate} Hz, not 16000 or 48000"
                    );
                    sound = Some((rate, channels));
                }
                (b"data", Some((rate, channels))) => {
                    let mut chunk = chunk;
                    let samples = std::iter::from_fn(|| take(&mut chunk).map(i16::from_le_bytes));
                    return Ok(Wav {
                        rate,
                        channels,
                        samples: samples.collect(),
                    });
                }
                (b"data", None) => bail!("samples before their format"),
                _ => {}
            }
        }
    }

    /// Writes a file.
    pub fn write(&self, file: impl Write + Seek) -> Result<()> {
        let mut writer = Writer::new(file)?;
        writer.set(self.rate, self.channels);
        writer.write(&self.samples)?;
        writer.finish()
    }
}

/// A file that grows.
pub(super) struct Writer<F> {
    file: F,
    rate: u32,
    channels: u16,
    /// Bytes of samples.
    length: u32,
}

impl<F: Write + Seek> Writer<F> {
    /// For one channel of 48 kHz, unless [`Writer::set`] says something else.
    pub(super) fn new(mut file: F) -> Result<Self> {
        file.seek(SeekFrom::Start(HEADER.into()))?;
        Ok(Writer {
            file,
            rate: RATE,
            channels: 1,
            length: 0,
        })
    }

    pub(super) fn set(&mut self, rate: u32, channels: u16) {
        self.rate = rate;
        self.channels = channels;
    }

    pub(super) fn write(&mut self, samples: &[i16]) -> Result<()> {
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        let length = u32::try_from(bytes.len()).ok();
        let length = length.and_then(|length| self.length.checked_add(length));
        self.length = length
            .filter(|&length| length <= u32::MAX - HEADER)
            .context("too long for a WAV file")?;
        Ok(self.file.write_all(&bytes)?)
    }

    /// Writes the header, now that the length is known.
    pub(super) fn finish(mut self) -> Result<()> {
        let moment = self.channels * BYTES;
        let mut header = b"RIFF".to_vec();
        header.extend((HEADER - 8 + self.length).to_le_bytes());
        header.extend(b"WAVEfmt ");
        header.extend(16_u32.to_le_bytes());
        header.extend([PCM, self.channels].map(u16::to_le_bytes).concat());
        header.extend(self.rate.to_le_bytes());
        header.extend((self.rate * u32::from(moment)).to_le_bytes());
        header.extend([moment, BYTES * 8].map(u16::to_le_bytes).concat());
        header.extend(b"data");
        header.extend(self.length.to_le_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)?;
        Ok(self.file.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn file(wav: &Wav) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        wav.write(&mut file).unwrap();
        file.into_inner()
    }

    fn sound() -> Wav {
        Wav {
            rate: 16_000,
            channels: 2,
            samples: vec![1, -1, i16::MAX, i16::MIN],
        }
    }

    #[test]
    fn files_are_read_and_written() {
        for (rate, channels) in [(16_000, 1), (16_000, 2), (48_000, 1), (48_000, 2)] {
            let wav = Wav {
                rate,
                channels,
                ..sound()
            };
            let bytes = file(&wav);
            assert_eq!(bytes.len(), 44 + 8);
            assert_eq!(bytes[4..8], 44_u32.to_le_bytes());
            assert_eq!(
                bytes[28..32],
                (rate * 2 * u32::from(channels)).to_le_bytes()
            );
            assert_eq!(Wav::read(&bytes).unwrap(), wav);
        }
    }

    #[test]
    fn other_chunks_are_passed_over() {
        let mut bytes = file(&sound());
        let chunk = [&b"LIST"[..], &3_u32.to_le_bytes(), b"abc\0"].concat();
        bytes.splice(36..36, chunk.iter().copied());
        bytes.splice(12..12, chunk);
        assert_eq!(Wav::read(&bytes).unwrap(), sound());
    }

    #[test]
    fn a_file_without_its_end_is_read() {
        let bytes = file(&sound());
        assert_eq!(Wav::read(&bytes[..49]).unwrap().samples, [1, -1]);
        for length in 0..44 {
            assert!(Wav::read(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (at, value, text) in [
            (0, 0, "not a WAV file"),
            (20, 3, "not PCM of 16 bits"),
            (22, 3, "3 channels, not 1 or 2"),
            (24, 0, "15872 Hz, not 16000 or 48000"),
            (34, 24, "not PCM of 16 bits"),
            (12, b'x', "samples before their format"),
        ] {
            let mut bytes = file(&sound());
            bytes[at] = value;
            assert_eq!(Wav::read(&bytes).unwrap_err().to_string(), text);
        }
    }
}
