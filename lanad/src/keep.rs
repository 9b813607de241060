// SPDX-License-Identifier: GPL-2.0

//! The graph: reads it, and makes it what files and rules say, in one transaction. This happens in a thread of its own, as
//! the kernel's answers are waited for; [`Job`]s go in, [`Answer`]s come out.

mod desired;
mod overlay;

pub use desired::Desired;
pub use overlay::Overlay;

use crate::{
    config::Action,
    control::Reply,
    world::{Block, Fact},
};
use anyhow::Result;
use lana_cli::{denied, Describe, Session};
use lana_graph::{
    diff,
    model::{Bond, Names, Running, Target},
    order::order,
    running,
};
use lana_netlink::{
    spec::{Direction, FbAttrs},
    wire::Value,
    Connection, Error, Op,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
};
use tokio::sync::mpsc::UnboundedSender;

/// What is to be done with the graph.
#[derive(Debug)]
pub enum Job {
    /// Tells of the graph.
    Read,
    /// Tells of the counters.
    Sample,
    /// Uses other files from now on.
    Load(Box<Desired>),
    /// Makes the graph what the files and these actions say, or tells the difference.
    Keep {
        /// What rules want.
        actions: Vec<Action>,
        /// Whether to change something.
        change: bool,
    },
    /// Makes something else of the part of the graph that is a channel's.
    Channel {
        /// The channel.
        name: String,
        /// The number of the request.
        ticket: u64,
        /// What it shall be.
        overlay: Box<Overlay>,
        /// The rest is made as the files say, too.
        repair: bool,
        /// What rules want.
        actions: Vec<Action>,
    },
    /// Forgets a channel, and leaves its part of the graph as it is.
    Forget(String),
    /// Tells whether these blocks of a channel keep packets.
    Look(String, Vec<String>),
    /// Tells who holds the graph from now on that all before is done.
    Held(Reply),
    /// Makes changes that a rule wants once.
    Change {
        /// What messages call the rule.
        rule: String,
        /// The changes.
        actions: Vec<Action>,
        /// Blocks that nobody is bound to.
        unused: Vec<String>,
    },
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// It was read.
    Fact(Fact),
    /// The graph was compared with what is wanted.
    Kept(Result<Outcome>),
    /// The part of a channel was made, or not: of which, and the number of the request.
    Channel(String, u64, Result<()>),
    /// Whether the blocks of a channel are empty.
    Looked(String, bool),
    /// A rule has changed it.
    Changed(String, Result<()>),
    /// The kernel does not tell.
    Failed(anyhow::Error),
}

/// A comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What differed, a line each.
    pub changes: Vec<String>,
    /// It is as it is wanted now.
    pub done: bool,
    /// Devices that are wanted, and are not there.
    pub missing: Vec<String>,
    /// A change waits for `fbctl confirm`, so nothing was done.
    pub unconfirmed: bool,
}

/// The parts of channels, by name.
pub type Overlays = BTreeMap<String, Overlay>;

/// Starts the thread. It ends when nobody can ask it any more. `overlays` are there already.
pub fn start<M: From<Answer> + Send + 'static>(
    desired: Option<Desired>,
    overlays: Overlays,
    answers: UnboundedSender<M>,
) -> std::sync::mpsc::Sender<Job> {
    let (jobs, todo) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let (mut desired, mut overlays) = (desired, overlays);
        for job in todo {
            let answer = match job {
                Job::Load(new) => {
                    desired = Some(*new);
                    continue;
                }
                Job::Read => fact(read()),
                Job::Sample => fact(sample()),
                Job::Keep { actions, change } => match &desired {
                    Some(desired) => {
                        let wanted = Wanted {
                            desired: Some(desired),
                            actions: &actions,
                            overlays: &overlays,
                        };
                        Answer::Kept(keep(&wanted, change, None))
                    }
                    None => continue,
                },
                Job::Channel {
                    name,
                    ticket,
                    overlay,
                    repair,
                    actions,
                } => {
                    let before = overlays.insert(name.clone(), *overlay);
                    let wanted = Wanted {
                        desired: desired.as_ref().filter(|_| repair),
                        actions: &actions,
                        overlays: &overlays,
                    };
                    let done = wanted.channel(&name);
                    if done.is_err() {
                        match before {
                            Some(before) => overlays.insert(name.clone(), before),
                            None => overlays.remove(&name),
                        };
                    }
                    Answer::Channel(name, ticket, done)
                }
                Job::Forget(name) => {
                    overlays.remove(&name);
                    continue;
                }
                Job::Held(reply) => {
                    // Who has asked may be gone.
                    let _ = reply.send(Ok(serde_json::json!({})));
                    continue;
                }
                Job::Look(name, blocks) => {
                    let empty = is_empty(&blocks);
                    Answer::Looked(name, empty)
                }
                Job::Change {
                    rule,
                    actions,
                    unused,
                } => {
                    let done = self::change(&actions, &unused);
                    Answer::Changed(rule, done)
                }
            };
            if answers.send(answer.into()).is_err() {
                break;
            }
        }
    });
    jobs
}

