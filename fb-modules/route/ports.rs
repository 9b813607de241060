// SPDX-License-Identifier: GPL-2.0

//! What the ports below lead to, and the next hops behind them.

use lana::prelude::*;

use super::{rule::To, List};
use address::Address;
use core::net::IpAddr;

/// A port below.
#[derive(Clone)]
pub(crate) struct Below {
    pub(crate) idp: u32,
    /// The Ethernet address of the device.
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) mtu: u32,
    /// The stations behind the device.
    pub(crate) link: Option<Arc<Link>>,
}

impl Below {
    fn is(&self, peer: &Peer<'_>) -> bool {
        let same_device = match (&self.link, peer.device) {
            (Some(link), Some(device)) => link.device().is(device),
            (None, None) => true,
            _ => false,
        };
        same_device && (self.idp, self.mac, self.mtu) == (peer.idp, peer.address, peer.mtu)
    }

    fn new(peer: &Peer<'_>, process: &Process) -> Result<Self> {
        let link = |device| Arc::new(Link::new(device, process), GFP_KERNEL);
        Ok(Self {
            idp: peer.idp,
            mac: peer.address,
            mtu: peer.mtu,
            link: peer.device.map(link).transpose()?,
        })
    }
}

/// All of them, in the order of their numbers.
pub(crate) struct Ports(pub(crate) List<Below>);

impl Ports {
    /// Whether these lead to just these blocks and devices.
    pub(crate) fn are(&self, peers: &[Peer<'_>]) -> bool {
        self.0.len() == peers.len() && self.0.iter().zip(peers).all(|(port, peer)| port.is(peer))
    }

    /// Those that do. What stays keeps its link.
    pub(crate) fn follow(&self, peers: &[Peer<'_>], process: &Process) -> Result<Self> {
        let mut ports = List::with_capacity(peers.len(), GFP_KERNEL)?;
        for peer in peers {
            let old = self.0.iter().find(|port| port.is(peer));
            let port = match old {
                Some(old) => old.clone(),
                None => Below::new(peer, process)?,
            };
            ports.push(port, GFP_KERNEL)?;
        }
        Ok(Self(ports))
    }
}

pub(crate) fn ip(address: Address) -> IpAddr {
    match address {
        Address::V4(address) => IpAddr::V4(address.into()),
        Address::V6(address) => IpAddr::V6(address.into()),
    }
}

/// Where routes lead.
#[derive(Clone)]
pub(crate) struct Hop {
    /// None where the place is free.
    pub(crate) to: Option<To>,
    /// The router that packets are sent to, where one is named and its port leads to a device.
    pub(crate) router: Option<Arc<NextHop>>,
}

impl Hop {
    /// Finds its router: that which it has, if that is still the one.
    pub(crate) fn find_router(&mut self, ports: &Ports, process: &Process) -> Result<(), Failure> {
        let (device, via) = match self.to {
            Some(To::Port(port, Some(via))) => {
                let link = ports
                    .0
                    .get(usize::from(port))
                    .and_then(|port| port.link.as_ref());
                (link.map(|link| link.device()), Some(ip(via)))
            }
            _ => (None, None),
        };
        let (Some(device), Some(via)) = (device, via) else {
            self.router = None;
            return Ok(());
        };
        let is_same = |router: &Arc<NextHop>| router.device().is(device) && router.address() == via;
        if !self.router.as_ref().is_some_and(is_same) {
            self.router = Some(Arc::new(NextHop::new(device, via, process)?, GFP_KERNEL)?);
        }
        Ok(())
    }
}
