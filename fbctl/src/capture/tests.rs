// SPDX-License-Identifier: GPL-2.0

//! What is printed and written of captured packets. The files are read here by a reader of our own,
//! after draft-ietf-opsawg-pcapng.

use super::*;
use crate::probe::summary::Detail;
use lana_netlink::{
    spec::{Direction, DropReason},
    wire::{Flag, Value},
};

fn names() -> Names {
    Names::of(&[(1, "eth0", "eth"), (4, "filter", "bpf")])
}

fn record(idp: u32, point: ProbePoint, vlan: Option<u32>) -> ProbeAttrs {
    let dropped = point == ProbePoint::Drops;
    ProbeAttrs {
        time: Some(1_735_689_599_123_456_789),
        cpu: Some(1),
        idp: Some(idp),
        point: Some(Value::Known(point)),
        direction: Some(Value::Known(if idp == 1 {
            Direction::Ingress
        } else {
            Direction::Egress
        })),
        reason: dropped.then_some(Value::Known(DropReason::Filtered)),
        len: Some(1000),
        data: Some(vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0xac, 0x0a, 9]),
        vlan,
        entered: (idp == 1 && point != ProbePoint::Out).then_some(Flag),
        ..Default::default()
    }
}

fn line(record: &ProbeAttrs, link: bool, colour: bool) -> String {
    let form = lines::Form {
        detail: Detail::of(link, None),
        width: 6,
        end: 0,
    };
    let lines = lines::lines(record, &names(), form, None);
    assert_eq!(lines.len(), 1);
    lines[0].render(None, 4, colour)
}

#[test]
fn a_line_a_packet() {
    let what = "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype";
    assert_eq!(
        line(&record(1, ProbePoint::In, None), true, true),
        format!("23:59:59.123456789Z eth0        rx   {what} Unknown (0xac0a), length 1000")
    );
    let dropped = record(4, ProbePoint::Drops, Some(0x8100_0005));
    assert_eq!(
        line(&dropped, true, false),
        format!(
            "23:59:59.123456789Z filter DROP down (filtered) {what} 802.1Q (0x8100), length 1004: \
             vlan 5, p 0, ethertype Unknown (0xac0a)"
        )
    );
    assert!(line(&dropped, false, true)
        .starts_with("23:59:59.123456Z filter \u{1b}[33mDROP down (filtered)\u{1b}[0m 02:00:"));
    let bad = ProbeAttrs {
        reason: Some(Value::Known(DropReason::Malformed)),
        ..dropped
    };
    let text = "filter \u{1b}[1m\u{1b}[31mDROP down (malformed)\u{1b}[0m ";
    assert!(line(&bad, false, true).contains(text));
}

#[test]
fn what_leaves_has_its_next_block() {
    let mut names = names();
    names.bind(4, Direction::Egress, 1, "eth0");
    let record = ProbeAttrs {
        port: Some(1),
        ..record(4, ProbePoint::Out, None)
    };
    let line = |record| {
        let form = lines::Form {
            detail: Detail::Compact,
            width: 6,
            end: lines::end_width(Some(5), false),
        };
        lines::lines(record, &names, form, None)[0].render(None, 4, false)
    };
    let out = "23:59:59.123456789Z filter out  down -> eth0  02:00:";
    assert!(line(&record).starts_with(out), "{}", line(&record));
    let other = ProbeAttrs {
        port: None,
        ..record.clone()
    };
    assert!(
        line(&other).contains("out  down          02:"),
        "{}",
        line(&other)
    );
    // Whatever becomes of a packet, what it is stands in the same column.
    let form = lines::Form {
        detail: Detail::Compact,
        width: 6,
        end: lines::end_width(Some(5), true),
    };
    let dropped = self::record(4, ProbePoint::Drops, None);
    for record in [&record, &other, &dropped] {
        let text = lines::lines(record, &names, form, None)[0].render(None, 4, false);
        assert_eq!(text.find(" 02:00"), Some(47), "{text}");
    }
    // Where there is no room for that, it stands below.
    let two = lines::lines(&record, &names, form, Some(80));
    let two: Vec<_> = two
        .iter()
        .map(|line| line.render(Some(80), 4, false))
        .collect();
    assert_eq!(two[0], "23:59:59.123456789Z filter out  down -> eth0");
    assert!(
        two[1].starts_with("    02:00:00:00:00:01 > 02:"),
        "{}",
        two[1]
    );
    let json = serde_json::to_value(lines::Document::of(&record, 0, &names)).unwrap();
    assert_eq!((&json["port"], &json["next"]), (&1.into(), &"eth0".into()));
}

