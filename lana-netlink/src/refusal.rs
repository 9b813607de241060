// SPDX-License-Identifier: GPL-2.0

//! The kernel's no, in words.

use crate::{
    error::errno_text,
    extack::ExtAck,
    message::{Request, BODY},
    spec::Command,
    wire::positions,
};
use netlink_packet_core::NLA_HEADER_SIZE;
use std::{fmt, io};

const EPERM: i32 = 1;

/// An error the kernel answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error number, positive.
    pub errno: i32,
    /// The kernel's own words.
    pub message: Option<String>,
    /// Path of the attribute it objects to, such as `name` or `option.value`.
    pub attribute: Option<String>,
    /// Path of the attribute that it misses.
    pub missing: Option<String>,
    /// What it would have accepted in the attribute.
    pub accepts: Option<String>,
    /// Which change of a transaction it objects to, from 0. The attributes are those of the change.
    pub change: Option<usize>,
    /// What may help, from whoever shows the error: the kernel says nothing of the kind.
    pub advice: Option<String>,
}

impl Refusal {
    /// Puts an error number and what came with it into terms of the request it answers.
    pub(crate) fn new(code: i32, ack: ExtAck, request: &Request) -> Self {
        let set = request.command.attribute_set();
        let body = request.bytes.get(BODY..).unwrap_or_default();
        let find = |offset: u32| set.resolve(body, BODY, usize::try_from(offset).ok()?);
        let missing = ack.missing.map(|number| {
            let number = u16::try_from(number).unwrap_or(u16::MAX);
            match ack.missing_nest.and_then(find) {
                Some((path, Some(nest))) => format!("{path}.{}", nest.attr_name(number)),
                Some((path, None)) => format!("{path}.#{number}"),
                None => set.attr_name(number),
            }
        });
        let attribute = ack.offset.and_then(find).map(|(path, _)| path);
        let mut refusal = Refusal {
            errno: code.saturating_abs(),
            message: ack.message.filter(|text| !text.trim().is_empty()),
            attribute,
            missing,
            accepts: ack.policy.and_then(|policy| policy.describe()),
            change: None,
            advice: None,
        };
        if request.command == Command::Transact {
            let offset = ack.offset.or(ack.missing_nest);
            refusal.change = offset.and_then(|offset| index(body, offset));
            refusal.attribute = refusal.attribute.as_deref().and_then(in_change);
            refusal.missing = refusal.missing.as_deref().and_then(in_change);
        }
        refusal
    }
}

/// Which attribute of a request lies at an offset in the message, from 0.
fn index(body: &[u8], offset: u32) -> Option<usize> {
    let offset = usize::try_from(offset).ok()?.checked_sub(BODY)?;
    positions(body)
        .position(|(at, _, value)| (at..at + NLA_HEADER_SIZE + value.len()).contains(&offset))
}

