// SPDX-License-Identifier: GPL-2.0

//! Streams of events with holes in them.

use super::*;
use crate::testing::*;
use netlink_packet_generic::constants::{CTRL_ATTR_FAMILY_ID, CTRL_CMD_NEWFAMILY};

fn bytes(seq: u64) -> Vec<u8> {
    let attrs = EventAttrs {
        seq: Some(seq),
        fb: Some("fb2".into()),
        ..Default::default()
    };
    let command = Command::EventNtf as u8;
    part(ID, 0, 0, command, &bytes_of(&attrs))
}

fn listen(datagrams: Vec<io::Result<Vec<u8>>>) -> Vec<String> {
    let all = std::iter::once(Ok(family())).chain(datagrams);
    let (script, heard) = Script::new(all);
    let stream = EventStream::over(script).unwrap();
    assert_eq!(heard.borrow().joined, [GROUP, 16]);
    let tell = |notice| match notice {
        Ok(Notice::Event(event)) => format!("{}", event.seq.unwrap_or_default()),
        Ok(Notice::Lost(count)) => format!("lost {count}"),
        Ok(Notice::Overrun) => "overrun".to_owned(),
        Ok(Notice::Unloaded) => "unloaded".to_owned(),
        Err(error) => format!("{error}"),
    };
    let mut told: Vec<_> = stream.map(tell).collect();
    if told
        .last()
        .is_some_and(|last| last.ends_with("end of script"))
    {
        told.pop();
    }
    told
}

#[test]
fn events_in_order() {
    assert_eq!(
        listen(vec![Ok(bytes(5)), Ok(bytes(6)), Ok(bytes(7))]),
        ["5", "6", "7"]
    );
}

#[test]
fn gap_is_counted() {
    assert_eq!(
        listen(vec![Ok(bytes(5)), Ok(bytes(9)), Ok(bytes(10))]),
        ["5", "lost 3", "9", "10"]
    );
}

#[test]
fn new_count_is_no_gap() {
    assert_eq!(
        listen(vec![Ok(bytes(u64::MAX)), Ok(bytes(1)), Ok(bytes(2))]),
        [&u64::MAX.to_string(), "1", "2"]
    );
}

#[test]
fn overrun_is_told_at_once() {
    let full = Err(io::Error::from_raw_os_error(ENOBUFS));
    assert_eq!(
        listen(vec![Ok(bytes(1)), full, Ok(bytes(4))]),
        ["1", "overrun", "lost 2", "4"]
    );
}

#[test]
fn unloading_ends_the_stream() {
    let about = |command, id: u16| {
        let attrs = one(CTRL_ATTR_FAMILY_ID, &id);
        Ok(part(GENL_ID_CTRL, 0, 0, command, &attrs))
    };
    let told = listen(vec![
        about(CTRL_CMD_NEWFAMILY, ID),
        about(CTRL_CMD_DELFAMILY, ID + 1),
        about(CTRL_CMD_DELFAMILY, ID),
        Ok(bytes(1)),
    ]);
    assert_eq!(told, ["unloaded"]);
}

#[test]
fn what_came_before_an_error_is_told() {
    let good = bytes(1);
    let told = listen(vec![Ok([good, vec![1, 2, 3]].concat())]);
    assert_eq!(told[0], "1");
    assert!(told[1].starts_with("malformed message"), "{told:?}");
    assert_eq!(told.len(), 2);
}
