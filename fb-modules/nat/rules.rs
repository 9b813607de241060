// SPDX-License-Identifier: GPL-2.0

//! What packets are translated by, and why one is not.

use super::{
    session::{Endpoint, Entry, Flow, Protocol, CLASSES},
    setting::{Pool, Ports, Target},
};

/// What packets are translated by.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Rules {
    pub(crate) source: Option<Pool>,
    pub(crate) ports: Ports,
    pub(crate) dest: Option<Target>,
    /// The one port that is for `dest`.
    pub(crate) dest_port: Option<u16>,
    /// Whoever knows an endpoint outside may send to it.
    pub(crate) open: bool,
    pub(crate) timeouts: [u64; CLASSES],
    /// The most sessions.
    pub(crate) limit: u32,
}

impl Rules {
    pub(crate) fn is_over(&self, entry: &Entry, now: u64) -> bool {
        let timeout = self.timeouts.get(entry.class as usize).copied();
        now.saturating_sub(entry.used) >= timeout.unwrap_or(0)
    }

    /// Where a packet from outside goes that belongs to nothing.
    pub(crate) fn target(&self, flow: &Flow) -> Option<Endpoint> {
        let target = self.dest?;
        let has_ports = matches!(flow.protocol, Protocol::Tcp | Protocol::Udp);
        let of_ports = target.port.is_some() || self.dest_port.is_some();
        if has_ports {
            if self.dest_port.is_some_and(|port| port != flow.own.port) {
                return None;
            }
        } else if of_ports || flow.protocol != Protocol::QueryIn {
            return None;
        }
        if self
            .source
            .is_some_and(|pool| !pool.contains(flow.own.address))
        {
            return None;
        }
        let port = target.port.filter(|_| has_ports).unwrap_or(flow.own.port);
        let address = target.address;
        Some(Endpoint { address, port })
    }
}

/// Why a packet is not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is none of the block's business.
    Untouched,
    /// It belongs to no session, and may begin none.
    Unsolicited,
    /// There is room for no more sessions.
    Full,
    /// No port outside is free.
    NoPort,
    NoMemory,
    /// The address has none on the other side.
    Unmappable,
    /// A later fragment of a datagram whose first is not known.
    Fragment,
    Unsupported,
    Malformed,
}
