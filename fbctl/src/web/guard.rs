// SPDX-License-Identifier: GPL-2.0

//! Who is answered: who knows the token, from a page of ours.
//!
//! A web page from elsewhere can make the browser send requests to us. It does not know the token. Besides, its
//! requests name their origin, which is not ours; and where its name was pointed to our address (DNS rebinding), the
//! host that they ask is a name: we answer to addresses and `localhost` only.

use super::http::{Answer, Request};
use std::{fmt::Write, fs::File, io, io::Read, net::IpAddr};

/// What those know who may ask.
pub(super) struct Guard {
    token: String,
    port: u16,
}

impl Guard {
    /// With a token that nobody can guess.
    pub(super) fn new(port: u16) -> io::Result<Self> {
        let mut bytes = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let mut token = String::new();
        for byte in bytes {
            // Writing to a string does not fail.
            let _ = write!(token, "{byte:02x}");
        }
        Ok(Guard { token, port })
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether a request is answered; the error is what to answer in its place.
    pub(super) fn check(&self, request: &Request) -> Result<(), Answer> {
        let header = |name: &str| request.headers.get(name).map(String::as_str);
        let Some(host) = header("host").filter(|host| self.is_ours(host)) else {
            return Err(Answer::text(
                403,
                "the Host is neither an address nor localhost, with our port",
            ));
        };
        let ours = format!("http://{host}");
        if header("origin").is_some_and(|origin| origin != ours) {
            return Err(Answer::text(403, "the request comes from another origin"));
        }
        if header("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
            return Err(Answer::text(403, "the request comes from another site"));
        }
        let given = request.query.get("token").map(String::as_str);
        if !given.is_some_and(|given| same(given, &self.token)) {
            return Err(Answer::text(
                401,
                "the token is missing or wrong: open the URL that fbctl web has printed",
            ));
        }
        match request.method.as_str() {
            // Forms of other pages cannot send this type.
            "POST" if header("content-type") != Some("application/json") => {
                Err(Answer::text(400, "the body is to be application/json"))
            }
            "GET" | "POST" => Ok(()),
            _ => Err(Answer::text(405, "GET or POST")),
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        let address = bare.unwrap_or(name).parse::<IpAddr>().is_ok();
        port == Some(self.port) && (address || name.eq_ignore_ascii_case("localhost"))
    }
}

/// Whether two texts are the same, in a time that does not tell where they differ.
fn same(a: &str, b: &str) -> bool {
    let differences = a
        .bytes()
        .zip(b.bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard {
            token: "abc".into(),
            port: 8080,
        }
    }

    fn status(method: &str, token: &str, headers: &[(&str, &str)]) -> u16 {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let request = Request {
            method: method.into(),
            query: [owned(&("token", token))].into(),
            headers: headers.iter().map(owned).collect(),
            ..Request::default()
        };
        guard()
            .check(&request)
            .err()
            .map_or(200, |answer| answer.status)
    }

    #[test]
    fn the_token_is_wanted() {
        let host = [("host", "localhost:8080")];
        assert_eq!(status("GET", "abc", &host), 200);
        for wrong in ["", "abd", "ab", "abcd"] {
            assert_eq!(status("GET", wrong, &host), 401);
        }
        assert_eq!(status("DELETE", "abc", &host), 405);
        let (one, two) = (Guard::new(1).unwrap(), Guard::new(1).unwrap());
        assert!(one.token().len() == 32 && one.token() != two.token());
    }

    #[test]
    fn names_of_others_are_refused() {
        for host in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "LocalHost:8080",
            "192.0.2.1:8080",
        ] {
            assert_eq!(status("GET", "abc", &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example:8080",
            "127.0.0.1",
            "127.0.0.1:81",
            "localhost",
            "",
            "[::1]",
            "::1",
        ] {
            assert_eq!(status("GET", "abc", &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status("GET", "abc", &[]), 403);
        let standard = Guard {
            port: 80,
            ..guard()
        };
        assert!(standard.is_ours("[::1]") && standard.is_ours("127.0.0.1"));
    }

    #[test]
    fn other_origins_are_refused() {
        let with = |more: (&'static str, &'static str)| {
            status("GET", "abc", &[("host", "127.0.0.1:8080"), more])
        };
        assert_eq!(with(("origin", "http://127.0.0.1:8080")), 200);
        for origin in [
            "null",
            "http://evil.example",
            "https://127.0.0.1:8080",
            "http://localhost:8080",
        ] {
            assert_eq!(with(("origin", origin)), 403, "{origin}");
        }
        assert_eq!(with(("sec-fetch-site", "same-origin")), 200);
        assert_eq!(with(("sec-fetch-site", "cross-site")), 403);
        let host = ("host", "127.0.0.1:8080");
        assert_eq!(status("POST", "abc", &[host]), 400);
        assert_eq!(
            status("POST", "abc", &[host, ("content-type", "application/json")]),
            200
        );
    }
}
