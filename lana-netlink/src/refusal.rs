// SPDX-License-Identifier: GPL-2.0

//! The kernel's no, in words.

use crate::{
    error::errno_text,
    extack::ExtAck,
    message::{Request, BODY},
};
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
        Refusal {
            errno: code.saturating_abs(),
            message: ack.message.filter(|text| !text.trim().is_empty()),
            attribute: ack.offset.and_then(find).map(|(path, _)| path),
            missing,
            accepts: ack.policy.and_then(|policy| policy.describe()),
        }
    }
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
        if notes.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", notes.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        spec::{Command, FbAttrs, OptionAttrs},
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
        Request::new(Command::FbSet, 0x20, 0, 1, &attrs).unwrap()
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
}
