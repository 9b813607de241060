// SPDX-License-Identifier: GPL-2.0

//! A queue whose items come out in their order, and mostly go in so.

use super::{
    heap::{sift_down, sift_up},
    try_push, try_room, List, NoMemory,
};
use core::mem;

/// What has an order. No two items have the same place in it.
pub(crate) trait Ordered {
    /// Whether it comes out before another one.
    fn before(&self, other: &Self) -> bool;
}

/// No place.
const NONE: u32 = u32::MAX;

/// A place for an item.
struct Slot<T> {
    item: Option<T>,
    /// The place behind it in the list that it is in.
    next: u32,
}

/// A queue with room for so many items. One that comes after the last of a list goes to its end, in a few steps. The
/// others are in a heap.
pub(crate) struct Schedule<T> {
    slots: List<Slot<T>>,
    /// The list of places without an item.
    free: u32,
    /// The list of items, in their order.
    first: u32,
    /// The last of that, if it is not empty.
    last: u32,
    /// The places of the others: a heap as far as `heaped`.
    heap: List<u32>,
    heaped: usize,
    len: usize,
}

impl<T: Ordered> Schedule<T> {
    /// One without room.
    pub(crate) fn new() -> Self {
        Self {
            slots: List::new(),
            free: NONE,
            first: NONE,
            last: NONE,
            heap: List::new(),
            heaped: 0,
            len: 0,
        }
    }

    /// One with room for so many. Sleeps.
    pub(crate) fn with_room(count: u32) -> Result<Self, NoMemory> {
        let mut this = Self {
            slots: try_room(count as usize)?,
            heap: try_room(count as usize)?,
            ..Self::new()
        };
        for place in 0..count {
            let next = match place.wrapping_add(1) {
                next if next < count => next,
                _ => NONE,
            };
            try_push(&mut this.slots, Slot { item: None, next })?;
            try_push(&mut this.heap, NONE)?;
            this.free = 0;
        }
        Ok(this)
    }

    /// How many items are in it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many there is room for.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.slots.len()
    }

    /// The item that comes out next.
    #[inline]
    pub(crate) fn first(&self) -> Option<&T> {
        item(&self.slots, self.head())
    }

    /// Its place.
    #[inline]
    fn head(&self) -> u32 {
        match self.heap.first() {
            Some(&top) if self.heaped > 0 && !before(&self.slots, self.first, top) => top,
            _ => self.first,
        }
    }

    /// Adds an item; gives it back where there is no room.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        let place = self.free;
        let Some(slot) = self.slots.get_mut(place as usize) else {
            return Err(item);
        };
        slot.item = Some(item);
        self.free = mem::replace(&mut slot.next, NONE);
        self.len = self.len.wrapping_add(1);
        if self.first == NONE || before(&self.slots, self.last, place) {
            self.append(place);
        } else {
            self.heap_up(place);
        }
        Ok(())
    }

    /// Puts a place at the end of the list.
    #[inline]
    fn append(&mut self, place: u32) {
        match self.slots.get_mut(self.last as usize) {
            Some(last) if self.first != NONE => last.next = place,
            _ => self.first = place,
        }
        self.last = place;
    }

    /// Puts a place into the heap.
    #[inline(never)]
    fn heap_up(&mut self, place: u32) {
        // There is one for each slot.
        if let Some(end) = self.heap.get_mut(self.heaped) {
            *end = place;
            self.heaped = self.heaped.wrapping_add(1);
        }
        let heap = self.heap.get_mut(..self.heaped).unwrap_or_default();
        sift_up(heap, |&one, &other| before(&self.slots, one, other));
    }

    /// Takes the first place out of the heap.
    #[inline(never)]
    fn heap_down(&mut self) {
        let heap = self.heap.get_mut(..self.heaped).unwrap_or_default();
        if let [first, .., last] = heap {
            mem::swap(first, last);
        }
        self.heaped = self.heaped.saturating_sub(1);
        let heap = self.heap.get_mut(..self.heaped).unwrap_or_default();
        sift_down(heap, |&one, &other| before(&self.slots, one, other));
    }

    /// Takes the item that comes out next.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        let place = self.head();
        let (item, next) = self.take(place)?;
        if place == self.first {
            self.first = next;
        } else {
            self.heap_down();
        }
        Some(item)
    }

    /// Takes the item at a place, which is free then; and the place that was behind it.
    #[inline]
    fn take(&mut self, place: u32) -> Option<(T, u32)> {
        let slot = self.slots.get_mut(place as usize)?;
        let item = slot.item.take()?;
        let next = mem::replace(&mut slot.next, self.free);
        self.free = place;
        self.len = self.len.wrapping_sub(1);
        Some((item, next))
    }

    /// Moves all items to a queue that is empty and has room for them, in a few steps each.
    pub(crate) fn move_to(&mut self, other: &mut Self) {
        while let Some((item, next)) = self.take(self.first) {
            self.first = next;
            let _ = other.push(item);
        }
        // In a heap's order none goes up.
        for at in 0..mem::take(&mut self.heaped) {
            let place = self.heap.get(at).map_or(NONE, |&place| place);
            if let Some((item, _)) = self.take(place) {
                let _ = other.push(item);
            }
        }
    }
}

