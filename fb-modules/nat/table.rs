// SPDX-License-Identifier: GPL-2.0

//! Sessions: what an endpoint inside, which has another address and port outside, has to do with an endpoint out there.
//!
//! An endpoint inside has one *mapping* per protocol, to one endpoint outside, whoever it speaks to (RFC 4787, 4.1). The
//! mapping lives as long as any session of it. Sessions that begin outside, by the option `dest`, have no mapping. Both
//! are entries of one slab, and of two hash tables: by the endpoint inside, and by that outside.
//!
//! Sessions are in the list of their class, in the order of their last packets. So those whose time is over are in front,
//! and so is the one that has to go when there is no room.

use super::{
    rules::{Rules, Why},
    session::{Class, Endpoint, Entry, Flags, Flow, Kind, Protocol, Seen, Shown, CLASSES},
    setting::{Pool, Ports},
    slab::{Index, Node, Slab, NONE},
    HashKey, List,
};

/// A packet of a session that comes so soon after another one does not move the session, in nanoseconds.
const SOON: u64 = 1 << 27;

/// How many ports are tried for a new mapping.
const TRIES: u32 = 128;

/// How many sessions whose time is over end with a new one, at most.
const REAPED: u32 = 8;

/// What an entry is found by, in one of the two indexes.
#[derive(Clone, Copy)]
struct Key {
    flow: Flow,
    outward: bool,
    is_mapping: bool,
}

impl Key {
    fn session(outward: bool, flow: Flow) -> Self {
        Self {
            flow,
            outward,
            is_mapping: false,
        }
    }

    fn mapping(outward: bool, protocol: Protocol, own: Endpoint) -> Self {
        let remote = Endpoint::NONE;
        Self {
            flow: Flow {
                protocol,
                own,
                remote,
            },
            outward,
            is_mapping: true,
        }
    }

    /// Whether it is that of the entry.
    #[inline]
    fn is_of(&self, entry: &Entry) -> bool {
        entry.own(self.outward) == self.flow.own
            && entry.remote == self.flow.remote
            && entry.protocol == self.flow.protocol
            && entry.is_mapping() == self.is_mapping
    }

    #[inline]
    fn hash(&self, key: &HashKey) -> u64 {
        let kind = u64::from(self.is_mapping) << 8 | self.flow.protocol as u64;
        key.hash(&[
            self.flow.own.word() | kind << 48,
            self.flow.remote.word() | u64::from(self.outward) << 48,
        ])
    }
}

/// Sessions of a class.
#[derive(Clone, Copy)]
struct Queue {
    first: u32,
    last: u32,
}

/// All sessions of a block.
pub(crate) struct Table {
    slab: Slab<Entry>,
    /// By the endpoint outside; by that inside.
    indexes: [Index; 2],
    key: HashKey,
    queues: [Queue; CLASSES],
    sessions: u32,
    pub(crate) created: u64,
    pub(crate) evicted: u64,
}

/// What a table for more sessions needs.
pub(crate) struct Memory {
    pub(crate) chunks: List<List<Entry>>,
    pub(crate) heads: [List<u32>; 2],
}

impl Memory {
    /// How many chunks and heads: each session may have a mapping of its own.
    pub(crate) fn sizes(limit: u32) -> (usize, usize) {
        let heads = Index::heads(limit);
        // As many as the heads are for, since only their number says whether the table is large enough.
        let entries = (heads as u32).saturating_mul(2);
        (Slab::<Entry>::chunks(entries), heads)
    }
}

impl Table {
    pub(crate) fn new(memory: Memory, key: HashKey) -> Self {
        let [outside, inside] = memory.heads;
        let empty = Queue {
            first: NONE,
            last: NONE,
        };
        Self {
            slab: Slab::new(memory.chunks),
            indexes: [Index::new(outside, 0), Index::new(inside, 1)],
            key,
            queues: [empty; CLASSES],
            sessions: 0,
            created: 0,
            evicted: 0,
        }
    }

    /// Whether it has room for as many sessions.
    pub(crate) fn is_for(&self, limit: u32) -> bool {
        let (_, heads) = Memory::sizes(limit);
        self.indexes.iter().all(|index| index.len() >= heads)
    }

    /// Becomes larger, and gives back what is not needed any more.
    pub(crate) fn grow(&mut self, memory: Memory) -> Memory {
        let chunks = self.slab.grow(memory.chunks);
        let [outside, inside] = memory.heads;
        let [by_outside, by_inside] = &mut self.indexes;
        let heads = [by_outside.replace(outside), by_inside.replace(inside)];
        for number in 0..self.slab.end() {
            let entry = self.slab.get(number).copied();
            if let Some(entry) = entry.filter(|entry| entry.kind != Kind::Free) {
                self.link(number, &entry);
            }
        }
        Memory { chunks, heads }
    }

