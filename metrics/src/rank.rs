//! Rankings of algorithms from a table of cases, for the command line: no server, no challenge.

use crate::error::ScoreError;
use crate::registry::{self, Direction, MetricSpec};
use crate::score::columns::Columns;
use fiel_kernels::inference::Resamples;
use fiel_kernels::openebench::Participants;
use fiel_kernels::ranking::{
    self, Adjustment, Alpha, Institution, Method, Overall, RepeatedCases, Significance, Table, fets,
    grand_challenge,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Where the values stand: a row per case and algorithm.
#[derive(Debug, Clone)]
pub struct RankFiles<'a> {
    /// A CSV or Parquet table.
    pub table: &'a Path,
    /// Column of cases.
    pub case: &'a str,
    /// Column of algorithms.
    pub algorithm: &'a str,
    /// Columns of metrics.
    pub metrics: &'a [RankedMetric],
    /// Column of institutions, for FeTS's ranking.
    pub institution: Option<&'a str>,
}

/// A column of values and which of them are better.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedMetric {
    /// Name of the column.
    pub name: String,
    /// Which end is better; of distances from the target, where there is one.
    pub direction: Direction,
    /// The best value, where it lies inside the metric's range. What is ranked is then each value's distance from it.
    pub nearest_to: Option<f64>,
    /// Smallest and largest value, where the column is known to be the registry's metric.
    pub range: Option<(f64, f64)>,
}

/// What to compute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankRequest {
    /// Level of the tests.
    pub alpha: f64,
    /// Bootstrap samples of the cases; 0 for none.
    pub replicates: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Whether repeated cases are treated as challengeR 1.0 does.
    pub as_challenge_r: bool,
}

/// Rankings of one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankReport {
    /// Cases.
    pub cases: usize,
    /// Algorithms, in the order of every list below.
    pub algorithms: Vec<String>,
    /// Rankings of each metric by its name.
    pub metrics: BTreeMap<String, MetricRankings>,
    /// Rankings over all metrics.
    pub overall: OverallRankings,
}

/// Rankings by one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricRankings {
    /// `higher-is-better` or `lower-is-better`.
    pub direction: Direction,
    /// The best value, where it lies inside the metric's range: the values ranked are then distances from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_to: Option<f64>,
    /// Values missing from the table.
    pub missing: usize,
    /// Each method's ranking by its name.
    pub methods: BTreeMap<&'static str, MethodRanking>,
    /// One-sided paired Wilcoxon tests of every pair.
    pub significance: SignificanceMatrix,
}

/// One ranking.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodRanking {
    /// What is ranked: mean, median, mean rank, or share of beaten algorithms.
    pub aggregates: Vec<Option<f64>>,
    /// Competition ranks, 1 the best.
    pub ranks: Vec<u32>,
    /// How stable the ranking is over resampled cases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
}

/// Ranks over bootstrap samples of the cases.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stability {
    /// Samples.
    pub replicates: usize,
    /// Per algorithm, how often it had rank 1, 2, ...
    pub distribution: Vec<Vec<u64>>,
    /// Per algorithm, 2.5th and 97.5th percentile of its rank.
    pub rank95: Vec<Option<[f64; 2]>>,
    /// Mean of Kendall's tau of each sample's ranking with the full one.
    pub mean_kendall_tau: Option<f64>,
}

/// Which algorithms are better than which beyond chance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignificanceMatrix {
    /// Level.
    pub alpha: f64,
    /// Row against column: p-value of the row being better, adjusted by Holm's method.
    pub holm: Vec<Vec<Option<f64>>>,
    /// Groups of neighbouring ranks (mean, then rank) that cannot be told apart, as positions in `algorithms`.
    pub tie_groups: Vec<Vec<usize>>,
}

/// Rankings over all metrics together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverallRankings {
    /// Grand Challenge: ranks of the means by rule (`absolute`, `mean`, `median`); `null` where a metric is missing.
    pub grand_challenge: BTreeMap<&'static str, Vec<Option<u32>>>,
    /// FeTS: ranks over institutions, where these are given and no value is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fets: Option<Vec<f64>>,
    /// OpenEBench: classes from 1 (best) by kind, where every algorithm has every metric.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub openebench: BTreeMap<&'static str, Vec<u32>>,
}

