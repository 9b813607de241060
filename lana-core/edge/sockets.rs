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
        bindings,
        compat::{EADDRINUSE, EAFNOSUPPORT},
        context::Process,
        slot::{Entrance, Idp},
        sock::{self, Socket, SocketBlocks, SocketHandle},
    },
};
use kernel::prelude::*;

/// What the names begin with that any program may give its socket.
const PREFIX: &[u8] = match bindings::LANA_NAME_PREFIX {
    [prefix @ .., 0] => prefix,
    whole => whole,
};

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

    fn rename(graph: &Graph, idp: Idp, name: &[u8], process: &Process) -> Result<(), Failure> {
        // Names of devices and of blocks are the administrator's; no device's name has a colon.
        if !name.starts_with(PREFIX) && !process.is_admin() {
            return Err(EPERM.into());
        }
        let name =
            Name::new(name).map_err(|bad| fail!(EINVAL, "name '{}' {}", Shown(name), bad))?;
        let mut change = Change::new(graph, None);
        change
            .rename(idp, name)
            .and_then(|()| change.commit())
            .map_err(|failure| match failure.error {
                EEXIST => Failure::from(EADDRINUSE),
                _ => failure,
            })
    }

    fn name(graph: &Graph, idp: Idp) -> Option<Name> {
        let state = graph.lock();
        Some(*state.registry.face(idp)?.instance.name())
    }
}

sock::sockets!(Sockets);
