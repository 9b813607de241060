// SPDX-License-Identifier: GPL-2.0

//! The flows of a CPU: records in chunks, and an index, which finds them.
//!
//! The CPUs share the chunks: a CPU takes one out of the pool when it needs more, and gives it back when no record in it
//! is in use.
//!
//! A flow that ends leaves the index, and its record waits to be taken. When few records are left, the oldest of
//! some flows ends with each new one.

use super::{
    index::Index,
    key::{Masks, Seen, IS_EGRESS, IS_V6},
    memory::{Chunk, Sizes, CHUNK, NONE},
    prefetch, push,
    record::{since, End, Flow, Hot, Rest, Reverse, Times},
    room, List,
};

/// The most flows that a table can be for: their numbers have 24 bits.
pub(crate) const MOST: u32 = 8 << 20;
/// Of so many flows one ends where there is no room.
const TRIED: u32 = 16;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// A flow has it.
    Known,
    /// The same, and flows have begun or ended.
    Changed,
    /// There was no room.
    Lost,
}

/// By what flows are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) masks: &'a Masks,
    pub(crate) times: &'a Times,
    pub(crate) now: u32,
    /// The device that packets in the direction egress go to.
    pub(crate) output: u32,
}

/// The flows of a CPU.
pub(crate) struct Table {
    index: Index,
    chunks: List<Option<Chunk>>,
    /// All chunks that there are have lower numbers.
    top: u32,
    /// The first chunk that has free records.
    open: u32,
    free: u32,
    active: u32,
    /// Records that wait to be taken, as a list: how many, the first, and the last.
    waiting: u32,
    first: u32,
    last: u32,
    /// Where flows are looked for that can end.
    hand: u32,
    /// How many flows have begun.
    pub(crate) begun: u64,
    /// How many flows have ended, by the reason.
    pub(crate) ended: [u64; End::NUMBERS],
}

/// What becomes of a flow by a packet.
enum Effect {
    /// It belongs to another one.
    Other,
    Counted,
    /// The flow was over before, and does not have it.
    Over(End),
    /// The flow has it, and is over.
    Last,
}

impl Chunk {
    /// Whether the flow of this number has a packet.
    #[inline(always)]
    fn is(&self, index: u32, seen: &Seen, hash: u32, masks: &Masks) -> bool {
        let at = (index % CHUNK) as usize;
        let Some(hot) = self.hot.get(at) else {
            return false;
        };
        if hot.link != hash || !hot.is_active() || !hot.is_of(seen, masks) {
            return false;
        }
        if seen.what & IS_V6 != 0 && self.wide.get(at) != Some(&seen.wide) {
            return false;
        }
        !masks.macs || self.rest.get(at).is_some_and(|rest| rest.macs == seen.macs)
    }

    /// Counts a packet, if the flow of this number has it. Where no record is free for another flow, this one goes on.
    #[inline(always)]
    fn count(
        &mut self,
        index: u32,
        (seen, hash): (&Seen, u32),
        rules: &Rules<'_>,
        has_free: bool,
    ) -> Effect {
        if !self.is(index, seen, hash, rules.masks) {
            return Effect::Other;
        }
        let at = (index % CHUNK) as usize;
        let Some(hot) = self.hot.get_mut(at) else {
            return Effect::Other;
        };
        if let Some(reason) = hot.over_before(seen, rules.now, rules.times) {
            if has_free {
                return Effect::Over(reason);
            }
        }
        match self.reverse.get_mut(at) {
            Some(reverse) => hot.add_either(reverse, seen, rules.now),
            None => hot.add(seen, rules.now),
        }
        if hot.is_closing() && rules.times.closing == 0 {
            return Effect::Last;
        }
        Effect::Counted
    }
}

