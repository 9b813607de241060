// SPDX-License-Identifier: GPL-2.0

//! A graph, one a network namespace, and the operations that change it.
//!
//! Each operation checks, then prepares all that can fail, then does what cannot: so a request
//! that fails leaves all as it was. The graph's lock is held throughout; packets do not know it.

use crate::{
    block::{Args, Process},
    builder::Use,
    engine::Direction,
    error::Failure,
    fail,
    name::{Name, Shown},
    notifier::{About, Event, Events, Kind},
    registry::{Entry, Idp, Instance, Peers, Registry},
    stats::EngineStats,
    sys::{
        bindings,
        net::Net,
        netdev::{Device, Hook, Rtnl},
        percpu::PerCpu,
        proc,
        slot::{Batch, Live, Wiring},
    },
};
use kernel::{
    prelude::*,
    sync::{lock::mutex::MutexGuard, new_mutex, Arc, Mutex},
};

const INGRESS: usize = Direction::Ingress as usize;
const EGRESS: usize = Direction::Egress as usize;

/// The graph of a namespace.
#[pin_data]
pub(crate) struct Graph {
    net: Net,
    live: Live,
    stats: PerCpu<EngineStats>,
    #[pin]
    state: Mutex<State>,
}

/// What the graph's lock protects.
pub(crate) struct State {
    pub(crate) registry: Registry,
    wiring: Wiring,
    pub(crate) events: Events,
    proc: Option<proc::Tree>,
}

impl Graph {
    /// Makes an empty graph, with its files in procfs. Sleeps.
    pub(crate) fn new(net: Net) -> Result<Pin<KBox<Self>>> {
        let stats = PerCpu::new()?;
        let graph = KBox::pin_init(
            pin_init!(Self {
                net,
                live: Live::new(),
                stats,
                state <- new_mutex!(
                    State {
                        registry: Registry::new(),
                        wiring: Wiring::default(),
                        events: Events::default(),
                        proc: None,
                    },
                    "lana::Graph::state"
                ),
            }? Error),
            GFP_KERNEL,
        )?;
        let tree = proc::Tree::new(&graph)?;
        graph.state.lock().proc = Some(tree);
        Ok(graph)
    }

    /// The namespace.
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    /// The version that packets go by.
    #[inline]
    pub(crate) fn live(&self) -> &Live {
        &self.live
    }

    /// The engine's counters.
    #[inline]
    pub(crate) fn stats(&self) -> &PerCpu<EngineStats> {
        &self.stats
    }

