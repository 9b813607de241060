// SPDX-License-Identifier: GPL-2.0

//! What a command has at hand while it runs.

use crate::{
    failure::kernel,
    globals::Globals,
    guard,
    held::Held,
    history::{self, Before, Unconfirmed},
    netns,
    output::Output,
    plan::{Describe, Plan},
    previous,
    table::clean,
};
use anyhow::Result;
use lana_netlink::{Connection, Done, Dump, Error, Op, Transaction};
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    thread,
};

/// One run of a tool.
pub struct Session {
    tool: &'static str,
    /// The options before the command.
    pub globals: Globals,
    /// Where results go.
    pub out: Output,
    /// How many changes of the log the next one takes back.
    pub undoes: usize,
    /// The next one takes back what nobody has confirmed.
    pub held: Option<Unconfirmed>,
    connection: Option<Connection>,
    /// The network namespace that the tool was started in, if it is another one.
    home: Option<File>,
    /// Saves the graph.
    graph: fn(&mut Session) -> Result<String>,
}

impl Session {
    /// For a program that changes the graph on its own, and has no command line of a [`Tool`](crate::Tool). `graph` saves
    /// the graph, for the log.
    pub fn of_daemon(tool: &'static str, graph: fn(&mut Session) -> Result<String>) -> Self {
        Self::new(tool, Globals::default(), None, graph)
    }

    pub(crate) fn new(
        tool: &'static str,
        globals: Globals,
        home: Option<File>,
        graph: fn(&mut Session) -> Result<String>,
    ) -> Self {
        Session {
            graph,
            undoes: 0,
            held: None,
            tool,
            out: Output::standard(&globals),
            globals,
            connection: None,
            home,
        }
    }

    /// Does something in the network namespace that the tool was started in, whatever --netns says.
    pub fn at_home<T: Send>(&self, job: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let Some(home) = &self.home else {
            return job();
        };
        // A thread of its own, as each has a namespace of its own.
        let there = || netns::enter_open(home).and_then(|()| job());
        let done = thread::scope(|scope| scope.spawn(there).join());
        done.unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    }

