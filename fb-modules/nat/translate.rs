// SPDX-License-Identifier: GPL-2.0

//! What becomes of a packet: which addresses and ports it gets, and what it quotes gets.

use super::{
    address::Address,
    plan::Plan,
    rules::{Rules, Why},
    seen::{self, Carried, Datagram, Quote, Seen},
    session::{Flow, Protocol},
    setting::{Map, Npt, Pool},
    table::Table,
    HashKey, List,
};

/// What a packet gets.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Act {
    pub(crate) plan: Plan,
    /// What the packet gets that it quotes.
    pub(crate) quote: Plan,
    /// It goes back to where it came from: its destination is inside, and it knew it by its address outside.
    pub(crate) turns: bool,
}

impl Act {
    const NOTHING: Self = Self {
        plan: Plan::NOTHING,
        quote: Plan::NOTHING,
        turns: false,
    };
}

/// Of a datagram whose first fragment has passed, what the later ones get.
#[derive(Clone, Copy)]
struct Tracked {
    datagram: Datagram,
    source: Option<Address>,
    destination: Option<Address>,
    turns: bool,
    since: u64,
}

/// How long the fragments of a datagram are waited for, in nanoseconds: as Linux does.
const REASSEMBLY: u64 = 30_000_000_000;

/// How many datagrams are known.
pub(crate) const DATAGRAMS: usize = 1024;

/// Datagrams whose first fragment has passed. A later one of the same place displaces it.
pub(crate) struct Fragments {
    slots: List<Slot>,
    key: HashKey,
}

/// The place of a datagram.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slot(Option<Tracked>);

impl Fragments {
    pub(crate) fn new(slots: List<Slot>, key: HashKey) -> Self {
        Self { slots, key }
    }

    fn slot(&mut self, datagram: &Datagram) -> Option<&mut Slot> {
        let hash = self.key.hash(&[
            u64::from(datagram.source) << 32 | u64::from(datagram.destination),
            u64::from(datagram.identification) << 16
                | u64::from(datagram.protocol) << 8
                | u64::from(datagram.outward),
        ]);
        let place = hash.checked_rem(self.slots.len() as u64)?;
        self.slots.get_mut(place as usize)
    }

    fn track(&mut self, datagram: Datagram, act: &Act, now: u64) {
        let tracked = Tracked {
            datagram,
            source: act.plan.source,
            destination: act.plan.destination,
            turns: act.turns,
            since: now,
        };
        if let Some(slot) = self.slot(&datagram) {
            slot.0 = Some(tracked);
        }
    }

    fn later(&mut self, datagram: Datagram, now: u64) -> Option<Act> {
        let tracked = self.slot(&datagram)?.0?;
        let is_it = tracked.datagram == datagram;
        (is_it && now.saturating_sub(tracked.since) < REASSEMBLY).then_some(Act {
            plan: Plan {
                source: tracked.source,
                destination: tracked.destination,
                ..Plan::NOTHING
            },
            turns: tracked.turns,
            ..Act::NOTHING
        })
    }
}

/// What packets change: the sessions of a block, and the datagrams on their way.
pub(crate) struct State {
    pub(crate) table: Table,
    pub(crate) fragments: Fragments,
}

impl State {
    /// What an IPv4 packet gets by its session.
    #[inline]
    pub(crate) fn pass(
        &mut self,
        outward: bool,
        seen: &Seen,
        quote: Option<&Quote>,
        datagram: Option<(Datagram, bool)>,
        rules: &Rules,
        now: u64,
    ) -> Result<Act, Why> {
        if let Some((datagram, true)) = datagram {
            let tracked = self.fragments.later(datagram, now);
            return tracked.ok_or_else(|| match Self::other(outward, seen, rules) {
                Why::Unsupported => Why::Fragment,
                why => why,
            });
        }
        let act = match seen.flow(outward) {
            Some(_) => self.whole(outward, seen, rules, now)?,
            None => match (seen.carried, quote) {
                (Carried::Error(_), Some(quote)) => self.error(outward, seen, quote, rules, now)?,
                _ => return Err(Self::other(outward, seen, rules)),
            },
        };
        if let Some((datagram, false)) = datagram {
            self.fragments.track(datagram, &act, now);
        }
        Ok(act)
    }

    /// Why a packet is not translated that belongs to nothing that can be.
    fn other(outward: bool, seen: &Seen, rules: &Rules) -> Why {
        let is_ours = |pool: Pool| outward || pool.contains(seen.destination);
        if rules.source.is_some_and(is_ours) {
            Why::Unsupported
        } else {
            Why::Untouched
        }
    }

