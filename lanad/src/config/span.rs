// SPDX-License-Identifier: GPL-2.0

//! A time in words: `200ms`, `1m 30s`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// How long something takes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Span(Duration);

impl Span {
    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Span(Duration::from_millis(millis))
    }

    /// So many seconds; none where that is no time.
    pub fn from_seconds(seconds: f64) -> Self {
        Span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Whether it is no time.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "0" => Ok(Span::default()),
            text => match humantime::parse_duration(text) {
                Ok(duration) => Ok(Span(duration)),
                Err(error) => Err(format!("'{text}' is no time such as '200ms': {error}")),
            },
        }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}
