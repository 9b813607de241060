// SPDX-License-Identifier: GPL-2.0

//! The state of `netflow`: tables of flows, and what is counted.

use super::{
    export::{Progress, Setup},
    milliseconds,
    netflow::{
        file::{self, Cursor},
        key::{Keys, Masks, Spec},
        memory::{Chunk, Sizes},
        pipeline::{Done, Pipeline},
        record::{End, Times},
        sampling::Sampler,
        table::{Counted, Table},
    },
    push, room, List,
};
use kernel::sync::atomic::{Atomic, Relaxed};
use lana::prelude::*;

/// What a CPU has of its own.
pub(super) struct Own {
    pub(super) table: Table,
    pub(super) pipeline: Pipeline,
    pub(super) sampler: Sampler,
    /// How many chunks of the pool it has.
    pub(super) chunks: u32,
}

/// What a CPU's table says of itself.
#[derive(Zeroable)]
pub(super) struct Follow {
    /// Packets in the pipeline.
    due: Count,
    active: Count,
    waiting: Count,
    begun: Count,
    idle: Count,
    long: Count,
    closed: Count,
    forced: Count,
    full: Count,
}

/// The same of all CPUs.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) due: u64,
    pub(super) active: u64,
    pub(super) waiting: u64,
    begun: u64,
    ended: [u64; End::NUMBERS],
}

impl Follow {
    /// What there is to say has changed.
    pub(super) fn follow(&self, own: &Own) {
        let table = &own.table;
        self.due.set(own.pipeline.waiting().into());
        self.active.set(table.active().into());
        self.waiting.set(table.waiting().into());
        self.begun.set(table.begun);
        let [_, idle, long, closed, forced, full] = table.ended;
        self.idle.set(idle);
        self.long.set(long);
        self.closed.set(closed);
        self.forced.set(forced);
        self.full.set(full);
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.due = self.due.wrapping_add(other.due);
        self.active = self.active.wrapping_add(other.active);
        self.waiting = self.waiting.wrapping_add(other.waiting);
        self.begun = self.begun.wrapping_add(other.begun);
        for (sum, other) in self.ended.iter_mut().zip(other.ended) {
            *sum = sum.wrapping_add(other);
        }
    }
}

/// How many tables there have been.
static NUMBERS: Atomic<u32> = Atomic::new(0);

/// The flows that are kept by a key, on all CPUs.
pub(super) struct Tables {
    /// Newer ones have a higher number.
    number: u32,
    pub(super) masks: Masks,
    pub(super) keys: Keys,
    pub(super) cell: CpuCell<Own>,
    pub(super) counts: PerCpu<Follow>,
    /// Records that no CPU has.
    pool: Locked<List<Chunk>>,
    left: Atomic<u32>,
    /// CPUs that have none. Each can get a chunk.
    bare: Atomic<u32>,
    /// How many blocks have it. Without one it gets no more packets.
    users: Atomic<u32>,
    flows: u32,
}

impl Tables {
    /// Sleeps.
    pub(super) fn new(spec: Spec, flows: u32, process: &Process) -> Result<Arc<Self>> {
        let mut cpus = 0_u32;
        CpuCell::<Own>::cpus().for_each(|_| cpus = cpus.saturating_add(1));
        let sizes = Sizes::of(flows, cpus);
        if sizes.bytes(cpus, spec.biflow) > (memory::available(process) / 4).saturating_mul(3) {
            return Err(ENOMEM);
        }
        let mut pool = room(sizes.chunks as usize).ok_or(ENOMEM)?;
        for _ in 0..sizes.chunks {
            let chunk = Chunk::new(spec.biflow).ok_or(ENOMEM)?;
            push(&mut pool, chunk).then_some(()).ok_or(ENOMEM)?;
        }
        let seeds = HashKey::random();
        let own = |cpu: u32| {
            Ok(Own {
                table: Table::new(&sizes).ok_or(ENOMEM)?,
                pipeline: Pipeline::new().ok_or(ENOMEM)?,
                sampler: Sampler::new(seeds.hash(&[cpu.into()])),
                chunks: 0,
            })
        };
        let tables = Self {
            number: NUMBERS.fetch_add(1_u32, Relaxed) & Cursor::TABLES,
            masks: Masks::new(spec),
            keys: Keys::new(&HashKey::random()),
            cell: CpuCell::new(process, own)?,
            counts: PerCpu::new(process)?,
            pool: Locked::new(pool)?,
            left: Atomic::new(sizes.chunks),
            bare: Atomic::new(cpus),
            users: Atomic::new(0),
            flows,
        };
        Ok(Arc::new(tables, GFP_KERNEL)?)
    }

