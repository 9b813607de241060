// SPDX-License-Identifier: GPL-2.0

//! `fbctl stats`: the counters of blocks and of the packet processing engine.

use crate::{
    cli::StatsHow,
    options::{self, Sheet},
    rates,
    select::{Selection, Wanted},
};
use anyhow::Result;
use lana_cli::{
    count, drop_reasons, drop_total, Column, Session,
    Spare::{self, Below},
    Table,
};
use lana_netlink::{
    spec::{OptionAttrs, StatsAttrs},
    Connection, Fb, PpeCpu,
};
use serde::Serialize;

/// The columns that go below their rows on a narrow terminal, the first ones first: of blocks, and of the engine's CPUs.
const SPARE: [Spare; 4] = [
    Below(&["SKBS"]),
    Below(&["RX", "TX"]),
    Below(&["REASONS"]),
    Below(&["BYTES"]),
];
const SPARE_OF_CPUS: [Spare; 3] = [
    Below(&["BACKLOG", "BACKLOG-MAX"]),
    Below(&["CALLS"]),
    Below(&["BYTES"]),
];

/// What was asked for, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    fb: Option<Vec<Block<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ppe: Option<&'a [PpeCpu]>,
}

#[derive(Serialize)]
struct Block<'a> {
    name: Option<&'a str>,
    idp: Option<u32>,
    stats: Option<&'a StatsAttrs>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    option: &'a [OptionAttrs],
}

pub(crate) fn run(session: &mut Session, wanted: &[Wanted], how: &StatsHow) -> Result<()> {
    let selection = Selection::new(wanted);
    if let Some(interval) = how.watch {
        return rates::watch(session, &selection, interval, how);
    }
    let (fbs, ppe): (Option<Vec<_>>, _) = if how.cpu {
        (None, Some(session.all(Connection::ppe)?))
    } else if selection.is_all() {
        let fbs = session.all(Connection::fbs_in_brief)?;
        let ppe = session.all(Connection::ppe)?;
        (Some(fbs.into_iter().map(brief).collect()), Some(ppe))
    } else {
        let fbs = selection.blocks(session)?;
        (Some(fbs.into_iter().map(counters).collect()), None)
    };
    if session.out.is_json() {
        return session.out.json(&report(fbs.as_deref(), ppe.as_deref()));
    }
    let blocks = blocks(fbs.as_deref().unwrap_or_default());
    session.out.table_narrow(blocks, &SPARE)?;
    if fbs.is_some_and(|fbs| !fbs.is_empty()) && ppe.is_some() {
        session.out.line("")?;
    }
    let cpus = cpus(ppe.as_deref().unwrap_or_default());
    session.out.table_narrow(cpus, &SPARE_OF_CPUS)
}

/// Of its options those that only show: what the block itself counts.
fn counters(mut fb: Fb) -> Fb {
    fb.option.retain(|option| option.config.is_none());
    fb
}

/// Without them: of many blocks that would be too much.
fn brief(mut fb: Fb) -> Fb {
    fb.option.clear();
    fb
}

fn report<'a>(fbs: Option<&'a [Fb]>, ppe: Option<&'a [PpeCpu]>) -> Report<'a> {
    let block = |fb: &'a Fb| Block {
        name: fb.name.as_deref(),
        idp: fb.idp,
        stats: fb.stats.as_ref(),
        option: &fb.option,
    };
    Report {
        fb: fbs.map(|fbs| fbs.iter().map(block).collect()),
        ppe,
    }
}

fn blocks(fbs: &[Fb]) -> Table {
    let mut columns = vec![Column::Left("NAME"), Column::Right("PACKETS")];
    let with_devices = fbs.iter().any(|fb| fb.ifname.is_some());
    if with_devices {
        columns.extend([Column::Right("RX"), Column::Right("TX")]);
    }
    columns.extend([Column::Right("BYTES"), Column::Right("DROPS")]);
    let skbs = |fb: &Fb| fb.stats.as_ref().and_then(|stats| stats.skbs);
    let with_skbs = fbs.iter().any(|fb| skbs(fb).is_some());
    if with_skbs {
        columns.push(Column::Right("SKBS"));
    }
    columns.push(Column::Left("REASONS"));
    let mut table = Table::new(columns);
    for fb in fbs {
        let stats = fb.stats.clone().unwrap_or_default();
        let mut cells = vec![fb.name.clone().unwrap_or_default(), count(stats.packets)];
        if with_devices {
            cells.extend(match fb.ifname {
                Some(_) => {
                    let received = stats.entered.unwrap_or_default();
                    let sent = stats.packets.unwrap_or_default().saturating_sub(received);
                    [received, sent].map(|packets| packets.to_string())
                }
                None => [String::new(), String::new()],
            });
        }
        cells.extend([count(stats.bytes), drop_total(&stats).to_string()]);
        if with_skbs {
            cells.push(count(stats.skbs));
        }
        cells.push(drop_reasons(&stats));
        table.row(cells);
        for line in options::lines(fb, Sheet::File)
            .iter()
            .filter(|line| !line.is_empty())
        {
            table.note(line);
        }
    }
    table
}