#[test]
fn a_filter_may_follow_the_blocks() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for (text, blocks, filter) in [
        ("eth0", 1, ""),
        ("eth0 filter", 2, ""),
        ("eth0 icmp or arp", 1, "icmp or arp"),
        ("eth0 filter not port 22", 2, "not port 22"),
        ("eth0 nosuch", 2, ""),
        ("icmp", 1, ""),
        ("eth0 @file", 1, "@file"),
    ] {
        let words = words(text);
        let (of, rest) = parted(&words, &names());
        assert_eq!((of.len(), rest.as_str()), (blocks, filter), "{text}");
    }
}

#[test]
fn a_device_receives_and_sends() {
    let to = |entered, direction| {
        let direction = Some(Value::Known(direction));
        let record = ProbeAttrs {
            entered,
            direction,
            ..record(1, ProbePoint::Out, None)
        };
        let document = lines::Document::of(&record, 0, &names());
        let json = serde_json::to_value(document).unwrap();
        (lines::way(&record, &names()), json["device"].clone())
    };
    // Whichever way the graph is: a device above a block sends what goes up.
    for direction in [Direction::Ingress, Direction::Egress] {
        assert_eq!(to(Some(Flag), direction), ("rx", "rx".into()));
        assert_eq!(to(None, direction), ("tx", "tx".into()));
    }
}

#[test]
fn a_document_a_packet() {
    let document = lines::Document::of(&record(4, ProbePoint::Drops, None), 7, &names());
    let json = serde_json::to_value(document).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "time": 1_735_689_599_123_456_789u64, "lost": 7, "cpu": 1, "idp": 4, "block": "filter",
            "point": "drops", "direction": "egress", "reason": "filtered", "frame": false, "len": 1000,
            "data": "020000000002020000000001ac0a09",
            "summary": "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0xac0a), length 1000",
        })
    );
}

/// A block of a pcapng file: its type and its body.
type Block = (u32, Vec<u8>);

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

fn blocks(mut file: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    while !file.is_empty() {
        let length = u32_at(file, 4) as usize;
        assert_eq!(length % 4, 0);
        assert_eq!(u32_at(file, length - 4) as usize, length);
        blocks.push((u32_at(file, 0), file[8..length - 4].to_vec()));
        file = &file[length..];
    }
    blocks
}

/// Code and value of each option.
fn options(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut options = Vec::new();
    loop {
        let (code, length) = (u16_at(bytes, 0), usize::from(u16_at(bytes, 2)));
        if code == 0 {
            assert_eq!((length, bytes.len()), (0, 4));
            return options;
        }
        options.push((code, bytes[4..4 + length].to_vec()));
        bytes = &bytes[4 + length.next_multiple_of(4)..];
    }
}

/// Code and value.
type Opt = (u16, Vec<u8>);
/// Interface, time, bytes, length on the wire, options.
type Enhanced = (u32, u64, Vec<u8>, u32, Vec<Opt>);

fn packet(body: &[u8]) -> Enhanced {
    let time = u64::from(u32_at(body, 4)) << 32 | u64::from(u32_at(body, 8));
    let length = u32_at(body, 12) as usize;
    let data = body[20..20 + length].to_vec();
    let rest = &body[20 + length.next_multiple_of(4)..];
    (u32_at(body, 0), time, data, u32_at(body, 16), options(rest))
}

