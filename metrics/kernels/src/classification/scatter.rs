//! Distributes numbers over thousands of places of one large array.
//!
//! Writing each number to its place costs more than all the rest of a sort: a processor fetches a line of memory before
//! it changes eight bytes of it, and with thousands of places in turn the line is gone before the next eight arrive.
//! Here a line of each place is filled in the cache first, then stored whole and past the cache, so that nothing is
//! fetched (software write combining: Balkesen et al. 2013, <https://doi.org/10.1109/ICDE.2013.6544839>, section IV).

/// Numbers in a line of memory.
const LINE: usize = 8;

/// A line of memory on its way.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u64; LINE]);

/// An array that is filled from many places on, each towards the next.
pub(super) struct Scatter<'a> {
    to: &'a mut [u64],
    /// How many numbers before the array's begin its first line of memory begins.
    lead: usize,
    /// Where each place begins.
    starts: Vec<u32>,
    /// Where the next number of each place goes.
    next: Vec<u32>,
    /// What has not been stored yet of the line into which the next number goes.
    lines: Vec<Line>,
}

impl<'a> Scatter<'a> {
    /// Begins at places of an array, in ascending order.
    pub(super) fn new(to: &'a mut [u64], starts: Vec<u32>) -> Self {
        let lead = (LINE - to.as_ptr().align_offset(align_of::<Line>()) % LINE) % LINE;
        let (next, lines) = (starts.clone(), vec![Line([0; LINE]); starts.len()]);
        Self { to, lead, starts, next, lines }
    }

    /// Appends a number at a place.
    #[inline]
    pub(super) fn push(&mut self, place: usize, number: u64) {
        let at = self.next[place];
        self.next[place] = at + 1;
        let at = at as usize;
        let slot = (at + self.lead) % LINE;
        self.lines[place].0[slot] = number;
        if slot == LINE - 1 {
            match at.checked_sub(LINE - 1).filter(|&first| first >= self.starts[place] as usize) {
                Some(first) => store(&mut self.to[first..=at], &self.lines[place]),
                // The place begins within the line, whose first numbers are another's.
                None => self.settle(place),
            }
        }
    }

    /// Stores what lies in the line of a place, number by number.
    fn settle(&mut self, place: usize) {
        let (start, end) = (self.starts[place] as usize, self.next[place] as usize);
        let line = &self.lines[place].0;
        // The line begins where slots begin: at most seven numbers before the last one.
        let first = (end.saturating_sub(1) + self.lead) / LINE * LINE;
        let first = first.saturating_sub(self.lead).max(start);
        for at in first..end {
            self.to[at] = line[(at + self.lead) % LINE];
        }
    }

    /// Stores what is left; where each place ends.
    pub(super) fn finish(mut self) -> Vec<u32> {
        for place in 0..self.starts.len() {
            // Nothing of a line that was stored whole is left.
            if !(self.next[place] as usize + self.lead).is_multiple_of(LINE) {
                self.settle(place);
            }
        }
        std::mem::take(&mut self.next)
    }
}

impl Drop for Scatter<'_> {
    /// What went past the cache is in order before anybody reads it.
    #[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "an instruction that has no safe form"))]
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 processor has it.
        unsafe {
            std::arch::x86_64::_mm_sfence();
        }
    }
}

/// Stores a line past the cache where it lies in one line of memory.
#[inline]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "instructions that have no safe form"))]
#[cfg_attr(
    target_arch = "x86_64",
    expect(clippy::cast_ptr_alignment, reason = "both begin at a multiple of 64")
)]
fn store(to: &mut [u64], line: &Line) {
    #[cfg(target_arch = "x86_64")]
    if to.len() == LINE && to.as_ptr().addr().is_multiple_of(align_of::<Line>()) {
        use std::arch::x86_64::{__m128i, _mm_load_si128, _mm_stream_si128};
        let (to, from) = (to.as_mut_ptr().cast::<__m128i>(), line.0.as_ptr().cast::<__m128i>());
        for part in 0..LINE / 2 {
            // SAFETY: both are 64 bytes long and begin at a multiple of 64; `Scatter` borrows the array until it is
            // dropped, and then puts a fence before whatever reads it.
            unsafe { _mm_stream_si128(to.add(part), _mm_load_si128(from.add(part))) };
        }
        return;
    }
    to.copy_from_slice(&line.0);
}

#[cfg(test)]
mod tests {
    use super::Scatter;

    /// Places of every length from 0 to 40 in an array whose begin lies anywhere in a line.
    #[test]
    fn numbers_stand_where_a_plain_distribution_puts_them() {
        for offset in 0..9 {
            let lengths: Vec<u32> = (0..=40).chain([0, 0, 7, 8, 9, 100]).collect();
            let starts: Vec<u32> =
                lengths.iter().scan(0, |sum, length| Some(std::mem::replace(sum, *sum + length))).collect();
            let total = lengths.iter().sum::<u32>() as usize;
            let mut array = vec![u64::MAX; total + offset + 3];
            let mut scatter = Scatter::new(&mut array[offset..offset + total], starts.clone());
            // In turns, so that lines of all places are under way at once.
            for round in 0..100 {
                for (place, &length) in lengths.iter().enumerate() {
                    if round < length {
                        scatter.push(place, u64::from(starts[place] + round));
                    }
                }
            }
            let ends: Vec<u32> = starts.iter().zip(&lengths).map(|(start, length)| start + length).collect();
            assert_eq!(scatter.finish(), ends);
            assert!(array[..offset].iter().chain(&array[offset + total..]).all(|&n| n == u64::MAX));
            assert!((0..).zip(&array[offset..offset + total]).all(|(at, &number)| number == at), "{offset}");
        }
    }

    #[test]
    fn nothing_to_distribute_is_nothing_written() {
        let mut array = [5_u64; 4];
        assert_eq!(Scatter::new(&mut array[2..2], vec![0, 0]).finish(), [0, 0]);
        assert_eq!(array, [5; 4]);
    }
}
