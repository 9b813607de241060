// SPDX-License-Identifier: GPL-2.0

//! `vlink show`: the devices that are connected to the graph.

use anyhow::Result;
use lana_cli::{stats_summary, Column, Session, Table};
use lana_netlink::{spec::StatsAttrs, Connection, Fb, Vlink};
use serde::Serialize;

/// A device, with the counters of its block if they were asked for.
#[derive(Debug, Serialize)]
struct Device {
    #[serde(flatten)]
    vlink: Vlink,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<StatsAttrs>,
}

pub(crate) fn run(session: &mut Session, subsystem: Option<&str>) -> Result<()> {
    let mut vlinks = session.all(Connection::vlinks)?;
    vlinks.retain(|vlink| subsystem.is_none() || vlink.subsystem.as_deref() == subsystem);
    let fbs = if session.globals.stats {
        session.all(Connection::fbs)?
    } else {
        Vec::new()
    };
    let devices = join(vlinks, &fbs);
    if session.out.is_json() {
        return session.out.json(&devices);
    }
    session.out.table(&table(&devices))
}

fn join(vlinks: Vec<Vlink>, fbs: &[Fb]) -> Vec<Device> {
    let device = |vlink: Vlink| {
        let block = fbs
            .iter()
            .find(|fb| fb.idp.is_some() && fb.idp == vlink.idp);
        let stats = block.and_then(|fb| fb.stats.clone());
        Device { vlink, stats }
    };
    vlinks.into_iter().map(device).collect()
}

fn table(devices: &[Device]) -> Table {
    let mut table = Table::new([
        Column::Left("SUBSYSTEM"),
        Column::Left("DEVICE"),
        Column::Right("IFINDEX"),
        Column::Right("IDP"),
    ]);
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    for Device { vlink, stats } in devices {
        table.row([
            vlink.subsystem.clone().unwrap_or_default(),
            vlink.ifname.clone().unwrap_or_default(),
            number(vlink.ifindex),
            number(vlink.idp),
        ]);
        if let Some(stats) = stats {
            table.note(&stats_summary(stats));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(with_stats: bool) -> Vec<Device> {
        let vlink = Vlink {
            subsystem: Some("ethernet".into()),
            ifname: Some("eth0".into()),
            ifindex: Some(12),
            idp: Some(1),
            ..Default::default()
        };
        let stats = StatsAttrs {
            packets: Some(7),
            ..Default::default()
        };
        let fb = Fb {
            idp: Some(1),
            stats: with_stats.then_some(stats),
            ..Default::default()
        };
        join(vec![vlink], &[fb])
    }

    #[test]
    fn table_of_devices() {
        let expected = "\
SUBSYSTEM  DEVICE  IFINDEX  IDP
ethernet   eth0         12    1
";
        assert_eq!(table(&sample(false)).render(false), expected);
        let below = "    packets 7  bytes 0  drops 0\n";
        assert!(table(&sample(true)).render(false).ends_with(below));
    }

    #[test]
    fn objects() {
        let json = serde_json::to_string(&sample(true)).unwrap();
        assert_eq!(
            json,
            r#"[{"subsystem":"ethernet","ifname":"eth0","ifindex":12,"idp":1,"stats":{"packets":7}}]"#
        );
    }
}
