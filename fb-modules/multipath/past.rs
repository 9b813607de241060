// SPDX-License-Identifier: GPL-2.0

//! The history of `multipath`: each part of it behind a lock of its own.

use super::{
    filled,
    multipath::{
        config::Rules,
        flow::Hosts,
        history::{Note, Shard},
        segment::{Carried, Ends},
    },
    List, Multipath,
};
use lana::prelude::*;

/// How many places there are for connections of TCP under these rules: a power of two, or 0.
pub(crate) fn places(rules: &Rules) -> usize {
    match rules.watches_tcp() {
        true => (rules.room() as usize).next_power_of_two(),
        false => 0,
    }
}

/// No connection yet, in as many places. Sleeps.
pub(crate) fn ends(rules: &Rules) -> Result<Ends> {
    Ok(Ends::new(filled(places(rules))?))
}

/// Packets from one host to another by a port. Nobody waits for long: a part of it has 16 records.
pub(crate) struct History(List<Locked<Shard>>);

impl History {
    /// With as many records as the rules have, or none. Sleeps.
    pub(crate) fn new(rules: &Rules) -> Result<Self> {
        let count = usize::try_from(rules.history.0).unwrap_or(0);
        let count = count.div_ceil(Shard::RECORDS);
        let mut shards = List::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            let shard = Locked::new(Shard::new(filled(Shard::RECORDS)?))?;
            shards.push(shard, GFP_KERNEL)?;
        }
        Ok(Self(shards))
    }

    fn shard(&self, key: u64) -> Option<&Locked<Shard>> {
        self.0.get(Shard::of(key, self.0.len()))
    }

    /// How a key has fared, if that is known, and not older than `expiry` nanoseconds.
    pub(crate) fn past(&self, key: u64, now: u64, expiry: u64) -> Option<Carried> {
        let shard = self.shard(key)?;
        shard.with(|shard| shard.past(key, now, expiry))
    }

    /// Notes a packet. Says whether another record had to be forgotten for it.
    pub(crate) fn note(&self, key: u64, hosts: Option<Hosts>, note: &Note) -> bool {
        let shard = self.shard(key);
        shard.is_some_and(|shard| shard.with(|shard| shard.note(key, hosts, note)))
    }

    /// A seat is another port's now. As long as the history is large.
    pub(crate) fn clear(&self, seat: u8) {
        for shard in &self.0 {
            shard.with(|shard| shard.clear(seat));
        }
    }
}

impl Multipath {
    /// Prints a line for each record, if there are any.
    pub(crate) fn pairs(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        if self.history.0.is_empty() {
            return Ok(());
        }
        writeln!(
            to,
            "source destination port packets bytes data retransmitted"
        )?;
        for shard in &self.history.0 {
            for index in 0..Shard::RECORDS {
                let record = shard.with(|shard| shard.pairs().nth(index).copied());
                let Some((record, hosts)) = record.and_then(|r| Some((r, r.hosts?))) else {
                    break;
                };
                let mut ports = self.bound().enumerate();
                let port = ports.find(|(_, port)| port.seat == record.seat);
                let Some((port, _)) = port else { continue };
                let (packets, bytes, carried) = (record.packets, record.bytes, record.carried);
                let (data, retransmitted) = (carried.data, carried.retransmitted);
                writeln!(
                    to,
                    "{hosts} {port} {packets} {bytes} {data} {retransmitted}"
                )?;
            }
        }
        Ok(())
    }
}
