// SPDX-License-Identifier: GPL-2.0

//! Which port a packet goes by: all of `multipath` that does not depend on the kernel.

pub(crate) mod config;
pub(crate) mod echo;
pub(crate) mod flow;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod meter;
pub(crate) mod next_hop;
pub(crate) mod ports;
pub(crate) mod segment;
pub(crate) mod spread;
pub(crate) mod table;

#[cfg(test)]
mod tests;

/// What lists are made of, here and where the tests run.
pub(crate) use super::{address, checksum, headers, option, options, units, words, List};

use config::{Fields, Per, Rules, Strategy};
use flow::{Flow, Fragment, Hosts, Key};
use history::Note;
use meter::{Meter, Pace, SECOND};
use segment::{Carried, Ends};
use spread::{mix, Spread, Usable};
use table::{Placed, Table};

/// How long the parts of a datagram are waited for: what Linux's reassembly waits, in nanoseconds.
const REASSEMBLY: u64 = 30 * SECOND;

/// What there is to decide by.
pub(crate) struct Balance<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) spread: &'a Spread,
    pub(crate) sessions: &'a Table,
    /// What was remembered before the table got another size.
    pub(crate) before: Option<&'a Table>,
    pub(crate) fragments: &'a Table,
    pub(crate) meter: &'a Meter,
    pub(crate) pace: &'a Pace,
    /// Of no places where nobody asks.
    pub(crate) ends: &'a Ends,
}

/// Where a packet goes, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The number of the port.
    pub(crate) number: u16,
    pub(crate) seat: u8,
    pub(crate) why: Why,
    pub(crate) carried: Carried,
}

/// Why a packet goes by a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It goes where what it belongs to goes.
    Stays,
    /// It was chosen for this packet.
    Packet,
    /// It was chosen for what begins with this packet.
    Begins {
        /// Something that was not established had to be forgotten.
        evicts: bool,
    },
    /// It was chosen anew for what this packet belongs to.
    Moves {
        /// The packet before went by another port a moment ago, and may be overtaken.
        reorders: bool,
    },
    /// By its hash, since there was no room to remember it.
    Untracked,
    /// By the hash of its addresses, since it is a part of something whose beginning was not seen.
    Orphan,
}

/// A clock, a hash and a place in the order of turns, which are asked for when they are needed.
pub(crate) trait Source {
    /// Nanoseconds, as the strategy needs them.
    fn now(&self) -> u64;
    /// A hash that nobody else can foresee.
    fn hash(&self, words: &[u64]) -> u64;
    /// The device that the packet came by, for routes; 0 is none.
    fn device(&self) -> u32;
    /// The next turn of this CPU.
    fn packet_turn(&self) -> u64;
    /// The next turn of all.
    fn session_turn(&self) -> u64;
    /// How a key of the history has fared, if that is known.
    fn past(&self, key: u64) -> Option<Carried>;
    /// Notes a packet in the history.
    fn note(&self, key: u64, hosts: Option<Hosts>, note: &Note);
}