fn fact(read: Result<Fact, Error>) -> Answer {
    match read {
        Ok(fact) => Answer::Fact(fact),
        Err(error) => Answer::Failed(error.into()),
    }
}

fn session() -> Session {
    let mut session = Session::of_daemon("lanad", |session| Ok(lana_graph::text(session.lana()?)?));
    // The files say what is meant.
    session.globals.yes = true;
    session
}

/// The blocks and who is bound to whom.
fn read() -> Result<Fact, Error> {
    let dump = Connection::open()?.fbs()?;
    let mut blocks = BTreeMap::new();
    let mut bindings = BTreeSet::new();
    for fb in dump.items {
        let name = fb.name.unwrap_or_default();
        let down = fb
            .port
            .into_iter()
            .filter(|port| port.direction == Some(Value::Known(Direction::Egress)));
        bindings.extend(down.filter_map(|port| Some((name.clone(), port.peer_name?))));
        let is_edge = fb.ifname.is_some() || fb.inode.is_some();
        let kind = fb.r#type.unwrap_or_default();
        blocks.insert(name, Block { kind, is_edge });
    }
    Ok(Fact::Graph { blocks, bindings })
}

/// The counters of all blocks: what the engine counts, and each option that is a number.
fn sample() -> Result<Fact, Error> {
    let dump = Connection::open()?.fbs()?;
    let counters = |fb: FbAttrs| {
        let mut values: BTreeMap<String, u64> = BTreeMap::new();
        for option in &fb.option {
            if let (Some(key), Some(Ok(value))) = (
                &option.key,
                option.value.as_ref().map(|value| value.parse()),
            ) {
                values.insert(key.clone(), value);
            }
        }
        let block = lana_cli::Block::from(fb);
        values.insert("packets".into(), block.packets);
        values.insert("bytes".into(), block.bytes);
        values.insert("drops".into(), block.drop_total());
        (block.name, values)
    };
    Ok(Fact::Counters {
        values: dump.items.into_iter().map(counters).collect(),
    })
}

/// What the graph shall be.
struct Wanted<'a> {
    /// Without files, all that runs is wanted.
    desired: Option<&'a Desired>,
    actions: &'a [Action],
    overlays: &'a Overlays,
}

impl Wanted<'_> {
    /// Makes the graph so after the part of a channel has changed.
    fn channel(&self, name: &str) -> Result<()> {
        let outcome = keep(self, true, Some(name))?;
        if outcome.unconfirmed {
            return Err(denied("a change waits for `fbctl confirm`"));
        }
        let overlay = self.overlays.get(name);
        match overlay
            .and_then(|overlay| outcome.missing.iter().find(|device| overlay.is_on(device)))
        {
            Some(device) => Err(denied(format!("no device {device}"))),
            None => Ok(()),
        }
    }
}

