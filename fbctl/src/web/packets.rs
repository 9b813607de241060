// SPDX-License-Identifier: GPL-2.0

//! Packets that a page asks for: a trace, hop by hop, or a capture to be saved.
//!
//! Each is a probe that ends with the request: when the page has gone, when the time is over, or when there were as many
//! packets as were asked for. Two at a time leave probes for others, as a namespace has four.

use super::http::{self, Answer, Request};
use crate::{
    capture::pcapng,
    probe::{
        filter,
        names::Names,
        part::Part,
        summary::Detail,
        watch::{End, Show, Totals, Until, Watch},
    },
    trace::text,
};
use anyhow::{Context, Result};
use lana_netlink::{
    spec::{ProbeAttrs, ProbePoint},
    Connection, Error,
};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use serde::Serialize;
use std::{
    io::{self, Write},
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// At most so many probes at a time.
const PROBES: usize = 2;
/// How long one may take.
const SECONDS: u64 = 600;
/// How many packets may be traced.
const TRACED: u64 = 1000;
/// So many of them a second: people read these.
const TRACED_RATE: u32 = 100;
/// How many packets may be captured.
const CAPTURED: u64 = 100_000;
/// A capture ends behind so many bytes: the page has all of it in memory.
const BYTES: u64 = 64 << 20;
/// How long a filter may be.
const FILTER: usize = 2000;

/// Whether pages may look into packets, and how many probes they have.
pub(super) struct Packets {
    pub(super) allowed: bool,
    probes: AtomicUsize,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    name: String,
    filter: Option<Vec<u8>>,
    count: u64,
    time: Duration,
    points: Vec<ProbePoint>,
}

impl Wanted {
    fn read(request: &Request, most: u64) -> Result<Self, String> {
        let get = |key: &str| request.query.get(key).map_or("", |text| text.trim());
        let number = |key: &str, what: &str, most: u64| match get(key).parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(format!("{what}: 1 to {most}")),
        };
        let count = number("count", "packets", most)?;
        let time = Duration::from_secs(number("seconds", "seconds", SECONDS)?);
        let mut points = Vec::new();
        for point in get("points").split(',').filter(|point| !point.is_empty()) {
            points.push(match point {
                "in" => ProbePoint::In,
                "out" => ProbePoint::Out,
                "drops" => ProbePoint::Drops,
                _ => return Err("the points are in, out and drops".to_owned()),
            });
        }
        if points.is_empty() {
            points.push(ProbePoint::In);
        }
        let filter = match get("filter") {
            "" => None,
            text if text.len() > FILTER => {
                return Err(format!("the filter is longer than {FILTER} bytes"));
            }
            // Files are the user's, not the page's.
            text if text.starts_with('@') => {
                return Err("a page has no files: the filter is to be an expression".to_owned());
            }
            text => Some(filter::compile(text).map_err(|error| error.root_cause().to_string())?),
        };
        Ok(Wanted {
            name: get("name").to_owned(),
            filter,
            count,
            time,
            points,
        })
    }

    /// What to do, with a request that is complete but for the block, and the names of all blocks.
    fn watch(&self, request: ProbeAttrs, names: &Names) -> Watch {
        // A block that is not there is the kernel's to refuse.
        let found = names.find(&self.name);
        Watch {
            request: ProbeAttrs {
                filter: self.filter.clone(),
                limit: Some(self.count),
                ..request
            },
            blocks: found
                .map(|(idp, name)| (idp, name.to_owned()))
                .into_iter()
                .collect(),
            limit: Some(self.count),
            begins: None,
            verb: "shown",
        }
    }
}

impl Packets {
    pub(super) fn new(allowed: bool) -> Self {
        Packets {
            allowed,
            probes: AtomicUsize::new(0),
        }
    }

    /// Follows packets from a block on: a line of JSON each.
    pub(super) fn trace(&self, request: &Request, stream: &TcpStream) -> io::Result<()> {
        self.look(request, stream, TRACED, |wanted, names| {
            let request = ProbeAttrs {
                from: Some(wanted.name.clone()),
                rate: Some(TRACED_RATE),
                ..ProbeAttrs::default()
            };
            let show = Trace {
                to: stream,
                begun: false,
            };
            (wanted.watch(request, names), show)
        })
    }