    /// Locks the graph. Sleeps. RTNL, where it is needed, is taken first.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Locks the graph unless somebody else has: for handlers of procfs, which who has the lock
    /// may be waiting for.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state.try_lock()
    }

    /// Makes a block. Sleeps.
    pub(crate) fn add(&self, name: Name, kind: Use) -> Result<(), Failure> {
        let mut state = self.lock();
        let idp = state
            .enter(self, name, kind, &mut Args { device: None })
            .map_err(|e| e.at(bindings::LANA_A_FB_NAME))?;
        state.tell(self, Kind::Added, idp, None, About::Nothing);
        Ok(())
    }

    /// Removes a block that nothing is bound or subscribed to. Sleeps.
    pub(crate) fn remove(&self, name: &[u8]) -> Result<(), Failure> {
        let mut state = self.lock();
        let entry = state.registry.find(name)?;
        if let Some(hook) = &entry.hook {
            return Err(fail!(
                EBUSY,
                "{} is a device: vlink {} unhook {}",
                entry.instance.name(),
                hook.subsystem(),
                hook.device().name()
            ));
        }
        entry.check_free(&state.registry)?;
        let idp = entry.instance.idp();
        // Who reads the file may take as long as user space likes: not while the graph is locked.
        // Nobody finds the block meanwhile, and its name stays taken.
        let file = state.registry.get_mut(idp).and_then(|entry| {
            entry.going = true;
            entry.file.take()
        });
        drop(state);
        drop(file);
        self.lock().leave(self, idp);
        Ok(())
    }

    /// Sets an option of a block. Sleeps.
    pub(crate) fn set(&self, name: &[u8], key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let state = &mut *self.lock();
        let found = state.registry.find(name);
        let instance = found
            .map_err(|e| e.at(bindings::LANA_A_FB_NAME))?
            .instance
            .clone();
        state.set(self, &instance, key, value)
    }

    /// Puts `upper` on top of `lower`. Sleeps.
    pub(crate) fn bind(&self, upper: &[u8], lower: &[u8]) -> Result<(), Failure> {
        let state = &mut *self.lock();
        let (a, b) = state.pair(upper, lower, bindings::LANA_A_BINDING_LOWER)?;
        let (up, low) = (a.instance.clone(), b.instance.clone());
        if up.idp() == low.idp() {
            return Err(fail!(EINVAL, "cannot bind '{}' to itself", up.name()));
        }
        if a.find_port(EGRESS, low.idp()).is_some() {
            let (up, low) = (up.name(), low.name());
            return Err(fail!(EEXIST, "'{}' is bound to '{}' already", up, low));
        }
        a.check_room(EGRESS, "egress")
            .map_err(|e| e.at(bindings::LANA_A_BINDING_UPPER))?;
        b.check_room(INGRESS, "ingress")
            .map_err(|e| e.at(bindings::LANA_A_BINDING_LOWER))?;

        let upper_ports = a.with_port(EGRESS, &low)?;
        let lower_ports = b.with_port(INGRESS, &up)?;
        state.wire(
            self,
            [(&up, EGRESS, upper_ports), (&low, INGRESS, lower_ports)],
        )?;
        state.tell(self, Kind::Bound, up.idp(), Some(&low), About::Nothing);
        Ok(())
    }

    /// Takes `upper` off `lower`. Sleeps.
    pub(crate) fn unbind(&self, upper: &[u8], lower: &[u8]) -> Result<(), Failure> {
        let state = &mut *self.lock();
        let (a, b) = state.pair(upper, lower, bindings::LANA_A_BINDING_LOWER)?;
        let (up, low) = (a.instance.clone(), b.instance.clone());
        if a.find_port(EGRESS, low.idp()).is_none() {
            let (up, low) = (up.name(), low.name());
            return Err(fail!(ENOENT, "'{}' is not bound to '{}'", up, low));
        }
        let upper_ports = a.without_port(EGRESS, low.idp())?;
        let lower_ports = b.without_port(INGRESS, up.idp())?;
        state.wire(
            self,
            [(&up, EGRESS, upper_ports), (&low, INGRESS, lower_ports)],
        )?;
        state.tell(self, Kind::Unbound, up.idp(), Some(&low), About::Nothing);
        Ok(())
    }

    /// Lets `subscriber` get the events of `publisher`. Sleeps.
    pub(crate) fn subscribe(&self, subscriber: &[u8], publisher: &[u8]) -> Result<(), Failure> {
        let state = &mut *self.lock();
        let (a, b) = state.pair(
            subscriber,
            publisher,
            bindings::LANA_A_SUBSCRIPTION_PUBLISHER,
        )?;
        let (sub, publ) = (a.instance.clone(), b.instance.clone());
        if sub.idp() == publ.idp() {
            return Err(fail!(EINVAL, "cannot subscribe '{}' to itself", sub.name()));
        }
        if a.publishers.contains(&publ.idp()) {
            let (a, b) = (sub.name(), publ.name());
            return Err(fail!(EEXIST, "'{}' is subscribed to '{}' already", a, b));
        }
        if let Some(b) = state.registry.get_mut(publ.idp()) {
            b.subscribers.reserve(1, GFP_KERNEL)?;
        }
        if let Some(a) = state.registry.get_mut(sub.idp()) {
            a.publishers.push(publ.idp(), GFP_KERNEL)?;
        }
        if let Some(b) = state.registry.get_mut(publ.idp()) {
            // The room is there.
            b.subscribers.push(sub.idp(), GFP_KERNEL)?;
        }
        state.tell(
            self,
            Kind::Subscribed,
            sub.idp(),
            Some(&publ),
            About::Nothing,
        );
        Ok(())
    }

    /// Takes a subscription back. Sleeps.
    pub(crate) fn unsubscribe(&self, subscriber: &[u8], publisher: &[u8]) -> Result<(), Failure> {
        let state = &mut *self.lock();
        let (a, b) = state.pair(
            subscriber,
            publisher,
            bindings::LANA_A_SUBSCRIPTION_PUBLISHER,
        )?;
        let (sub, publ) = (a.instance.clone(), b.instance.clone());
        if !a.publishers.contains(&publ.idp()) {
            let (a, b) = (sub.name(), publ.name());
            return Err(fail!(ENOENT, "'{}' is not subscribed to '{}'", a, b));
        }
        state.tell(
            self,
            Kind::Unsubscribed,
            sub.idp(),
            Some(&publ),
            About::Nothing,
        );
        if let Some(a) = state.registry.get_mut(sub.idp()) {
            a.publishers.retain(|idp| *idp != publ.idp());
        }
        if let Some(b) = state.registry.get_mut(publ.idp()) {
            b.subscribers.retain(|idp| *idp != sub.idp());
        }
        Ok(())
    }

    /// Makes a block for a device and lets it take what the device receives. Sleeps.
    pub(crate) fn hook(
        &self,
        rtnl: &Rtnl,
        device: Device,
        kind: Use,
        subsystem: &'static str,
    ) -> Result<(), Failure> {
        let at = bindings::LANA_A_VLINK_IFNAME;
        let state = &mut *self.lock();
        let name = device.block_name().map_err(|e| e.at(at))?;
        if let Some(entry) = state.hooked(device.index()) {
            let block = entry.instance.name();
            return Err(fail!(EBUSY, "{} is hooked already, by block '{}'", name, block).at(at));
        }
        let mut args = Args {
            device: Some(device.hold()),
        };
        let idp = state
            .enter(self, name, kind, &mut args)
            .map_err(|e| e.at(at))?;
        let hooked = match state.registry.get(idp) {
            Some(entry) => Hook::new(rtnl, device, self, &entry.instance, subsystem),
            None => Err(ENOENT.into()),
        };
        match hooked {
            Ok(hook) => {
                if let Some(entry) = state.registry.get_mut(idp) {
                    entry.hook = Some(hook);
                }
                state.tell(self, Kind::Added, idp, None, About::Device(&name));
                Ok(())
            }
            Err(e) => {
                drop(state.take(self, idp));
                Err(e.at(at))
            }
        }
    }

    /// Gives a device back and removes its block, which nothing may be bound to. Sleeps.
    pub(crate) fn unhook(
        &self,
        _rtnl: &Rtnl,
        device: &Device,
        subsystem: &[u8],
    ) -> Result<(), Failure> {
        let at = bindings::LANA_A_VLINK_IFNAME;
        let state = &mut *self.lock();
        let hooked = state.hooked(device.index()).filter(|e| {
            let hook = e.hook.as_ref();
            hook.is_some_and(|hook| hook.subsystem().as_bytes() == subsystem)
        });
        let Some(entry) = hooked else {
            return Err(fail!(
                ENOENT,
                "{} is not hooked by '{}'",
                device.name(),
                Shown(subsystem)
            )
            .at(at));
        };
        entry.check_free(&state.registry).map_err(|e| e.at(at))?;
        let idp = entry.instance.idp();
        state.leave(self, idp);
        Ok(())
    }

    /// A hooked device goes: so do its block, its bindings and its subscriptions. Sleeps.
    pub(crate) fn device_gone(&self, _rtnl: &Rtnl, index: u32) {
        let state = &mut *self.lock();
        let Some(entry) = state.hooked(index) else {
            return;
        };
        let instance = entry.instance.clone();
        let name = entry.hook.as_ref().map(|hook| hook.device().name());
        if let Some(name) = name {
            state.tell(
                self,
                Kind::DeviceGone,
                instance.idp(),
                None,
                About::Device(&name),
            );
        }
        state.isolate(self, &instance);
        let idp = instance.idp();
        drop(instance);
        state.leave(self, idp);
    }

    /// The namespace goes, and its devices have gone: ends procfs and removes all. Sleeps.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.wiring.settle(&self.live);
        for entry in state.registry.iter_mut() {
            entry.ports = [Peers::new(), Peers::new()];
        }
        let registry = core::mem::replace(&mut state.registry, Registry::new());
        let tree = state.proc.take();
        // Removing files waits for their handlers, and those lock the graph. The files of the
        // blocks are below the tree, so they go first.
        drop(state);
        drop(registry);
        drop(tree);
    }
}

