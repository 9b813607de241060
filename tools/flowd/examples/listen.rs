// SPDX-License-Identifier: GPL-2.0

//! `listen PORT` counts the flows, packets and bytes that come to 127.0.0.1:PORT by NetFlow 5, NetFlow 9 or IPFIX, until a
//! datagram `end`: what the crate `netflow_parser` makes of the messages. `tests/witnesses` runs it.

use anyhow::{anyhow, Context, Result};
use netflow_parser::{
    variable_versions::{
        data_number::FieldValue,
        ipfix::FlowSetBody as IpfixBody,
        ipfix_lookup::{IANAIPFixField, IPFixField},
        v9::FlowSetBody as V9Body,
        v9_lookup::V9Field,
    },
    NetflowPacket, NetflowParser,
};
use std::{env, io::Write, net::UdpSocket};

#[derive(Default)]
struct Sums {
    flows: u64,
    packets: u64,
    bytes: u64,
}

impl Sums {
    fn add(&mut self, packets: u64, bytes: u64) {
        self.flows += 1;
        self.packets += packets;
        self.bytes += bytes;
    }

    /// A record: the numbers of those of its fields that are packets or bytes.
    fn record<F: PartialEq>(
        &mut self,
        fields: &[(F, FieldValue)],
        packets: &F,
        bytes: &F,
    ) -> Result<()> {
        let number = |which: &F| {
            let mut all = fields.iter();
            let (_, value) = all
                .find(|(field, _)| field == which)
                .context("no such field")?;
            let bytes = value.to_be_bytes()?;
            Ok::<_, anyhow::Error>(
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            )
        };
        let (packets, bytes) = (number(packets)?, number(bytes)?);
        self.add(packets, bytes);
        Ok(())
    }

    fn message(&mut self, message: &NetflowPacket) -> Result<()> {
        match message {
            NetflowPacket::V5(five) => {
                for flow in &five.flowsets {
                    self.add(flow.d_pkts.into(), flow.d_octets.into());
                }
            }
            NetflowPacket::V9(nine) => {
                for set in &nine.flowsets {
                    if let V9Body::Data(data) = &set.body {
                        for record in &data.fields {
                            self.record(record, &V9Field::InPkts, &V9Field::InBytes)?;
                        }
                    }
                }
            }
            NetflowPacket::IPFix(ipfix) => {
                let packets = IPFixField::IANA(IANAIPFixField::PacketDeltaCount);
                let bytes = IPFixField::IANA(IANAIPFixField::OctetDeltaCount);
                for set in &ipfix.flowsets {
                    if let IpfixBody::Data(data) = &set.body {
                        for record in &data.fields {
                            self.record(record, &packets, &bytes)?;
                        }
                    }
                }
            }
            other => return Err(anyhow!("{other:?}")),
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let port: u16 = env::args().nth(1).context("listen PORT")?.parse()?;
    let socket = UdpSocket::bind(("127.0.0.1", port))?;
    let mut parser = NetflowParser::default();
    let (mut sums, mut buffer) = (Sums::default(), vec![0; 1 << 16]);
    loop {
        let length = socket.recv(&mut buffer)?;
        let message = buffer.get(..length).unwrap_or_default();
        if message == b"end" {
            break;
        }
        for packet in parser.parse_bytes(message) {
            sums.message(&packet)?;
        }
    }
    let Sums {
        flows,
        packets,
        bytes,
    } = sums;
    Ok(writeln!(
        std::io::stdout(),
        "{{\"flows\":{flows},\"packets\":{packets},\"bytes\":{bytes}}}"
    )?)
}