fn written(snaplen: Option<u32>, records: &[(ProbeAttrs, u64)]) -> Vec<Block> {
    let mut file = Vec::new();
    let points = [ProbePoint::In, ProbePoint::Drops];
    let mut writer = pcapng::Writer::begin(&mut file, &[1, 4], &points, snaplen, &names()).unwrap();
    for (record, lost) in records {
        writer.record(record, *lost, &names()).unwrap();
    }
    writer.end(2).unwrap();
    drop(writer);
    blocks(&file)
}

#[test]
fn files_have_what_the_kernel_said() {
    let all = written(
        None,
        &[
            (record(1, ProbePoint::In, Some(0x8100_6005)), 0),
            (record(4, ProbePoint::Drops, None), 5),
            (record(4, ProbePoint::Out, None), 0),
        ],
    );
    let kinds: Vec<_> = all.iter().map(|block| block.0).collect();
    assert_eq!(kinds, [0x0a0d_0d0a, 1, 1, 1, 1, 6, 6, 1, 6, 5, 5, 5, 5, 5]);
    assert_eq!(u32_at(&all[0].1, 0), 0x1a2b_3c4d);
    let interface = &all[1].1;
    assert_eq!((u16_at(interface, 0), u32_at(interface, 4)), (1, 0));
    assert_eq!(
        options(&interface[8..]),
        [
            (2, b"eth0".to_vec()),
            (3, b"eth: packets that come to it".to_vec()),
            (9, vec![9])
        ]
    );
    let time = 1_735_689_599_123_456_789;
    let bytes = record(1, ProbePoint::In, None).data.unwrap();
    let tagged = [&bytes[..12], &[0x81, 0, 0x60, 5], &bytes[12..]].concat();
    let inbound = vec![(1, b"eth0 in rx".to_vec()), (2, vec![1, 0, 0, 0])];
    assert_eq!(packet(&all[5].1), (0, time, tagged, 1004, inbound));
    let outbound = vec![
        (1, b"filter drop down (filtered)".to_vec()),
        (2, vec![2, 0, 0, 0]),
        (4, 5u64.to_le_bytes().to_vec()),
    ];
    assert_eq!(packet(&all[6].1), (3, time, bytes, 1000, outbound));
    // A point that was not asked for gets an interface of its own.
    assert_eq!(packet(&all[8].1).0, 4);
    let counts = &all[12].1;
    assert_eq!(u32_at(counts, 0), 3);
    let when = u64::from(u32_at(counts, 4)) << 32 | u64::from(u32_at(counts, 8));
    assert_eq!(when, time);
    let counts: Vec<_> = options(&counts[12..])
        .iter()
        .map(|(code, value)| (*code, u64_of(value)))
        .collect();
    assert_eq!(counts, [(4, 6), (7, 5), (8, 1)]);
    // Of what was lost behind the last packet nobody knows where: its interface is as good as another one.
    let counts: Vec<_> = options(&all[13].1[12..])
        .iter()
        .map(|(code, value)| (*code, u64_of(value)))
        .collect();
    assert_eq!(counts, [(4, 3), (7, 2), (8, 1)]);
}

#[test]
fn tags_count_among_the_bytes_that_are_kept() {
    let tagged = record(1, ProbePoint::In, Some(0x8100_0005));
    let all = written(Some(14), &[(tagged, 0)]);
    assert_eq!(u32_at(&all[1].1, 4), 14);
    let (_, _, data, length, _) = packet(&all[5].1);
    assert_eq!(
        (data.len(), &data[12..], length),
        (14, &[0x81, 0][..], 1004)
    );
}

#[test]
fn without_packets_a_file_is_whole() {
    let kinds: Vec<_> = written(None, &[]).iter().map(|block| block.0).collect();
    assert_eq!(kinds, [0x0a0d_0d0a, 1, 1, 1, 1, 5, 5, 5, 5]);
}
