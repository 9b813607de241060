// SPDX-License-Identifier: GPL-2.0

//! Conversations with a scripted kernel.

use super::*;
use crate::{
    spec::{FbAttrs, OptionAttrs},
    testing::*,
    wire::Flag,
};
use netlink_packet_core::{NLM_F_DUMP_INTR, NLM_F_MULTIPART};
use std::io;

fn connect(answers: Vec<Vec<u8>>) -> Connection {
    let all = std::iter::once(family()).chain(answers);
    Connection::over(Script::new(all.map(Ok)).0).unwrap()
}

fn fb(seq: u32, flags: u16, name: &str) -> Vec<u8> {
    let attrs = FbAttrs {
        name: Some(name.into()),
        ..Default::default()
    };
    part(ID, flags, seq, 1, &bytes_of(&attrs))
}

fn add<'a>(name: &'a str, kind: &'a str) -> Op<'a> {
    Op::FbNew { name, kind }
}

fn names(dump: &Dump<FbAttrs>) -> Vec<&str> {
    dump.items
        .iter()
        .filter_map(|fb| fb.name.as_deref())
        .collect()
}

#[test]
fn missing_family_is_said_so() {
    let (script, _) = Script::new([Ok(ack(0, -2, &[]))]);
    let error = Connection::over(script).err().unwrap();
    assert_eq!(error.to_string(), "lana is not loaded (modprobe lana)");
}

#[test]
fn request_goes_out_and_is_acknowledged() {
    let (script, heard) = Script::new([Ok(family()), Ok(ack(1, 0, &[]))]);
    let mut lana = Connection::over(script).unwrap();
    assert_eq!(lana.change(&add("fb2", "tee")).unwrap(), Done::default());
    let sent = heard.borrow().sent[1].clone();
    let body = FbAttrs::decode(&sent[20..]).unwrap();
    assert_eq!(
        (body.name.as_deref(), body.r#type.as_deref()),
        (Some("fb2"), Some("tee"))
    );
    assert_eq!((sent[4], sent[6], sent[16]), (0x1b, 1 | 4, 2)); // request, ack; fb-new
}

#[test]
fn warning_comes_with_success() {
    let mut lana = connect(vec![ack(1, 0, &one(1, &"mind the gap".to_owned()))]);
    let done = lana.change(&add("fb2", "tee")).unwrap();
    assert_eq!(done.warning.as_deref(), Some("mind the gap"));
}

#[test]
fn refusal_names_the_attribute() {
    let tlvs = [one(1, &"no such type".to_owned()), one(2, &28u32)].concat();
    let mut lana = connect(vec![ack(1, -2, &tlvs)]);
    let error = lana.change(&add("fb2", "nosuch")).unwrap_err();
    assert_eq!(error.to_string(), "no such type (attribute 'type')");
}

#[test]
fn what_does_not_fit_is_not_sent() {
    let (script, heard) = Script::new([Ok(family())]);
    let mut lana = Connection::over(script).unwrap();
    let key = "x".repeat(70_000);
    let set = Op::FbSet {
        name: "fb3",
        key: &key,
        value: "x".into(),
    };
    let error = lana.change(&set).unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("attribute option.key: 70001 bytes"),
        "{error}"
    );
    assert_eq!(heard.borrow().sent.len(), 1);
}

#[test]
fn long_values_are_one_change() {
    // The kernel objects to the second of two parts.
    let refuse = || {
        let at = u32::try_from(BODY + 65_000 + 60).unwrap();
        ack(1, -22, &one(2, &at))
    };
    let set = Op::FbSet {
        name: "c",
        key: "prefixes.0",
        value: "x".repeat(70_000).into(),
    };
    let Err(Error::Refused(alone)) = connect(vec![refuse()]).change(&set) else {
        panic!("it was refused");
    };
    assert_eq!(alone.change, None);
    let mut transaction = Transaction::default();
    transaction.push(&set).unwrap();
    transaction.push(&add("d", "dummy")).unwrap();
    let Err(Error::Refused(together)) = connect(vec![refuse()]).transact(transaction) else {
        panic!("it was refused");
    };
    assert_eq!(together.change, Some(0));
}

#[test]
fn values_are_read_in_parts() {
    let piece = |flags: u16, text: &str| {
        let attrs = FbAttrs {
            option: vec![OptionAttrs {
                key: Some("prefixes.0".into()),
                value: Some(text.into()),
                ..Default::default()
            }],
            ..Default::default()
        };
        part(ID, flags, 1, 1, &bytes_of(&attrs))
    };
    let read = |flags| {
        let answers = vec![
            piece(NLM_F_MULTIPART, "::1,"),
            piece(NLM_F_MULTIPART | flags, "::2"),
            done(1, 0, &[]),
        ];
        connect(answers).value("c", "prefixes.0").unwrap()
    };
    assert_eq!(read(0).as_deref(), Some("::1,::2"));
    assert_eq!(read(NLM_F_DUMP_INTR), None);
    let mut lana = connect(vec![ack(1, -2, &[])]);
    assert_eq!(lana.value("c", "prefixes.0").unwrap(), None);
}

#[test]
fn one_block_is_read() {
    let mut lana = connect(vec![fb(1, 0, "fb2"), ack(1, 0, &[])]);
    assert_eq!(lana.fb("fb2").unwrap().name.as_deref(), Some("fb2"));
    let mut lana = connect(vec![ack(1, 0, &[])]);
    assert!(matches!(lana.fb("fb2"), Err(Error::Answers(0))));
}

