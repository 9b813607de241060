// SPDX-License-Identifier: GPL-2.0

//! `fbctl show`: blocks, how they are wired, and their options.

use crate::{
    options::{self, Sheet},
    picture::model::state_text,
    select::{Selection, Wanted},
};
use anyhow::Result;
use lana_cli::{aligned_summaries, stats_summary, Column, Session, Table};
use lana_netlink::{
    devices,
    spec::{Direction, OptionAttrs, PortAttrs},
    wire::Value,
    Connection, Fb, Link,
};
use serde::Serialize;
use std::collections::HashMap;

/// How wide the bindings may get that stand in the table, and how many names always do.
const BINDINGS_WIDTH: usize = 60;
const FEW: usize = 3;

/// Names of blocks by IDP, for what the kernel tells by number only.
type Names = HashMap<u32, String>;
/// Devices by their names.
type Links = HashMap<String, Link>;

pub(crate) fn run(session: &mut Session, wanted: &[Wanted]) -> Result<()> {
    let selection = Selection::new(wanted);
    let mut fbs = selection.blocks(session)?;
    let links = if fbs.iter().any(|fb| fb.ifname.is_some()) {
        devices()?
    } else {
        HashMap::new()
    };
    let with_stats = session.globals.stats;
    if session.out.is_json() {
        if !with_stats {
            for fb in &mut fbs {
                fb.stats = None;
            }
        }
        let all: Vec<_> = fbs.iter().map(|fb| Document::of(fb, &links)).collect();
        return session.out.json(&all);
    }
    let known = if !selection.is_all() && fbs.iter().any(|fb| !fb.publisher.is_empty()) {
        names(&session.all(Connection::fbs)?)
    } else {
        names(&fbs)
    };
    let sheet = match session.out.columns() {
        Some(columns) => Sheet::Terminal(columns),
        None => Sheet::File,
    };
    for fb in &mut fbs {
        say_link(fb, &links);
    }
    let mut places = Places::Beside;
    if let Some(columns) = session.out.columns() {
        let mut narrow = table(&fbs, &known, with_stats, sheet, places);
        narrow.leave_out(&LEAST, columns);
        if !narrow.has_room(columns) {
            places = Places::Below;
        }
    }
    let table = table(&fbs, &known, with_stats, sheet, places);
    session.out.table_without(table, &LEAST)
}

/// The columns that a narrow terminal leaves out, the first ones first.
const LEAST: [&str; 2] = ["REFS", "IDP"];

/// Where the options of blocks stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Places {
    /// In a column of their own.
    Beside,
    /// Below their block: where the table would be so narrow that words are broken.
    Below,
}

/// A block as JSON, with its device.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    fb: &'a Fb,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<LinkDocument>,
}

#[derive(Serialize)]
struct LinkDocument {
    state: &'static str,
    mtu: u32,
}

impl<'a> Document<'a> {
    fn of(fb: &'a Fb, links: &Links) -> Self {
        let link = link(fb, links).map(|link| LinkDocument {
            state: state_text(link.state),
            mtu: link.mtu,
        });
        Document { fb, link }
    }
}

/// The device that a block stands for.
fn link<'a>(fb: &Fb, links: &'a Links) -> Option<&'a Link> {
    links.get(fb.ifname.as_ref()?)
}

/// Puts the state and the MTU of its device before the options of a block.
fn say_link(fb: &mut Fb, links: &Links) {
    let Some(link) = link(fb, links) else { return };
    let said = [
        ("link", state_text(link.state).to_owned()),
        ("mtu", link.mtu.to_string()),
    ];
    let said = said.map(|(key, value)| OptionAttrs {
        key: Some(key.to_owned()),
        value: Some(value),
        ..Default::default()
    });
    fb.option.splice(0..0, said);
}

pub(crate) fn names(fbs: &[Fb]) -> Names {
    fbs.iter()
        .filter_map(|fb| Some((fb.idp?, fb.name.clone()?)))
        .collect()
}

