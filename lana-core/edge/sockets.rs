// SPDX-License-Identifier: GPL-2.0

//! Sockets: each gets a block when it is opened, and gives it a name.

use crate::{
    base::{
        error::Failure,
        name::{Name, Shown},
    },
    fail,
    graph::{block::Maker, change::Change, types, Graph},
    packet::entrance::Ppe,
    sys::{
        compat::EAFNOSUPPORT,
        slot::{Entrance, Idp},
        sock::{self, Socket, SocketBlocks, SocketHandle},
    },
};
use kernel::prelude::*;

/// The blocks of sockets.
struct Sockets;

impl SocketBlocks for Sockets {
    type Datapath = Ppe;
    type Graph = Graph;

    fn datapath(graph: &Graph) -> &Ppe {
        graph.ppe()
    }

    fn open(
        graph: &Graph,
        socket: Socket,
        handle: SocketHandle,
    ) -> Result<(Idp, Entrance<Ppe>), Failure> {
        let kind = types::loaded(|by| by == Maker::Socket).ok_or(EAFNOSUPPORT)?;
        let mut change = Change::new(graph, None);
        let block = change.add_socket(socket, handle, kind)?;
        change.commit()?;
        Ok(block)
    }

    fn rename(graph: &Graph, idp: Idp, name: &[u8]) -> Result<(), Failure> {
        let name =
            Name::new(name).map_err(|bad| fail!(EINVAL, "name '{}' {}", Shown(name), bad))?;
        let mut change = Change::new(graph, None);
        change.rename(idp, name)?;
        change.commit()
    }

    fn name(graph: &Graph, idp: Idp) -> Option<Name> {
        let state = graph.lock();
        Some(*state.registry.face(idp)?.instance.name())
    }
}

sock::sockets!(Sockets);
