// SPDX-License-Identifier: GPL-2.0

//! The types of block: type name to factory. Modules of blocks register here; a type in use
//! keeps its module loaded.

use super::{
    block::{Args, Block, File, Maker, Mode, Progress},
    notifier,
    object::BlockRef,
};
use crate::{
    base::{
        error::Failure,
        name::{Name, Shown},
        option::OptionSpec,
    },
    fail,
    sys::{
        bindings,
        compat::{self, EOPNOTSUPP},
        lock::static_mutex,
        module::{self, Owner, Pinned},
        sock::Family,
        vdev::Links,
    },
};
use core::fmt;
use kernel::{
    module_param::ModuleParamAccess,
    prelude::*,
    str::CString,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};

static_mutex! {
    static TYPES: KVec<Entry> = KVec::new();
    fn init_types
}

module::module_gone!(module_gone);

/// A type on the list.
struct Entry {
    kind: Arc<Type>,
    /// What could fail is done: whoever looks for a type finds it.
    visible: bool,
    // Ended when the entry is, by then off the list: other tools make virtual devices by it.
    _links: Option<Links>,
    // And programs sockets.
    _family: Option<Family>,
}

/// The list of types; dropping it ends it, when no type is left.
pub(crate) struct Types(module::Watch);

impl Types {
    /// Readies the list. Called once, first thing, by the module's `init`.
    pub(crate) fn new() -> Result<Self> {
        init_types();
        Ok(Self(module::Watch::new()?))
    }
}

impl Drop for Types {
    fn drop(&mut self) {
        // Gives back what the list has allocated, a static being dropped by nobody.
        *TYPES.lock() = KVec::new();
    }
}

/// A type of block.
pub(crate) struct Type {
    name: Name,
    mode: Mode,
    ports: [u32; 2],
    maker: Maker,
    file: File,
    watches_ports: bool,
    notifies: bool,
    holds: bool,
    options: &'static [OptionSpec],
    owner: Owner,
    make: fn(&mut Args) -> Result<BlockRef>,
    progress: fn(&[u8]) -> Result<Progress, Failure>,
    instances: Atomic<i32>,
    /// Number of the registration: the list is in this order.
    serial: u64,
}

impl Type {
    /// Number of the registration, from 1 on.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }
    /// Its name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }
    /// What it does with packets.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }
    /// How many ports a block has, by direction.
    pub(crate) fn ports(&self) -> [u32; 2] {
        self.ports
    }
    /// What makes its blocks.
    pub(crate) fn maker(&self) -> Maker {
        self.maker
    }
    /// The vlink subsystem that does, if one does.
    pub(crate) fn vlink(&self) -> Option<&'static str> {
        match self.maker {
            Maker::Device(vlink) | Maker::VirtualDevice(vlink) => Some(vlink),
            _ => None,
        }
    }
    /// Whether its blocks stand for virtual devices.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.maker, Maker::VirtualDevice(_))
    }
    /// Whether there can be only one of the two: by the name, or by what makes their blocks.
    fn excludes(&self, other: &Self) -> bool {
        self.name == other.name
            || match (self.maker, other.maker) {
                (Maker::Request, _) => false,
                // There is one kind of link.
                (Maker::VirtualDevice(_), Maker::VirtualDevice(_)) => true,
                (one, other) => one == other,
            }
    }
    /// Whether its blocks have a file in procfs.
    pub(crate) fn has_file(&self) -> bool {
        !matches!(self.file, File::None)
    }
    /// Whether its blocks hold packets.
    pub(crate) fn holds(&self) -> bool {
        self.holds
    }
    /// Whether its blocks have something to tell.
    pub(crate) fn notifies(&self) -> bool {
        self.notifies
    }
    /// Whether its blocks hear what their ports lead to.
    pub(crate) fn watches_ports(&self) -> bool {
        self.watches_ports
    }
    /// The options that its blocks have.
    pub(crate) fn options(&self) -> &[OptionSpec] {
        self.options
    }
    /// The option that is set by writing to that file.
    pub(crate) fn file_option(&self) -> Option<&'static str> {
        match self.file {
            File::Option(key) => Some(key),
            _ => None,
        }
    }
    /// Judges what has been written to it so far.
    pub(crate) fn progress(&self, text: &[u8]) -> Result<Progress, Failure> {
        (self.progress)(text)
    }
    /// The module.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }
    /// How many blocks of it there are.
    pub(crate) fn instances(&self) -> u32 {
        self.instances.load(Relaxed).max(0) as u32
    }
}

