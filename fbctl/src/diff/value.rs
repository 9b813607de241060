// SPDX-License-Identifier: GPL-2.0

//! Whether two values of an option say the same.

/// The block's own reader of programs.
#[path = "../../../fb-modules/bpf/text.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "the block also prints them"))]
mod program;

/// The addresses of `icmp-echo`, as that block reads them.
#[path = "../../../fb-modules/icmp_echo/address.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "the block also looks them up"))]
mod address;

/// The reader of capacities of the block `multipath`.
#[path = "../../../fb-modules/multipath/config.rs"]
#[expect(dead_code, reason = "it reads all of the block's options")]
mod config;

/// The option of `bpf` that takes a program. The kernel shows it in the shorter of its two forms.
const PROGRAM: &str = "program";

/// The option of `icmp-echo` that takes a list. The kernel shows it in order.
const ADDRESSES: &str = "addr";

/// Whether it makes no difference which of the two an option is set to. White space at the end, such
/// as that of the last line, never does.
pub(super) fn same(key: &str, one: &str, other: &str) -> bool {
    let program = |text| instructions(text).filter(|_| key == PROGRAM);
    let list = |text| addresses(text).filter(|_| key == ADDRESSES);
    let capacity = |text: &str| {
        let capacity = config::term(key).filter(|(_, term)| *term == config::Term::Capacity);
        config::rate(text.trim()).filter(|_| capacity.is_some())
    };
    one.trim_end() == other.trim_end()
        || program(one).is_some_and(|one| Some(one) == program(other))
        || list(one).is_some_and(|one| Some(one) == list(other))
        || capacity(one).is_some_and(|one| Some(one) == capacity(other))
}

fn addresses(text: &str) -> Option<Vec<address::Prefix>> {
    let mut all = address::parse(text).collect::<Result<Vec<_>, _>>().ok()?;
    all.sort_unstable();
    Some(all)
}

fn instructions(text: &str) -> Option<Vec<program::Quad>> {
    let mut all = Vec::new();
    let push = |quad| {
        all.push(quad);
        true
    };
    program::parse(text.as_bytes(), push).ok()?;
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn lists_have_any_order() {
        assert!(same(
            "addr",
            "192.0.2.1, 2001:db8::1",
            "2001:DB8::1,192.0.2.1"
        ));
        assert!(same("addr", "all", "0.0.0.0/0,::/0"));
        assert!(!same("addr", "192.0.2.1", "192.0.2.1,192.0.2.2"));
        assert!(!same("addr", "x,y", "y,x"));
        assert!(!same("other", "192.0.2.1,192.0.2.2", "192.0.2.2,192.0.2.1"));
    }

    #[test]
    fn capacities_have_units() {
        assert!(same("port.3.capacity", "10mbit", "10"));
        assert!(same("port.3.capacity", "10mbit", "10000kbit"));
        assert!(!same("port.3.capacity", "10mbit", "10gbit"));
        assert!(!same("port.3.capacity", "fast", "slow"));
        assert!(!same("port.3.weight", "10mbit", "10"));
    }

    #[test]
    fn programs_have_two_forms() {
        let long = "{ 0x28, 0, 0, 0x0000000c },\n{ 0x6, 0, 0, 0xffffffff },\n";
        let short = "2\n40 0 0 12\n6 0 0 4294967295\n";
        assert!(same("program", long, short));
        assert!(same("program", long, long.trim_end()));
        assert!(!same("program", long, "1\n40 0 0 12\n"));
        assert!(!same("program", long, "40 0 0 12\n"));
        assert!(!same("other", long, short));
        assert!(!same("program", "a", "b"));
        assert!(same("other", "a", "a\n"));
    }
}