/// The direction of a metric: as written after a colon (`name:higher`, `name:lower`, `name:near=1`), else the
/// registry's, whose range then holds for the values. A direction that is written leaves the range open: the column may
/// be in another unit, such as per cent.
///
/// # Errors
/// Words for the person who wrote it: a name without a direction that the registry does not know, a direction other
/// than the registry's, another word, a number that is none.
///
/// ```
/// use fiel_metrics::rank::metric_column;
/// use fiel_metrics::registry::Direction;
///
/// assert_eq!(metric_column("hd95")?.direction, Direction::LowerIsBetter);
/// assert_eq!((metric_column("dice")?.range, metric_column("dice:higher")?.range), (Some((0.0, 1.0)), None));
/// assert!(metric_column("dice:lower").is_err_and(|words| words.contains("higher is better")));
/// // Best at 1, as the registry knows.
/// assert_eq!(metric_column("calibration_slope")?.nearest_to, Some(1.0));
/// let own = metric_column("my_score:higher")?;
/// assert_eq!((own.name.as_str(), own.direction), ("my_score", Direction::HigherIsBetter));
/// assert!(metric_column("my_score").is_err_and(|words| words.contains("my_score:higher")));
/// # Ok::<(), String>(())
/// ```
pub fn metric_column(text: &str) -> Result<RankedMetric, String> {
    let Some((name, word)) = text.rsplit_once(':') else {
        let spec = registry::find(text).ok_or_else(|| {
            format!(
                "`{text}` is not in the registry: write `{text}:higher`, `{text}:lower` or `{text}:near=0`"
            )
        })?;
        let (direction, nearest_to) = best(spec);
        return Ok(RankedMetric { name: text.to_owned(), direction, nearest_to, range: Some(spec.range) });
    };
    let (direction, nearest_to) = match (word, word.strip_prefix("near=")) {
        ("higher", _) => (Direction::HigherIsBetter, None),
        ("lower", _) => (Direction::LowerIsBetter, None),
        (_, Some(number)) => match number.parse::<f64>() {
            Ok(target) if target.is_finite() => (Direction::LowerIsBetter, Some(target)),
            _ => return Err(format!("`{number}` is no number")),
        },
        _ => return Err(format!("`{word}` is neither `higher` nor `lower` nor `near=` with a number")),
    };
    if let Some(known) = registry::find(name).map(best).filter(|known| *known != (direction, nearest_to)) {
        return Err(format!(
            "the registry says of `{name}` that {}; leave `:{word}` out, or give a column that holds something else \
             another name",
            in_words(known)
        ));
    }
    Ok(RankedMetric { name: name.to_owned(), direction, nearest_to, range: None })
}

/// Which values of the registry's metric are better.
fn best(spec: &MetricSpec) -> (Direction, Option<f64>) {
    if spec.is_best_inside() { (Direction::LowerIsBetter, Some(spec.target)) } else { (spec.direction, None) }
}

fn in_words((direction, nearest_to): (Direction, Option<f64>)) -> String {
    match (nearest_to, direction) {
        (Some(target), _) => format!("nearer to {target} is better"),
        (None, Direction::HigherIsBetter) => "higher is better".to_owned(),
        (None, Direction::LowerIsBetter) => "lower is better".to_owned(),
    }
}

/// How far beyond its range a value may lie: single precision rounds a mean of ones so.
const ROUNDING: f64 = 1e-6;