impl State {
    /// The block of a device.
    fn hooked(&self, index: u32) -> Option<&Entry> {
        self.registry
            .iter()
            .find(|e| e.hook.as_ref().is_some_and(|h| h.device().index() == index))
    }

    /// The two blocks of a request; `second` is the attribute of the second name, the one before
    /// it that of the first.
    fn pair(&self, a: &[u8], b: &[u8], second: u32) -> Result<(&Entry, &Entry), Failure> {
        let first = second.wrapping_sub(1);
        Ok((
            self.registry.find(a).map_err(|e| e.at(first))?,
            self.registry.find(b).map_err(|e| e.at(second))?,
        ))
    }

    /// Makes a block and its file. Sleeps.
    fn enter(
        &mut self,
        graph: &Graph,
        name: Name,
        kind: Use,
        args: &mut Args,
    ) -> Result<Idp, Failure> {
        let tree = self.proc.as_ref();
        let entry = self.registry.add(name, kind, args)?;
        let idp = entry.instance.idp();
        if let (true, Some(tree)) = (entry.instance.kind().has_file(), tree) {
            match proc::File::new(tree, graph, &entry.instance) {
                Ok(file) => entry.file = Some(file),
                Err(e) => {
                    drop(self.take(graph, idp));
                    return Err(e.into());
                }
            }
        }
        Ok(idp)
    }

