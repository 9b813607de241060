// SPDX-License-Identifier: GPL-2.0

//! What the daemon does for channels: those of the configuration, and those that `lanactl channel` has opened.

use super::Daemon;
use crate::{
    channel::{Came, Kept, Live, Wish},
    config::Channel,
    control::Reply,
    keep::{self, Job, Overlays},
};
use anyhow::Result;
use lana_channel::Service;
use lana_cli::usage;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// Finds what the kernel has of the channels that a process before this one had.
pub(super) fn restore(kept: &mut BTreeMap<String, Kept>) -> Overlays {
    let mut overlays = Overlays::new();
    for (name, kept) in kept {
        let parts = kept.overlays();
        let which = keep::which(&parts);
        kept.choose(which);
        if let Some(part) = which.and_then(|which| parts.into_iter().nth(which)) {
            overlays.insert(name.clone(), part);
        }
    }
    overlays
}

impl Daemon {
    /// Begins the channels of the configuration, and those that were there.
    pub(super) fn begin_channels(&mut self) {
        for (name, config) in self.wanted_channels() {
            let same = |live: &Live| live.config == config;
            if self.channels.get(&name).is_some_and(same) {
                continue;
            }
            if let Err(error) = self.open_channel(&name, config) {
                self.journal.say(&format!("channel '{name}': {error:#}"));
            }
        }
    }

    /// Devices have come or gone: channels that wait for theirs begin.
    pub(super) fn find_devices(&mut self) {
        for (name, config) in self.wanted_channels() {
            if let Some(live) = self.channels.get_mut(&name) {
                live.find_device(&name, &self.to);
            } else if self.devices.contains(&config.device) {
                // Why it cannot begin was said before.
                let _ = self.open_channel(&name, config);
            }
        }
    }

    /// A message has come. Sockets of UDP to the same host get each other's: the number says whose one it is.
    pub(super) fn came(&mut self, came: &Came) {
        let now = self.now();
        let Some(got) = self.channels.get(&came.name) else {
            return;
        };
        let number = lana_channel::header(&came.bytes).map(|(header, _)| header.channel);
        let is_it = |(_, live): &(&String, &Live)| {
            Ok(live.config.number) == number && live.shares_socket(got)
        };
        let name = self.channels.iter().find(is_it).map(|(name, _)| name);
        let name = name.unwrap_or(&came.name).clone();
        if let Some(channel) = self.channels.get_mut(&name) {
            channel.receive(&came.bytes, now);
        }
    }

    fn wanted_channels(&self) -> BTreeMap<String, Channel> {
        let mut wanted: BTreeMap<String, Channel> = BTreeMap::new();
        for (name, kept) in &self.state.channels {
            wanted.insert(name.clone(), kept.config.clone());
        }
        wanted.extend(self.config.channel.clone());
        wanted
    }

    /// Opens a channel, or changes the blocks of one.
    pub(super) fn open_channel(&mut self, name: &str, config: Channel) -> Result<()> {
        config.check().map_err(usage)?;
        let now = self.now();
        let number =
            |(other, live): (&String, &Live)| other != name && live.config.number == config.number;
        if self.channels.iter().any(number) {
            return Err(usage(format!(
                "another channel has the number {}",
                config.number
            )));
        }
        if let Some(live) = self.channels.get_mut(name) {
            let same = Channel {
                want: live.config.want.clone(),
                ..config.clone()
            };
            if same != live.config && !live.is_closed() {
                return Err(usage("it is open with other settings: close it first"));
            }
            if same == live.config {
                live.change(config.want, now)?;
                self.serve_channel(name);
                return Ok(());
            }
        }
        let kept = self.state.channels.get(name);
        let live = Live::start(name, config, kept, now, &self.to)?;
        self.drop_questions(name);
        self.channels.insert(name.to_owned(), live);
        self.serve_channel(name);
        Ok(())
    }

    /// Closes a channel.
    pub(super) fn close_channel(&mut self, name: &str) -> Result<()> {
        let now = self.now();
        let live = self
            .channels
            .get_mut(name)
            .ok_or_else(|| usage(format!("no channel '{name}'")))?;
        if live.is_closed() && !self.config.channel.contains_key(name) {
            self.remove_channel(name);
            return Ok(());
        }
        live.close(now);
        self.serve_channel(name);
        Ok(())
    }

