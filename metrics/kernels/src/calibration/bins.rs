//! Forecasts grouped by their probability, and the calibration errors over the groups.

use super::forecasts::Forecasts;
use super::fused::ForecastSummary;
use super::sums::{Sum, quantile_sorted, sum};
use crate::InputError;
use crate::inference::normal_upper_quantile;

/// Which bin a probability on the edge of two equal-width bins belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinEdges {
    /// `[l, u)`, the last bin closed; edges i * (1/B) (NumPy's `linspace`). The default convention of Fiel.
    LeftClosed,
    /// `(l, u]`, with 0 in the first bin (scikit-learn, uncertainty-calibration).
    RightClosed,
    /// `[l, u)` with a bin of its own for probability 1, as torchmetrics 1.9 does; edges as `torch.linspace`
    /// rounds them, from both ends.
    Torchmetrics,
    /// `(l, u]`, and cases of probability 0 are dropped, as MetricsReloaded does.
    MetricsReloaded,
}

/// Where equal-mass bins are cut if equal probabilities meet the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TieRule {
    /// Sizes differ by at most one (NumPy's `array_split` of the stable order): equal probabilities may straddle a
    /// cut, so that the result may depend on the order of the cases.
    Straddle,
    /// Equal probabilities stay together: a cut inside a run of ties moves to the run's end; bins left empty vanish.
    Together,
    /// The cuts are the quantiles of the probabilities (type 7), each belonging to the bin below it, as in
    /// scikit-learn's `calibration_curve(strategy="quantile")`; bins left empty vanish.
    Quantiles,
}

/// How forecasts are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// Bins of equal width on [0, 1].
    EqualWidth {
        /// Number of bins, 1 to 1,024.
        bins: usize,
        /// Closedness of their edges.
        edges: BinEdges,
    },
    /// Bins of equally many cases.
    EqualMass {
        /// Number of bins, 1 to 1,024.
        bins: usize,
        /// What happens to equal probabilities at a cut.
        ties: TieRule,
    },
    /// A group for every distinct probability.
    Distinct,
}

/// Forecasts of one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Lower edge; for equal-mass and distinct groups the smallest probability.
    pub lower: f64,
    /// Upper edge; for equal-mass and distinct groups the largest probability.
    pub upper: f64,
    /// Number of cases.
    pub count: usize,
    /// Number of events.
    pub positives: usize,
    /// Sum of the probabilities.
    pub sum_probability: f64,
}

impl Bin {
    /// Mean probability (confidence); `None` if the bin is empty.
    ///
    /// ```
    /// # use fiel_kernels::calibration::Bin;
    /// let bin = Bin { lower: 0.0, upper: 0.5, count: 4, positives: 1, sum_probability: 1.5 };
    /// assert_eq!(bin.mean_probability(), Some(0.375));
    /// ```
    pub fn mean_probability(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_probability / self.count as f64)
    }

    /// Share of events (accuracy); `None` if the bin is empty.
    ///
    /// ```
    /// # use fiel_kernels::calibration::Bin;
    /// let bin = Bin { lower: 0.0, upper: 0.5, count: 4, positives: 1, sum_probability: 1.5 };
    /// assert_eq!(bin.observed(), Some(0.25));
    /// ```
    pub fn observed(&self) -> Option<f64> {
        (self.count > 0).then(|| self.positives as f64 / self.count as f64)
    }

    /// Absolute difference of mean probability and share of events; `None` if the bin is empty.
    ///
    /// ```
    /// # use fiel_kernels::calibration::Bin;
    /// let bin = Bin { lower: 0.0, upper: 0.5, count: 4, positives: 1, sum_probability: 1.5 };
    /// assert_eq!(bin.gap(), Some(0.125));
    /// ```
    pub fn gap(&self) -> Option<f64> {
        (self.count > 0).then(|| self.excess().abs() / self.count as f64)
    }

    fn excess(&self) -> f64 {
        self.sum_probability - self.positives as f64
    }
}