    /// Captures packets at a block, as pcapng.
    pub(super) fn capture(&self, request: &Request, stream: &TcpStream) -> io::Result<()> {
        self.look(request, stream, CAPTURED, |wanted, names| {
            let request = ProbeAttrs {
                at: vec![wanted.name.clone()],
                points: Some(wanted.points.iter().map(|point| u32::from(*point)).sum()),
                ..ProbeAttrs::default()
            };
            let watch = wanted.watch(request, names);
            let show = Capture {
                to: stream,
                blocks: watch.blocks.iter().map(|(idp, _)| *idp).collect(),
                points: wanted.points.clone(),
                writer: None,
                bytes: 0,
            };
            (watch, show)
        })
    }

    fn look<S: Answering>(
        &self,
        request: &Request,
        stream: &TcpStream,
        most: u64,
        make: impl FnOnce(&Wanted, &Names) -> (Watch, S),
    ) -> io::Result<()> {
        let refuse = |answer: &Answer| answer.write(&mut &*stream, "");
        if !self.allowed {
            let why =
                "this page does not show packets: fbctl web --packets lets it trace and capture";
            return refuse(&Answer::text(403, why));
        }
        let wanted = match Wanted::read(request, most) {
            Ok(wanted) => wanted,
            Err(why) => return refuse(&Answer::text(400, &why)),
        };
        let Some(_place) = Place::take(&self.probes) else {
            let why = format!("pages have {PROBES} traces and captures already: stop one");
            return refuse(&Answer::text(503, &why));
        };
        let until = Page {
            stream,
            end: Instant::now() + wanted.time,
        };
        let mut shown = None;
        let followed = Connection::open().map_err(Into::into).and_then(|mut lana| {
            let mut names = Names::default();
            names.refresh(&mut lana)?;
            let (watch, show) = make(&wanted, &names);
            watch.follow(&mut lana, names, shown.insert(show), &until)
        });
        match (followed, shown) {
            (Ok(_), _) => Ok(()),
            (Err(error), Some(mut show)) if show.has_begun() => show.fail(&error),
            (Err(error), _) => refuse(&Answer::text(status(&error), &format!("{error:#}"))),
        }
    }
}

fn status(error: &anyhow::Error) -> u16 {
    const ENOENT: i32 = 2;
    match error.downcast_ref() {
        Some(Error::Refused(refusal)) if refusal.errno == ENOENT => 404,
        _ => 409,
    }
}

/// One of the probes that pages may have, until it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(taken: &'a AtomicUsize) -> Option<Self> {
        let place = Place(taken);
        (taken.fetch_add(1, Ordering::Relaxed) < PROBES).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends a probe when the page has gone, or when the time is over.
struct Page<'a> {
    stream: &'a TcpStream,
    end: Instant,
}

impl Until for Page<'_> {
    fn came(&self) -> bool {
        // A page says nothing more but that it goes.
        let mut fds = [PollFd::new(self.stream, PollFlags::IN)];
        let now = Timespec::default();
        Instant::now() >= self.end || poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    fn due(&self) -> Option<Instant> {
        Some(self.end)
    }
}

/// What writes an answer.
trait Answering: Show {
    /// The head of the answer has been written.
    fn has_begun(&self) -> bool;
    /// It does not go on.
    fn fail(&mut self, error: &anyhow::Error) -> io::Result<()>;
}

/// A line of the answer to who traces.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Packet(text::Packet),
    End { why: End, packets: u64, lost: u64 },
    Error(String),
}

struct Trace<'a> {
    to: &'a TcpStream,
    begun: bool,
}

impl Trace<'_> {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.to.write_all(&text)
    }
}

impl Show for Trace<'_> {
    fn begin(&mut self, _: &Names) -> Result<()> {
        self.begun = true;
        let head = http::head(200, "application/x-ndjson");
        Ok(self.to.write_all(format!("{head}\r\n").as_bytes())?)
    }

    fn record(&mut self, part: &Part<'_>, names: &Names) -> Result<()> {
        let packet = text::Packet::of(part, names, Detail::Compact);
        Ok(self.line(&Line::Packet(packet))?)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, totals: &Totals, end: End) -> Result<()> {
        let (packets, lost, why) = (totals.records, totals.lost, end);
        Ok(self.line(&Line::End { why, packets, lost })?)
    }

    fn removed(&mut self, _: &str) {}

    fn is_standard(&self) -> bool {
        false
    }
}