    /// The connection to the kernel, opened when it is first wanted.
    pub fn lana(&mut self) -> Result<&mut Connection, lana_netlink::Error> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(Connection::open()?)),
        }
    }

    /// Asks for changes that are made together or not at all.
    pub fn change(&mut self, ops: &[Op<'_>]) -> Result<()> {
        let mut plan = self.plan(Describe::Each);
        for op in ops {
            plan.push(op, false).map_err(Error::from)?;
        }
        match ops {
            // A request of its own.
            [op] => self.carry_out_by(plan, |lana, _| lana.change(op)),
            _ => self.carry_out(plan),
        }
    }

    /// The graph as a file for `fbctl apply`.
    pub fn graph(&mut self) -> Result<String> {
        (self.graph)(self)
    }

    /// A plan without changes.
    pub fn plan(&self, describe: Describe) -> Plan {
        let dry = self.globals.dry_run;
        let told = match (dry, describe) {
            (true, Describe::Each) => usize::MAX,
            (false, _) if history::file().is_some() => history::TOLD,
            _ => 0,
        };
        Plan::new(told, dry)
    }

    /// Asks for the changes of a plan. If they are not to be made, the kernel looks at them, and they are described.
    pub fn carry_out(&mut self, plan: Plan) -> Result<()> {
        self.carry_out_by(plan, Connection::transact)
    }

    fn carry_out_by(
        &mut self,
        plan: Plan,
        make: impl FnOnce(&mut Connection, Transaction) -> Result<Done, Error>,
    ) -> Result<()> {
        let mut plan = plan;
        self.guard(&plan)?;
        if !plan.told.is_empty() {
            previous::tell(self.lana()?, &mut plan.told);
        }
        if self.globals.dry_run {
            return self.check(plan);
        }
        let held = match self.globals.confirm {
            Some(seconds) => Some(Held::start(seconds)?),
            None => None,
        };
        let before = Before::read(self);
        let made = self.lana().and_then(|lana| make(lana, plan.transaction));
        let done = match (made, held) {
            (Ok(done), Some(held)) => {
                held.made()?;
                let keep = match &self.globals.netns {
                    Some(name) => format!("fbctl -n {} confirm", crate::word(name)),
                    None => "fbctl confirm".to_owned(),
                };
                let seconds = self.globals.confirm.unwrap_or_default();
                self.warn(&format!(
                    "`{keep}` within {seconds} s, or the change is taken back"
                ));
                done
            }
            (Err(error), Some(held)) => {
                held.failed();
                return Err(error.into());
            }
            (made, None) => made?,
        };
        if let Some(before) = before {
            before.note(self, plan.told, plan.count);
        }
        self.note(done);
        Ok(())
    }

    /// Refuses to hook a device that the host needs.
    fn guard(&mut self, plan: &Plan) -> Result<()> {
        if self.globals.yes || self.globals.confirm.is_some() || plan.risky().next().is_none() {
            return Ok(());
        }
        let vlinks = self.lana()?.vlinks()?.items.into_iter();
        let hooked = vlinks.filter(|vlink| vlink.carrier.is_none());
        let hooked: Vec<u32> = hooked.filter_map(|vlink| vlink.ifindex).collect();
        match guard::check(plan.risky(), &hooked) {
            Ok(Some(cut_off)) => Err(cut_off.into()),
            Ok(None) => Ok(()),
            Err(error) => Err(kernel("what the device has cannot be seen", &error)
                .context("--yes hooks it anyway")),
        }
    }

    /// Lets the kernel look at changes without making them: it makes all of a transaction or nothing, and the last
    /// of this one cannot be made.
    fn check(&mut self, mut plan: Plan) -> Result<()> {
        const EPERM: i32 = 1;
        let checked = plan.checked.unwrap_or_default();
        // Nothing is bound to itself, whether there is one of this name or not.
        let (upper, lower) = ("dry-run", "dry-run");
        let last = Op::Bind { upper, lower };
        plan.transaction.push(&last).map_err(Error::from)?;
        match self.lana()?.transact(plan.transaction) {
            Err(Error::Refused(refusal)) if refusal.change == Some(checked) => {}
            Err(Error::Refused(refusal)) if refusal.errno == EPERM && refusal.change.is_none() => {
                self.warn(&format!("the kernel has not looked at it: {refusal}"));
            }
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(Error::Unsettled.into()),
        }
        if checked < plan.count {
            let count = plan.count - checked;
            self.warn(&format!(
                "the kernel has not looked at the last {count} of {} changes, as it would have to make a virtual device",
                plan.count
            ));
        }
        // The command has words of its own.
        if plan.told.is_empty() {
            return Ok(());
        }
        if self.out.is_json() {
            return self.out.json(&plan.told);
        }
        let mut lines = plan.told.iter().map(ToString::to_string);
        lines.try_for_each(|line| self.out.line(&line))
    }

    /// Passes on what the kernel says about a change that it made.
    fn note(&self, done: Done) {
        if let Some(warning) = done.warning {
            self.warn(&warning);
        }
    }

    /// Asks for all things of a kind.
    pub fn all<T>(
        &mut self,
        dump: impl FnOnce(&mut Connection) -> Result<Dump<T>, lana_netlink::Error>,
    ) -> Result<Vec<T>> {
        let dump = dump(self.lana()?)?;
        if dump.interrupted {
            self.warn("the graph kept changing while it was read");
        }
        Ok(dump.items)
    }

    /// Whether the standard input is where the commands come from.
    pub fn stdin_is_taken(&self) -> bool {
        self.globals.batch.as_deref() == Some(Path::new("-"))
    }

    /// Says something on the side.
    pub fn warn(&self, text: &str) {
        // Nobody need be there to read it.
        let _ = writeln!(io::stderr(), "{}: warning: {}", self.tool, clean(text));
    }
}
