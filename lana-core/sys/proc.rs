// SPDX-License-Identifier: GPL-2.0

//! procfs: directories and files that go when their value is dropped.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h)

use super::bindings;
use crate::{graph::Graph, name::Name, procfs, registry::Instance};
use core::{
    ffi::{c_int, c_void},
    ptr,
    ptr::NonNull,
};
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    uaccess::{UserPtr, UserSlice},
};

/// An entry of procfs.
///
/// # Invariants
///
/// The entry is registered. What its handlers are given outlives it.
pub(crate) struct Entry(NonNull<bindings::proc_dir_entry>);

// SAFETY: entries may be removed by any task.
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
        unsafe { bindings::lana_proc_remove(self.0.as_ptr()) };
    }
}

/// `/proc/net/lana` of a namespace.
pub(crate) struct Tree {
    // The directory of the blocks is below the other one, so it goes first.
    fblock: Entry,
    _root: Entry,
}

impl Tree {
    /// Makes the tree of a graph, which keeps it. Sleeps.
    pub(crate) fn new(graph: &Graph) -> Result<Self> {
        let net = graph.net().as_ptr();
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
                (c"ppe", show_ppe as unsafe extern "C" fn(_, _) -> _),
                (c"vlink", show_vlink),
                (c"sockets", show_sockets),
                (c"family", show_family),
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

/// `/proc/net/lana/fblock/<name>`: the file of a name, whichever block has it.
pub(crate) struct File {
    // The entry goes before what its handlers read.
    _entry: Entry,
    _data: KBox<FileData>,
}

/// A file of a name that is open.
///
/// # Invariants
///
/// The file's data outlive it: the entry is removed before they are, and closes all that are open.
struct Opened {
    file: NonNull<FileData>,
    writing: procfs::Writing,
}

struct FileData {
    /// Outlives the file: the graph's registry owns it.
    graph: NonNull<Graph>,
    name: Name,
}

// SAFETY: graphs may be used on any CPU.
unsafe impl Send for FileData {}
// SAFETY: a graph may be used on any CPU, and by several at once; the name is only read.
unsafe impl Sync for FileData {}

impl File {
    /// Makes the file of a name. It is dropped without the graph's lock, which its handlers take.
    /// Sleeps.
    pub(crate) fn new(tree: &Tree, graph: &Graph, name: &Name) -> Result<Self> {
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

/// # Safety
///
/// `m` is an open file of [`Tree`]; it keeps the namespace, which keeps the graph.
unsafe fn single<'a>(m: *mut bindings::seq_file) -> (&'a SeqFile, &'a Graph) {
    // SAFETY: `m` is an open file of `Tree`, which keeps the graph; one task at a time uses a sequence
    // file.
    unsafe {
        let graph = bindings::lana_proc_single_graph(m).cast::<Graph>();
        (SeqFile::from_raw(m.cast()), &*graph)
    }
}

/// The handler of a file of [`Tree`], which prints what `$print` does.
macro_rules! show {
    ($show:ident, $print:path) => {
        /// # Safety
        ///
        /// Called by procfs for a file of [`Tree`].
        unsafe extern "C" fn $show(m: *mut bindings::seq_file, _: *mut c_void) -> c_int {
            // SAFETY: procfs calls this for a file of `Tree` only.
            let (m, graph) = unsafe { single(m) };
            $print(m, graph);
            0
        }
    };
}

show!(show_ppe, procfs::ppe);
show!(show_vlink, procfs::vlink);
show!(show_sockets, procfs::sockets);
show!(show_family, procfs::family);

/// Finds the first block from position `*pos` on, which counts in IDPs, and lets the position be
/// that of the block. The walk goes from IDP to IDP, holding no lock in between.
///
/// # Safety
///
/// Called by procfs for `fblocks`.
#[no_mangle]
unsafe extern "C" fn lana_fblocks_start(m: *mut bindings::seq_file, pos: *mut i64) -> *mut c_void {
    // SAFETY: procfs calls this for `fblocks` only, with a file that keeps the graph and a position of its
    // own.
    let (graph, pos) = unsafe {
        (
            &*bindings::lana_proc_fblocks_graph(m).cast::<Graph>(),
            &mut *pos,
        )
    };
    let from = u32::try_from(*pos).unwrap_or(u32::MAX);
    match procfs::next_fblock(graph, from) {
        Some(idp) => {
            *pos = i64::from(idp);
            // A number that `show` gets back, not an address; 0 is no IDP.
            ptr::without_provenance_mut(idp as usize)
        }
        None => ptr::null_mut(),
    }
}

/// # Safety
///
/// Called by procfs for `fblocks`.
#[no_mangle]
unsafe extern "C" fn lana_fblocks_next(
    m: *mut bindings::seq_file,
    _: *mut c_void,
    pos: *mut i64,
) -> *mut c_void {
    // SAFETY: procfs calls this for `fblocks` only, with a position of its own.
    unsafe {
        *pos = (*pos).wrapping_add(1);
        lana_fblocks_start(m, pos)
    }
}

/// # Safety
///
/// Called by procfs for `fblocks`.
#[no_mangle]
unsafe extern "C" fn lana_fblocks_stop(_: *mut bindings::seq_file, _: *mut c_void) {}

/// # Safety
///
/// Called by procfs for `fblocks`, with what `start` or `next` returned.
#[no_mangle]
unsafe extern "C" fn lana_fblocks_show(m: *mut bindings::seq_file, v: *mut c_void) -> c_int {
    // SAFETY: procfs calls this for `fblocks` only, with a file that keeps the graph.
    let (graph, m) = unsafe {
        (
            &*bindings::lana_proc_fblocks_graph(m).cast::<Graph>(),
            SeqFile::from_raw(m.cast()),
        )
    };
    procfs::fblock_line(m, graph, v.addr() as u32);
    0
}

/// A [`File`] is opened: what the other handlers get, or null for lack of memory.
///
/// # Safety
///
/// Called by procfs with the [`FileData`] of a [`File`].
#[no_mangle]
unsafe extern "C" fn lana_fblock_open(file: *mut c_void) -> *mut c_void {
    let opened = NonNull::new(file.cast()).and_then(|file| {
        // INVARIANT: procfs closes it first.
        let writing = procfs::Writing::default();
        KBox::new(Opened { file, writing }, GFP_KERNEL).ok()
    });
    opened.map_or(ptr::null_mut(), |opened| KBox::into_raw(opened).cast())
}

/// It is closed.
///
/// # Safety
///
/// Called by procfs, once, with what [`lana_fblock_open`] returned; no other handler runs.
#[no_mangle]
unsafe extern "C" fn lana_fblock_close(opened: *mut c_void) {
    // SAFETY: `lana_fblock_open` gave it by `KBox::into_raw`, and procfs closes a file once.
    let opened = unsafe { KBox::from_raw(opened.cast::<Opened>()) };
    let Opened { file, writing } = KBox::into_inner(opened);
    // SAFETY: by the invariants; the graph lives as long as the file.
    let (graph, name) = unsafe {
        let data = file.as_ref();
        (data.graph.as_ref(), &data.name)
    };
    writing.close(graph, name);
}

/// # Safety
///
/// Called by procfs for a [`File`]; `admin` says whether its reader may see options.
#[no_mangle]
unsafe extern "C" fn lana_fblock_show(m: *mut bindings::seq_file, admin: bool) -> c_int {
    // SAFETY: the file is an `Opened`, whose graph lives as long as the file.
    let (m, graph, name) = unsafe {
        let data = (*(*m).private.cast::<Opened>()).file.as_ref();
        (SeqFile::from_raw(m.cast()), data.graph.as_ref(), &data.name)
    };
    match procfs::fblock(m, graph, name, admin) {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}

/// # Safety
///
/// Called by procfs for a [`File`], one call at a time, with what [`lana_fblock_open`] returned;
/// `buf` is what user space said.
#[no_mangle]
unsafe extern "C" fn lana_fblock_write(
    opened: *mut c_void,
    buf: *const c_void,
    len: usize,
    at: i64,
) -> isize {
    // SAFETY: it is an open `Opened`, and one call at a time writes; readers of the file do not look at
    // what was written.
    let (file, writing) = unsafe {
        let opened = opened.cast::<Opened>();
        ((*opened).file, &mut (*opened).writing)
    };
    // SAFETY: by the invariants; the graph lives as long as the file.
    let (graph, name) = unsafe {
        let data = file.as_ref();
        (data.graph.as_ref(), &data.name)
    };
    let reader = UserSlice::new(UserPtr::from_ptr(buf.cast_mut()), len).reader();
    match writing.write(graph, name, reader, usize::try_from(at).ok()) {
        Ok(()) => len as isize,
        Err(e) => e.to_errno() as isize,
    }
}

/// Bytes as they are.
pub(crate) fn print_bytes(m: &SeqFile, bytes: &[u8]) {
    let m = ptr::from_ref(m).cast_mut().cast();
    // SAFETY: the file is open, the bytes are readable.
    unsafe { bindings::lana_seq_write(m, bytes.as_ptr().cast(), bytes.len()) };
}

/// An address for people: hashed, as `%p` prints it.
pub(crate) fn print_pointer(m: &SeqFile, what: &Instance) {
    // SAFETY: the file is open, the format takes one pointer.
    unsafe {
        bindings::lana_seq_pointer(
            ptr::from_ref(m).cast_mut().cast(),
            ptr::from_ref(what).cast(),
        )
    };
}
