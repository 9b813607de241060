// SPDX-License-Identifier: GPL-2.0

//! Batches: packets that are at the same block at the same time.

use super::{
    engine::{Context, Destination},
    verdict::{Decision, Verdict},
};
use crate::{
    base::port::Port,
    sys::{
        bindings,
        packets::Packets,
        queue::{List, Queue},
        skb::Skb,
    },
};

/// Packets that are at a block together, in the order in which they came. Those that the handler
/// leaves here go on together: by a port that [`Batch::each`] says, or the way they came, by the first port.
pub struct Batch {
    packets: Packets<{ Self::MOST }>,
    port: Option<Port>,
}

impl Batch {
    /// The most that a batch holds.
    const MOST: usize = bindings::LANA_BATCH as usize;

    /// An empty one.
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            packets: Packets::new(),
            port: None,
        }
    }

    /// Adds the packets of a list; frees those that there is no room for.
    #[inline(always)]
    pub(crate) fn fill(&mut self, mut list: List) {
        while let Some(packet) = list.pop() {
            drop(self.packets.push(packet));
        }
    }

    /// Moves the first packet of a queue to an empty batch, and of those right behind it, as many as a batch
    /// holds, all that go where it does.
    pub(super) fn fill_from<'r>(
        &mut self,
        queue: &Queue<Destination<'r>>,
    ) -> Option<Destination<'r>> {
        queue.pop_all(&mut self.packets)
    }

    /// How many packets there are.
    #[inline]
    #[allow(
        clippy::len_without_is_empty,
        reason = "a handler is not called with an empty batch"
    )]
    pub fn len(&self) -> u32 {
        self.packets.len()
    }

    /// The sum of their lengths.
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.packets.bytes()
    }

    /// The packets.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = &Skb> {
        self.packets.iter()
    }

    /// Gives the packets to `f`, one after the other, and does with each what the verdict says. Those that
    /// go where the first of them goes that goes on stay here, or, where packets wait that these must not
    /// overtake, those that pass; the others wait until these have come to their end.
    #[inline(always)]
    pub fn each<'r>(
        &mut self,
        cx: &mut Context<'r>,
        mut f: impl FnMut(Skb, &mut Context<'r>) -> Verdict<Skb>,
    ) {
        let (mut way, free) = (None, cx.none_waits());
        self.packets.retain(|packet, kept| {
            let (packet, port) = match f(packet, cx).decide() {
                Decision::Pass(packet) => (packet, None),
                Decision::Forward(packet, port) => {
                    (packet, Some(port).filter(|&port| port != cx.first()))
                }
                Decision::Drop(packet, reason) => {
                    cx.drop_here(packet, reason);
                    return None;
                }
                Decision::Left(_) | Decision::AsSkb(_) | Decision::Made(_) => return None,
            };
            if kept == 0 && free {
                way = port;
            } else if port != way {
                cx.wait(packet, port.unwrap_or(cx.first()));
                return None;
            }
            Some(packet)
        });
        self.port = way;
    }

    /// The port by which they go on, where it is not the first one the way they came. Said once.
    #[inline]
    pub(crate) fn port(&mut self) -> Option<Port> {
        self.port.take()
    }

    /// Takes the packets out.
    pub(crate) fn drain(&mut self, f: impl FnMut(Skb)) {
        self.packets.drain(f);
    }
}
