// SPDX-License-Identifier: GPL-2.0

//! Probes: what the configuration says is measured, each in a task of its own.

use crate::{config::Probe, ping::Ping, world::Fact};
use rustix::process::getpid;
use std::{process::Stdio, time::Instant};
use tokio::{
    process::Command,
    sync::mpsc::UnboundedSender,
    task::JoinHandle,
    time::{interval, timeout, MissedTickBehavior},
};

/// A probe has ended, or cannot be made.
#[derive(Debug)]
pub enum Measured {
    /// It has ended.
    Fact(Fact),
    /// It cannot be made: its name, and why.
    Failed(String, String),
}

/// Begins to measure. Stops when the handle is aborted.
pub fn start<M: From<Measured> + Send + 'static>(
    name: String,
    probe: Probe,
    number: u16,
    to: UnboundedSender<M>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = interval(probe.interval.duration());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The lower half of the process tells programs apart, the upper bits our probes.
        let id = (getpid().as_raw_pid().unsigned_abs().to_ne_bytes(), number);
        let id = u16::from_ne_bytes([id.0[0], id.0[1]]).wrapping_add(id.1.rotate_right(4));
        let mut ping = None;
        let mut told = String::new();
        loop {
            ticks.tick().await;
            let measured = match probe.ping {
                Some(address) => {
                    let asked = async {
                        let ping = match &mut ping {
                            Some(ping) => ping,
                            none => {
                                let netns = probe.netns.as_deref();
                                none.insert(Ping::open(address, probe.source, netns, id)?)
                            }
                        };
                        ping.ask(probe.timeout.duration()).await
                    };
                    asked.await.map(|took| took.map(|took| took.as_secs_f64()))
                }
                None => Ok(program(&probe).await),
            };
            let why = measured
                .as_ref()
                .err()
                .map(ToString::to_string)
                .unwrap_or_default();
            if why != told {
                told.clone_from(&why);
                if !why.is_empty() && to.send(Measured::Failed(name.clone(), why).into()).is_err() {
                    return;
                }
            }
            // A host that cannot be asked does not answer. The next time there is a new socket.
            let seconds = measured.unwrap_or_else(|_| {
                ping = None;
                None
            });
            let fact = Fact::Probe {
                name: name.clone(),
                seconds,
            };
            if to.send(Measured::Fact(fact).into()).is_err() {
                return;
            }
        }
    })
}

/// Seconds until the program has ended well, if it has.
async fn program(probe: &Probe) -> Option<f64> {
    let (program, arguments) = probe.run.as_ref()?.split_first()?;
    let begun = Instant::now();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let ended = timeout(
        probe.timeout.duration(),
        command.kill_on_drop(true).status(),
    )
    .await;
    let good = ended.ok()?.ok()?.success();
    good.then(|| begun.elapsed().as_secs_f64())
}
