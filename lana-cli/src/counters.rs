// SPDX-License-Identifier: GPL-2.0

//! The counters of a block, in words.

use lana_netlink::spec::StatsAttrs;

/// A counter; one that is not there has counted nothing.
pub fn count(number: Option<u64>) -> String {
    number.unwrap_or_default().to_string()
}

/// How many packets were dropped, for whatever reason.
pub fn drop_total(stats: &StatsAttrs) -> u64 {
    let counts = stats.drop.iter().filter_map(|drop| drop.packets);
    counts.fold(0, u64::saturating_add)
}

/// The reasons for drops that occurred, with their counts.
pub fn drop_reasons(stats: &StatsAttrs) -> String {
    let known = stats
        .drop
        .iter()
        .filter_map(|drop| Some((drop.reason?, drop.packets?)));
    let some = known.filter(|(_, packets)| *packets > 0);
    let parts: Vec<_> = some
        .map(|(reason, packets)| format!("{reason} {packets}"))
        .collect();
    parts.join(", ")
}

/// The counters of a block in a line.
pub fn stats_summary(stats: &StatsAttrs) -> String {
    parts(stats).join("  ")
}

/// The same of several blocks, with what is the same below each other.
pub fn aligned_summaries(all: &[StatsAttrs]) -> Vec<String> {
    let all: Vec<_> = all.iter().map(parts).collect();
    let width = |at: usize| {
        let widths = all.iter().filter_map(|parts| Some(parts.get(at)?.len()));
        widths.max().unwrap_or_default()
    };
    let line = |parts: &Vec<String>| {
        let parts = parts.iter().enumerate();
        let parts: Vec<_> = parts
            .map(|(at, part)| format!("{part:0$}", width(at)))
            .collect();
        parts.join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

/// What there is to say of the counters of a block.
fn parts(stats: &StatsAttrs) -> Vec<String> {
    let why = match drop_reasons(stats).as_str() {
        "" => String::new(),
        reasons => format!(" ({reasons})"),
    };
    let drops = drop_total(stats);
    let mut parts = vec![
        format!("packets {}", count(stats.packets)),
        format!("bytes {}", count(stats.bytes)),
        format!("drops {drops}{why}"),
    ];
    parts.extend(stats.skbs.map(|skbs| format!("skbs {skbs}")));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_netlink::{
        spec::{DropAttrs, DropReason},
        wire::Value,
    };

    #[test]
    fn reasons_that_did_not_occur_are_left_out() {
        let drop = |reason, packets| DropAttrs {
            reason: Some(reason),
            packets: Some(packets),
            ..Default::default()
        };
        let stats = StatsAttrs {
            packets: Some(5),
            bytes: Some(300),
            drop: vec![
                drop(Value::Known(DropReason::Filtered), 0),
                drop(Value::Known(DropReason::HopLimit), 2),
                drop(Value::Unknown(99), 1),
            ],
            ..Default::default()
        };
        assert_eq!(drop_reasons(&stats), "hop-limit 2, 99 1");
        assert_eq!(
            stats_summary(&stats),
            "packets 5  bytes 300  drops 3 (hop-limit 2, 99 1)"
        );
        assert_eq!(
            stats_summary(&StatsAttrs::default()),
            "packets 0  bytes 0  drops 0"
        );
    }
}