impl Answering for Trace<'_> {
    fn has_begun(&self) -> bool {
        self.begun
    }

    fn fail(&mut self, error: &anyhow::Error) -> io::Result<()> {
        self.line(&Line::Error(format!("{error:#}")))
    }
}

struct Capture<'a> {
    to: &'a TcpStream,
    blocks: Vec<u32>,
    points: Vec<ProbePoint>,
    writer: Option<pcapng::Writer<&'a TcpStream>>,
    /// Of packets.
    bytes: u64,
}

impl<'a> Capture<'a> {
    fn writer(&mut self) -> Result<&mut pcapng::Writer<&'a TcpStream>> {
        self.writer.as_mut().context("nothing has begun")
    }
}

impl Show for Capture<'_> {
    fn begin(&mut self, names: &Names) -> Result<()> {
        let head = http::head(200, "application/x-pcapng");
        self.to.write_all(format!("{head}\r\n").as_bytes())?;
        let writer = pcapng::Writer::begin(self.to, &self.blocks, &self.points, None, names)?;
        self.writer = Some(writer);
        Ok(())
    }

    fn record(&mut self, part: &Part<'_>, names: &Names) -> Result<()> {
        let bytes = part.record.data.as_ref().map_or(0, Vec::len);
        self.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        Ok(self.writer()?.record(part.record, part.lost, names)?)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.writer()?.flush()?)
    }

    fn end(&mut self, totals: &Totals, _: End) -> Result<()> {
        Ok(self.writer()?.end(totals.lost_last)?)
    }

    fn removed(&mut self, _: &str) {}

    fn is_full(&self) -> bool {
        self.bytes >= BYTES
    }

    fn is_standard(&self) -> bool {
        false
    }
}

impl Answering for Capture<'_> {
    fn has_begun(&self) -> bool {
        self.writer.is_some()
    }

    /// A file without the counts at its end is not whole.
    fn fail(&mut self, _: &anyhow::Error) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(query: &[(&str, &str)]) -> Result<Wanted, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let request = Request {
            query: query.iter().map(owned).collect(),
            ..Request::default()
        };
        Wanted::read(&request, TRACED)
    }

    #[test]
    fn what_is_asked_for_has_bounds() {
        let some = [("name", "a"), ("count", "10"), ("seconds", "5")];
        let expected = Wanted {
            name: "a".into(),
            filter: None,
            count: 10,
            time: Duration::from_secs(5),
            points: vec![ProbePoint::In],
        };
        assert_eq!(wanted(&some), Ok(expected));
        let with = |key, value| wanted(&[&some[..], &[(key, value)]].concat());
        for (key, value, why) in [
            ("count", "0", "packets: 1 to 1000"),
            ("count", "1001", "packets: 1 to 1000"),
            ("count", "", "packets: 1 to 1000"),
            ("seconds", "601", "seconds: 1 to 600"),
            ("seconds", "-1", "seconds: 1 to 600"),
            ("points", "in,up", "the points are in, out and drops"),
            (
                "filter",
                "@/etc/passwd",
                "a page has no files: the filter is to be an expression",
            ),
            (
                "filter",
                " @-",
                "a page has no files: the filter is to be an expression",
            ),
        ] {
            assert_eq!(with(key, value), Err(why.to_owned()), "{key}={value}");
        }
        let long = "x".repeat(FILTER + 1);
        assert!(with("filter", &long).is_err());
        let points = with("points", "out,drops").unwrap().points;
        assert_eq!(points, [ProbePoint::Out, ProbePoint::Drops]);
    }

    #[test]
    fn there_are_places_for_some() {
        let taken = AtomicUsize::new(0);
        let places: Vec<_> = (0..PROBES).map(|_| Place::take(&taken)).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(Place::take(&taken).is_none());
        drop(places);
        assert!(Place::take(&taken).is_some());
    }
}
