//! Score histograms: built so that every cell holds enough cases, merged by addition, and counted so that
//! pairs of cases from one site keep the exact order that the site knew.

use crate::cells::{self, Run};
use crate::error::MetricError;
use crate::fixed::count;
use crate::grid;
use crate::table::Cases;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::summary::{ScoreCell, Scores};
use std::collections::{BTreeMap, HashMap};

/// Fewest cases that must share one value before its equality token is released.
pub(crate) const TIE: u64 = 10;

/// The histogram of one set of cases, without the metric's exact value.
pub(crate) fn build(cases: &Cases, min_cell: u64) -> Result<Scores, MetricError> {
    let cells = release(drafts(cases, min_cell));
    let pairs = Pairs::of(&cells)?;
    let groups = cases.groups();
    let (mut below, mut u2) = (0u128, 0u128);
    for g in &groups {
        u2 += u128::from(g.pos) * (2 * below + u128::from(g.neg));
        below += u128::from(g.neg);
    }
    let (pos, neg) = cases.classes();
    Ok(Scores {
        pos,
        neg,
        u2_within: narrow(u2)?,
        u2_within_certain: narrow(pairs.certain_u2)?,
        open_within: narrow(pairs.open)?,
        one_class: u64::from(pos == 0 || neg == 0),
        cells,
        exact: None,
    })
}

/// Adds two histograms; each site's exact value is left behind.
pub(crate) fn merge(a: &Scores, b: &Scores) -> Result<Scores, MetricError> {
    let mut cells: BTreeMap<(u16, u16, Option<String>), (u64, u64)> = BTreeMap::new();
    for cell in a.cells.iter().chain(&b.cells) {
        let sum = cells.entry((cell.first, cell.last, cell.tie.clone())).or_default();
        *sum = (count(sum.0, cell.pos)?, count(sum.1, cell.neg)?);
    }
    let cells = cells
        .into_iter()
        .map(|((first, last, tie), (pos, neg))| ScoreCell { first, last, pos, neg, tie })
        .collect();
    Ok(Scores {
        pos: count(a.pos, b.pos)?,
        neg: count(a.neg, b.neg)?,
        u2_within: count(a.u2_within, b.u2_within)?,
        u2_within_certain: count(a.u2_within_certain, b.u2_within_certain)?,
        open_within: count(a.open_within, b.open_within)?,
        one_class: count(a.one_class, b.one_class)?,
        cells,
        exact: None,
    })
}

/// Refuses a histogram that contradicts itself, as a damaged or dishonest statement would.
pub(crate) fn check(s: &Scores) -> Result<(), MetricError> {
    let malformed = |what: &str| Err(MetricError::Malformed(what.to_owned()));
    let (mut pos, mut neg) = (0, 0);
    let mut tokens: HashMap<&str, (u16, u16)> = HashMap::new();
    for cell in &s.cells {
        if cell.first > cell.last || cell.last >= grid::CELLS {
            return malformed("a cell lies outside the grid of 0 to 1023");
        }
        pos = count(pos, cell.pos)?;
        neg = count(neg, cell.neg)?;
        if let Some(token) = &cell.tie {
            let range = tokens.entry(token).or_insert((cell.first, cell.last));
            *range = (range.0.max(cell.first), range.1.min(cell.last));
            if range.0 > range.1 {
                return malformed("two cells that lie apart claim the same tied score");
            }
        }
    }
    if (pos, neg) != (s.pos, s.neg) {
        return malformed("the cells do not add up to the number of positive and negative cases");
    }
    let pairs = 2 * u128::from(pos) * u128::from(neg);
    if pairs > u128::from(u64::MAX) {
        return Err(MetricError::Overflow("the number of pairs of cases"));
    }
    if u128::from(s.u2_within) > pairs {
        return malformed("the Mann-Whitney count exceeds the number of pairs");
    }
    Ok(())
}

fn narrow(value: u128) -> Result<u64, MetricError> {
    u64::try_from(value).map_err(|_| MetricError::Overflow("the number of pairs of cases"))
}

/// What cells alone say about all pairs of a positive and a negative case.
pub(crate) struct Pairs {
    /// Twice the pairs that the cells rank with certainty in favour of the positive, ties counting once.
    pub(crate) certain_u2: u128,
    /// Pairs whose cells overlap and carry no common tie token.
    pub(crate) open: u128,
}

impl Pairs {
    /// Counts the pairs of checked cells.
    pub(crate) fn of(cells: &[ScoreCell]) -> Result<Self, MetricError> {
        let reach = Reach::new(cells.iter().map(|c| (c.first, c.last, c.neg)));
        let mut negatives: HashMap<&str, u64> = HashMap::new();
        for cell in cells {
            if let Some(token) = &cell.tie {
                *negatives.entry(token).or_default() += cell.neg;
            }
        }
        let (mut certain_u2, mut open) = (0u128, 0u128);
        for cell in cells {
            let equal = cell.tie.as_deref().map_or(0, |token| negatives[token]);
            let (below, above) = (reach.below(cell.first), reach.above(cell.last));
            let unsure = reach.total.checked_sub(below + above + equal).ok_or_else(|| {
                MetricError::Malformed("a tie token is used in cells that lie apart".to_owned())
            })?;
            certain_u2 += u128::from(cell.pos) * u128::from(2 * below + equal);
            open += u128::from(cell.pos) * u128::from(unsure);
        }
        Ok(Self { certain_u2, open })
    }
}

