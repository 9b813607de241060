// SPDX-License-Identifier: GPL-2.0

//! What can be set, and the texts that it is set by.

use super::{next_hop::Mac, units};
use core::{fmt, ops::RangeInclusive};

/// The most ports.
pub(crate) const PORTS: u16 = 64;

/// How packets are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// All of a route by the same port.
    Route,
    /// One after the other.
    Packet,
    /// All of a session by the same port.
    Session,
    /// Where the most bandwidth is left.
    Bandwidth,
    /// Where the smallest part is used.
    Utilisation,
    /// All of a session by the same port up to the next pause.
    Flowlet,
    /// All of a session by the same port, without remembering any.
    Hash,
}

const STRATEGIES: [(&str, Strategy); 7] = [
    ("route", Strategy::Route),
    ("packet", Strategy::Packet),
    ("session", Strategy::Session),
    ("bandwidth", Strategy::Bandwidth),
    ("utilisation", Strategy::Utilisation),
    ("flowlet", Strategy::Flowlet),
    ("hash", Strategy::Hash),
];

impl Strategy {
    pub(crate) fn name(self) -> &'static str {
        let mut all = STRATEGIES.iter();
        all.find(|(_, one)| *one == self)
            .map_or("", |(name, _)| name)
    }
}

/// What bandwidth and utilisation choose a port for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Per {
    /// Each packet.
    Packet,
    /// Each session.
    Session,
}

impl Per {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Per::Packet => "packet",
            Per::Session => "session",
        }
    }
}

/// What bandwidth and utilisation take for the used bandwidth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// The average.
    Average,
    /// That of the last interval.
    Last,
}

impl Usage {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Usage::Average => "average",
            Usage::Last => "last",
        }
    }
}

/// What a route is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteKey {
    /// Source, destination, the device that the packet came by, and TOS: as in Linux's route cache.
    Cache,
    /// The destination.
    Destination,
}

impl RouteKey {
    pub(crate) fn name(self) -> &'static str {
        match self {
            RouteKey::Cache => "cache",
            RouteKey::Destination => "destination",
        }
    }
}

/// What holds for all ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) strategy: Strategy,
    pub(crate) per: Per,
    /// Seconds after which what was not seen is forgotten.
    pub(crate) expiry: u32,
    /// Milliseconds after which a session can go another way without overtaking itself.
    pub(crate) gap: u32,
    /// What can be remembered.
    pub(crate) sessions: u32,
    /// Sessions that come in by a port go out by it.
    pub(crate) learn: bool,
    pub(crate) route_key: RouteKey,
    /// How long an interval of the measurement is, in nanoseconds.
    pub(crate) interval: u64,
    /// How long averages are over.
    pub(crate) average: u64,
    pub(crate) usage: Usage,
}

impl Rules {
    /// Those of a new block.
    pub(crate) const DEFAULT: Self = Self {
        strategy: Strategy::Session,
        per: Per::Packet,
        expiry: 300,
        gap: 50,
        sessions: 65_536,
        learn: true,
        route_key: RouteKey::Cache,
        interval: 1000 * MILLISECOND,
        average: 8000 * MILLISECOND,
        usage: Usage::Average,
    };

