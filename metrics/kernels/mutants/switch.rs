//! Which mutant is on. Compiled into the copy that `mutants.sh` makes, never into Fiel.
//!
//! `MUTANT=n` switches mutant n on. `MUTANT_TRACE=file` switches none on and writes the number of each mutant whose
//! place is reached into the file.

use std::io::Write as _;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

/// 0 until the environment was looked at.
static ACTIVE: AtomicU32 = AtomicU32::new(0);
const NONE: u32 = u32::MAX;
const TRACE: u32 = u32::MAX - 1;
static SEEN: [AtomicU8; 1 << 16] = [const { AtomicU8::new(0) }; 1 << 16];
static FILE: std::sync::OnceLock<std::sync::Mutex<std::fs::File>> = std::sync::OnceLock::new();

#[cold]
fn look() -> u32 {
    let chosen = if let Ok(path) = std::env::var("MUTANT_TRACE") {
        let file = std::fs::File::create(path).expect("a file for the trace");
        let _ = FILE.set(std::sync::Mutex::new(file));
        TRACE
    } else {
        std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(NONE)
    };
    ACTIVE.store(chosen, Relaxed);
    chosen
}

#[cold]
fn trace(numbers: &[u32]) {
    for &number in numbers {
        let seen = &SEEN[number as usize];
        // Reading first keeps hot loops from fighting over the line of memory.
        if seen.load(Relaxed) == 0 && seen.swap(1, Relaxed) == 0 {
            let mut file = FILE.get().expect("opened first").lock().expect("no panic while writing");
            writeln!(file, "{number}").expect("room for the trace");
        }
    }
}

/// The active mutant, told that these were reached.
#[inline]
pub(crate) fn pick(numbers: &[u32]) -> u32 {
    let mut active = ACTIVE.load(Relaxed);
    if active == 0 {
        active = look();
    }
    if active == TRACE {
        trace(numbers);
    }
    active
}

#[inline]
pub(crate) fn on(number: u32) -> bool {
    pick(&[number]) == number
}

#[inline]
pub(crate) fn off(number: u32) -> bool {
    !on(number)
}

#[inline]
pub(crate) fn neg<A: core::ops::Neg<Output = A>>(number: u32, a: A) -> A {
    if on(number) { a } else { -a }
}

#[inline]
pub(crate) fn not<A: core::ops::Not<Output = A>>(number: u32, a: A) -> A {
    if on(number) { a } else { !a }
}
