// SPDX-License-Identifier: GPL-2.0

use super::*;

fn table(prefixes: &[(&str, u16)]) -> Prefixes<u16> {
    let parse = |&(text, value): &(&str, u16)| (Prefix::parse(text).unwrap(), value);
    let mut prefixes: Vec<_> = prefixes.iter().map(parse).collect();
    Prefixes::new(&mut prefixes).unwrap()
}

fn find(table: &Prefixes<u16>, address: &str) -> Option<u16> {
    match Address::parse(address).unwrap() {
        Address::V4(address) => table.find_v4(address),
        Address::V6(address) => table.find_v6(address),
    }
}

#[test]
fn the_longest_prefix_counts() {
    let table = table(&[
        ("10.1.0.0/16", 2),
        ("0.0.0.0/0", 0),
        ("10.0.0.0/8", 1),
        ("10.1.255.255", 3),
        ("10.255.0.0/16", 4),
        ("::/0", 5),
        ("2001:db8::/32", 6),
    ]);
    for (address, value) in [
        ("0.0.0.0", 0),
        ("9.255.255.255", 0),
        ("10.0.0.0", 1),
        ("10.1.0.0", 2),
        ("10.1.255.254", 2),
        ("10.1.255.255", 3),
        ("10.2.0.0", 1),
        ("10.255.255.255", 4),
        ("11.0.0.0", 0),
        ("255.255.255.255", 0),
        ("::", 5),
        ("2001:db8::1", 6),
        ("2001:db9::", 5),
    ] {
        assert_eq!(find(&table, address), Some(value), "{address}");
    }
}

#[test]
fn what_no_prefix_has_is_not_found() {
    let empty = table(&[]);
    let one = table(&[("192.0.2.0/24", 1)]);
    for address in [
        "0.0.0.0",
        "192.0.1.255",
        "192.0.3.0",
        "255.255.255.255",
        "::",
    ] {
        assert_eq!(find(&empty, address), None);
        assert_eq!(find(&one, address), None);
    }
    let last = table(&[("255.255.255.255", 7), ("ffff::/16", 8)]);
    assert_eq!(find(&last, "255.255.255.255"), Some(7));
    assert_eq!(find(&last, "255.255.255.254"), None);
    assert_eq!(find(&last, "ffff:ffff::"), Some(8));
}

#[test]
fn all_lengths_can_be_nested() {
    let mut prefixes = Vec::new();
    for length in 0..=128_u16 {
        prefixes.push((Prefix::parse(&format!("::/{length}")).unwrap(), length));
    }
    let table = Prefixes::new(&mut prefixes).unwrap();
    assert_eq!(table.find_v6(0), Some(128));
    for bit in 0..128_u16 {
        assert_eq!(table.find_v6(1 << bit), Some(127 - bit));
    }
}

#[test]
fn lookup_agrees_with_a_search_of_all() {
    let mut seed = 1_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    for count in 0..400 {
        let some = (0..count).map(|_| {
            let length = 20 + next() % 13;
            let first = 0x0a00_0000 | next() & 0xfff & (!0_u64 << (32 - length)) as u32;
            let text = format!("{}/{length}", Address::V4(first));
            (Prefix::parse(&text).unwrap(), (next() % 5) as u16)
        });
        let mut prefixes: Vec<_> = some.collect();
        prefixes.sort_by_key(|&(prefix, _)| prefix);
        prefixes.dedup_by_key(|&mut (prefix, _)| prefix);
        let table = Prefixes::new(&mut prefixes).unwrap();
        for address in (0x09ff_fff0..0x0a00_1010).step_by(1 + count / 10) {
            let all = prefixes.iter().filter(|(prefix, _)| prefix.has_v4(address));
            let longest = all.max_by_key(|(prefix, _)| prefix.length());
            assert_eq!(table.find_v4(address), longest.map(|&(_, value)| value));
        }
    }
}

#[test]
fn sets_are_in_order_and_have_each_once() {
    let texts = [
        "2001:db8::/32",
        "10.0.0.0/8",
        "192.0.2.1",
        "10.0.0.0/9",
        "10.0.0.0/8",
        "::/0",
        "2001:db8::/32",
    ];
    let mut set = PrefixSet::new();
    for text in texts {
        set.push(Prefix::parse(text).unwrap(), ()).unwrap();
    }
    set.sort().unwrap();
    let shown: Vec<_> = set.iter().map(|(prefix, ())| prefix.to_string()).collect();
    assert_eq!(
        shown,
        [
            "10.0.0.0/8",
            "10.0.0.0/9",
            "192.0.2.1",
            "::/0",
            "2001:db8::/32"
        ]
    );
    assert_eq!(set.count(), 5);
    assert_eq!(set.get(5), None);
    assert!(set.has(Prefix::parse("10.0.0.0/9").unwrap()));
    assert!(!set.has(Prefix::parse("10.0.0.0/10").unwrap()));
    let table = set.table().unwrap();
    assert_eq!(table.find_v4(0x0a80_0000), Some(()));
    assert_eq!(table.find_v4(0xc000_0200), None);
    assert_eq!(table.find_v6(7), Some(()));
}

