// SPDX-License-Identifier: GPL-2.0

//! Captures: read packet by packet.

use anyhow::{Context, Result};
use bpfc::packet::Link;
use lana_cli::usage;
use lana_netlink::errno_text;
use pcap_file::{pcap::PcapReader, DataLink, PcapError, TsResolution};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// A packet of a capture.
pub(crate) struct Captured {
    /// Which one it is, from 1 on.
    pub(crate) number: u64,
    /// When it was captured: seconds since 1970.
    pub(crate) time: String,
    /// How long it was.
    pub(crate) len: u32,
    /// What was kept of it.
    pub(crate) bytes: Vec<u8>,
}

/// A capture that is read.
pub(crate) struct Capture {
    name: String,
    reader: PcapReader<Box<dyn Read>>,
    number: u64,
}

impl Capture {
    /// Opens one; `-` is the standard input.
    pub(crate) fn open(file: &Path) -> Result<Self> {
        let name = file.display().to_string();
        let from: Box<dyn Read> = if file == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let opened = File::open(file).map_err(|e| usage(errno_text(&e)));
            Box::new(opened.with_context(|| name.clone())?)
        };
        let reader = PcapReader::new(from).map_err(|error| match error {
            PcapError::IoError(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                usage(errno_text(&error))
            }
            _ => usage("this is no pcap file (editcap -F pcap makes one of other captures)"),
        });
        let reader = reader.with_context(|| name.clone())?;
        Ok(Capture {
            name,
            reader,
            number: 0,
        })
    }

    /// What its packets begin with.
    pub(crate) fn link(&self) -> Link {
        match self.reader.header().datalink {
            DataLink::ETHERNET => Link::Ethernet,
            DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => Link::Ip,
            DataLink::LINUX_SLL => Link::Cooked,
            _ => Link::Other,
        }
    }

    /// The next packet, until there is none.
    pub(crate) fn next(&mut self) -> Result<Option<Captured>> {
        let digits = match self.reader.header().ts_resolution {
            TsResolution::MicroSecond => 6,
            TsResolution::NanoSecond => 9,
        };
        self.number += 1;
        let number = self.number;
        // Not as it is checked by the crate, which refuses packets that were cut.
        match self.reader.next_raw_packet() {
            None => Ok(None),
            Some(Ok(raw)) => Ok(Some(Captured {
                number,
                time: format!("{}.{:0digits$}", raw.ts_sec, raw.ts_frac),
                len: raw.orig_len,
                bytes: raw.data.into_owned(),
            })),
            Some(Err(error)) => {
                let what = match &error {
                    PcapError::IncompleteBuffer => "it is cut off".to_owned(),
                    PcapError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        "it is cut off".to_owned()
                    }
                    PcapError::IoError(error) => errno_text(error),
                    other => other.to_string(),
                };
                Err(usage(format!("{}: packet {number}: {what}", self.name)))
            }
        }
    }
}
