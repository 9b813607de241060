// SPDX-License-Identifier: GPL-2.0

use super::{
    headers::{self, Parsed},
    list,
    rule::{number_of, Bad, Output, Rule, Shown},
};

fn shown(text: &str) -> String {
    let (rule, program) = Rule::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad}"));
    Shown(&rule, program).to_string()
}

fn said(text: &str) -> String {
    Rule::parse(text).unwrap_err().to_string()
}

#[test]
fn rules_are_texts() {
    for text in [
        "-> 0",
        "-> drop",
        "proto=udp dport=53 -> 1",
        "ethertype=arp -> 63",
        "ethertype=0x88b5 -> 2",
        "ethertype=ipv4 vlan=10-20 proto=tcp src=192.0.2.0/24 dst=0.0.0.0/0 sport=1-65535 dport=80 dscp=ef -> 1",
        "src=2001:db8::/32 dst=::1 -> 1",
        "src=::/0 -> 1",
        "src=@0 dst=@65535 -> 1",
        "src=@7 dst=2001:db8::/32 -> 1",
        "proto=udp sport=@0 dport=@65535 -> 1",
        "vlan=0 proto=255 dscp=1 -> 1",
        "icmp-type=8 -> 1",
        "proto=icmpv6 icmp-type=1/4 -> 1",
        "bpf=\"hex 06000000000001\" -> 1",
        "proto=udp bpf=\"1,6 0 0 1,\" -> drop",
    ] {
        assert_eq!(shown(text), text);
    }
    for (text, same) in [
        ("  dport=53\tproto=17  ->  1 ", "proto=udp dport=53 -> 1"),
        ("ethertype=0x0800 -> 1", "ethertype=ipv4 -> 1"),
        ("ethertype=ip6 dscp=0 -> 1", "ethertype=ipv6 dscp=cs0 -> 1"),
        ("src=192.0.2.1/32 -> 1", "src=192.0.2.1 -> 1"),
        ("src=2001:DB8:0::/48 -> 1", "src=2001:db8::/48 -> 1"),
        ("sport=7-7 -> 1", "sport=7 -> 1"),
        ("proto=ipv6-icmp -> 1", "proto=icmpv6 -> 1"),
    ] {
        assert_eq!(shown(text), same);
    }
}

#[test]
fn lists_are_texts() {
    let read = |text| list::parse(text).map(|prefix| prefix.map(|prefix| prefix.to_string()));
    let read = |text| read(text).collect::<Result<Vec<_>, _>>();
    assert_eq!(
        read("10.0.0.0/8, ::1\n192.0.2.1 ,\t10.0.0.0/8").unwrap(),
        ["10.0.0.0/8", "::1", "192.0.2.1", "10.0.0.0/8"]
    );
    assert!(read("").unwrap().is_empty() && read(" ,\n").unwrap().is_empty());
    for (text, bad) in [
        ("::/0 x y", "x"),
        ("10.0.0.1/8", "10.0.0.1/8"),
        ("1;2", "1;2"),
    ] {
        assert_eq!(read(text).unwrap_err().0, bad);
    }
    let (rule, _) = Rule::parse("src=@7 dst=::/0 -> 1").unwrap();
    assert_eq!(rule.src.unwrap().list(), Some(7));
    assert_eq!(rule.dst.unwrap().list(), None);
}

#[test]
fn ports_are_sets() {
    fn set(text: &str) -> Result<Vec<u64>, &str> {
        let mut words = vec![0; list::WORDS];
        for range in list::parse_ports(text) {
            list::insert(&mut words, range?);
        }
        Ok(words)
    }
    for (text, ranges) in [
        ("", &[][..]),
        ("0", &[(0, 0)]),
        ("65535 ,\t0", &[(0, 0), (65535, 65535)]),
        ("0-65535,7", &[(0, 65535)]),
        ("443 80\n81,80-80", &[(80, 81), (443, 443)]),
        ("63-64 128-191 192", &[(63, 64), (128, 192)]),
        (
            "10-20,15-30,30-31,5-40,65530-65535,65535",
            &[(5, 40), (65530, 65535)],
        ),
        ("64-127,60-63", &[(60, 127)]),
    ] {
        let words = set(text).unwrap();
        assert_eq!(list::ranges(&words).collect::<Vec<_>>(), ranges, "{text}");
        for port in 0..=65535 {
            let is_in = ranges
                .iter()
                .any(|&(first, last)| (first..=last).contains(&port));
            assert_eq!(list::has(&words, port), is_in, "{text}: {port}");
        }
    }
    for (text, bad) in [
        ("80 65536", "65536"),
        ("2-1", "2-1"),
        ("80;81", "80;81"),
        ("@1", "@1"),
    ] {
        assert_eq!(set(text).unwrap_err(), bad);
    }
}

