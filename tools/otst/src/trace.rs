// SPDX-License-Identifier: GPL-2.0

//! Stacks, from what `otst.ko` writes into the kernel's log.

use serde::Serialize;
use std::collections::BTreeMap;

/// The stack of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Trace {
    /// The function that was called.
    pub(crate) symbol: String,
    /// Who called it, by `Pid`, `comm`, `cpu` and `context`.
    pub(crate) caller: String,
    /// The arguments that were asked for, by their number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) arguments: BTreeMap<u8, u32>,
    /// The functions, the innermost first.
    pub(crate) stack: Vec<String>,
}

/// What a line of the log tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A stack is complete.
    Trace(Trace),
    /// The probe of a symbol is gone, whether its call came or not.
    Gone(String),
}

/// Puts lines together.
#[derive(Default)]
pub(crate) struct Reader(Option<Trace>);

impl Reader {
    /// Takes a line. The driver writes the lines of a stack in a row, others may come between them.
    pub(crate) fn line(&mut self, line: &str) -> Option<News> {
        let line = line.strip_prefix("otst: ")?;
        if let Some(rest) = line.strip_prefix("triggered stacktrace for symbol ") {
            let symbol = rest.split(" at ").next()?.to_owned();
            self.0 = Some(Trace {
                symbol,
                ..Trace::default()
            });
            return None;
        }
        if let Some(rest) = line.strip_prefix("symbol ") {
            return rest
                .strip_suffix(" unregistered!")
                .map(|symbol| News::Gone(symbol.to_owned()));
        }
        let trace = self.0.as_mut()?;
        if let Some(frame) = line.strip_prefix(' ') {
            trace.stack.push(frame.to_owned());
        } else if let Some(argument) = line.strip_prefix("Argument: $") {
            let (number, value) = argument.split_once('=')?;
            trace
                .arguments
                .insert(number.parse().ok()?, value.parse().ok()?);
        } else if line.starts_with("Pid: ") {
            line.clone_into(&mut trace.caller);
        } else if line.starts_with("End of trace") {
            return self.0.take().map(News::Trace);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
otst: symbol netif_rx registered!
otst: triggered stacktrace for symbol netif_rx at 0x00000000f5eea562:
otst: Pid: 15, comm: a:1 b, cpu: 1, context: softirq
eth0: link is up
otst: Argument: $3=7
otst: Call Trace:
otst:  netif_rx+0x9/0xa0
otst:  loopback_xmit+0xd9/0x140 [lo]
otst: End of trace for symbol netif_rx
otst: symbol netif_rx unregistered!
";

    #[test]
    fn a_stack_is_put_together() {
        let mut reader = Reader::default();
        let news: Vec<_> = LOG.lines().filter_map(|line| reader.line(line)).collect();
        let trace = Trace {
            symbol: "netif_rx".into(),
            caller: "Pid: 15, comm: a:1 b, cpu: 1, context: softirq".into(),
            arguments: [(3, 7)].into(),
            stack: vec![
                "netif_rx+0x9/0xa0".into(),
                "loopback_xmit+0xd9/0x140 [lo]".into(),
            ],
        };
        assert_eq!(news, [News::Trace(trace), News::Gone("netif_rx".into())]);
    }

    /// Whatever lines are lost, repeated or cut: no panic, and no stack without its first line.
    #[test]
    fn lines_in_any_order() {
        let lines: Vec<_> = LOG.lines().collect();
        let mut random = 1_u32;
        let mut reader = Reader::default();
        let mut begun = false;
        for _ in 0..100_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let line = lines[random as usize / 7 % lines.len()];
            let end = line.len().min(random as usize / 1024 % 80);
            let line = &line[..end];
            begun |= line.starts_with("otst: triggered stacktrace for symbol ");
            if let Some(News::Trace(_)) = reader.line(line) {
                assert!(begun);
                begun = false;
            }
        }
    }
}