    /// The graph is gone, and the keys with it: all channels begin again.
    pub(super) fn forget_channels(&mut self) {
        let names: Vec<_> = self.channels.keys().cloned().collect();
        for name in names {
            self.job(Job::Forget(name.clone()));
            self.state.channels.remove(&name);
            self.drop_questions(&name);
            if let Some(live) = self.channels.remove(&name) {
                if let Err(error) = self.open_channel(&name, live.config) {
                    self.journal.say(&format!("channel '{name}': {error:#}"));
                }
            }
        }
    }

    pub(super) fn pass_channels(&mut self, now: Duration) {
        let names: Vec<_> = self.channels.keys().cloned().collect();
        for name in names {
            if let Some(live) = self.channels.get_mut(&name) {
                live.pass(now);
            }
            self.serve_channel(&name);
        }
    }

    /// A transaction for a channel has ended.
    pub(super) fn applied(&mut self, name: &str, ticket: u64, done: Result<()>) {
        let now = self.now();
        if let Some(live) = self.channels.get_mut(name) {
            live.applied(ticket, done.map_err(|error| format!("{error:#}")), now);
        }
        self.serve_channel(name);
        self.store_channel(name);
    }

    /// Does what a channel wishes.
    fn serve_channel(&mut self, name: &str) {
        while let Some(wish) = self.channels.get_mut(name).and_then(Live::wish) {
            match wish {
                Wish::Apply(ticket, overlay) => {
                    if self.state.is_held() {
                        let now = self.now();
                        if let Some(live) = self.channels.get_mut(name) {
                            live.applied(ticket, Err("somebody holds the graph".to_owned()), now);
                        }
                        continue;
                    }
                    self.store_channel(name);
                    let job = Job::Channel {
                        name: name.to_owned(),
                        ticket,
                        overlay,
                        repair: self.repairs(),
                        actions: self.engine.graph_actions(),
                    };
                    self.job(job);
                }
                Wish::Look(blocks) => self.job(Job::Look(name.to_owned(), blocks)),
                Wish::Say(text) => self.journal.say(&format!("channel '{name}': {text}")),
                Wish::Resolved(service, token) => {
                    let asked = |(channel, asked, _): &(String, Service, Reply)| {
                        channel == name && *asked == service
                    };
                    while let Some(at) = self.questions.iter().position(asked) {
                        let (.., reply) = self.questions.swap_remove(at);
                        let answer = token
                            .map(|(token, seconds)| json!({ "token": token, "seconds": seconds }));
                        // Who has asked may be gone.
                        let _ =
                            reply
                                .send(answer.ok_or_else(|| {
                                    "the other host has no such service".to_owned()
                                }));
                    }
                }
            }
        }
        let configured = self.config.channel.contains_key(name);
        if !configured && self.channels.get(name).is_some_and(Live::is_over) {
            self.remove_channel(name);
        }
    }

    /// Nobody answers what was asked by a channel any more.
    fn drop_questions(&mut self, name: &str) {
        while let Some(at) = self.questions.iter().position(|asked| asked.0 == name) {
            let (.., reply) = self.questions.swap_remove(at);
            // Who has asked may be gone.
            let _ = reply.send(Err("the channel was closed".to_owned()));
        }
    }

    fn remove_channel(&mut self, name: &str) {
        self.channels.remove(name);
        self.drop_questions(name);
        self.job(Job::Forget(name.to_owned()));
        self.state.channels.remove(name);
        self.keep_state();
    }

    fn store_channel(&mut self, name: &str) {
        if let Some(live) = self.channels.get(name) {
            self.state.channels.insert(name.to_owned(), live.kept());
            self.keep_state();
        }
    }

    pub(super) fn publish(&mut self, name: &str, service: Service, seconds: u32) -> Result<u16> {
        let now = self.now();
        let live = self
            .channels
            .get_mut(name)
            .ok_or_else(|| usage(format!("no channel '{name}'")))?;
        live.publish(service, seconds, now)
    }

    /// Asks the other host of a channel.
    pub(super) fn resolve(&mut self, name: &str, service: Service, reply: Reply) {
        let now = self.now();
        let Some(live) = self.channels.get_mut(name) else {
            let _ = reply.send(Err(format!("no channel '{name}'")));
            return;
        };
        self.questions
            .push((name.to_owned(), service.clone(), reply));
        live.resolve(service, now);
        self.serve_channel(name);
    }
}
