//! Sorting of floating-point values, by radix.

const DIGITS: [(u32, usize); 3] = [(32, 11), (43, 11), (54, 10)];
const BUCKETS: usize = 1 << 11;

/// A key whose order as an integer is the value's order as a number; -0 and +0 share one key.
fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

/// Positions of the values in ascending order; equal values keep their order. No value may be NaN.
///
/// The upper halves of the keys are sorted by radix together with the positions, eight bytes per value; runs that the
/// upper half leaves undecided are then sorted by the whole key. So the cost is linear unless most values agree in
/// their first 20 bits without being equal.
#[expect(clippy::cast_possible_truncation, reason = "the callers refuse more than u32::MAX values")]
pub(crate) fn ascending(values: &[f64]) -> Vec<u32> {
    let Some(&first) = values.first() else { return Vec::new() };
    let first = key(first);
    let mut packed = Vec::with_capacity(values.len());
    let mut counts = vec![[0_u32; BUCKETS]; DIGITS.len()];
    let mut lower_halves_differ = 0;
    for (i, &value) in values.iter().enumerate() {
        let key = key(value);
        lower_halves_differ |= (key ^ first) & 0xFFFF_FFFF;
        let entry = (key >> 32 << 32) | i as u64;
        for (count, (shift, bits)) in counts.iter_mut().zip(DIGITS) {
            count[(entry >> shift) as usize & ((1 << bits) - 1)] += 1;
        }
        packed.push(entry);
    }
    let mut other = vec![0_u64; packed.len()];
    for (count, (shift, bits)) in counts.iter_mut().zip(DIGITS) {
        let mask = (1 << bits) - 1;
        if count[(packed[0] >> shift) as usize & mask] as usize == packed.len() {
            continue;
        }
        let mut next = 0;
        for bucket in count.iter_mut() {
            next += std::mem::replace(bucket, next);
        }
        for &entry in &packed {
            let place = &mut count[(entry >> shift) as usize & mask];
            other[*place as usize] = entry;
            *place += 1;
        }
        std::mem::swap(&mut packed, &mut other);
    }
    let mut order: Vec<u32> = packed.iter().map(|&entry| entry as u32).collect();
    if lower_halves_differ != 0 {
        finish_runs(&packed, &mut order, values);
    }
    order
}

/// Sorts the runs of equal upper halves by the whole key.
fn finish_runs(packed: &[u64], order: &mut [u32], values: &[f64]) {
    let mut start = 0;
    while start < packed.len() {
        let upper = packed[start] >> 32;
        let mut end = start + 1;
        while end < packed.len() && packed[end] >> 32 == upper {
            end += 1;
        }
        if end - start > 1 {
            order[start..end].sort_by_key(|&i| key(values[i as usize]));
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::ascending;

    #[test]
    fn nothing_sorts_to_nothing() {
        assert_eq!(ascending(&[]), Vec::<u32>::new());
        assert_eq!(ascending(&[3.5]), [0]);
    }

    #[test]
    fn negative_and_tiny_values_and_zeros_are_in_order() {
        let values = [0.0, -1.0, f64::MIN_POSITIVE / 4.0, -0.0, 1e300, -1e300, 1.0, -f64::MIN_POSITIVE / 4.0];
        assert_eq!(ascending(&values), [5, 1, 7, 0, 3, 2, 6, 4]);
    }

    #[test]
    fn differences_below_twenty_bits_are_seen() {
        let values = [1.0 + 3.0 * f64::EPSILON, 1.0, 1.0 + f64::EPSILON, 2.0, 1.0];
        assert_eq!(ascending(&values), [1, 4, 2, 0, 3]);
    }

    #[test]
    fn many_values_agree_with_the_standard_sort() {
        let mut state = 1_u64;
        let values: Vec<f64> = (0..5000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                #[expect(clippy::cast_possible_wrap, reason = "negative values are wanted")]
                let signed = (state >> 40) as i64 - (1 << 23);
                signed as f64 / 4096.0 / 3.0
            })
            .collect();
        let mut expected: Vec<u32> = (0..5000).collect();
        expected.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
        assert_eq!(ascending(&values), expected);
    }
}
