// SPDX-License-Identifier: GPL-2.0

//! Bad texts: whatever they are, there is a template or a mistake with a place, and nothing panics.

mod any;
#[path = "../../fuzz/rounds.rs"]
mod rounds;

use any::any;
use rounds::rounds;

/// What texts are made of.
const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    "=",
    " ",
    "\n",
    "#",
    "//",
    "/*",
    "*/",
    ";",
    "\"",
    "'",
    "\\x41",
    "$II0",
    "$P1",
    "$PRB",
    "$II0: 0,255,1\n",
    "0",
    "1",
    "255",
    "256",
    "0xff",
    "0b1",
    "011",
    "65535",
    "65536",
    "18446744073709551616",
    "-1",
    "<<",
    "|",
    "*",
    "/",
    "%",
    "~",
    "fill(0xff, 6)",
    "rnd(4)",
    "drnd()",
    "dinc(0, 255, 2)",
    "ddec(",
    "seqinc(0, 9)",
    "csumip(14, 33)",
    "csumudp(14, 34)",
    "csumtcp6(",
    "c16(1+2)",
    "const64(",
    "cpu(0): ",
    "cpu(1-",
    "eth(",
    "vlan(id=5)",
    "mpls(label=7)",
    "arp(",
    "ip4(ttl=64)",
    "ip6(",
    "icmp4(echorequest)",
    "icmp6()",
    "udp(dp=drnd(1, 9))",
    "tcp(syn,",
    "pause()",
    "pfc(prio(2)=1,",
    "dns(qry(name=\"a.b\"))",
    "lana(id=10)",
    "da=",
    "sa[3:2]=",
    "dinc()",
    "drnd(",
    "1.2.3.4",
    "::1",
    "02:00:00:00:00:01",
    "ETH_P_IP",
    "ihl=15",
    "len=",
    "ä",
    "\u{0}",
];

fn text(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut text = String::new();
    if random.bool() {
        text.push_str("{ ");
    }
    for _ in 0..random.usize(1..40) {
        text.push_str(random.choice(PIECES).unwrap_or(&""));
        if random.bool() {
            text.push(' ');
        }
    }
    text.push_str(" }");
    let mut bytes = text.into_bytes();
    for _ in 0..random.usize(..3) {
        let at = random.usize(..bytes.len());
        let byte = random.u8(..);
        bytes.splice(at..=at, [byte]);
    }
    bytes
}

#[test]
fn nothing_panics() {
    for deep in ["{ c8(", "{ dns(", "{ c8(-", "{ c8(~("] {
        let inner = deep.trim_start_matches("{ ");
        any(format!("{deep}{}", inner.repeat(100_000)).as_bytes());
        any(format!("{deep}{}", "(".repeat(100_000)).as_bytes());
        any(format!("{deep}{}", "-".repeat(100_000)).as_bytes());
    }
    rounds(|random| any(&text(random)));
}