    /// How many sessions there are, those whose time is over among them.
    pub(crate) fn sessions(&self) -> u32 {
        self.sessions
    }

    fn keys(entry: &Entry) -> [Key; 2] {
        let is_mapping = entry.is_mapping();
        [false, true].map(|outward| Key {
            flow: Flow {
                protocol: entry.protocol,
                own: entry.own(outward),
                remote: entry.remote,
            },
            outward,
            is_mapping,
        })
    }

    fn link(&mut self, number: u32, entry: &Entry) {
        for (index, key) in self.indexes.iter_mut().zip(Self::keys(entry)) {
            index.insert(&mut self.slab, key.hash(&self.key), number);
        }
    }

    #[inline]
    fn find(&self, key: Key) -> Option<u32> {
        let index = self.indexes.get(usize::from(key.outward))?;
        index.find(&self.slab, key.hash(&self.key), |entry| key.is_of(entry))
    }

    // --- Lists ---

    fn append(&mut self, number: u32) {
        let Some(entry) = self.slab.get_mut(number) else {
            return;
        };
        let Some(queue) = self.queues.get_mut(entry.class as usize) else {
            return;
        };
        let last = core::mem::replace(&mut queue.last, number);
        (entry.before, entry.behind) = (last, NONE);
        match self.slab.get_mut(last) {
            Some(last) => last.behind = number,
            None => queue.first = number,
        }
    }

    fn take_out(&mut self, number: u32) {
        let Some(&entry) = self.slab.get(number) else {
            return;
        };
        let Some(queue) = self.queues.get_mut(entry.class as usize) else {
            return;
        };
        match self.slab.get_mut(entry.before) {
            Some(before) => before.behind = entry.behind,
            None => queue.first = entry.behind,
        }
        match self.slab.get_mut(entry.behind) {
            Some(behind) => behind.before = entry.before,
            None => queue.last = entry.before,
        }
    }

    // --- Ends ---

    fn remove(&mut self, number: u32) {
        let Some(&entry) = self.slab.get(number) else {
            return;
        };
        for (index, key) in self.indexes.iter_mut().zip(Self::keys(&entry)) {
            index.remove(&mut self.slab, key.hash(&self.key), number);
        }
        self.slab.remove(number);
    }

    /// Ends a session, and its mapping with the last one.
    fn end(&mut self, number: u32) {
        let Some(&Entry {
            kind: Kind::Session(mapping),
            ..
        }) = self.slab.get(number)
        else {
            return;
        };
        self.take_out(number);
        self.remove(number);
        self.sessions = self.sessions.saturating_sub(1);
        let Some(entry) = self.slab.get_mut(mapping) else {
            return;
        };
        if let Kind::Mapping(sessions) = &mut entry.kind {
            *sessions = sessions.saturating_sub(1);
            if *sessions == 0 {
                self.remove(mapping);
            }
        }
    }

    /// Ends sessions whose time is over. Says how many.
    pub(crate) fn reap(&mut self, rules: &Rules, now: u64, most: u32) -> u32 {
        let mut ended = 0u32;
        for class in 0..CLASSES {
            while ended < most {
                let first = self.queues.get(class).map_or(NONE, |queue| queue.first);
                let is_over = |entry| rules.is_over(entry, now);
                if !self.slab.get(first).is_some_and(is_over) {
                    break;
                }
                self.end(first);
                ended = ended.wrapping_add(1);
            }
        }
        ended
    }

    /// Ends the oldest session that nobody has answered.
    fn evict(&mut self) -> bool {
        let firsts = Class::FIRST_TO_GO.map(|class| {
            let first = self.queues.get(class as usize).map_or(NONE, |q| q.first);
            (self.slab.get(first).map_or(u64::MAX, |e| e.used), first)
        });
        let Some((used, first)) = firsts.into_iter().min() else {
            return false;
        };
        if used == u64::MAX {
            return false;
        }
        self.end(first);
        self.evicted = self.evicted.wrapping_add(1);
        true
    }

    // --- Packets ---

