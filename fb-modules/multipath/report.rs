// SPDX-License-Identifier: GPL-2.0

//! What `multipath` tells of itself: its options, and what it has counted for each port.

use super::{
    multipath::{
        config::{self, AdminState, Part, Rules, Strategy},
        meter::Rates,
        ports::{HopState, Port as Egress, Totals},
        table::SEATS,
    },
    Multipath,
};
use kernel::str::CString;
use lana::prelude::*;

/// What there is to tell of a port.
struct Report<'a> {
    number: usize,
    port: &'a Egress,
    totals: Totals,
    /// Bits and packets a second.
    rates: [Rates; 2],
    sessions: u32,
    wanted: Part,
    given: Part,
}

impl Report<'_> {
    fn link(&self) -> &'static str {
        match (self.port.terms.state, self.port.is_up, self.port.hop) {
            (AdminState::Down, _, _) => "off",
            (_, false, _) => "down",
            (_, _, HopState::Ready) => "up",
            (_, _, HopState::Unresolved) => "unresolved",
            (_, _, HopState::Silent) => "silent",
        }
    }
}

impl Multipath {
    /// Tells of all ports.
    fn reports(&self, mut tell: impl FnMut(&Report<'_>) -> fmt::Result) -> fmt::Result {
        let (state, rules) = (&self.state, &self.rules);
        let now = time::coarse();
        self.measure();
        let mut sessions = KBox::new([0; SEATS], GFP_KERNEL).map_err(|_| fmt::Error)?;
        self.sessions.count(now, rules.expiry_ns(), &mut sessions);
        let rate = |port: &Egress| state.meter.rates(port.seat)[0].average;
        let load = self.bound().map(rate).fold(0, u64::saturating_add);
        // What is shared out: bandwidth, or else choices.
        let got = |port: &Egress, totals: &Totals| match rules.strategy {
            Strategy::Bandwidth | Strategy::Utilisation => rate(port),
            _ => totals.chosen.wrapping_sub(port.since),
        };
        let all = self.bound().map(|port| got(port, &state.totals(port.seat)));
        let all = all.fold(0, u64::saturating_add);
        for (number, port) in self.bound().enumerate() {
            let totals = state.totals(port.seat);
            let wanted = self.spread.at(port.seat);
            let wanted = wanted.map_or((0, 1), |port| {
                let lost = |seat| state.meter.carried(seat).lost();
                self.spread.wanted(port, rules.strategy, load, lost)
            });
            tell(&Report {
                number,
                port,
                given: Part(got(port, &totals), all),
                totals: totals.less(&port.base),
                rates: state.meter.rates(port.seat),
                sessions: sessions.get(usize::from(port.seat)).copied().unwrap_or(0),
                wanted: Part(wanted.0, wanted.1),
            })?;
        }
        Ok(())
    }

    /// Tells the options, and what is counted.
    pub(crate) fn tell(&self, to: &mut dyn Options) {
        if self.rules.strategy == Rules::DEFAULT.strategy {
            let strategy = option::Shown(self.rules.strategy);
            to.put("strategy", format_args!("{strategy}"));
        }
        self.rules.put(to);
        for (number, port) in self.ports.iter().enumerate() {
            port.terms.put(&mut OfPort { number, to });
        }
        let rules = &self.rules;
        // What cannot be told is left out.
        let _ = self.reports(|report| {
            let mut put = |what, value: &dyn fmt::Display| {
                with_key(report.number, what, |key| {
                    to.put(key, format_args!("{value}"));
                });
            };
            put("link", &report.link());
            if let Some(neighbour) = self.hops.neighbour(report.number) {
                put("neighbour", &neighbour);
            }
            put("packets", &report.totals.packets);
            put("bytes", &report.totals.bytes);
            let [bits, packets] = &report.rates;
            put("rate", &bits.average);
            put("sessions", &report.sessions);
            put("wanted", &report.wanted);
            put("given", &report.given);
            put("reordered", &report.totals.reordered);
            put("pps", &packets.average);
            put("last-rate", &bits.last);
            put("last-pps", &packets.last);
            if rules.watches_tcp() {
                let carried = report.totals.carried;
                put("data", &carried.data);
                put("retransmitted", &carried.retransmitted);
            }
            Ok(())
        });
        let state = &self.state;
        to.put("evicted", format_args!("{}", state.sum(|c| &c.evicted)));
        to.put("untracked", format_args!("{}", state.sum(|c| &c.untracked)));
        to.put("orphans", format_args!("{}", state.sum(|c| &c.orphans)));
        to.put("learnt", format_args!("{}", state.sum(|c| &c.learnt)));
        if rules.history.0 > 0 {
            to.put("forgotten", format_args!("{}", state.sum(|c| &c.forgotten)));
        }
    }

    /// Prints a line for each port.
    pub(crate) fn table(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        // Where nobody looks at TCP it has no columns.
        let watches = self.rules.watches_tcp();
        let more = if watches { " data retransmitted" } else { "" };
        writeln!(
            to,
            "port to link weight capacity packets bytes rate sessions wanted given reordered pps last-rate last-pps{more}"
        )?;
        self.reports(|report| {
            let (port, totals) = (report.port, &report.totals);
            let [bits, packets] = &report.rates;
            write!(
                to,
                "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
                report.number,
                port.name(),
                report.link(),
                port.terms.weight.0,
                units::Rate(port.capacity()),
                totals.packets,
                totals.bytes,
                bits.average,
                report.sessions,
                report.wanted,
                report.given,
                totals.reordered,
                packets.average,
                bits.last,
                packets.last
            )?;
            if watches {
                let carried = totals.carried;
                write!(to, " {} {}", carried.data, carried.retransmitted)?;
            }
            to.write_char('\n')
        })
    }
}

/// Makes the name of an option of a port. Without memory there is none.
fn with_key(number: usize, what: &str, put: impl FnOnce(&str)) {
    let key = CString::try_from_fmt(fmt!("port.{number}.{what}"));
    if let Ok(Ok(key)) = key.as_ref().map(|key| key.to_str()) {
        put(key);
    }
}

/// Tells the options of a port.
struct OfPort<'a> {
    number: usize,
    to: &'a mut dyn Options,
}

impl Options for OfPort<'_> {
    fn put(&mut self, key: &str, value: fmt::Arguments<'_>) {
        with_key(self.number, config::name(key), |key| {
            self.to.put(key, value)
        });
    }

    fn put_config(&mut self, key: &str, value: fmt::Arguments<'_>) {
        with_key(self.number, config::name(key), |key| {
            self.to.put_config(key, value);
        });
    }
}