impl RankedMetric {
    /// Refuses a value outside the registry's range, saying what is allowed.
    fn check(&self, value: f64) -> Result<(), String> {
        let Some((low, high)) = self.range else { return Ok(()) };
        if (low - ROUNDING..=high + ROUNDING).contains(&value) {
            return Ok(());
        }
        let limits = match (low.is_finite(), high.is_finite()) {
            (true, false) => format!("at least {low}"),
            (false, _) => format!("at most {high}"),
            (true, true) => format!("from {low} to {high}"),
        };
        let better = match self.direction {
            Direction::HigherIsBetter => "higher",
            Direction::LowerIsBetter => "lower",
        };
        let name = &self.name;
        let otherwise = match self.nearest_to {
            Some(_) => "rename the column if it holds something else".to_owned(),
            None => format!("write `{name}:{better}` if the column is in another unit"),
        };
        Err(format!("`{name}` is {value:?}, but the metric is {limits}; {otherwise}"))
    }
}

/// Ranks algorithms by each metric and by all of them: by every usual method, with the tests of every pair and, over
/// resamples of the cases, how stable each ranking is (Wiesenfarth et al. 2021,
/// <https://doi.org/10.1038/s41598-021-82017-6>). `progress` is called with the rankings done and all of them.
///
/// Algorithms and cases are in the order of their names. A case that an algorithm has no row of, or an empty value,
/// is missing: means leave it out, ranks within a case put it last.
///
/// # Errors
/// [`ScoreError::Table`] for a file or a column that cannot be read; [`ScoreError::Row`], with its number, for a
/// value that is no number or outside [`RankedMetric::range`], a case and algorithm that stand twice, a case of two
/// institutions; [`ScoreError::Twice`] for a column that is given twice; [`ScoreError::Input`] for a level outside 0 to 1.
///
/// ```
/// use fiel_metrics::rank::{RankFiles, RankRequest, metric_column, rank};
///
/// let folder = tempfile::tempdir()?;
/// let table = folder.path().join("results.csv");
/// std::fs::write(&table, "case,algorithm,dice\n\
///     a,unet,0.9\na,atlas,0.8\nb,unet,0.7\nb,atlas,0.6\nc,unet,0.8\nc,atlas,0.8\n")?;
/// let metrics = [metric_column("dice")?];
/// let files =
///     RankFiles { table: &table, case: "case", algorithm: "algorithm", metrics: &metrics, institution: None };
/// let request = RankRequest { alpha: 0.05, replicates: 200, seed: 1, as_challenge_r: false };
/// let report = rank(&files, &request, |_, _| ())?;
///
/// assert_eq!((report.cases, report.algorithms), (3, vec!["atlas".to_owned(), "unet".to_owned()]));
/// let by_rank = &report.metrics["dice"].methods["rank-then-mean"];
/// assert_eq!(by_rank.aggregates, [Some(5.0 / 3.0), Some(1.0)]);
/// assert_eq!(by_rank.ranks, [2, 1]);
/// // `unet` is nowhere worse: first in every resample. Three cases are too few for a test to say so.
/// let stability = by_rank.stability.as_ref().expect("200 resamples were asked for");
/// assert_eq!(stability.distribution[1], [200, 0]);
/// assert_eq!(report.metrics["dice"].significance.tie_groups, [[1, 0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn rank(
    files: &RankFiles<'_>,
    request: &RankRequest,
    mut progress: impl FnMut(usize, usize),
) -> Result<RankReport, ScoreError> {
    let mut names = BTreeSet::new();
    if let Some(twice) = files.metrics.iter().find(|metric| !names.insert(&metric.name)) {
        return Err(ScoreError::Twice(twice.name.clone()));
    }
    let values = Values::read(files)?;
    let alpha = Alpha::new(request.alpha)?;
    let methods = [
        ("mean-then-rank", Method::MeanThenRank),
        ("median-then-rank", Method::MedianThenRank),
        ("rank-then-mean", Method::RankThenMean),
        ("rank-then-median", Method::RankThenMedian),
        ("test-then-rank", Method::TestThenRank(alpha)),
    ];
    let resamples = match request.replicates {
        0 => None,
        n => Some(Resamples::multinomial(request.seed, n, values.cases.len())?),
    };
    let repeated = if request.as_challenge_r { RepeatedCases::ChallengeR } else { RepeatedCases::Correct };
    let total = files.metrics.len() * methods.len();
    progress(0, total);
    let mut metrics = BTreeMap::new();
    for (m, metric) in files.metrics.iter().enumerate() {
        let table = Table::new(&values.table[m], values.algorithms.len(), to_kernel(metric.direction))?;
        let mut rankings = BTreeMap::new();
        for (k, (method_name, method)) in methods.iter().enumerate() {
            let ranking = table.rank(*method);
            let stability = match &resamples {
                Some(resamples) => Some(stability(&table.bootstrap(*method, resamples, repeated)?)?),
                None => None,
            };
            let found = MethodRanking { aggregates: ranking.aggregates, ranks: ranking.ranks, stability };
            rankings.insert(*method_name, found);
            progress(m * methods.len() + k + 1, total);
        }
        let significance = significance(&table, alpha, &rankings["mean-then-rank"].ranks);
        let &RankedMetric { ref name, direction, nearest_to, .. } = metric;
        let (missing, methods) = (table.missing(), rankings);
        metrics
            .insert(name.clone(), MetricRankings { direction, nearest_to, missing, methods, significance });
    }
    let overall = overall(&values, files, &metrics)?;
    Ok(RankReport { cases: values.cases.len(), algorithms: values.algorithms, metrics, overall })
}