/// What is left of a path such as `op.bind.upper` for who sees the change only.
fn in_change(path: &str) -> Option<String> {
    path.splitn(3, '.').nth(2).map(str::to_owned)
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(text) => f.write_str(text.trim())?,
            None => f.write_str(&errno_text(&io::Error::from_raw_os_error(self.errno)))?,
        }
        if self.message.is_none() && self.errno == EPERM {
            f.write_str(" (needs CAP_NET_ADMIN)")?;
        }
        let mut notes = Vec::new();
        if let Some(name) = &self.attribute {
            notes.push(format!("attribute '{name}'"));
        }
        if let Some(accepts) = &self.accepts {
            notes.push(accepts.clone());
        }
        if let Some(name) = &self.missing {
            notes.push(format!("attribute '{name}' is missing"));
        }
        if !notes.is_empty() {
            write!(f, " ({})", notes.join(", "))?;
        }
        f.write_str(self.advice.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        op::{Op, Transaction},
        spec::{FbAttrs, OptionAttrs},
        testing::body,
        wire::{Field, Writer},
    };

    fn request() -> Request {
        let option = OptionAttrs {
            key: Some("program".into()),
            value: Some("x".into()),
            ..Default::default()
        };
        let attrs = FbAttrs {
            name: Some("fb3".into()),
            option: vec![option],
            ..Default::default()
        };
        Request::new(Command::FbSet, 0x20, 0, 1, body(&attrs)).unwrap()
    }

    fn refusal(errno: i32, fill: impl Fn(&mut Writer)) -> String {
        let mut writer = Writer::new();
        fill(&mut writer);
        let ack = ExtAck::decode(&writer.into_bytes()).unwrap();
        Refusal::new(-errno, ack, &request()).to_string()
    }

    fn put<F: Field>(number: u16, value: F) -> impl Fn(&mut Writer) {
        move |writer| writer.put(number, &value).unwrap()
    }

    #[test]
    fn bare_numbers_get_their_text() {
        assert_eq!(refusal(17, |_| ()), "File exists");
        assert_eq!(
            refusal(1, |_| ()),
            "Operation not permitted (needs CAP_NET_ADMIN)"
        );
    }

    #[test]
    fn kernel_text_wins() {
        let text = refusal(17, put(1, "name is taken".to_owned()));
        assert_eq!(text, "name is taken");
        assert_eq!(refusal(17, put(1, String::new())), "File exists");
    }

    #[test]
    fn offsets_become_names() {
        // 16 + 4 bytes of headers; name: 4 + 4; option: 4, key: 4 + 8, value: 4 + 2.
        for (offset, name) in [
            (20u32, "name"),
            (28, "option"),
            (32, "option.key"),
            (44, "option.value"),
            (49, "option.value"),
        ] {
            let text = refusal(22, put(2, offset));
            assert_eq!(text, format!("Invalid argument (attribute '{name}')"));
        }
        for offset in [0, 19, 54, 1000, u32::MAX] {
            assert_eq!(refusal(22, put(2, offset)), "Invalid argument");
        }
    }

    #[test]
    fn missing_attributes_get_their_names() {
        let text = refusal(22, put(5, 2u32));
        assert_eq!(text, "Invalid argument (attribute 'type' is missing)");
        let text = refusal(22, |writer| {
            writer.put(5, &2u32).unwrap();
            writer.put(6, &28u32).unwrap();
        });
        assert_eq!(
            text,
            "Invalid argument (attribute 'option.value' is missing)"
        );
        let text = refusal(22, put(5, 77u32));
        assert_eq!(text, "Invalid argument (attribute '#77' is missing)");
    }

    #[test]
    fn policies_are_told() {
        let mut policy = Writer::new();
        policy.put(7, &31u32).unwrap();
        let policy = policy.into_bytes();
        let text = refusal(34, |writer| {
            writer.put(1, &"too long".to_owned()).unwrap();
            writer.put(2, &20u32).unwrap();
            writer.put(4, &policy).unwrap();
        });
        assert_eq!(text, "too long (attribute 'name', at most 31 bytes)");
    }

    #[test]
    fn offsets_find_the_change() {
        let mut transaction = Transaction::default();
        for name in ["a", "b", "c"] {
            let kind = "dummy";
            transaction.push(&Op::FbNew { name, kind }).unwrap();
        }
        let attrs = transaction.attrs;
        let request = Request::new(Command::Transact, 0x20, 0, 1, attrs).unwrap();
        let refusal = |number: u16, offset: u32| {
            let mut writer = Writer::new();
            writer.put(5, &2u32).unwrap();
            writer.put(number, &offset).unwrap();
            let ack = ExtAck::decode(&writer.into_bytes()).unwrap();
            Refusal::new(-22, ack, &request)
        };
        // 20 bytes of headers; each 4 + 4, name 4 + 4, type 4 + 8.
        for (offset, change, attribute) in [
            (20u32, 0, None),
            (24, 0, None),
            (48, 1, None),
            (56, 1, Some("name")),
            (64, 1, Some("type")),
            (76, 2, None),
        ] {
            let refusal = refusal(2, offset);
            let expected = (Some(change), attribute);
            assert_eq!((refusal.change, refusal.attribute.as_deref()), expected);
            assert_eq!(refusal.missing, None);
        }
        for offset in [0, 16, 104, u32::MAX] {
            assert_eq!(refusal(2, offset).change, None);
        }
        let refusal = refusal(6, 52);
        assert_eq!(refusal.change, Some(1));
        assert_eq!(refusal.missing.as_deref(), Some("type"));
    }
}
