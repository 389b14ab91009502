//! From the rows of a reference set to what a model sees: clean files, random names, shuffled order.

use crate::dialect::{Case, Layout, Value};
use crate::reference_set::LoadedReferenceSet;
use crate::{NodeError, folder};
use fiel_metrics::image::{self, ReadLimits};
use fiel_sandbox::CaseInput;
use fiel_schemas::challenge::{Challenge, Port, PortKind};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::sync::Mutex;

/// Largest image that is handed to a model or read as truth.
pub(crate) fn image_limits() -> ReadLimits {
    ReadLimits::default()
}

/// The cases of a run: which row comes when, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CasePlan {
    /// Seed of names and order, hexadecimal; stays at the site. Empty where nothing was drawn.
    pub seed: String,
    /// Row of the reference set for each position of the run.
    pub order: Vec<usize>,
    /// Name under which the model knows the case, for each row: random, or the site's own where inputs are public.
    pub names: Vec<String>,
}

impl CasePlan {
    /// A plan from fresh randomness.
    pub fn random(rows: usize) -> Result<Self, NodeError> {
        Ok(Self::from_seed(&folder::random_hex(32)?, rows))
    }

    /// The plan for answers that were made elsewhere: the site's own names and order.
    pub fn published(case_ids: &[&str]) -> Self {
        let names = case_ids.iter().map(|&id| id.to_owned()).collect();
        Self { seed: String::new(), order: (0..case_ids.len()).collect(), names }
    }

    /// The plan of a seed: the same seed gives the same plan.
    pub fn from_seed(seed: &str, rows: usize) -> Self {
        let mut draws = Draws { seed, counter: 0 };
        let mut taken = HashSet::new();
        let mut names = Vec::with_capacity(rows);
        while names.len() < rows {
            let name = format!("c{:08x}", draws.next() >> 32);
            if taken.insert(name.clone()) {
                names.push(name);
            }
        }
        let mut order: Vec<usize> = (0..rows).collect();
        for last in (1..rows).rev() {
            order.swap(last, draws.below(last + 1));
        }
        Self { seed: seed.to_owned(), order, names }
    }
}

/// Uniform numbers from SHA-256 in counter mode.
struct Draws<'a> {
    seed: &'a str,
    counter: u64,
}

impl Draws<'_> {
    fn next(&mut self) -> u64 {
        let hash = Sha256::new().chain_update(self.seed).chain_update(self.counter.to_le_bytes()).finalize();
        self.counter += 1;
        let mut first = [0_u8; 8];
        first.copy_from_slice(&hash[..8]);
        u64::from_le_bytes(first)
    }

    /// A number below `end` without bias worth measuring (2^-64 * end).
    fn below(&mut self, end: usize) -> usize {
        let scaled = (u128::from(self.next()) * end as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }
}

/// Turns rows into inputs of the sandbox, one at a time, in the order of a plan.
pub struct CaseSource<'a> {
    challenge: &'a Challenge,
    set: &'a LoadedReferenceSet,
    plan: &'a CasePlan,
    layout: Layout<'a>,
    columns: Vec<PortColumns<'a>>,
    next: usize,
    stop: &'a (dyn Fn() -> bool + Sync),
    failure: &'a Mutex<Option<NodeError>>,
}

/// The text of a port's columns, by row.
type PortColumns<'a> = Vec<Vec<&'a str>>;

impl std::fmt::Debug for CaseSource<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaseSource")
            .field("set", &self.set.doc.id)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl<'a> CaseSource<'a> {
    /// A source over a checked set. `stop` ends it early; a case that cannot be read ends it and leaves the reason in
    /// `failure`.
    pub fn new(
        challenge: &'a Challenge,
        set: &'a LoadedReferenceSet,
        plan: &'a CasePlan,
        layout: Layout<'a>,
        stop: &'a (dyn Fn() -> bool + Sync),
        failure: &'a Mutex<Option<NodeError>>,
    ) -> Result<Self, NodeError> {
        let mut columns = Vec::new();
        for port in &challenge.interface.inputs {
            columns.push(port_columns(set, port)?);
        }
        Ok(Self { challenge, set, plan, layout, columns, next: 0, stop, failure })
    }

    fn build(&self, row: usize) -> Result<CaseInput, NodeError> {
        let name = self.plan.names[row].as_str();
        let mut values = Vec::with_capacity(self.columns.len());
        for (port, columns) in self.challenge.interface.inputs.iter().zip(&self.columns) {
            values.push(match port.kind {
                PortKind::Table => Value::Row(columns.iter().map(|column| column[row]).collect()),
                PortKind::Image | PortKind::Mask => Value::Image(self.clean_image(columns[0][row])?),
            });
        }
        let files = self.layout.inputs(Case { name, values })?;
        Ok(CaseInput { name: name.to_owned(), files })
    }

    /// Voxels and grid, and nothing else of the header.
    fn clean_image(&self, path: &str) -> Result<Vec<u8>, NodeError> {
        let bytes = self.set.read_listed(path)?;
        image::recode_nifti(&bytes, &image_limits())
            .map_err(|e| NodeError::ReferenceSet { path: self.set.dir.join(path), message: e.to_string() })
    }
}

impl Iterator for CaseSource<'_> {
    type Item = CaseInput;

    fn next(&mut self) -> Option<CaseInput> {
        if (self.stop)() {
            return None;
        }
        let row = *self.plan.order.get(self.next)?;
        self.next += 1;
        match self.build(row) {
            Ok(input) => Some(input),
            Err(e) => {
                *self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(e);
                self.next = usize::MAX;
                None
            }
        }
    }
}

fn port_columns<'a>(set: &'a LoadedReferenceSet, port: &Port) -> Result<PortColumns<'a>, NodeError> {
    match port.kind {
        PortKind::Table => port.columns.iter().map(|name| set.column(name)).collect(),
        PortKind::Image | PortKind::Mask => Ok(vec![set.column(&port.name)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_a_permutation_with_distinct_names_and_follows_its_seed() {
        let plan = CasePlan::from_seed("a", 500);
        let mut order = plan.order.clone();
        order.sort_unstable();
        assert_eq!(order, (0..500).collect::<Vec<_>>());
        assert_ne!(plan.order, order);
        assert_eq!(plan.names.iter().collect::<HashSet<_>>().len(), 500);
        assert!(plan.names.iter().all(|p| p.len() == 9 && p.starts_with('c')));
        assert_eq!(plan, CasePlan::from_seed("a", 500));
        assert_ne!(plan, CasePlan::from_seed("b", 500));
        assert_ne!(CasePlan::random(3).unwrap().seed, CasePlan::random(3).unwrap().seed);
    }
}
