// SPDX-License-Identifier: GPL-2.0

//! `otst.ko`: one-time stack traces. A symbol that is written to `/proc/driver/otst` is probed; its next call
//! prints its stack once, and the probe is gone.

mod request;
mod sys;

use kernel::{
    new_mutex,
    prelude::*,
    seq_file::{seq_print, SeqFile},
    str::CString,
    sync::{Arc, Mutex},
};
use request::{Ask, Request, Wrong, ARGS};
use sys::{File, Probe, Service, Worker};

module! {
    type: Otst,
    name: "otst",
    authors: ["The LANA developers"],
    description: "One-time stack traces of kernel functions",
    license: "GPL",
}

/// A symbol that is armed.
struct Armed {
    symbol: CString,
    asked: [Ask; ARGS],
    probe: Probe,
}

impl Armed {
    fn name(&self) -> &str {
        self.symbol.to_str().unwrap_or_default()
    }

    /// Takes the probe back, once its call, if it has come, is printed.
    fn end(self) {
        let Self { symbol, probe, .. } = self;
        probe.log(&symbol);
        drop(probe);
        pr_info!("symbol {} unregistered!\n", &*symbol);
    }
}

/// All that are armed, in the order in which they were.
#[pin_data]
struct Table {
    #[pin]
    armed: Mutex<KVec<Armed>>,
}

impl Table {
    fn new() -> Result<Arc<Self>> {
        let table = pin_init!(Self { armed <- new_mutex!(KVec::new()) });
        Arc::pin_init(table, GFP_KERNEL)
    }

    fn arm(&self, name: &str, asked: [Ask; ARGS]) -> Result {
        let mut armed = self.armed.lock();
        if armed.iter().any(|other| other.name() == name) {
            pr_err!("symbol {name} is registered already\n");
            return Err(EEXIST);
        }
        let symbol = CString::try_from_fmt(fmt!("{name}"))?;
        armed.reserve(1, GFP_KERNEL)?;
        let probe = Probe::arm(&symbol, &asked).inspect_err(|error| match *error {
            ENOENT => pr_err!("symbol {name} is unknown\n"),
            // Not code, or what the kernel keeps probes away from (NOKPROBE_SYMBOL(), noinstr).
            EINVAL => pr_err!("symbol {name} cannot be probed\n"),
            error => pr_err!(
                "symbol {name} is not registered: error {}\n",
                error.to_errno()
            ),
        })?;
        pr_info!("symbol {name} registered!\n");
        let new = Armed {
            symbol,
            asked,
            probe,
        };
        Ok(armed.push(new, GFP_KERNEL)?)
    }

    fn disarm(&self, name: &str) -> Result {
        if self.end(|armed| armed.name() == name) {
            return Ok(());
        }
        pr_err!("symbol {name} is not registered\n");
        Err(ENOENT)
    }

    /// Takes back those that are meant. Says whether there were any.
    fn end(&self, meant: impl Fn(&Armed) -> bool) -> bool {
        let mut armed = self.armed.lock();
        let mut any = false;
        while let Some(index) = armed.iter().position(&meant) {
            any = true;
            if let Ok(found) = armed.remove(index) {
                found.end();
            }
        }
        any
    }
}

impl Service for Table {
    fn write(&self, text: &[u8]) -> Result {
        let text = core::str::from_utf8(text).map_err(|_| EINVAL)?;
        for line in text.lines() {
            match Request::parse(line) {
                Ok(None) => (),
                Ok(Some(Request::Arm(name, asked))) => self.arm(name, asked)?,
                Ok(Some(Request::Disarm(name))) => self.disarm(name)?,
                Err(Wrong(word, why)) => {
                    pr_err!("{word}: {why}\n");
                    return Err(EINVAL);
                }
            }
        }
        Ok(())
    }

    fn show(&self, to: &SeqFile) {
        for armed in self.armed.lock().iter() {
            seq_print!(to, "{}", armed.name());
            for (number, ask) in (1..).zip(armed.asked) {
                match ask {
                    Ask::Nothing => (),
                    Ask::Print => seq_print!(to, " ${number}"),
                    Ask::Equals(value) => seq_print!(to, " ${number}={value}"),
                    Ask::Netns => seq_print!(to, " ${number}=net"),
                }
            }
            seq_print!(to, "\n");
        }
    }

    fn reap(&self) {
        self.end(|armed| armed.probe.is_recorded());
    }
}

/// Takes all back when it is dropped.
struct TakeBack(Arc<Table>);

impl Drop for TakeBack {
    fn drop(&mut self) {
        self.0.end(|_| true);
        pr_info!("one-time stacktrace driver unloaded!\n");
    }
}

struct Otst {
    // Ends in this order: nobody arms any more, nothing is armed, nobody wakes the worker.
    _file: File<Table>,
    _armed: TakeBack,
    _worker: Worker<Table>,
}

impl kernel::Module for Otst {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let table = Table::new()?;
        let worker = Worker::start(table.clone());
        let armed = TakeBack(table);
        let file = File::new(&worker)?;
        pr_info!("one-time stacktrace driver loaded!\n");
        Ok(Self {
            _file: file,
            _armed: armed,
            _worker: worker,
        })
    }
}
