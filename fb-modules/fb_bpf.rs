// SPDX-License-Identifier: GPL-2.0

//! `bpf`: passes or drops each packet by a classic BPF program, which the kernel's machine runs.
//! Without a program all pass.

use lana::prelude::*;

#[path = "bpf/text.rs"]
mod text;

block_module! {
    type: Filter,
    name: "fb_bpf",
    authors: ["The LANA developers"],
    description: "LANA block: filters by BPF",
    license: "GPL",
    alias: ["lana-fb-bpf"],
}

/// A program with the text it came from.
struct Loaded {
    program: bpf::Program,
    insns: KVec<bpf::Insn>,
}

struct Filter {
    loaded: Option<Loaded>,
}

const PROGRAM: &str = "program";

impl Filter {
    fn load(text: &[u8], process: &Process) -> Result<Loaded, Failure> {
        let mut insns = KVec::new();
        let mut memory = Ok(());
        let push = |(code, jt, jf, k): text::Quad| {
            memory = insns.push(bpf::Insn { code, jt, jf, k }, GFP_KERNEL);
            memory.is_ok()
        };
        let parsed = text::parse(text, push);
        memory?;
        parsed.map_err(|bad| fail!(EINVAL, "{bad}"))?;
        let program = bpf::Program::new(&insns, process).map_err(|e| {
            if e == EINVAL {
                fail!(EINVAL, "program: the kernel's checker refuses it")
            } else {
                e.into()
            }
        })?;
        Ok(Loaded { program, insns })
    }
}

impl Block for Filter {
    const TYPE: &'static str = "bpf";
    const FILE: File = File::Option(PROGRAM);

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self { loaded: None })
    }

    fn receive(&self, mut packet: Packet, cx: &mut Context<'_>) -> Verdict {
        match &self.loaded {
            Some(loaded) if loaded.program.run(&mut packet) == 0 => {
                Verdict::drop(packet, DropReason::Filtered)
            }
            _ => cx.pass(packet),
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        if key != PROGRAM {
            return Err(Self::unknown(key));
        }
        let empty = value.trim_ascii().is_empty();
        let loaded = (!empty).then(|| Self::load(value, process)).transpose()?;
        Ok(Self { loaded })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let Some(loaded) = &self.loaded else {
            return to.put("instructions", format_args!("0"));
        };
        let insns = loaded.insns.len();
        let jited = if loaded.program.is_jited() {
            "yes"
        } else {
            "no"
        };
        to.put("instructions", format_args!("{insns}"));
        to.put("jited", format_args!("{jited}"));
        to.put_config(PROGRAM, format_args!("{}", Short(&loaded.insns)));
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        match &self.loaded {
            Some(loaded) => {
                let mut insns = loaded.insns.iter();
                insns.try_for_each(|i| text::print(to, (i.code, i.jt, i.jf, i.k)))
            }
            None => Ok(()),
        }
    }
}

/// A program in the shorter form, that of `tcpdump -ddd`.
struct Short<'a>(&'a [bpf::Insn]);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0.len())?;
        let mut insns = self.0.iter();
        insns.try_for_each(|i| writeln!(f, "{} {} {} {}", i.code, i.jt, i.jf, i.k))
    }
}
