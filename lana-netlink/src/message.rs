// SPDX-License-Identifier: GPL-2.0

//! Whole netlink messages: requests as they go out, answers as they come in.

use crate::{
    extack::ExtAck,
    spec::{Command, VERSION},
    wire::{DecodeError, EncodeError, Unfit, Writer},
};
use netlink_packet_core::{
    DoneBuffer, Emitable, ErrorBuffer, NetlinkBuffer, NetlinkHeader, NLMSG_DONE, NLMSG_ERROR,
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLM_F_REQUEST,
};
use netlink_packet_generic::{constants::GENL_HDRLEN, GenlHeader};

/// Length of a netlink header.
const HEADER: usize = 16;
/// Where the attributes of a generic netlink message begin.
pub(crate) const BODY: usize = HEADER + GENL_HDRLEN;

/// A request, as bytes and with what is needed to understand complaints about it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    /// Makes a request of attributes that were written behind room for the headers.
    pub(crate) fn new(
        command: Command,
        family: u16,
        flags: u16,
        seq: u32,
        attrs: Writer,
    ) -> Result<Self, EncodeError> {
        let header = GenlHeader {
            cmd: command as u8,
            version: VERSION,
        };
        let bytes = compose(family, flags, seq, header, attrs)?;
        Ok(Request { command, bytes })
    }
}

/// The bytes of a generic netlink request; its attributes were written behind room for the headers.
pub(crate) fn compose(
    message_type: u16,
    flags: u16,
    seq: u32,
    generic: GenlHeader,
    attrs: Writer,
) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = attrs.into_bytes();
    let length = bytes.len();
    let mut header = NetlinkHeader::default();
    header.length = u32::try_from(length).map_err(|_| Unfit::TooLong(length))?;
    header.message_type = message_type;
    header.flags = flags | NLM_F_REQUEST;
    header.sequence_number = seq;
    header.emit(&mut bytes);
    if let Some(rest) = bytes.get_mut(HEADER..) {
        generic.emit(rest);
    }
    Ok(bytes)
}

/// A message of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) seq: u32,
    /// The dump it is part of has seen two states.
    pub(crate) interrupted: bool,
    pub(crate) content: Content<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// The answer to a request: 0 or a negative error number.
    Ack { code: i32, ack: ExtAck },
    /// The end of a dump, with the same.
    Done { code: i32, ack: ExtAck },
    /// A message of a family: command and attributes.
    Family { command: u8, attrs: &'a [u8] },
    /// Nothing that matters here.
    Other,
}

/// The messages in a datagram.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, DecodeError>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let all = rest;
        rest = &[]; // the end, also of what follows a malformed message
        Some(split(all).and_then(|(message, after)| {
            rest = after;
            parse(&message)
        }))
    })
}

pub(crate) type Split<'a> = (NetlinkBuffer<&'a [u8]>, &'a [u8]);

pub(crate) fn split(bytes: &[u8]) -> Result<Split<'_>, DecodeError> {
    let message = NetlinkBuffer::new_checked(bytes).map_err(|e| DecodeError::new(e.to_string()))?;
    let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
    let next = length.checked_next_multiple_of(4).unwrap_or(usize::MAX);
    Ok((message, bytes.get(next..).unwrap_or_default()))
}

fn parse<'a>(message: &NetlinkBuffer<&'a [u8]>) -> Result<Message<'a>, DecodeError> {
    let (kind, flags, payload) = (message.message_type(), message.flags(), message.payload());
    let content = match kind {
        NLMSG_ERROR => {
            let bad = |_| DecodeError::new("an acknowledgement without its number");
            let error = ErrorBuffer::new_checked(payload).map_err(bad)?;
            let code = error.code().map_or(0, Into::into);
            let ack = trailing_ack(flags, echoed(flags, error.payload()))?;
            Content::Ack { code, ack }
        }
        NLMSG_DONE => match DoneBuffer::new_checked(payload) {
            Ok(done) => Content::Done {
                code: done.code(),
                ack: trailing_ack(flags, done.extended_ack())?,
            },
            Err(_) => Content::Done {
                code: 0,
                ack: ExtAck::default(),
            },
        },
        0..=15 => Content::Other,
        _ => {
            let short = |_| DecodeError::new("no room for the generic header");
            let header = GenlHeader::parse(payload).map_err(short)?;
            Content::Family {
                command: header.cmd,
                attrs: payload.get(GENL_HDRLEN..).unwrap_or_default(),
            }
        }
    };
    Ok(Message {
        kind,
        seq: message.sequence_number(),
        interrupted: flags & NLM_F_DUMP_INTR != 0,
        content,
    })
}

fn trailing_ack(flags: u16, bytes: &[u8]) -> Result<ExtAck, DecodeError> {
    if flags & NLM_F_ACK_TLVS == 0 {
        return Ok(ExtAck::default());
    }
    ExtAck::decode(bytes)
}

/// What follows the request that an error message repeats: all of it, or its header if capped.
fn echoed(flags: u16, bytes: &[u8]) -> &[u8] {
    let length = if flags & NLM_F_CAPPED == 0 {
        let length = bytes.get(..4).and_then(|b| b.try_into().ok());
        length.map_or(HEADER, |b| {
            usize::try_from(u32::from_ne_bytes(b)).unwrap_or(usize::MAX)
        })
    } else {
        HEADER
    };
    let end = length.checked_next_multiple_of(4).unwrap_or(usize::MAX);
    bytes.get(end..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