    /// These with another value for an option, the default for an empty one; `None` where there is
    /// no such option.
    pub(crate) fn with(self, key: &str, value: &str) -> Option<Result<Self, Bad>> {
        let default = Self::DEFAULT;
        let rules = match key {
            "strategy" => {
                let mut all = STRATEGIES.iter();
                let named = all.find(|(name, _)| *name == value).map(|(_, one)| *one);
                or(value, default.strategy, named, Bad::Strategy)
                    .map(|strategy| Self { strategy, ..self })
            }
            "per" => {
                let mut all = [Per::Packet, Per::Session].into_iter();
                let named = all.find(|per| per.name() == value);
                or(value, default.per, named, Bad::Per).map(|per| Self { per, ..self })
            }
            "route-key" => {
                let mut all = [RouteKey::Cache, RouteKey::Destination].into_iter();
                let named = all.find(|key| key.name() == value);
                or(value, default.route_key, named, Bad::RouteKey)
                    .map(|route_key| Self { route_key, ..self })
            }
            "interval" => time(value, default.interval, Bad::Interval)
                .map(|interval| Self { interval, ..self }),
            "average" => {
                time(value, default.average, Bad::Average).map(|average| Self { average, ..self })
            }
            "usage" => {
                let mut all = [Usage::Average, Usage::Last].into_iter();
                let named = all.find(|usage| usage.name() == value);
                or(value, default.usage, named, Bad::Usage).map(|usage| Self { usage, ..self })
            }
            "expiry" => number(value, default.expiry, 1..=86_400, Bad::Expiry)
                .map(|expiry| Self { expiry, ..self }),
            "gap" => {
                number(value, default.gap, 1..=60_000, Bad::Gap).map(|gap| Self { gap, ..self })
            }
            "sessions" => number(value, default.sessions, 64..=4_194_304, Bad::Sessions)
                .map(|sessions| Self { sessions, ..self }),
            "learn" => {
                let named = match value {
                    "on" => Some(true),
                    "off" => Some(false),
                    _ => None,
                };
                or(value, default.learn, named, Bad::Learn).map(|learn| Self { learn, ..self })
            }
            _ => return None,
        };
        Some(rules)
    }
}

/// Nanoseconds in a millisecond.
const MILLISECOND: u64 = 1_000_000;

impl Rules {
    /// Whether sessions are remembered.
    pub(crate) fn remembers(&self) -> bool {
        match self.strategy {
            Strategy::Session | Strategy::Flowlet => true,
            Strategy::Bandwidth | Strategy::Utilisation => self.per == Per::Session,
            Strategy::Route | Strategy::Packet | Strategy::Hash => false,
        }
    }

    pub(crate) fn expiry_ns(&self) -> u64 {
        u64::from(self.expiry).wrapping_mul(1000 * MILLISECOND)
    }

    pub(crate) fn gap_ns(&self) -> u64 {
        u64::from(self.gap).wrapping_mul(MILLISECOND)
    }
}

/// What holds for a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) weight: u16,
    /// It is not to be used.
    pub(crate) is_down: bool,
    /// Bits a second; 0 is for what its device says.
    pub(crate) capacity: u64,
    /// Who gets what leaves by it.
    pub(crate) mac: Option<Mac>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    Weight,
    State,
    Capacity,
    Mac,
}

impl Terms {
    /// Those of a new port.
    pub(crate) const DEFAULT: Self = Self {
        weight: 1,
        is_down: false,
        capacity: 0,
        mac: None,
    };

    /// Takes over one of them.
    pub(crate) fn take(&mut self, term: Term, from: &Self) {
        match term {
            Term::Weight => self.weight = from.weight,
            Term::State => self.is_down = from.is_down,
            Term::Capacity => self.capacity = from.capacity,
            Term::Mac => self.mac = from.mac,
        }
    }

    /// These with another value for one of them, the default for an empty one.
    pub(crate) fn with(self, term: Term, value: &str) -> Result<Self, Bad> {
        let default = Self::DEFAULT;
        Ok(match term {
            Term::Weight => Self {
                weight: number(value, default.weight, 0..=1000, Bad::Weight)?,
                ..self
            },
            Term::State => {
                let named = match value {
                    "up" => Some(false),
                    "down" => Some(true),
                    _ => None,
                };
                let is_down = or(value, default.is_down, named, Bad::State)?;
                Self { is_down, ..self }
            }
            Term::Capacity => {
                let capacity = or(value, default.capacity, rate(value), Bad::Capacity)?;
                Self { capacity, ..self }
            }
            Term::Mac => {
                let mac = or(value, default.mac, Mac::parse(value).map(Some), Bad::Mac)?;
                Self { mac, ..self }
            }
        })
    }
}