/// A type in use: keeps its module loaded.
pub(crate) struct Use {
    kind: Arc<Type>,
    // Last: the module's code may be needed until here.
    _pin: Pinned,
}

impl Use {
    /// Another use of a type. None when its module is on its way out.
    pub(crate) fn new(kind: &Arc<Type>) -> Option<Self> {
        let pin = kind.owner.pin()?;
        kind.instances.fetch_add(1, Relaxed);
        Some(Self {
            kind: kind.clone(),
            _pin: pin,
        })
    }

    /// Makes a block. Sleeps.
    pub(crate) fn make(&self, args: &mut Args) -> Result<BlockRef> {
        (self.kind.make)(args)
    }

    /// The type.
    pub(crate) fn kind(&self) -> &Arc<Type> {
        &self.kind
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        self.kind.instances.fetch_add(-1, Relaxed);
    }
}

/// Registers the type of block `B`, whose code is `module`'s; `family` is the module's parameter with the
/// number of the address family, where sockets make its blocks. Called by [`block_module!`] in the
/// module's init. The type stays until the module goes: [`module_gone`].
///
/// `EBUSY` when the module's init is over, `EEXIST` when there is a type of this name, or one of which
/// there can be one, `EINVAL` when the name is not one. Sleeps.
///
/// [`block_module!`]: crate::block_module
pub fn register<B: Block>(
    module: &'static ThisModule,
    family: Option<&ModuleParamAccess<i32>>,
) -> Result {
    fn make<B: Block>(args: &mut Args) -> Result<BlockRef> {
        BlockRef::of(B::new(args)?)
    }
    let kind = Type {
        name: Name::new(B::TYPE.as_bytes()).map_err(|_| EINVAL)?,
        mode: B::MODE,
        ports: [B::INGRESS_PORTS, B::EGRESS_PORTS],
        maker: B::MAKER,
        file: B::FILE,
        watches_ports: B::WATCHES_PORTS,
        notifies: B::NOTIFIES,
        holds: B::HOLDS,
        options: B::OPTIONS,
        owner: Owner::new(module),
        make: make::<B>,
        progress: B::progress,
        instances: Atomic::new(0),
        serial: 0,
    };
    register_type(kind, family.map(compat::parameter))
}

fn register_type(mut kind: Type, family: Option<i32>) -> Result {
    let name = kind.name;
    // Asked before any lock is taken: a block's code may hold them all.
    if !kind.owner.is_coming() {
        pr_err!(
            "type {}: types are registered by a module's init\n",
            name.as_str()
        );
        return Err(EBUSY);
    }
    if (kind.maker == Maker::Socket) != family.is_some() {
        let name = name.as_str();
        pr_err!("type {name}: a block of sockets, and no other, has a parameter for the family\n");
        return Err(EINVAL);
    }
    let kind = {
        let mut types = TYPES.lock();
        if let Some(other) = types.iter().find(|entry| entry.kind.excludes(&kind)) {
            let (name, other) = (name.as_str(), other.kind.name.as_str());
            pr_err!("type {name}: type {other} exists already\n");
            return Err(EEXIST);
        }
        kind.serial = types.last().map_or(0, |t| t.kind.serial).wrapping_add(1);
        let kind = Arc::new(kind, GFP_KERNEL)?;
        let entry = Entry {
            kind: kind.clone(),
            visible: false,
            _links: None,
            _family: None,
        };
        types.push(entry, GFP_KERNEL)?;
        kind
    };
    // Not with the list locked, as those who come by them ask it.
    let links = kind.is_virtual().then(Links::register).transpose();
    let family = family
        .map(|number| Family::register(kind.owner, number))
        .transpose();
    let (links, family) = match (links, family) {
        (Ok(links), Ok(family)) => (links, family),
        (Err(e), _) | (_, Err(e)) => {
            drop(take(|entry| Arc::ptr_eq(entry, &kind)));
            let (name, errno) = (name.as_str(), e.to_errno());
            pr_err!(
                "type {name}: the family or kind of link that makes its blocks: error {errno}\n"
            );
            return Err(e);
        }
    };
    // Nothing fails from here on.
    for entry in TYPES.lock().iter_mut() {
        if Arc::ptr_eq(&entry.kind, &kind) {
            (entry._links, entry._family, entry.visible) = (links, family, true);
            break;
        }
    }
    notifier::type_changed(&name, true);
    Ok(())
}

/// Takes the first such type off the list.
fn take(matches: impl Fn(&Arc<Type>) -> bool) -> Option<Entry> {
    let mut types = TYPES.lock();
    let at = types.iter().position(|entry| matches(&entry.kind))?;
    types.remove(at).ok()
}