fn cpus(ppe: &[PpeCpu]) -> Table {
    let mut table = Table::new([
        Column::Right("CPU"),
        Column::Right("PACKETS"),
        Column::Right("BYTES"),
        Column::Right("CALLS"),
        Column::Right("DROPS"),
        Column::Right("BACKLOG"),
        Column::Right("BACKLOG-MAX"),
        Column::Right("UNCLAIMED"),
    ]);
    for cpu in ppe {
        table.row([
            count(cpu.cpu.map(u64::from)),
            count(cpu.packets),
            count(cpu.bytes),
            count(cpu.calls),
            count(cpu.drops),
            count(cpu.backlog.map(u64::from)),
            count(cpu.backlog_max.map(u64::from)),
            count(cpu.unclaimed),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::sample;
    use lana_netlink::wire::Flag;

    fn cpu() -> PpeCpu {
        PpeCpu {
            cpu: Some(0),
            packets: Some(10),
            bytes: Some(640),
            calls: Some(31),
            backlog_max: Some(2),
            ..Default::default()
        }
    }

    #[test]
    fn table_of_counters() {
        let expected = "\
NAME  PACKETS  BYTES  DROPS  REASONS
eth0       10    640      3  too-big 2, device 1
fb2         0      0      0  -
fb3         0      0      0  -
";
        let fbs: Vec<_> = sample().into_iter().map(brief).collect();
        assert_eq!(blocks(&fbs).render(false), expected);
    }

    #[test]
    fn a_device_has_received_and_sent() {
        let mut fbs: Vec<_> = sample().into_iter().map(brief).take(2).collect();
        fbs[0].ifname = Some("eth0".into());
        if let Some(stats) = &mut fbs[0].stats {
            stats.entered = Some(4);
        }
        let expected = "\
NAME  PACKETS  RX  TX  BYTES  DROPS  REASONS
eth0       10   4   6    640      3  too-big 2, device 1
fb2         0   -   -      0      0  -
";
        assert_eq!(blocks(&fbs).render(false), expected);
    }

    #[test]
    fn what_a_block_counts_goes_below() {
        let option = |key: &str, config| OptionAttrs {
            key: Some(key.into()),
            value: Some("7".into()),
            config,
            ..Default::default()
        };
        let fb = Fb {
            name: Some("e".into()),
            option: vec![
                option("answered", None),
                option("rate", Some(Flag)),
                option("refused.rate", None),
            ],
            ..Default::default()
        };
        let fbs = [counters(fb)];
        let text = blocks(&fbs).render(false);
        assert_eq!(text.lines().nth(2), Some("    answered=7 refused.rate=7"));
        let json = serde_json::to_string(&report(Some(&fbs), None)).unwrap();
        let option =
            r#""option":[{"key":"answered","value":"7"},{"key":"refused.rate","value":"7"}]"#;
        assert!(json.contains(option), "{json}");
    }

    #[test]
    fn table_of_cpus() {
        let expected = "\
CPU  PACKETS  BYTES  CALLS  DROPS  BACKLOG  BACKLOG-MAX  UNCLAIMED
  0       10    640     31      0        0            2          0
";
        assert_eq!(cpus(&[cpu()]).render(false), expected);
        let mut narrow = cpus(&[cpu()]);
        narrow.narrow(&SPARE_OF_CPUS, 60);
        let expected = "\
CPU  PACKETS  BYTES  CALLS  DROPS  UNCLAIMED
  0       10    640     31      0          0
    backlog-max 2
";
        assert_eq!(narrow.fitted(Some(60), false), expected);
        narrow.narrow(&SPARE_OF_CPUS, 40);
        let text = narrow.fitted(Some(40), false);
        assert!(text.lines().all(|line| line.len() <= 40), "{text}");
        assert!(text.contains("    calls 31\n"), "{text}");
    }

    #[test]
    fn a_narrow_terminal_has_all_counters() {
        let mut fbs: Vec<_> = sample().into_iter().map(brief).take(2).collect();
        fbs[0].ifname = Some("eth0".into());
        if let Some(stats) = &mut fbs[0].stats {
            stats.entered = Some(4);
            stats.bytes = Some(1 << 60);
        }
        let mut table = blocks(&fbs);
        table.narrow(&SPARE, 60);
        let expected = "\
NAME  PACKETS                BYTES  DROPS  REASONS
eth0       10  1152921504606846976      3  too-big 2,
                                           device 1
    rx 4  tx 6
fb2         0                    0      0  -
";
        assert_eq!(table.fitted(Some(60), false), expected);
        table.narrow(&SPARE, 50);
        let expected = "\
NAME  PACKETS                BYTES  DROPS
eth0       10  1152921504606846976      3
    reasons too-big 2, device 1
    rx 4  tx 6
fb2         0                    0      0
";
        assert_eq!(table.fitted(Some(50), false), expected);
    }

    #[test]
    fn json_has_what_was_asked_for() {
        let fbs = &sample()[1..2];
        let json = serde_json::to_string(&report(Some(fbs), None)).unwrap();
        assert_eq!(json, r#"{"fb":[{"name":"fb2","idp":2,"stats":null}]}"#);
        let ppe = [cpu()];
        let json = serde_json::to_string(&report(None, Some(&ppe))).unwrap();
        assert_eq!(
            json,
            r#"{"ppe":[{"cpu":0,"packets":10,"bytes":640,"calls":31,"backlog-max":2}]}"#
        );
    }
}