/// One point of a reliability curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Mean probability of the bin.
    pub forecast: f64,
    /// Share of events in the bin.
    pub observed: f64,
    /// Wilson's interval of the share of events.
    pub interval: [f64; 2],
    /// Number of cases in the bin.
    pub count: usize,
}

/// Groups of forecasts; the empty ones of equal-width bins included.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    bins: Vec<Bin>,
    /// Cases in the bins: all of them, but for [`BinEdges::MetricsReloaded`].
    count: usize,
}

impl Bins {
    pub(super) fn of(bins: Vec<Bin>, count: usize) -> Self {
        let binned: usize = bins.iter().map(|b| b.count).sum();
        Self { bins, count: count.min(binned) }
    }

    /// The bins, in order of probability.
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, Forecasts, Grouping};
    /// let bins = Forecasts::new(&[0.5], &[true])?
    ///     .bins(Grouping::EqualWidth { bins: 2, edges: BinEdges::LeftClosed })?;
    /// assert_eq!(bins.bins()[1].positives, 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    fn gaps(&self) -> impl Iterator<Item = f64> + '_ {
        self.bins.iter().filter_map(Bin::gap)
    }

    /// Expected calibration error: gaps between mean probability and share of events, weighted by cases; 0 (best)
    /// to 1.
    ///
    /// 0 if [`BinEdges::MetricsReloaded`] dropped every case. Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602.
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, Forecasts, Grouping};
    /// let bins = Forecasts::new(&[0.25, 0.75], &[false, true])?
    ///     .bins(Grouping::EqualWidth { bins: 15, edges: BinEdges::LeftClosed })?;
    /// assert_eq!(bins.ece(), 0.25);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn ece(&self) -> f64 {
        sum(self.bins.iter().map(|b| b.excess().abs())) / self.count.max(1) as f64
    }

    /// Maximum calibration error: the largest gap of a bin that is not empty; 0 (best) to 1.
    ///
    /// Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602.
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, Forecasts, Grouping};
    /// let bins = Forecasts::new(&[0.25, 1.0], &[false, true])?
    ///     .bins(Grouping::EqualWidth { bins: 15, edges: BinEdges::LeftClosed })?;
    /// assert_eq!(bins.mce(), 0.25);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn mce(&self) -> f64 {
        self.gaps().fold(0.0, f64::max)
    }

    /// Average calibration error: the plain mean of the gaps of bins that are not empty; 0 (best) to 1.
    ///
    /// Neumann et al. 2018 (arXiv:1808.09218).
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, Forecasts, Grouping};
    /// let bins = Forecasts::new(&[0.25, 0.25, 1.0], &[false, false, true])?
    ///     .bins(Grouping::EqualWidth { bins: 15, edges: BinEdges::LeftClosed })?;
    /// assert_eq!(bins.ace(), 0.125);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn ace(&self) -> f64 {
        sum(self.gaps()) / self.gaps().count().max(1) as f64
    }

    /// Root of the mean squared gap, weighted by cases; 0 (best) to 1 (torchmetrics' `l2`).
    ///
    /// Kumar, Liang and Ma 2019 (arXiv:1909.10155).
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, Forecasts, Grouping};
    /// let bins = Forecasts::new(&[0.25, 0.75], &[false, true])?
    ///     .bins(Grouping::EqualWidth { bins: 15, edges: BinEdges::LeftClosed })?;
    /// assert_eq!(bins.root_mean_squared_ce(), 0.25);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn root_mean_squared_ce(&self) -> f64 {
        let squares = self.bins.iter().filter_map(|b| b.gap().map(|g| g * g * b.count as f64));
        (sum(squares) / self.count.max(1) as f64).sqrt()
    }

    /// The reliability curve: a point with Wilson's interval for every bin that is not empty.
    ///
    /// `level` is the intervals' coverage, strictly between 0 and 1. Wilson 1927, doi:10.2307/2276774.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level outside (0, 1).
    ///
    /// ```
    /// # use fiel_kernels::calibration::{BinEdges, Forecasts, Grouping};
    /// let bins = Forecasts::new(&[0.25, 0.75], &[false, true])?
    ///     .bins(Grouping::EqualWidth { bins: 15, edges: BinEdges::LeftClosed })?;
    /// let curve = bins.curve(0.95)?;
    /// assert_eq!((curve[0].forecast, curve[0].observed, curve[0].interval[0]), (0.25, 0.0, 0.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn curve(&self, level: f64) -> Result<Vec<CurvePoint>, InputError> {
        let z = critical_value(level)?;
        let point = |bin: &Bin| {
            let (forecast, observed) = (bin.mean_probability()?, bin.observed()?);
            Some(CurvePoint {
                forecast,
                observed,
                interval: wilson(bin.positives, bin.count, z),
                count: bin.count,
            })
        };
        Ok(self.bins.iter().filter_map(point).collect())
    }
}