impl Balance<'_> {
    /// Decides for a packet of `len` bytes; `flow` reads its headers. `None` when no port can be had. The other result is
    /// for [`watch`](Self::watch), once it is sure that the packet goes there; `None` where nobody watches.
    pub(crate) fn decide(
        &self,
        mut flow: impl FnMut() -> Flow,
        len: u32,
        source: &impl Source,
    ) -> Option<(Way, Option<Flow>)> {
        let watched = self.rules.watches_tcp().then(&mut flow);
        let mut flow = || watched.unwrap_or_else(&mut flow);
        let way = match (self.rules.strategy, self.rules.per) {
            (Strategy::Packet, _) => by(self.spread.turn(source.packet_turn())?, Why::Packet),
            (Strategy::Bandwidth | Strategy::Utilisation, Per::Packet) => {
                by(self.roomiest()?, Why::Packet)
            }
            (Strategy::Route, _) => {
                let flow = flow();
                let key = flow.route(self.rules.route_key, source.device());
                self.place(&flow, &key, source)?
            }
            _ => self.session(&flow(), source)?,
        };
        if self.is_measured() {
            self.meter.sent(way.seat, len);
        }
        Some((way, watched))
    }

    /// Sees whether a packet that goes its way is sent again, and notes it in the history.
    pub(crate) fn watch(&self, flow: &Flow, way: &mut Way, len: u32, source: &impl Source) {
        if let Some(segment) = &flow.segment {
            let connection = source.hash(flow.session(Fields::L4).words());
            way.carried = self.ends.carry(connection, segment);
        }
        if self.rules.history.0 == 0 {
            return;
        }
        let note = Note {
            seat: way.seat,
            bytes: len,
            carried: way.carried,
            now: source.now(),
        };
        let pair = source.hash(flow.pair().words());
        source.note(at(pair, way.seat), Some(flow.hosts()), &note);
        if self.rules.strategy == Strategy::Loss && way.carried.data > 0 {
            let destination = source.hash(flow.destination().words());
            source.note(at(destination, way.seat), None, &note);
        }
    }

    /// Where the least is sent again: to the destination, if that is known, or else altogether.
    fn most_reliable(&self, flow: &Flow, hash: u64, source: &impl Source) -> Option<&Usable> {
        let destination = source.hash(flow.destination().words());
        self.spread.least(hash, |seat| {
            let past = source.past(at(destination, seat));
            past.unwrap_or_else(|| self.meter.carried(seat)).lost()
        })
    }

    /// Whether it wants to see the packets that come in by a port.
    pub(crate) fn learns(&self) -> bool {
        self.rules.learn && self.rules.remembers()
    }

    /// Learns from a packet that came in by the port at a seat: what is sent in answer leaves by that port, unless
    /// the session has a port already. Says whether there is a new session, and then whether another one had to be
    /// forgotten for it.
    pub(crate) fn learn(&self, flow: &Flow, seat: u8, source: &impl Source) -> Option<bool> {
        if !flow.has_answer() || self.spread.at(seat).is_none() {
            return None;
        }
        let hash = source.hash(flow.reversed().session(self.rules.key).words());
        let (now, expiry) = (source.now(), self.rules.expiry_ns());
        let usable = |seat| self.spread.at(seat).is_some();
        let before = self.before.and_then(|table| table.seat(hash, now, expiry));
        if before.is_some_and(usable) && self.sessions.seat(hash, now, expiry).is_none() {
            return None;
        }
        self.sessions.learn(hash, seat, now, expiry, usable)
    }

    /// Whether choices are made by what is used.
    fn is_measured(&self) -> bool {
        matches!(
            self.rules.strategy,
            Strategy::Bandwidth | Strategy::Utilisation
        )
    }

    fn roomiest(&self) -> Option<&Usable> {
        let used = |seat| self.meter.used(seat, self.pace);
        match self.rules.strategy {
            Strategy::Utilisation => self.spread.least_utilised(used),
            _ => self.spread.most_unused(used),
        }
    }

    /// By session, of which the parts of a datagram go where its first one went.
    fn session(&self, flow: &Flow, source: &impl Source) -> Option<Way> {
        match flow.fragment {
            // All parts have the addresses.
            _ if self.rules.key.l3 => self.whole(flow, source),
            Fragment::No => self.whole(flow, source),
            Fragment::First(id) => {
                let way = self.whole(flow, source)?;
                let datagram = source.hash(flow.datagram(id).words());
                self.fragments
                    .put(datagram, way.seat, source.now(), REASSEMBLY);
                Some(way)
            }
            Fragment::Later(id) => {
                let datagram = source.hash(flow.datagram(id).words());
                let seat = self.fragments.seat(datagram, source.now(), REASSEMBLY);
                if let Some(port) = seat.and_then(|seat| self.spread.at(seat)) {
                    return Some(by(port, Why::Stays));
                }
                let hash = source.hash(flow.session(self.rules.key).words());
                Some(by(self.spread.rendezvous(hash)?, Why::Orphan))
            }
        }
    }

    fn whole(&self, flow: &Flow, source: &impl Source) -> Option<Way> {
        let key = flow.session(self.rules.key);
        if self.rules.strategy == Strategy::Hash {
            let hash = source.hash(key.words());
            return Some(by(self.spread.rendezvous(hash)?, Why::Packet));
        }
        self.place(flow, &key, source)
    }

    /// By what is remembered of a key.
    fn place(&self, flow: &Flow, key: &Key, source: &impl Source) -> Option<Way> {
        let (hash, now) = (source.hash(key.words()), source.now());
        let (expiry, gap) = (self.rules.expiry_ns(), self.rules.gap_ns());
        let may_move = self.rules.strategy == Strategy::Flowlet;
        let keep = |seat, age| self.spread.at(seat).is_some() && !(may_move && age >= gap);
        let choose = |is_new| {
            let before = self.before.filter(|_| is_new);
            let before = before.and_then(|table| table.seat(hash, now, expiry));
            if let Some(seat) = before.filter(|&seat| self.spread.at(seat).is_some()) {
                return Some(seat);
            }
            let port = match self.rules.strategy {
                Strategy::Bandwidth | Strategy::Utilisation => self.roomiest(),
                Strategy::Loss => self.most_reliable(flow, hash, source),
                _ => self.spread.turn(source.session_turn()),
            };
            port.map(|port| port.seat)
        };
        let (seat, why) = match self.sessions.place(hash, now, expiry, keep, choose) {
            Placed::Stays(seat) => (seat, Why::Stays),
            Placed::Begins(seat, evicts) => (seat, Why::Begins { evicts }),
            Placed::Moves(from, to, age) => {
                let reorders = from != to && age < gap;
                (to, Why::Moves { reorders })
            }
            Placed::Full => return Some(by(self.spread.rendezvous(hash)?, Why::Untracked)),
            Placed::None => return None,
        };
        // Where two CPUs bring the first packet of a session, one of them finds what the other has
        // chosen, by ports that may be newer.
        match self.spread.at(seat) {
            Some(port) => Some(by(port, why)),
            None => Some(by(self.spread.rendezvous(hash)?, Why::Untracked)),
        }
    }
}

impl Way {
    /// That of a packet for which nothing is chosen.
    pub(crate) fn stays(port: &Usable) -> Self {
        by(port, Why::Stays)
    }
}

fn by(port: &Usable, why: Why) -> Way {
    Way {
        number: port.number,
        seat: port.seat,
        why,
        carried: Carried::default(),
    }
}

/// The key of a record, of those hosts at a seat; never 0.
fn at(hash: u64, seat: u8) -> u64 {
    mix(hash ^ u64::from(seat)) | 1
}
