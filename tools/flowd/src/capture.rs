// SPDX-License-Identifier: GPL-2.0

//! Packets of a capture, each with an Ethernet header in front.

use anyhow::{Context, Result};
use lana_cli::usage;
use lana_netlink::errno_text;
use pcap_file::{
    pcap::PcapReader,
    pcapng::{blocks::Block, PcapNgReader},
    DataLink, PcapError, TsResolution,
};
use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::Path,
    time::Duration,
};

/// What a pcapng file begins with.
const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// EtherTypes.
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// A packet of a capture.
pub(crate) struct Captured<'a> {
    /// Since 1970.
    pub(crate) time: Duration,
    /// What was kept of it, from the Ethernet header on.
    pub(crate) bytes: &'a [u8],
    /// How long it was.
    pub(crate) len: usize,
}

/// What is done with a packet.
pub(crate) type Each<'a> = dyn FnMut(&Captured<'_>) -> Result<()> + 'a;

/// Reads a capture, packet by packet; `-` is the standard input.
pub(crate) fn read(file: &Path, each: &mut Each<'_>) -> Result<()> {
    let name = file.display().to_string();
    let from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let opened = File::open(file).map_err(|error| usage(errno_text(&error)));
        Box::new(opened.with_context(|| name.clone())?)
    };
    packets(from, each).with_context(|| name)
}

fn packets(mut from: Box<dyn Read>, each: &mut Each<'_>) -> Result<()> {
    let mut magic = [0; 4];
    let is_short = |_| usage("this is no pcap or pcapng file");
    from.read_exact(&mut magic).map_err(is_short)?;
    let whole = BufReader::new(Cursor::new(magic).chain(from));
    match magic {
        SECTION => pcapng(whole, each),
        _ => pcap(whole, each),
    }
}

/// The error of a file that cannot be read on.
fn broken(number: u64, error: &PcapError) -> anyhow::Error {
    match error {
        PcapError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            usage(errno_text(error))
        }
        PcapError::IncompleteBuffer | PcapError::IoError(_) => {
            usage(format!("the file ends within packet {number}"))
        }
        error => usage(format!("packet {number}: {error}")),
    }
}

fn pcap(from: impl Read, each: &mut Each<'_>) -> Result<()> {
    let reader = PcapReader::new(from);
    let mut reader = reader.map_err(|_| usage("this is no pcap or pcapng file"))?;
    let header = reader.header();
    let in_nanoseconds = match header.ts_resolution {
        TsResolution::MicroSecond => 1000,
        TsResolution::NanoSecond => 1,
    };
    let mut frame = Frame::new(header.datalink)?;
    let mut number = 0;
    // Raw: the crate takes a packet that was cut off for a mistake.
    while let Some(packet) = reader.next_raw_packet() {
        number += 1;
        let packet = packet.map_err(|error| broken(number, &error))?;
        let fraction = packet.ts_frac.saturating_mul(in_nanoseconds);
        let time =
            Duration::from_secs(packet.ts_sec.into()) + Duration::from_nanos(fraction.into());
        frame.give(time, &packet.data, packet.orig_len, each)?;
    }
    Ok(())
}

fn pcapng(from: impl Read, each: &mut Each<'_>) -> Result<()> {
    let reader = PcapNgReader::new(from);
    let mut reader = reader.map_err(|error| broken(0, &error))?;
    let mut number = 0;
    loop {
        let version = reader.section().major_version;
        if version != 1 {
            return Err(usage(format!(
                "a section has version {version} of the format pcapng"
            )));
        }
        let Some(block) = reader.next_block() else {
            return Ok(());
        };
        let block = block
            .map_err(|error| broken(number + 1, &error))?
            .into_owned();
        let (interface, time, data, len) = match block {
            Block::EnhancedPacket(packet) => (
                packet.interface_id,
                packet.timestamp,
                packet.data,
                packet.original_len,
            ),
            Block::SimplePacket(packet) => (0, Duration::ZERO, packet.data, packet.original_len),
            _ => continue,
        };
        number += 1;
        let found = reader.interfaces().get(interface as usize);
        let found = found.ok_or_else(|| usage(format!("packet {number}: it has no interface")))?;
        Frame::new(found.linktype)?.give(time, &data, len, each)?;
    }
}

/// Makes frames of packets.
struct Frame {
    link: DataLink,
    bytes: Vec<u8>,
}

impl Frame {
    fn new(link: DataLink) -> Result<Self> {
        match link {
            DataLink::ETHERNET
            | DataLink::RAW
            | DataLink::IPV4
            | DataLink::IPV6
            | DataLink::NULL
            | DataLink::LOOP
            | DataLink::LINUX_SLL
            | DataLink::LINUX_SLL2 => Ok(Self {
                link,
                bytes: Vec::new(),
            }),
            link => {
                let link = u32::from(link);
                Err(usage(format!(
                    "packets of link type {link} have no header that flowd knows"
                )))
            }
        }
    }

