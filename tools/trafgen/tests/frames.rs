// SPDX-License-Identifier: GPL-2.0

//! The frames of the language's examples, byte by byte: as netsniff-ng's trafgen of Debian 13 makes them, or worked out
//! by hand where a comment says so.

#![expect(
    clippy::panic,
    clippy::format_collect,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use trafgen::{language, language::Host, writer::Writer};

fn frames(text: &str, count: usize) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(1);
    let templates = language::templates(text, &Host::default(), &mut random, true);
    let templates = templates.unwrap_or_else(|mistake| panic!("{}", mistake.located("text", text)));
    let mut writer = Writer::new(templates, random, false);
    let mut place = vec![0; writer.longest()];
    (0..count)
        .map(|_| {
            let next = writer.turn();
            let length = writer.write(next, &mut place, false);
            place[..length]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect()
        })
        .collect()
}

fn fails(text: &str) -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let mistake = language::templates(text, &Host::default(), &mut random, true).unwrap_err();
    mistake.located("x", text).to_string()
}

const ZEROS: &str = "0000000000000000000000000000";

/// Each text with its frames.
fn same(text: &str, wanted: &[&str]) {
    assert_eq!(frames(text, wanted.len()), wanted, "{text}");
}

#[test]
fn bytes() {
    let bare = |text: &str, wanted: &str| {
        same(
            &format!("{{ fill(0,14) {text} }}"),
            &[&format!("{ZEROS}{wanted}")],
        );
    };
    bare(
        "c16((((1<<8)+0x32)|0b110)*2), c32(8>>1) c8(7%4)",
        "026c0000000403",
    );
    bare("c8(7^2) c64(1)", "050000000000000001");
    bare("xff, 011, 0b1010", "ff090a");
    bare("\"abc\"", "616263");
    bare(
        "seqinc(0,10), seqinc(5,5,2), seqdec(9,5)",
        "000102030405060708090507090b0d0908070605",
    );
    bare("\"\\x31\\xdb\" \"a\\nb\"", "31db615c6e62");
    bare("'c' '\\x7f' a b11 f", "637f610366");
    // By hand: C's precedence, and the EtherType by its name.
    bare(
        "c16(1+2*3) c16(ETH_P_IP) c8(-1) c8(~0 & 0x0f)",
        "00070800ff0f",
    );
    bare("# to the end }\n 1 /* } */ 2 // }\n 3 ; }\n 4", "01020304");
    bare(
        "const8(1), const16(2), const32(3), const64(4)",
        "010002000000030000000000000004",
    );
    same(
        "{ 0x00, 1, 2, 0x4, fill(123, 14), f, o, o, b, a, r }",
        &["000102047b7b7b7b7b7b7b7b7b7b7b7b7b7b666f6f626172"],
    );
}

#[test]
fn counters() {
    same(
        "{ fill(0xff,14), dinc(0,255,2), ddec(5,7), 0xaa }",
        &[
            "ffffffffffffffffffffffffffff0206aa",
            "ffffffffffffffffffffffffffff0405aa",
            // By hand: netsniff-ng goes below the least value here.
            "ffffffffffffffffffffffffffff0607aa",
        ],
    );
    same(
        "{ fill(0xff,14), dinc(5,7) }",
        &[
            "ffffffffffffffffffffffffffff06",
            "ffffffffffffffffffffffffffff07",
            "ffffffffffffffffffffffffffff05",
        ],
    );
}

#[test]
fn the_language_of_2011() {
    // By hand.
    let text = "$II0: 0,255,1\n$II1: 0x4,0xFF,0x2\n# two packets\n$P1 { $II0, fill(1,13), $II1, $II0 }\n$P2 {\n$II1, 9 }";
    same(
        text,
        &[
            "0001010101010101010101010101".to_owned() + "0400",
            "0409".to_owned(),
            "0101010101010101010101010101".to_owned() + "0601",
            "0609".to_owned(),
        ]
        .each_ref()
        .map(String::as_str),
    );
    let random = frames("$P1 { fill(0, 14), $PRB, $PRB, 0xee }", 50);
    assert!(
        random
            .iter()
            .all(|frame| frame.len() == 34 && frame.ends_with("ee")),
        "{random:?}"
    );
    assert!(
        random
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .len()
            > 40
    );
}