/// The item at a place.
#[inline]
fn item<T>(slots: &[Slot<T>], place: u32) -> Option<&T> {
    slots.get(place as usize)?.item.as_ref()
}

/// Whether the item at one place comes before that at the other. Nothing is at no place, and comes last.
#[inline]
fn before<T: Ordered>(slots: &[Slot<T>], one: u32, other: u32) -> bool {
    match (item(slots, one), item(slots, other)) {
        (Some(one), Some(other)) => one.before(other),
        (one, _) => one.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ordered, Schedule};
    use std::rc::Rc;

    /// A time, and a number that rises.
    type Item = (u64, u64);

    impl Ordered for Item {
        fn before(&self, other: &Self) -> bool {
            self < other
        }
    }

    /// An item of which there is a count.
    struct Kept(u64, #[expect(dead_code, reason = "it is counted")] Rc<()>);

    impl Ordered for Kept {
        fn before(&self, other: &Self) -> bool {
            self.0 < other.0
        }
    }

    /// A generator of numbers (xorshift64).
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % bound
        }
    }

    /// A schedule and what it is to be like: a list that is sorted each time.
    struct Both {
        schedule: Schedule<Item>,
        model: Vec<Item>,
        number: u64,
    }

    impl Both {
        fn new(room: u32) -> Self {
            let schedule = Schedule::with_room(room).unwrap();
            Self {
                schedule,
                model: Vec::new(),
                number: 0,
            }
        }

        fn push(&mut self, time: u64) {
            let item = (time, self.number);
            self.number += 1;
            if self.model.len() < self.schedule.room() {
                self.model.push(item);
                self.model.sort_unstable();
                assert_eq!(self.schedule.push(item), Ok(()));
            } else {
                assert_eq!(self.schedule.push(item), Err(item));
            }
            self.check();
        }

        fn pop(&mut self) -> Option<Item> {
            let wanted = (!self.model.is_empty()).then(|| self.model.remove(0));
            assert_eq!(self.schedule.pop(), wanted);
            self.check();
            wanted
        }

        /// Moves all to a schedule with this room, if that is enough.
        fn resize(&mut self, room: u32) {
            let mut other = Schedule::with_room(room).unwrap();
            if self.model.len() <= other.room() {
                self.schedule.move_to(&mut other);
                assert_eq!((self.schedule.len(), self.schedule.pop()), (0, None));
                self.schedule = other;
            }
            self.check();
        }

        fn check(&self) {
            assert_eq!(self.schedule.len(), self.model.len());
            assert_eq!(self.schedule.first(), self.model.first());
        }
    }

    #[test]
    fn without_room_nothing_goes_in() {
        let mut none = Schedule::new();
        assert_eq!(
            (none.room(), none.push((1, 0)), none.pop()),
            (0, Err((1, 0)), None)
        );
        Both::new(0).push(1);
    }

    #[test]
    fn rising_times_make_a_list() {
        let mut both = Both::new(10);
        for time in 0..1000 {
            both.push(time / 3);
            if time % 7 > 2 {
                both.pop();
            }
            assert_eq!(both.schedule.heaped, 0);
        }
    }

    #[test]
    fn of_the_same_time_the_first_comes_first() {
        let mut both = Both::new(100);
        for time in [5, 9, 5, 5, 9, 3, 5, 9, 3, 9, 5] {
            both.push(time);
        }
        while both.pop().is_some() {}
        both.push(1);
        assert_eq!(both.schedule.heaped, 0);
    }

    #[test]
    fn it_is_as_a_list_that_is_sorted() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for (room, spread) in [(1, 1), (3, 2), (50, 1), (50, 5), (50, 1000), (300, 40)] {
            let (mut both, mut now) = (Both::new(room), 0);
            for turn in 0..20_000 {
                // By turns more come in, and more go out.
                let fills = turn / 500 % 2 == 0;
                match random.below(if fills { 3 } else { 7 }) {
                    0 | 1 => both.push(now + random.below(spread)),
                    2 if fills => both.push(u64::MAX - random.below(spread)),
                    _ => drop(both.pop()),
                }
                now += random.below(3);
                if random.below(100) == 0 {
                    both.resize(random.below(u64::from(room) * 2) as u32 + 1);
                }
            }
            while both.pop().is_some() {}
        }
    }

    #[test]
    fn what_is_in_it_is_freed_with_it() {
        let one = Rc::new(());
        let (mut schedule, mut other) = (
            Schedule::with_room(9).unwrap(),
            Schedule::with_room(9).unwrap(),
        );
        for time in [4, 8, 2, 6, 1, 9] {
            assert!(schedule.push(Kept(time, one.clone())).is_ok());
        }
        drop(schedule.pop());
        assert_eq!(Rc::strong_count(&one), 6);
        schedule.move_to(&mut other);
        assert_eq!(Rc::strong_count(&one), 6);
        drop(schedule);
        assert_eq!(Rc::strong_count(&one), 6);
        drop(other);
        assert_eq!(Rc::strong_count(&one), 1);
    }
}