impl Table {
    /// A table without records. None without memory.
    pub(crate) fn new(sizes: &Sizes) -> Option<Self> {
        let mut chunks: List<Option<Chunk>> = room(sizes.own as usize)?;
        for _ in 0..sizes.own {
            if !push(&mut chunks, None) {
                return None;
            }
        }
        Some(Self {
            index: Index::new(sizes.buckets)?,
            chunks,
            top: 0,
            open: NONE,
            free: 0,
            active: 0,
            waiting: 0,
            first: NONE,
            last: NONE,
            hand: 0,
            begun: 0,
            ended: [0; End::NUMBERS],
        })
    }

    pub(crate) fn active(&self) -> u32 {
        self.active
    }

    /// How many records wait to be taken.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// So few records are left free that flows have to end.
    fn spare(&self) -> u32 {
        (self.active / 16).max(16)
    }

    /// Whether it is time to take records that wait, before none is free. Now and then, while more and more wait.
    pub(crate) fn has_much(&self) -> bool {
        let some = self.spare().min(256) / 2;
        // Two may have come at once.
        self.waiting
            .checked_rem(some)
            .is_some_and(|rest| rest >= some.saturating_sub(2))
    }

    #[inline(always)]
    fn chunk(&self, index: u32) -> Option<&Chunk> {
        self.chunks.get((index / CHUNK) as usize)?.as_ref()
    }

    #[inline(always)]
    fn hot(&self, index: u32) -> Option<&Hot> {
        self.chunk(index)?.hot.get((index % CHUNK) as usize)
    }

    #[inline(always)]
    fn chunk_mut(&mut self, index: u32) -> Option<&mut Chunk> {
        self.chunks.get_mut((index / CHUNK) as usize)?.as_mut()
    }

    /// The number of the flow that a packet belongs to.
    fn find(&self, seen: &Seen, hash: u32, masks: &Masks) -> Option<u32> {
        let is = |index| {
            let chunk = self.chunk(index);
            chunk.is_some_and(|chunk| chunk.is(index, seen, hash, masks))
        };
        self.index.find(hash, is)
    }