fn to_kernel(direction: Direction) -> ranking::Direction {
    match direction {
        Direction::HigherIsBetter => ranking::Direction::HigherIsBetter,
        Direction::LowerIsBetter => ranking::Direction::LowerIsBetter,
    }
}

fn stability(ranks: &ranking::BootstrappedRanks) -> Result<Stability, ScoreError> {
    let algorithms = 0..ranks.algorithms();
    let mut rank95 = Vec::new();
    for a in algorithms.clone() {
        let (low, high) = (ranks.quantile(a, 0.025)?, ranks.quantile(a, 0.975)?);
        rank95.push(low.ok().zip(high.ok()).map(|(low, high)| [low, high]));
    }
    let taus: Vec<f64> = ranks.kendall_tau().into_iter().filter_map(Result::ok).collect();
    let mean = (!taus.is_empty()).then(|| taus.iter().sum::<f64>() / taus.len() as f64);
    Ok(Stability {
        replicates: ranks.replicates(),
        distribution: algorithms.map(|a| ranks.distribution(a)).collect(),
        rank95,
        mean_kendall_tau: mean,
    })
}

fn significance(table: &Table, alpha: Alpha, ranks: &[u32]) -> SignificanceMatrix {
    let tests = Significance::of(table, alpha, Adjustment::Holm);
    let all = 0..table.algorithms();
    let holm = all.clone().map(|a| all.clone().map(|b| tests.adjusted_p(a, b)).collect()).collect();
    SignificanceMatrix { alpha: alpha.level(), holm, tie_groups: tests.tie_groups(ranks) }
}

fn overall(
    values: &Values,
    files: &RankFiles<'_>,
    metrics: &BTreeMap<String, MetricRankings>,
) -> Result<OverallRankings, ScoreError> {
    let directions: Vec<ranking::Direction> = files.metrics.iter().map(|m| to_kernel(m.direction)).collect();
    let mean = |algorithm: usize, metric: &RankedMetric| {
        metrics[&metric.name].methods["mean-then-rank"].aggregates[algorithm]
    };
    let means: Vec<Option<f64>> =
        (0..values.algorithms.len()).flat_map(|a| files.metrics.iter().map(move |m| mean(a, m))).collect();
    let mut boards = BTreeMap::new();
    for (name, rule) in [("absolute", Overall::First), ("mean", Overall::Mean), ("median", Overall::Median)] {
        boards.insert(name, grand_challenge(&means, &directions, rule)?.ranks);
    }
    let mut classes = BTreeMap::new();
    if let Some(points) = means.iter().copied().collect::<Option<Vec<f64>>>() {
        let participants = Participants::new(&points, &directions)?;
        classes.insert("square-quartiles", participants.square_quartiles());
        // Both need a positive best value; without one these classes do not exist.
        participants
            .diagonal_quartiles()
            .into_iter()
            .for_each(|c| drop(classes.insert("diagonal-quartiles", c)));
        participants.clusters().into_iter().for_each(|c| drop(classes.insert("clusters", c.classes)));
    }
    Ok(OverallRankings { grand_challenge: boards, fets: values.fets(&directions)?, openebench: classes })
}

