// SPDX-License-Identifier: GPL-2.0

//! As much of HTTP/1.1 as the page needs: one request a connection, of a bounded size and within a bounded time.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    time::{Duration, Instant},
};

/// How long the head of a request may be.
const HEAD: usize = 16 << 10;
/// How long its body may be.
const BODY: usize = 64 << 10;
/// How many headers it may have.
const HEADERS: usize = 64;
/// How long all of it may take.
pub(super) const TIME: Duration = Duration::from_secs(10);

/// A request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
    /// By their names in small letters; of one that is there twice, nothing is to be believed.
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Answer {
                status: 200,
                kind: "application/json",
                body,
            },
            Err(error) => Answer::text(500, &error.to_string()),
        }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Answer {
            status,
            kind: "text/plain; charset=utf-8",
            body: format!("{text}\n").into_bytes(),
        }
    }

    pub(super) fn write(&self, to: &mut impl Write, extra: &str) -> io::Result<()> {
        let head = format!(
            "{}Content-Length: {}\r\n{extra}\r\n",
            head(self.status, self.kind),
            self.body.len()
        );
        to.write_all(head.as_bytes())?;
        to.write_all(&self.body)?;
        to.flush()
    }
}

/// The beginning of an answer, without the empty line that ends the headers.
pub(super) fn head(status: u16, kind: &str) -> String {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n\
         Connection: close\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
         X-Frame-Options: DENY\r\nCross-Origin-Resource-Policy: same-origin\r\n"
    )
}

/// Reads a request. The error is what to answer.
pub(super) fn read(from: &mut impl Read) -> Result<Request, Answer> {
    let end = Instant::now() + TIME;
    let mut bytes = Vec::new();
    let (mut request, body) = loop {
        more(from, &mut bytes, end)?;
        if let Some(found) = parse(&bytes)? {
            break found;
        }
        if bytes.len() > HEAD {
            return Err(Answer::text(431, "the request is too long"));
        }
    };
    let length = match request.headers.get("content-length") {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| bad("Content-Length is no number"))?,
    };
    if request.headers.contains_key("transfer-encoding") {
        return Err(bad("a body has a Content-Length here"));
    }
    if length > BODY {
        return Err(Answer::text(413, "the body is too long"));
    }
    while bytes.len() < body + length {
        more(from, &mut bytes, end)?;
    }
    request.body = bytes.get(body..body + length).unwrap_or_default().to_vec();
    Ok(request)
}

fn bad(text: &str) -> Answer {
    Answer::text(400, text)
}

fn more(from: &mut impl Read, bytes: &mut Vec<u8>, end: Instant) -> Result<(), Answer> {
    let mut piece = [0; 4096];
    let length = from.read(&mut piece).unwrap_or(0);
    if length == 0 || Instant::now() > end {
        return Err(bad("the request is not whole"));
    }
    bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
    Ok(())
}

/// The head of a request, and how long it is. Nothing if it goes on.
fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, Answer> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Answer::text(431, "too many headers"));
        }
        Err(error) => return Err(bad(&error.to_string())),
    };
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        ..Request::default()
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = decode(key).zip(decode(value));
        let (key, value) = decoded.ok_or_else(|| bad("the query is not well-formed"))?;
        request.query.insert(key, value);
    }
    for header in parsed.headers {
        let value = std::str::from_utf8(header.value).map_err(|_| bad("a header is not UTF-8"))?;
        let name = header.name.to_ascii_lowercase();
        if request
            .headers
            .insert(name, value.trim().to_owned())
            .is_some()
        {
            return Err(bad("a header is there twice"));
        }
    }
    Ok(Some((request, length)))
}

/// Decodes what stands for a byte by `%` and two digits.
fn decode(text: &str) -> Option<String> {
    let (mut out, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> u16 {
        read(&mut text.as_bytes()).unwrap_err().status
    }

    #[test]
    fn requests_are_read() {
        let text =
            "POST /block?name=a%26b%25&token=x HTTP/1.1\r\nHost: localhost:1\r\nORIGIN:  o \r\n\
                    Content-Length: 3\r\n\r\nabcdef";
        let request = read(&mut text.as_bytes()).unwrap();
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/block")
        );
        assert_eq!(request.query["name"], "a&b%");
        assert_eq!(request.headers["origin"], "o");
        assert_eq!(request.body, b"abc");
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(status("GET / HTTP/1.1\r\n"), 400);
        assert_eq!(status("\u{1}\u{2}\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
        assert_eq!(status("GET /?a=%zz HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), 400);
        assert_eq!(
            status("GET / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
            400
        );
        assert_eq!(
            status("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400
        );
        assert_eq!(
            status("GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"),
            413
        );
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(HEAD + 4096));
        assert_eq!(status(&long), 431);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS + 1));
        assert_eq!(status(&many), 431);
    }

    #[test]
    fn answers_are_written() {
        let mut out = Vec::new();
        Answer::text(404, "no").write(&mut out, "X: y\r\n").unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n"), "{text}");
        assert!(
            text.ends_with("Content-Length: 3\r\nX: y\r\n\r\nno\n"),
            "{text}"
        );
    }
}