    /// Asks for the place of a hash.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u32) {
        self.index.prefetch(hash);
    }

    /// Where the flow of a packet may be. Asks for its record.
    #[inline(always)]
    pub(crate) fn guess(&self, seen: &Seen, hash: u32) -> u32 {
        let index = self.index.first(hash);
        if let Some(chunk) = self.chunk(index) {
            let at = (index % CHUNK) as usize;
            chunk.hot.get(at).map(prefetch);
            // This is there for flows of both directions only.
            chunk.reverse.get(at).map(prefetch);
            if seen.what & IS_V6 != 0 {
                chunk.wide.get(at).map(prefetch);
            }
        }
        index
    }

    /// Counts a packet whose key has this hash. Another chunk is got by `more`.
    #[cfg(test)]
    pub(crate) fn count(
        &mut self,
        seen: &Seen,
        hash: u64,
        rules: &Rules<'_>,
        more: impl FnOnce() -> Option<Chunk>,
    ) -> Counted {
        self.count_at(NONE, (seen, hash as u32), rules, more)
    }

    /// The same, where its flow may be at this number.
    #[inline(always)]
    pub(crate) fn count_at(
        &mut self,
        guess: u32,
        (seen, hash): (&Seen, u32),
        rules: &Rules<'_>,
        more: impl FnOnce() -> Option<Chunk>,
    ) -> Counted {
        match self.effect(guess, (seen, hash), rules) {
            Effect::Counted => Counted::Known,
            effect => self.count_rare((guess, effect), (seen, hash), rules, more),
        }
    }

    /// Counts a packet in the flow of this number, if that has it: what becomes of the flow.
    #[inline(always)]
    fn effect(&mut self, index: u32, (seen, hash): (&Seen, u32), rules: &Rules<'_>) -> Effect {
        let has_free = self.free > 0;
        match self.chunk_mut(index) {
            Some(chunk) => chunk.count(index, (seen, hash), rules, has_free),
            None => Effect::Other,
        }
    }

    /// Counts a packet whose flow is another one than was guessed, or begins or ends.
    #[inline(never)]
    fn count_rare(
        &mut self,
        (mut index, mut effect): (u32, Effect),
        (seen, hash): (&Seen, u32),
        rules: &Rules<'_>,
        more: impl FnOnce() -> Option<Chunk>,
    ) -> Counted {
        if let Effect::Other = effect {
            if let Some(found) = self.find(seen, hash, rules.masks) {
                index = found;
                effect = self.effect(index, (seen, hash), rules);
            }
        }
        match effect {
            Effect::Counted => return Counted::Known,
            Effect::Last => {
                self.end(index, End::Closed);
                return Counted::Changed;
            }
            Effect::Over(reason) => self.end(index, reason),
            Effect::Other => (),
        }
        self.begin(seen, hash, rules, more)
    }

    /// A flow begins with a packet.
    #[inline(never)]
    fn begin(
        &mut self,
        seen: &Seen,
        hash: u32,
        rules: &Rules<'_>,
        more: impl FnOnce() -> Option<Chunk>,
    ) -> Counted {
        if self.free <= self.spare() {
            let place = self.chunks.iter().position(Option::is_none);
            match place.and_then(|place| Some((place, more()?))) {
                Some((place, chunk)) => self.add(place, chunk),
                None => self.evict(rules.now),
            }
        }
        let Some(index) = self.take_free() else {
            return Counted::Lost;
        };
        let mut hot = Hot::new(seen, hash, rules.now);
        let mut reverse = Reverse::EMPTY;
        if rules.masks.spec.biflow {
            // Whether it closes depends on both directions.
            hot = Hot::new(
                &Seen {
                    flags: 0,
                    packets: 0,
                    bytes: 0,
                    ..*seen
                },
                hash,
                rules.now,
            );
            hot.add_either(&mut reverse, seen, rules.now);
        }
        let output = match seen.what & IS_EGRESS {
            0 => 0,
            _ => rules.output,
        };
        let at = (index % CHUNK) as usize;
        if let Some(chunk) = self.chunk_mut(index) {
            if let Some(to) = chunk.hot.get_mut(at) {
                *to = hot;
            }
            if let Some(to) = chunk.wide.get_mut(at).filter(|_| seen.what & IS_V6 != 0) {
                *to = seen.wide;
            }
            if let Some(to) = chunk.rest.get_mut(at) {
                let macs = seen.macs;
                *to = Rest { output, macs };
            }
            if let Some(to) = chunk.reverse.get_mut(at) {
                *to = reverse;
            }
        }
        self.active = self.active.wrapping_add(1);
        self.begun = self.begun.wrapping_add(1);
        if !self.index.insert(hash, index) {
            self.evict_from(hash, rules.now);
            if !self.index.insert(hash, index) {
                // Nobody finds it any more: it has this packet only.
                self.settle(index, End::Full);
            }
        }
        if hot.is_closing() && rules.times.closing == 0 {
            self.end(index, End::Closed);
        }
        Counted::Changed
    }

    /// A flow ends.
    fn end(&mut self, index: u32, reason: End) {
        if let Some(hot) = self.hot(index) {
            let hash = hot.link;
            self.index.remove(hash, index);
            self.settle(index, reason);
        }
    }

    /// A flow that is not in the hash table waits to be taken.
    fn settle(&mut self, index: u32, reason: End) {
        let last = core::mem::replace(&mut self.last, index);
        let mut hot_of = |index: u32, f: &dyn Fn(&mut Hot)| {
            if let Some(chunk) = self.chunks.get_mut((index / CHUNK) as usize) {
                let hot = chunk.as_mut();
                let hot = hot.and_then(|chunk| chunk.hot.get_mut((index % CHUNK) as usize));
                hot.map(f);
            }
        };
        hot_of(index, &|hot| {
            hot.end(reason);
            hot.link = NONE;
        });
        match last {
            NONE => self.first = index,
            last => hot_of(last, &|hot| hot.link = index),
        }
        self.waiting = self.waiting.wrapping_add(1);
        self.active = self.active.wrapping_sub(1);
        if let Some(ended) = self.ended.get_mut(reason as usize) {
            *ended = ended.wrapping_add(1);
        }
    }

    /// Ends the oldest of some flows.
    #[cold]
    fn evict(&mut self, now: u32) {
        let end = self.top.saturating_mul(CHUNK);
        let mut oldest = None;
        let (mut tried, mut at) = (0_u32, self.hand);
        // A chunk that is not there is passed at once.
        for _ in 0..TRIED.saturating_mul(4) {
            if at >= end {
                at = 0;
            }
            match self.hot(at) {
                None => at = (at / CHUNK).saturating_add(1).saturating_mul(CHUNK),
                Some(hot) => {
                    if hot.is_active() {
                        let age = since(now, hot.last);
                        if oldest.is_none_or(|(oldest, _)| age > oldest) {
                            oldest = Some((age, at));
                        }
                        tried = tried.saturating_add(1);
                    }
                    at = at.saturating_add(1);
                }
            }
            if tried == TRIED {
                break;
            }
        }
        self.hand = at;
        if let Some((_, index)) = oldest {
            self.end(index, End::Full);
        }
    }

    /// Ends the oldest flow of a bucket.
    #[cold]
    fn evict_from(&mut self, hash: u32, now: u32) {
        let mut oldest = None;
        for index in self.index.all(hash) {
            let Some(hot) = self.hot(index) else {
                continue;
            };
            let age = since(now, hot.last);
            if oldest.is_none_or(|(oldest, _)| age > oldest) {
                oldest = Some((age, index));
            }
        }
        if let Some((_, index)) = oldest {
            self.end(index, End::Full);
        }
    }

    /// Adds a chunk, of which no record is in use, at a place where there is none.
    fn add(&mut self, number: usize, mut chunk: Chunk) {
        let Some(place) = self.chunks.get_mut(number) else {
            return;
        };
        chunk.next = core::mem::replace(&mut self.open, number as u32);
        *place = Some(chunk);
        self.top = self.top.max((number as u32).saturating_add(1));
        self.free = self.free.saturating_add(CHUNK);
    }

    /// A free record, of the first chunk that has any.
    fn take_free(&mut self) -> Option<u32> {
        let number = self.open;
        let chunk = self.chunks.get_mut(number as usize)?.as_mut()?;
        let at = chunk.free;
        let hot = chunk.hot.get(at as usize)?;
        chunk.free = hot.link;
        chunk.used = chunk.used.wrapping_add(1);
        if chunk.free == NONE {
            self.open = chunk.next;
        }
        self.free = self.free.wrapping_sub(1);
        Some(number.wrapping_mul(CHUNK).wrapping_add(at))
    }

    fn give_free(&mut self, index: u32) {
        let (open, at) = (self.open, index % CHUNK);
        let Some(chunk) = self.chunk_mut(index) else {
            return;
        };
        let was_full = chunk.free == NONE;
        let Some(hot) = chunk.hot.get_mut(at as usize) else {
            return;
        };
        *hot = Hot::EMPTY;
        hot.link = core::mem::replace(&mut chunk.free, at);
        chunk.used = chunk.used.wrapping_sub(1);
        if was_full {
            chunk.next = open;
            self.open = index / CHUNK;
        }
        self.free = self.free.wrapping_add(1);
    }

    /// The records of a flow.
    fn flow(&self, index: u32) -> Option<Flow> {
        let (chunk, at) = (self.chunk(index)?, (index % CHUNK) as usize);
        let hot = *chunk.hot.get(at)?;
        let wide = chunk.wide.get(at).filter(|_| hot.what & IS_V6 != 0);
        Some(Flow {
            hot,
            wide: wide.copied().unwrap_or_default(),
            rest: chunk.rest.get(at).copied().unwrap_or(Rest::EMPTY),
            reverse: chunk.reverse.get(at).copied().unwrap_or(Reverse::EMPTY),
        })
    }

    /// Takes flows that have ended, as many as there is room for in the list.
    pub(crate) fn take(&mut self, to: &mut List<Flow>) {
        while to.len() < to.capacity() {
            let index = self.first;
            let Some(flow) = self.flow(index) else {
                return;
            };
            self.first = flow.hot.link;
            if self.first == NONE {
                self.last = NONE;
            }
            self.waiting = self.waiting.wrapping_sub(1);
            self.give_free(index);
            if !push(to, flow) {
                return;
            }
        }
    }

    /// Ends flows whose time is over, or all, among some records; the number from which to go on, if there are more.
    pub(crate) fn sweep(
        &mut self,
        from: u32,
        most: u32,
        (now, times): (u32, &Times),
        all: bool,
    ) -> Option<u32> {
        let (mut at, mut looked) = (from, 0_u32);
        while looked < most {
            let chunk = self.chunks.get((at / CHUNK) as usize)?;
            if at / CHUNK >= self.top {
                return None;
            }
            let hot = match chunk {
                Some(chunk) if chunk.used > 0 => chunk.hot.get((at % CHUNK) as usize)?,
                _ => {
                    at = (at / CHUNK).saturating_add(1).saturating_mul(CHUNK);
                    looked = looked.saturating_add(8);
                    continue;
                }
            };
            if hot.is_active() {
                let reason = hot.over(now, times);
                let reason = reason.or(all.then_some(End::Forced));
                if let Some(reason) = reason {
                    self.end(at, reason);
                }
            }
            at = at.saturating_add(1);
            looked = looked.saturating_add(1);
        }
        Some(at)
    }

    /// Adds active flows to a list, as many as there is room for; the number from which to go on, if there are more.
    pub(crate) fn look(&self, from: u32, most: u32, to: &mut List<Flow>) -> Option<u32> {
        let (mut at, mut looked) = (from, 0_u32);
        while looked < most && to.len() < to.capacity() {
            let chunk = self.chunks.get((at / CHUNK) as usize)?;
            if at / CHUNK >= self.top {
                return None;
            }
            let active = match chunk {
                Some(chunk) if chunk.used > 0 => chunk.hot.get((at % CHUNK) as usize)?.is_active(),
                _ => {
                    at = (at / CHUNK).saturating_add(1).saturating_mul(CHUNK);
                    looked = looked.saturating_add(8);
                    continue;
                }
            };
            if let Some(flow) = self.flow(at).filter(|_| active) {
                if !push(to, flow) {
                    return None;
                }
            }
            at = at.saturating_add(1);
            looked = looked.saturating_add(1);
        }
        Some(at)
    }

    /// Gives back a chunk that is not needed; none where all are.
    pub(crate) fn give_back(&mut self) -> Option<Chunk> {
        let needed = match self.active {
            0 => 0,
            _ => self.spare(),
        };
        if self.free < needed.saturating_add(CHUNK) {
            return None;
        }
        let is_idle = |chunk: &Option<Chunk>| chunk.as_ref().is_some_and(|chunk| chunk.used == 0);
        let number = self.chunks.iter().rposition(is_idle)?;
        // It is taken out of the list of those that have free records.
        let next = self.chunks.get(number)?.as_ref()?.next;
        let mut at = self.open;
        if at as usize == number {
            self.open = next;
        }
        while let Some(Some(chunk)) = self.chunks.get_mut(at as usize) {
            at = chunk.next;
            if at as usize == number {
                chunk.next = next;
                break;
            }
        }
        self.free = self.free.wrapping_sub(CHUNK);
        let chunk = self.chunks.get_mut(number)?.take();
        let last = self.chunks.iter().rposition(Option::is_some);
        self.top = last.map_or(0, |last| (last as u32).saturating_add(1));
        chunk
    }
}
