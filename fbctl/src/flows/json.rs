// SPDX-License-Identifier: GPL-2.0

//! Flows as JSON.

use super::{
    flow::{mac, Way},
    reading::{Flows, Row},
};
use crate::{rates::rounded, utc::rfc3339};
use lana_cli::Output;
use serde::{Serialize, Serializer};

/// A reading.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'a> {
    time: String,
    /// How long it was after the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    fb: Vec<BlockPart<'a>>,
    flow: Rows<'a>,
}

/// Flows, each of which is made when it is written: of many that is the least memory.
struct Rows<'a> {
    flows: &'a Flows,
    rows: &'a [Row<'a>],
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.rows.iter();
        serializer.collect_seq(rows.map(|row| FlowPart::new(self.flows, row)))
    }
}

#[derive(Serialize)]
struct BlockPart<'a> {
    name: &'a str,
    option: Vec<Counter<'a>>,
}

#[derive(Serialize)]
struct Counter<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FlowPart<'a> {
    fb: &'a str,
    direction: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#in: Option<String>,
    in_index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<String>,
    out_index: u32,
    protocol: String,
    protocol_number: u8,
    source: String,
    destination: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    tos: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_vlan: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_mac: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_label: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mpls_label: Option<u32>,
    packets: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverse_packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverse_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverse_tcp_flags: Option<String>,
    age_seconds: f64,
    idle_seconds: f64,
    packets_per_second: f64,
    bits_per_second: f64,
}

impl<'a> FlowPart<'a> {
    fn new(flows: &'a Flows, row: &Row<'a>) -> Self {
        let (key, counts) = (row.key, row.counts);
        let block = flows.blocks.get(key.block as usize);
        let name = |index| Some(flows.devices.name(index)).filter(|name| !name.is_empty());
        let port = |port| key.has_ports().then_some(port);
        let [kind, code] = key.icmp().map_or([None; 2], |both| both.map(Some));
        let flags = |way: Way| key.has_flags().then(|| way.letters());
        let [from, into] = key
            .macs
            .map_or([None, None], |both| both.map(mac).map(Some));
        let seconds = |millis| f64::from(millis) / 1000.0;
        FlowPart {
            fb: block.map_or("", |block| &block.name),
            direction: key.direction(),
            r#in: name(key.input),
            in_index: key.input,
            out: name(key.output),
            out_index: key.output,
            protocol: key.protocol(),
            protocol_number: key.protocol,
            source: key.source.to_string(),
            destination: key.destination.to_string(),
            source_port: port(key.ports.0),
            destination_port: port(key.ports.1),
            icmp_type: kind,
            icmp_code: code,
            tos: key.tos,
            tcp_flags: flags(counts.forward),
            vlan: Some(key.vlan).filter(|vlan| *vlan != 0),
            inner_vlan: Some(key.inner_vlan).filter(|vlan| *vlan != 0),
            source_mac: from,
            destination_mac: into,
            flow_label: key.label,
            mpls_label: key.mpls,
            packets: counts.forward.packets,
            bytes: counts.forward.bytes,
            reverse_packets: counts.reverse.map(|way| way.packets),
            reverse_bytes: counts.reverse.map(|way| way.bytes),
            reverse_tcp_flags: counts.reverse.and_then(flags),
            age_seconds: seconds(counts.age),
            idle_seconds: seconds(counts.idle),
            packets_per_second: rounded(row.packet_rate),
            bits_per_second: rounded(row.bit_rate),
        }
    }
}

fn report<'a>(flows: &'a Flows, rows: &'a [Row<'a>]) -> Report<'a> {
    let block = |block: &'a super::reading::Block| BlockPart {
        name: &block.name,
        option: {
            let counters = block.counters.iter();
            counters
                .map(|(key, value)| Counter { key, value })
                .collect()
        },
    };
    Report {
        time: rfc3339(flows.time),
        seconds: flows.seconds().map(rounded),
        fb: flows.blocks.iter().map(block).collect(),
        flow: Rows { flows, rows },
    }
}

/// A document; one of several is a line.
pub(super) fn print(out: &mut Output, flows: &Flows, rows: &[Row<'_>]) -> anyhow::Result<()> {
    let report = report(flows, rows);
    match report.seconds {
        None => out.json(&report),
        Some(_) => out.json_line(&report),
    }
}

#[cfg(test)]
mod tests {
    use super::super::reading::tests::{flows, later};
    use super::*;

    fn json(flows: &Flows, words: &str) -> String {
        let filter = words.parse().unwrap();
        let rows: Vec<_> = flows.rows(&filter).collect();
        serde_json::to_string(&report(flows, &rows)).unwrap()
    }

    #[test]
    fn a_flow_has_what_it_is_known_by() {
        let text = json(&flows(None), "proto=icmp");
        let expected = "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"fb\":[{\"name\":\"f\",\"option\":[{\"key\":\"current\",\"value\":\"5\"},";
        assert!(text.starts_with(expected), "{text}");
        let expected = "\"flow\":[{\"fb\":\"f\",\"direction\":\"ingress\",\"in\":\"lan0\",\"in-index\":2,\"out-index\":0,\
            \"protocol\":\"icmp\",\"protocol-number\":1,\"source\":\"192.0.2.1\",\"destination\":\"192.0.2.2\",\
            \"icmp-type\":8,\"icmp-code\":0,\"tos\":0,\"packets\":3,\"bytes\":252,\"age-seconds\":0.41,\"idle-seconds\":0.0,\
            \"packets-per-second\":7.317,\"bits-per-second\":4917.073}]}";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn between_readings_there_are_seconds() {
        let text = json(&flows(Some(later)), "sport=443");
        assert!(text.contains("\"seconds\":2.0,"), "{text}");
        let expected = "\"source-port\":443,\"destination-port\":40000,\"tos\":16,\"tcp-flags\":\"APSF\",\"packets\":6000,";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("\"packets-per-second\":1500.0,"), "{text}");
    }
}