    #[inline]
    fn whole(&mut self, outward: bool, seen: &Seen, rules: &Rules, now: u64) -> Result<Act, Why> {
        let mut act = Act::NOTHING;
        let Some((flow, flags)) = seen.flow(outward) else {
            return Err(Why::Untouched);
        };
        if !outward {
            let inside = self.table.inward(&flow, flags, rules, now)?;
            seen::put(&mut act.plan, flow.protocol, false, flow.own.port, inside);
            return Ok(act);
        }
        let outside = self.table.out(&flow, flags, rules, now)?;
        seen::put(&mut act.plan, flow.protocol, true, flow.own.port, outside);
        let is_ours = rules
            .source
            .is_some_and(|pool| pool.contains(seen.destination));
        if is_ours {
            // It speaks to somebody inside (RFC 4787, REQ-9): what comes from outside then comes from here.
            let back = Flow {
                protocol: match flow.protocol {
                    Protocol::Query => Protocol::QueryIn,
                    Protocol::QueryIn => Protocol::Query,
                    protocol => protocol,
                },
                own: flow.remote,
                remote: outside,
            };
            let inside = self.table.inward(&back, flags, rules, now)?;
            seen::put(&mut act.plan, back.protocol, false, back.own.port, inside);
            act.turns = true;
        }
        Ok(act)
    }

    /// A message of ICMP about a packet that has passed here (RFC 5508, 4).
    fn error(
        &mut self,
        outward: bool,
        seen: &Seen,
        quote: &Quote,
        rules: &Rules,
        now: u64,
    ) -> Result<Act, Why> {
        // The packet went the other way. What is of this side in there is what it had when it left, or had come.
        let quoted = quote.seen().and_then(|quoted| quoted.flow(!outward));
        let Some((flow, _)) = quoted else {
            return Err(Self::other(outward, seen, rules));
        };
        let Some(other) = self.table.about(outward, &flow, rules, now) else {
            return Err(match Self::other(outward, seen, rules) {
                Why::Unsupported => Why::Unsolicited,
                why => why,
            });
        };
        let mut act = Act::NOTHING;
        let address = Some(Address::V4(other.address));
        if outward {
            act.plan.source = address;
        } else {
            act.plan.destination = address;
        }
        seen::put(
            &mut act.quote,
            flow.protocol,
            !outward,
            flow.own.port,
            other,
        );
        Ok(act)
    }
}

/// Translation by prefixes, without a state.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Maps {
    pub(crate) map: Option<Map>,
    pub(crate) npt: Option<Npt>,
}

impl Maps {
    /// Whether there is one for this IP version.
    #[inline]
    pub(crate) fn are_for(&self, is_v6: bool) -> bool {
        self.map.is_some_and(|map| map.is_v6() == is_v6) || (is_v6 && self.npt.is_some())
    }

    /// The address on the other side, and whether checksums stay as they are.
    fn translate(&self, from: Address, outward: bool) -> Result<Option<(Address, bool)>, Why> {
        if let Some(to) = self.map.and_then(|map| map.translate(from, outward)) {
            return Ok(Some((to, false)));
        }
        match self.npt.and_then(|npt| npt.translate(from, outward)) {
            None => Ok(None),
            Some(Ok(to)) => Ok(Some((to, true))),
            Some(Err(_)) => Err(Why::Unmappable),
        }
    }

    /// What a packet gets, and whether that is NPTv6.
    pub(crate) fn pass(
        &self,
        outward: bool,
        (source, destination): (Address, Address),
        quote: Option<&Quote>,
    ) -> Result<(Act, bool), Why> {
        let mut act = Act::NOTHING;
        let mut is_neutral = false;
        let mut found = false;
        let own = if outward { source } else { destination };
        if let Some((new, neutral)) = self.translate(own, outward)? {
            (found, is_neutral) = (true, neutral);
            if outward {
                act.plan.source = Some(new);
            } else {
                act.plan.destination = Some(new);
            }
            // It speaks to somebody inside.
            if outward && quote.is_none() {
                if let Some((new, _)) = self.translate(destination, false)? {
                    act.plan.destination = Some(new);
                    act.turns = true;
                }
            }
        }
        if let Some(quote) = quote {
            // The packet went the other way.
            let own = if outward {
                quote.destination
            } else {
                quote.source
            };
            if let Some((new, neutral)) = self.translate(own, outward)? {
                (found, is_neutral) = (true, neutral);
                if outward {
                    act.quote.destination = Some(new);
                } else {
                    act.quote.source = Some(new);
                }
            }
        }
        found.then_some((act, is_neutral)).ok_or(Why::Untouched)
    }
}
