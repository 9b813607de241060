// SPDX-License-Identifier: GPL-2.0

//! The thin layer over `probe.c`: the only place with `unsafe`. Kprobes, and what is called of us.
//!
//! C header: [`include/linux/kprobes.h`](srctree/include/linux/kprobes.h)

use crate::request::{Ask, ARGS};
use core::{marker::PhantomData, ptr, ptr::NonNull};
use kernel::{
    error::{from_err_ptr, to_result},
    ffi::{c_char, c_int, c_void},
    prelude::*,
    seq_file::SeqFile,
    sync::Arc,
    uaccess::{UserPtr, UserSlice},
};

/// `struct otst_arg` of `probe.h`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Arg {
    ask: u32,
    value: u32,
}

impl From<Ask> for Arg {
    fn from(ask: Ask) -> Self {
        let (ask, value) = match ask {
            Ask::Nothing => (0, 0),
            Ask::Print => (1, 0),
            Ask::Equals(value) => (2, value),
            Ask::Netns => (3, 0),
        };
        Self { ask, value }
    }
}

/// `struct otst_ops` of `probe.h`.
#[repr(C)]
struct Ops {
    write: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> c_int,
    /// Its second is a `struct seq_file`.
    show: unsafe extern "C" fn(*mut c_void, *mut c_void),
    reap: unsafe extern "C" fn(*mut c_void),
}

extern "C" {
    fn otst_probe_arm(symbol: *const c_char, args: *const Arg) -> *mut c_void;
    fn otst_probe_disarm(probe: *mut c_void);
    fn otst_probe_recorded(probe: *const c_void) -> bool;
    fn otst_probe_log(probe: *const c_void, symbol: *const c_char);
    fn otst_worker_start(ops: *const Ops, data: *mut c_void);
    fn otst_worker_stop();
    fn otst_file_add() -> c_int;
    fn otst_file_remove();
}

/// A kprobe at the beginning of a function, which records one call.
///
/// # Invariants
///
/// The pointer is what `otst_probe_arm()` returned: registered, and ours alone to unregister.
pub(crate) struct Probe(NonNull<c_void>);

// SAFETY: any task may look at a probe and unregister it.
unsafe impl Send for Probe {}

impl Probe {
    /// Registers it. Sleeps. `ENOENT`: the kernel knows no such symbol; `EINVAL`: it may not be probed.
    pub(crate) fn arm(symbol: &CStr, asked: &[Ask; ARGS]) -> Result<Self> {
        let args = asked.map(Arg::from);
        // SAFETY: the symbol ends with NUL, there are as many arguments as C reads.
        let probe = from_err_ptr(unsafe { otst_probe_arm(symbol.as_char_ptr(), args.as_ptr()) })?;
        // INVARIANT: it is registered, and nobody else knows it.
        NonNull::new(probe).map(Self).ok_or(ENOMEM)
    }

    /// Whether the call it was waiting for has come.
    pub(crate) fn is_recorded(&self) -> bool {
        // SAFETY: by the type's invariant it is there.
        unsafe { otst_probe_recorded(self.0.as_ptr()) }
    }

    /// Prints the call, if it has come.
    pub(crate) fn log(&self, symbol: &CStr) {
        if self.is_recorded() {
            // SAFETY: by the type's invariant it is there; the symbol ends with NUL; nobody writes what was
            // recorded.
            unsafe { otst_probe_log(self.0.as_ptr(), symbol.as_char_ptr()) };
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant it is registered, and nobody uses it after us.
        unsafe { otst_probe_disarm(self.0.as_ptr()) };
    }
}

/// What is called in process context.
pub(crate) trait Service: Send + Sync + 'static {
    /// Something was written to the file.
    fn write(&self, text: &[u8]) -> Result;
    /// The file is read.
    fn show(&self, to: &SeqFile);
    /// A call was recorded, of a probe or of several.
    fn reap(&self);
}

/// The longest that can be written to the file at once.
const WRITE_MAX: usize = 4096;

/// # Safety
///
/// `data` is the service of the [`Worker`] that lives; `buf` is what user space said.
unsafe extern "C" fn write<S: Service>(data: *mut c_void, buf: *mut c_void, len: usize) -> c_int {
    if len > WRITE_MAX {
        return E2BIG.to_errno();
    }
    let mut text = KVec::new();
    let read = UserSlice::new(UserPtr::from_ptr(buf), len).read_all(&mut text, GFP_KERNEL);
    // SAFETY: `data` is the service, which the worker keeps until procfs calls it no more.
    let service = unsafe { &*data.cast::<S>() };
    match read.and_then(|()| service.write(&text)) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}

/// # Safety
///
/// `data` is the service of the [`Worker`] that lives; `m` is open, and one task uses it.
unsafe extern "C" fn show<S: Service>(data: *mut c_void, m: *mut c_void) {
    // SAFETY: `data` is the service, which lives, and `m` is an open file that this task alone uses.
    unsafe { (*data.cast::<S>()).show(SeqFile::from_raw(m.cast())) };
}

/// # Safety
///
/// `data` is the service of the [`Worker`] that lives.
unsafe extern "C" fn reap<S: Service>(data: *mut c_void) {
    // SAFETY: `data` is the service, which lives until the last work has run.
    unsafe { (*data.cast::<S>()).reap() };
}

/// Has a service called when a probe has recorded a call. There is one of it.
///
/// # Invariants
///
/// C knows the functions above for `S`, and the service, which the value keeps. No probe is armed before it
/// is made, nor after it is dropped.
pub(crate) struct Worker<S: Service> {
    _service: Arc<S>,
}

impl<S: Service> Worker<S> {
    const OPS: &'static Ops = &Ops {
        write: write::<S>,
        show: show::<S>,
        reap: reap::<S>,
    };

    /// Starts it: called once, by the module's init, before anything else of this file.
    pub(crate) fn start(service: Arc<S>) -> Self {
        let data = Arc::as_ptr(&service).cast_mut().cast();
        // INVARIANT: and the value keeps the service.
        // SAFETY: the functions live as long as the module, the service as long as the value.
        unsafe { otst_worker_start(ptr::from_ref(Self::OPS), data) };
        Self { _service: service }
    }
}

impl<S: Service> Drop for Worker<S> {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant nobody wakes it any more.
        unsafe { otst_worker_stop() };
    }
}

/// `/proc/driver/otst`.
///
/// # Invariants
///
/// The file is registered, and the service of the worker outlives it.
pub(crate) struct File<S: Service>(PhantomData<S>);

impl<S: Service> File<S> {
    /// Makes it. It is dropped before the worker is.
    pub(crate) fn new(_: &Worker<S>) -> Result<Self> {
        // SAFETY: the worker has told C what the file's handlers call.
        to_result(unsafe { otst_file_add() })?;
        // INVARIANT: registered; that it goes first is the caller's.
        Ok(Self(PhantomData))
    }
}

impl<S: Service> Drop for File<S> {
    fn drop(&mut self) {
        // SAFETY: by the type's invariant it is registered.
        unsafe { otst_file_remove() };
    }
}