/// The two-sided critical value of the normal distribution; refuses levels outside (0, 1).
pub(crate) fn critical_value(level: f64) -> Result<f64, InputError> {
    if level > 0.0 && level < 1.0 {
        return Ok(normal_upper_quantile(0.5 * (1.0 - level)));
    }
    Err(InputError::Setting { what: "the confidence level", value: level, expected: "above 0 and below 1" })
}

fn wilson(positives: usize, count: usize, z: f64) -> [f64; 2] {
    let (k, n) = (positives as f64, count as f64);
    let share = k / n;
    let scale = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / scale;
    let half = z / scale * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if positives == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if positives == count { 1.0 } else { (centre + half).min(1.0) };
    [low, high]
}

pub(super) fn checked_bin_count(bins: usize) -> Result<(), InputError> {
    if (1..=1024).contains(&bins) {
        return Ok(());
    }
    Err(InputError::Setting { what: "the number of bins", value: bins as f64, expected: "from 1 to 1024" })
}

/// The edges between equal-width bins, both ends included.
fn edge_values(bins: usize, edges: BinEdges) -> Vec<f64> {
    let step = 1.0 / bins as f64;
    let edge = |i: usize| match edges {
        _ if i == bins => 1.0,
        // `torch.linspace` walks from both ends to the middle.
        BinEdges::Torchmetrics if i >= bins.div_ceil(2) => 1.0 - step * (bins - i) as f64,
        _ => i as f64 * step,
    };
    (0..=bins).map(edge).collect()
}

/// Equal-width bins without cases.
pub(super) fn empty_bins(bins: usize, edges: BinEdges) -> Vec<Bin> {
    let mut values = edge_values(bins, edges);
    if edges == BinEdges::Torchmetrics {
        values.push(1.0);
    }
    let bin = |e: &[f64]| Bin { lower: e[0], upper: e[1], count: 0, positives: 0, sum_probability: 0.0 };
    values.windows(2).map(bin).collect()
}

/// The bin of a probability among these edges; `None` where the convention drops it.
fn place(p: f64, values: &[f64], edges: BinEdges) -> Option<usize> {
    let last = values.len() - 2;
    match edges {
        BinEdges::LeftClosed => Some((values.partition_point(|&e| e <= p) - 1).min(last)),
        BinEdges::Torchmetrics => Some(values.partition_point(|&e| e <= p) - 1),
        BinEdges::RightClosed => Some(values.partition_point(|&e| e < p).saturating_sub(1)),
        BinEdges::MetricsReloaded => values.partition_point(|&e| e < p).checked_sub(1),
    }
}

/// Counts the cases into equal-width bins.
pub(super) fn fill(bins: &mut [Bin], probabilities: &[f64], labels: &[bool], edges: BinEdges) {
    let own = usize::from(edges == BinEdges::Torchmetrics);
    let values = edge_values(bins.len() - own, edges);
    let mut sums = vec![Sum::default(); bins.len()];
    for (&p, &y) in probabilities.iter().zip(labels) {
        let Some(at) = place(p, &values, edges) else { continue };
        bins[at].count += 1;
        bins[at].positives += usize::from(y);
        sums[at].add(p);
    }
    for (bin, sum) in bins.iter_mut().zip(sums) {
        bin.sum_probability = sum.total();
    }
}

