// SPDX-License-Identifier: GPL-2.0

//! Each message comes back as it was, and bad content is refused.

use super::*;
use crate::name::Name;

fn all() -> Vec<Message> {
    let block = Wanted {
        name: Name::short("compress").unwrap(),
        versions: 1..=3,
        optional: true,
        options: vec![("level".into(), "3".into())],
    };
    let held = Held {
        id: [3; 16],
        number: 4,
        sends: true,
    };
    vec![
        Message::Hello {
            ready: true,
            done: false,
            held: vec![
                held,
                Held {
                    id: BASE,
                    sends: false,
                    ..held
                },
            ],
        },
        Message::Offer {
            round: 1,
            highest: 2,
            running: BASE,
            blocks: vec![block, Wanted::new(Name::short("crypt").unwrap())],
        },
        Message::Answer {
            round: 1,
            highest: 2,
            verdicts: vec![
                Verdict::Accept(1),
                Verdict::Lacking,
                Verdict::Version(1, 2),
                Verdict::Option("level".into()),
            ],
        },
        Message::Prepare {
            round: 1,
            digest: [1; 16],
        },
        Message::Prepared { round: 1 },
        Message::Switch {
            round: 1,
            target: [1; 16],
            delay: 100,
        },
        Message::Switched { round: 1 },
        Message::Finish { round: 1 },
        Message::Finished { round: 1 },
        Message::Refuse {
            round: 1,
            reason: Reason::Demand,
            text: "crypt".into(),
        },
        Message::Keepalive(Link {
            highest: 1,
            received: 2,
            echo: 3,
            age: 4,
        }),
        Message::Close {
            reason: Reason::Request,
        },
        Message::Closed,
        Message::Resolve {
            number: 1,
            context: "*".into(),
            service: "tcp:80".into(),
        },
        Message::Resolved {
            number: 1,
            token: 7,
            lifetime: 60,
        },
        Message::Unresolved { number: 1 },
    ]
}

#[test]
fn there_and_back() {
    for message in all() {
        let (kind, content) = message.encode();
        assert_eq!(Message::decode(kind, &content), Ok(message));
    }
}

#[test]
fn cut_off() {
    for message in all() {
        let (kind, content) = message.encode();
        for length in 1..content.len() {
            // Lists may end early, at the end of a TLV.
            if let Ok(less) = Message::decode(kind, &content[..length]) {
                assert_ne!(less, message);
            }
        }
    }
}

#[test]
fn unknown_content() {
    let (kind, content) = Message::Closed.encode();
    let with = |number: u16| {
        let mut more = content.clone();
        put(&mut more, number, b"new");
        Message::decode(kind, &more)
    };
    assert_eq!(with(99), Ok(Message::Closed));
    assert_eq!(
        with(99 | MUST_KNOW),
        Err(BadMessage::Unknown(99 | MUST_KNOW))
    );
    assert_eq!(with(1), Err(BadMessage::Content)); // a round has 4 bytes
    assert_eq!(Message::decode(99, &content), Err(BadMessage::Content));
    let mut twice = Vec::new();
    put(&mut twice, tlv::ROUND, &[0; 4]);
    assert!(Message::decode(kind::FINISH, &twice).is_ok());
    put(&mut twice, tlv::ROUND | MUST_KNOW, &[0; 4]);
    assert_eq!(
        Message::decode(kind::FINISH, &twice),
        Err(BadMessage::Content)
    );
}

#[test]
fn lists_are_bounded() {
    let verdicts = |count| Message::Answer {
        round: 1,
        highest: 0,
        verdicts: vec![Verdict::Lacking; count],
    };
    let decoded = |count| {
        let (kind, content) = verdicts(count).encode();
        Message::decode(kind, &content)
    };
    assert!(decoded(16).is_ok());
    assert_eq!(decoded(17), Err(BadMessage::Content));
}
