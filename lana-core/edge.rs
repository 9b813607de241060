// SPDX-License-Identifier: GPL-2.0

//! The edges: where user space and the network stack reach a graph, other than by packets.

mod control;
mod links;
mod probes;
mod procfs;
mod sockets;
