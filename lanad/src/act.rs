// SPDX-License-Identifier: GPL-2.0

//! What rules do outside of the graph: announcements and programs.

mod bird;

use crate::config::Announcement;
use std::{collections::BTreeMap, process::Stdio, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::unix::pipe,
    process::Command,
    sync::{mpsc::UnboundedSender, watch},
    task::JoinHandle,
    time::timeout,
};

/// How long a routing daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long to wait before it is asked again, at first and at most.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a program may run.
const LIMIT: Duration = Duration::from_secs(60);

/// Something was done, or cannot be done.
#[derive(Debug)]
pub enum Effect {
    /// An announcement is made, or withdrawn.
    Announced(String, bool),
    /// The routing daemon does not do it yet: which announcement, and why. It is tried again.
    Waits(String, String),
    /// A program has failed, in words.
    Failed(String),
}

/// A route that a routing daemon announces for us. The task behind it makes it so as soon as that daemon answers.
#[derive(Debug)]
pub struct Announcer {
    what: Announcement,
    wanted: watch::Sender<Option<bool>>,
    task: JoinHandle<()>,
}

impl Announcer {
    /// Those that the configuration has now. Those that are as they were go on. New ones wait until others that have ended
    /// have said their last word, as it might be heard after theirs.
    pub fn renew<M: From<Effect> + Send + 'static>(
        mut before: BTreeMap<String, Self>,
        wanted: &BTreeMap<String, Announcement>,
        to: &UnboundedSender<M>,
    ) -> BTreeMap<String, Self> {
        let mut announcers = BTreeMap::new();
        let mut new = Vec::new();
        for (name, what) in wanted {
            match before.remove(name) {
                Some(same) if same.what == *what => {
                    announcers.insert(name.clone(), same);
                }
                other => {
                    before.extend(other.map(|other| (name.clone(), other)));
                    new.push((name, what));
                }
            }
        }
        let (last_word, ended) = watch::channel(());
        // A task ends when what it is wanted by is gone, after what it tells right now.
        let tasks: Vec<_> = before.into_values().map(|old| old.task).collect();
        tokio::spawn(async move {
            for task in tasks {
                // It may have panicked.
                let _ = task.await;
            }
            drop(last_word);
        });
        for (name, what) in new {
            let announcer = Self::start(name.clone(), what.clone(), to.clone(), ended.clone());
            announcers.insert(name.clone(), announcer);
        }
        announcers
    }

    /// Starts the task, which waits until the other end of `ended` is gone. It ends with the handle.
    fn start<M: From<Effect> + Send + 'static>(
        name: String,
        what: Announcement,
        to: UnboundedSender<M>,
        mut ended: watch::Receiver<()>,
    ) -> Self {
        let (wanted, changes) = watch::channel(None);
        let tells = what.clone();
        let task = tokio::spawn(async move {
            while ended.changed().await.is_ok() {}
            // Either end may go.
            let _ = serve(&name, &tells, changes, &to).await;
        });
        Announcer { what, wanted, task }
    }

    /// Wants it to be announced, or withdrawn.
    pub fn want(&self, announced: bool) {
        self.wanted.send_replace(Some(announced));
    }
}

async fn serve<M: From<Effect>>(
    name: &str,
    what: &Announcement,
    mut changes: watch::Receiver<Option<bool>>,
    to: &UnboundedSender<M>,
) -> Option<()> {
    loop {
        changes.changed().await.ok()?;
        let mut pause = PAUSE;
        let mut told = String::new();
        loop {
            let Some(announced) = *changes.borrow_and_update() else {
                break;
            };
            let done = timeout(PATIENCE, tell(what, announced)).await;
            let why = match done {
                Ok(Ok(())) => {
                    to.send(Effect::Announced(name.to_owned(), announced).into())
                        .ok()?;
                    break;
                }
                Ok(Err(why)) => why,
                Err(_) => "no answer".to_owned(),
            };
            if why != told {
                told.clone_from(&why);
                to.send(Effect::Waits(name.to_owned(), why).into()).ok()?;
            }
            // What is wanted may be something else in the meantime.
            if let Ok(changed) = timeout(pause, changes.changed()).await {
                changed.ok()?;
                changes.mark_changed();
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Tells the routing daemon, or why that fails.
async fn tell(what: &Announcement, announced: bool) -> Result<(), String> {
    if let (Some(socket), Some(protocol)) = (&what.bird, &what.protocol) {
        let done = bird::switch(socket, protocol, announced).await;
        return done.map_err(|why| format!("{}: {why}", socket.display()));
    }
    let (Some(path), Some(route)) = (&what.exabgp, &what.route) else {
        return Ok(());
    };
    let word = if announced { "announce" } else { "withdraw" };
    let line = format!("{word} route {route}\n");
    let write = async {
        let mut pipe = pipe::OpenOptions::new().open_sender(path)?;
        pipe.write_all(line.as_bytes()).await
    };
    write
        .await
        .map_err(|error| format!("{}: {}", path.display(), lana_netlink::errno_text(&error)))
}

/// Runs a program for a rule, and tells if it fails.
pub fn run<M: From<Effect> + Send + 'static>(
    words: &[String],
    rule: &str,
    cause: &str,
    holds: bool,
    to: UnboundedSender<M>,
) {
    let Some((program, arguments)) = words.split_first() else {
        return;
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LANA_RULE", rule)
        .env("LANA_CAUSE", cause)
        .env("LANA_STATE", if holds { "then" } else { "otherwise" })
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let what = format!("rule '{rule}': {program}");
    tokio::spawn(async move {
        let why = match timeout(LIMIT, command.status()).await {
            Ok(Ok(status)) if status.success() => return,
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => lana_netlink::errno_text(&error),
            Err(_) => format!("not over after {} s", LIMIT.as_secs()),
        };
        // Nobody need listen any more.
        let _ = to.send(Effect::Failed(format!("{what}: {why}")).into());
    });
}

#[cfg(test)]
mod tests;