    /// Takes out a block that no port points to, once no packet can be at it. Sleeps.
    fn take(&mut self, graph: &Graph, idp: Idp) -> Option<Entry> {
        self.wiring.settle(&graph.live);
        self.registry.remove(idp)
    }

    /// Removes a block that nothing is bound or subscribed to, and says so. Its own subscriptions
    /// end. Sleeps.
    fn leave(&mut self, graph: &Graph, idp: Idp) {
        self.tell(graph, Kind::Removed, idp, None, About::Nothing);
        let Some(entry) = self.take(graph, idp) else {
            return;
        };
        for &publisher in &entry.publishers {
            if let Some(publisher) = self.registry.get_mut(publisher) {
                publisher
                    .subscribers
                    .retain(|subscriber| *subscriber != idp);
            }
        }
    }

    /// Takes a block off all that is bound or subscribed to it. Sleeps, and does not give up: an
    /// allocation that fails is tried again, as what goes away cannot be told to stay.
    fn isolate(&mut self, graph: &Graph, instance: &Arc<Instance>) {
        let idp = instance.idp();
        loop {
            let Some(entry) = self.registry.get(idp) else {
                return;
            };
            let Some((direction, peer)) = [INGRESS, EGRESS]
                .into_iter()
                .find_map(|d| Some((d, entry.ports.get(d)?.first()?.clone())))
            else {
                break;
            };
            match self.part(graph, instance, direction, &peer) {
                Err(e) if e == ENOMEM => {
                    kernel::time::delay::fsleep(kernel::time::Delta::from_millis(1));
                    continue;
                }
                // Nothing else fails here.
                _ => (),
            }
            // The upper one of the two is the one that was bound.
            let (upper, lower) = match direction {
                INGRESS => (&peer, instance),
                _ => (instance, &peer),
            };
            self.tell(
                graph,
                Kind::Unbound,
                upper.idp(),
                Some(lower),
                About::Nothing,
            );
        }
        let subscribers = match self.registry.get_mut(idp) {
            Some(entry) => core::mem::take(&mut entry.subscribers),
            None => return,
        };
        for subscriber in subscribers {
            if let Some(subscriber) = self.registry.get_mut(subscriber) {
                subscriber.publishers.retain(|publisher| *publisher != idp);
            }
        }
    }

