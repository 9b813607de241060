// SPDX-License-Identifier: GPL-2.0

//! Devices, their addresses and routes, as rtnetlink tells of them.

use netlink_packet_core::{
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NLM_F_DUMP, NLM_F_REQUEST,
};
use netlink_packet_route::{
    address::{AddressAttribute, AddressMessage},
    link::{LinkAttribute, LinkFlags, LinkMessage, Prop},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
    AddressFamily, RouteNetlinkMessage as Message,
};
use netlink_sys::{protocols::NETLINK_ROUTE, Socket, SocketAddr};
use std::{
    io::{self, ErrorKind},
    net::IpAddr,
};

/// What a datagram of a dump fits in.
const DATAGRAM: usize = 64 << 10;

/// A device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    /// Other names that it has.
    pub(super) others: Vec<String>,
    /// The device of the same namespace that it is on top of, as a VLAN device is.
    pub(super) below: Option<u32>,
    pub(super) loopback: bool,
}

/// An address of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) index: u32,
    pub(super) ip: IpAddr,
    pub(super) prefix: u8,
}

/// What there is in a network namespace.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<Address>,
    /// The devices that default routes lead to.
    pub(super) defaults: Vec<u32>,
}

/// A socket of rtnetlink, in the namespace of the thread.
pub(super) struct Routes(Socket);

impl Routes {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Routes(socket))
    }

    /// All that there is.
    pub(super) fn network(&mut self) -> io::Result<Network> {
        let mut network = Network::default();
        for message in self.ask(Message::GetLink(LinkMessage::default()), NLM_F_DUMP)? {
            if let Message::NewLink(message) = message {
                network.links.push(link(message));
            }
        }
        for message in self.ask(Message::GetAddress(AddressMessage::default()), NLM_F_DUMP)? {
            if let Message::NewAddress(message) = message {
                network.addresses.extend(address(&message));
            }
        }
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            for message in self.ask(Message::GetRoute(request), NLM_F_DUMP)? {
                if let Message::NewRoute(message) = message {
                    network.defaults.extend(default_by(&message));
                }
            }
        }
        Ok(network)
    }

    /// The device by which a peer is reached; nothing where there is no way.
    pub(super) fn towards(&mut self, peer: IpAddr) -> io::Result<Option<u32>> {
        let mut request = RouteMessage::default();
        (
            request.header.address_family,
            request.header.destination_prefix_length,
        ) = match peer {
            IpAddr::V4(_) => (AddressFamily::Inet, 32),
            IpAddr::V6(_) => (AddressFamily::Inet6, 128),
        };
        let to = RouteAttribute::Destination(RouteAddress::from(peer));
        request.attributes.push(to);
        let found = self.ask(Message::GetRoute(request), 0)?;
        Ok(found.iter().find_map(|message| match message {
            Message::NewRoute(message) => devices(message).next(),
            _ => None,
        }))
    }

    /// Asks, and takes the answers. An error of the kernel's is an answer without any.
    fn ask(&mut self, request: Message, flags: u16) -> io::Result<Vec<Message>> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(request));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        let mut answers = Vec::new();
        loop {
            let mut datagram = Vec::with_capacity(DATAGRAM);
            match self.0.recv(&mut datagram, 0) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            };
            if take(&datagram, &mut answers) || flags & NLM_F_DUMP == 0 {
                return Ok(answers);
            }
        }
    }
}

/// Takes a datagram apart. Whether it has the end of an answer is the result. What the crate does not
/// understand is left out: devices have attributes of many kinds, none of which matter here.
fn take(datagram: &[u8], answers: &mut Vec<Message>) -> bool {
    let mut rest = datagram;
    while let Some(length) = rest
        .first_chunk()
        .map(|bytes| u32::from_ne_bytes(*bytes) as usize)
    {
        let Some(bytes) = rest.get(..length).filter(|_| length >= 16) else {
            return true;
        };
        if let Ok(message) = NetlinkMessage::<Message>::deserialize(bytes) {
            match message.payload {
                NetlinkPayload::InnerMessage(message) => answers.push(message),
                NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => return true,
                _ => {}
            }
        }
        let step = length.next_multiple_of(4).min(rest.len());
        rest = rest.get(step..).unwrap_or_default();
    }
    false
}

fn link(message: LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        loopback: message.header.flags.contains(LinkFlags::Loopback),
        ..Link::default()
    };
    let mut elsewhere = false;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Link(below) => link.below = Some(below),
            LinkAttribute::LinkNetNsId(_) => elsewhere = true,
            LinkAttribute::PropList(props) => {
                link.others
                    .extend(props.into_iter().filter_map(|prop| match prop {
                        Prop::AltIfName(name) => Some(name),
                        _ => None,
                    }));
            }
            _ => {}
        }
    }
    // That of a tunnel leads to itself.
    if elsewhere || link.below == Some(link.index) {
        link.below = None;
    }
    link
}

/// The local one: that of the peer may be told, too.
fn address(message: &AddressMessage) -> Option<Address> {
    let local = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    };
    let any = |attribute: &AddressAttribute| match attribute {
        AddressAttribute::Address(ip) => Some(*ip),
        _ => None,
    };
    let attributes = &message.attributes;
    let ip = attributes.iter().find_map(local);
    Some(Address {
        index: message.header.index,
        ip: ip.or_else(|| attributes.iter().find_map(any))?,
        prefix: message.header.prefix_len,
    })
}

/// The devices that a route leads to.
fn devices(route: &RouteMessage) -> impl Iterator<Item = u32> + '_ {
    route
        .attributes
        .iter()
        .flat_map(|attribute| match attribute {
            RouteAttribute::Oif(index) => vec![*index],
            RouteAttribute::MultiPath(hops) => hops.iter().map(|hop| hop.interface_index).collect(),
            _ => Vec::new(),
        })
}

/// The same, of a default route.
fn default_by(route: &RouteMessage) -> impl Iterator<Item = u32> + '_ {
    let default =
        route.header.destination_prefix_length == 0 && route.header.kind == RouteType::Unicast;
    devices(route).filter(move |_| default)
}
