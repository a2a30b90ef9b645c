//! The processor's atomics or loom's; only this file knows which.
//!
//! All other files use these names, so the code that loom explores is the code that runs on the lamp. Loom's atomics
//! register with a running model and cannot be built at compile time; the two macros hide this difference.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicU32};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32};

/// Declares a function that is `const`, except under loom.
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$meta])*
        $vis const fn $($rest)*
        #[cfg(loom)]
        $(#[$meta])*
        $vis fn $($rest)*
    };
}
pub(crate) use const_unless_loom;

/// An array of `$len` separate evaluations of `$value`: at compile time, except under loom.
macro_rules! array_of {
    ($value:expr; $len:expr) => {{
        #[cfg(not(loom))]
        let array = [const { $value }; $len];
        #[cfg(loom)]
        let array = core::array::from_fn(|_| $value);
        array
    }};
}
pub(crate) use array_of;

/// A cell whose owner is decided by a protocol, accessed through closures, so that loom can check each access.
#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

/// A cell whose owner is decided by a protocol, accessed through closures, so that loom can check each access.
#[cfg(not(loom))]
pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    /// Read access. Code that dereferences the pointer must ensure that nothing writes meanwhile.
    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Write access. Code that dereferences the pointer must ensure that nothing else uses the cell meanwhile.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