    pub(super) fn is_for(&self, spec: &Spec, flows: u32) -> bool {
        self.masks.spec == *spec && self.flows == flows
    }

    /// Records for a CPU that has too few, and so many chunks.
    #[cold]
    pub(super) fn more(&self, has: &mut u32) -> Option<Chunk> {
        let is_bare = *has == 0;
        let least = || match is_bare {
            true => 0,
            false => self.bare.load(Relaxed),
        };
        if self.left.load(Relaxed) <= least() {
            return None;
        }
        let chunk = self.pool.with(|pool| {
            let has_some = pool.len() as u32 > least();
            let chunk = has_some.then(|| pool.pop()).flatten()?;
            self.left.store(pool.len() as u32, Relaxed);
            if is_bare {
                self.bare.fetch_sub(1_u32, Relaxed);
            }
            Some(chunk)
        })?;
        *has = has.saturating_add(1);
        Some(chunk)
    }

    /// Records that a CPU does not need, to be taken back.
    pub(super) fn give_back(&self, own: &mut Own) -> Option<Chunk> {
        let chunk = own.table.give_back()?;
        own.chunks = own.chunks.saturating_sub(1);
        if own.chunks == 0 {
            self.bare.fetch_add(1_u32, Relaxed);
        }
        Some(chunk)
    }

    /// Takes records back that a CPU does not need.
    pub(super) fn back(&self, chunk: Chunk) {
        self.pool.with(|pool| {
            // There is room: it comes from here.
            push(pool, chunk);
            self.left.store(pool.len() as u32, Relaxed);
        });
    }

    /// What a CPU's table says of itself has changed, by who visits it.
    pub(super) fn follow(&self, cpu: u32, own: &Own) {
        if let Some((_, counts)) = self.counts.iter().find(|(other, _)| *other == cpu) {
            counts.follow(own);
        }
    }

    /// Counts the packets of a CPU that are in its pipeline, by who visits it.
    pub(super) fn flush(&self, cpu: u32, own: &mut Own, times: &Times, counts: &PerCpu<Counts>) {
        let rules = (&self.masks, times);
        while let Some(done) = own
            .pipeline
            .flush(&mut own.table, rules, || self.more(&mut own.chunks))
        {
            let counts = counts.iter().find(|(other, _)| *other == cpu);
            if let Some((_, counts)) = counts.filter(|_| done.counted == Counted::Lost) {
                counts.lose(&done);
            }
        }
    }

    /// Whether a CPU has packets in its pipeline.
    fn is_due(&self, cpu: u32) -> bool {
        self.says(cpu, |counts| counts.due.get() > 0)
    }

    /// Whether flows of a CPU wait to be taken.
    pub(super) fn waits(&self, cpu: u32) -> bool {
        self.says(cpu, |counts| counts.waiting.get() > 0)
    }

    /// Whether a CPU has packets or flows.
    pub(super) fn has(&self, cpu: u32) -> bool {
        self.is_due(cpu) || self.waits(cpu) || self.says(cpu, |counts| counts.active.get() > 0)
    }

    fn says(&self, cpu: u32, what: impl Fn(&Follow) -> bool) -> bool {
        let mut counts = self.counts.iter();
        counts.any(|(other, counts)| other == cpu && what(counts))
    }

    pub(super) fn is_used(&self) -> bool {
        self.users.load(Relaxed) > 0
    }

    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for (_, counts) in self.counts.iter() {
            sums.add(&Sums {
                due: counts.due.get(),
                active: counts.active.get(),
                waiting: counts.waiting.get(),
                begun: counts.begun.get(),
                ended: [
                    0,
                    counts.idle.get(),
                    counts.long.get(),
                    counts.closed.get(),
                    counts.forced.get(),
                    counts.full.get(),
                ],
            });
        }
        sums
    }
}

/// Says that a block has the tables, and packets may come to them.
pub(super) struct Lease(Arc<Tables>);

impl Lease {
    pub(super) fn new(tables: Arc<Tables>) -> Result<Self> {
        tables.users.fetch_add(1_u32, Relaxed);
        Ok(Self(tables))
    }

