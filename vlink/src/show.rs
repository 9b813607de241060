// SPDX-License-Identifier: GPL-2.0

//! `vlink show`: the devices that are connected to the graph.

use crate::cli::ETHERNET;
use anyhow::{bail, Result};
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
    if let Some(name) = subsystem {
        vlinks.retain(|vlink| vlink.subsystem.as_deref() == subsystem);
        // That for Ethernet is loaded when the first device is hooked.
        if vlinks.is_empty() && name != ETHERNET {
            let types = session.all(Connection::types)?;
            if !types.iter().any(|kind| kind.vlink.as_deref() == subsystem) {
                bail!("unknown vlink subsystem '{name}'");
            }
        }
    }
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
    let mut columns = vec![
        Column::Left("SUBSYSTEM"),
        Column::Left("DEVICE"),
        Column::Right("IFINDEX"),
        Column::Right("IDP"),
    ];
    let is_virtual = |device: &Device| device.vlink.carrier.is_some();
    let with_carrier = devices.iter().any(is_virtual);
    if with_carrier {
        columns.extend([Column::Left("CARRIER"), Column::Right("ID")]);
    }
    let with_mode = devices.iter().any(|device| device.vlink.xdp.is_some());
    if with_mode {
        columns.push(Column::Left("MODE"));
    }
    let renamed = |Device { vlink, .. }: &Device| vlink.fb.is_some() && vlink.fb != vlink.ifname;
    let with_block = devices.iter().any(renamed);
    if with_block {
        columns.push(Column::Left("BLOCK"));
    }
    let mut table = Table::new(columns);
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    for Device { vlink, stats } in devices {
        let mut cells = vec![
            vlink.subsystem.clone().unwrap_or_default(),
            vlink.ifname.clone().unwrap_or_default(),
            number(vlink.ifindex),
            number(vlink.idp),
        ];
        if with_carrier {
            cells.extend([vlink.carrier.clone().unwrap_or_default(), number(vlink.id)]);
        }
        if with_mode {
            cells.push(mode(vlink).to_owned());
        }
        if with_block {
            cells.push(vlink.fb.clone().unwrap_or_default());
        }
        table.row(cells);
        if let Some(stats) = stats {
            table.note(&stats_summary(stats));
        }
    }
    table
}

/// As what packets enter.
fn mode(vlink: &Vlink) -> &'static str {
    match (vlink.xdp, vlink.xdp_replaced) {
        (None, _) => "skb",
        (Some(_), None) => "xdp",
        (Some(_), Some(_)) => "xdp-replaced",
    }
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

    fn with_virtual() -> Vec<Device> {
        let mut devices = sample(false);
        let vlink = Vlink {
            subsystem: Some("ethernet".into()),
            ifname: Some("mydev0".into()),
            ifindex: Some(13),
            idp: Some(2),
            carrier: Some("eth0".into()),
            id: Some(10),
            ..Default::default()
        };
        devices.extend(join(vec![vlink], &[]));
        devices
    }

    #[test]
    fn table_with_virtual_devices() {
        let expected = "\
SUBSYSTEM  DEVICE  IFINDEX  IDP  CARRIER  ID
ethernet   eth0         12    1  -         -
ethernet   mydev0       13    2  eth0     10
";
        assert_eq!(table(&with_virtual()).render(false), expected);
    }

    #[test]
    fn table_with_a_block_of_another_name() {
        let mut devices = sample(false);
        devices[0].vlink.fb = Some("lan".into());
        let expected = "\
SUBSYSTEM  DEVICE  IFINDEX  IDP  BLOCK
ethernet   eth0         12    1  lan
";
        assert_eq!(table(&devices).render(false), expected);
    }

    #[test]
    fn objects() {
        let json = serde_json::to_string(&sample(true)).unwrap();
        assert_eq!(
            json,
            r#"[{"subsystem":"ethernet","ifname":"eth0","ifindex":12,"idp":1,"stats":{"packets":7}}]"#
        );
        let json = serde_json::to_value(&with_virtual()[1]).unwrap();
        assert_eq!(json["carrier"], "eth0");
        assert_eq!(json["id"], 10);
    }
}
