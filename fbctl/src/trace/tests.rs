// SPDX-License-Identifier: GPL-2.0

//! What is printed of packets.

use super::*;
use lana_netlink::{
    spec::{ChangeAttrs, Direction, DropReason, HopAttrs, HopEnd},
    wire::{Flag, Value},
};

fn names() -> Names {
    Names::of(&[
        (1, "eth0", "eth"),
        (2, "fb2", "tee"),
        (3, "count", "counter"),
        (4, "filter", "bpf"),
    ])
}

fn hop(packet: u32, idp: u32, time: u64, end: HopEnd) -> HopAttrs {
    let forwarded = end == HopEnd::Forwarded;
    HopAttrs {
        packet: Some(packet),
        idp: Some(idp),
        direction: Some(Value::Known(Direction::Ingress)),
        time: Some(time),
        end: Some(Value::Known(end)),
        port_direction: forwarded.then_some(Value::Known(Direction::Ingress)),
        port: forwarded.then_some(packet),
        ..Default::default()
    }
}

/// Whatever way a packet goes, a device receives what enters the graph there, and sends the rest.
#[test]
fn a_device_receives_and_sends() {
    use Direction::{Egress, Ingress};
    let at = |direction, entered: bool, end| HopAttrs {
        direction: Some(Value::Known(direction)),
        entered: entered.then_some(Flag),
        ..hop(0, 1, 0, end)
    };
    for (hop, way) in [
        (at(Ingress, true, HopEnd::Forwarded), "rx"),
        (at(Ingress, false, HopEnd::Left), "tx"),
        (at(Egress, false, HopEnd::Left), "tx"),
    ] {
        let record = ProbeAttrs {
            hop: vec![hop],
            ..record()
        };
        let line = lines(1, &record, 0).remove(1);
        assert!(line.contains(&format!("eth0 (eth)  {way}    ")), "{line}");
        let json = serde_json::to_value(json::Packet::of(&part(1, &record, 0), &names())).unwrap();
        assert_eq!(json["hops"][0]["device"], way);
    }
}

fn change(offset: u32, old: &[u8], new: &[u8]) -> ChangeAttrs {
    ChangeAttrs {
        offset: Some(offset),
        old: Some(old.to_vec()),
        new: Some(new.to_vec()),
    }
}

/// eth0 -> fb2, which makes a copy for count; the packet itself goes to the filter, which drops it.
fn record() -> ProbeAttrs {
    let eth = HopAttrs {
        entered: Some(Flag),
        ..hop(0, 1, 0, HopEnd::Forwarded)
    };
    let tee = HopAttrs {
        made: Some(1),
        made_first: Some(1),
        took: Some(212),
        ..hop(0, 2, 417, HopEnd::Forwarded)
    };
    let count = HopAttrs {
        len: Some(60),
        change: vec![
            change(22, &[64], &[63]),
            change(24, &[0xb1, 0xe6], &[0xb2, 0xe6]),
        ],
        ..hop(1, 3, 700, HopEnd::Unclaimed)
    };
    let filter = HopAttrs {
        reason: Some(Value::Known(DropReason::Filtered)),
        ..hop(0, 4, 12_034, HopEnd::Dropped)
    };
    ProbeAttrs {
        time: Some(1_735_689_599_123_456_789),
        cpu: Some(1),
        idp: Some(1),
        direction: Some(Value::Known(Direction::Ingress)),
        len: Some(14),
        data: Some(vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0xac, 0x0a]),
        hop: vec![eth, tee, filter, count],
        ..Default::default()
    }
}

fn part(number: u64, record: &ProbeAttrs, lost: u64) -> Part<'_> {
    Part {
        record,
        lost,
        number,
        waited: None,
    }
}

/// The lines on a terminal of so many columns.
fn printed(part: &Part<'_>, link: bool, columns: Option<usize>) -> Vec<String> {
    let lines = text::Packet::of(part, &names(), Detail::of(link, columns)).lines(columns);
    let text = |(line, indent): &(lana_cli::Line, usize)| line.render(columns, *indent, false);
    let text: Vec<_> = lines.iter().map(text).collect();
    text.join("\n").lines().map(str::to_owned).collect()
}

fn lines(number: u64, record: &ProbeAttrs, lost: u64) -> Vec<String> {
    printed(&part(number, record, lost), true, None)
}

