// SPDX-License-Identifier: GPL-2.0

use super::{
    append,
    checksum::sum,
    datagram::{Datagram, Why},
    header::Fragment,
    headers, push, room,
    table::{Bounds, Table},
    HashKey, List,
};

const BOUNDS: Bounds = Bounds {
    datagrams: 4,
    memory: 100_000,
    timeout: 1000,
};

/// A packet of IPv4 with a part of a datagram.
fn v4(id: u16, offset: usize, more: bool, data: &[u8]) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend([8, 0, 0x45, 0]);
    packet.extend((20 + data.len() as u16).to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend((offset as u16 / 8 | u16::from(more) << 13).to_be_bytes());
    packet.extend([64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(data);
    packet
}

/// The same of IPv6, behind a header of options.
fn v6(id: u32, offset: usize, more: bool, data: &[u8]) -> Vec<u8> {
    let mut packet = vec![2; 12];
    packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    packet.extend((16 + data.len() as u16).to_be_bytes());
    packet.extend([0, 64]);
    packet.extend([1; 32]);
    packet.extend([44, 0, 1, 4, 0, 0, 0, 0]);
    packet.extend([17, 0]);
    packet.extend((offset as u16 | u16::from(more)).to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend(data);
    packet
}

fn read(packet: &[u8]) -> Option<Fragment> {
    let parsed = headers::parse(packet, packet.len()).unwrap();
    Fragment::of(&parsed, packet, 7, true)
}

fn table() -> Table {
    let places = (0..Table::places(BOUNDS.datagrams))
        .map(|_| List::new())
        .collect();
    Table::new(places, HashKey(1))
}

fn add(table: &mut Table, packet: &[u8], now: u64) -> Result<Option<Datagram>, Why> {
    table.add(&read(packet).unwrap(), packet, &BOUNDS, now)
}

fn data() -> Vec<u8> {
    (0..3001_u32).map(|number| (number * 7 / 3) as u8).collect()
}

/// The parts of a datagram, each of so many bytes, and the last one.
fn parts(make: impl Fn(usize, bool, &[u8]) -> Vec<u8>, size: usize) -> Vec<Vec<u8>> {
    let data = data();
    let last = (data.len() - 1) / size * size;
    (0..=last)
        .step_by(size)
        .map(|at| make(at, at < last, &data[at..data.len().min(at + size)]))
        .collect()
}

#[test]
fn datagrams_are_what_they_were() {
    let mut random = 1u64;
    for size in [8, 200, 1000, 1480, 2000] {
        for is_v6 in [false, true] {
            let mut parts = if is_v6 {
                parts(|at, more, data| v6(9, at, more, data), size)
            } else {
                parts(|at, more, data| v4(9, at, more, data), size)
            };
            for turn in 0..20 {
                let mut table = table();
                let (last, rest) = parts.split_last().unwrap();
                for part in rest {
                    // In any order, but one that needs not too many runs.
                    assert!(add(&mut table, part, 0).unwrap().is_none());
                }
                assert_eq!(table.datagrams, 1);
                let datagram = add(&mut table, last, 0).unwrap().unwrap();
                assert_eq!((table.datagrams, table.memory), (0, 0));
                let whole = datagram.whole(&[3; 12]).unwrap();
                let ends = if is_v6 { (62, 54) } else { (34, 14) };
                assert_eq!(whole[ends.0..], data(), "{turn}");
                assert_eq!(whole[..12], [3; 12]);
                if is_v6 {
                    assert_eq!(whole[18..20], (8 + 3001_u16).to_be_bytes());
                    assert_eq!(whole[ends.1], 17);
                } else {
                    assert_eq!(sum(&whole[14..34]), 0xffff);
                    assert_eq!(whole[16..22], [0x0b, 0xcd, 0, 9, 0, 0]);
                }
                if size < 200 {
                    break;
                }
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let one = (random >> 33) as usize % parts.len();
                parts.rotate_left(one);
                parts.swap(0, one);
            }
        }
    }
}

#[test]
fn what_is_no_fragment() {
    assert!(read(&v4(1, 0, false, b"x")).is_none());
    assert!(read(&v6(1, 0, false, b"x")).is_none());
    assert!(read(&[0; 60]).is_none());
    let whole = v6(1, 8, true, &[0; 16]);
    for len in 0..whole.len() {
        // None of these panics.
        if let Ok(parsed) = headers::parse(&whole[..len], len) {
            let _ = Fragment::of(&parsed, &whole[..len], 0, true);
        }
    }
}

#[test]
fn overlaps_end_it_and_duplicates_do_not() {
    for make in [
        |at, more, data: &[u8]| v4(5, at, more, data),
        |at, more, data: &[u8]| v6(5, at, more, data),
    ] {
        let data = [0; 64];
        let part = |at, more| make(at, more, &data[..16]);
        let begun = || {
            let mut table = table();
            add(&mut table, &part(0, true), 0).unwrap();
            add(&mut table, &part(16, true), 0).unwrap();
            table
        };
        let same = |packet: &[u8]| {
            let mut table = begun();
            let why = add(&mut table, packet, 0).err();
            (why, table.datagrams)
        };
        assert_eq!(same(&part(0, true)), (Some(Why::Duplicate), 1));
        assert_eq!(same(&make(0, true, &data[..32])), (Some(Why::Duplicate), 1));
        assert_eq!(same(&part(8, true)), (Some(Why::Duplicate), 1));
        assert_eq!(same(&part(24, true)), (Some(Why::Overlap), 0));
        assert_eq!(same(&make(0, true, &data[..40])), (Some(Why::Overlap), 0));
        // The end is somewhere else.
        assert_eq!(same(&part(8, false)), (Some(Why::Invalid), 0));
        assert_eq!(same(&make(32, true, &[])), (Some(Why::Invalid), 0));
        let mut table = begun();
        add(&mut table, &part(48, false), 0).unwrap();
        assert_eq!(
            add(&mut table, &part(64, true), 0).err(),
            Some(Why::Invalid)
        );
        assert_eq!((table.datagrams, table.memory), (0, 0));
    }
    // Of IPv4 the end is cut off to a multiple of eight, of IPv6 that is wrong.
    let mut other = table();
    assert!(add(&mut other, &v4(5, 0, true, &[0; 17]), 0)
        .unwrap()
        .is_none());
    assert!(add(&mut other, &v4(5, 16, false, &[0; 3]), 0)
        .unwrap()
        .is_some());
    assert_eq!(
        add(&mut other, &v6(5, 0, true, &[0; 17]), 0).err(),
        Some(Why::Invalid)
    );
    // Longer than any.
    let far = v4(5, 65_528, false, &[0; 100]);
    let mut long = table();
    add(&mut long, &v4(5, 0, true, &vec![0; 40_000]), 0).unwrap();
    assert!(add(&mut long, &far, 0).unwrap().is_none());
}

#[test]
fn bounds_hold() {
    let mut table = table();
    for id in 0..6 {
        let added = add(&mut table, &v4(id, 0, true, &[0; 800]), u64::from(id));
        assert_eq!(added.err(), (id >= 4).then_some(Why::Full));
    }
    // Others of the same datagram are taken.
    assert!(add(&mut table, &v4(0, 800, true, &[0; 800]), 5).is_ok());
    let places = (0..64).map(|_| List::new()).collect();
    table.grow(places);
    assert!(add(&mut table, &v4(0, 1600, true, &[0; 800]), 5).is_ok());
    table.reap(&BOUNDS, 1001);
    assert_eq!((table.datagrams, table.timeouts), (2, 2));
    // One that is over is none, though nobody has looked for it yet.
    assert!(add(&mut table, &v4(2, 800, false, &[0; 8]), 1002)
        .unwrap()
        .is_none());
    assert_eq!((table.datagrams, table.timeouts), (2, 3));
    table.reap(&BOUNDS, 3000);
    assert_eq!((table.datagrams, table.memory), (0, 0));
    let large = vec![0; 60_000];
    assert!(add(&mut table, &v4(1, 0, true, &large), 3000).is_ok());
    assert_eq!(
        add(&mut table, &v4(2, 0, true, &large), 3000).err(),
        Some(Why::Full)
    );
}

#[test]
fn congestion_is_told() {
    for (values, want) in [
        ([0, 0], Some(0)),
        ([1, 2], Some(1)),
        ([2, 3], Some(3)),
        ([3, 3], Some(3)),
        ([0, 1], None),
        ([0, 3], None),
    ] {
        let mut table = table();
        let mut mark = |value: u8, at, more| {
            let mut packet = v4(5, at, more, &[0; 16]);
            packet[15] = value;
            add(&mut table, &packet, 0)
        };
        mark(values[0], 0, true).unwrap();
        let whole = mark(values[1], 16, false).unwrap().unwrap();
        assert_eq!(
            whole.whole(&[0; 12]).ok().map(|whole| whole[15]),
            want,
            "{values:?}"
        );
    }
}

#[test]
fn lists_are_what_the_kernel_has() {
    let mut list = room(4).unwrap();
    assert!(push(&mut list, 1) && append(&mut list, &[2, 3]) && list == [1, 2, 3]);
}