/// A module has ended, or its init has failed: its types go, whatever its own code has done. Sleeps.
pub(crate) fn module_gone(owner: Owner) {
    while let Some(entry) = take(|kind| kind.owner == owner) {
        let (name, told) = (entry.kind.name, entry.visible);
        drop(entry);
        if told {
            notifier::type_changed(&name, false);
        }
    }
}

/// Goes through the types registered after number `after`, until `f` says no. Sleeps.
pub(crate) fn for_each(after: u64, mut f: impl FnMut(&Type) -> bool) {
    let types = TYPES.lock();
    for entry in types.iter().filter(|t| t.visible && t.kind.serial > after) {
        if !f(&entry.kind) {
            break;
        }
    }
}

fn lookup(matches: impl Fn(&Type) -> bool) -> Option<Use> {
    let types = TYPES.lock();
    let found = types.iter().find(|t| t.visible && matches(&t.kind));
    found.and_then(|t| Use::new(&t.kind))
}

/// The type that an operation `fb-new` asks for, loaded where it has to be. Sleeps; no lock may be held.
pub(crate) fn find(name: &[u8]) -> Result<Use, Failure> {
    let kind = Name::new(name)
        .map_err(|bad| fail!(EINVAL, "type '{}' {}", Shown(name), bad))
        .and_then(|name| {
            let wanted = |t: &Type| t.name == name;
            if let Some(kind) = lookup(wanted) {
                return Ok(kind);
            }
            module::request(
                c"lana-fb-",
                &CString::try_from_fmt(fmt!("{}", name.as_str()))?,
            );
            lookup(wanted).ok_or_else(|| fail!(ENOENT, "unknown type '{}'", name))
        })
        .map_err(|e| e.at(bindings::LANA_A_FB_TYPE))?;
    let by = match kind.kind.maker {
        Maker::Request => return Ok(kind),
        Maker::Device(vlink) => CString::try_from_fmt(fmt!("vlink {vlink} hook DEVICE"))?,
        Maker::VirtualDevice(vlink) => {
            CString::try_from_fmt(fmt!("vlink {vlink} add NAME CARRIER [ID]"))?
        }
        Maker::Socket => CString::try_from_fmt(fmt!("a program that opens a socket"))?,
    };
    let (name, by) = (kind.kind.name, by.to_str().unwrap_or_default());
    let failure = fail!(EOPNOTSUPP, "type {name} is made by: {by}");
    Err(failure.at(bindings::LANA_A_FB_TYPE))
}

/// A type that is loaded. Sleeps.
pub(crate) fn loaded(matches: impl Fn(Maker) -> bool) -> Option<Use> {
    lookup(|kind| matches(kind.maker))
}

/// The type of a vlink subsystem that stands for devices, or for virtual ones, loaded where it has
/// to be. Sleeps; no lock may be held.
pub(crate) fn find_vlink(subsystem: &[u8], virtual_: bool) -> Result<Use, Failure> {
    let at = bindings::LANA_A_VLINK_SUBSYSTEM;
    let name = Name::new(subsystem)
        .map_err(|bad| fail!(EINVAL, "subsystem '{}' {}", Shown(subsystem), bad).at(at))?;
    let wanted = |t: &Type| t.vlink() == Some(name.as_str()) && t.is_virtual() == virtual_;
    let found = match lookup(wanted) {
        Some(kind) => Some(kind),
        None => {
            let prefix = if virtual_ {
                c"lana-vdev-"
            } else {
                c"lana-vlink-"
            };
            module::request(prefix, &CString::try_from_fmt(fmt!("{}", name.as_str()))?);
            lookup(wanted)
        }
    };
    found.ok_or_else(|| {
        let loaded = Subsystems { virtual_ };
        fail!(
            ENOENT,
            "unknown vlink subsystem '{name}' (loaded: {loaded})"
        )
        .at(at)
    })
}

/// The vlink subsystems that are loaded, in words.
struct Subsystems {
    virtual_: bool,
}

impl fmt::Display for Subsystems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = TYPES.lock();
        let kinds = types.iter().filter(|t| t.visible).map(|t| &t.kind);
        let of_kind = kinds.filter(|kind| kind.is_virtual() == self.virtual_);
        let mut names = of_kind.filter_map(|kind| kind.vlink());
        f.write_str(names.next().unwrap_or("none"))?;
        names.try_for_each(|name| write!(f, ", {name}"))
    }
}