const PACKET: &str = "\
1. 23:59:59.123456789Z cpu 1 02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0xac0a), length 14
    0.000 us  eth0 (eth)         rx    -> ingress 0 fb2
    0.417 us  fb2 (tee)          up    -> ingress 0 filter, made 1      took  212 ns
   12.034 us  filter (bpf)       up    DROPPED: filtered
              packet made by fb2:
    0.700 us  └ count (counter)  up    to the network stack, length 60
                  byte 22 40 -> 3f, byte 24 b1e6 -> b2e6";

/// The same on a terminal of 60 columns.
const NARROW: &str = "\
1. 23:59:59.123456Z 02:00:00:00:00:01 > 02:00:00:00:00:02,
    ethertype Unknown (0xac0a), length 14
    0.000 us  eth0 (eth)         rx    -> ingress 0 fb2
    0.417 us  fb2 (tee)          up    -> ingress 0 filter,
              made 1
   12.034 us  filter (bpf)       up    DROPPED: filtered
              packet made by fb2:
    0.700 us  └ count (counter)  up    to the network stack,
                length 60
                  byte 22 40 -> 3f, byte 24 b1e6 -> b2e6";

#[test]
fn hops_stand_in_the_order_of_time_and_copies_name_their_maker() {
    let mut record = record();
    // As the kernel tells them: one packet after the other.
    record.hop[3].time = Some(12_500);
    let told = PACKET.replace("    0.700 us  └ count", "   12.500 us  └ count");
    assert_eq!(lines(1, &record, 0).join("\n"), told);
    let lost = lines(7, &record, 3);
    assert_eq!(lost[0], "(3 not traced)");
    assert!(lost[1].starts_with("7. 23:59:59"));
}

#[test]
fn no_line_is_longer_than_the_terminal() {
    let record = record();
    let part = part(1, &record, 0);
    assert_eq!(printed(&part, false, Some(60)).join("\n"), NARROW);
    for columns in 40..120 {
        let lines = printed(&part, true, Some(columns));
        assert!(
            lines.iter().all(|line| line.chars().count() <= columns),
            "{lines:?}"
        );
        // How long it took, where there is room.
        let words = |text: &str| text.replace("took  212 ns", "").split_whitespace().count();
        assert_eq!(words(&lines.join(" ")), words(PACKET));
    }
}

#[test]
fn drops_stand_out() {
    let record = record();
    let lines = text::Packet::of(&part(1, &record, 0), &names(), Detail::Brief).lines(None);
    let coloured: Vec<_> = lines
        .iter()
        .map(|(line, indent)| line.render(None, *indent, true))
        .filter(|line| line.contains('\u{1b}'))
        .collect();
    let [drop] = &coloured[..] else {
        panic!("{coloured:?}");
    };
    assert!(drop.ends_with("up    \u{1b}[33mDROPPED: filtered\u{1b}[0m"));
}

#[test]
fn what_is_held_goes_on_with_its_number() {
    let held = HopAttrs {
        held: Some(77),
        ..hop(0, 3, 400, HopEnd::Held)
    };
    let first = ProbeAttrs {
        hop: vec![held],
        ..record()
    };
    assert!(lines(1, &first, 0)[1].ends_with("held, goes on later"));
    let later = ProbeAttrs {
        idp: Some(3),
        held: Some(77),
        ..record()
    };
    let part = |waited| Part {
        waited,
        ..part(1, &later, 0)
    };
    let head = |waited| printed(&part(waited), false, None).remove(0);
    assert_eq!(
        head(Some(20_160_000)),
        "1. 23:59:59.123456Z released by count after 20.2 ms: 02:00:00:00:00:01 > 02:00:00:00:00:02, \
         ethertype Unknown (0xac0a), length 14"
    );
    assert!(head(None)
        .starts_with("1. 23:59:59.123456Z released by count (the part before is not shown): 02:"));
    let of = |part: &Part<'_>| serde_json::to_value(json::Packet::of(part, &names())).unwrap();
    assert_eq!(of(&part(None))["held"], 77);
    assert_eq!(of(&super::tests::part(1, &first, 0))["hops"][0]["held"], 77);
    assert_eq!(
        of(&super::tests::part(1, &first, 0))["hops"][0]["end"],
        "held"
    );
}