fn table(fbs: &[Fb], names: &Names, with_stats: bool, sheet: Sheet, places: Places) -> Table {
    let mut columns = vec![
        Column::Left("NAME"),
        Column::Left("TYPE"),
        Column::Right("IDP"),
        Column::Right("REFS"),
        Column::Left("BINDINGS"),
    ];
    if places == Places::Beside {
        columns.push(Column::Left("OPTIONS"));
    }
    let mut table = Table::new(columns);
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    let stats = fbs.iter().map(|fb| fb.stats.clone().unwrap_or_default());
    let stats: Vec<_> = stats.collect();
    let summaries = match sheet {
        Sheet::Terminal(_) => aligned_summaries(&stats),
        Sheet::File => stats.iter().map(stats_summary).collect(),
    };
    for (fb, summary) in fbs.iter().zip(summaries) {
        let (bindings, more_bindings) = bindings(fb, names, sheet);
        let mut options = options::lines(fb, sheet).into_iter();
        let mut cells = vec![
            fb.name.clone().unwrap_or_default(),
            fb.r#type.clone().unwrap_or_default(),
            number(fb.idp),
            number(fb.refcnt),
            bindings,
        ];
        if places == Places::Beside {
            cells.push(options.next().unwrap_or_default());
        }
        table.row(cells);
        let notes = more_bindings.into_iter().chain(options);
        for line in notes.filter(|line| !line.is_empty()) {
            table.note(&line);
        }
        if with_stats {
            table.note(&summary);
        }
    }
    table
}

/// Name of the block a port is bound to, if it is.
pub(crate) fn peer(port: &PortAttrs) -> Option<String> {
    let number = port.peer.filter(|&idp| idp != 0);
    let name = port.peer_name.clone();
    name.or_else(|| number.map(|idp| format!("#{idp}")))
}

/// Names of the blocks bound to the ports of a direction, in the order of the ports.
pub(crate) fn peers(fb: &Fb, direction: Direction) -> Vec<String> {
    let ours = |port: &&PortAttrs| port.direction == Some(Value::Known(direction));
    let mut ports: Vec<_> = fb.port.iter().filter(ours).collect();
    ports.sort_by_key(|port| port.index);
    ports.into_iter().filter_map(peer).collect()
}

/// Names of the blocks whose events it gets by an explicit subscription.
pub(crate) fn publishers(fb: &Fb, names: &Names) -> Vec<String> {
    let name = |idp: &u32| names.get(idp).cloned().unwrap_or_else(|| format!("#{idp}"));
    fb.publisher.iter().map(name).collect()
}

