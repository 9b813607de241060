// SPDX-License-Identifier: GPL-2.0

//! One request of HTTP and its answer. The connection ends with it.

use httparse::{Request, Status, EMPTY_HEADER};
use lana_netlink::Error;
use std::io::{self, Read, Write};

/// The longest request that is read.
const LONGEST: usize = 8192;
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

struct Answer {
    status: &'static str,
    kind: &'static str,
    text: String,
    /// The client asked only what the answer would be like.
    is_head: bool,
}

/// Reads a request, and answers it by `metrics` or says what is wrong with it.
pub(super) fn answer(
    input: &mut impl Read,
    output: &mut impl Write,
    metrics: impl FnOnce() -> Result<String, Error>,
) -> io::Result<()> {
    let mut said = Vec::new();
    let answer = loop {
        if let Some(answer) = understand(&said) {
            break answer;
        }
        let mut more = [0; 1024];
        match input.read(&mut more)? {
            0 => return Ok(()), // it has gone
            n => said.extend_from_slice(more.get(..n).unwrap_or_default()),
        }
    };
    let answer = match answer {
        Err(wrong) => wrong,
        Ok(is_head) => match metrics() {
            Ok(text) => Answer {
                status: "200 OK",
                kind: OPENMETRICS,
                text,
                is_head,
            },
            Err(error) => Answer {
                is_head,
                ..plain("503 Service Unavailable", &error.to_string())
            },
        },
    };
    write!(
        output,
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.text.len()
    )?;
    if !answer.is_head {
        output.write_all(answer.text.as_bytes())?;
    }
    output.flush()
}

fn plain(status: &'static str, text: &str) -> Answer {
    Answer {
        status,
        kind: PLAIN,
        text: format!("{text}\n"),
        is_head: false,
    }
}

/// What to do about what was said: whether only the head of the metrics is wanted, or what to say else; nothing
/// while it is not all there.
fn understand(said: &[u8]) -> Option<Result<bool, Answer>> {
    let mut headers = [EMPTY_HEADER; 64];
    let mut request = Request::new(&mut headers);
    match request.parse(said) {
        Ok(Status::Partial) if said.len() < LONGEST => return None,
        Ok(Status::Partial) => {
            let status = "431 Request Header Fields Too Large";
            return Some(Err(plain(status, "this request is too long")));
        }
        Err(error) => {
            let text = format!("this is no request: {error}");
            return Some(Err(plain("400 Bad Request", &text)));
        }
        Ok(Status::Complete(_)) => {}
    }
    let path = request.path.unwrap_or_default().split('?').next();
    Some(match (request.method, path) {
        (Some("GET" | "HEAD"), Some("/" | "/metrics")) => Ok(request.method == Some("HEAD")),
        (Some("GET" | "HEAD"), _) => Err(plain("404 Not Found", "there is only /metrics")),
        _ => Err(plain("405 Method Not Allowed", "ask by GET or HEAD")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else {
                return Ok(0);
            };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn answered(request: &str) -> String {
        let mut out = Vec::new();
        let metrics = || Ok("# EOF\n".to_owned());
        answer(&mut Slow(request.as_bytes()), &mut out, metrics).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_scrape() {
        let text = answered("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: x\r\n\r\n");
        let expected = "HTTP/1.1 200 OK\r\n\
            Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n\
            Content-Length: 6\r\nAllow: GET, HEAD\r\nConnection: close\r\n\r\n# EOF\n";
        assert_eq!(text, expected);
        let head = answered("HEAD / HTTP/1.0\r\n\r\n");
        assert_eq!(Some(head.as_str()), text.strip_suffix("# EOF\n"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let long = format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(LONGEST));
        for (request, status) in [
            ("GET /x HTTP/1.1\r\n\r\n", "404"),
            ("GET /metrics?name=x HTTP/1.1\r\n\r\n", "200"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("\u{1}\u{2}\u{3}", "400"),
            ("GET / HTTP/1.1\r\n: x\r\n\r\n", "400"),
            (&long, "431"),
        ] {
            let text = answered(request);
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        }
        assert_eq!(answered("GET / HT"), "");
    }

    #[test]
    fn without_lana_there_is_no_service() {
        let mut out = Vec::new();
        let mut request = &b"GET / HTTP/1.1\r\n\r\n"[..];
        answer(&mut request, &mut out, || Err(Error::NotLoaded)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
        assert!(
            text.ends_with("lana is not loaded (modprobe lana)\n"),
            "{text}"
        );
    }
}