    pub(super) fn again(&self) -> Self {
        self.0.users.fetch_add(1_u32, Relaxed);
        Self(self.0.clone())
    }

    #[inline(always)]
    pub(super) fn tables(&self) -> &Arc<Tables> {
        &self.0
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1_u32, Relaxed);
    }
}

/// What a CPU counts.
#[derive(Zeroable)]
pub(super) struct Counts {
    pub(super) packets: Count,
    pub(super) bytes: Count,
    pub(super) other: Count,
    pub(super) malformed: Count,
    pub(super) unsampled: Count,
    pub(super) lost_packets: Count,
    pub(super) lost_bytes: Count,
}

impl Counts {
    /// There was no room for a packet.
    pub(super) fn lose(&self, done: &Done) {
        self.lost_packets.add(done.packets.into());
        self.lost_bytes.add(done.bytes.into());
    }
}

/// All that counts flows. What is counted is here once: it moves while the lock is held.
struct Books {
    /// All tables with flows, also those that get no more packets.
    tables: List<Arc<Tables>>,
    /// What tables have counted that are no more.
    past: Sums,
}

/// What blocks have in common of which one takes the other's place.
pub(super) struct Meter {
    /// Nothing waits in it: sockets are opened by it.
    pub(super) queue: HoldQueue,
    pub(super) counts: PerCpu<Counts>,
    books: Locked<Books>,
    /// What the block wants that packets come to.
    setup: Locked<Option<Arc<Setup>>>,
    progress: Locked<Progress>,
}

impl Meter {
    pub(super) fn new(queue: HoldQueue, process: &Process) -> Result<Self> {
        Ok(Self {
            queue,
            counts: PerCpu::new(process)?,
            books: Locked::new(Books {
                tables: List::new(),
                past: Sums::default(),
            })?,
            setup: Locked::new(None)?,
            progress: Locked::new(Progress::default())?,
        })
    }

    /// There are flows in these tables from now on, too. Sleeps.
    pub(super) fn keep(&self, tables: &Arc<Tables>) -> Result {
        let mut grown = List::new();
        loop {
            let done = self.books.with(|books| {
                let list = &mut books.tables;
                if list.iter().any(|other| Arc::ptr_eq(other, tables)) {
                    return true;
                }
                if list.len() < list.capacity() {
                    return push(list, tables.clone());
                }
                if grown.capacity() <= list.len() {
                    return false;
                }
                for other in list.iter() {
                    push(&mut grown, other.clone());
                }
                core::mem::swap(list, &mut grown);
                push(list, tables.clone())
            });
            if done {
                return Ok(());
            }
            let count = self.books.with(|books| books.tables.len());
            grown = room(count.saturating_add(4)).ok_or(ENOMEM)?;
        }
    }

