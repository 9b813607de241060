// SPDX-License-Identifier: GPL-2.0

//! Whether two values of an option say the same.

use crate::program::{self, Quad};
/// What blocks read values by.
use lana::prelude::{address, headers, units};

/// The addresses of `icmp-echo`.
#[path = "../../../fb-modules/icmp_echo/ours.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "the block also looks them up"))]
mod ours;

/// Its limits.
#[path = "../../../fb-modules/icmp_echo/limit.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "the block also keeps them"))]
mod limit;

/// The lists of `classify`.
#[path = "../../../fb-modules/classify/list.rs"]
#[expect(
    dead_code,
    clippy::cast_possible_truncation,
    reason = "the block also goes by them; numbers are read with their limits"
)]
mod list;

/// The rules of `classify`.
#[path = "../../../fb-modules/classify/rule.rs"]
#[expect(
    dead_code,
    clippy::cast_possible_truncation,
    reason = "the block also goes by them; numbers are read with their limits"
)]
mod rule;

/// The routes of `route`.
#[path = "../../../fb-modules/route/rule.rs"]
mod route;

/// Whether it makes no difference which of the two an option of a block is set to. The blocks have their
/// type for a kind, or the subsystem of their device. White space at the end, such as that of the last
/// line, never makes one.
pub(super) fn same(kind: &str, key: &str, one: &str, other: &str) -> bool {
    let (one, other) = (one.trim_end(), other.trim_end());
    let meaning = |text| meaning(kind, key, text);
    one == other || meaning(one).is_some_and(|one| Some(one) == meaning(other))
}

/// What a value means.
#[derive(PartialEq)]
enum Meaning {
    Program(Vec<Quad>),
    Addresses(Vec<address::Prefix>),
    Ports(Vec<u64>),
    Limit(limit::Setting),
    Mac(address::Mac),
    Quantity(u64),
    Address(address::Address),
    Rule(rule::Rule, Option<Vec<Quad>>),
    Routes(Vec<route::Rule>),
    Word(String),
}

/// That of a value that the block takes. One that is empty means the default; `None` where nothing is
/// known of the option.
fn meaning(kind: &str, key: &str, text: &str) -> Option<Meaning> {
    let text = text.trim();
    let word = |default: &str| {
        let text = if text.is_empty() { default } else { text };
        Some(Meaning::Word(text.to_owned()))
    };
    match (kind, key) {
        ("ethernet", "unclaimed") => word("drop"),
        ("ethernet", "batch") | ("icmp-echo", "arp") => word("off"),
        ("bpf" | "rewrite", "direction") => word("both"),
        ("bpf", "program") => program::instructions(text).map(Meaning::Program),
        ("icmp-echo", "addr") => addresses(text).map(Meaning::Addresses),
        ("icmp-echo", "rate" | "rate-source") => text.parse().ok().map(Meaning::Limit),
        ("icmp-echo", "mac") => address::Mac::parse(text).map(Meaning::Mac),
        ("classify", "default") => word("0"),
        ("classify", "direction") => word("ingress"),
        ("classify", key) if key.starts_with("prefixes.") => {
            let list = list::parse(text).collect::<Result<Vec<_>, _>>();
            list.ok().map(sorted).map(Meaning::Addresses)
        }
        ("classify", key) if key.starts_with("ports.") => {
            let mut words = vec![0; list::WORDS];
            for range in list::parse_ports(text) {
                list::insert(&mut words, range.ok()?);
            }
            Some(Meaning::Ports(words))
        }
        ("classify", key) => {
            rule::number_of(key)?;
            let (rule, program) = rule::Rule::parse(text).ok()?;
            let program = match program {
                Some(text) => Some(program::instructions(text)?),
                None => None,
            };
            Some(Meaning::Rule(rule, program))
        }
        ("route", key) if key == "routes" || route::number_of(key).is_some() => {
            let routes = route::parts(text).map(route::Rule::parse);
            let routes = routes.collect::<Result<Vec<_>, _>>();
            routes.ok().map(sorted).map(Meaning::Routes)
        }
        ("netflow", key) if key.starts_with("collector.") => {
            let target = text.strip_prefix("udp:").unwrap_or(text);
            Some(Meaning::Word(target.to_owned()))
        }
        ("rewrite", "mac.source" | "mac.destination") => {
            address::Mac::parse(text).map(Meaning::Mac)
        }
        ("rewrite", "source" | "destination") => {
            address::Address::parse(text).map(Meaning::Address)
        }
        ("multipath", key) => {
            let term = key
                .strip_prefix("port.")
                .and_then(|rest| rest.split_once('.'));
            multipath(term.map_or(key, |(_, term)| term), text)
        }
        _ => None,
    }
}

/// That of an option of `multipath`, or of one of its ports.
fn multipath(key: &str, text: &str) -> Option<Meaning> {
    let default = match key {
        "strategy" => "session",
        "per" => "packet",
        "interval" => "1s",
        "average" => "8s",
        "usage" => "average",
        "expiry" => "300",
        "gap" => "50",
        "sessions" => "65536",
        "route-key" => "cache",
        "learn" => "on",
        "weight" => "1",
        "state" => "up",
        "capacity" | "mac" => "",
        _ => return None,
    };
    let text = if text.is_empty() { default } else { text };
    match key {
        "interval" | "average" => units::time(text).map(Meaning::Quantity),
        "capacity" => {
            let mbit = || units::whole(text)?.checked_mul(1_000_000);
            units::rate(text).or_else(mbit).map(Meaning::Quantity)
        }
        "mac" => address::Mac::parse(text).map(Meaning::Mac),
        _ => Some(Meaning::Word(text.to_owned())),
    }
}

