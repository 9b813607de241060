// SPDX-License-Identifier: GPL-2.0

//! The control socket of BIRD: lines, and answers that begin with a number of four digits. A minus behind it says that more
//! lines follow (`doc/reply_codes` in BIRD's source).

use std::path::Path;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

/// Enables a protocol, or disables it.
pub(super) async fn switch(socket: &Path, protocol: &str, on: bool) -> Result<(), String> {
    let word = if on { "enable" } else { "disable" };
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|error| lana_netlink::errno_text(&error))?;
    let mut stream = BufReader::new(stream);
    // It says what it is.
    answer(&mut stream).await?;
    let line = format!("{word} {protocol}\n");
    let sent = stream.get_mut().write_all(line.as_bytes()).await;
    sent.map_err(|error| lana_netlink::errno_text(&error))?;
    answer(&mut stream).await
}

/// Reads up to the last line of an answer.
async fn answer(stream: &mut BufReader<UnixStream>) -> Result<(), String> {
    loop {
        let mut line = String::new();
        let read = stream.read_line(&mut line).await;
        if read.map_err(|error| lana_netlink::errno_text(&error))? == 0 {
            return Err("BIRD has hung up".to_owned());
        }
        if let Some(end) = judge(line.trim_end()) {
            return end;
        }
    }
}

/// Whether a line ends an answer, and how.
fn judge(line: &str) -> Option<Result<(), String>> {
    let code = line
        .get(..4)
        .filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
    match (code, line.as_bytes().get(4)) {
        (Some(_), Some(b'-')) | (None, _) => None,
        // Numbers from 8000 on are errors.
        (Some(code), _) if code >= "8000" => Some(Err(line.get(5..).unwrap_or(code).to_owned())),
        _ => Some(Ok(())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_end() {
        assert_eq!(judge("0001 BIRD 2.17 ready."), Some(Ok(())));
        assert_eq!(judge("0009-dinr: disabled"), None);
        assert_eq!(judge(" more of it"), None);
        assert_eq!(judge("0000 "), Some(Ok(())));
        assert_eq!(
            judge("8003 No protocols match"),
            Some(Err("No protocols match".to_owned()))
        );
        assert_eq!(
            judge("9001 syntax error"),
            Some(Err("syntax error".to_owned()))
        );
        assert_eq!(judge("9001"), Some(Err("9001".to_owned())));
    }
}