    /// The tables, one by one. Where some are forgotten meanwhile, none of the others is left out.
    pub(super) fn tables(&self) -> impl Iterator<Item = Arc<Tables>> + '_ {
        let mut from = Some(0_u32);
        core::iter::from_fn(move || {
            let tables = self.tables_from(from?)?;
            from = tables.number.checked_add(1);
            Some(tables)
        })
    }

    /// Counts all packets that are in a pipeline. Sleeps.
    fn flush(&self, process: &Process) {
        let Some(setup) = self.setup() else { return };
        for tables in self.tables() {
            for cpu in CpuCell::<Own>::cpus().filter(|cpu| tables.is_due(*cpu)) {
                let flush = |own: &mut Own| {
                    tables.flush(cpu, own, &setup.times, &self.counts);
                    tables.follow(cpu, own);
                };
                tables.cell.visit(cpu, process, flush);
            }
        }
    }

    /// Forgets tables that get no packets and have no flows. Sleeps.
    pub(super) fn forget(&self) {
        let take = || {
            self.books.with(|books| {
                let is_over = |tables: &Arc<Tables>| {
                    let sums = tables.sums();
                    !tables.is_used() && sums.due == 0 && sums.active == 0 && sums.waiting == 0
                };
                let number = books.tables.iter().position(is_over)?;
                let tables = books.tables.remove(number).ok()?;
                books.past.add(&tables.sums());
                Some(tables)
            })
        };
        // They are freed with no lock held.
        while let Some(tables) = take() {
            drop(tables);
        }
    }

    pub(super) fn sums(&self) -> Sums {
        self.books.with(|books| {
            let mut sums = books.past;
            books
                .tables
                .iter()
                .for_each(|tables| sums.add(&tables.sums()));
            sums
        })
    }

    pub(super) fn set_up(&self, setup: &Arc<Setup>) {
        // What is not needed any more is freed with no lock held.
        drop(self.setup.with(|old| old.replace(setup.clone())));
    }

    pub(super) fn setup(&self) -> Option<Arc<Setup>> {
        self.setup.with(|setup| setup.clone())
    }

    pub(super) fn set_progress(&self, progress: &Progress) {
        self.progress.with(|old| *old = *progress);
    }

    /// What all CPUs have counted.
    pub(super) fn sum(&self, part: fn(&Counts) -> &Count) -> u64 {
        let parts = self.counts.iter();
        let parts = parts.map(|(_, counts)| part(counts).get());
        parts.fold(0, u64::wrapping_add)
    }

    /// Shows what is counted. Sleeps.
    pub(super) fn put(&self, to: &mut dyn Options, flows: u64, process: &Process) {
        self.flush(process);
        let sums = self.sums();
        let load = sums.active.saturating_mul(100).checked_div(flows);
        let mut put = |key, value: u64| to.put(key, format_args!("{value}"));
        put("current", sums.active);
        put("load", load.unwrap_or(0));
        put("waiting", sums.waiting);
        put("begun", sums.begun);
        put("packets", self.sum(|counts| &counts.packets));
        put("bytes", self.sum(|counts| &counts.bytes));
        put("other", self.sum(|counts| &counts.other));
        put("malformed", self.sum(|counts| &counts.malformed));
        put("unsampled", self.sum(|counts| &counts.unsampled));
        let [_, idle, long, closed, forced, full] = sums.ended;
        put("ended.inactive", idle);
        put("ended.active", long);
        put("ended.closed", closed);
        put("ended.forced", forced);
        put("ended.full", full);
        let progress = self.progress.with(|progress| *progress);
        put("messages", progress.messages);
        put("exported.flows", progress.exported.flows);
        put("exported.packets", progress.exported.packets);
        put("exported.bytes", progress.exported.bytes);
        put("lost.full.packets", self.sum(|counts| &counts.lost_packets));
        put("lost.full.bytes", self.sum(|counts| &counts.lost_bytes));
        put("lost.unsent.flows", progress.unsent.flows);
        put("lost.unsent.packets", progress.unsent.packets);
        put("lost.unsent.bytes", progress.unsent.bytes);
        put("lost.version.flows", progress.unfit.flows);
        put("lost.version.packets", progress.unfit.packets);
        put("lost.version.bytes", progress.unfit.bytes);
    }

    /// The first tables of this number or a higher one.
    fn tables_from(&self, number: u32) -> Option<Arc<Tables>> {
        self.books.with(|books| {
            let tables = books.tables.iter().filter(|tables| tables.number >= number);
            tables.min_by_key(|tables| tables.number).cloned()
        })
    }

    /// Prints some flows of a CPU, a line each, and says where the next ones are. A flow keeps its place as long as it
    /// lasts, so that none is left out.
    pub(super) fn print_part(
        &self,
        from: Cursor,
        to: &mut dyn fmt::Write,
        process: &Process,
    ) -> Result<Option<u64>, fmt::Error> {
        /// How many are printed, and how many are looked at while packets of their CPU wait. To get at them takes as long as
        /// to print some. They are to fit into half of a reader's buffer, of 64 KiB.
        const FLOWS: usize = 128;
        const MOST: u32 = 1024;
        let Some(tables) = self.tables_from(from.tables) else {
            return Ok(None);
        };
        let at = from.on(tables.number);
        let Some(cpu) = CpuCell::<Own>::cpus().find(|cpu| *cpu >= at.cpu) else {
            return Ok(at.next_tables().map(u64::from));
        };
        let at = at.at(cpu);
        let mut flows = room(FLOWS).ok_or(fmt::Error)?;
        let mut next = None;
        if tables.has(cpu) {
            let look = |own: &mut Own| own.table.look(at.record, MOST, &mut flows);
            next = tables.cell.visit(cpu, process, look).flatten();
        }
        let now = milliseconds();
        for flow in &flows {
            file::line(to, flow, tables.masks.spec, now)?;
        }
        Ok(Some(at.behind(next).into()))
    }
}
