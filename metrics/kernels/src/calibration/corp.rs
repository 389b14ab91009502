//! CORP: reliability by isotonic regression, without bins to choose.

use super::forecasts::Forecasts;
use super::sums::{quantile_sorted, sum};
use crate::InputError;
use rayon::prelude::*;

/// The CORP decomposition of the Brier score: brier = mcb - dsc + unc.
///
/// Dimitriadis, Gneiting and Jordan 2021, doi:10.1073/pnas.2016191118.
#[derive(Debug, Clone, PartialEq)]
pub struct Corp {
    /// Miscalibration: what recalibration would gain; 0 is best.
    pub miscalibration: f64,
    /// Discrimination: what the recalibrated forecasts gain over the base rate; larger is better.
    pub discrimination: f64,
    /// Uncertainty: Brier score of the base rate.
    pub uncertainty: f64,
    /// The distinct probabilities, rising, each with its recalibrated value.
    pub curve: Vec<[f64; 2]>,
    /// The recalibrated probability of each case, in the order given.
    pub recalibrated: Vec<f64>,
}

/// Most values that a band may hold in memory at once (1.6 GB).
const BAND_VALUES_MAX: u64 = 200_000_000;

/// What a band of the CORP reliability curve says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Band {
    /// Where the curve would lie if the forecasts were calibrated: outcomes are drawn from the forecasts.
    Consistency,
    /// Where the true curve may lie: outcomes are drawn from the recalibrated forecasts.
    Confidence,
}

/// Pointwise band of the CORP reliability curve at the distinct probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveBand {
    /// The distinct probabilities, rising.
    pub forecast: Vec<f64>,
    /// Lower and upper end at each of them.
    pub interval: Vec<[f64; 2]>,
}

/// Isotonic least squares by pool-adjacent-violators: means and weights in, fitted means out.
fn isotonic(points: impl Iterator<Item = (f64, f64)>) -> Vec<f64> {
    // Sum of values, weight, points pooled.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (total, weight) in points {
        let mut block = (total, weight, 1);
        // Cross products instead of quotients: event counts stay whole, so that comparisons are exact.
        while let Some(&(t, w, k)) = blocks.last() {
            if t * block.1 < block.0 * w {
                break;
            }
            blocks.pop();
            block = (block.0 + t, block.1 + w, block.2 + k);
        }
        blocks.push(block);
    }
    blocks.iter().flat_map(|&(t, w, k)| std::iter::repeat_n(t / w, k)).collect()
}

