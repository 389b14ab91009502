//! Large arrays as fast as the memory gives and takes them.

/// Size of a large page of x86-64 and of most ARM machines.
#[cfg(target_os = "linux")]
const PAGE: usize = 2 << 20;

/// How far ahead of what is read to fetch, in bytes: what the memory delivers while a line is asked for.
const AHEAD: usize = 4096;

/// Size of a line of memory.
const LINE: usize = 64;

/// An array of zeros that will be written to everywhere, in large pages where the system has such.
///
/// A page that is touched for the first time costs the system about as much as 500 numbers cost a kernel; 80 MB are 20,000
/// pages of 4 KiB, or 40 of 2 MiB.
pub(crate) fn zeros<T: Copy + Default>(length: usize) -> Vec<T> {
    let zeros = vec![T::default(); length];
    prefer_large_pages(&zeros);
    zeros
}

/// Asks the system for large pages below an array of several MiB. A wish: whether it is granted changes no value.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the system call takes an address")]
fn prefer_large_pages<T>(array: &[T]) {
    let bytes = array.as_ptr_range();
    let first = bytes.start.addr().next_multiple_of(PAGE);
    let length = (bytes.end.addr() & !(PAGE - 1)).saturating_sub(first);
    if length == 0 {
        return;
    }
    let pages = bytes.start.with_addr(first).cast_mut().cast();
    // SAFETY: the whole pages between both addresses are this array's own, and the advice changes nothing of their
    // content or their rights.
    let _refused = unsafe { rustix::mm::madvise(pages, length, rustix::mm::Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn prefer_large_pages<T>(_array: &[T]) {}

/// Fetches what lies some lines of memory after this part of an array that is read from begin to end.
///
/// The processor does so by itself, but starts anew on every page of 4 KiB: this gains a sixth on one that has much
/// latency to hide.
#[inline]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "an instruction that has no safe form"))]
pub(crate) fn fetch_ahead<T>(part: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..size_of_val(part).div_ceil(LINE) {
        let address = part.as_ptr().cast::<i8>().wrapping_add(AHEAD + line * LINE);
        // SAFETY: every x86-64 processor has it, and it does nothing for an address that is not ours.
        unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn zeros_are_zeros_of_any_length() {
        for length in [0, 1, 1000, 3 << 20] {
            let zeros = super::zeros::<u64>(length);
            assert!(zeros.len() == length && zeros.iter().all(|&n| n == 0));
        }
    }
}
