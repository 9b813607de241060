// SPDX-License-Identifier: GPL-2.0

//! `--confirm`: the process that takes a change back unless it is confirmed (`fbctl hold`, which the tools start
//! before they make the change), and `fbctl confirm`, which tells it not to.
//!
//! They meet at an abstract socket, so there is one in a network namespace, and it goes with the process.

use crate::{apply, history};
use anyhow::{Context, Result};
use lana_cli::{
    denied,
    history::{now, Unconfirmed},
    kernel, usage, Session, FAILED, MADE, READY,
};
use rustix::{net::sockopt::socket_peercred, process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    os::{
        fd::AsFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{channel, RecvTimeoutError, Sender},
        Arc,
    },
    thread,
    time::{Duration, Instant},
};

const MEETING: &str = "lana/confirm";
/// What `confirm` is told.
const KEPT: &str = "kept";
/// How long a signal may wait.
const TICK: Duration = Duration::from_millis(200);
/// How often it is tried to take a change back, a second apart.
const TRIES: u32 = 30;

fn meeting() -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(MEETING)
}

/// What happens while a change is held.
enum Heard {
    /// Whoever makes the change says what became of it.
    Maker(String),
    /// Somebody confirms it.
    Confirm(UnixStream),
}

/// How the waiting ends.
enum End {
    /// The graph is to stay as it is.
    Kept,
    /// Nobody has confirmed the change in time.
    Late,
    /// Whoever made the change, or this process, was ended.
    Killed,
}

/// `fbctl hold`: says that it is ready, or why not. `command` makes the change.
pub(crate) fn run(session: &mut Session, seconds: u32, command: &[String]) -> Result<()> {
    // The change begins when it is told that this is ready.
    let since = now();
    let begun = begin(session);
    let said = match &begun {
        Ok(_) => session.out.line(READY),
        Err(error) => session.out.line(&format!("{error:#}")),
    };
    said.and_then(|()| session.out.flush())?;
    let (before, listener) = begun?;
    let why = match wait(listener, Duration::from_secs(u64::from(seconds)))? {
        End::Kept => return Ok(()),
        End::Late => format!("not confirmed within {seconds} s"),
        End::Killed => "not confirmed, and no longer waited for".to_owned(),
    };
    session.held = Some(Unconfirmed {
        command: command.to_vec(),
        why: why.clone(),
    });
    session.undoes = history::since(since);
    let done = take_back(session, &before);
    log(&match &done {
        Ok(()) => format!("a change was {why}: it is taken back"),
        Err(error) => format!("a change that was not confirmed cannot be taken back: {error:#}"),
    });
    done
}

/// Reads the graph, and leaves the session of whoever is logged in.
fn begin(session: &mut Session) -> Result<(String, UnixListener)> {
    let before = lana_graph::text(session.lana()?)?;
    let listener = meeting().and_then(|at| UnixListener::bind_addr(&at));
    let listener = listener.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => usage("a change waits for `fbctl confirm` already"),
        _ => kernel("socket", &error),
    })?;
    // Who has started this may be the leader of a group; this is not.
    process::setsid().map_err(|error| kernel("setsid", &error.into()))?;
    Ok((before, listener))
}

/// Waits for an end.
fn wait(listener: UnixListener, time: Duration) -> Result<End> {
    let deadline = Instant::now() + time;
    let (ended, ignored) = (Arc::new(AtomicBool::new(false)), Arc::default());
    for (signal, flag) in [
        (SIGHUP, &ignored),
        (SIGINT, &ignored),
        (SIGQUIT, &ignored),
        (SIGTERM, &ended),
    ] {
        let done = signal_hook::flag::register(signal, Arc::clone(flag));
        done.map_err(|error| kernel("sigaction", &error))?;
    }
    let (to, heard) = channel();
    let also = to.clone();
    thread::spawn(move || maker(&to));
    thread::spawn(move || listen(&listener, &also));
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if ended.load(Ordering::Relaxed) {
            return Ok(End::Killed);
        }
        if left.is_zero() {
            return Ok(End::Late);
        }
        match heard.recv_timeout(left.min(TICK)) {
            Ok(Heard::Maker(said)) if said == MADE => {}
            Ok(Heard::Maker(said)) if said == FAILED => return Ok(End::Kept),
            // It died, and nobody knows when.
            Ok(Heard::Maker(_)) => return Ok(End::Killed),
            Ok(Heard::Confirm(mut stream)) => {
                // Who asked may have gone: it is kept all the same.
                let _ = writeln!(stream, "{KEPT}");
                return Ok(End::Kept);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(left.min(TICK)),
        }
    }
}

/// Hears what became of the change.
fn maker(to: &Sender<Heard>) {
    let mut said = String::new();
    // What cannot be read was not said.
    let _ = io::stdin().read_to_string(&mut said);
    let _ = to.send(Heard::Maker(said.trim().to_owned()));
}

/// Hears who confirms it: root, or whoever has made the change.
fn listen(listener: &UnixListener, to: &Sender<Heard>) {
    for stream in listener.incoming().flatten() {
        let allowed = socket_peercred(stream.as_fd())
            .is_ok_and(|peer| peer.uid.is_root() || peer.uid == process::geteuid());
        if allowed && to.send(Heard::Confirm(stream)).is_err() {
            return;
        }
    }
}

/// Makes the graph what it was. A device that has gone meanwhile comes back, perhaps, or may not be needed.
fn take_back(session: &mut Session, before: &str) -> Result<()> {
    // Nobody is there to say yes.
    session.globals.yes = true;
    session.globals.confirm = None;
    session.globals.dry_run = false;
    session.out.silence();
    let mut tries = 1;
    loop {
        match apply::restore(session, before) {
            Ok(()) => return Ok(()),
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => thread::sleep(Duration::from_secs(1)),
        }
        tries += 1;
    }
}

/// Says it in the kernel's log, which is there when one is logged in again.
fn log(text: &str) {
    // If it may not, nobody hears it.
    let _ = fs::OpenOptions::new()
        .write(true)
        .open("/dev/kmsg")
        // A line is one write.
        .and_then(|mut file| file.write_all(format!("<5>lana: {text}\n").as_bytes()));
}

/// `fbctl confirm`
pub(crate) fn confirm(session: &mut Session) -> Result<()> {
    let stream = meeting().and_then(|at| UnixStream::connect_addr(&at));
    let mut stream = stream.map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => usage("no change waits to be confirmed"),
        _ => kernel("socket", &error),
    })?;
    let peer = socket_peercred(stream.as_fd()).map_err(|error| kernel("socket", &error.into()))?;
    if !peer.uid.is_root() && peer.uid != process::geteuid() {
        return Err(denied(format!(
            "the process {} of user {} is where the change should be waiting",
            peer.pid.as_raw_nonzero(),
            peer.uid.as_raw()
        )));
    }
    let mut said = String::new();
    stream.read_to_string(&mut said).context("socket")?;
    match said.trim() {
        KEPT => session.out.line("the change is kept"),
        _ => Err(usage("it was too late: the change is taken back")),
    }
}
