// SPDX-License-Identifier: GPL-2.0

//! A change that is taken back unless it is confirmed. Another process sees to that, `fbctl hold`: it has read
//! the graph before the change, and goes on when this one, and the session, have ended.

use crate::{
    failure::{denied, kernel},
    history,
};
use anyhow::Result;
use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

/// What it says when it is ready.
pub const READY: &str = "ready";
/// What it is told when the change was made.
pub const MADE: &str = "made";
/// What it is told when nothing was changed.
pub const FAILED: &str = "failed";

/// `fbctl`, which knows how to save and to apply graphs: that beside this program, or any.
pub fn fbctl() -> PathBuf {
    let beside = env::current_exe().map(|path| path.with_file_name("fbctl"));
    match beside {
        Ok(path) if path.is_file() => path,
        _ => PathBuf::from("fbctl"),
    }
}

/// What `fbctl save` prints, of the namespace of this thread.
pub(crate) fn saved() -> Result<String> {
    let program = fbctl();
    let done = Command::new(&program).arg("save").output();
    let done = done.map_err(|error| kernel(&program.display().to_string(), &error))?;
    if !done.status.success() {
        return Err(denied(
            String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        ));
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// The process that waits.
pub(crate) struct Held {
    process: Child,
    told: ChildStdin,
}

impl Held {
    /// Starts it; when this comes back it has read the graph.
    pub(crate) fn start(seconds: u32) -> Result<Self> {
        let program = fbctl();
        let named = |error| kernel(&program.display().to_string(), &error);
        // In the namespace of this thread, as that is inherited.
        let mut process = Command::new(&program)
            .args(["hold", &seconds.to_string(), "--"])
            // What the log is to say was taken back.
            .args(history::command())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(named)?;
        let (Some(told), Some(says)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(denied("no pipe"));
        };
        let mut line = String::new();
        BufReader::new(says).read_line(&mut line).map_err(named)?;
        match line.trim() {
            READY => Ok(Held { process, told }),
            why => {
                // It has said all that it had to.
                let _ = process.wait();
                Err(denied(format!("--confirm: {why}")))
            }
        }
    }

    /// The change was made: the time runs.
    pub(crate) fn made(mut self) -> Result<()> {
        let told = writeln!(self.told, "{MADE}");
        told.map_err(|error| {
            let what = "the change was made, and nobody takes it back";
            kernel("--confirm", &error).context(what)
        })
    }

    /// Nothing was changed.
    pub(crate) fn failed(mut self) {
        // If it has gone, there is nothing to tell.
        let _ = writeln!(self.told, "{FAILED}");
        drop(self.told);
        let _ = self.process.wait();
    }
}