/// `port.N.TERM`: the number of the port, and which of its terms.
pub(crate) fn term(key: &str) -> Option<(u16, Term)> {
    let (port, term) = key.strip_prefix("port.")?.split_once('.')?;
    let port = units::whole(port)?;
    let term = match term {
        "weight" => Term::Weight,
        "state" => Term::State,
        "capacity" => Term::Capacity,
        "mac" => Term::Mac,
        _ => return None,
    };
    Some((u16::try_from(port).ok()?, term))
}

fn or<T>(value: &str, default: T, named: Option<T>, bad: Bad) -> Result<T, Bad> {
    match named {
        _ if value.is_empty() => Ok(default),
        Some(value) => Ok(value),
        None => Err(bad),
    }
}

fn number<T: TryFrom<u64> + PartialOrd>(
    value: &str,
    default: T,
    within: RangeInclusive<T>,
    bad: Bad,
) -> Result<T, Bad> {
    let named = units::whole(value).and_then(|n| T::try_from(n).ok());
    let named = named.filter(|n| within.contains(n));
    or(value, default, named, bad)
}

/// A time, in nanoseconds.
fn time(value: &str, default: u64, bad: Bad) -> Result<u64, Bad> {
    let named = units::time(value).filter(|time| INTERVALS.contains(time));
    or(value, default, named, bad)
}

/// How long an interval and an average can be.
pub(crate) const INTERVALS: RangeInclusive<u64> = 100 * MILLISECOND..=600_000 * MILLISECOND;

/// The most that a capacity can be: 10 Tbit/s.
const MOST: u64 = 10_000_000_000_000;

/// A rate with its unit, or in Mbit/s; in bits a second.
pub(crate) fn rate(text: &str) -> Option<u64> {
    let mbit = || units::whole(text)?.checked_mul(1_000_000);
    let rate = units::rate(text).or_else(mbit)?;
    (1..=MOST).contains(&rate).then_some(rate)
}

/// A part of a whole, in percent; a dash of nothing.
pub(crate) struct Part(pub(crate) u64, pub(crate) u64);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Large numbers without the bits that would not show.
        let shift = 14u32.saturating_sub(self.1.leading_zeros());
        let (part, whole) = (self.0 >> shift, self.1 >> shift);
        let scaled = part.saturating_mul(10_000).saturating_add(whole / 2);
        match scaled.checked_div(whole) {
            Some(hundredths) => write!(f, "{}.{:02}%", hundredths / 100, hundredths % 100),
            None => f.write_str("-"),
        }
    }
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    Strategy,
    Per,
    Expiry,
    Gap,
    Sessions,
    Learn,
    RouteKey,
    Interval,
    Average,
    Usage,
    Weight,
    State,
    Capacity,
    Mac,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bad::Strategy => {
                "strategy: route, packet, session, bandwidth, utilisation, flowlet or hash"
            }
            Bad::Per => "per: packet or session",
            Bad::Expiry => "expiry: seconds, from 1 to 86400",
            Bad::Gap => "gap: milliseconds, from 1 to 60000",
            Bad::Sessions => "sessions: a number from 64 to 4194304",
            Bad::Learn => "learn: on or off",
            Bad::RouteKey => "route-key: cache or destination",
            Bad::Interval => "interval: a time such as 10ms, from 100ms to 600s",
            Bad::Average => "average: a time such as 10ms, from 100ms to 600s",
            Bad::Usage => "usage: average or last",
            Bad::Weight => "weight: a number from 0 to 1000",
            Bad::State => "state: up or down",
            Bad::Mac => "mac: an address of one station such as 02:00:00:00:00:01",
            Bad::Capacity => "capacity: a rate such as 10mbit, up to 10000gbit",
        })
    }
}
