// SPDX-License-Identifier: GPL-2.0

//! `fbctl monitor`: events as they come, a line each.

use crate::{cli, history, record::Recorder, utc::rfc3339};
use anyhow::Result;
use lana_cli::{Output, Session};
use lana_netlink::{
    spec::{EventAttrs, EventKind},
    wire::Value,
    EventStream, Notice,
};
use serde::Serialize;
use std::{fmt::Write, time::SystemTime};

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Event(&'a EventAttrs),
    Lost { lost: u64 },
    Overrun { overrun: bool },
}

pub(crate) fn run(session: &mut Session, options: &cli::Monitor) -> Result<()> {
    let mut left = options.count;
    if left == Some(0) {
        return Ok(());
    }
    let events = EventStream::open()?;
    let mut log = options.log.then(history::Log::new).transpose()?;
    let mut recorder = match &options.record {
        Some(path) => Some(Recorder::new(path, session.globals.netns.clone())?),
        None => None,
    };
    for notice in events {
        let notice = notice?;
        if let Some(log) = &mut log {
            log.record(&notice)?;
        }
        if let (Some(recorder), Notice::Event(event)) = (&mut recorder, &notice) {
            recorder.record(event)?;
        }
        let time = options.timestamp.then(|| rfc3339(SystemTime::now()));
        tell(&mut session.out, &notice, time.as_deref())?;
        session.out.flush()?;
        if let (Some(left), Notice::Event(_)) = (&mut left, &notice) {
            *left -= 1;
            if *left == 0 {
                return Ok(());
            }
        }
    }
    Err(lana_netlink::Error::Unloaded.into())
}

fn tell(out: &mut Output, notice: &Notice, time: Option<&str>) -> Result<()> {
    let (text, what) = match notice {
        Notice::Event(event) => (describe(event), What::Event(event)),
        Notice::Lost(lost) => (format!("lost {lost} events"), What::Lost { lost: *lost }),
        Notice::Overrun => (
            "overrun: events come faster than they are read".to_owned(),
            What::Overrun { overrun: true },
        ),
        // The end of the stream says it.
        _ => return Ok(()),
    };
    if out.is_json() {
        return out.json_line(&Line { time, what });
    }
    match time {
        Some(time) => out.line(&format!("[{time}] {text}")),
        None => out.line(&text),
    }
}

/// The kind, the block, and whatever else the event has, by the names of the specification.
pub(crate) fn describe(event: &EventAttrs) -> String {
    let mut out = event
        .kind
        .map_or_else(|| "event".to_owned(), |kind| kind.to_string());
    if let Some(fb) = &event.fb {
        // Writing to a string does not fail.
        let _ = write!(out, " {fb}");
    }
    let number = |n: Option<u32>| n.map(|n| n.to_string());
    for (name, value) in [
        ("idp", number(event.idp)),
        ("type", event.r#type.clone()),
        ("peer", event.peer.clone()),
        ("peer-idp", number(event.peer_idp)),
        ("key", event.key.clone()),
        ("ifname", event.ifname.clone()),
        ("packets", event.packets.map(|n| n.to_string())),
        ("text", event.text.as_ref().map(|text| format!("{text:?}"))),
    ] {
        if let Some(value) = value {
            let _ = write!(out, " {name} {value}");
        }
    }
    out
}

/// The same for who reads it on a page: without numbers that machines need.
pub(crate) fn in_words(event: &EventAttrs) -> String {
    let (Some(Value::Known(kind)), Some(fb)) = (event.kind, &event.fb) else {
        return describe(event);
    };
    match (kind, &event.peer, &event.r#type) {
        (EventKind::Bound, Some(peer), _) => format!("{fb} bound on top of {peer}"),
        (EventKind::Unbound, Some(peer), _) => format!("{fb} taken off {peer}"),
        (EventKind::Subscribed, Some(peer), _) => format!("{fb} gets the events of {peer}"),
        (EventKind::Unsubscribed, Some(peer), _) => {
            format!("{fb} gets the events of {peer} no more")
        }
        (EventKind::Added, _, Some(kind)) => format!("added {fb} ({kind})"),
        (EventKind::Removed, ..) => format!("removed {fb}"),
        _ => describe(event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lana_cli::Globals;
    use std::{cell::RefCell, io, rc::Rc};

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(json: bool, notice: &Notice, time: Option<&str>) -> String {
        let globals = Globals {
            json,
            pretty: true,
            ..Default::default()
        };
        let to = Shared::default();
        let mut out = Output::to(Box::new(to.clone()), &globals, false);
        tell(&mut out, notice, time).unwrap();
        out.flush().unwrap();
        let bytes = to.0.borrow().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_page_says_it_in_words() {
        let event = |kind, peer: Option<&str>| EventAttrs {
            kind: Some(Value::Known(kind)),
            fb: Some("q".into()),
            idp: Some(5),
            r#type: Some("dummy".into()),
            peer: peer.map(str::to_owned),
            peer_idp: peer.map(|_| 4),
            ..Default::default()
        };
        for (kind, peer, words) in [
            (EventKind::Bound, Some("c"), "q bound on top of c"),
            (EventKind::Unbound, Some("c"), "q taken off c"),
            (EventKind::Added, None, "added q (dummy)"),
            (EventKind::Removed, None, "removed q"),
        ] {
            assert_eq!(in_words(&event(kind, peer)), words);
        }
        let other = event(EventKind::DeviceGone, None);
        assert_eq!(in_words(&other), describe(&other));
    }

    fn bound() -> Notice {
        Notice::Event(EventAttrs {
            seq: Some(7),
            kind: Some(Value::Known(EventKind::Bound)),
            fb: Some("fb2".into()),
            idp: Some(2),
            peer: Some("eth0".into()),
            peer_idp: Some(1),
            ..Default::default()
        })
    }

    #[test]
    fn a_line_an_event() {
        assert_eq!(
            told(false, &bound(), None),
            "bound fb2 idp 2 peer eth0 peer-idp 1\n"
        );
        assert_eq!(
            told(false, &bound(), Some("2026-01-01T00:00:00.000000Z")),
            "[2026-01-01T00:00:00.000000Z] bound fb2 idp 2 peer eth0 peer-idp 1\n"
        );
        let event = EventAttrs {
            kind: Some(Value::Unknown(99)),
            ..Default::default()
        };
        assert_eq!(told(false, &Notice::Event(event), None), "99\n");
        let event = EventAttrs {
            kind: Some(Value::Known(EventKind::HopLimit)),
            fb: Some("d".into()),
            packets: Some(1 << 40),
            ..Default::default()
        };
        let text = told(false, &Notice::Event(event), None);
        assert_eq!(text, "hop-limit d packets 1099511627776\n");
    }

    #[test]
    fn an_object_an_event() {
        let json = r#"{"seq":7,"kind":"bound","fb":"fb2","idp":2,"peer":"eth0","peer-idp":1}"#;
        assert_eq!(told(true, &bound(), None), format!("{json}\n"));
        let lost = told(true, &Notice::Lost(3), Some("now"));
        assert_eq!(lost, "{\"time\":\"now\",\"lost\":3}\n");
        assert_eq!(told(true, &Notice::Overrun, None), "{\"overrun\":true}\n");
    }

    #[test]
    fn losses_are_told() {
        assert_eq!(told(false, &Notice::Lost(3), None), "lost 3 events\n");
        assert!(told(false, &Notice::Overrun, None).starts_with("overrun"));
    }
}
