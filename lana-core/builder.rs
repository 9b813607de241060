// SPDX-License-Identifier: GPL-2.0

//! The types of block: type name to factory. Modules of blocks register here; a type in use
//! keeps its module loaded.

use crate::{
    block::{Args, Block, File, Maker, Mode, Object, OptionSpec, Progress},
    error::Failure,
    fail,
    name::{Name, Shown},
    notifier,
    sys::{
        bindings,
        compat::EOPNOTSUPP,
        module::{self, Owner, Pinned},
        slot::Handler,
        vdev::Links,
    },
};
use core::fmt;
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};

kernel::sync::global_lock! {
    // SAFETY: initialised by `init` before anything else of the crate is used.
    unsafe(uninit) static TYPES: Mutex<KVec<Arc<Type>>> = KVec::new();
}

/// Readies the list of types.
///
/// Called once, first thing, by the module's `init`.
pub(crate) fn init() {
    // SAFETY: called exactly once, before any use.
    unsafe { TYPES.init() };
}

/// Gives back what the list of types has allocated, a static being dropped by nobody.
///
/// Called by the module's exit, when no type is left.
pub(crate) fn exit() {
    *TYPES.lock() = KVec::new();
}

/// A block that was made: itself, and its packet handler.
#[derive(Clone)]
pub(crate) struct Made {
    object: Arc<dyn Object>,
    handler: Handler,
}

impl Made {
    /// Gives a block a place of its own.
    pub(crate) fn new<B: Block>(block: B) -> Result<Self> {
        let object = Arc::new(block, GFP_KERNEL)?;
        let handler = Handler::of(&*object);
        Ok(Self { object, handler })
    }

    /// The block.
    pub(crate) fn object(&self) -> &dyn Object {
        &*self.object
    }

    /// Its packet handler, good for as long as the block lives.
    pub(crate) fn handler(&self) -> Handler {
        self.handler
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
    options: &'static [OptionSpec],
    owner: Owner,
    make: fn(&mut Args) -> Result<Made>,
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
    /// Whether its blocks have a file in procfs.
    pub(crate) fn has_file(&self) -> bool {
        !matches!(self.file, File::None)
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
    pub(crate) fn make(&self, args: &mut Args) -> Result<Made> {
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

/// A registered type; dropping it takes the type off the list.
pub struct Registration {
    kind: Arc<Type>,
    _links: Option<Links>,
}

impl Registration {
    /// Registers the type of block `B`, whose code is `owner`'s. Process context, may sleep.
    /// `EEXIST` when there is a type of this name, `EINVAL` when the name is not one.
    pub fn new<B: Block>(owner: Owner) -> Result<Self> {
        fn make<B: Block>(args: &mut Args) -> Result<Made> {
            Made::new(B::new(args)?)
        }
        let name = Name::new(B::TYPE.as_bytes()).map_err(|_| EINVAL)?;
        let mut types = TYPES.lock();
        if types.iter().any(|t| t.name == name) {
            pr_err!("type {} exists already\n", B::TYPE);
            return Err(EEXIST);
        }
        let kind = Arc::new(
            Type {
                name,
                mode: B::MODE,
                ports: [B::INGRESS_PORTS, B::EGRESS_PORTS],
                maker: B::MAKER,
                file: B::FILE,
                watches_ports: B::WATCHES_PORTS,
                options: B::OPTIONS,
                owner,
                make: make::<B>,
                progress: B::progress,
                instances: Atomic::new(0),
                serial: types.last().map_or(0, |t| t.serial).wrapping_add(1),
            },
            GFP_KERNEL,
        )?;
        types.push(kind.clone(), GFP_KERNEL)?;
        drop(types);
        notifier::type_changed(&name, true);
        // From here on a failure takes the type off the list.
        let mut registration = Self { kind, _links: None };
        if registration.kind.is_virtual() {
            registration._links = Some(Links::register()?);
        }
        Ok(registration)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        TYPES.lock().retain(|t| !Arc::ptr_eq(t, &self.kind));
        notifier::type_changed(&self.kind.name, false);
    }
}

/// Goes through the types registered after number `after`, until `f` says no. Sleeps.
pub(crate) fn for_each(after: u64, mut f: impl FnMut(&Type) -> bool) {
    for kind in TYPES.lock().iter().filter(|t| t.serial > after) {
        if !f(kind) {
            break;
        }
    }
}

fn lookup(matches: impl Fn(&Type) -> bool) -> Option<Use> {
    TYPES.lock().iter().find(|&t| matches(t)).and_then(Use::new)
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
        let of_kind = types.iter().filter(|t| t.is_virtual() == self.virtual_);
        let mut names = of_kind.filter_map(|t| t.vlink());
        f.write_str(names.next().unwrap_or("none"))?;
        names.try_for_each(|name| write!(f, ", {name}"))
    }
}
