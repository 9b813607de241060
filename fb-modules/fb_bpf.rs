// SPDX-License-Identifier: GPL-2.0

//! `bpf`: tells packets apart, all or those of one direction, by a BPF program, which the kernel's machine runs: a
//! classic one, or a socket filter of eBPF that is pinned. What the program matches passes; the rest leaves by the second port, and is dropped where none is bound there.
//! Without a program all pass.

use kernel::str::CString;
use lana::prelude::{option::Directions, *};

#[path = "bpf/text.rs"]
mod text;

block_module! {
    type: Filter,
    name: "fb_bpf",
    authors: ["The LANA developers"],
    description: "LANA block: filters packets with a BPF program",
    license: "GPL",
    alias: ["lana-fb-bpf"],
}

/// A program, and what it came from.
struct Loaded {
    program: bpf::Program,
    source: Source,
}

enum Source {
    Text(KVec<bpf::Insn>),
    /// A path in a BPF file system.
    Pinned(CString),
}

const PROGRAM: &str = "program";

options! {
    /// What can be set.
    struct Config {
        ..OptionSpec::text(
            PROGRAM,
            "instructions, as tcpdump -ddd or bpfc print them, or pinned:PATH",
            "The program. A packet for which it returns 0 leaves by port 1, or is dropped",
        ),
        /// Direction of the packets that the program sees
        direction: Directions = Directions::Both,
    }
}

struct Filter {
    loaded: Option<Arc<Loaded>>,
    config: Config,
}

impl Filter {
    fn load(text: &[u8], process: &Process) -> Result<Loaded, Failure> {
        if let Some(path) = text::pinned(text) {
            return Self::load_pinned(path, process);
        }
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
        let source = Source::Text(insns);
        Ok(Loaded { program, source })
    }

    fn load_pinned(path: &str, process: &Process) -> Result<Loaded, Failure> {
        // Where it is saved, it is to mean the same.
        if !path.starts_with('/') {
            return Err(fail!(
                EINVAL,
                "program: no whole path, such as /sys/fs/bpf/NAME"
            ));
        }
        let name = CString::try_from_fmt(fmt!("{path}")).map_err(|error| match error {
            EINVAL => fail!(EINVAL, "program: the path has a NUL"),
            error => error.into(),
        })?;
        let program = bpf::Program::pinned(&name, process).map_err(|error| match error {
            ENOENT => fail!(ENOENT, "program: there is no {path}"),
            EINVAL => fail!(EINVAL, "program: {path} is no socket filter"),
            EACCES | EPERM => fail!(error, "program: {path} is no program, or not readable"),
            EOPNOTSUPP => fail!(error, "program: this kernel has no pinned programs"),
            error => fail!(error, "program: {path} cannot be looked up"),
        })?;
        let source = Source::Pinned(name);
        Ok(Loaded { program, source })
    }
}

impl Block for Filter {
    const TYPE: &'static str = "bpf";
    // By direction: one for what the program matches, one for the rest.
    const INGRESS_PORTS: u32 = 2;
    const EGRESS_PORTS: u32 = 2;
    const FILE: File = File::Option(PROGRAM);
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(_args: &mut Args) -> Result<Self> {
        Ok(Self {
            loaded: None,
            config: Config::DEFAULT,
        })
    }

    fn receive<P: Packet>(&self, mut packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        let direction = cx.direction();
        let concerned = self.config.direction.include(direction);
        match &self.loaded {
            Some(loaded) if concerned && packet.filter(&loaded.program) == 0 => {
                match cx.ports(direction) > 1 {
                    true => Verdict::forward(
                        packet,
                        Port {
                            direction,
                            index: 1,
                        },
                    ),
                    false => Verdict::drop(packet, DropReason::Filtered),
                }
            }
            _ => cx.pass(packet),
        }
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        if key == PROGRAM {
            let empty = value.trim_ascii().is_empty();
            let loaded = (!empty).then(|| Self::load(value, process)).transpose()?;
            return Ok(Self {
                loaded: loaded.map(|l| Arc::new(l, GFP_KERNEL)).transpose()?,
                config: self.config,
            });
        }
        let config = self.config.with(key, value);
        Ok(Self {
            loaded: self.loaded.clone(),
            config: config.ok_or_else(|| Self::unknown(key))??,
        })
    }

    fn progress(text: &[u8]) -> Result<Progress, Failure> {
        match text::progress(text) {
            Ok(text::Progress::Partial) => Ok(Progress::Partial),
            Ok(text::Progress::Possible) => Ok(Progress::Possible),
            Ok(text::Progress::Complete) => Ok(Progress::Complete),
            Err(bad) => Err(fail!(EINVAL, "{bad}")),
        }
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        self.config.put(to);
        let Some(loaded) = &self.loaded else {
            return to.put("instructions", format_args!("0"));
        };
        let insns = match &loaded.source {
            Source::Text(insns) => insns.len(),
            Source::Pinned(_) => loaded.program.instructions() as usize,
        };
        let jited = if loaded.program.is_jited() {
            "yes"
        } else {
            "no"
        };
        to.put("instructions", format_args!("{insns}"));
        to.put("jited", format_args!("{jited}"));
        match &loaded.source {
            Source::Text(insns) => to.put_config(PROGRAM, format_args!("{}", Short(insns))),
            Source::Pinned(path) => {
                to.put("id", format_args!("{}", loaded.program.id()));
                let path = path.to_str().unwrap_or_default();
                to.put_config(PROGRAM, format_args!("{}{path}", text::PINNED));
            }
        }
    }

    fn print(&self, to: &mut dyn fmt::Write, _process: &Process) -> fmt::Result {
        match self.loaded.as_deref() {
            Some(Loaded {
                source: Source::Text(insns),
                ..
            }) => {
                let mut insns = insns.iter();
                insns.try_for_each(|i| text::print(to, (i.code, i.jt, i.jf, i.k)))
            }
            Some(Loaded {
                source: Source::Pinned(path),
                ..
            }) => writeln!(to, "{}{}", text::PINNED, path.to_str().unwrap_or_default()),
            None => Ok(()),
        }
    }
}

/// A program in the shorter form, that of `tcpdump -ddd`; a long one in the packed form, so that all fit.
struct Short<'a>(&'a [bpf::Insn]);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > text::MAX_DECIMAL {
            let quads = self.0.iter().map(|i| (i.code, i.jt, i.jf, i.k));
            return text::pack(f, quads);
        }
        writeln!(f, "{}", self.0.len())?;
        let mut insns = self.0.iter();
        insns.try_for_each(|i| writeln!(f, "{} {} {} {}", i.code, i.jt, i.jf, i.k))
    }
}