#[test]
fn mistakes_name_the_culprit() {
    for (text, bad) in [
        ("", "ends in no '-> PORT' or '-> drop'"),
        ("proto=udp", "ends in no '-> PORT' or '-> drop'"),
        ("proto=udp ->", "ends in no '-> PORT' or '-> drop'"),
        ("-> 64", "'64' is no output: 0 to 63, or drop"),
        ("-> 01", "'01' is no output: 0 to 63, or drop"),
        ("-> +1", "'+1' is no output: 0 to 63, or drop"),
        ("-> up", "'up' is no output: 0 to 63, or drop"),
        ("-> 1 2", "'2' is not KEY=VALUE"),
        ("udp -> 1", "'udp' is not KEY=VALUE"),
        ("port=1 -> 1", "no key 'port'"),
        ("dport=1 dport=2 -> 1", "dport is there twice"),
        (
            "dport=65536 -> 1",
            "dport='65536' is not PORT, FIRST-LAST or @LIST",
        ),
        (
            "dport=2-1 -> 1",
            "dport='2-1' is not PORT, FIRST-LAST or @LIST",
        ),
        (
            "dport=-1 -> 1",
            "dport='-1' is not PORT, FIRST-LAST or @LIST",
        ),
        ("vlan=4096 -> 1", "vlan='4096' is not ID or FIRST-LAST"),
        (
            "proto=256 -> 1",
            "proto='256' is not tcp, udp, ... or a number",
        ),
        (
            "src=192.0.2.1/24 -> 1",
            "src='192.0.2.1/24' is not an address, a prefix or @LIST",
        ),
        (
            "src=192.0.2.0/33 -> 1",
            "src='192.0.2.0/33' is not an address, a prefix or @LIST",
        ),
        (
            "dst=::/129 -> 1",
            "dst='::/129' is not an address, a prefix or @LIST",
        ),
        ("dscp=64 -> 1", "dscp='64' is not ef, cs1, ... or 0 to 63"),
        (
            "ethertype=800 -> 1",
            "ethertype='800' is not ipv4, arp, ... or 0xHHHH",
        ),
        (
            "ethertype=0x+800 -> 1",
            "ethertype='0x+800' is not ipv4, arp, ... or 0xHHHH",
        ),
        (
            "icmp-type=8/256 -> 1",
            "icmp-type='8/256' is not TYPE or TYPE/CODE",
        ),
        (
            "bpf=hex -> 1",
            "bpf='hex' is not a program in double quotes",
        ),
        (
            "bpf=\"\" -> 1",
            "bpf='\\\"\\\"' is not a program in double quotes",
        ),
        (
            "src=1.2.3.4 dst=::1 -> 1",
            "no packet has this src and this dst",
        ),
        (
            "ethertype=arp src=1.2.3.4 -> 1",
            "no packet has this ethertype and this src",
        ),
        (
            "ethertype=arp dport=1 -> 1",
            "no packet has this ethertype and this dport",
        ),
        (
            "proto=icmp dport=1 -> 1",
            "no packet has this proto and this dport",
        ),
        (
            "proto=tcp icmp-type=1 -> 1",
            "no packet has this proto and this icmp-type",
        ),
        (
            "sport=1 icmp-type=1 -> 1",
            "no packet has this icmp-type and this sport",
        ),
    ] {
        assert_eq!(said(text), bad, "{text}");
        assert!("rule.65535: ".len() + bad.len() <= 79, "{bad}");
    }
    let long = "x".repeat(500);
    assert!(said(&long).len() < 60);
    assert_eq!(Rule::parse(&long), Err(Bad::Word(&long)));
}

#[test]
fn keys_have_numbers() {
    for (key, number) in [
        ("rule.0", Some(0)),
        ("rule.65535", Some(65_535)),
        ("rule.65536", None),
        ("rule.01", None),
        ("rule.", None),
        ("rule.x", None),
    ] {
        assert_eq!(number_of(key), number, "{key}");
    }
    assert_eq!(Output::parse("drop"), Some(Output::Drop));
}

fn frame(ether_type: u16, data: &[u8]) -> Parsed {
    let frame = [&[0; 12][..], &ether_type.to_be_bytes(), data].concat();
    headers::parse(&frame, frame.len()).unwrap()
}