    /// The session of a packet, which goes on with it.
    #[inline]
    fn go_on(
        &mut self,
        outward: bool,
        flow: &Flow,
        flags: Flags,
        rules: &Rules,
        now: u64,
    ) -> Option<Entry> {
        let number = self.find(Key::session(outward, *flow))?;
        let entry = self.slab.get_mut(number)?;
        if rules.is_over(entry, now) {
            self.end(number);
            return None;
        }
        let class = entry.class;
        entry.hear(outward, flags);
        let next = entry.class;
        if class != next || now.saturating_sub(entry.used) >= SOON {
            entry.used = now;
            // It is in the list of the class that it was in.
            entry.class = class;
            self.take_out(number);
            self.slab.get_mut(number)?.class = next;
            self.append(number);
        }
        self.slab.get(number).copied()
    }

    /// Room for one session more.
    fn make_room(&mut self, rules: &Rules, now: u64) -> Result<(), Why> {
        self.reap(rules, now, REAPED);
        if self.sessions < rules.limit || (self.sessions == rules.limit && self.evict()) {
            return Ok(());
        }
        Err(Why::Full)
    }

    /// Begins a session. `mapping` is the number of its mapping, or [`NONE`].
    fn begin(
        &mut self,
        inbound: bool,
        flow: Flow,
        other: Endpoint,
        mapping: u32,
        flags: Flags,
        now: u64,
    ) -> Result<(), Why> {
        let (inside, outside) = if inbound {
            (other, flow.own)
        } else {
            (flow.own, other)
        };
        let mut entry = Entry {
            kind: Kind::Session(mapping),
            inside,
            outside,
            remote: flow.remote,
            protocol: flow.protocol,
            class: match flow.protocol {
                Protocol::Tcp => Class::TcpOpening,
                Protocol::Udp => Class::UdpNew,
                Protocol::Query | Protocol::QueryIn => Class::Icmp,
            },
            seen: Seen(u8::from(inbound)),
            used: now,
            ..Entry::EMPTY
        };
        entry.hear(!inbound, flags);
        let Some(number) = self.slab.put(entry) else {
            return Err(Why::NoMemory);
        };
        self.link(number, &entry);
        self.append(number);
        if let Some(Entry {
            kind: Kind::Mapping(sessions),
            ..
        }) = self.slab.get_mut(mapping)
        {
            *sessions = sessions.wrapping_add(1);
        }
        self.sessions = self.sessions.wrapping_add(1);
        self.created = self.created.wrapping_add(1);
        Ok(())
    }

    /// What an endpoint inside is outside, for a packet that goes out.
    #[inline]
    pub(crate) fn out(
        &mut self,
        flow: &Flow,
        flags: Flags,
        rules: &Rules,
        now: u64,
    ) -> Result<Endpoint, Why> {
        if let Some(entry) = self.go_on(true, flow, flags, rules, now) {
            return Ok(entry.outside);
        }
        self.begin_out(flow, flags, rules, now)
    }

    #[inline(never)]
    fn begin_out(
        &mut self,
        flow: &Flow,
        flags: Flags,
        rules: &Rules,
        now: u64,
    ) -> Result<Endpoint, Why> {
        let pool = rules.source.ok_or(Why::Untouched)?;
        if flow.protocol == Protocol::QueryIn || flags.has(Flags::RST) {
            return Err(Why::Unsolicited);
        }
        self.make_room(rules, now)?;
        let key = Key::mapping(true, flow.protocol, flow.own);
        if let Some(number) = self.find(key) {
            let outside = self
                .slab
                .get(number)
                .map_or(flow.own, |entry| entry.outside);
            let there = Flow {
                own: outside,
                ..*flow
            };
            if self.find(Key::session(false, there)).is_some() {
                return Err(Why::NoPort);
            }
            self.begin(false, *flow, outside, number, flags, now)?;
            return Ok(outside);
        }
        let outside = self.choose(flow, pool, rules).ok_or(Why::NoPort)?;
        let mapping = Entry {
            kind: Kind::Mapping(0),
            inside: flow.own,
            outside,
            protocol: flow.protocol,
            used: now,
            ..Entry::EMPTY
        };
        let number = self.slab.put(mapping).ok_or(Why::NoMemory)?;
        self.link(number, &mapping);
        if let Err(why) = self.begin(false, *flow, outside, number, flags, now) {
            self.remove(number);
            return Err(why);
        }
        Ok(outside)
    }

