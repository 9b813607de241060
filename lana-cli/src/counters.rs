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
    let (packets, bytes) = (count(stats.packets), count(stats.bytes));
    let why = match drop_reasons(stats).as_str() {
        "" => String::new(),
        reasons => format!(" ({reasons})"),
    };
    let drops = drop_total(stats);
    let skbs = match stats.skbs {
        Some(skbs) => format!("  skbs {skbs}"),
        None => String::new(),
    };
    format!("packets {packets}  bytes {bytes}  drops {drops}{why}{skbs}")
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