fn v4(protocol: u8, place: u16, data: &[u8]) -> Parsed {
    let total = 20 + data.len() as u8;
    let [p0, p1] = place.to_be_bytes();
    let head = [0x45, 0xb8, 0, total, 0, 0, p0, p1, 9, protocol, 0, 0];
    let addresses = [192, 0, 2, 1, 198, 51, 100, 2];
    frame(0x0800, &[&head[..], &addresses, data].concat())
}

fn v6(protocol: u8, data: &[u8]) -> Parsed {
    let head = [0x60, 0, 0, 0, 0, data.len() as u8, protocol, 9];
    let source = 0x2001_0db8_0000_0000_0000_0000_0000_0001_u128.to_be_bytes();
    let destination = 0x2001_0db8_0001_0000_0000_0000_0000_0002_u128.to_be_bytes();
    frame(0x86dd, &[&head[..], &source, &destination, data].concat())
}

const UDP: [u8; 8] = [0x30, 0x39, 0, 53, 0, 8, 0, 0];

#[test]
fn each_key_matches_what_it_says() {
    let packets = [
        ("udp", v4(17, 0, &UDP), None),
        ("first", v4(17, 0x2000, &UDP), None),
        ("later", v4(17, 0x2001, &UDP), None),
        ("short", v4(17, 0, &UDP[..7]), None),
        ("ping", v4(1, 0, &[8, 0, 0, 0, 0, 0, 0, 0]), Some(10)),
        ("six", v6(17, &UDP), Some(0)),
        ("ping6", v6(58, &[128, 1, 0, 0]), None),
        ("arp", frame(0x0806, &[0; 28]), None),
    ];
    for (rule, wanted) in [
        (
            "",
            &[
                "udp", "first", "later", "short", "ping", "six", "ping6", "arp",
            ][..],
        ),
        (
            "ethertype=ipv4",
            &["udp", "first", "later", "short", "ping"],
        ),
        ("ethertype=ipv6", &["six", "ping6"]),
        ("ethertype=arp", &["arp"]),
        ("vlan=10", &["ping"]),
        ("vlan=0-4095", &["ping", "six"]),
        ("vlan=11-12", &[]),
        ("proto=udp", &["udp", "first", "later", "short", "six"]),
        ("proto=icmpv6", &["ping6"]),
        ("src=192.0.2.1", &["udp", "first", "later", "short", "ping"]),
        (
            "src=192.0.2.0/31",
            &["udp", "first", "later", "short", "ping"],
        ),
        ("src=192.0.2.2/31", &[]),
        ("src=0.0.0.0/0", &["udp", "first", "later", "short", "ping"]),
        (
            "dst=198.51.100.2",
            &["udp", "first", "later", "short", "ping"],
        ),
        ("src=198.51.100.2", &[]),
        ("src=::/0", &["six", "ping6"]),
        ("src=2001:db8::/48 dst=2001:db8:1::/64", &["six", "ping6"]),
        ("dst=2001:db8:2::/48", &[]),
        ("dport=53", &["udp", "first", "six"]),
        ("dport=50-52", &[]),
        ("dport=50-53", &["udp", "first", "six"]),
        ("sport=12345", &["udp", "first", "six"]),
        ("sport=53", &[]),
        // Whether they are in the list is another question.
        ("dport=@1", &["udp", "first", "six"]),
        ("dscp=ef", &["udp", "first", "later", "short", "ping"]),
        ("dscp=0", &["six", "ping6"]),
        ("icmp-type=8", &["ping"]),
        ("icmp-type=8/1", &[]),
        ("icmp-type=128/1", &["ping6"]),
        ("ethertype=ipv6 proto=udp dport=53", &["six"]),
    ] {
        let text = format!("{rule} -> 1");
        let (rule, _) = Rule::parse(&text).unwrap();
        let found = packets.iter();
        let found = found.filter(|(_, packet, vlan)| rule.matches(packet, *vlan));
        let found: Vec<_> = found.map(|(name, _, _)| *name).collect();
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn no_text_makes_it_panic() {
    let mut seed = 1u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 16
    };
    let parts = [
        "src=",
        "dport",
        "=",
        "->",
        " ",
        "1",
        "/",
        "\"",
        "bpf=\"",
        ":",
        ".",
        "-",
        "drop",
        "\u{e9}",
        "icmp-type=",
        "9999999999",
    ];
    for _ in 0..100_000 {
        let count = random() % 12;
        let text: String = (0..count)
            .map(|_| parts[random() as usize % parts.len()])
            .collect();
        match Rule::parse(&text) {
            Ok((rule, program)) => {
                let again = Shown(&rule, program).to_string();
                assert_eq!(Rule::parse(&again).unwrap(), (rule, program), "{text}");
            }
            Err(bad) => assert!(bad.to_string().len() < 100),
        }
    }
}