    /// The endpoint outside for a new mapping: the address is the same for all that a host says, the port is its own
    /// where that is free, or one of the same half of the ports and of the same parity (RFC 4787, 4.1 and 4.2).
    fn choose(&self, flow: &Flow, pool: Pool, rules: &Rules) -> Option<Endpoint> {
        let hash = self.key.hash(&[flow.own.address.into()]);
        let address = pool.pick(hash);
        let ports = match flow.protocol {
            Protocol::Tcp | Protocol::Udp => rules.ports,
            Protocol::Query | Protocol::QueryIn => Ports::ALL,
        };
        let is_free = |port| {
            let own = Endpoint { address, port };
            let there = Flow { own, ..*flow };
            let is_dest = matches!(flow.protocol, Protocol::Tcp | Protocol::Udp)
                && rules.dest.is_some()
                && rules.dest_port == Some(port);
            !is_dest
                && self.find(Key::mapping(false, flow.protocol, own)).is_none()
                && self.find(Key::session(false, there)).is_none()
        };
        let mut port = flow.own.port;
        if ports.contain(port) && is_free(port) {
            return Some(Endpoint { address, port });
        }
        // Of the system ports, or of the others; where there are none of these in the range, of all.
        let half = match (port < 1024, ports.first < 1024, ports.last >= 1024) {
            (true, true, _) if flow.protocol != Protocol::Query => Ports {
                last: ports.last.min(1023),
                ..ports
            },
            (false, _, true) if flow.protocol != Protocol::Query => Ports {
                first: ports.first.max(1024),
                ..ports
            },
            _ => ports,
        };
        let size = u64::from(half.last.wrapping_sub(half.first)).wrapping_add(1);
        let parity = port & 1;
        for turn in 0..TRIES {
            let hash = self.key.hash(&[flow.own.word(), turn.into()]);
            port = half.first.wrapping_add(hash.checked_rem(size)? as u16);
            // A range of one port has one parity only.
            let even = port & !1 | parity;
            if half.contain(even) {
                port = even;
            }
            if is_free(port) {
                return Some(Endpoint { address, port });
            }
        }
        None
    }

    /// Who an endpoint outside is inside, for a packet that comes in.
    #[inline]
    pub(crate) fn inward(
        &mut self,
        flow: &Flow,
        flags: Flags,
        rules: &Rules,
        now: u64,
    ) -> Result<Endpoint, Why> {
        if let Some(entry) = self.go_on(false, flow, flags, rules, now) {
            return Ok(entry.inside);
        }
        self.begin_in(flow, flags, rules, now)
    }

    #[inline(never)]
    fn begin_in(
        &mut self,
        flow: &Flow,
        flags: Flags,
        rules: &Rules,
        now: u64,
    ) -> Result<Endpoint, Why> {
        let is_ours = |pool: Pool| pool.contains(flow.own.address);
        let unknown = if rules.source.is_some_and(is_ours) {
            Why::Unsolicited
        } else {
            Why::Untouched
        };
        if flags.has(Flags::RST) {
            return Err(unknown);
        }
        let is_query = matches!(flow.protocol, Protocol::Query | Protocol::QueryIn);
        let is_syn = flags.has(Flags::SYN) && !flags.has(Flags::ACK);
        let may_begin = flow.protocol != Protocol::Tcp || is_syn;
        let mapping = if rules.open && !is_query && may_begin {
            self.find(Key::mapping(false, flow.protocol, flow.own))
        } else {
            None
        };
        let inside = mapping.and_then(|number| Some(self.slab.get(number)?.inside));
        let inside = inside.or_else(|| rules.target(flow)).ok_or(unknown)?;
        let here = Flow {
            own: inside,
            ..*flow
        };
        if self.find(Key::session(true, here)).is_some() {
            return Err(Why::NoPort);
        }
        self.make_room(rules, now)?;
        // To make room, a mapping may have ended.
        let mapping =
            mapping.filter(|_| self.find(Key::mapping(false, flow.protocol, flow.own)) == mapping);
        self.begin(true, *flow, inside, mapping.unwrap_or(NONE), flags, now)?;
        Ok(inside)
    }

    /// The endpoint on the other side of a session, which a message of ICMP is about. It does not go on with that.
    pub(crate) fn about(
        &self,
        outward: bool,
        flow: &Flow,
        rules: &Rules,
        now: u64,
    ) -> Option<Endpoint> {
        let number = self.find(Key::session(outward, *flow))?;
        let entry = self.slab.get(number).filter(|e| !rules.is_over(e, now))?;
        Some(entry.own(!outward))
    }

    /// All numbers of sessions are less.
    pub(crate) fn end_of_numbers(&self) -> u32 {
        self.slab.end()
    }

    /// The session of a number, if it has one.
    pub(crate) fn session(&self, number: u32) -> Option<Shown> {
        let entry = self.slab.get(number)?;
        matches!(entry.kind, Kind::Session(_)).then(|| entry.shown())
    }
}
