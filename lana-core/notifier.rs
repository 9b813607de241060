// SPDX-License-Identifier: GPL-2.0

//! Events: told to the blocks that are bound or subscribed to where they happen, and to user
//! space by the multicast group `events`.

use crate::{
    block::Process,
    name::Name,
    registry::{Entry, Instance, Registry},
    sys::{
        bindings, genl,
        net::{self, Net},
    },
};

/// What happened; `event-kind` of the netlink specification.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A block was made.
    Added = bindings::LANA_EVENT_KIND_ADDED,
    /// A block is going. Those that were subscribed to it have left already.
    Removed = bindings::LANA_EVENT_KIND_REMOVED,
    /// The block was put on top of the peer.
    Bound = bindings::LANA_EVENT_KIND_BOUND,
    /// The block was taken off the peer.
    Unbound = bindings::LANA_EVENT_KIND_UNBOUND,
    /// The block gets the peer's events from now on.
    Subscribed = bindings::LANA_EVENT_KIND_SUBSCRIBED,
    /// The block gets the peer's events no more.
    Unsubscribed = bindings::LANA_EVENT_KIND_UNSUBSCRIBED,
    /// An option of the block was set.
    OptionSet = bindings::LANA_EVENT_KIND_OPTION_SET,
    /// The device that the block stands for is going.
    DeviceGone = bindings::LANA_EVENT_KIND_DEVICE_GONE,
}

/// What else there is to say of an event.
#[derive(Clone, Copy)]
pub enum About<'a> {
    /// Nothing.
    Nothing,
    /// The option that was set.
    Option(&'a str),
    /// The device that the block stands for.
    Device(&'a Name),
}

/// Something that happened to a block.
pub struct Event<'a> {
    kind: Kind,
    instance: &'a Instance,
    peer: Option<&'a Instance>,
    about: About<'a>,
}

impl<'a> Event<'a> {
    pub(crate) fn new(
        kind: Kind,
        instance: &'a Instance,
        peer: Option<&'a Instance>,
        about: About<'a>,
    ) -> Self {
        Self {
            kind,
            instance,
            peer,
            about,
        }
    }

    /// What happened.
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// The name of the block it happened to.
    pub fn block(&self) -> &str {
        self.instance.name().as_str()
    }
    /// The name of the other block of a binding or a subscription.
    pub fn peer(&self) -> Option<&str> {
        self.peer.map(|peer| peer.name().as_str())
    }
    /// What else there is to say.
    pub fn about(&self) -> About<'a> {
        self.about
    }
}

/// Tells all namespaces that a type can be made from now on, or no more. Sleeps; no graph may be
/// locked.
pub(crate) fn type_changed(name: &Name, added: bool) {
    net::for_each(|graph| {
        let mut state = graph.lock();
        state.events.tell_type(graph.net(), name, added);
    });
}

/// The events of a graph, numbered.
#[derive(Default)]
pub(crate) struct Events {
    seq: u64,
}

impl Events {
    /// Tells of an event at `entry`. What cannot be delivered is lost, and the gap in the numbers
    /// shows it; the change that the event is about has been made in any case. Sleeps.
    pub(crate) fn tell(
        &mut self,
        net: &Net,
        registry: &Registry,
        entry: &Entry,
        event: &Event<'_>,
    ) {
        let process = &Process::new();
        let other = event.peer.and_then(|peer| registry.get(peer.idp()));
        // Both ends of a binding or a subscription hear of it, whatever has become of it.
        for end in [Some(entry), other].into_iter().flatten() {
            if event.peer.is_some() {
                end.instance.object().event(event, process);
            }
        }
        let is_end =
            |idp| Some(idp) == event.peer.map(Instance::idp) || idp == entry.instance.idp();
        for end in [Some(entry), other].into_iter().flatten() {
            for listener in end.listeners(registry) {
                let idp = listener.idp();
                let heard = event.peer.is_some() && is_end(idp)
                    || !core::ptr::eq(end, entry) && entry.is_heard_by(idp);
                if !heard {
                    listener.object().event(event, process);
                }
            }
        }

        let seq = self.number();
        genl::multicast(net, |msg| {
            msg.put_uint(bindings::LANA_A_EVENT_SEQ, seq)?;
            msg.put_u32(bindings::LANA_A_EVENT_KIND, event.kind as u32)?;
            msg.put_str(bindings::LANA_A_EVENT_FB, event.block())?;
            msg.put_u32(bindings::LANA_A_EVENT_IDP, event.instance.idp())?;
            let kind = event.instance.kind().name();
            msg.put_str(bindings::LANA_A_EVENT_TYPE, kind.as_str())?;
            if let Some(peer) = event.peer {
                msg.put_str(bindings::LANA_A_EVENT_PEER, peer.name().as_str())?;
                msg.put_u32(bindings::LANA_A_EVENT_PEER_IDP, peer.idp())?;
            }
            match event.about {
                About::Nothing => Ok(()),
                About::Option(key) => msg.put_str(bindings::LANA_A_EVENT_KEY, key),
                About::Device(name) => msg.put_str(bindings::LANA_A_EVENT_IFNAME, name.as_str()),
            }
        });
    }

    fn tell_type(&mut self, net: &Net, name: &Name, added: bool) {
        let seq = self.number();
        let kind = if added {
            bindings::LANA_EVENT_KIND_TYPE_ADDED
        } else {
            bindings::LANA_EVENT_KIND_TYPE_REMOVED
        };
        genl::multicast(net, |msg| {
            msg.put_uint(bindings::LANA_A_EVENT_SEQ, seq)?;
            msg.put_u32(bindings::LANA_A_EVENT_KIND, kind)?;
            msg.put_str(bindings::LANA_A_EVENT_TYPE, name.as_str())
        });
    }

    fn number(&mut self) -> u64 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }
}
