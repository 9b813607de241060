// SPDX-License-Identifier: GPL-2.0

//! procfs: directories and files that go when their value is dropped. What they show, the floor above says
//! by [`procfs!`].
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use super::{
    bindings,
    net::{self, Net, Registered},
    slot::Idp,
};
use crate::base::name::Name;
use core::{
    ffi::{c_int, c_void},
    ptr,
    ptr::NonNull,
};
use kernel::{
    error::from_result,
    prelude::*,
    seq_file::SeqFile,
    types::ForeignOwnable,
    uaccess::{UserPtr, UserSlice, UserSliceReader},
};

/// An entry of procfs.
///
/// # Invariants
///
/// The entry is registered. What its handlers are given outlives it.
pub(crate) struct Entry(NonNull<bindings::proc_dir_entry>);

// SAFETY: `proc_remove()` may be called by any task.
unsafe impl Send for Entry {}
// SAFETY: there is nothing to do with a shared one.
unsafe impl Sync for Entry {}

impl Entry {
    fn new(entry: *mut bindings::proc_dir_entry) -> Result<Self> {
        NonNull::new(entry).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Waits for the handlers that run, and removes what is below it.
        // SAFETY: registered, by the invariants.
        unsafe { bindings::proc_remove(self.0.as_ptr()) };
    }
}

/// `/proc/net/lana` of a namespace.
pub(crate) struct Tree {
    // The directory of the blocks is below the other one, so it goes first.
    fblock: Entry,
    _root: Entry,
}

impl Tree {
    /// Makes the tree of a namespace, whose graph keeps it. Sleeps.
    pub(crate) fn new(net: &Net) -> Result<Self> {
        let net = net.as_ptr();
        // SAFETY: the namespace is live; the names end with NUL; the handlers take a graph.
        unsafe {
            let root = Entry::new(bindings::lana_proc_mkdir(
                net,
                c"lana".as_char_ptr(),
                ptr::null_mut(),
            ))?;
            let dir = root.0.as_ptr();
            // What is below the root goes with it.
            for (name, show) in [
                (
                    c"ppe",
                    bindings::lana_show_ppe as unsafe extern "C" fn(_, _) -> _,
                ),
                (c"vlink", bindings::lana_show_vlink),
                (c"sockets", bindings::lana_show_sockets),
                (c"family", bindings::lana_show_family),
            ] {
                NonNull::new(bindings::lana_proc_single(
                    name.as_char_ptr(),
                    dir,
                    Some(show),
                ))
                .ok_or(ENOMEM)?;
            }
            NonNull::new(bindings::lana_proc_fblocks(dir)).ok_or(ENOMEM)?;
            let fblock = Entry::new(bindings::lana_proc_mkdir(net, c"fblock".as_char_ptr(), dir))?;
            Ok(Self {
                fblock,
                _root: root,
            })
        }
    }
}

/// `/proc/net/lana/fblock/<name>`: the file of a name, whichever block has it. A `G` is what namespaces own.
pub(crate) struct File<G: Registered> {
    // The entry goes before what its handlers read.
    _entry: Entry,
    _data: KBox<FileData<G>>,
}

/// A file of a name that is open. The entry is removed before the file's data are, and closes all that are open.
struct Opened<F: Files> {
    file: Reference<F::Graph>,
    writing: F::Writing,
    /// Where the part begins that follows the one that was shown last.
    next: i64,
}

/// A reference to the data of a file.
///
/// # Invariants
///
/// The data outlive the value, and their graph does.
struct Reference<G>(NonNull<FileData<G>>);

impl<G> Reference<G> {
    /// The graph and the name that the file is of.
    fn get(&self) -> (&G, &Name) {
        // SAFETY: by the type's invariants both the data and their graph are live.
        unsafe {
            let data = self.0.as_ref();
            (data.graph.as_ref(), &data.name)
        }
    }
}

struct FileData<G> {
    /// Outlives the file: the graph's registry owns it.
    graph: NonNull<G>,
    name: Name,
}

// SAFETY: a graph may be used on any CPU, and a name is bytes.
unsafe impl<G: Registered> Send for FileData<G> {}
// SAFETY: a graph may be used on any CPU, and by several at once; the name is only read.
unsafe impl<G: Registered> Sync for FileData<G> {}

