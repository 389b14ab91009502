//! A set of ranks that counts how many of its members lie below a rank.

const WORDS: usize = 32;
const FAN: usize = 64;

/// A set of ranks below a fixed number.
///
/// One bit per rank; above it, 32 words share one vector of running counts, and above those each level sums 64
/// nodes. An insertion adds one vector per level and a question reads one number per level, so both cost a few
/// nanoseconds up to millions of ranks. A Fenwick tree would take twenty dependent steps for each.
pub(super) struct RankCounter {
    words: Vec<u64>,
    /// Per block of 32 words: members in the words of the block that precede each word.
    blocks: Vec<[u16; WORDS]>,
    /// Per level, from the finest: members in the siblings that precede each child.
    levels: Vec<Vec<[u32; FAN]>>,
}

impl RankCounter {
    /// An empty set of ranks below `len`.
    pub(super) fn new(len: usize) -> Self {
        // One word more, so that the question "below len" has a word to look at.
        let blocks = (len / 64 + 1).div_ceil(WORDS);
        let mut levels = Vec::new();
        let mut children = blocks;
        while children > 1 {
            let nodes = children.div_ceil(FAN);
            levels.push(vec![[0; FAN]; nodes]);
            children = nodes;
        }
        Self { words: vec![0; blocks * WORDS], blocks: vec![[0; WORDS]; blocks], levels }
    }

    /// Adds a rank that is not yet a member.
    #[allow(clippy::inline_always, reason = "to be compiled for the caller's vector instructions")]
    #[inline(always)]
    pub(super) fn insert(&mut self, rank: usize) {
        self.words[rank / 64] |= 1 << (rank % 64);
        let mut child = rank / (64 * WORDS);
        let word = (rank / 64) % WORDS;
        for (k, count) in self.blocks[child].iter_mut().enumerate() {
            *count += u16::from(k > word);
        }
        for level in &mut self.levels {
            let (node, place) = (child / FAN, child % FAN);
            for (k, count) in level[node].iter_mut().enumerate() {
                *count += u32::from(k > place);
            }
            child = node;
        }
    }

    /// Number of members below a rank, which may be as large as the length.
    #[allow(clippy::inline_always, reason = "to be compiled for the caller's vector instructions")]
    #[inline(always)]
    pub(super) fn below(&self, rank: usize) -> u64 {
        let word = rank / 64;
        let mut count = (self.words[word] & ((1 << (rank % 64)) - 1)).count_ones();
        let mut child = word / WORDS;
        count += u32::from(self.blocks[child][word % WORDS]);
        for level in &self.levels {
            count += level[child / FAN][child % FAN];
            child /= FAN;
        }
        u64::from(count)
    }
}

#[cfg(test)]
mod tests {
    use super::RankCounter;

    #[test]
    fn counts_agree_with_counting_one_by_one() {
        for len in [1, 63, 64, 65, 2047, 2048, 2049, 131_072, 131_073, 300_000] {
            let mut counter = RankCounter::new(len);
            assert_eq!(counter.below(len), 0);
            let mut members: Vec<usize> = (0..400).map(|k| k * 7_919 % len).collect();
            members.sort_unstable();
            members.dedup();
            for &m in members.iter().rev() {
                counter.insert(m);
            }
            for rank in members.iter().copied().chain([0, len / 2, len - 1, len]) {
                let expected = members.iter().filter(|&&m| m < rank).count();
                assert_eq!(counter.below(rank), expected as u64, "{rank} of {len}");
            }
        }
    }
}
