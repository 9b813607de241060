// SPDX-License-Identifier: GPL-2.0

//! Sockets for control messages: frames on a device, or UDP.

use crate::config::{Channel, Peer};
use anyhow::{Context, Result};
use lana_channel::{ETHER_TYPE, MESSAGE_MAX, UDP_PORT};
use lana_cli::kernel;
use lana_socket::{abi::LinkAddress, sys};
use libc::{sock_filter, AF_PACKET, ETH_P_ALL, PACKET_IGNORE_OUTGOING, SOL_PACKET};
use rustix::{
    fd::{AsFd, OwnedFd},
    net::{
        bind, connect, netdevice::name_to_index, socket_with, sockopt, AddressFamily, SocketFlags,
        SocketType,
    },
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};
use tokio::{
    net::UdpSocket,
    sync::{mpsc::UnboundedSender, OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};

/// Addresses and an EtherType.
const ETHERNET: usize = 14;

/// So many messages of a socket wait at most. The kernel drops those that come then.
const WAITING: usize = 64;

/// A message has come.
#[derive(Debug)]
pub struct Came {
    /// To which channel.
    pub name: String,
    /// The message.
    pub bytes: Vec<u8>,
    /// It waits as long as this is there.
    _place: OwnedSemaphorePermit,
}

/// A socket, and a task that reads from it.
#[derive(Debug)]
pub(super) struct Link {
    /// It may be a packet socket: sending and receiving are the same.
    socket: Arc<UdpSocket>,
    /// What frames begin with.
    header: Vec<u8>,
    /// The number that the kernel has for the device of frames.
    device: Option<u32>,
    reader: JoinHandle<()>,
}

impl Link {
    pub(super) fn open<M: From<Came> + Send + 'static>(
        name: &str,
        config: &Channel,
        to: UnboundedSender<M>,
    ) -> Result<Self> {
        let peer = config.peer().map_err(lana_cli::usage)?;
        let device = index(config);
        let opened = match peer {
            Peer::Ethernet(address) => frames(&config.device, address),
            Peer::Ip(address) => datagrams(address).map(|socket| (socket, Vec::new())),
        };
        let about = || match peer {
            Peer::Ethernet(_) => config.device.clone(),
            Peer::Ip(_) => format!("UDP port {UDP_PORT}"),
        };
        let (socket, header) = opened.map_err(|error| kernel(&about(), &error))?;
        let socket = UdpSocket::from_std(socket.into()).with_context(about)?;
        let socket = Arc::new(socket);
        let (name, from, skip) = (name.to_owned(), socket.clone(), header.len());
        let places = Arc::new(Semaphore::new(WAITING));
        let reader = tokio::spawn(async move {
            let mut bytes = vec![0; ETHERNET + MESSAGE_MAX + 64];
            loop {
                // An error is that of a message before: the other host is not there yet.
                let Ok(length) = from.recv(&mut bytes).await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let Ok(place) = places.clone().acquire_owned().await else {
                    return;
                };
                let came = Came {
                    name: name.clone(),
                    bytes: bytes.get(skip..length).unwrap_or_default().to_vec(),
                    _place: place,
                };
                if to.send(came.into()).is_err() {
                    return;
                }
            }
        });
        Ok(Link {
            socket,
            header,
            device,
            reader,
        })
    }

    /// Whether the device of the channel is another one now, of the same name.
    pub(super) fn is_of_another(&self, config: &Channel) -> bool {
        let now = index(config);
        now.is_some() && now != self.device
    }

    /// Sends a message. One that cannot be sent is one that is lost.
    pub(super) fn send(&self, message: &[u8]) {
        let frame = [&self.header, message].concat();
        let _ = self.socket.try_send(&frame);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The number of the device, if messages are frames on it.
fn index(config: &Channel) -> Option<u32> {
    let Ok(Peer::Ethernet(_)) = config.peer() else {
        return None;
    };
    let flags = SocketFlags::CLOEXEC;
    let any = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None).ok()?;
    name_to_index(any, &config.device).ok()
}

fn datagrams(to: IpAddr) -> io::Result<OwnedFd> {
    let (family, any) = match to {
        IpAddr::V4(_) => (AddressFamily::INET, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        IpAddr::V6(_) => (AddressFamily::INET6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
    // Each channel has a socket of its own, which gets the messages of its host.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddr::new(any, UDP_PORT))?;
    connect(&socket, &SocketAddr::new(to, UDP_PORT))?;
    Ok(socket)
}

/// A socket for frames of our EtherType, which come before the graph gets them.
fn frames(device: &str, to: [u8; 6]) -> io::Result<(OwnedFd, Vec<u8>)> {
    let number = |number: i32| u16::try_from(number).unwrap_or_default();
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let any = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let index = name_to_index(any, device)?;
    let family = number(AF_PACKET);
    let socket = socket_with(
        AddressFamily::from_raw(family),
        SocketType::RAW,
        flags,
        None,
    )?;
    // ldh [12]; jeq #ours, 0, 1; ret #all; ret #0
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let program = [
        instruction(0x28, 0, 0, 12),
        instruction(0x15, 0, 1, ETHER_TYPE.into()),
        instruction(0x06, 0, 0, u32::MAX),
        instruction(0x06, 0, 0, 0),
    ];
    sys::attach_filter(socket.as_fd(), &program)?;
    sys::set_option(
        socket.as_fd(),
        SOL_PACKET,
        PACKET_IGNORE_OUTGOING,
        &1_u32.to_ne_bytes(),
    )?;
    let address = LinkAddress {
        family,
        protocol: number(ETH_P_ALL).to_be_bytes(),
        ifindex: i32::try_from(index).unwrap_or_default(),
        ..LinkAddress::default()
    };
    sys::bind(socket.as_fd(), &address.encode())?;
    let mut bytes = [0; 32];
    sys::name(socket.as_fd(), &mut bytes)?;
    let own = LinkAddress::decode(&bytes).map_or([0; 6], |address| address.addr);
    let header = [&to[..], &own[..], &ETHER_TYPE.to_be_bytes()[..]].concat();
    Ok((socket, header))
}
