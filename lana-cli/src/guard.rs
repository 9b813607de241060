// SPDX-License-Identifier: GPL-2.0

//! Refuses to hook a device that this host itself uses: who does that by mistake is cut off.

mod login;
mod network;

use crate::plan::{Hook, Named};
use login::Login;
use network::{Link, Network, Routes};
use std::{fmt, io, net::IpAddr};

/// A change would cut off the host.
#[derive(Debug)]
pub struct CutOff {
    /// Which of the changes that were to be made together, from 0.
    pub change: usize,
    text: String,
}

impl std::error::Error for CutOff {}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What may be done about it.
const ADVICE: &str =
    "Linux would lose that; add unclaimed=stack (share it), --confirm 60 (try it) \
    or --yes (hook it anyway)";

/// Looks at devices that are to be hooked. `hooked` are those that are already: they lose nothing.
pub(crate) fn check<'a>(
    hooks: impl Iterator<Item = &'a Hook>,
    hooked: &[u32],
) -> io::Result<Option<CutOff>> {
    let mut routes = Routes::open()?;
    let network = routes.network()?;
    let login = login::login();
    // A connection of another namespace is not ours to cut: its own address is not here.
    let here = |login: &Login| network.addresses.iter().any(|a| a.ip == login.local);
    let way = match &login {
        Some(login) if here(login) => way(login, &network, &mut routes)?,
        _ => None,
    };
    let way = way.zip(login.as_ref());
    for hook in hooks {
        let Some(link) = network.links.iter().find(|link| is(link, &hook.device)) else {
            continue; // The kernel says so.
        };
        if link.loopback || hooked.contains(&link.index) {
            continue;
        }
        let losses = losses(&network, link, hook.xdp, way);
        if !losses.is_empty() {
            let what = listed(&losses);
            return Ok(Some(CutOff {
                change: hook.change,
                text: format!("{} has {what}: {ADVICE}", link.name),
            }));
        }
    }
    Ok(None)
}

/// The device by which a connection goes.
fn way(login: &Login, network: &Network, routes: &mut Routes) -> io::Result<Option<u32>> {
    let by_name = login.device.as_ref().and_then(|name| {
        let link = network.links.iter().find(|link| link.name == *name)?;
        Some(link.index)
    });
    match by_name {
        Some(index) => Ok(Some(index)),
        None => routes.towards(login.peer),
    }
}

fn is(link: &Link, device: &Named) -> bool {
    match device {
        Named::Name(name) => link.name == *name || link.others.contains(name),
        Named::Index(index) => link.index == *index,
    }
}

/// What a device has that the host uses. With XDP all that is on top of it loses its packets, too.
fn losses(network: &Network, link: &Link, xdp: bool, way: Option<(u32, &Login)>) -> Vec<String> {
    let mut devices = vec![link];
    let mut at = 0;
    while let Some(below) = devices.get(at).filter(|_| xdp) {
        let above = network
            .links
            .iter()
            .filter(|l| l.below == Some(below.index));
        let above: Vec<_> = above.filter(|l| !devices.contains(l)).collect();
        devices.extend(above);
        at += 1;
    }
    let mut losses = Vec::new();
    for device in devices {
        let of = |what: String| {
            if device.index == link.index {
                what
            } else {
                format!("{what} of {}", device.name)
            }
        };
        let addresses = network.addresses.iter().filter(|a| a.index == device.index);
        let addresses = addresses.filter(|a| !is_of_link(a.ip));
        losses.extend(addresses.map(|a| of(format!("{}/{}", a.ip, a.prefix))));
        if network.defaults.contains(&device.index) {
            losses.push(of("the default route".to_owned()));
        }
        if let Some((_, login)) = way.filter(|(index, _)| *index == device.index) {
            let text = format!("your {} connection from {}", login.by, login.peer);
            losses.push(of(text));
        }
    }
    losses
}

/// Every device has one, used or not.
fn is_of_link(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// `a`, `a and b`, `a, b, and c`.
fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [one, other] => format!("{one} and {other}"),
        [before @ .., last] => format!("{}, and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use network::Address;

    fn link(index: u32, name: &str, below: Option<u32>) -> Link {
        Link {
            index,
            name: name.into(),
            below,
            ..Link::default()
        }
    }

    fn address(index: u32, ip: &str, prefix: u8) -> Address {
        Address {
            index,
            ip: ip.parse().unwrap(),
            prefix,
        }
    }

    fn network() -> Network {
        Network {
            links: vec![
                link(1, "eth0", None),
                link(2, "eth0.10", Some(1)),
                link(3, "eth1", None),
            ],
            addresses: vec![
                address(1, "192.0.2.5", 24),
                address(1, "fe80::5", 64),
                address(2, "2001:db8::5", 64),
                address(3, "fe80::6", 64),
            ],
            defaults: vec![1],
        }
    }

    #[test]
    fn what_is_lost_is_listed() {
        let network = network();
        let login = Login {
            by: "ssh",
            peer: "192.0.2.9".parse().unwrap(),
            local: "192.0.2.5".parse().unwrap(),
            device: None,
        };
        let [eth0, vlan, eth1] = [0, 1, 2].map(|at| &network.links[at]);
        let said = |link, xdp, way: Option<u32>| {
            listed(&losses(
                &network,
                link,
                xdp,
                way.map(|index| (index, &login)),
            ))
        };
        assert_eq!(
            said(eth0, false, Some(1)),
            "192.0.2.5/24, the default route, and your ssh connection from 192.0.2.9"
        );
        assert_eq!(
            said(eth0, false, None),
            "192.0.2.5/24 and the default route"
        );
        assert_eq!(said(vlan, false, None), "2001:db8::5/64");
        assert_eq!(
            said(eth0, true, Some(2)),
            "192.0.2.5/24, the default route, 2001:db8::5/64 of eth0.10, and \
             your ssh connection from 192.0.2.9 of eth0.10"
        );
        assert_eq!(said(eth1, true, Some(1)), "");
    }

    #[test]
    fn devices_have_many_names() {
        let mut eth0 = link(7, "eth0", None);
        eth0.others.push("enp1s0".into());
        for device in [
            Named::Name("eth0".into()),
            Named::Name("enp1s0".into()),
            Named::Index(7),
        ] {
            assert!(is(&eth0, &device));
        }
        assert!(!is(&eth0, &Named::Name("eth1".into())));
    }
}
