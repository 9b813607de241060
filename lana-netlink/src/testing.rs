// SPDX-License-Identifier: GPL-2.0

//! A kernel for tests: it says what it was told to say.

use crate::{
    message::{compose, BODY},
    socket::Transport,
    wire::{Attributes, Field, Writer},
};
use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR, NLM_F_ACK_TLVS, NLM_F_CAPPED};
use netlink_packet_generic::{constants::*, GenlHeader};
use std::{cell::RefCell, collections::VecDeque, io, rc::Rc};

/// Number of the family in tests.
pub(crate) const ID: u16 = 0x1b;
/// Number of its multicast group.
pub(crate) const GROUP: u32 = 9;

/// What the script has heard.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) joined: Vec<u32>,
}

/// Answers in turn, whatever it is asked.
pub(crate) struct Script {
    answers: VecDeque<io::Result<Vec<u8>>>,
    heard: Rc<RefCell<Heard>>,
}

impl Script {
    pub(crate) fn new(
        answers: impl IntoIterator<Item = io::Result<Vec<u8>>>,
    ) -> (Box<Self>, Rc<RefCell<Heard>>) {
        let heard = Rc::new(RefCell::new(Heard::default()));
        let script = Script {
            answers: answers.into_iter().collect(),
            heard: Rc::clone(&heard),
        };
        (Box::new(script), heard)
    }
}

impl Transport for Script {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.heard.borrow_mut().sent.push(datagram.to_vec());
        Ok(())
    }
    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let end = || Err(io::Error::other("end of script"));
        self.answers.pop_front().unwrap_or_else(end)
    }
    fn join(&mut self, group: u32) -> io::Result<()> {
        self.heard.borrow_mut().joined.push(group);
        Ok(())
    }
}

/// Attributes by number.
pub(crate) fn attrs(fill: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    fill(&mut writer);
    writer.into_bytes()
}

/// The attributes of a struct.
pub(crate) fn bytes_of<A: Attributes>(set: &A) -> Vec<u8> {
    attrs(|to| set.encode(to).unwrap())
}

/// The attributes of a struct behind room for the headers.
pub(crate) fn body<A: Attributes>(set: &A) -> Writer {
    let mut writer = Writer::behind(BODY);
    set.encode(&mut writer).unwrap();
    writer
}

/// A message of a family.
pub(crate) fn part(kind: u16, flags: u16, seq: u32, command: u8, attrs: &[u8]) -> Vec<u8> {
    let header = GenlHeader {
        cmd: command,
        version: 1,
    };
    let mut writer = Writer::behind(BODY);
    writer.raw(attrs);
    compose(kind, flags, seq, header, writer).unwrap()
}

fn control(kind: u16, flags: u16, seq: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(u32::try_from(16 + body.len()).unwrap().to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(seq.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes
}

/// An acknowledgement with extended attributes.
pub(crate) fn ack(seq: u32, code: i32, tlvs: &[u8]) -> Vec<u8> {
    let body = [&code.to_ne_bytes()[..], &[0; 16], tlvs].concat();
    control(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, seq, &body)
}

/// The end of a dump.
pub(crate) fn done(seq: u32, code: i32, tlvs: &[u8]) -> Vec<u8> {
    let body = [&code.to_ne_bytes()[..], tlvs].concat();
    control(NLMSG_DONE, NLM_F_ACK_TLVS, seq, &body)
}

/// What the controller says about the family.
pub(crate) fn family() -> Vec<u8> {
    let group = attrs(|to| {
        to.put(CTRL_ATTR_MCAST_GRP_NAME, &"events".to_owned())
            .unwrap();
        to.put(CTRL_ATTR_MCAST_GRP_ID, &GROUP).unwrap();
    });
    let groups = attrs(|to| to.put(1, &group).unwrap());
    let body = attrs(|to| {
        to.put(CTRL_ATTR_FAMILY_NAME, &"lana".to_owned()).unwrap();
        to.put(CTRL_ATTR_FAMILY_ID, &ID).unwrap();
        to.put(CTRL_ATTR_MCAST_GROUPS, &groups).unwrap();
        to.put(0x3000, &7u8).unwrap(); // of a newer kernel
    });
    let mut datagram = part(GENL_ID_CTRL, 0, 0, CTRL_CMD_NEWFAMILY, &body);
    datagram.extend(ack(0, 0, &[]));
    datagram
}

/// One attribute.
pub(crate) fn one<F: Field>(number: u16, value: &F) -> Vec<u8> {
    attrs(|to| to.put(number, value).unwrap())
}
