// SPDX-License-Identifier: GPL-2.0

//! `fbctl upgrade`: other modules for a graph that runs. It is taken out and made again, as the modules that
//! its blocks are made of cannot be changed under them.

use anyhow::{Context, Result};
use lana_cli::{denied, enter_namespace, is_secret, kernel, usage, word, Session};
use lana_graph::{
    diff::changes,
    document,
    model::{Bond, Kind, Names, Target},
    running,
};
use lana_netlink::{Connection, Error, Op, Transaction};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
    sync::{atomic::AtomicBool, Arc},
    thread,
    time::{Duration, Instant},
};

/// Where the graphs are kept until all is done.
const KEPT: &str = "/run/lana";
const NAMED: &str = "/run/netns";
/// What is removed is freed a little later.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// What a counter has counted: block, option, value.
type Count = (String, String, String);

/// The graph of a network namespace.
struct Graph {
    /// The name; none for that in which this was started.
    netns: Option<String>,
    text: String,
    counts: Vec<Count>,
}

/// `fbctl upgrade`
pub(crate) fn run(session: &mut Session) -> Result<()> {
    if session.globals.confirm.is_some() {
        return Err(usage("--confirm: the modules that were there are gone"));
    }
    let mut graphs = graphs()?;
    let modules = modules()?;
    let names = modules.join(" ");
    if session.globals.dry_run {
        let count = graphs.len();
        return session.out.line(&format!(
            "~ modules {names}, with the graphs of {count} network namespaces"
        ));
    }
    for graph in &graphs {
        keep(graph)?;
    }
    // Who is cut off meanwhile comes back when it is done.
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .map_err(|error| kernel("sigaction", &error))?;
    }
    let begun = Instant::now();
    let swapped = take_out(&mut graphs).and_then(|()| swap(&modules));
    let back = graphs.iter().try_for_each(|graph| {
        within(graph.netns.as_deref(), |lana| {
            make(lana, &graph.text, false, &graph.counts)
        })
    });
    let away = begun.elapsed().as_millis();
    back.with_context(|| format!("the graphs are in {KEPT}: fbctl apply makes them again"))?;
    swapped.context("all is as before")?;
    let counters = graphs.iter().flat_map(|graph| &graph.counts);
    let counters = counters.filter(|(_, key, _)| key == "packets").count();
    session.out.line(&format!(
        "{names}: loaded anew; the graph was away for {away} ms, counters carried over: {counters}"
    ))
}

/// Runs something in a namespace, with a connection of its own.
fn within<T: Send>(
    netns: Option<&str>,
    each: impl FnOnce(&mut Connection) -> Result<T> + Send,
) -> Result<T> {
    let run = || {
        if let Some(name) = netns {
            enter_namespace(name)?;
        }
        let done = Connection::open()
            .map_err(Into::into)
            .and_then(|mut lana| each(&mut lana));
        match netns {
            Some(name) => done.with_context(|| format!("network namespace {}", word(name))),
            None => done,
        }
    };
    // The namespace of a thread ends with it.
    let done = thread::scope(|scope| scope.spawn(run).join());
    done.unwrap_or_else(|_| Err(denied("it broke off")))
}

/// The graphs that there are, of all namespaces with names and this one.
fn graphs() -> Result<Vec<Graph>> {
    let here = fs::metadata("/proc/thread-self/ns/net").map_or(0, |file| file.ino());
    let mut all = vec![None];
    for entry in fs::read_dir(NAMED).into_iter().flatten().flatten() {
        let other = entry.metadata().is_ok_and(|file| file.ino() != here);
        if let (true, Ok(name)) = (other, entry.file_name().into_string()) {
            all.push(Some(name));
        }
    }
    let mut graphs = Vec::new();
    for netns in all {
        let text = within(netns.as_deref(), |lana| {
            for fb in lana.fbs()?.items {
                let name = fb.name.unwrap_or_default();
                if fb.inode.is_some() {
                    let text = format!("'{name}' is a socket: end its program first");
                    return Err(usage(text));
                }
                let keys = fb.option.iter().filter(|option| option.config.is_some());
                let mut keys = keys.filter_map(|option| option.key.as_deref());
                if let Some(key) = keys.find(|key| is_secret(key)) {
                    let text =
                        format!("'{name}' has a key that nobody can read ({key}): remove it first");
                    return Err(usage(text));
                }
            }
            for vlink in lana.vlinks()?.items {
                if vlink.carrier.is_some() {
                    let name = vlink.ifname.unwrap_or_default();
                    let text =
                        format!("{name} is virtual, and would lose its addresses: remove it first");
                    return Err(usage(text));
                }
            }
            Ok(lana_graph::text(lana)?)
        })?;
        let counts = Vec::new();
        graphs.push(Graph {
            netns,
            text,
            counts,
        });
    }
    Ok(graphs)
}

/// The modules that are loaded, in the order in which they can be removed: the core is the last. They must be
/// where `modprobe` finds them.
fn modules() -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut next = vec!["lana".to_owned()];
    while let Some(module) = next.pop() {
        found.retain(|other| *other != module);
        for entry in fs::read_dir(format!("/sys/module/{module}/holders"))
            .into_iter()
            .flatten()
        {
            let holder = entry
                .map_err(|error| kernel("/sys/module", &error))?
                .file_name();
            next.push(holder.to_string_lossy().into_owned());
        }
        found.push(module);
    }
    found.reverse();
    for module in &found {
        let known = command("modprobe", &["--show-depends", module]);
        known.with_context(|| format!("module {module} is loaded, but not installed"))?;
    }
    Ok(found)
}

