// SPDX-License-Identifier: GPL-2.0

//! Events: told to the blocks that are bound or subscribed to where they happen, and to user
//! space by the multicast group `events`.

use super::{
    registry::{Face, Instance, Registry},
    Graph,
};
use crate::{
    base::name::Name,
    packet::stats::Alarm,
    sys::{
        bindings,
        context::{cond_resched, Process},
        genl::message,
        net::{self, Net},
        netdev::DeviceName,
        slot::Idp,
        watch,
    },
};
use core::fmt;
use kernel::{prelude::*, str::CString, sync::Arc};

/// How many bytes of a block's text are told.
const NOTICE: usize = 255;

/// What happened; `event-kind` of the netlink specification.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A block was made.
    Added = bindings::LANA_EVENT_KIND_ADDED,
    /// A block has gone.
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
    /// The device that the block stood for has gone.
    DeviceGone = bindings::LANA_EVENT_KIND_DEVICE_GONE,
    /// The block took the place of the peer.
    Replaced = bindings::LANA_EVENT_KIND_REPLACED,
    /// The device that the block stands for has another name.
    DeviceRenamed = bindings::LANA_EVENT_KIND_DEVICE_RENAMED,
    /// The device that the block stands for was brought up.
    DeviceUp = bindings::LANA_EVENT_KIND_DEVICE_UP,
    /// The device that the block stands for was brought down.
    DeviceDown = bindings::LANA_EVENT_KIND_DEVICE_DOWN,
    /// Somebody has replaced the program by which frames of its device enter.
    XdpReplaced = bindings::LANA_EVENT_KIND_XDP_REPLACED,
    /// The block uses its port to the peer again.
    PortUp = bindings::LANA_EVENT_KIND_PORT_UP,
    /// The block does not use its port to the peer any more.
    PortDown = bindings::LANA_EVENT_KIND_PORT_DOWN,
    /// Packets were dropped at the block since they had passed too many blocks or devices.
    HopLimit = bindings::LANA_EVENT_KIND_HOP_LIMIT,
    /// Packets were dropped at the block since too many were made of one.
    Backlog = bindings::LANA_EVENT_KIND_BACKLOG,
    /// The block has something to tell.
    Notice = bindings::LANA_EVENT_KIND_NOTICE,
    /// The block has another name.
    Renamed = bindings::LANA_EVENT_KIND_RENAMED,
}

/// What else there is to say of an event.
pub enum About {
    /// The option that was set.
    Option(CString),
    /// The device that the block stands for.
    Device(DeviceName),
    /// How many packets were dropped.
    Packets(u64),
    /// What the block has to tell.
    Text(CString),
}

/// Something that happened to a block. Small, as a transaction notes one for each operation.
pub struct Event {
    /// Whom it happened to.
    block: Arc<Instance>,
    /// The other one.
    peer: Option<Arc<Instance>>,
    about: Option<KBox<About>>,
    /// Of both.
    idps: [Idp; 2],
    kind: Kind,
}

impl Event {
    /// An event of the block behind `idp`, and of the one behind `peer` where it is about two.
    pub(crate) fn new(
        registry: &Registry,
        kind: Kind,
        idp: Idp,
        peer: Option<Idp>,
        about: Option<About>,
    ) -> Result<Self> {
        let instance = |idp| registry.face(idp).map(|face| face.instance.clone());
        Ok(Self {
            block: instance(idp).ok_or(ENOENT)?,
            peer: peer.and_then(instance),
            about: about
                .map(|about| KBox::new(about, GFP_KERNEL))
                .transpose()?,
            idps: [idp, peer.unwrap_or(0)],
            kind,
        })
    }

    /// What happened.
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// The name of the block it happened to.
    pub fn block(&self) -> &str {
        self.block.name().as_str()
    }
    /// The name of the other block of a binding, a subscription or a replacement.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_ref().map(|peer| peer.name().as_str())
    }
    /// What else there is to say.
    pub fn about(&self) -> Option<&About> {
        self.about.as_deref()
    }
}

/// Tells all namespaces that a type can be made from now on, or no more. Sleeps; no graph may be
/// locked.
pub(crate) fn type_changed(name: &Name, added: bool) {
    net::for_each(|graph: &Graph| {
        let mut state = graph.lock();
        state.events.tell_type(graph.net(), name, added);
    });
}

/// The events of a graph, numbered.
#[derive(Default)]
pub(crate) struct Events {
    seq: u64,
    /// The drops that alarms have told of, by kind.
    alarmed: [u64; Alarm::ALL.len()],
}

