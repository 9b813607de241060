// SPDX-License-Identifier: GPL-2.0

//! One end: what goes out, what comes in, and what the ends say to each other.
//!
//! An end sends in a session, and the other one accepts it by a token, which it makes anew for each. So nothing of
//! a session that has ended is accepted again, and nobody needs a clock or a memory that outlives the end. See
//! Documentation/blocks.md.

use super::{
    header::{Header, Kind, Map},
    receiver::{Come, Receiver, Waiting},
    sender::{Added, Entry, Heard, Sender},
    Bounds, HashKey, List,
};

/// Numbers that nobody can guess.
struct Names {
    key: HashKey,
    made: u64,
}

impl Names {
    /// The next one, which is not 0.
    fn make(&mut self) -> u32 {
        loop {
            self.made = self.made.wrapping_add(1);
            let name = self.key.hash(&[self.made]) as u32;
            if name != 0 {
                return name;
            }
        }
    }
}

/// What an end wants to do.
pub(crate) enum Action<'a, T> {
    /// This goes on, in order.
    Deliver(T),
    /// This is sent, by this header.
    Send(Header, &'a mut T),
    /// So is a packet of the end itself, with this map.
    Control(Header, Map),
}

pub(crate) struct End<T> {
    names: Names,
    pub(crate) sender: Sender<T>,
    pub(crate) receiver: Receiver<T>,
    /// A session that is to be given a token; 0 is none.
    asks: u32,
    /// How many packets of its own it has sent.
    pub(crate) controls: u64,
}

fn stamp(now: u64) -> u32 {
    (now / 1000) as u32
}

impl<T> End<T> {
    /// One with empty entries and slots, [`MOST`](super::MOST) of each.
    pub(crate) fn new(entries: List<Entry<T>>, slots: List<Waiting<T>>, key: HashKey) -> Self {
        let mut names = Names { key, made: 0 };
        let (session, token) = (names.make(), names.make());
        Self {
            names,
            sender: Sender::new(entries, session),
            receiver: Receiver::new(slots, token),
            asks: 0,
            controls: 0,
        }
    }

    fn header(&self, kind: Kind, sequence: u32, urgent: bool, now: u64) -> Header {
        let Self {
            sender, receiver, ..
        } = self;
        Header {
            kind,
            urgent,
            session: sender.session,
            token: sender.token,
            sequence,
            first: sender.first(),
            stamp: stamp(now),
            acked: receiver.session,
            ack: receiver.next,
            echo: receiver.echo,
        }
    }

    /// A packet is to be sent for which the [sender](Sender::has_room) has room: the header that it is to have, if it is
    /// to be sent at once.
    pub(crate) fn send(&mut self, data: T, len: u32, now: u64, bounds: &Bounds) -> Option<Header> {
        let Added::Now(sequence) = self.sender.add(data, len, now, bounds) else {
            return None;
        };
        let urgent = self.sender.is_urgent(bounds);
        let header = self.header(Kind::Data, sequence, urgent, now);
        self.receiver.acknowledged(false);
        Some(header)
    }

    /// A packet has come, of so many bytes. `map` is that of an acknowledgement, and `make` makes what is kept of it.
    pub(crate) fn come(
        &mut self,
        header: &Header,
        map: Option<&Map>,
        len: u32,
        (now, bounds): (u64, &Bounds),
        make: impl FnOnce() -> Option<T>,
    ) -> Come {
        let says = matches!(header.kind, Kind::Data | Kind::Ack);
        if says && header.acked == self.sender.session {
            let ago = u64::from(stamp(now).wrapping_sub(header.echo)).wrapping_mul(1000);
            let heard = Heard {
                ack: header.ack,
                map,
                ago,
            };
            self.sender.acknowledge(&heard, now);
        }
        let is_known = header.session != 0 && header.session == self.receiver.session;
        match header.kind {
            Kind::Data => {
                let token = self.names.make();
                let receiver = &mut self.receiver;
                let come = receiver.come(header, len, (now, bounds), token, make);
                if come == Come::Stale {
                    self.asks = header.session;
                }
                return come;
            }
            Kind::Ack if is_known => {
                self.receiver.stamp(header.stamp);
                self.receiver.skip(header.first, now);
                if header.urgent {
                    self.receiver.ack_at = 0;
                }
            }
            // One that is known has a token.
            Kind::Ask if !is_known => self.asks = header.session,
            Kind::Answer if header.acked == self.sender.session => {
                let session = self.names.make();
                self.sender.answered(header.token, session, now);
            }
            _ => {}
        }
        Come::Control
    }

    /// What is to be done next; nothing before the [deadline](Self::deadline).
    pub(crate) fn act(&mut self, now: u64, bounds: &Bounds) -> Option<Action<'_, T>> {
        self.receiver.look(now, bounds);
        if self.receiver.has_ready() {
            if let Some(data) = self.receiver.deliver() {
                return Some(Action::Deliver(data));
            }
        }
        if self.asks != 0 {
            let asks = core::mem::take(&mut self.asks);
            let header = self.header(Kind::Answer, self.sender.next, false, now);
            let header = Header {
                token: self.receiver.token,
                acked: asks,
                ..header
            };
            return Some(self.control(header, Map::EMPTY));
        }
        if self.sender.tells(now, bounds) {
            let (kind, map) = match self.sender.token {
                0 => (Kind::Ask, Map::EMPTY),
                _ => (Kind::Ack, self.receiver.map()),
            };
            if kind == Kind::Ack {
                self.receiver.acknowledged(true);
            }
            let header = self.header(kind, self.sender.next, true, now);
            return Some(self.control(header, map));
        }
        if let Some(sequence) = self.sender.due(now, bounds) {
            let header = self.header(Kind::Data, sequence, true, now);
            self.receiver.acknowledged(false);
            let data = self.sender.data(sequence)?;
            return Some(Action::Send(header, data));
        }
        if now >= self.receiver.ack_at {
            let map = self.receiver.map();
            self.receiver.acknowledged(true);
            let header = self.header(Kind::Ack, self.sender.next, false, now);
            return Some(self.control(header, map));
        }
        None
    }

    fn control(&mut self, header: Header, map: Map) -> Action<'_, T> {
        self.controls = self.controls.wrapping_add(1);
        Action::Control(header, map)
    }

    /// When there is something to do.
    pub(crate) fn deadline(&self, bounds: &Bounds) -> u64 {
        if self.asks != 0 || self.receiver.has_ready() {
            return 0;
        }
        let Self {
            sender, receiver, ..
        } = self;
        let first = sender.deadline().min(receiver.ack_at);
        first.min(receiver.missing_until(bounds))
    }
}
