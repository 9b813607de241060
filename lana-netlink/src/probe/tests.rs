// SPDX-License-Identifier: GPL-2.0

//! Probes with a scripted kernel.

use super::*;
use crate::{
    spec::{ChangeAttrs, Direction, HopAttrs, HopEnd, ProbePoint},
    testing::*,
    wire::Value,
};
use std::io;

fn record(len: u32) -> ProbeAttrs {
    let change = ChangeAttrs {
        offset: Some(22),
        old: Some(vec![64]),
        new: Some(vec![63]),
        ..Default::default()
    };
    let hop = HopAttrs {
        packet: Some(0),
        idp: Some(1),
        direction: Some(Value::Known(Direction::Ingress)),
        time: Some(417),
        end: Some(Value::Known(HopEnd::Forwarded)),
        change: vec![change],
        ..Default::default()
    };
    ProbeAttrs {
        time: Some(1 << 60),
        len: Some(len),
        point: Some(Value::Known(ProbePoint::Drops)),
        hop: vec![hop.clone(), hop],
        ..Default::default()
    }
}

fn bytes(len: u32) -> Vec<u8> {
    part(ID, 0, SEQ, Command::Probe as u8, &bytes_of(&record(len)))
}

fn request() -> ProbeAttrs {
    ProbeAttrs {
        at: vec!["eth0".into(), "fb2".into()],
        points: Some(u32::from(ProbePoint::In) | u32::from(ProbePoint::Drops)),
        ..Default::default()
    }
}

/// The lengths of the records up to the end of the script.
fn lengths(probe: &mut Probe) -> Vec<u32> {
    std::iter::from_fn(|| probe.take_record().ok().flatten())
        .filter_map(|record| record.len)
        .collect()
}

#[test]
fn records_come_before_and_behind_the_acknowledgement() {
    let full = Err(io::Error::from_raw_os_error(ENOBUFS));
    let other = part(ID, 0, 0, Command::EventNtf as u8, &[]);
    let (script, heard) = Script::new([
        Ok(family()),
        Ok(bytes(60)),
        Ok([bytes(61), ack(SEQ, 0, &[]), bytes(62)].concat()),
        full,
        Ok(other),
        Ok([bytes(63), bytes(64)].concat()),
    ]);
    let mut probe = Probe::over(script, &request()).unwrap();
    assert_eq!(lengths(&mut probe), [60, 61, 62, 63, 64]);
    let sent = heard.borrow().sent[1].clone();
    assert_eq!(sent[16], Command::Probe as u8);
    assert_eq!(ProbeAttrs::decode(&sent[BODY..]).unwrap(), request());
}

#[test]
fn records_have_all_that_the_kernel_says() {
    let (script, _) = Script::new([Ok(family()), Ok([ack(SEQ, 0, &[]), bytes(60)].concat())]);
    let mut probe = Probe::over(script, &request()).unwrap();
    assert_eq!(probe.take_record().unwrap(), Some(record(60)));
}

#[test]
fn what_was_lost_is_asked_for() {
    let answer = |lost: u64| {
        let attrs = ProbeAttrs {
            lost: Some(lost),
            ..Default::default()
        };
        let bytes = bytes_of(&attrs);
        part(ID, 0, SEQ_LOST, Command::Probe as u8, &bytes)
    };
    let full = Err(io::Error::from_raw_os_error(ENOBUFS));
    let (script, heard) = Script::new([
        Ok(family()),
        Ok(ack(SEQ, 0, &[])),
        Ok(bytes(60)),
        full,
        Ok([bytes(61), answer(7)].concat()),
        Ok(answer(0)),
    ]);
    let mut probe = Probe::over(script, &request()).unwrap();
    assert_eq!(probe.lost().unwrap(), Some(7));
    assert!(lengths(&mut probe).is_empty());
    let sent = heard.borrow().sent.last().cloned().unwrap();
    assert_eq!(ProbeAttrs::decode(&sent[BODY..]).unwrap().lost, Some(0));
}

#[test]
fn refusal_names_the_attribute() {
    let tlvs = [one(1, &"no block 'fb2'".to_owned()), one(2, &32u32)].concat();
    let (script, _) = Script::new([Ok(family()), Ok(ack(SEQ, -2, &tlvs))]);
    let error = Probe::over(script, &request()).err().unwrap();
    assert_eq!(error.to_string(), "no block 'fb2' (attribute 'at')");
}

#[test]
fn a_broken_record_is_an_error() {
    let bad = part(ID, 0, SEQ, Command::Probe as u8, &[3, 0, 1, 0]);
    let (script, _) = Script::new([Ok(family()), Ok(ack(SEQ, 0, &[])), Ok(bad)]);
    let mut probe = Probe::over(script, &request()).unwrap();
    assert!(matches!(probe.take_record(), Err(Error::Decode(_))));
}
