// SPDX-License-Identifier: GPL-2.0

//! The edges: where user space and the network stack reach a graph, other than by packets.

mod links;
mod netlink;
mod probes;
mod procfs;
mod sockets;
mod values;