/// Writes a graph down, for the worst case.
fn keep(graph: &Graph) -> Result<()> {
    let file = format!("{}.toml", graph.netns.as_deref().unwrap_or("graph"));
    let path = Path::new(KEPT).join(file);
    fs::create_dir_all(KEPT)
        .and_then(|()| fs::write(&path, &graph.text))
        .map_err(|error| kernel(&path.display().to_string(), &error))
}

/// Takes all graphs out. First go the devices: what the counters then have is what they end with.
fn take_out(graphs: &mut [Graph]) -> Result<()> {
    for graph in graphs.iter_mut() {
        let text = &graph.text;
        graph.counts = within(graph.netns.as_deref(), |lana| {
            make(lana, text, true, &[])?;
            counts(lana)
        })?;
    }
    for graph in graphs {
        within(graph.netns.as_deref(), |lana| make(lana, "", false, &[]))?;
    }
    Ok(())
}

/// What the counters have.
fn counts(lana: &mut Connection) -> Result<Vec<Count>> {
    let mut counts = Vec::new();
    for fb in lana.fbs()?.items {
        if fb.r#type.as_deref() != Some("counter") {
            continue;
        }
        let name = fb.name.unwrap_or_default();
        for option in fb.option {
            if let (Some(key), Some(value)) = (option.key, option.value) {
                counts.push((name.clone(), key, value));
            }
        }
    }
    Ok(counts)
}

/// Makes a graph what a saved file says, or all of that but the devices; and sets counters.
fn make(lana: &mut Connection, text: &str, no_devices: bool, counts: &[Count]) -> Result<()> {
    let mut names = Names::default();
    let target = document::read(text, &mut names);
    let mut target = target.map_err(|mistake| denied(mistake.text))?;
    if no_devices {
        target = without_devices(target);
    }
    let running = running::read(lana, &mut names)?;
    let changes = changes(&running, &target, &mut names);
    let changes = changes.map_err(|(_, text)| denied(text))?;
    let mut transaction = Transaction::default();
    for change in &changes {
        transaction.push(&change.op(&names)).map_err(Error::from)?;
    }
    for (name, key, value) in counts {
        let value = value.into();
        let set = Op::FbSet { name, key, value };
        transaction.push(&set).map_err(Error::from)?;
    }
    if !transaction.is_empty() {
        // Whatever it has to say was said when the graph was made.
        let _ = lana.transact(transaction)?;
    }
    Ok(())
}

/// The same graph with nothing at its edge.
fn without_devices(target: Target<'_>) -> Target<'_> {
    let mut rest = Target::default();
    for (name, block) in target.blocks.into_things() {
        if matches!(block.kind, Kind::Made(_)) {
            rest.blocks.enter(name, || block);
        }
    }
    let inner = |bond: &Bond| {
        let there = |name| rest.blocks.get(name).is_some();
        there(bond.pair.0) && there(bond.pair.1)
    };
    rest.bindings = target.bindings.into_iter().filter(inner).collect();
    rest.subscriptions = target.subscriptions.into_iter().filter(inner).collect();
    rest
}

/// Removes the modules and loads those that are installed now.
fn swap(modules: &[String]) -> Result<()> {
    let names: Vec<_> = modules.iter().map(String::as_str).collect();
    let mut tries = 1;
    let removed = loop {
        let left = names
            .iter()
            .filter(|name| Path::new("/sys/module").join(name).exists());
        let left: Vec<_> = left.copied().collect();
        match command("rmmod", &left) {
            Err(_) if tries < TRIES => thread::sleep(PAUSE),
            done => break done,
        }
        tries += 1;
    };
    // Those that went come back in either case.
    let mut all = vec!["-a"];
    all.extend(names.iter().rev());
    let loaded = command("modprobe", &all);
    removed.and(loaded)
}

/// Runs a program, and has what it says when it fails.
fn command(program: &str, words: &[&str]) -> Result<()> {
    let run = |path: &str| Command::new(path).args(words).output();
    let done = match run(program) {
        // The path of a user has none of these.
        Err(error) if error.kind() == io::ErrorKind::NotFound => run(&format!("/sbin/{program}")),
        done => done,
    };
    let done = done.map_err(|error| kernel(program, &error))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(denied(said.lines().next().unwrap_or(program).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_go_first() {
        let text = "bindings = [[\"c\", \"eth0\"], [\"d\", \"c\"]]\n\
            [devices.eth0]\nsubsystem = \"ethernet\"\n\
            [blocks.c]\ntype = \"counter\"\n[blocks.d]\ntype = \"dummy\"\n";
        let mut names = Names::default();
        let rest = without_devices(document::read(text, &mut names).unwrap());
        let left: Vec<_> = rest
            .blocks
            .iter()
            .map(|(name, _)| names.text(name))
            .collect();
        assert_eq!(left, ["c", "d"]);
        assert_eq!(rest.bindings.len(), 1);
    }
}
