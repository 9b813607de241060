// SPDX-License-Identifier: GPL-2.0

//! Finds the family: its number and those of its multicast groups.

use crate::{
    error::Error,
    message::{compose, messages, Content, BODY},
    socket::Transport,
    wire::{attributes, DecodeError, Field, Writer},
};
use netlink_packet_core::NLM_F_ACK;
use netlink_packet_generic::{
    constants::{
        CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME, CTRL_ATTR_MCAST_GROUPS, CTRL_ATTR_MCAST_GRP_ID,
        CTRL_ATTR_MCAST_GRP_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL,
    },
    GenlHeader,
};
use std::io;

const ENOENT: i32 = 2;

/// A generic netlink family.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Family {
    /// Its number, the type of its messages.
    pub(crate) id: u16,
    /// Its multicast groups.
    groups: Vec<(String, u32)>,
}

impl Family {
    /// Asks the kernel for the family `name`.
    pub(crate) fn find(transport: &mut dyn Transport, name: &str) -> Result<Self, Error> {
        let mut attrs = Writer::behind(BODY);
        attrs.put(CTRL_ATTR_FAMILY_NAME, &name.to_owned())?;
        let header = GenlHeader {
            cmd: CTRL_CMD_GETFAMILY,
            version: 1,
        };
        let request = compose(GENL_ID_CTRL, NLM_F_ACK, 0, header, attrs)?;
        transport.send(&request).map_err(Error::Socket)?;
        let mut family = None;
        loop {
            let datagram = transport.receive().map_err(Error::Socket)?;
            for message in messages(&datagram) {
                match message?.content {
                    Content::Family { attrs, .. } => family = Some(Self::decode(attrs)?),
                    Content::Ack { code: 0, .. } => return family.ok_or(Error::Answers(0)),
                    Content::Ack { code, .. } if code == -ENOENT => return Err(Error::NotLoaded),
                    Content::Ack { code, .. } => {
                        let errno = code.saturating_abs();
                        return Err(Error::Socket(io::Error::from_raw_os_error(errno)));
                    }
                    Content::Done { .. } | Content::Other => {}
                }
            }
        }
    }

    /// Number of a multicast group.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        let found = self.groups.iter().find(|(group, _)| group == name);
        found.map(|(_, id)| *id)
    }

    /// Reads the attributes of a message of the controller.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut family = Family::default();
        for attribute in attributes(bytes) {
            match attribute? {
                (CTRL_ATTR_FAMILY_ID, value) => family.id = u16::decode(value)?,
                (CTRL_ATTR_MCAST_GROUPS, value) => {
                    for group in attributes(value) {
                        family.groups.push(decode_group(group?.1)?);
                    }
                }
                _ => {}
            }
        }
        Ok(family)
    }
}

fn decode_group(bytes: &[u8]) -> Result<(String, u32), DecodeError> {
    let (mut name, mut id) = (String::new(), 0);
    for attribute in attributes(bytes) {
        match attribute? {
            (CTRL_ATTR_MCAST_GRP_NAME, value) => name = String::decode(value)?,
            (CTRL_ATTR_MCAST_GRP_ID, value) => id = u32::decode(value)?,
            _ => {}
        }
    }
    Ok((name, id))
}
