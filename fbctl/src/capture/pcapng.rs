// SPDX-License-Identifier: GPL-2.0

//! Captured packets as pcapng: a section, an interface for each point of each block, a block for each
//! packet, and at the end the counts of each interface.

use super::lines::{point as point_text, way};
use crate::probe::{names::Names, packet::Packet};
use lana_netlink::{
    spec::{ProbeAttrs, ProbePoint},
    wire::Value,
};
use pcap_file::{
    pcapng::{
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
            interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption},
            section_header::{SectionHeaderBlock, SectionHeaderOption},
        },
        PcapNgWriter,
    },
    DataLink, Endianness, PcapError,
};
use std::{
    fmt::Write as _,
    io::{self, BufWriter, Write},
    time::Duration,
};

/// Timestamps count nanoseconds: ten to the power of minus this.
const NANOSECONDS: u8 = 9;
/// `epb_flags`: the packet is received.
const INBOUND: u32 = 1;
/// `epb_flags`: the packet is sent.
const OUTBOUND: u32 = 2;

/// An interface of the file.
struct Interface {
    idp: u32,
    point: Option<ProbePoint>,
    packets: u64,
    lost: u64,
}

/// A file that is being written.
pub(crate) struct Writer<W: Write> {
    to: PcapNgWriter<BufWriter<W>>,
    interfaces: Vec<Interface>,
    snaplen: Option<u32>,
    /// When the last packet was seen.
    last: u64,
    /// And at which interface.
    last_at: usize,
}

impl<W: Write> Writer<W> {
    /// Writes the heads.
    pub(crate) fn begin(
        to: W,
        blocks: &[u32],
        points: &[ProbePoint],
        snaplen: Option<u32>,
        names: &Names,
    ) -> io::Result<Self> {
        let program = concat!("fbctl ", env!("CARGO_PKG_VERSION"));
        let section = SectionHeaderBlock {
            endianness: Endianness::Little,
            options: vec![
                SectionHeaderOption::OS("Linux, LANA".into()),
                SectionHeaderOption::UserApplication(program.into()),
            ],
            ..Default::default()
        };
        let buffer = BufWriter::with_capacity(1 << 16, to);
        let to = PcapNgWriter::with_section_header(buffer, section).map_err(cause)?;
        let mut writer = Writer {
            to,
            interfaces: Vec::new(),
            snaplen,
            last: 0,
            last_at: 0,
        };
        for idp in blocks {
            for point in points {
                writer.add(*idp, Some(*point), names)?;
            }
        }
        Ok(writer)
    }

    /// Adds an interface. Its number is the result.
    fn add(&mut self, idp: u32, point: Option<ProbePoint>, names: &Names) -> io::Result<u32> {
        let kind = names.get(idp).map_or("", |block| &block.kind);
        let which = match point {
            Some(ProbePoint::In) => "packets that come to it",
            Some(ProbePoint::Out) => "packets that it passes on or sends",
            Some(ProbePoint::Drops) => "packets that it drops",
            None => "packets",
        };
        let description = InterfaceDescriptionBlock {
            linktype: DataLink::ETHERNET,
            snaplen: self.snaplen.unwrap_or(0),
            options: vec![
                InterfaceDescriptionOption::IfName(names.name(idp).into()),
                InterfaceDescriptionOption::IfDescription(format!("{kind}: {which}").into()),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        self.to.write_pcapng_block(description).map_err(cause)?;
        self.interfaces.push(Interface {
            idp,
            point,
            packets: 0,
            lost: 0,
        });
        Ok(number(self.interfaces.len() - 1))
    }

    /// Writes a packet. `lost` are those that were lost since the one before.
    pub(crate) fn record(
        &mut self,
        record: &ProbeAttrs,
        lost: u64,
        names: &Names,
    ) -> io::Result<()> {
        let idp = record.idp.unwrap_or_default();
        let point = match record.point {
            Some(Value::Known(point)) => Some(point),
            _ => None,
        };
        let is = |i: &Interface| i.idp == idp && i.point == point;
        let interface_id = match self.interfaces.iter().position(is) {
            Some(at) => number(at),
            None => self.add(idp, point, names)?,
        };
        let packet = Packet::of(record).cut(self.snaplen);
        let mut options = vec![EnhancedPacketOption::Comment(comment(record, names).into())];
        match way(record, names) {
            "rx" | "up" => options.push(EnhancedPacketOption::Flags(INBOUND)),
            "tx" | "down" => options.push(EnhancedPacketOption::Flags(OUTBOUND)),
            _ => {}
        }
        if lost > 0 {
            options.push(EnhancedPacketOption::DropCount(lost));
        }
        self.last = record.time.unwrap_or_default();
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: Duration::from_nanos(self.last),
            original_len: packet.len,
            data: packet.data,
            options,
        };
        self.to.write_pcapng_block(block).map_err(cause)?;
        let at = usize::try_from(interface_id).unwrap_or(usize::MAX);
        if let Some(interface) = self.interfaces.get_mut(at) {
            interface.packets += 1;
            interface.lost += lost;
            self.last_at = at;
        }
        Ok(())
    }

    /// Lets out what has been written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.get_mut().flush()
    }

    /// Writes the counts. `lost` are those that were lost behind the last packet.
    pub(crate) fn end(&mut self, lost: u64) -> io::Result<()> {
        if let Some(interface) = self.interfaces.get_mut(self.last_at) {
            interface.lost += lost;
        }
        for (id, interface) in self.interfaces.iter().enumerate() {
            let block = InterfaceStatisticsBlock {
                interface_id: number(id),
                // The upper half goes first, which the crate does not see to.
                timestamp: self.last.rotate_left(32),
                options: vec![
                    InterfaceStatisticsOption::IsbIfRecv(interface.packets + interface.lost),
                    InterfaceStatisticsOption::IsbOsDrop(interface.lost),
                    InterfaceStatisticsOption::IsbUsrDeliv(interface.packets),
                ],
            };
            self.to.write_pcapng_block(block).map_err(cause)?;
        }
        self.flush()
    }
}

/// What a reader who sees only the packet wants to know.
fn comment(record: &ProbeAttrs, names: &Names) -> String {
    let mut out = format!(
        "{} {} {}",
        names.name(record.idp.unwrap_or_default()),
        point_text(record.point),
        way(record, names)
    );
    if let Some(reason) = record.reason {
        // Writing to a string does not fail.
        let _ = write!(out, " ({reason})");
    }
    out
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Why something could not be written.
fn cause(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        error => io::Error::other(error),
    }
}