impl Forecasts<'_> {
    /// Groups the forecasts.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a number of bins outside 1 to 1,024.
    ///
    /// ```
    /// use fiel_kernels::calibration::{Forecasts, Grouping, TieRule};
    ///
    /// let forecasts = Forecasts::new(&[0.2, 0.4, 0.4, 0.9], &[false, false, true, true])?;
    /// let bins = forecasts.bins(Grouping::EqualMass { bins: 2, ties: TieRule::Together })?;
    /// assert_eq!(bins.bins().iter().map(|b| b.count).collect::<Vec<_>>(), [3, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn bins(&self, grouping: Grouping) -> Result<Bins, InputError> {
        if let Grouping::EqualWidth { bins, edges } = grouping {
            return Ok(ForecastSummary::of(self.probabilities, self.labels, bins, edges)?.bins().clone());
        }
        let groups = self.groups(grouping)?;
        Ok(Bins::of(groups.iter().map(|g| self.bin_of(g)).collect(), self.count()))
    }

    fn bin_of(&self, group: &[usize]) -> Bin {
        Bin {
            lower: self.probabilities[group[0]],
            upper: self.probabilities[group[group.len() - 1]],
            count: group.len(),
            positives: group.iter().filter(|&&i| self.labels[i]).count(),
            sum_probability: sum(group.iter().map(|&i| self.probabilities[i])),
        }
    }

    /// Positions of the cases in order of probability, equal ones in the order given.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.count()).collect();
        // Adding 0.0 makes -0.0 equal to 0.0 in the total order.
        order.sort_by(|&a, &b| (self.probabilities[a] + 0.0).total_cmp(&(self.probabilities[b] + 0.0)));
        order
    }

    /// The cases of each group that is not empty, in order of probability.
    pub(super) fn groups(&self, grouping: Grouping) -> Result<Vec<Vec<usize>>, InputError> {
        let order = self.order();
        let same = |a: &usize, b: &usize| self.probabilities[*a] == self.probabilities[*b];
        match grouping {
            Grouping::Distinct => Ok(order.chunk_by(same).map(<[usize]>::to_vec).collect()),
            Grouping::EqualMass { bins, ties } => {
                checked_bin_count(bins)?;
                Ok(match ties {
                    TieRule::Quantiles => self.between_quantiles(&order, bins),
                    TieRule::Straddle | TieRule::Together => self.equal_mass(&order, bins, ties),
                })
            }
            Grouping::EqualWidth { bins, edges } => {
                checked_bin_count(bins)?;
                let values = edge_values(bins, edges);
                let mut groups = vec![Vec::new(); values.len()];
                for index in order {
                    if let Some(at) = place(self.probabilities[index], &values, edges) {
                        groups[at].push(index);
                    }
                }
                groups.retain(|g| !g.is_empty());
                Ok(groups)
            }
        }
    }

    fn between_quantiles(&self, order: &[usize], bins: usize) -> Vec<Vec<usize>> {
        let sorted: Vec<f64> = order.iter().map(|&i| self.probabilities[i]).collect();
        let step = 1.0 / bins as f64;
        // Through percent and back, as NumPy's `percentile` rounds.
        let cuts: Vec<f64> =
            (1..bins).map(|i| quantile_sorted(&sorted, i as f64 * step * 100.0 / 100.0)).collect();
        let bin = |i: usize| cuts.partition_point(|&cut| cut < self.probabilities[i]);
        order.chunk_by(|&a, &b| bin(a) == bin(b)).map(<[usize]>::to_vec).collect()
    }

    fn equal_mass(&self, order: &[usize], bins: usize, ties: TieRule) -> Vec<Vec<usize>> {
        let n = order.len();
        let mut groups = Vec::with_capacity(bins);
        let mut start = 0;
        for bin in 0..bins {
            // The first n mod B bins hold one case more than the others.
            let mut end = (bin + 1) * (n / bins) + (bin + 1).min(n % bins);
            if ties == TieRule::Together && end > 0 {
                let last = self.probabilities[order[end - 1]];
                end += order[end..].iter().take_while(|&&i| self.probabilities[i] == last).count();
            }
            if end > start {
                groups.push(order[start..end].to_vec());
                start = end;
            }
        }
        groups
    }
}