    /// Ends one binding of a block that is going.
    fn part(
        &mut self,
        graph: &Graph,
        one: &Arc<Instance>,
        direction: usize,
        peer: &Arc<Instance>,
    ) -> Result {
        let other = INGRESS + EGRESS - direction;
        let registry = &self.registry;
        let (a, b) = (registry.get(one.idp()), registry.get(peer.idp()));
        let (a, b) = (a.ok_or(ENOENT)?, b.ok_or(ENOENT)?);
        let ours = a.without_port(direction, peer.idp())?;
        let theirs = b.without_port(other, one.idp())?;
        self.wire(graph, [(one, direction, ours), (peer, other, theirs)])
    }

    /// Gives ports of blocks other bindings: for all packets at once. Fails before it has changed
    /// anything, or not. Sleeps.
    fn wire<const N: usize>(
        &mut self,
        graph: &Graph,
        changes: [(&Arc<Instance>, usize, Peers); N],
    ) -> Result {
        let mut batch = Batch::default();
        for (instance, direction, ports) in &changes {
            let entry = self.registry.get(instance.idp()).ok_or(ENOENT)?;
            let mut all = [&entry.ports[INGRESS][..], &entry.ports[EGRESS][..]];
            all[*direction] = ports;
            batch.add(instance, all)?;
        }
        for (instance, direction, ports) in changes {
            if let Some(entry) = self.registry.get_mut(instance.idp()) {
                entry.ports[direction] = ports;
            }
        }
        self.wiring.publish(&graph.live, batch);
        Ok(())
    }

    /// Sets an option of a block. Sleeps.
    pub(crate) fn set(
        &mut self,
        graph: &Graph,
        instance: &Instance,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Failure> {
        let key = core::str::from_utf8(key)
            .map_err(|_| fail!(EINVAL, "option '{}' is not text", Shown(key)))?;
        instance.object().set(key, value, &Process::new())?;
        self.tell(
            graph,
            Kind::OptionSet,
            instance.idp(),
            None,
            About::Option(key),
        );
        Ok(())
    }

    /// Tells of an event of block `idp`: its subscribers, those it is bound to, and user space.
    fn tell(
        &mut self,
        graph: &Graph,
        kind: Kind,
        idp: Idp,
        peer: Option<&Instance>,
        about: About<'_>,
    ) {
        let Some(entry) = self.registry.get(idp) else {
            return;
        };
        let instance = entry.instance.clone();
        let event = Event::new(kind, &instance, peer, about);
        self.events.tell(graph.net(), &self.registry, entry, &event);
    }
}

impl Entry {
    fn find_port(&self, direction: usize, peer: Idp) -> Option<usize> {
        self.ports
            .get(direction)?
            .iter()
            .position(|p| p.idp() == peer)
    }

    fn check_room(&self, direction: usize, word: &str) -> Result<(), Failure> {
        let ports = &self.ports[direction];
        if ports.len() < self.instance.kind().ports()[direction] as usize {
            return Ok(());
        }
        let name = self.instance.name();
        Err(match ports.last() {
            Some(peer) => fail!(
                EBUSY,
                "{} of '{}' is bound to '{}'",
                word,
                name,
                peer.name()
            ),
            None => fail!(EOPNOTSUPP, "'{}' has no {} port", name, word),
        })
    }

    fn with_port(&self, direction: usize, peer: &Arc<Instance>) -> Result<Peers> {
        let mut ports = self.without_port(direction, 0)?;
        ports.push(peer.clone(), GFP_KERNEL)?;
        Ok(ports)
    }

    fn without_port(&self, direction: usize, peer: Idp) -> Result<Peers> {
        let mut ports = KVec::new();
        for port in self.ports.get(direction).into_iter().flatten() {
            if port.idp() != peer {
                ports.push(port.clone(), GFP_KERNEL)?;
            }
        }
        Ok(ports)
    }

    /// Whether nothing is bound or subscribed to the block.
    fn check_free(&self, registry: &Registry) -> Result<(), Failure> {
        let name = self.instance.name();
        if let Some(peer) = self.peers().next() {
            return Err(fail!(EBUSY, "'{}' is bound to '{}'", name, peer.name()));
        }
        match self.subscribers.first().and_then(|&idp| registry.get(idp)) {
            Some(s) => Err(fail!(
                EBUSY,
                "'{}' is subscribed to '{}'",
                s.instance.name(),
                name
            )),
            None => Ok(()),
        }
    }
}
