// SPDX-License-Identifier: GPL-2.0

//! The life of a probe: from the request, over records that come and blocks that go, to the totals.

use super::{
    names::Names,
    part::{Part, Parts},
};
use anyhow::{Context, Error, Result};
use lana_cli::clean;
use lana_netlink::{
    spec::{EventAttrs, EventKind, ProbeAttrs},
    wire::Value,
    Connection, EventStream, Notice, Probe,
};
use rustix::event::{poll, PollFd, PollFlags};
use serde::Serialize;
use signal_hook::{consts, flag, low_level::pipe};
use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// So many records are shown before we look for events and signals again.
const BATCH: usize = 256;
/// When all packets were shown that were to be, those of them that a block holds get so much time to go on, each time.
const PATIENCE: Duration = Duration::from_secs(5);

/// What shows the records.
pub(crate) trait Show {
    /// The probe is there.
    fn begin(&mut self, _names: &Names) -> Result<()> {
        Ok(())
    }
    /// Shows a record.
    fn record(&mut self, part: &Part<'_>, names: &Names) -> Result<()>;
    /// No record waits: what was shown is to go out.
    fn flush(&mut self) -> Result<()>;
    /// The probe has ended.
    fn end(&mut self, _totals: &Totals, _end: End) -> Result<()> {
        Ok(())
    }
    /// A block of which packets were to be shown is gone.
    fn removed(&mut self, name: &str) {
        // Nobody need be there to read it.
        let _ = writeln!(io::stderr(), "fbctl: {} was removed", clean(name));
    }
    /// Whether no more is to be shown.
    fn is_full(&self) -> bool {
        false
    }
    /// Whether the standard output is where it goes.
    fn is_standard(&self) -> bool {
        true
    }
}

/// What a probe has come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Packets that were shown.
    pub(crate) records: u64,
    /// Records that were lost.
    pub(crate) lost: u64,
    /// Those of them that were lost behind the last one.
    pub(crate) lost_last: u64,
}

/// What to do, and until when.
pub(crate) struct Watch {
    /// The request; without blocks, which have their names from `blocks`.
    pub(crate) request: ProbeAttrs,
    /// The end, when all of these are gone: IDP and name. Without any there is no such end.
    pub(crate) blocks: Vec<(u32, String)>,
    /// The end, after so many packets.
    pub(crate) limit: Option<u64>,
    /// What begins, for who waits for that on the standard error.
    pub(crate) begins: Option<String>,
    /// What happens to packets, for the totals.
    pub(crate) verb: &'static str,
}

/// Why there is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// There were as many as there were to be.
    Limit,
    /// All blocks are gone.
    Removed,
    /// What was to end it has come.
    Signal,
    /// Nobody reads what we write.
    Closed,
}

/// What ends a watch, besides blocks that go and records that were enough.
pub(crate) trait Until {
    /// Whether it has come.
    fn came(&self) -> bool;
    /// Readable when it comes.
    fn fd(&self) -> BorrowedFd<'_>;
    /// It comes at this time, if not before.
    fn due(&self) -> Option<Instant> {
        None
    }
}

impl Watch {
    /// Shows records until the end, or a signal, and tells the totals.
    pub(crate) fn run(
        self,
        lana: &mut Connection,
        names: Names,
        show: &mut dyn Show,
    ) -> Result<()> {
        let verb = self.verb;
        let totals = self.follow(lana, names, show, &Signals::listen()?)?;
        // Nobody need be there to read it.
        let _ = writeln!(io::stderr(), "{}", totals.text(verb));
        Ok(())
    }

