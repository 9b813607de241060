// SPDX-License-Identifier: GPL-2.0

//! The socket that `lanactl` talks to: a request is a line of JSON, and so is the answer.

use crate::{channel, config::Channel, state::Hold};
use anyhow::{Context, Result};
use lana_cli::{denied, usage};
use lana_netlink::errno_text;
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use serde_json::{json, Value};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, ErrorKind, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
    sync::{mpsc::UnboundedSender, oneshot},
};

/// The folder of the socket and the state where nobody says otherwise.
pub const FOLDER: &str = "/run/lana";
/// The socket in it.
pub const SOCKET: &str = "lanad.sock";
/// How long a request may be.
const LONGEST: u64 = 64 << 10;
/// How long lanad may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait where nobody can be let in.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do", deny_unknown_fields)]
pub enum Request {
    /// What lanad sees and does.
    Status,
    /// Leave the graph to somebody.
    Hold(Hold),
    /// Keep the graph again.
    Release,
    /// Read the configuration and the files again.
    Reload,
    /// Open a channel, or change the blocks of one.
    Channel {
        /// What it is called.
        name: String,
        /// How it shall be.
        channel: Box<Channel>,
    },
    /// Close a channel.
    Close {
        /// Which.
        name: String,
    },
    /// Publish a service of this host to the other one of a channel.
    Publish {
        /// The channel.
        name: String,
        /// In which context.
        context: String,
        /// The service.
        service: String,
        /// For how many seconds.
        seconds: u32,
    },
    /// Ask the other host of a channel for a service.
    Resolve {
        /// The channel.
        name: String,
        /// In which context.
        context: String,
        /// The service.
        service: String,
    },
    /// What was logged.
    Log {
        /// Only what comes after this number.
        #[serde(default)]
        after: u64,
    },
}

/// What lanad sees and does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// How the graph is kept, if one is.
    pub graph: Option<GraphStatus>,
    /// Who holds it.
    pub hold: Option<Hold>,
    /// Why it is not as it is wanted.
    pub trouble: Option<String>,
    /// Why nothing is recorded any more.
    #[serde(default)]
    pub record_ended: Option<String>,
    /// Which announcements are made.
    pub announcements: BTreeMap<String, bool>,
    /// The rules, in the order of the configuration.
    pub rules: Vec<RuleStatus>,
    /// The channels.
    pub channels: Vec<channel::Status>,
}

/// How a graph is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphStatus {
    /// Its files.
    pub files: Vec<PathBuf>,
    /// In a word: kept, changing, incomplete, differs, held, wrong.
    pub state: String,
    /// Devices that are wanted, and are not there.
    pub missing: Vec<String>,
    /// How it differs, where that is only told.
    pub differs: Vec<String>,
}

/// What a rule has seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// Its condition, and what is known of it.
    pub condition: String,
    /// Whether it holds.
    pub holds: bool,
    /// How often it has begun to.
    pub acted: u64,
}

/// What lanad has said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// The last lines.
    pub lines: Vec<Line>,
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, from 1.
    pub line: u64,
    /// When, in microseconds since 1970.
    pub time: u64,
    /// What.
    pub text: String,
}

/// Where the answer to a request goes.
pub type Reply = oneshot::Sender<Result<Value, String>>;

/// A request, and where its answer goes.
pub type Asked = (Request, Reply);

/// Listens.
pub fn start<M: From<Asked> + Send + 'static>(folder: &Path, to: UnboundedSender<M>) -> Result<()> {
    let path = folder.join(SOCKET);
    // Who has the lock of the folder may remove what is left of another one.
    let _ = fs::remove_file(&path);
    let listen = || {
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    };
    let listener = listen().map_err(|error: std::io::Error| usage(errno_text(&error)));
    let listener = listener.with_context(|| path.display().to_string())?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // There are too many open files, for instance.
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let to = to.clone();
            tokio::spawn(async move {
                // Who asks may hang up.
                let _ = serve(stream, &to).await;
            });
        }
    });
    Ok(())
}

async fn serve<M: From<Asked>>(
    stream: tokio::net::UnixStream,
    to: &UnboundedSender<M>,
) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut read = tokio::io::BufReader::new(read);
    loop {
        let mut line = String::new();
        let mut limited = (&mut read).take(LONGEST);
        if limited.read_line(&mut line).await.ok()? == 0 {
            return Some(());
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => {
                let (reply, answer) = oneshot::channel();
                to.send((request, reply).into()).ok()?;
                answer
                    .await
                    .unwrap_or_else(|_| Err("lanad ends".to_owned()))
            }
            Err(error) => Err(format!("no request: {error}")),
        };
        let mut line = answer
            .unwrap_or_else(|error| json!({ "error": error }))
            .to_string();
        line.push('\n');
        write.write_all(line.as_bytes()).await.ok()?;
    }
}

/// Asks lanad.
pub fn ask<T: DeserializeOwned>(folder: &Path, request: &Request) -> Result<T> {
    let path = folder.join(SOCKET);
    let talk = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(&path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        stream.write_all(line.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer)
    };
    let answer = talk().map_err(|error| {
        let path = path.display();
        if error.kind() == ErrorKind::WouldBlock {
            let seconds = PATIENCE.as_secs();
            return denied(format!("{path}: lanad does not answer within {seconds} s"));
        }
        let text = errno_text(&error);
        denied(format!("{path}: {text} (does lanad run?)"))
    })?;
    if answer.is_empty() {
        return Err(denied(format!("{}: lanad has ended", path.display())));
    }
    let answer: Value = serde_json::from_str(&answer).context("the answer of lanad")?;
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(denied(error)),
        None => serde_json::from_value(answer).context("the answer of lanad"),
    }
}