#[test]
fn dump_has_many_parts() {
    let first = [
        fb(1, NLM_F_MULTIPART, "eth0"),
        fb(1, NLM_F_MULTIPART, "fb2"),
    ]
    .concat();
    let second = fb(1, NLM_F_MULTIPART, "fb3");
    let stale = fb(77, NLM_F_MULTIPART, "old");
    let mut lana = connect(vec![first, stale, second, done(1, 0, &[])]);
    let dump = lana.fbs().unwrap();
    assert_eq!(names(&dump), ["eth0", "fb2", "fb3"]);
    assert!(!dump.interrupted);
}

#[test]
fn dump_that_fails_on_the_way_is_an_error() {
    let tlvs = one(1, &"namespace is going away".to_owned());
    let mut lana = connect(vec![fb(1, NLM_F_MULTIPART, "eth0"), done(1, -11, &tlvs)]);
    let error = lana.fbs().unwrap_err();
    assert_eq!(error.to_string(), "namespace is going away");
}

#[test]
fn interrupted_dump_is_asked_for_again() {
    let flags = NLM_F_MULTIPART | NLM_F_DUMP_INTR;
    let mut lana = connect(vec![
        fb(1, flags, "eth0"),
        done(1, 0, &[]),
        fb(2, NLM_F_MULTIPART, "eth1"),
        done(2, 0, &[]),
    ]);
    let dump = lana.fbs().unwrap();
    assert_eq!((names(&dump), dump.interrupted), (vec!["eth1"], false));

    let tries = u32::try_from(DUMP_TRIES).unwrap();
    let always = (1..=tries).flat_map(|seq| [fb(seq, flags, "eth0"), done(seq, 0, &[])]);
    let dump = connect(always.collect()).fbs().unwrap();
    assert_eq!((names(&dump), dump.interrupted), (vec!["eth0"], true));
}

#[test]
fn broken_answers_are_errors() {
    let mut lana = connect(vec![vec![1, 2, 3]]);
    assert!(matches!(lana.fbs(), Err(Error::Decode(_))));
    let (script, _) = Script::new([Ok(family()), Err(io::Error::from_raw_os_error(105))]);
    let mut lana = Connection::over(script).unwrap();
    let error = lana.fbs().unwrap_err().to_string();
    assert_eq!(error, "netlink socket: No buffer space available");
}

#[test]
fn transaction_is_one_request() {
    let tlvs = [one(1, &"no block 'x'".to_owned()), one(2, &48u32)].concat();
    let (script, heard) = Script::new([Ok(family()), Ok(ack(1, 0, &[])), Ok(ack(2, -2, &tlvs))]);
    let mut lana = Connection::over(script).unwrap();
    let transaction = || {
        let mut transaction = Transaction::default();
        transaction.push(&add("a", "dummy")).unwrap();
        transaction.push(&Op::FbDel { name: "x" }).unwrap();
        transaction
    };
    assert_eq!(lana.transact(transaction()).unwrap(), Done::default());
    let sent = heard.borrow().sent[1].clone();
    assert_eq!((sent[0], sent[16]), (64, Command::Transact as u8));
    let Err(Error::Refused(refusal)) = lana.transact(transaction()) else {
        panic!("it should be refused")
    };
    assert_eq!(refusal.change, Some(1));
    assert_eq!(refusal.to_string(), "no block 'x'");
}

#[test]
fn large_blocks_are_asked_for_by_name() {
    let attrs = |name: &str, partial, ifname: Option<&str>| FbAttrs {
        name: Some(name.into()),
        partial,
        ifname: ifname.map(str::to_owned),
        ..Default::default()
    };
    let part = |seq, attrs| part(ID, NLM_F_MULTIPART, seq, 1, &bytes_of(&attrs));
    let (script, heard) = Script::new([
        Ok(family()),
        Ok(part(1, attrs("big", Some(Flag), None))),
        Ok(part(1, attrs("gone", Some(Flag), None))),
        Ok(part(1, attrs("small", None, None))),
        Ok(part(1, attrs("huge", Some(Flag), None))),
        Ok(done(1, 0, &[])),
        Ok([part(2, attrs("big", None, Some("eth0"))), ack(2, 0, &[])].concat()),
        Ok(ack(3, -2, &[])),
        Ok([part(4, attrs("huge", Some(Flag), None)), ack(4, 0, &[])].concat()),
    ]);
    let dump = Connection::over(script).unwrap().fbs().unwrap();
    assert_eq!(names(&dump), ["big", "small", "huge"]);
    assert!(dump.items[2].partial.is_some());
    assert_eq!(dump.items[0].ifname.as_deref(), Some("eth0"));
    let asked = FbAttrs::decode(&heard.borrow().sent[2][20..]).unwrap();
    assert_eq!(asked.name.as_deref(), Some("big"));
}

#[test]
fn blocks_are_shown_one_by_one() {
    let both = [fb(1, 2, "a"), fb(1, 2, "b"), done(1, 0, &[])].concat();
    let mut seen = Vec::new();
    let each = |attrs: &[u8]| {
        seen.push(FbAttrs::decode(attrs)?.name.unwrap());
        Ok(())
    };
    assert!(!connect(vec![both]).visit_fbs(None, each).unwrap());
    assert_eq!(seen, ["a", "b"]);
}