#[test]
fn packets_of_packets_stand_deeper() {
    let made = |packet, idp, from: u32| HopAttrs {
        made: Some(2),
        made_first: Some(from),
        ..hop(packet, idp, 0, HopEnd::Left)
    };
    let hops = [
        made(4, 1, 5),
        made(5, 2, 7),
        hop(6, 2, 0, HopEnd::Left),
        hop(7, 3, 0, HopEnd::Forwarded),
        hop(7, 4, 0, HopEnd::Left),
        hop(8, 3, 0, HopEnd::Left),
        hop(30, 4, 0, HopEnd::Cut),
    ];
    let rows = tree::rows(&hops);
    let places: Vec<_> = rows
        .iter()
        .map(|row| (row.hop.packet.unwrap(), row.depth, row.first))
        .collect();
    let expected = [
        (4, 0, true),
        (5, 1, true),
        (7, 2, true),
        (7, 2, false),
        (8, 2, true),
        (6, 1, true),
        (30, 1, true),
    ];
    assert_eq!(places, expected);
    assert_eq!(rows[2].next, Some(4));
    let record = ProbeAttrs {
        hop: hops.to_vec(),
        frame: Some(Flag),
        ..Default::default()
    };
    let lines = lines(1, &record, 0);
    assert!(
        lines[0].starts_with("1. 00:00:00.000000000Z cpu 0 frame "),
        "{lines:?}"
    );
    let starts = [
        "    0.000 us  eth0 (eth)",
        "              packets made by eth0:",
        "    0.000 us  └ fb2 (tee)",
        "    0.000 us  └ fb2 (tee)",
        "                packets made by fb2:",
        "    0.000 us    └ count (counter)",
        "    0.000 us      filter (bpf)",
        "    0.000 us    └ count (counter)",
        "              other packet:",
        "    0.000 us  └ filter (bpf)",
    ];
    for (line, start) in lines[1..].iter().zip(starts) {
        assert!(line.starts_with(start), "{lines:?}");
    }
    assert!(lines[10].ends_with("(no room for more)"), "{lines:?}");
}

#[test]
fn whatever_the_kernel_says_no_hop_is_lost_or_shown_twice() {
    let round = |packet, from, made| HopAttrs {
        made: Some(made),
        made_first: Some(from),
        ..hop(packet, 1, 0, HopEnd::Left)
    };
    let hops = [round(0, 0, 9), round(1, 0, u32::MAX), round(2, u32::MAX, 7)];
    assert_eq!(tree::rows(&hops).len(), hops.len());
    assert!(tree::rows(&[]).is_empty());
}

#[test]
fn many_changes_are_cut() {
    let record = ProbeAttrs {
        hop: vec![HopAttrs {
            change: (0..14).map(|n| change(n, &[0; 9], &[])).collect(),
            ..hop(0, 9, 0, HopEnd::Left)
        }],
        ..Default::default()
    };
    let lines = lines(1, &record, 0);
    assert!(
        lines[1].ends_with("idp 9  up    left the graph"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("                byte 0 0000000000000000.. -> none, byte 1 "));
    assert!(lines[5].ends_with(" -> none, and 2 more"), "{lines:?}");
    assert_eq!(lines.len(), 6);
}

#[test]
fn documents_have_names_and_numbers() {
    let json = serde_json::to_value(json::Packet::of(&part(7, &record(), 3), &names())).unwrap();
    assert_eq!(json["number"], 7);
    assert_eq!(json["lost"], 3);
    assert_eq!(json["time"], 1_735_689_599_123_456_789u64);
    assert_eq!(json["block"], "eth0");
    assert_eq!(json["data"], "020000000002020000000001ac0a");
    let hops = json["hops"].as_array().unwrap();
    let blocks: Vec<_> = hops
        .iter()
        .map(|hop| hop["block"].as_str().unwrap())
        .collect();
    assert_eq!(blocks, ["eth0", "fb2", "count", "filter"]);
    assert_eq!(
        hops[2],
        serde_json::json!({
            "packet": 1, "idp": 3, "block": "count", "type": "counter", "direction": "ingress",
            "frame": false, "time": 700, "end": "unclaimed", "len": 60,
            "change": [
                { "offset": 22, "old": "40", "new": "3f" },
                { "offset": 24, "old": "b1e6", "new": "b2e6" },
            ],
        })
    );
    assert_eq!(hops[1]["next"], "filter");
    assert_eq!(hops[3]["reason"], "filtered");
}
