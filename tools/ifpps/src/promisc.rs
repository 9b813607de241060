// SPDX-License-Identifier: GPL-2.0

//! Promiscuous mode, for as long as we live: the only place with `unsafe`.
#![expect(unsafe_code, reason = "rustix has no membership of packet sockets")]

use anyhow::{Context, Result};
use lana_cli::denied;
use lana_netlink::errno_text;
use rustix::net::{socket, AddressFamily, SocketType};
use std::{
    io, mem,
    os::fd::{AsRawFd, OwnedFd},
};

/// A packet socket that receives nothing. The kernel counts who wants a device to be promiscuous, and
/// takes it back when the socket is closed, however we end.
pub(crate) struct Promiscuous {
    _socket: OwnedFd,
}

impl Promiscuous {
    /// Of the device of an index.
    pub(crate) fn new(name: &str, index: u32) -> Result<Self> {
        let failed = |error: &io::Error| {
            let rights = match error.kind() {
                io::ErrorKind::PermissionDenied => " (needs CAP_NET_RAW)",
                _ => "",
            };
            denied(format!("promiscuous mode: {}{rights}", errno_text(error)))
        };
        // Protocol 0: no packet comes to it.
        let socket = socket(AddressFamily::PACKET, SocketType::RAW, None);
        let socket = socket
            .map_err(|error| failed(&error.into()))
            .with_context(|| name.to_owned())?;
        let request = libc::packet_mreq {
            mr_ifindex: index.try_into().unwrap_or_default(),
            mr_type: libc::PACKET_MR_PROMISC.try_into().unwrap_or_default(),
            mr_alen: 0,
            mr_address: [0; 8],
        };
        let len = mem::size_of_val(&request).try_into().unwrap_or_default();
        // SAFETY: the socket is open, the request is readable and as long as is said.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_ADD_MEMBERSHIP,
                (&raw const request).cast(),
                len,
            )
        };
        if result == 0 {
            return Ok(Self { _socket: socket });
        }
        Err(failed(&io::Error::last_os_error())).with_context(|| name.to_owned())
    }
}