#[test]
fn checksums() {
    same("{ fill(0x00,14), 0x45,0,c16(28),0,0,0,0,64,17,csumip(14,33),192,168,1,1,192,168,1,2, c16(1),c16(2),c16(8),
          csumudp(14,34) }",
        &["00000000000000000000000000004500001c000000004011f77dc0a80101c0a801020001000200087c87"]);
    same("{ fill(0,14), 0x45,0,c16(32),0,0,0,0,64,6,csumip(14,33),1,2,3,4,5,6,7,8, c16(1),c16(2),c32(8),c32(0),0x50,2,
          c16(9),csumtcp(14,34),c16(0), 1,2,3 }",
        &["0000000000000000000000000000450000200000000040066ac50102030405060708000100020000000800000000500200099bb6\
           0000010203"]);
}

#[test]
fn headers() {
    same("{ eth(da=11:22:33:44:55:66, da[0]=dinc()), tcp() }", &[
        "112233445566000000000000080045000028000000000006bad1000000000000000000000000000000000000000050000000afe50000",
        "122233445566000000000000080045000028000000000006bad1000000000000000000000000000000000000000050000000afe50000",
    ]);
    same("{ vlan(id=5,pcp=3), mpls(label=7), mpls(label=8,ttl=3), ipv6(), icmp6(echorequest) }", &[
        "00000000000000000000000081006005884700007000000081036000000000043a0000000000000000000000000000000000000000000\
         0000000000000000000000080007fc1"]);
    same(
        "{ arp() }",
        &["ffffffffffff000000000000080600010800060400010000000000000000000000000000000000000000"],
    );
    same("{ vlan(1ad,id=4), vlan(id=5), arp(reply,smac=1:2:3:4:5:6,sip=1.2.3.4) }", &[
        "00000000000000000000000088a8000481000005080600010800060400020102030405060102030400000000000000000000"]);
    same(
        "{ pause(time=5) }",
        &["0180c2000001000000000000880800010005"],
    );
    same(
        "{ pfc(prio(2)=1, time(2)=7) }",
        &["0180c200000100000000000088080101000400000000000700000000000000000000"],
    );
    same(
        "{ icmp4(echorequest, seq=1, id=1326) }",
        &["00000000000000000000000008004500001c000000000001bae200000000000000000800f2d0052e0001"],
    );
    same(
        "{ ipv4(dscp=10,ecn=1,df,frag=3,id=7,ttl=9), icmp4(type=3,code=4,mtu=1400) }",
        &["00000000000000000000000008004529001c00074003090171af00000000000000000304f78300000578"],
    );
    same("{ udp(), fill(1,3) }", &[
        "00000000000000000000000008004500001f000000000011bacf000000000000000000000000000bfdd7010101"]);
    same("{ ipv4(ttl=dinc()), tcp(syn,ack,win=dinc(1,100,50)) }", &[
        "000000000000000000000000080045000028000000000006bad1000000000000000000000000000000000000000050120001afd20000",
        "000000000000000000000000080045000028000000000106b9d1000000000000000000000000000000000000000050120033afa00000",
    ]);
    same("{ ipv4(da=1.2.3.4), ipv4(da=5.6.7.8), udp(dp=5) \"abc\" }", &[
        "000000000000000000000000080045000033000000000004b6c200000000010203044500001f000000000011aec10000000005060708\
         00000005000b2f63616263"]);
    // netsniff-ng makes no Ethernet header below IPv6, against its manual.
    same("{ ipv6(da=2001:db8::1, tc=3, flow=5, hl=64), tcp(sp=1,dp=2,syn), \"x\" }", &[
        "00000000000000000000000086dd\
         60300005001506400000000000000000000000000000000020010db8000000000000000000000001000100020000000000000000500200\
         000a25000078"]);
    same("{ icmp6(echoreply), \"abcd\" }", &[
        "00000000000000000000000086dd\
         6000000000083a0000000000000000000000000000000000000000000000000000000000000000008100b9f661626364"]);
    same("{ dns() }", &[
        "000000000000000000000000080045000028000000000011bac60000000000000000000000350014ff91000000000000000000000000"]);
    same("{ dns(id=5, qr=1, qry(name=\"www.google.com\")) }", &[
        "00000000000000000000000008004500003c000000000011bab20000000000000000000000350028f1bc0005800000010000000000000\
         377777706676f6f676c6503636f6d0000010001"]);
    // By hand.
    same(
        "{ eth(sa=2:0:0:0:0:1, da=2:0:0:0:0:2) lana(id=10) 1 2 }",
        &["020000000002020000000001ac0a0102"],
    );
    same(
        "{ eth(type=0x1234), fill(0xaa,4) }",
        &["0000000000000000000000001234aaaaaaaa"],
    );
}