    /// Shows records until the end. The totals are the result.
    pub(crate) fn follow(
        self,
        lana: &mut Connection,
        names: Names,
        show: &mut dyn Show,
        until: &dyn Until,
    ) -> Result<Totals> {
        // From before the probe is there: no removal is missed.
        let events = EventStream::open()?;
        let mut probe = Probe::open(&self.request)?;
        let mut running = Running {
            left: self.blocks.iter().map(|(idp, _)| *idp).collect(),
            watch: self,
            names,
            stale: true,
            parts: Parts::default(),
            last: Instant::now(),
            totals: Totals::default(),
        };
        let begun = show.begin(&running.names).and_then(|()| show.flush());
        if let (Ok(()), Some(begins)) = (&begun, &running.watch.begins) {
            // Nobody need be there to read it.
            let _ = writeln!(io::stderr(), "{}", clean(begins));
        }
        let end = begun.and_then(|()| running.follow(lana, &mut probe, events, until, show));
        running.settle(&mut probe);
        let end = match end {
            Err(error) if is_closed(&error) => End::Closed,
            end => end?,
        };
        if end != End::Closed {
            let shown = show.end(&running.totals, end).and_then(|()| show.flush());
            match shown {
                Err(error) if is_closed(&error) => {}
                shown => shown?,
            }
        }
        Ok(running.totals)
    }
}

/// What becomes of packets, in the end.
pub(crate) const TRACED: &str = "traced";
pub(crate) const CAPTURED: &str = "captured";

/// What is said where records were lost, which the graph has passed on all the same.
pub(crate) fn lost_text(lost: u64, verb: &str) -> String {
    format!("({lost} not {verb})")
}

impl Totals {
    fn text(&self, verb: &str) -> String {
        let packets = if self.records == 1 {
            "packet"
        } else {
            "packets"
        };
        format!(
            "{} {packets} {verb}, {} not {verb}",
            self.records, self.lost
        )
    }
}

/// How a number of records ended.
enum Batch {
    /// There may be more.
    Full,
    /// There are no more yet.
    Idle,
    /// There are no more.
    End(End),
}

/// A probe that is there.
struct Running {
    watch: Watch,
    names: Names,
    /// The graph has changed since its names were read.
    stale: bool,
    /// The blocks that are not gone.
    left: BTreeSet<u32>,
    parts: Parts,
    /// When something was shown last.
    last: Instant,
    totals: Totals,
}

impl Running {
    fn follow(
        &mut self,
        lana: &mut Connection,
        probe: &mut Probe,
        mut events: EventStream,
        until: &dyn Until,
        show: &mut dyn Show,
    ) -> Result<End> {
        // What was there when the end came is shown still.
        let mut stopped = None;
        loop {
            while let Some(notice) = events.take_notice()? {
                self.heed(&notice, show)?;
            }
            if self.stale {
                self.names.refresh(lana)?;
                self.stale = false;
            }
            if stopped.is_none() && until.came() {
                stopped = Some(now());
            }
            let end = match self.batch(probe, stopped, show)? {
                Batch::Full => continue,
                Batch::End(end) => end,
                Batch::Idle => {
                    show.flush()?;
                    if stopped.is_some() {
                        End::Signal
                    } else if self.left.is_empty() && !self.watch.blocks.is_empty() {
                        End::Removed
                    } else if self.due().is_some_and(|due| due <= Instant::now()) {
                        End::Limit
                    } else if wait(probe, &events, until, self.due(), show.is_standard())? {
                        End::Closed
                    } else {
                        continue;
                    }
                }
            };
            show.flush()?;
            return Ok(end);
        }
    }

    /// Shows records that are there.
    fn batch(
        &mut self,
        probe: &mut Probe,
        stopped: Option<u64>,
        show: &mut dyn Show,
    ) -> Result<Batch> {
        for _ in 0..BATCH {
            let Some(record) = probe.take_record()? else {
                return Ok(Batch::Idle);
            };
            if stopped.is_some_and(|stopped| record.time > Some(stopped)) {
                return Ok(Batch::End(End::Signal));
            }
            if self.is_full() && !self.parts.know(&record) {
                continue;
            }
            self.show(&record, show)?;
            if self.is_full() && !self.parts.wait() || show.is_full() {
                return Ok(Batch::End(End::Limit));
            }
        }
        Ok(Batch::Full)
    }

    fn show(&mut self, record: &ProbeAttrs, show: &mut dyn Show) -> Result<()> {
        let lost = record
            .lost
            .unwrap_or(self.totals.lost)
            .max(self.totals.lost);
        let part = self.parts.part(record, lost - self.totals.lost);
        show.record(&part, &self.names)?;
        self.totals.lost = lost;
        self.totals.records = self.parts.packets();
        self.last = Instant::now();
        Ok(())
    }

