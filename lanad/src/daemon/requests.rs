// SPDX-License-Identifier: GPL-2.0

//! What `lanactl` asks for.

use super::{repair, Daemon};
use crate::{
    config::{Config, Graph},
    control::{GraphStatus, Reply, Request, Status},
    engine::Engine,
    keep::{Desired, Job},
    state::Hold,
    world::Fact,
};
use anyhow::Result;
use lana_channel::Service;
use lana_cli::usage;
use serde_json::{json, Value};
use std::time::Duration;

impl Daemon {
    pub(super) fn asked(&mut self, request: Request) -> Result<Value> {
        let now = self.now();
        match request {
            Request::Status => return Ok(serde_json::to_value(self.status())?),
            Request::Log { after } => return Ok(serde_json::to_value(self.journal.after(after))?),
            Request::Release => {
                if self.state.hold.take().is_none() {
                    return Err(usage("nobody holds the graph"));
                }
                self.release(now);
            }
            Request::Reload => self.reload()?,
            Request::Channel { name, channel } => self.open_channel(&name, *channel)?,
            Request::Close { name } => self.close_channel(&name)?,
            Request::Publish {
                name,
                context,
                service,
                seconds,
            } => {
                let token = self.publish(&name, Service { context, service }, seconds)?;
                return Ok(json!({ "token": token }));
            }
            Request::Hold(_) | Request::Resolve { .. } => {}
        }
        Ok(json!({}))
    }

    /// Somebody holds the graph. The answer comes when a repair that runs is over.
    pub(super) fn hold(&mut self, hold: Hold, reply: Reply) {
        let why = format!("somebody holds the graph: {}", hold.why);
        self.journal.say(why.trim_end_matches([' ', ':']));
        self.state.hold = Some(hold);
        self.keep_state();
        self.job(Job::Held(reply));
    }

    /// Nobody holds the graph any more.
    pub(super) fn release(&mut self, now: Duration) {
        self.journal.say("nobody holds the graph any more");
        self.keep_state();
        self.repair.wanted(now);
    }

    /// Reads the configuration and the files again. If something is wrong with them, all stays as it is.
    pub(super) fn reload(&mut self) -> Result<()> {
        let config = Config::read(&self.start.config)?;
        if let Some(desired) = Desired::read(&config)? {
            self.job(Job::Load(Box::new(desired)));
        }
        self.journal.say("reloaded");
        let now = self.now();
        if config != self.config {
            self.engine = Engine::new(&config, &self.engine.states());
            self.repair = repair(config.graph.as_ref());
            self.config = config;
            if self.config.graph.is_none() {
                self.trouble = None;
            }
            let announcements = &self.config.announcement;
            self.announced
                .retain(|name, _| announcements.contains_key(name));
            self.begin();
            self.begin_channels();
            // What is known, the new rules have to be told.
            self.read();
            let up = lana_netlink::links().unwrap_or_default().into_iter();
            let up = up
                .map(|(name, state)| (name, state == lana_netlink::LinkState::Up))
                .collect();
            self.learn(&Fact::Devices { up });
        }
        self.repair.wanted(now);
        Ok(())
    }

    pub(super) fn status(&self) -> Status {
        let hold = self.state.hold.as_ref().filter(|_| self.state.is_held());
        let graph = |graph: &Graph| {
            let state = match (hold, &self.trouble) {
                (Some(_), _) => "held",
                (None, Some(_)) => "wrong",
                (None, None) if !self.differs.is_empty() => "differs",
                (None, None) if !self.missing.is_empty() => "incomplete",
                (None, None) if self.repair.is_due() => "changing",
                (None, None) => "kept",
            };
            GraphStatus {
                files: graph.files.clone(),
                state: state.to_owned(),
                missing: self.missing.clone(),
                differs: self.differs.clone(),
            }
        };
        Status {
            graph: self.config.graph.as_ref().map(graph),
            hold: hold.cloned(),
            trouble: self.trouble.clone(),
            record_ended: self.record_ended.clone(),
            announcements: self.announced.clone(),
            rules: self.engine.status().collect(),
            channels: self
                .channels
                .iter()
                .map(|(name, channel)| channel.status(name))
                .collect(),
        }
    }
}