impl<G: Registered> File<G> {
    /// Makes the file of a name. It is dropped without the graph's lock, which its handlers take.
    /// Sleeps.
    pub(crate) fn new(tree: &Tree, graph: &G, name: &Name) -> Result<Self> {
        let data = KBox::new(
            FileData {
                graph: NonNull::from(graph),
                name: *name,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: the directory is registered, the name ends with NUL, the handlers take a
        // `FileData`, which goes after the entry.
        let entry = unsafe {
            bindings::lana_proc_fblock(
                name.as_c_str().as_char_ptr(),
                tree.fblock.0.as_ptr(),
                (&raw const *data).cast_mut().cast(),
            )
        };
        Ok(Self {
            _entry: Entry::new(entry)?,
            _data: data,
        })
    }
}

/// What the files show, and what writing to them does. All may sleep.
pub(crate) trait Files {
    /// What namespaces own.
    type Graph: Registered;
    /// What a program has written to an open file of a block so far.
    type Writing: Default;

    /// Shows `ppe`.
    fn ppe(m: &SeqFile, graph: &Self::Graph);
    /// Shows `vlink`.
    fn vlink(m: &SeqFile, graph: &Self::Graph);
    /// Shows `sockets`.
    fn sockets(m: &SeqFile, graph: &Self::Graph);
    /// Shows `family`.
    fn family(m: &SeqFile, graph: &Self::Graph);
    /// The first block at or after an IDP, for `fblocks`.
    fn next_fblock(graph: &Self::Graph, from: Idp) -> Option<Idp>;
    /// Shows its line there.
    fn fblock_line(m: &SeqFile, graph: &Self::Graph, idp: Idp);
    /// Shows the part of the file of a block that begins at `from`, and says where the next one does; `admin` says
    /// whether its reader may see options.
    fn fblock(
        m: &SeqFile,
        graph: &Self::Graph,
        name: &Name,
        from: u64,
        admin: bool,
    ) -> Result<Option<u64>>;
    /// Takes what is written to it at a position.
    fn write(
        writing: &mut Self::Writing,
        graph: &Self::Graph,
        name: &Name,
        reader: UserSliceReader,
        at: Option<usize>,
    ) -> Result;
    /// It is closed.
    fn close(writing: Self::Writing, graph: &Self::Graph, name: &Name);
}

/// Shows a file of [`Tree`] by `show`.
///
/// # Safety
///
/// `m` is an open file of [`Tree`]; it keeps the namespace, which keeps the graph.
pub(crate) unsafe fn single<G: Registered>(
    m: *mut bindings::seq_file,
    show: fn(&SeqFile, &G),
) -> c_int {
    // SAFETY: `m` is an open file of `Tree`, which keeps the graph; one task at a time uses a sequence
    // file.
    let (graph, m) = unsafe {
        let graph = net::graph(bindings::lana_proc_single_graph(m));
        (graph, SeqFile::from_raw(m.cast()))
    };
    if let Some(graph) = graph {
        show(m, graph);
    }
    0
}

/// Finds the first block from position `*pos` on, which counts in IDPs, and lets the position be
/// that of the block. The walk goes from IDP to IDP, holding no lock in between.
///
/// # Safety
///
/// Called by procfs for `fblocks`.
pub(crate) unsafe fn fblocks_start<F: Files>(
    m: *mut bindings::seq_file,
    pos: *mut i64,
) -> *mut c_void {
    // SAFETY: procfs calls this for `fblocks` only, with a file that keeps the graph and a position of its
    // own.
    let (graph, pos) = unsafe {
        let graph = net::graph(bindings::lana_proc_fblocks_graph(m));
        (graph, &mut *pos)
    };
    let from = u32::try_from(*pos).unwrap_or(u32::MAX);
    match graph.and_then(|graph| F::next_fblock(graph, from)) {
        Some(idp) => {
            *pos = i64::from(idp);
            // A number that `show` gets back, not an address; 0 is no IDP.
            ptr::without_provenance_mut(idp as usize)
        }
        None => ptr::null_mut(),
    }
}

/// The same for the position after `*pos`.
///
/// # Safety
///
/// Called by procfs for `fblocks`.
pub(crate) unsafe fn fblocks_next<F: Files>(
    m: *mut bindings::seq_file,
    pos: *mut i64,
) -> *mut c_void {
    // SAFETY: procfs calls this for `fblocks` only, with a position of its own.
    unsafe {
        *pos = (*pos).wrapping_add(1);
        fblocks_start::<F>(m, pos)
    }
}

/// # Safety
///
/// Called by procfs for `fblocks`.
#[no_mangle]
unsafe extern "C" fn lana_fblocks_stop(_: *mut bindings::seq_file, _: *mut c_void) {}

/// Shows a line of `fblocks`.
///
/// # Safety
///
/// Called by procfs for `fblocks`, with what `start` or `next` returned.
pub(crate) unsafe fn fblocks_show<F: Files>(m: *mut bindings::seq_file, v: *mut c_void) -> c_int {
    // SAFETY: procfs calls this for `fblocks` only, with a file that keeps the graph.
    let (graph, m) = unsafe {
        let graph = net::graph(bindings::lana_proc_fblocks_graph(m));
        (graph, SeqFile::from_raw(m.cast()))
    };
    if let Some(graph) = graph {
        F::fblock_line(m, graph, v.addr() as u32);
    }
    0
}

/// A [`File`] is opened: what the other handlers get, or null for lack of memory.
///
/// # Safety
///
/// Called by procfs with the [`FileData`] of a [`File`].
pub(crate) unsafe fn fblock_open<F: Files>(file: *mut c_void) -> *mut c_void {
    let opened = NonNull::new(file.cast()).and_then(|file| {
        // INVARIANT: procfs closes it before the data go.
        let file = Reference(file);
        let opened = Opened::<F> {
            file,
            writing: F::Writing::default(),
            next: i64::MAX,
        };
        KBox::new(opened, GFP_KERNEL).ok()
    });
    opened.map_or(ptr::null_mut(), ForeignOwnable::into_foreign)
}

/// It is closed.
///
/// # Safety
///
/// Called by procfs, once, with what [`fblock_open`] returned; no other handler runs.
pub(crate) unsafe fn fblock_close<F: Files>(opened: *mut c_void) {
    // SAFETY: `fblock_open` gave it, and procfs closes a file once.
    let opened = unsafe { KBox::<Opened<F>>::from_foreign(opened) };
    let Opened { file, writing, .. } = KBox::into_inner(opened);
    let (graph, name) = file.get();
    F::close(writing, graph, name);
}

/// Shows the part of a [`File`] that begins at the file's position.
///
/// # Safety
///
/// Called by procfs for a [`File`]; `admin` says whether its reader may see options.
pub(crate) unsafe fn fblock_show<F: Files>(m: *mut bindings::seq_file, admin: bool) -> c_int {
    // SAFETY: what the file has is what `fblock_open` gave. Its lock is held, as by who writes.
    let (opened, at, m) = unsafe {
        let opened = KBox::<Opened<F>>::borrow_mut((*m).private);
        (opened, (*m).index, SeqFile::from_raw(m.cast()))
    };
    let (graph, name) = opened.file.get();
    from_result(|| {
        let from = u64::try_from(at).unwrap_or(0);
        let next = F::fblock(m, graph, name, from, admin)?;
        let next = next.and_then(|next| i64::try_from(next).ok());
        // A file that does not go on would have no end.
        opened.next = next.filter(|next| *next > at).unwrap_or(i64::MAX);
        Ok(0)
    })
}

/// Where the part of a [`File`] begins that follows the one that was shown last.
///
/// # Safety
///
/// Called by procfs for a [`File`], with what [`fblock_open`] returned and the file's lock held.
pub(crate) unsafe fn fblock_next<F: Files>(opened: *mut c_void) -> i64 {
    // SAFETY: `fblock_open` gave it, and the lock of the file, which is held, keeps others from it.
    unsafe { KBox::<Opened<F>>::borrow(opened) }.next
}

/// Something is written to a [`File`].
///
/// # Safety
///
/// Called by procfs for a [`File`], one call at a time, with what [`fblock_open`] returned;
/// `buf` is what user space said.
pub(crate) unsafe fn fblock_write<F: Files>(
    opened: *mut c_void,
    buf: *const c_void,
    len: usize,
    at: i64,
) -> isize {
    // SAFETY: `fblock_open` gave it, and the lock of the file, which is held, keeps others from it.
    let Opened { file, writing, .. } = unsafe { KBox::<Opened<F>>::borrow_mut(opened) };
    let (graph, name) = file.get();
    let reader = UserSlice::new(UserPtr::from_ptr(buf.cast_mut()), len).reader();
    let at = usize::try_from(at).ok();
    from_result(|| F::write(writing, graph, name, reader, at).map(|()| len as isize))
}

/// What the files show: a [`Files`]. Said once in the crate, as it defines the functions that C calls.
macro_rules! procfs {
    ($files:ty) => {
        $crate::sys::proc::procfs!(@single $files, lana_show_ppe, ppe);
        $crate::sys::proc::procfs!(@single $files, lana_show_vlink, vlink);
        $crate::sys::proc::procfs!(@single $files, lana_show_sockets, sockets);
        $crate::sys::proc::procfs!(@single $files, lana_show_family, family);
        $crate::sys::proc::procfs! { @call $files,
            lana_fblocks_start => fblocks_start(
                m: *mut $crate::sys::bindings::seq_file, pos: *mut i64,
            ) -> *mut ::core::ffi::c_void;
            lana_fblocks_show => fblocks_show(
                m: *mut $crate::sys::bindings::seq_file, v: *mut ::core::ffi::c_void,
            ) -> ::core::ffi::c_int;
            lana_fblock_open => fblock_open(file: *mut ::core::ffi::c_void,)
                -> *mut ::core::ffi::c_void;
            lana_fblock_close => fblock_close(opened: *mut ::core::ffi::c_void,) -> ();
            lana_fblock_show => fblock_show(
                m: *mut $crate::sys::bindings::seq_file, admin: bool,
            ) -> ::core::ffi::c_int;
            lana_fblock_next => fblock_next(opened: *mut ::core::ffi::c_void,) -> i64;
            lana_fblock_write => fblock_write(
                opened: *mut ::core::ffi::c_void, buf: *const ::core::ffi::c_void, len: usize, at: i64,
            ) -> isize;
        }

        /// # Safety
        ///
        /// See [`fblocks_next`]($crate::sys::proc::fblocks_next).
        #[no_mangle]
        unsafe extern "C" fn lana_fblocks_next(
            m: *mut $crate::sys::bindings::seq_file,
            _: *mut ::core::ffi::c_void,
            pos: *mut i64,
        ) -> *mut ::core::ffi::c_void {
            // SAFETY: the contract is the same.
            unsafe { $crate::sys::proc::fblocks_next::<$files>(m, pos) }
        }
    };
    (@single $files:ty, $symbol:ident, $show:ident) => {
        /// # Safety
        ///
        /// Called by procfs for a file of [`Tree`]($crate::sys::proc::Tree).
        #[no_mangle]
        unsafe extern "C" fn $symbol(
            m: *mut $crate::sys::bindings::seq_file,
            _: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int {
            // SAFETY: procfs calls this for a file of `Tree` only.
            unsafe { $crate::sys::proc::single(m, <$files as $crate::sys::proc::Files>::$show) }
        }
    };
    (@call $files:ty, $($symbol:ident => $function:ident($($arg:ident: $type:ty,)*) -> $result:ty;)*) => {
        $(
            /// # Safety
            ///
            /// As for the function of `sys::proc` that it calls.
            #[no_mangle]
            unsafe extern "C" fn $symbol($($arg: $type),*) -> $result {
                // SAFETY: the contract is the same.
                unsafe { $crate::sys::proc::$function::<$files>($($arg),*) }
            }
        )*
    };
}
pub(crate) use procfs;

/// Bytes as they are.
pub(crate) fn print_bytes(m: &SeqFile, bytes: &[u8]) {
    let m = ptr::from_ref(m).cast_mut().cast();
    // SAFETY: the file is open, the bytes are readable.
    unsafe { bindings::seq_write(m, bytes.as_ptr().cast(), bytes.len()) };
}

/// An address for people: hashed, as `%p` prints it.
pub(crate) fn print_pointer<T>(m: &SeqFile, what: &T) {
    // SAFETY: the file is open, the format takes one pointer.
    unsafe {
        bindings::seq_printf(
            ptr::from_ref(m).cast_mut().cast(),
            c"%p".as_char_ptr(),
            ptr::from_ref(what),
        )
    };
}