    /// Heeds what was lost behind the last record.
    fn settle(&mut self, probe: &mut Probe) {
        // A kernel that cannot say so has told with the records.
        let lost = probe.lost().ok().flatten().unwrap_or_default();
        self.totals.lost_last = lost.saturating_sub(self.totals.lost);
        self.totals.lost += self.totals.lost_last;
    }

    /// Whether all packets were shown that were to be, but for those that a block holds.
    fn is_full(&self) -> bool {
        let limit = self.watch.limit;
        limit.is_some_and(|limit| limit <= self.totals.records)
    }

    /// When we do not wait for those any longer.
    fn due(&self) -> Option<Instant> {
        self.is_full().then(|| self.last.checked_add(PATIENCE))?
    }

    /// Does what an event asks for.
    fn heed(&mut self, notice: &Notice, show: &mut dyn Show) -> Result<()> {
        match notice {
            Notice::Unloaded => return Err(lana_netlink::Error::Unloaded.into()),
            Notice::Event(event) => self.heed_event(event, show),
            _ => self.stale = true,
        }
        Ok(())
    }

    fn heed_event(&mut self, event: &EventAttrs, show: &mut dyn Show) {
        let Some(Value::Known(kind)) = event.kind else {
            return;
        };
        match kind {
            EventKind::Removed => {
                if event.idp.is_some_and(|idp| self.left.remove(&idp)) {
                    show.removed(event.fb.as_deref().unwrap_or_default());
                }
                self.stale = true;
            }
            EventKind::Added | EventKind::Replaced | EventKind::Renamed => self.stale = true,
            _ => {}
        }
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

fn is_closed(error: &Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref().is_some_and(broken)
}

/// Waits until there is something to do. Whether nobody reads the standard output any more is the
/// result.
fn wait(
    probe: &Probe,
    events: &EventStream,
    until: &dyn Until,
    due: Option<Instant>,
    standard: bool,
) -> Result<bool> {
    let stdout = io::stdout();
    let mut fds = Vec::new();
    if standard {
        fds.push(PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty()));
    }
    for fd in [probe.fd(), events.fd(), Some(until.fd())] {
        fds.extend(fd.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    }
    let left = |due: Instant| due.saturating_duration_since(Instant::now());
    let due = until.due().into_iter().chain(due).min();
    let left = due.and_then(|due| left(due).try_into().ok());
    match poll(&mut fds, left.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(io::Error::from(error)).context("poll"),
    }
    let gone = PollFlags::ERR | PollFlags::HUP;
    let closed = |fd: &PollFd<'_>| fd.revents().intersects(gone);
    Ok(standard && fds.first().is_some_and(closed))
}

/// How long after a signal another one ends us whatever we do.
const GRACE: Duration = Duration::from_secs(1);

/// The signals that end us.
struct Signals {
    came: Arc<AtomicBool>,
    /// Readable after one.
    wake: UnixStream,
}

impl Signals {
    fn listen() -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        let insists = Arc::new(AtomicBool::new(false));
        let (wake, write) = UnixStream::pair().context("signals")?;
        let (mut first, also) = UnixStream::pair().context("signals")?;
        for signal in [consts::SIGINT, consts::SIGTERM, consts::SIGHUP] {
            flag::register_conditional_default(signal, Arc::clone(&insists)).context("signals")?;
            flag::register(signal, Arc::clone(&came)).context("signals")?;
            pipe::register(signal, write.try_clone().context("signals")?).context("signals")?;
            pipe::register(signal, also.try_clone().context("signals")?).context("signals")?;
        }
        // A second one ends us even where we cannot write; but not at once, as timeout(1) sends each twice.
        thread::spawn(move || {
            if first.read_exact(&mut [0]).is_ok() {
                thread::sleep(GRACE);
                insists.store(true, Ordering::Relaxed);
            }
        });
        Ok(Signals { came, wake })
    }
}

impl Until for Signals {
    fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

#[cfg(test)]
mod tests;
