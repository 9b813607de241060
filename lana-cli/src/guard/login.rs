// SPDX-License-Identifier: GPL-2.0

//! The connection by which one is logged in: that which `SSH_CONNECTION` tells of, here or in a process
//! that has started this one (`sudo` forgets it), or a TCP connection that one of these holds.

use std::{
    env,
    ffi::OsStr,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::ffi::OsStrExt,
};

/// A connection from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    /// Whose.
    pub(super) by: &'static str,
    pub(super) peer: IpAddr,
    /// The address at this end.
    pub(super) local: IpAddr,
    /// The device, where an address is one of a link.
    pub(super) device: Option<String>,
}

/// More ancestors than anybody has.
const GENERATIONS: usize = 64;

/// The connection, if there is one.
pub(super) fn login() -> Option<Login> {
    if let Some(login) = env::var("SSH_CONNECTION").ok().as_deref().and_then(ssh) {
        return Some(login);
    }
    let ancestors = ancestors();
    let told = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let value = environment
            .split(|byte| *byte == 0)
            .find_map(|entry| entry.strip_prefix(b"SSH_CONNECTION="))?;
        ssh(std::str::from_utf8(value).ok()?)
    };
    ancestors
        .iter()
        .find_map(told)
        .or_else(|| ancestors.iter().find_map(|pid| tcp(*pid)))
}

/// The processes that have started this one, the nearest first.
fn ancestors() -> Vec<u32> {
    let mut found = Vec::new();
    let mut pid = std::process::id();
    for _ in 0..GENERATIONS {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        match stat.ok().as_deref().and_then(parent) {
            Some(parent @ 2..) => pid = parent,
            _ => break,
        }
        found.push(pid);
    }
    found
}

/// The parent, in `/proc/PID/stat`. The name before it may have any characters.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// `PEER PORT LOCAL PORT`
fn ssh(text: &str) -> Option<Login> {
    let mut words = text.split_whitespace();
    let (peer, local) = (words.next()?, words.nth(1)?);
    let ip = |text: &str| -> Option<IpAddr> {
        let text = text.split('%').next()?;
        Some(text.parse::<IpAddr>().ok()?.to_canonical())
    };
    Some(Login {
        by: "ssh",
        peer: ip(peer)?,
        local: ip(local)?,
        device: peer.split_once('%').map(|(_, zone)| zone.to_owned()),
    })
}

/// A connection that a process holds, with somebody elsewhere.
fn tcp(pid: u32) -> Option<Login> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        inodes.extend(inode(target.as_os_str()));
    }
    if inodes.is_empty() {
        return None;
    }
    ["tcp", "tcp6"].iter().find_map(|table| {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok()?;
        table.lines().find_map(|line| established(line, &inodes))
    })
}

/// The number in `socket:[NUMBER]`
fn inode(link: &OsStr) -> Option<u64> {
    let number = link
        .as_bytes()
        .strip_prefix(b"socket:[")?
        .strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// A line of `/proc/net/tcp`, of an established connection that is one of these sockets.
fn established(line: &str, inodes: &[u64]) -> Option<Login> {
    let mut words = line.split_whitespace().skip(1);
    let (local, peer, state) = (words.next()?, words.next()?, words.next()?);
    let inode: u64 = words.nth(5)?.parse().ok()?;
    let (local, peer) = (address(local)?, address(peer)?);
    let ours = state == "01" && inodes.contains(&inode) && !peer.is_loopback();
    ours.then_some(Login {
        by: "TCP",
        peer,
        local,
        device: None,
    })
}

/// `ADDRESS:PORT`: words of 32 bits in hexadecimal, in the order of bytes of this machine.
fn address(text: &str) -> Option<IpAddr> {
    let (address, _) = text.split_once(':')?;
    let mut bytes = Vec::new();
    for start in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(|v4| IpAddr::V4(Ipv4Addr::from(v4)));
    let v6 = <[u8; 16]>::try_from(bytes.as_slice()).map(|v6| IpAddr::V6(Ipv6Addr::from(v6)));
    v4.or(v6).ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_says_who() {
        let login = ssh("192.0.2.9 40000 192.0.2.5 22").unwrap();
        assert_eq!(login.peer.to_string(), "192.0.2.9");
        assert_eq!(login.local.to_string(), "192.0.2.5");
        assert_eq!(login.device, None);
        let login = ssh("fe80::9%eth0 40000 fe80::5%eth0 22").unwrap();
        assert_eq!(login.device.as_deref(), Some("eth0"));
        for text in ["", "192.0.2.9", "a 1 b 2", "192.0.2.9 40000"] {
            assert_eq!(ssh(text), None, "{text}");
        }
    }

    #[test]
    fn parents_are_found_behind_any_name() {
        assert_eq!(parent("7 (a) b) c) S 42 7 7"), Some(42));
        assert_eq!(parent("7 (a"), None);
        assert!(!ancestors().is_empty());
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn connections_are_read() {
        let line = "   3: 050200C0:0016 090200C0:9C40 01 00000000:00000000 02:000A 00000000     0        0 77 2 0";
        let login = established(line, &[1, 77]).unwrap();
        assert_eq!(
            (login.by, login.peer.to_string().as_str()),
            ("TCP", "192.0.2.9")
        );
        assert_eq!(established(line, &[78]), None);
        assert_eq!(established(&line.replace(" 01 ", " 0A "), &[77]), None);
        let mapped = address("0000000000000000FFFF0000090200C0:0016").unwrap();
        assert_eq!(mapped.to_string(), "192.0.2.9");
        assert_eq!(address("0102:0016"), None);
        assert_eq!(inode(OsStr::new("socket:[77]")), Some(77));
        assert_eq!(inode(OsStr::new("pipe:[77]")), None);
    }
}
