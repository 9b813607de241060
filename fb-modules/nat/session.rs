// SPDX-License-Identifier: GPL-2.0

//! A session: what it is between, what has been heard of it, and how long it lasts.

use super::slab::{Node, NONE};

/// What can have sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Protocol {
    Tcp = 6,
    Udp = 17,
    /// A query of ICMP from inside, with its identifier for a port inside; and its reply.
    Query = 1,
    /// A query from outside, with its identifier for a port outside; and its reply.
    QueryIn = 2,
}

/// An address, with a port or an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) address: u32,
    pub(crate) port: u16,
}

impl Endpoint {
    pub(crate) const NONE: Self = Self {
        address: 0,
        port: 0,
    };

    pub(crate) fn word(self) -> u64 {
        u64::from(self.address) << 16 | u64::from(self.port)
    }
}

/// What a packet belongs to: on this side of the block, inside for what goes out, outside for what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) protocol: Protocol,
    pub(crate) own: Endpoint,
    pub(crate) remote: Endpoint,
}

/// What a packet says of its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(pub(crate) u8);

impl Flags {
    pub(crate) const FIN: u8 = 1;
    pub(crate) const SYN: u8 = 2;
    pub(crate) const RST: u8 = 4;
    pub(crate) const ACK: u8 = 16;

    pub(crate) fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// The classes of sessions. Each has a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Class {
    /// Nobody has answered yet, or the initiator has not said that he heard it.
    TcpOpening,
    TcpEstablished,
    TcpClosing,
    /// Nobody has answered yet.
    UdpNew,
    Udp,
    Icmp,
}

pub(crate) const CLASSES: usize = 6;

impl Class {
    /// Those whose oldest session goes when there is no room.
    pub(crate) const FIRST_TO_GO: [Self; 3] = [Self::TcpOpening, Self::UdpNew, Self::Icmp];

    fn name(self) -> &'static str {
        match self {
            Self::TcpOpening => "opening",
            Self::TcpEstablished => "established",
            Self::TcpClosing => "closing",
            Self::UdpNew => "new",
            Self::Udp | Self::Icmp => "open",
        }
    }
}

/// What has been seen of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen(pub(crate) u8);

impl Seen {
    /// The session began outside.
    pub(crate) const INBOUND: u8 = 1;
    /// Both sides have been heard.
    const ANSWERED: u8 = 2;
    const FIN_OUT: u8 = 4;
    const FIN_IN: u8 = 8;
    const RST_OUT: u8 = 16;
    const RST_IN: u8 = 32;
    const BOTH_FINS: u8 = Self::FIN_OUT | Self::FIN_IN;
}

/// What an entry of the slab is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Free,
    /// With the number of its sessions.
    Mapping(u32),
    /// With its mapping, or [`NONE`].
    Session(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) links: [u32; 2],
    /// The neighbours in the list of the class.
    pub(crate) before: u32,
    pub(crate) behind: u32,
    pub(crate) kind: Kind,
    pub(crate) inside: Endpoint,
    pub(crate) outside: Endpoint,
    pub(crate) remote: Endpoint,
    pub(crate) protocol: Protocol,
    pub(crate) class: Class,
    pub(crate) seen: Seen,
    pub(crate) used: u64,
}

impl Node for Entry {
    const EMPTY: Self = Self {
        links: [NONE; 2],
        before: NONE,
        behind: NONE,
        kind: Kind::Free,
        inside: Endpoint::NONE,
        outside: Endpoint::NONE,
        remote: Endpoint::NONE,
        protocol: Protocol::Tcp,
        class: Class::Udp,
        seen: Seen(0),
        used: 0,
    };

    #[inline]
    fn links(&self) -> &[u32; 2] {
        &self.links
    }

    #[inline]
    fn links_mut(&mut self) -> &mut [u32; 2] {
        &mut self.links
    }
}

impl Entry {
    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.kind, Kind::Mapping(_))
    }

    /// The endpoint by which an index finds it.
    pub(crate) fn own(&self, outward: bool) -> Endpoint {
        if outward {
            self.inside
        } else {
            self.outside
        }
    }
}

/// A session, to be shown.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) protocol: Protocol,
    pub(crate) inside: Endpoint,
    pub(crate) outside: Endpoint,
    pub(crate) remote: Endpoint,
    pub(crate) state: &'static str,
    pub(crate) used: u64,
    pub(crate) class: Class,
}

impl Entry {
    pub(crate) fn shown(&self) -> Shown {
        Shown {
            protocol: self.protocol,
            inside: self.inside,
            outside: self.outside,
            remote: self.remote,
            state: self.class.name(),
            used: self.used,
            class: self.class,
        }
    }

    /// A packet of it is heard.
    pub(crate) fn hear(&mut self, outward: bool, flags: Flags) {
        let by_initiator = outward != (self.seen.0 & Seen::INBOUND != 0);
        if !by_initiator {
            self.seen.0 |= Seen::ANSWERED;
        }
        let is_answered = self.seen.0 & Seen::ANSWERED != 0;
        self.class = match self.class {
            Class::UdpNew if is_answered => Class::Udp,
            Class::UdpNew | Class::Udp | Class::Icmp => self.class,
            _ => self.hear_tcp(outward, by_initiator, is_answered, flags),
        };
    }

    /// The same of TCP. The timeouts are those of RFC 5382: an established connection is one that both sides have
    /// agreed to; all others are transitory.
    fn hear_tcp(
        &mut self,
        outward: bool,
        by_initiator: bool,
        is_answered: bool,
        flags: Flags,
    ) -> Class {
        let (fin, rst) = if outward {
            (Seen::FIN_OUT, Seen::RST_OUT)
        } else {
            (Seen::FIN_IN, Seen::RST_IN)
        };
        if flags.has(Flags::RST) {
            self.seen.0 |= rst;
            return Class::TcpClosing;
        }
        if flags.has(Flags::SYN) {
            // A new connection after another one.
            let is_over = self.class == Class::TcpClosing && !flags.has(Flags::ACK);
            if is_over {
                let inbound = if outward { 0 } else { Seen::INBOUND };
                self.seen.0 = inbound;
            }
            return if is_over {
                Class::TcpOpening
            } else {
                self.class
            };
        }
        if flags.has(Flags::FIN) {
            self.seen.0 |= fin;
        }
        let is_closing = self.seen.0 & Seen::BOTH_FINS == Seen::BOTH_FINS;
        match self.class {
            _ if is_closing => Class::TcpClosing,
            Class::TcpOpening if by_initiator && is_answered && flags.has(Flags::ACK) => {
                Class::TcpEstablished
            }
            // Who goes on has not sent the reset himself.
            Class::TcpClosing if self.seen.0 & rst != 0 => {
                self.seen.0 &= !(Seen::RST_OUT | Seen::RST_IN);
                Class::TcpEstablished
            }
            class => class,
        }
    }
}