/// The table's values: per metric, cases x algorithms.
struct Values {
    cases: Vec<String>,
    algorithms: Vec<String>,
    table: Vec<Vec<Option<f64>>>,
    /// Per case, its institution.
    institutions: Option<Vec<String>>,
}

impl Values {
    fn read(files: &RankFiles<'_>) -> Result<Self, ScoreError> {
        let columns = Columns::read(files.table)?;
        let (case_of, algorithm_of) = (columns.words(files.case)?, columns.words(files.algorithm)?);
        let order = |words: &[String]| -> Vec<String> {
            words.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect()
        };
        let (cases, algorithms) = (order(&case_of), order(&algorithm_of));
        let place = |names: &[String]| -> HashMap<String, usize> {
            names.iter().enumerate().map(|(i, n)| (n.clone(), i)).collect()
        };
        let (case_at, algorithm_at) = (place(&cases), place(&algorithms));
        let row = |row: usize, problem: String| ScoreError::Row {
            path: columns.path().to_owned(),
            row: row + 1,
            problem,
        };
        let mut at = Vec::with_capacity(case_of.len());
        let mut seen: HashMap<usize, usize> = HashMap::new();
        for (i, (case, algorithm)) in case_of.iter().zip(&algorithm_of).enumerate() {
            let cell = case_at[case] * algorithms.len() + algorithm_at[algorithm];
            if let Some(first) = seen.insert(cell, i) {
                let problem =
                    format!("case {case:?} and algorithm {algorithm:?} stand in row {} as well", first + 1);
                return Err(row(i, problem));
            }
            at.push(cell);
        }
        let mut table = Vec::with_capacity(files.metrics.len());
        for metric in files.metrics {
            let mut cells = vec![None; cases.len() * algorithms.len()];
            let ranked = |value: f64| metric.nearest_to.map_or(value, |target| (value - target).abs());
            for (i, (cell, value)) in at.iter().zip(columns.optional_numbers(&metric.name)?).enumerate() {
                value.map_or(Ok(()), |value| metric.check(value)).map_err(|problem| row(i, problem))?;
                cells[*cell] = value.map(ranked);
            }
            table.push(cells);
        }
        let institutions = match files.institution {
            None => None,
            Some(column) => {
                let mut of = vec![None; cases.len()];
                for (i, (case, name)) in case_of.iter().zip(columns.words(column)?).enumerate() {
                    match &mut of[case_at[case]] {
                        Some(known) if *known != name => {
                            return Err(row(i, format!("case {case:?} belongs to {known:?} elsewhere")));
                        }
                        slot => *slot = Some(name),
                    }
                }
                of.into_iter().collect()
            }
        };
        Ok(Self { cases, algorithms, table, institutions })
    }

    fn fets(&self, directions: &[ranking::Direction]) -> Result<Option<Vec<f64>>, ScoreError> {
        let Some(institutions) = &self.institutions else { return Ok(None) };
        if self.table.iter().flatten().any(Option::is_none) {
            return Ok(None);
        }
        let mut sites = Vec::new();
        for name in institutions.iter().collect::<BTreeSet<_>>() {
            let mut tables = Vec::new();
            for (cells, direction) in self.table.iter().zip(directions) {
                let rows = cells.chunks(self.algorithms.len()).zip(institutions).filter(|(_, i)| *i == name);
                let rows: Vec<Option<f64>> = rows.flat_map(|(row, _)| row.iter().copied()).collect();
                tables.push(Table::new(&rows, self.algorithms.len(), *direction)?);
            }
            sites.push(Institution::new(tables)?);
        }
        Ok(Some(fets(&sites)?.ranks))
    }
}
