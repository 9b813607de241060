// SPDX-License-Identifier: GPL-2.0

//! `key=value`, where the value may come from a file.

use anyhow::{Context, Result};
use lana_cli::{usage, without_bom};
use lana_netlink::{errno_text, spec::VALUE_MAX};
use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read},
    str::FromStr,
};

/// More than any option can take; ends the reading of what has no end.
const ENOUGH: u64 = VALUE_MAX as u64 + 1;

/// An option and what to set it to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) key: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    File(String),
    Stdin,
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, value) = text.split_once('=').ok_or("KEY=VALUE wants a =")?;
        if key.is_empty() {
            return Err("KEY=VALUE wants a key");
        }
        let value = match value.strip_prefix('@') {
            Some("") => return Err("@ wants the name of a file"),
            Some("-") => Value::Stdin,
            Some(at) if at.starts_with('@') => Value::Text(at.to_owned()),
            Some(file) => Value::File(file.to_owned()),
            None => Value::Text(value.to_owned()),
        };
        let key = key.to_owned();
        Ok(Assignment { key, value })
    }
}

impl Assignment {
    /// The value, read from where it is.
    pub(crate) fn read(&self, stdin_is_taken: bool) -> Result<Cow<'_, str>> {
        let text = match &self.value {
            Value::Text(text) => return Ok(text.into()),
            Value::File(file) => slurp(File::open(file)).with_context(|| file.clone()),
            Value::Stdin if stdin_is_taken => Err(usage("@-: the batch comes from there")),
            Value::Stdin => slurp(Ok(io::stdin())).context("standard input"),
        };
        text.map(|text| Cow::Owned(without_bom(&text).to_owned()))
    }
}

/// The text of a file.
pub(crate) fn slurp(from: io::Result<impl Read>) -> Result<String> {
    let mut text = String::new();
    from.and_then(|from| from.take(ENOUGH).read_to_string(&mut text))
        .map_err(|error| usage(errno_text(&error)))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String> {
        let assignment = text.parse::<Assignment>().map_err(usage)?;
        assignment.read(true).map(Cow::into_owned)
    }

    #[test]
    fn values_may_hold_anything() {
        for (text, value) in [("k=v", "v"), ("k=", ""), ("k=a=b", "a=b"), ("k=@@x", "@x")] {
            assert_eq!(read(text).unwrap(), value);
        }
        assert_eq!("key=1".parse::<Assignment>().unwrap().key, "key");
    }

    #[test]
    fn errors_name_the_file() {
        for (text, error) in [
            ("program", "KEY=VALUE wants a ="),
            ("=1", "KEY=VALUE wants a key"),
            ("k=@", "@ wants the name of a file"),
            ("k=@-", "@-: the batch comes from there"),
            ("k=@/no/such", "/no/such: No such file or directory"),
            ("k=@/", "/: Is a directory"),
        ] {
            assert_eq!(format!("{:#}", read(text).unwrap_err()), error);
        }
    }

    #[test]
    fn files_are_read() {
        let text = read(concat!("k=@", env!("CARGO_MANIFEST_DIR"), "/src/main.rs"));
        assert!(text.unwrap().contains("fn main"));
    }
}
