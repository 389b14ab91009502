//! Results kept by the digest of what they were made from. Bounded: when full, all are dropped and made again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A bounded memory of a pure function's results.
pub(super) struct Memo<K, V> {
    kept: OnceLock<RwLock<HashMap<K, Arc<V>>>>,
    entries_max: usize,
}

impl<K: Eq + Hash, V> Memo<K, V> {
    pub(super) const fn new(entries_max: usize) -> Self {
        Self { kept: OnceLock::new(), entries_max }
    }

    fn kept(&self) -> &RwLock<HashMap<K, Arc<V>>> {
        self.kept.get_or_init(RwLock::default)
    }

    /// The result for `key`, where it is kept.
    pub(super) fn get(&self, key: &K) -> Option<Arc<V>> {
        // A poisoned lock is taken over: values are finished before they are inserted.
        self.kept().read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps a result.
    pub(super) fn keep(&self, key: K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        let mut kept = self.kept().write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= self.entries_max {
            kept.clear();
        }
        kept.insert(key, value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::Memo;

    #[test]
    fn results_are_kept_up_to_the_limit() {
        let memo: Memo<u32, u32> = Memo::new(2);
        memo.keep(1, 10);
        memo.keep(2, 20);
        assert_eq!(memo.get(&1).as_deref(), Some(&10));
        memo.keep(3, 30);
        assert_eq!(memo.get(&1), None);
        assert_eq!(memo.get(&3).as_deref(), Some(&30));
    }
}