fn addresses(text: &str) -> Option<Vec<address::Prefix>> {
    let all = ours::parse(text).collect::<Result<Vec<_>, _>>().ok()?;
    Some(sorted(all))
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn lists_have_any_order() {
        let same = |one, other| same("icmp-echo", "addr", one, other);
        assert!(same("192.0.2.1, 2001:db8::1", "2001:DB8::1,192.0.2.1"));
        assert!(same("all", "0.0.0.0/0,::/0"));
        assert!(!same("192.0.2.1", "192.0.2.1,192.0.2.2"));
        assert!(!same("x,y", "y,x"));
    }

    #[test]
    fn numbers_have_units_and_spellings() {
        let capacity = |one, other| same("multipath", "port.3.capacity", one, other);
        assert!(capacity("10mbit", "10"));
        assert!(same("multipath", "interval", "1s", "1000ms"));
        assert!(same("multipath", "average", "", "8s"));
        let hop = |one, other| same("multipath", "port.0.mac", one, other);
        assert!(hop("02:00:00:00:00:AA", "02:00:00:00:00:aa"));
        assert!(!hop("02:00:00:00:00:aa", "02:00:00:00:00:ab"));
        assert!(capacity("10mbit", "10000kbit"));
        assert!(!capacity("10mbit", "10gbit"));
        assert!(!capacity("fast", "slow"));
        assert!(!same("multipath", "port.3.weight", "10mbit", "10"));
        let rule = |one, other| same("classify", "rule.3", one, other);
        assert!(rule("dport=53  proto=17 -> 1", "proto=udp dport=53 -> 1"));
        assert!(rule(
            "bpf=\"1,6 0 0 1\" -> 1",
            "bpf=\"hex 06000000000001\" -> 1"
        ));
        assert!(!rule("dport=53 -> 1", "dport=53 -> 2"));
        assert!(!rule("bpf=\"1,6 0 0 1\" -> 1", "bpf=\"1,6 0 0 0\" -> 1"));
        let list = |one, other| same("classify", "prefixes.3", one, other);
        assert!(list("::/0 10.0.0.0/8\n10.0.0.0/8", "10.0.0.0/8,::/0"));
        assert!(!list("10.0.0.0/8", "10.0.0.0/9"));
        let list = |one, other| same("classify", "ports.3", one, other);
        assert!(list("443 80\n81,80-80", "80-81,443"));
        assert!(!list("80-82", "80,82"));
        assert!(same("classify", "default", "", "0"));
        assert!(same("icmp-echo", "rate", "100/100", "100"));
        assert!(!same("icmp-echo", "rate", "100/10", "100"));
        let mac = ["02:00:00:00:00:AA", "02:00:00:00:00:aa"];
        assert!(same("icmp-echo", "mac", mac[0], mac[1]));
        let routes = |one, other| same("route", "routes", one, other);
        assert!(routes(
            "::/0 -> 1, 10.0.0.0/8 via 192.0.2.1 -> 0",
            "10.0.0.0/8  via 192.0.2.1 -> 0\n::/0 -> 1\n"
        ));
        assert!(!routes("10.0.0.0/8 -> 0", "10.0.0.0/8 -> 1"));
        assert!(same("route", "route.3", "::/0  -> up", "::/0 -> up"));
        let collector = |one, other| same("netflow", "collector.1", one, other);
        assert!(collector("udp:192.0.2.1:2055", "192.0.2.1:2055"));
        assert!(!collector("tcp:192.0.2.1:2055", "192.0.2.1:2055"));
        let rewrite = |key, one, other| same("rewrite", key, one, other);
        assert!(rewrite("mac.source", mac[0], mac[1]));
        assert!(rewrite("source", "2001:DB8:0::1", "2001:db8::1"));
        assert!(!rewrite("source", "192.0.2.1", "::ffff:192.0.2.1"));
    }

    #[test]
    fn empty_is_the_default() {
        for (kind, key, default, other) in [
            ("ethernet", "unclaimed", "drop", "stack"),
            ("ethernet", "batch", "off", "on"),
            ("bpf", "direction", "both", "egress"),
            ("icmp-echo", "arp", "off", "on"),
            ("rewrite", "direction", "both", "egress"),
            ("icmp-echo", "rate-source", "0", "1"),
            ("multipath", "strategy", "session", "packet"),
            ("multipath", "expiry", "300", "30"),
            ("multipath", "port.0.weight", "1", "2"),
            ("multipath", "port.0.state", "up", "down"),
        ] {
            assert!(same(kind, key, "", default), "{key}");
            assert!(!same(kind, key, "", other), "{key}");
            assert!(!same("other", key, "", default), "{key}");
        }
    }

    #[test]
    fn programs_have_two_forms() {
        let same = |one, other| same("bpf", "program", one, other);
        let long = "{ 0x28, 0, 0, 0x0000000c },\n{ 0x6, 0, 0, 0xffffffff },\n";
        let short = "2\n40 0 0 12\n6 0 0 4294967295\n";
        assert!(same(long, short));
        assert!(same(long, long.trim_end()));
        assert!(!same(long, "1\n40 0 0 12\n"));
        assert!(!same(long, "40 0 0 12\n"));
        assert!(!same("a", "b"));
    }

    #[test]
    fn what_is_not_known_is_compared_as_it_is() {
        assert!(same("other", "other", "a", "a\n"));
        assert!(!same(
            "other",
            "addr",
            "192.0.2.1,192.0.2.2",
            "192.0.2.2,192.0.2.1"
        ));
        assert!(!same("other", "program", "0", "00"));
    }
}