impl Forecasts<'_> {
    /// Positions of cases grouped by distinct probability, rising.
    fn distinct(&self) -> Vec<Vec<usize>> {
        let order = self.order();
        order
            .chunk_by(|&a, &b| self.probabilities[a] == self.probabilities[b])
            .map(<[usize]>::to_vec)
            .collect()
    }

    /// The CORP decomposition and reliability curve, from the isotonic regression of outcomes on probabilities
    /// (pool adjacent violators; cases of equal probability are pooled first).
    ///
    /// ```
    /// use fiel_kernels::calibration::Forecasts;
    ///
    /// let forecasts = Forecasts::new(&[0.1, 0.4, 0.6, 0.9], &[false, true, false, true])?;
    /// let corp = forecasts.corp();
    /// assert_eq!(corp.recalibrated, [0.0, 0.5, 0.5, 1.0]);
    /// assert!((forecasts.brier() - (corp.miscalibration - corp.discrimination + corp.uncertainty)).abs() < 1e-15);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn corp(&self) -> Corp {
        let groups = self.distinct();
        let events = |g: &[usize]| g.iter().filter(|&&i| self.labels[i]).count() as f64;
        let fit = isotonic(groups.iter().map(|g| (events(g), g.len() as f64)));
        let mut recalibrated = vec![0.0; self.count()];
        for (group, &value) in groups.iter().zip(&fit) {
            for &i in group {
                recalibrated[i] = value;
            }
        }
        let base = self.base_rate();
        let uncertainty = base * (1.0 - base);
        let n = self.count() as f64;
        let best = sum(self.cases().zip(&recalibrated).map(|((_, y), r)| (r - y).powi(2))) / n;
        Corp {
            // Isotonic regression is the best monotone fit, so neither part is negative but for rounding.
            miscalibration: (self.brier() - best).max(0.0),
            discrimination: (uncertainty - best).max(0.0),
            uncertainty,
            curve: groups.iter().zip(fit).map(|(g, r)| [self.probabilities[g[0]], r]).collect(),
            recalibrated,
        }
    }

    /// Pointwise band of the CORP reliability curve by resampling: outcomes are drawn anew for the given
    /// probabilities (see [`Band`]), the isotonic regression is fitted to each draw, and at each distinct
    /// probability the quantiles of the fits (type 7) are taken.
    ///
    /// `level` is the coverage, strictly between 0 and 1; `replicates` 1 to 100,000, and times the number of distinct
    /// probabilities at most 200 million ([`InputError::TooLarge`]). The same seed gives the same
    /// band, whatever the number of threads.
    ///
    /// # Errors
    /// [`InputError::Setting`] for a level or a number of replicates outside these ranges, [`InputError::TooLarge`]
    /// for too many of them times distinct probabilities.
    ///
    /// ```
    /// use fiel_kernels::calibration::{Band, Forecasts};
    ///
    /// let forecasts = Forecasts::new(&[0.1, 0.4, 0.6, 0.9], &[false, true, false, true])?;
    /// let band = forecasts.corp_band(Band::Consistency, 0.9, 200, 7)?;
    /// assert!(band.interval[0][0] <= band.interval[0][1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn corp_band(
        &self,
        band: Band,
        level: f64,
        replicates: usize,
        seed: u64,
    ) -> Result<CurveBand, InputError> {
        super::bins::critical_value(level)?;
        if !(1..=100_000).contains(&replicates) {
            let expected = "from 1 to 100000";
            return Err(InputError::Setting {
                what: "the number of replicates",
                value: replicates as f64,
                expected,
            });
        }
        let groups = self.distinct();
        let found = replicates as u64 * groups.len() as u64;
        if found > BAND_VALUES_MAX {
            let what = "replicates times distinct probabilities";
            return Err(InputError::TooLarge { what, found, limit: BAND_VALUES_MAX });
        }
        let chances: Vec<(f64, usize)> = match band {
            Band::Consistency => groups.iter().map(|g| (self.probabilities[g[0]], g.len())).collect(),
            Band::Confidence => self.corp().curve.iter().zip(&groups).map(|(c, g)| (c[1], g.len())).collect(),
        };
        let fits: Vec<Vec<f64>> = (0..replicates as u64)
            .into_par_iter()
            .map(|replicate| {
                let mut random = SplitMix(seed ^ replicate.wrapping_mul(0xd1b5_4a32_d192_ed03));
                let draw = |&(chance, n): &(f64, usize)| {
                    let events = (0..n).filter(|_| random.uniform() < chance).count();
                    (events as f64, n as f64)
                };
                isotonic(chances.iter().map(draw))
            })
            .collect();
        let interval = (0..groups.len()).into_par_iter().map(|at| {
            let mut values: Vec<f64> = fits.iter().map(|f| f[at]).collect();
            values.sort_by(f64::total_cmp);
            let tail = 0.5 * (1.0 - level);
            [quantile_sorted(&values, tail), quantile_sorted(&values, 1.0 - tail)]
        });
        Ok(CurveBand {
            interval: interval.collect(),
            forecast: groups.iter().map(|g| self.probabilities[g[0]]).collect(),
        })
    }
}

/// Steele, Lea and Flood's generator (doi:10.1145/2660193.2660195): a stream for every replicate.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 (included) to 1 (excluded).
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 * 2f64.powi(-53)
    }
}
