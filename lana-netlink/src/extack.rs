// SPDX-License-Identifier: GPL-2.0

//! Extended acknowledgements: what the kernel adds to an error number.
//!
//! C header: `include/uapi/linux/netlink.h`, `enum nlmsgerr_attrs`.

use crate::wire::{attributes, DecodeError, Field};

const MSG: u16 = 1;
const OFFS: u16 = 2;
const COOKIE: u16 = 3;
const POLICY: u16 = 4;
const MISS_TYPE: u16 = 5;
const MISS_NEST: u16 = 6;

/// What the kernel adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExtAck {
    /// Its words.
    pub(crate) message: Option<String>,
    /// Where in the request the offending attribute is.
    pub(crate) offset: Option<u32>,
    /// Any data.
    pub(crate) cookie: Option<Vec<u8>>,
    /// What the offending attribute should have been.
    pub(crate) policy: Option<Policy>,
    /// Number of an attribute that is missing.
    pub(crate) missing: Option<u32>,
    /// Where in the request the nest is that it is missing from; none: at the top.
    pub(crate) missing_nest: Option<u32>,
}

impl ExtAck {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut ack = ExtAck::default();
        for attribute in attributes(bytes) {
            let (number, value) = attribute?;
            match number {
                MSG => ack.message = Some(String::decode(value)?),
                OFFS => ack.offset = Some(u32::decode(value)?),
                COOKIE => ack.cookie = Some(value.to_vec()),
                POLICY => ack.policy = Some(Policy::decode(value)?),
                MISS_TYPE => ack.missing = Some(u32::decode(value)?),
                MISS_NEST => ack.missing_nest = Some(u32::decode(value)?),
                _ => {}
            }
        }
        Ok(ack)
    }
}

/// What the kernel accepts in an attribute (`enum netlink_policy_type_attr`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    min: Option<u64>,
    max: Option<u64>,
    min_length: Option<u32>,
    max_length: Option<u32>,
}

impl Policy {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut policy = Policy::default();
        for attribute in attributes(bytes) {
            let (number, value) = attribute?;
            match number {
                4 => policy.min = Some(u64::decode(value)?),
                5 => policy.max = Some(u64::decode(value)?),
                6 => policy.min_length = Some(u32::decode(value)?),
                7 => policy.max_length = Some(u32::decode(value)?),
                _ => {}
            }
        }
        Ok(policy)
    }

    /// In words, if it says anything a user can use.
    pub(crate) fn describe(&self) -> Option<String> {
        match (self.min, self.max, self.min_length, self.max_length) {
            (Some(min), Some(max), ..) => Some(format!("from {min} to {max}")),
            (Some(min), None, ..) => Some(format!("at least {min}")),
            (None, Some(max), ..) => Some(format!("at most {max}")),
            (.., Some(min), Some(max)) => Some(format!("{min} to {max} bytes")),
            (.., Some(min), None) => Some(format!("at least {min} bytes")),
            (.., None, Some(max)) => Some(format!("at most {max} bytes")),
            _ => None,
        }
    }
}