#[test]
fn random_fields_stay_within_their_bounds_and_sums_follow() {
    let text =
        "{ ipv4(da=1.2.3.4, sa=dinc()), udp(sport=dinc(1, 13, 2), dport=drnd(80, 100)) \"hello\" }";
    for (number, frame) in frames(text, 200).iter().enumerate() {
        let word = |at: usize| u32::from_str_radix(&frame[2 * at..2 * at + 4], 16).unwrap();
        assert!((80..=100).contains(&word(36)), "{frame}");
        assert_eq!(word(28) as usize, number);
        let add = |words: &mut dyn Iterator<Item = usize>| {
            let total: u32 = words.map(word).sum();
            (total >> 16) + (total & 0xffff)
        };
        assert_eq!(add(&mut (14..34).step_by(2)), 0xffff, "{frame}");
        let last = u32::from_str_radix(&frame[92..94], 16).unwrap() << 8;
        let udp = add(&mut (26..46).step_by(2)) + 17 + 13 + last;
        assert_eq!((udp >> 16) + (udp & 0xffff), 0xffff, "{frame}");
    }
}

#[test]
fn the_examples_of_the_manual() {
    let fragment = "{ 0x00, 0x1b, 0x21, 0x3c, 0x9d, 0xf8,  # mac destination
        0x90, 0xe2, 0xba, 0x0a, 0x56, 0xb4, const16(0x0800), 0b01000101, 0, const16(40), c16(7),
        0b00100000, 0, 64, 17, csumip(14, 33), 192, 168, 51, 1, 192, 168, 51, 2,
        const16(48054), const16(43514), const16(20), const16(0), 'A', fill(0x41, 11), }";
    let headers = "{ eth(sa=90:e2:ba:0a:56:b4, da=00:1b:21:3c:9d:f8) ipv4(id=7, mf, ttl=64, sa=192.168.51.1, da=192.168.51.2)
        udp(sport=48054, dport=43514, csum=0) 'A', fill(0x41, 11), }";
    assert_eq!(frames(fragment, 1), frames(headers, 1));
}

#[test]
fn mistakes_have_a_place() {
    for (text, wanted) in [
        ("{ 1, 2", "x:1:1: the } of this packet is missing"),
        ("{ 256 }", "x:1:3: 256 does not fit into a byte"),
        (
            "{ 1 }\n{ foo }",
            "x:2:3: foo: no function and no number has this name",
        ),
        ("{ foo(1) }", "x:1:3: no function foo; headers are eth"),
        (
            "{ udp(ttl=1) }",
            "x:1:7: no field 'ttl' here; there are sp, dp, len, csum",
        ),
        ("{ ip4(da=1.2.3) }", "x:1:10: 1.2.3 is no address"),
        (
            "{ ip4(ttl=256) }",
            "x:1:7: 256 does not fit into the 8 bits of ttl",
        ),
        ("{ ip4(da=dinc(2, 1)) }", "x:1:7: no range from 2 to 1"),
        ("{ \"abc }", "x:1:3: this string does not end"),
        ("{ /* }", "x:1:3: this comment does not end"),
        ("{ $II0 }", "x:1:3: no counter $II0 is declared"),
        (
            "$II0 0,1,1",
            "x:1:6: : is missing after the name of a counter",
        ),
        ("hello", "x:1:1: hello: a packet begins with {"),
        ("{ c8(1/0) }", "x:1:7: 1 / 0 cannot be worked out"),
        (
            "{ fill(1, 99999999) }",
            "x:1:3: 99999999 is more than the 65535 bytes",
        ),
        ("cpu(1: { }", "x:1:8: a number is wanted"),
        (
            "{ ip4(da[3:2]=1) }",
            "x:1:7: da[3:2] is not within the field",
        ),
    ] {
        let said = fails(text);
        assert!(said.starts_with(wanted), "{text}: {said}");
    }
}

#[test]
fn packets_belong_to_cpus() {
    let mut random = fastrand::Rng::with_seed(1);
    let text = "{ 1 } cpu(0): { 2 } cpu(1:2): { 3 } cpu(2-3): { 4 }";
    let all = language::templates(text, &Host::default(), &mut random, true).unwrap();
    let of = |cpu| {
        all.iter()
            .filter(|t| t.is_for(cpu))
            .map(|t| t.bytes[0])
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of(0), of(1), of(2), of(3)),
        (vec![1, 2], vec![1, 3], vec![1, 3, 4], vec![1, 4])
    );
}