    /// Hands over a packet, behind an Ethernet header. One that is not even that long is handed over as it is.
    fn give(&mut self, time: Duration, data: &[u8], len: u32, each: &mut Each<'_>) -> Result<()> {
        let len = len as usize;
        let (kind, skipped) = match self.link {
            DataLink::NULL | DataLink::LOOP => (by_version(data.get(4..)), 4),
            DataLink::LINUX_SLL => (number(data, 14), 16),
            DataLink::LINUX_SLL2 => (number(data, 0), 20),
            DataLink::ETHERNET => {
                let bytes = data;
                return each(&Captured { time, bytes, len });
            }
            _ => (by_version(Some(data)), 0),
        };
        self.bytes.clear();
        self.bytes.extend([0; 12]);
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend(data.get(skipped..).unwrap_or_default());
        each(&Captured {
            time,
            bytes: &self.bytes,
            len: (len + 14).saturating_sub(skipped),
        })
    }
}

/// A number of two bytes; 0 where there is none.
fn number(data: &[u8], at: usize) -> u16 {
    let bytes = data.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

/// The `EtherType` of an IP packet.
fn by_version(packet: Option<&[u8]>) -> u16 {
    match packet.and_then(<[u8]>::first).map(|first| first >> 4) {
        Some(4) => IPV4,
        Some(6) => IPV6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pcap file with these packets, in the host's byte order.
    fn file(link: u32, packets: &[(u32, &[u8], u32)]) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, link] {
            file.extend(word.to_ne_bytes());
        }
        for (second, data, len) in packets {
            let kept = u32::try_from(data.len()).unwrap();
            for word in [*second, 500_000, kept, *len] {
                file.extend(word.to_ne_bytes());
            }
            file.extend(*data);
        }
        file
    }

    fn all(file: Vec<u8>) -> Result<Vec<(Duration, Vec<u8>, usize)>, String> {
        let mut seen = Vec::new();
        let result = packets(Box::new(Cursor::new(file)), &mut |packet| {
            seen.push((packet.time, packet.bytes.to_vec(), packet.len));
            Ok(())
        });
        result.map(|()| seen).map_err(|error| error.to_string())
    }

    #[test]
    fn frames_come_as_they_are_and_others_behind_a_header() {
        let time = Duration::from_millis(7500);
        assert_eq!(
            all(file(1, &[(7, b"frame", 1000)])),
            Ok(vec![(time, b"frame".to_vec(), 1000)])
        );
        let raw = all(file(101, &[(7, &[0x45, 1], 20), (7, &[0x60], 40)])).unwrap();
        assert_eq!(raw[0].1, [&[0; 12][..], &[8, 0, 0x45, 1]].concat());
        assert_eq!((raw[0].2, raw[1].2), (34, 54));
        assert_eq!(raw[1].1[12..], [0x86, 0xdd, 0x60]);
        let cooked = [&[0; 14][..], &[8, 0, 0x45]].concat();
        let cooked = all(file(113, &[(7, &cooked, 17)])).unwrap();
        assert_eq!(cooked[0].1[12..], [8, 0, 0x45]);
        assert_eq!(cooked[0].2, 15);
        let cooked = [&[8, 0][..], &[0; 18], &[0x45]].concat();
        let cooked = all(file(276, &[(7, &cooked, 21)])).unwrap();
        assert_eq!((&cooked[0].1[12..], cooked[0].2), (&[8, 0, 0x45][..], 15));
        let null = all(file(0, &[(7, &[2, 0, 0, 0, 0x45], 5)])).unwrap();
        assert_eq!((&null[0].1[12..], null[0].2), (&[8, 0, 0x45][..], 15));
    }

    #[test]
    fn what_is_wrong_with_a_file() {
        let cut = |file: Vec<u8>, len| all(file[..len].to_vec()).unwrap_err();
        let whole = file(1, &[(1, b"frame", 5)]);
        assert_eq!(cut(whole.clone(), 2), "this is no pcap or pcapng file");
        assert_eq!(cut(whole.clone(), 20), "this is no pcap or pcapng file");
        assert_eq!(cut(whole.clone(), 30), "the file ends within packet 1");
        assert_eq!(cut(whole, 42), "the file ends within packet 1");
        let words = [0x0a0d_0d0a_u32, 28, 0x1a2b_3c4d, 2, u32::MAX, u32::MAX, 28];
        let section = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        let error = all(section).unwrap_err();
        assert_eq!(error, "a section has version 2 of the format pcapng");
        assert!(all(b"something else".to_vec()).is_err());
        assert!(all(file(105, &[])).unwrap_err().contains("link type 105"));
    }
}