#[test]
fn sets_are_joined_and_taken_apart() {
    let set = |texts: &[&str]| {
        let mut set = PrefixSet::new();
        for text in texts {
            set.push(Prefix::parse(text).unwrap(), ()).unwrap();
        }
        set.sort().unwrap();
        set
    };
    let texts = |set: PrefixSet| {
        set.iter()
            .map(|(prefix, ())| prefix.to_string())
            .collect::<Vec<_>>()
    };
    let one = set(&["10.0.0.0/8", "192.0.2.0/24", "192.0.2.7", "::1"]);
    let other = set(&[
        "9.0.0.0/8",
        "192.0.2.0/24",
        "203.0.113.0/24",
        "::/0",
        "ff00::/8",
    ]);
    assert_eq!(
        texts(one.with(&other).unwrap()),
        [
            "9.0.0.0/8",
            "10.0.0.0/8",
            "192.0.2.0/24",
            "192.0.2.7",
            "203.0.113.0/24",
            "::/0",
            "::1",
            "ff00::/8"
        ]
    );
    assert_eq!(
        texts(one.without(&other).unwrap()),
        ["10.0.0.0/8", "192.0.2.7", "::1"]
    );
    assert_eq!(
        texts(other.without(&one).unwrap()),
        ["9.0.0.0/8", "203.0.113.0/24", "::/0", "ff00::/8"]
    );
    assert_eq!(texts(one.without(&one).unwrap()), [""; 0]);
    assert_eq!(texts(one.with(&PrefixSet::new()).unwrap()), texts(one));
}

#[test]
fn sets_have_values() {
    let set = |texts: &[(&str, u16)]| {
        let mut set = PrefixSet::new();
        for &(text, value) in texts {
            set.push(Prefix::parse(text).unwrap(), value).unwrap();
        }
        let sorted = set.sort().map_err(|twice| twice.to_string());
        sorted.map(|()| set)
    };
    let all = |set: &PrefixSet<u16>| {
        set.iter()
            .map(|(prefix, value)| format!("{prefix}={value}"))
            .collect::<Vec<_>>()
    };
    let one = set(&[("::/0", 9), ("10.0.0.0/8", 1), ("10.0.0.0/9", 2)]).unwrap();
    let other = set(&[("10.0.0.0/8", 7), ("9.0.0.0/8", 8), ("10.0.0.0/8", 7)]).unwrap();
    assert_eq!(
        all(&one.with(&other).unwrap()),
        ["9.0.0.0/8=8", "10.0.0.0/8=7", "10.0.0.0/9=2", "::/0=9"]
    );
    assert_eq!(
        all(&one.without(&other).unwrap()),
        ["10.0.0.0/9=2", "::/0=9"]
    );
    let table = one.with(&other).unwrap().table().unwrap();
    for (address, value) in [
        ("10.0.0.1", 2),
        ("10.128.0.1", 7),
        ("9.9.9.9", 8),
        ("::1", 9),
    ] {
        assert_eq!(find(&table, address), Some(value), "{address}");
    }
    assert_eq!(find(&table, "11.0.0.0"), None);
    for texts in [
        [("10.0.0.0/8", 1), ("10.0.0.0/8", 2), ("10.0.0.0/8", 1)],
        [("10.0.0.0/8", 1), ("::/0", 2), ("10.0.0.0/8", 2)],
    ] {
        assert_eq!(set(&texts).err().unwrap(), "10.0.0.0/8");
    }
    let twice = set(&[("10.0.0.0/8", 1), ("::/1", 2), ("::/1", 3)]);
    assert_eq!(twice.err().unwrap(), "::/1");
}

#[test]
fn a_prefix_can_be_there_twice() {
    for value in [1, 2] {
        let table = table(&[("10.0.0.0/8", 1), ("10.0.0.0/8", value), ("10.0.0.0/9", 3)]);
        assert_eq!(find(&table, "10.0.0.1"), Some(3));
        assert!(find(&table, "10.200.0.1").is_some());
        assert_eq!(find(&table, "11.0.0.0"), None);
    }
}