/// Who is on top of it, what it is on top of, whose events it gets. Where that gets long, names are counted,
/// and stand in lines of their own.
fn bindings(fb: &Fb, names: &Names, sheet: Sheet) -> (String, Vec<String>) {
    let groups = [
        ("up", peers(fb, Direction::Ingress)),
        ("down", peers(fb, Direction::Egress)),
        ("sub", publishers(fb, names)),
    ];
    let some: Vec<_> = groups
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .collect();
    let all = some
        .iter()
        .map(|(kind, names)| format!("{kind}: {}", names.join(" ")));
    let all = all.collect::<Vec<_>>().join("  ");
    if all.chars().count() <= BINDINGS_WIDTH {
        return (all, Vec::new());
    }
    let (mut parts, mut lines) = (Vec::new(), Vec::new());
    for (kind, names) in some {
        if names.len() <= FEW {
            parts.push(format!("{kind}: {}", names.join(" ")));
            continue;
        }
        parts.push(format!("{kind}: {} blocks", names.len()));
        let words = [vec![format!("{kind}:")], names.clone()].concat();
        lines.extend(options::wrap(&words, sheet));
    }
    (parts.join("  "), lines)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use lana_netlink::{
        spec::{DropAttrs, DropReason, StatsAttrs},
        LinkState,
    };

    fn port(direction: Direction, index: u32, idp: u32, name: &str) -> PortAttrs {
        PortAttrs {
            direction: Some(Value::Known(direction)),
            index: Some(index),
            peer: (idp != 0).then_some(idp),
            peer_name: (!name.is_empty()).then(|| name.to_owned()),
            ..Default::default()
        }
    }

    fn fb(name: &str, kind: &str, idp: u32, port: Vec<PortAttrs>) -> Fb {
        Fb {
            name: Some(name.into()),
            r#type: Some(kind.into()),
            idp: Some(idp),
            refcnt: Some(3),
            port,
            ..Default::default()
        }
    }

    /// A tee on a device, with two filters on top; one of them listens to the device.
    pub(crate) fn sample() -> Vec<Fb> {
        use Direction::{Egress, Ingress};
        let drop = |reason, packets| DropAttrs {
            reason: Some(Value::Known(reason)),
            packets: Some(packets),
            ..Default::default()
        };
        let mut eth0 = fb("eth0", "eth", 1, vec![port(Ingress, 0, 2, "fb2")]);
        eth0.stats = Some(StatsAttrs {
            packets: Some(10),
            bytes: Some(640),
            drop: vec![drop(DropReason::TooBig, 2), drop(DropReason::Device, 1)],
            ..Default::default()
        });
        let tee = vec![
            port(Ingress, 1, 5, ""),
            port(Ingress, 0, 3, "fb3"),
            port(Egress, 0, 1, "eth0"),
        ];
        let bpf = vec![port(Egress, 0, 2, "fb2"), port(Ingress, 0, 0, "")];
        let mut fb3 = fb("fb3", "bpf", 3, bpf);
        fb3.publisher = vec![1, 77];
        fb3.option.push(OptionAttrs {
            key: Some("program".into()),
            value: Some("{ 0x28, 0, 0, 0x0000000c },\n{ 0x6, 0, 0, 0 },\n".into()),
            ..Default::default()
        });
        vec![eth0, fb("fb2", "tee", 2, tee), fb3]
    }

    #[test]
    fn table_of_blocks() {
        let fbs = sample();
        let expected = r#"NAME  TYPE  IDP  REFS  BINDINGS                  OPTIONS
eth0  eth     1     3  up: fb2                   -
fb2   tee     2     3  up: fb3 #5  down: eth0    -
fb3   bpf     3     3  down: fb2  sub: eth0 #77  program="{ 0x28, 0, 0, 0x0000000c },\n{ 0..."
"#;
        assert_eq!(
            table(&fbs, &names(&fbs), false, Sheet::File, Places::Beside).render(false),
            expected
        );
    }

    #[test]
    fn numbered_options_go_below() {
        let mut fbs = sample();
        let option = |key: &str, value: &str| OptionAttrs {
            key: Some(key.into()),
            value: Some(value.into()),
            ..Default::default()
        };
        fbs[1].option = vec![option("per", "packet"), option("port.0.link", "up")];
        let text = table(&fbs[1..2], &names(&fbs), true, Sheet::File, Places::Beside).render(false);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert!(lines[0].ends_with("down: eth0  per=packet"), "{text}");
        assert_eq!(lines[1..3], ["    port  to    link", "       0  eth0  up"]);
        assert!(lines[3].starts_with("    packets 0"), "{text}");
    }

    #[test]
    fn a_device_has_its_state_and_mtu() {
        let mut fbs = sample();
        fbs[0].ifname = Some("eth0".into());
        let link = Link {
            index: 2,
            state: LinkState::NoCarrier,
            mtu: 9000,
        };
        let links = HashMap::from([("eth0".to_owned(), link)]);
        let json = serde_json::to_value(Document::of(&fbs[0], &links)).unwrap();
        assert_eq!(json["name"], "eth0");
        let expected = serde_json::json!({ "state": "no-carrier", "mtu": 9000 });
        assert_eq!(json["link"], expected);
        let json = serde_json::to_value(Document::of(&fbs[1], &links)).unwrap();
        assert!(json.get("link").is_none());
        fbs.iter_mut().for_each(|fb| say_link(fb, &links));
        let text = table(&fbs, &names(&fbs), false, Sheet::File, Places::Beside).render(false);
        let first = text.lines().nth(1).unwrap();
        assert!(first.ends_with("  link=no-carrier mtu=9000"), "{text}");
    }

    #[test]
    fn many_bindings_go_below() {
        use Direction::{Egress, Ingress};
        let mut ports = vec![port(Ingress, 0, 2, "lan0")];
        ports.extend((0..64).map(|n| port(Egress, n, n + 9, &format!("end{n}"))));
        let fbs = [fb("m", "multipath", 3, ports)];
        let text = table(&fbs, &names(&fbs), false, Sheet::File, Places::Beside).render(false);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains("  up: lan0  down: 64 blocks  "), "{text}");
        assert!(lines[2].starts_with("    down: end0 end1 "), "{text}");
        assert!(lines.last().unwrap().ends_with("end63"), "{text}");
        assert!(lines.iter().all(|line| line.len() < 110), "{text}");
    }

    #[test]
    fn counters_go_below() {
        let fbs = sample();
        let text = table(&fbs[..1], &names(&fbs), true, Sheet::File, Places::Beside).render(false);
        let below = text.lines().nth(2).unwrap();
        assert_eq!(
            below,
            "    packets 10  bytes 640  drops 3 (too-big 2, device 1)"
        );
    }

    #[test]
    fn a_terminal_gets_lines_that_fit() {
        let mut fbs = sample();
        let option = |key: &str| OptionAttrs {
            key: Some(key.into()),
            value: Some("0123456789".into()),
            ..Default::default()
        };
        fbs[1].option = ["one", "two", "three", "four", "five"].map(option).into();
        let table = table(
            &fbs,
            &names(&fbs),
            true,
            Sheet::Terminal(80),
            Places::Beside,
        );
        let expected = r#"NAME  TYPE  IDP  REFS  BINDINGS                  OPTIONS
eth0  eth     1     3  up: fb2                   -
    packets 10  bytes 640  drops 3 (too-big 2, device 1)
fb2   tee     2     3  up: fb3 #5  down: eth0    one=0123456789
                                                 two=0123456789
                                                 three=0123456789
                                                 four=0123456789
                                                 five=0123456789
    packets 0   bytes 0    drops 0
fb3   bpf     3     3  down: fb2  sub: eth0 #77  program="{ 0x28, 0, 0..."
    packets 0   bytes 0    drops 0
"#;
        assert_eq!(table.fitted(Some(74), false), expected);
        for width in 40..120 {
            let text = table.fitted(Some(width), false);
            assert!(text.lines().all(|line| line.len() <= width), "{text}");
        }
    }

    #[test]
    fn options_go_below_where_words_would_be_broken() {
        let mut fbs = sample();
        fbs[0].name = Some("wan-delay-link-1".into());
        fbs[1].port[1].peer_name = Some("wan-delay-link-2".into());
        let option = |key: &str| OptionAttrs {
            key: Some(key.into()),
            value: Some("0123456789".into()),
            ..Default::default()
        };
        fbs[1].option = ["strategy", "two"].map(option).into();
        let at = |places| {
            let mut table = table(&fbs[..2], &names(&fbs), false, Sheet::Terminal(80), places);
            table.leave_out(&LEAST, 60);
            (table.has_room(60), table.fitted(Some(60), false))
        };
        assert!(!at(Places::Beside).0);
        let expected = "\
NAME              TYPE  IDP  REFS  BINDINGS
wan-delay-link-1  eth     1     3  up: fb2
fb2               tee     2     3  up: wan-delay-link-2 #5
                                   down: eth0
    strategy=0123456789 two=0123456789
";
        assert_eq!(at(Places::Below), (true, expected.to_owned()));
    }

    #[test]
    fn json_has_the_names_of_the_specification() {
        let json = serde_json::to_value(&sample()[0]).unwrap();
        let expected = serde_json::json!({
            "name": "eth0", "type": "eth", "idp": 1, "refcnt": 3,
            "port": [{ "direction": "ingress", "index": 0, "peer": 2, "peer-name": "fb2" }],
            "stats": {
                "packets": 10, "bytes": 640,
                "drop": [
                    { "reason": "too-big", "packets": 2 },
                    { "reason": "device", "packets": 1 },
                ],
            },
        });
        assert_eq!(json, expected);
    }
}
