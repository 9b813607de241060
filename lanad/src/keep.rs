// SPDX-License-Identifier: GPL-2.0

//! The graph: reads it, and makes it what files and rules say, in one transaction. This happens in a thread of its own, as
//! the kernel's answers are waited for; [`Job`]s go in, [`Answer`]s come out.

mod desired;

pub use desired::Desired;

use crate::{
    config::Action,
    world::{Block, Fact},
};
use anyhow::Result;
use lana_cli::{Describe, Session};
use lana_graph::model::Names;
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

/// Starts the thread. It ends when nobody can ask it any more.
pub fn start<M: From<Answer> + Send + 'static>(
    desired: Option<Desired>,
    answers: UnboundedSender<M>,
) -> std::sync::mpsc::Sender<Job> {
    let (jobs, todo) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut desired = desired;
        for job in todo {
            let answer = match job {
                Job::Load(new) => {
                    desired = Some(*new);
                    continue;
                }
                Job::Read => fact(read()),
                Job::Sample => fact(sample()),
                Job::Keep { actions, change } => match &desired {
                    Some(desired) => Answer::Kept(keep(desired, &actions, change)),
                    None => continue,
                },
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

fn keep(desired: &Desired, actions: &[Action], change: bool) -> Result<Outcome> {
    let mut session = session();
    let mut names = Names::default();
    let devices = lana_netlink::devices()?;
    let (target, missing) =
        desired.target(actions, &mut names, |name| devices.contains_key(name))?;
    let changes = desired.compare(session.lana()?, &target, &mut names)?;
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
        let what = change.map(|change| change.describe(&names));
        match what {
            Some(what) => error.context(what),
            None => error,
        }
    })?;
    outcome.done = true;
    Ok(outcome)
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
