// SPDX-License-Identifier: GPL-2.0

//! The state of network devices, which rtnetlink tells.

use crate::{
    error::Error,
    message::split,
    socket::{KernelSocket, Transport},
    wire::{attributes, text, DecodeError},
};
use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR, NLM_F_DUMP, NLM_F_REQUEST};
use std::{collections::HashMap, io};

// From linux/rtnetlink.h, linux/if_link.h and linux/if.h.
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTNLGRP_LINK: u32 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
const IFF_UP: u32 = 1;
const IFF_LOWER_UP: u32 = 1 << 16;
/// Length of a netlink header.
const HEADER: usize = 16;
/// Length of a `struct ifinfomsg`, and where the device's number and its flags are.
const IFINFO: usize = 16;
const INDEX: usize = 4;
const FLAGS: usize = 8;
const ENOBUFS: i32 = 105;

/// What a device can do for packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkState {
    /// It is up and has a carrier.
    Up,
    /// It is up and has no carrier.
    NoCarrier,
    /// It is down.
    Down,
}

impl LinkState {
    fn of(flags: u32) -> Self {
        match (flags & IFF_UP != 0, flags & IFF_LOWER_UP != 0) {
            (false, _) => LinkState::Down,
            (true, false) => LinkState::NoCarrier,
            (true, true) => LinkState::Up,
        }
    }
}

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its number in the network namespace.
    pub index: u32,
    /// What it can do for packets.
    pub state: LinkState,
    /// How long packets may be behind their Ethernet header.
    pub mtu: u32,
}

/// All devices of the network namespace, by name.
pub fn devices() -> Result<HashMap<String, Link>, Error> {
    let mut socket = KernelSocket::route().map_err(Error::Socket)?;
    read_links(&mut socket)
}

/// The state of all devices of the network namespace, by name.
pub fn links() -> Result<HashMap<String, LinkState>, Error> {
    let devices = devices()?.into_iter();
    Ok(devices.map(|(name, link)| (name, link.state)).collect())
}

fn read_links(transport: &mut dyn Transport) -> Result<HashMap<String, Link>, Error> {
    transport.send(&request()).map_err(Error::Socket)?;
    let mut links = HashMap::new();
    loop {
        let datagram = transport.receive().map_err(Error::Socket)?;
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let (message, after) = split(rest)?;
            rest = after;
            match message.message_type() {
                NLMSG_DONE => return Ok(links),
                NLMSG_ERROR => {
                    let number = message.payload().first_chunk().copied();
                    let number = number.map_or(0, i32::from_ne_bytes);
                    let error = io::Error::from_raw_os_error(number.saturating_neg());
                    return Err(Error::Socket(error));
                }
                RTM_NEWLINK => links.extend(link(message.payload())?),
                _ => {}
            }
        }
    }
}

/// Asks for all devices, without their counters.
fn request() -> Vec<u8> {
    let attribute = [8_u16, IFLA_EXT_MASK];
    let length = 40_u32;
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(RTM_GETLINK.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes.resize(HEADER + IFINFO, 0);
    bytes.extend(attribute.iter().flat_map(|half| half.to_ne_bytes()));
    bytes.extend(RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    bytes
}

/// A device, and its name.
fn link(payload: &[u8]) -> Result<Option<(String, Link)>, DecodeError> {
    let number = |at| payload.get(at..).and_then(<[u8]>::first_chunk);
    let number = |at| number(at).map(|bytes| u32::from_ne_bytes(*bytes));
    let (Some(index), Some(flags), Some(attrs)) =
        (number(INDEX), number(FLAGS), payload.get(IFINFO..))
    else {
        return Err(DecodeError::new("a device without its flags"));
    };
    let (mut found, mut mtu) = (None, 0);
    for attribute in attributes(attrs) {
        match attribute? {
            (IFLA_IFNAME, name) => found = Some(text(name).into_owned()),
            (IFLA_MTU, value) => {
                mtu = value
                    .first_chunk()
                    .map_or(0, |mtu| u32::from_ne_bytes(*mtu));
            }
            _ => {}
        }
    }
    let state = LinkState::of(flags);
    Ok(found.map(|name| (name, Link { index, state, mtu })))
}

/// Hears when devices of the network namespace change.
pub struct LinkStream(KernelSocket);

impl LinkStream {
    /// Begins to listen.
    pub fn open() -> Result<Self, Error> {
        let mut socket = KernelSocket::route().map_err(Error::Socket)?;
        socket.join(RTNLGRP_LINK).map_err(Error::Socket)?;
        Ok(LinkStream(socket))
    }

    /// Waits until something about a device changes: what, [`links`] tells.
    pub fn wait(&mut self) -> Result<(), Error> {
        match self.0.receive() {
            // So much has changed that there was no room to say it.
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => Ok(()),
            other => other.map(|_| ()).map_err(Error::Socket),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    struct Kernel(VecDeque<Vec<u8>>);

    impl Transport for Kernel {
        fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
            assert_eq!(datagram.len(), 40);
            Ok(())
        }
        fn receive(&mut self) -> io::Result<Vec<u8>> {
            Ok(self.0.pop_front().unwrap())
        }
        fn join(&mut self, _: u32) -> io::Result<()> {
            Ok(())
        }
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(HEADER + body.len())
            .unwrap()
            .to_ne_bytes()
            .to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEADER, 0);
        bytes.extend(body);
        bytes
    }

    fn device(name: &str, flags: u32) -> Vec<u8> {
        let mut body = vec![0; IFINFO];
        body[INDEX] = 7;
        body[FLAGS..FLAGS + 4].copy_from_slice(&flags.to_ne_bytes());
        body.extend([8_u16, IFLA_MTU].iter().flat_map(|half| half.to_ne_bytes()));
        body.extend(1500_u32.to_ne_bytes());
        body.extend(u16::try_from(4 + name.len()).unwrap().to_ne_bytes());
        body.extend(IFLA_IFNAME.to_ne_bytes());
        body.extend(name.bytes());
        message(RTM_NEWLINK, &body)
    }

    #[test]
    fn states_are_read() {
        let first = [
            device("eth0", IFF_UP | IFF_LOWER_UP),
            device("wan0", IFF_UP),
        ]
        .concat();
        let second = [device("lan0", IFF_LOWER_UP), message(NLMSG_DONE, &[0; 4])].concat();
        let links = read_links(&mut Kernel([first, second].into())).unwrap();
        assert_eq!(links.len(), 3);
        assert_eq!(links["eth0"].state, LinkState::Up);
        assert_eq!((links["eth0"].index, links["eth0"].mtu), (7, 1500));
        assert_eq!(links["wan0"].state, LinkState::NoCarrier);
        assert_eq!(links["lan0"].state, LinkState::Down);
    }

    #[test]
    fn refusals_and_nonsense_are_errors() {
        let denied = message(NLMSG_ERROR, &(-1_i32).to_ne_bytes());
        let error = read_links(&mut Kernel([denied].into())).unwrap_err();
        assert!(error.to_string().contains("not permitted"), "{error}");
        let short = message(RTM_NEWLINK, &[0; 4]);
        assert!(read_links(&mut Kernel([short].into())).is_err());
    }
}
