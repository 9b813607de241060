// SPDX-License-Identifier: GPL-2.0

//! What has become of the packets, for people and for programs.

use crate::{
    export::{Sent, Sum, Told},
    flows::Counts,
};
use anyhow::Result;
use lana_cli::{Globals, Output};
use serde::Serialize;

/// What came by a ring.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ring {
    /// The device, or the block.
    pub(crate) name: String,
    pub(crate) thread: usize,
    pub(crate) packets: u64,
    /// Packets for which it had no room.
    pub(crate) lost: u64,
}

/// All counters.
#[derive(Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) counts: Counts,
    /// Packets for which the rings had no room.
    #[serde(rename = "lost-ring", skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
    #[serde(flatten)]
    pub(crate) told: Told,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rings: Vec<Ring>,
}

impl Report {
    pub(crate) fn new(counts: Counts, told: Told, rings: Vec<Ring>) -> Self {
        let lost = rings.iter().map(|ring| ring.lost).sum();
        Report {
            counts,
            lost: Some(lost).filter(|_| !rings.is_empty()),
            told,
            rings,
        }
    }

    /// Prints it.
    pub(crate) fn print(&self, as_json: bool) -> Result<()> {
        let mut out = Output::standard(&Globals::default());
        if as_json {
            out.json_line(self)?;
            return out.flush();
        }
        let Self { counts, told, .. } = self;
        let mut numbers = vec![
            ("packets", counts.packets),
            ("bytes", counts.bytes),
            ("flows", counts.flows),
            ("unsampled", counts.unsampled),
            ("other", counts.other),
            ("malformed", counts.malformed),
            ("lost-packets", counts.lost_packets),
            ("lost-bytes", counts.lost_bytes),
        ];
        numbers.extend(self.lost.map(|lost| ("lost-ring", lost)));
        for (name, number) in numbers {
            out.line(&format!("{name:13}{number}"))?;
        }
        let sums = [
            ("exported", &told.exported),
            ("unsent", &told.unsent),
            ("unfit", &told.unfit),
        ];
        for (name, sum) in sums {
            let Sum {
                flows,
                packets,
                bytes,
            } = sum;
            let text = format!("{name:13}{flows} flows, {packets} packets, {bytes} bytes");
            out.line(&text)?;
        }
        for sent in &told.collectors {
            let error = sent.error.as_ref();
            let error = error.map_or_else(String::new, |error| format!(" ({error})"));
            let Sent {
                collector,
                messages,
                flows,
                bytes,
                errors,
                ..
            } = sent;
            out.line(&format!(
                "collector    {collector}: {messages} messages, {flows} flows, {bytes} bytes, {errors} errors{error}"
            ))?;
        }
        for ring in &self.rings {
            let Ring {
                name,
                thread,
                packets,
                lost,
            } = ring;
            out.line(&format!(
                "ring         {name}, thread {thread}: {packets} packets, {lost} lost"
            ))?;
        }
        out.flush()
    }
}