/// Makes the graph so, or compares it only. `of` is the channel whose part is another one from now on.
fn keep(wanted: &Wanted<'_>, change: bool, of: Option<&str>) -> Result<Outcome> {
    let mut session = session();
    let mut names = Names::default();
    let mut running = None;
    let (mut target, missing) = if let Some(desired) = wanted.desired {
        let devices = lana_netlink::devices()?;
        desired.target(wanted.actions, &mut names, |name| {
            devices.contains_key(name)
        })?
    } else {
        let now = running::read(session.lana()?, &mut names)?;
        let target = as_it_is(&now, &names).ok_or(Error::Unsettled)?;
        running = Some(now);
        (target, Vec::new())
    };
    let hint = wanted.desired.map_or("", |_| {
        ": add it to the files of the graph, or close the channel"
    });
    for (name, overlay) in wanted.overlays {
        // What others lack of what runs is not this channel's concern.
        let concerns = wanted.desired.is_some() || of == Some(name);
        let whole = concerns && missing.is_empty();
        overlay.lay(name, &mut target, &mut names, whole, hint)?;
    }
    let changes = match (wanted.desired, running) {
        (Some(desired), _) => desired.compare(session.lana()?, &target, &mut names)?,
        (None, Some(running)) => {
            let changes = diff::changes(&running, &target, &mut names);
            changes.map_err(|(_, text)| denied(text))?
        }
        (None, None) => Vec::new(),
    };
    let shown = changes.iter().filter(|change| change.shows());
    let mut outcome = Outcome {
        changes: shown.map(|change| change.describe(&names)).collect(),
        done: changes.is_empty(),
        missing,
        unconfirmed: change && !changes.is_empty() && is_unconfirmed(),
    };
    if changes.is_empty() || !change || outcome.unconfirmed {
        return Ok(outcome);
    }
    let mut plan = session.plan(Describe::Not);
    for change in &changes {
        plan.push(&change.op(&names), true).map_err(Error::from)?;
    }
    session.carry_out(plan).map_err(|error| {
        let change = lana_cli::refused(&error).and_then(|at| changes.get(at));
        match change {
            Some(change) => error.context(change.describe(&names)),
            None => error,
        }
    })?;
    outcome.done = true;
    Ok(outcome)
}

/// What runs as what is wanted.
fn as_it_is(running: &Running, names: &Names) -> Option<Target<'static>> {
    let order = order(running, names)?;
    let bond = |pair| Bond { pair, place: 0 };
    Some(Target {
        blocks: running.blocks.clone(),
        bindings: order.bindings.into_iter().map(bond).collect(),
        subscriptions: order.subscriptions.into_iter().map(bond).collect(),
    })
}

/// Which of these parts the graph has, if it has one.
pub fn which(overlays: &[Overlay]) -> Option<usize> {
    let mut names = Names::default();
    let running = running::read(&mut Connection::open().ok()?, &mut names).ok()?;
    overlays
        .iter()
        .position(|overlay| overlay.is_in(&running, &mut names))
}

/// Whether blocks keep no packets: those that do show how many.
fn is_empty(blocks: &[String]) -> bool {
    let Ok(mut lana) = Connection::open() else {
        return false;
    };
    blocks.iter().all(|name| {
        let Ok(fb) = lana.fb(name) else { return true };
        let kept = |key: Option<&str>| matches!(key, Some("pending" | "waiting"));
        let mut kept = fb
            .option
            .iter()
            .filter(|option| kept(option.key.as_deref()));
        kept.all(|option| option.value.as_deref() == Some("0"))
    })
}

/// Whether a change of somebody is taken back unless it is confirmed (`fbctl --confirm`): its process listens at this
/// socket.
fn is_unconfirmed() -> bool {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    sockets.lines().any(|line| line.ends_with(" @lana/confirm"))
}

fn change(actions: &[Action], unused: &[String]) -> Result<()> {
    let mut session = session();
    let mut plan = session.plan(Describe::Each);
    let mut push = |op: Op<'_>| plan.push(&op, true).map_err(Error::from);
    for action in actions {
        match action {
            Action::Set(name, key, value) => push(Op::FbSet {
                name,
                key,
                value: value.as_str().into(),
            })?,
            Action::Bind(upper, lower) => push(Op::Bind { upper, lower })?,
            Action::Unbind(upper, lower) => push(Op::Unbind { upper, lower })?,
            Action::Replace(old, new) => push(Op::Replace {
                old,
                new,
                drop_state: false,
            })?,
            Action::Remove(name) => push(Op::FbDel { name })?,
            Action::Collect(_) => {
                for name in unused {
                    push(Op::FbDel { name })?;
                }
            }
            _ => {}
        }
    }
    if plan.is_empty() {
        return Ok(());
    }
    session.carry_out(plan)
}