impl Events {
    /// Tells of an event: the two blocks it is about, where it is about two, and all that were
    /// bound or subscribed to one of them before the change or are after it; and user space. What
    /// cannot be delivered there is lost, and the gap in the numbers shows it; the change that the
    /// event is about has been made in any case. Sleeps.
    pub(crate) fn tell(&mut self, net: &Net, registry: &Registry, event: &Event) {
        let process = &Process::new();
        cond_resched(process);
        let mark = registry.new_mark();
        let hear = |idp: Idp| {
            if let Some(face) = registry.face(idp).or_else(|| registry.before(idp)) {
                face.block.object().event(event, process);
            }
        };
        let [idp, other] = event.idps;
        let ends = || [idp, other].into_iter().filter(|idp| *idp != 0);
        for idp in ends() {
            registry.set_mark(idp, mark);
            if other != 0 {
                hear(idp);
            }
        }
        for idp in ends() {
            let faces = [registry.face(idp), registry.before(idp)];
            for listener in faces.into_iter().flatten().flat_map(Face::listeners) {
                if !registry.set_mark(listener, mark) {
                    hear(listener);
                }
            }
        }

        watch::changed(net, event.kind as u32, event.block(), idp, other);
        let seq = self.number();
        message::multicast(net, |msg| {
            msg.put_uint(bindings::LANA_A_EVENT_SEQ, seq)?;
            msg.put_u32(bindings::LANA_A_EVENT_KIND, event.kind as u32)?;
            msg.put_str(bindings::LANA_A_EVENT_FB, event.block())?;
            msg.put_u32(bindings::LANA_A_EVENT_IDP, idp)?;
            let kind = event.block.kind().name();
            msg.put_str(bindings::LANA_A_EVENT_TYPE, kind.as_str())?;
            if let Some(peer) = event.peer() {
                msg.put_str(bindings::LANA_A_EVENT_PEER, peer)?;
                msg.put_u32(bindings::LANA_A_EVENT_PEER_IDP, other)?;
            }
            match event.about() {
                None => Ok(()),
                Some(About::Option(key)) => {
                    msg.put_text(bindings::LANA_A_EVENT_KEY, key.to_bytes())
                }
                Some(About::Device(name)) => {
                    msg.put_text(bindings::LANA_A_EVENT_IFNAME, name.as_bytes())
                }
                Some(About::Packets(n)) => msg.put_uint(bindings::LANA_A_EVENT_PACKETS, *n),
                Some(About::Text(text)) => {
                    msg.put_text(bindings::LANA_A_EVENT_TEXT, shortened(text))
                }
            }
        });
    }

    /// Tells of what has happened to the device of a block.
    pub(crate) fn tell_device(&mut self, net: &Net, registry: &Registry, kind: Kind, idp: Idp) {
        let Some(face) = registry.face(idp) else {
            return;
        };
        let Some(hook) = &face.hook else { return };
        let about = About::Device(hook.ifname());
        match Event::new(registry, kind, idp, None, Some(about)) {
            Ok(event) => self.tell(net, registry, &event),
            // The gap shows that one was lost.
            Err(_) => _ = self.number(),
        }
    }

    /// Tells of the drops of a kind, `total` by now, that have not been told of yet.
    pub(crate) fn tell_alarm(
        &mut self,
        net: &Net,
        registry: &Registry,
        alarm: Alarm,
        total: u64,
        idp: Idp,
    ) {
        let told = self.alarmed.get_mut(alarm as usize);
        let Some(told) = told.filter(|told| **told != total) else {
            return;
        };
        let kind = match alarm {
            Alarm::HopLimit => Kind::HopLimit,
            Alarm::Backlog => Kind::Backlog,
        };
        let about = About::Packets(total.wrapping_sub(*told));
        // Where the block has gone, the next alarm counts these as well.
        if let Ok(event) = Event::new(registry, kind, idp, None, Some(about)) {
            *told = total;
            self.tell(net, registry, &event);
        }
    }

    /// Tells what blocks have to tell. Sleeps.
    pub(crate) fn tell_notices(&mut self, net: &Net, registry: &Registry) {
        let process = &Process::new();
        for (idp, face) in registry.iter() {
            if !face.instance.kind().notifies() {
                continue;
            }
            let tell = &mut |text: fmt::Arguments<'_>| {
                let about = CString::try_from_fmt(text).map(|text| Some(About::Text(text)));
                match about.and_then(|about| Event::new(registry, Kind::Notice, idp, None, about)) {
                    Ok(event) => self.tell(net, registry, &event),
                    // The gap shows that one was lost.
                    Err(_) => _ = self.number(),
                }
            };
            face.block.object().notices(tell, process);
        }
    }

    fn tell_type(&mut self, net: &Net, name: &Name, added: bool) {
        let seq = self.number();
        let kind = if added {
            bindings::LANA_EVENT_KIND_TYPE_ADDED
        } else {
            bindings::LANA_EVENT_KIND_TYPE_REMOVED
        };
        message::multicast(net, |msg| {
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

/// As much of a text as a message has room for.
fn shortened(text: &CString) -> &[u8] {
    let bytes = text.to_bytes();
    match text.to_str() {
        Ok(text) => {
            let most = (0..=NOTICE.min(text.len())).rev();
            let mut ends = most.filter(|&end| text.is_char_boundary(end));
            ends.next().and_then(|end| bytes.get(..end)).unwrap_or(&[])
        }
        Err(_) => &[],
    }
}