/// Cumulative counts over the grid: how many cases lie certainly below or above a grid cell.
pub(crate) struct Reach {
    /// `ends[i]`: cases whose cell ends before grid cell i.
    ends: Vec<u64>,
    /// `starts[i]`: cases whose cell starts before grid cell i.
    starts: Vec<u64>,
    /// All cases.
    pub(crate) total: u64,
}

impl Reach {
    /// From (first, last, cases) of every cell.
    pub(crate) fn new(cells: impl Iterator<Item = (u16, u16, u64)>) -> Self {
        let size = usize::from(grid::CELLS) + 1;
        let (mut ends, mut starts, mut total) = (vec![0; size], vec![0; size], 0);
        for (first, last, n) in cells {
            ends[usize::from(last) + 1] += n;
            starts[usize::from(first) + 1] += n;
            total += n;
        }
        for i in 1..size {
            ends[i] += ends[i - 1];
            starts[i] += starts[i - 1];
        }
        Self { ends, starts, total }
    }

    /// Cases certainly below grid cell `first`.
    pub(crate) fn below(&self, first: u16) -> u64 {
        self.ends[usize::from(first)]
    }

    /// Cases certainly above grid cell `last`.
    pub(crate) fn above(&self, last: u16) -> u64 {
        self.total - self.starts[usize::from(last) + 1]
    }
}

/// A cell in the making: its range and the cases in it.
struct Draft {
    range: (u16, u16),
    members: Vec<usize>,
    tied: Option<f64>,
    counts: (u64, u64),
}

/// Divides the cases into cells of at least `min_cell`: a cell for each score that many share, runs of grid cells for
/// the others.
fn drafts(cases: &Cases, min_cell: u64) -> Vec<Draft> {
    let mut drafts = Vec::new();
    let mut rest: Vec<usize> = Vec::new();
    let mut order: Vec<usize> = (0..cases.score.len()).collect();
    order.sort_by(|&a, &b| cases.score[a].total_cmp(&cases.score[b]));
    for run in order.chunk_by(|&a, &b| cases.score[a].total_cmp(&cases.score[b]).is_eq()) {
        let score = cases.score[run[0]];
        if run.len() as u64 >= TIE.max(min_cell) {
            let cell = grid::cell(score);
            drafts.push(Draft {
                range: (cell, cell),
                members: run.to_vec(),
                tied: Some(score),
                counts: (0, 0),
            });
        } else {
            rest.extend_from_slice(run);
        }
    }
    if !rest.is_empty() && (rest.len() as u64) < min_cell && !drafts.is_empty() {
        // Too few to stand alone: the smallest tied cell takes them in and loses its token.
        if let Some(i) = (0..drafts.len()).min_by_key(|&i| drafts[i].members.len()) {
            rest.extend(drafts.swap_remove(i).members);
            rest.sort_by(|&a, &b| cases.score[a].total_cmp(&cases.score[b]));
        }
    }
    drafts.extend(runs(cases, &rest, min_cell));
    for draft in &mut drafts {
        let pos = draft.members.iter().filter(|&&i| cases.label[i]).count() as u64;
        draft.counts = (pos, draft.members.len() as u64 - pos);
    }
    drafts
}

/// Cuts sorted cases into runs of at least `min_cell`, never within a grid cell.
fn runs(cases: &Cases, sorted: &[usize], min_cell: u64) -> Vec<Draft> {
    let of_case: Vec<i32> = sorted.iter().map(|&i| i32::from(grid::cell(cases.score[i]))).collect();
    // The grid's numbers are those of 16 bits.
    let narrow = |cell: i32| u16::try_from(cell).unwrap_or(grid::CELLS - 1);
    let draft = |run: Run| Draft {
        range: (narrow(run.first), narrow(run.last)),
        members: sorted[run.members].to_vec(),
        tied: None,
        counts: (0, 0),
    };
    cells::runs(&of_case, min_cell, (0, i32::from(grid::CELLS) - 1)).into_iter().map(draft).collect()
}

fn release(drafts: Vec<Draft>) -> Vec<ScoreCell> {
    let mut cells: BTreeMap<(u16, u16, Option<String>), (u64, u64)> = BTreeMap::new();
    for draft in drafts {
        let tie = draft.tied.map(|score| sha256_hex(&score.to_bits().to_be_bytes())[..16].to_owned());
        let sum = cells.entry((draft.range.0, draft.range.1, tie)).or_default();
        *sum = (sum.0 + draft.counts.0, sum.1 + draft.counts.1);
    }
    cells
        .into_iter()
        .map(|((first, last, tie), (pos, neg))| ScoreCell { first, last, pos, neg, tie })
        .collect()
}
