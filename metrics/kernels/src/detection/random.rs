//! A small seeded generator for resampling scans.

/// SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195): one independent stream per resample.
pub(super) struct Stream(u64);

impl Stream {
    /// The stream of one resample.
    pub(super) fn new(seed: u64, resample: u64) -> Self {
        // Two scrambled steps keep the streams of neighbouring seeds and resamples apart.
        let mut start = Self(seed);
        let base = start.next();
        let mut start = Self(base ^ resample);
        Self(start.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number below `bound`, by multiplication; its bias is below bound / 2^64.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "the quotient is below the bound")]
        let drawn = ((u128::from(self.next()) * bound as u128) >> 64) as usize;
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::Stream;

    #[test]
    fn the_generator_gives_the_published_sequence() {
        let mut stream = Stream(1_234_567);
        assert_eq!(stream.next(), 6_457_827_717_110_365_317);
        assert_eq!(stream.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_stay_below_the_bound_and_cover_it() {
        let mut seen = [0; 7];
        let mut stream = Stream::new(3, 5);
        for _ in 0..7000 {
            seen[stream.below(7)] += 1;
        }
        assert!(seen.iter().all(|&n| n > 850 && n < 1150), "{seen:?}");
        assert_ne!(Stream::new(3, 5).next(), Stream::new(3, 6).next());
        assert_ne!(Stream::new(3, 5).next(), Stream::new(5, 3).next());
    }
}
