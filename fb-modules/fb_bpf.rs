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

#[pin_data]
struct Filter {
    #[pin]
    loaded: RcuCell<Loaded>,
}

/// The one option: the program's text. An empty text takes the program out.
const PROGRAM: &str = "program";

impl Filter {
    fn load(text: &[u8]) -> Result<Loaded, Failure> {
        let mut insns = KVec::new();
        let mut memory = Ok(());
        let push = |(code, jt, jf, k): text::Quad| {
            memory = insns.push(bpf::Insn { code, jt, jf, k }, GFP_KERNEL);
            memory.is_ok()
        };
        let parsed = text::parse(text, push);
        memory?;
        parsed.map_err(|bad| fail!(EINVAL, "{bad}"))?;
        let program = bpf::Program::new(&insns).map_err(|e| {
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

    fn new(_args: &mut Args) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            loaded <- RcuCell::new(),
        })
    }

    fn receive(&self, mut packet: Packet, cx: &mut Context<'_>) -> Verdict {
        match self.loaded.get(cx.reader()) {
            Some(loaded) if loaded.program.run(&mut packet) == 0 => {
                Verdict::drop(packet, DropReason::Filtered)
            }
            _ => cx.pass(packet),
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<(), Failure> {
        if key != PROGRAM {
            return Err(Self::unknown(key));
        }
        // The new one is complete before the old one stops.
        let new = if value.trim_ascii().is_empty() {
            None
        } else {
            Some(KBox::new(Self::load(value)?, GFP_KERNEL)?)
        };
        self.loaded.replace(new, process);
        Ok(())
    }

    fn options(&self, to: &mut dyn Options, process: &Process) {
        self.loaded.with(process, |loaded| {
            let insns = loaded.map_or(0, |l| l.insns.len());
            to.put("instructions", format_args!("{insns}"));
            if let Some(loaded) = loaded {
                let jited = if loaded.program.is_jited() {
                    "yes"
                } else {
                    "no"
                };
                to.put("jited", format_args!("{jited}"));
            }
        });
    }

    fn print(&self, to: &mut dyn fmt::Write, process: &Process) -> fmt::Result {
        self.loaded.with(process, |loaded| {
            loaded
                .iter()
                .flat_map(|l| &l.insns)
                .try_for_each(|i| text::print(to, (i.code, i.jt, i.jf, i.k)))
        })
    }
}
