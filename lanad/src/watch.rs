// SPDX-License-Identifier: GPL-2.0

//! Hears what the kernel tells: events of the graph, and changes of devices. Each is waited for in a thread.

use crate::world::{Event, Fact};
use lana_netlink::{spec::EventAttrs, EventStream, LinkState, LinkStream, Notice};
use std::{thread, time::Duration};
use tokio::sync::mpsc::UnboundedSender;

/// How often LANA is looked for when it is not loaded.
const PAUSE: Duration = Duration::from_millis(500);

/// What was heard.
#[derive(Debug)]
pub enum Heard {
    /// A fact.
    Fact(Fact),
    /// Events are heard from now on: what was before is to be read.
    Begun,
    /// Some events were missed.
    Missed,
    /// LANA was unloaded, or is not loaded; why.
    Unloaded(String),
    /// The kernel does not tell of devices.
    Failed(String),
}

/// Begins to listen.
pub fn start<M: From<Heard> + Send + 'static>(listener: &UnboundedSender<M>) {
    let to = listener.clone();
    thread::spawn(move || {
        let mut told = false;
        while !to.is_closed() {
            match EventStream::open() {
                Ok(events) => {
                    told = false;
                    if hear(events, &to).is_none() {
                        return;
                    }
                }
                Err(error) if !told => {
                    told = true;
                    if to.send(Heard::Unloaded(error.to_string()).into()).is_err() {
                        return;
                    }
                }
                Err(_) => {}
            }
            thread::sleep(PAUSE);
        }
    });
    let to = listener.clone();
    thread::spawn(move || {
        if let Err(error) = devices(&to) {
            // Nobody need listen any more.
            let _ = to.send(Heard::Failed(error.to_string()).into());
        }
    });
}

/// Passes on what happens until LANA is unloaded. Nothing if nobody listens.
fn hear<M: From<Heard>>(events: EventStream, to: &UnboundedSender<M>) -> Option<()> {
    to.send(Heard::Begun.into()).ok()?;
    for notice in events {
        let heard = match notice {
            Ok(Notice::Event(event)) => Heard::Fact(Fact::Event(words(&event))),
            Ok(Notice::Lost(_) | Notice::Overrun) => Heard::Missed,
            Ok(_) => Heard::Unloaded("LANA was unloaded".to_owned()),
            Err(error) => Heard::Unloaded(error.to_string()),
        };
        to.send(heard.into()).ok()?;
    }
    Some(())
}

fn words(event: &EventAttrs) -> Event {
    let kind = event.kind.map_or_else(String::new, |kind| kind.to_string());
    let mut words = kind.clone();
    for part in [
        &event.fb,
        &event.peer,
        &event.key,
        &event.ifname,
        &event.text,
    ]
    .into_iter()
    .flatten()
    {
        words.push(' ');
        words.push_str(part);
    }
    Event {
        kind,
        fb: event.fb.clone(),
        peer: event.peer.clone(),
        of: event.r#type.clone(),
        text: event.text.clone(),
        words,
    }
}

fn devices<M: From<Heard>>(to: &UnboundedSender<M>) -> Result<(), lana_netlink::Error> {
    let mut changes = LinkStream::open()?;
    loop {
        let up = lana_netlink::links()?.into_iter();
        let up = up
            .map(|(name, state)| (name, state == LinkState::Up))
            .collect();
        if to.send(Heard::Fact(Fact::Devices { up }).into()).is_err() {
            return Ok(());
        }
        changes.wait()?;
    }
}
