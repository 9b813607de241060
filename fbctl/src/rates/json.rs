// SPDX-License-Identifier: GPL-2.0

//! Reports as lines of JSON.

use super::Report;
use crate::utc::rfc3339;
use anyhow::Result;
use lana_cli::{BlockRates, Output};
use serde::Serialize;

/// A report as a line of JSON.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    time: String,
    seconds: f64,
    fb: Vec<BlockLine<'a>>,
    engine: EngineLine,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<TimingLine<'a>>,
}

/// What the times of blocks go by.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TimingLine<'a> {
    /// Packets that were timed.
    packets: u64,
    /// One of so many.
    sample: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct BlockLine<'a> {
    name: &'a str,
    idp: u32,
    r#type: &'a str,
    packets_per_second: f64,
    bits_per_second: f64,
    drops_per_second: f64,
    /// Of a device: packets that it has received, and that it has sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    received_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nanoseconds_per_packet: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_percent: Option<f64>,
    drop: Vec<ReasonLine<'a>>,
    packets: u64,
    bytes: u64,
    drops: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ReasonLine<'a> {
    reason: &'a str,
    packets_per_second: f64,
    packets: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct EngineLine {
    packets_per_second: f64,
    bits_per_second: f64,
    calls_per_second: f64,
    drops_per_second: f64,
    unclaimed_per_second: f64,
    packets: u64,
    bytes: u64,
    calls: u64,
    drops: u64,
    unclaimed: u64,
}

/// With three digits behind the point.
pub(crate) fn rounded(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}

impl<'a> BlockLine<'a> {
    pub(super) fn new(report: &Report, block: &'a BlockRates) -> Self {
        let rate = |reason| block.reason_rates.get(reason).copied();
        let reasons = block.reasons.iter();
        let reasons = reasons.map(|(reason, packets)| ReasonLine {
            reason,
            packets_per_second: rounded(rate(reason).unwrap_or_default()),
            packets: *packets,
        });
        BlockLine {
            name: &block.name,
            idp: block.idp,
            r#type: &block.kind,
            packets_per_second: rounded(block.packets.rate),
            bits_per_second: rounded(block.bytes.rate * 8.0),
            drops_per_second: rounded(block.drops.rate),
            received_per_second: block.device.map(|[received, _]| rounded(received.rate)),
            sent_per_second: block.device.map(|[_, sent]| rounded(sent.rate)),
            nanoseconds_per_packet: report.nanos(block).map(rounded),
            cpu_percent: report.share(block).map(rounded),
            drop: reasons.collect(),
            packets: block.packets.total,
            bytes: block.bytes.total,
            drops: block.drops.total,
            received: block.device.map(|[received, _]| received.total),
            sent: block.device.map(|[_, sent]| sent.total),
        }
    }
}

pub(crate) fn json(out: &mut Output, report: &Report) -> Result<()> {
    let engine = &report.engine;
    out.json_line(&Line {
        time: rfc3339(report.time),
        seconds: (report.seconds * 1e6).round() / 1e6,
        fb: report
            .blocks
            .iter()
            .map(|block| BlockLine::new(report, block))
            .collect(),
        engine: EngineLine {
            packets_per_second: rounded(engine.packets.rate),
            bits_per_second: rounded(engine.bytes.rate * 8.0),
            calls_per_second: rounded(engine.calls.rate),
            drops_per_second: rounded(engine.drops.rate),
            unclaimed_per_second: rounded(engine.unclaimed.rate),
            packets: engine.packets.total,
            bytes: engine.bytes.total,
            calls: engine.calls.total,
            drops: engine.drops.total,
            unclaimed: engine.unclaimed.total,
        },
        timing: report.times.as_ref().map(|times| TimingLine {
            packets: times.packets,
            sample: times.sample,
            error: times.why.as_deref(),
        }),
    })
}
