//! Intraclass correlation coefficients.

use super::errors::{is_constant, mean, refuse};
use crate::calibration::critical_value;
use crate::calibration::sums::sum;
use crate::inference::f_upper_quantile;
use crate::{InputError, Undefined};

/// Forms of Shrout and Fleiss: the model (who rates), then what is judged (one rating or the mean of k).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IccForm {
    /// ICC(1,1): each subject has raters of its own; one rating.
    OneWaySingle,
    /// ICC(2,1): random raters rate every subject, absolute agreement; one rating.
    TwoWayRandomSingle,
    /// ICC(3,1): these raters only, consistency; one rating.
    TwoWayMixedSingle,
    /// ICC(1,k): mean of k ratings.
    OneWayMean,
    /// ICC(2,k): mean of k ratings.
    TwoWayRandomMean,
    /// ICC(3,k): mean of k ratings.
    TwoWayMixedMean,
}

/// An intraclass correlation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Icc {
    /// The coefficient: 1 is best; it may fall below 0.
    pub value: f64,
    /// Its interval from the F distribution; `None` if F is infinite (perfect agreement).
    pub interval: Option<[f64; 2]>,
    /// The F statistic of the subjects' variation; `None` if it is infinite.
    pub f: Option<f64>,
}

/// Ratings of n subjects (rows) by k raters (columns), both 2 or more, complete and finite.
///
/// ```
/// use fiel_kernels::regression::{IccForm, Ratings};
///
/// let ratings = Ratings::new(&[1.0, 2.0, 2.0, 3.0, 3.0, 4.0], 2)?;
/// assert!((ratings.icc(IccForm::TwoWayRandomSingle, 0.95)??.value - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Ratings<'a> {
    values: &'a [f64],
    raters: usize,
}

/// Mean squares of the analysis of variance of ratings, from which every form of the coefficient follows: what sites
/// can add up without showing a rating.
///
/// ```
/// use fiel_kernels::regression::{IccForm, MeanSquares};
///
/// // Three subjects, whose ratings by two raters are 1 and 2, 2 and 3, 3 and 4.
/// let squares =
///     MeanSquares { cases: 3.0, rater_count: 2.0, subjects: 2.0, raters: 1.5, residual: 0.0, within: 0.5 };
/// assert!((squares.icc(IccForm::TwoWayRandomSingle, 0.95)??.value - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeanSquares {
    /// Number of subjects, 2 or more.
    pub cases: f64,
    /// Number of raters, 2 or more.
    pub rater_count: f64,
    /// Mean square between subjects.
    pub subjects: f64,
    /// Mean square between raters.
    pub raters: f64,
    /// Mean square of what neither explains.
    pub residual: f64,
    /// Mean square within subjects.
    pub within: f64,
}

impl<'a> Ratings<'a> {
    /// Checks the input, row-major: the ratings of one subject stand together.
    ///
    /// # Errors
    /// [`InputError::Empty`] without ratings; [`InputError::Setting`] for fewer than two raters or subjects and for
    /// rows that are not full; [`InputError::Value`], with its place, for a rating that is NaN or beyond 1e150 in
    /// size.
    ///
    /// ```
    /// use fiel_kernels::regression::Ratings;
    ///
    /// assert!(Ratings::new(&[1.0, 2.0, 3.0, 4.0], 2).is_ok());
    /// assert!(Ratings::new(&[1.0, 2.0, 3.0], 2).is_err());
    /// ```
    pub fn new(values: &'a [f64], raters: usize) -> Result<Self, InputError> {
        if values.is_empty() {
            return Err(InputError::Empty("ratings"));
        }
        if raters < 2 {
            let (what, expected) = ("the number of raters", "2 or more");
            return Err(InputError::Setting { what, value: raters as f64, expected });
        }
        if !values.len().is_multiple_of(raters) || values.len() / raters < 2 {
            let (what, expected) =
                ("the number of ratings", "raters times subjects, of which there are 2 or more");
            return Err(InputError::Setting { what, value: values.len() as f64, expected });
        }
        refuse("rating", values)?;
        Ok(Self { values, raters })
    }

    /// Number of subjects.
    ///
    /// ```
    /// # use fiel_kernels::regression::Ratings;
    /// assert_eq!(Ratings::new(&[1.0, 2.0, 3.0, 4.0], 2)?.subjects(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn subjects(&self) -> usize {
        self.values.len() / self.raters
    }

    fn mean_squares(&self) -> MeanSquares {
        let (n, k) = (self.subjects() as f64, self.raters as f64);
        let grand = mean(self.values.iter().copied());
        let rows: Vec<f64> =
            self.values.chunks_exact(self.raters).map(|row| mean(row.iter().copied())).collect();
        let columns: Vec<f64> = (0..self.raters)
            .map(|j| mean(self.values.iter().skip(j).step_by(self.raters).copied()))
            .collect();
        let spread = |means: &[f64]| sum(means.iter().map(|m| (m - grand).powi(2)));
        let cells = || self.values.iter().enumerate().map(|(i, v)| (v, i / self.raters, i % self.raters));
        let within = sum(cells().map(|(v, row, _)| (v - rows[row]).powi(2)));
        let residual = sum(cells().map(|(v, row, column)| (v - rows[row] - columns[column] + grand).powi(2)));
        MeanSquares {
            cases: n,
            rater_count: k,
            subjects: k * spread(&rows) / (n - 1.0),
            raters: n * spread(&columns) / (k - 1.0),
            residual: residual / ((n - 1.0) * (k - 1.0)),
            within: within / (n * (k - 1.0)),
        }
    }

    /// The intraclass correlation of this form with its interval of coverage `level`, strictly between 0 and 1.
    ///
    /// Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420; the interval of ICC(2,1) after McGraw and Wong 1996,
    /// doi:10.1037/1082-989X.1.1.30.
    ///
    /// # Errors
    /// [`Undefined::Constant`] if all ratings are equal; [`Undefined::ZeroDenominator`] if the coefficient has no
    /// denominator (subjects that do not differ, in the mean forms); [`InputError::Setting`] for a level outside (0, 1).
    ///
    /// ```
    /// # use fiel_kernels::regression::{IccForm, Ratings};
    /// let ratings = Ratings::new(&[9.0, 2.0, 6.0, 1.0, 8.0, 4.0, 7.0, 1.0], 2)?;
    /// let icc = ratings.icc(IccForm::TwoWayMixedSingle, 0.95)??;
    /// assert!(icc.interval.is_some_and(|[low, high]| low < icc.value && icc.value < high));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn icc(&self, form: IccForm, level: f64) -> Result<Result<Icc, Undefined>, InputError> {
        critical_value(level)?;
        if is_constant(self.values) {
            return Ok(Err(Undefined::Constant));
        }
        self.mean_squares().icc(form, level)
    }
}

impl MeanSquares {
    /// The intraclass correlation of this form with its interval of coverage `level`, as [`Ratings::icc`].
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] where nothing varies; [`InputError::Setting`] for a level outside (0, 1).
    ///
    /// ```
    /// use fiel_kernels::regression::{IccForm, MeanSquares};
    /// // Three subjects, whose ratings by two raters are 1 and 2, 2 and 3, 3 and 4.
    /// let squares =
    ///     MeanSquares { cases: 3.0, rater_count: 2.0, subjects: 2.0, raters: 1.5, residual: 0.0, within: 0.5 };
    /// let value = |form| squares.icc(form, 0.95).map(|icc| icc.map(|icc| icc.value));
    /// assert_eq!(value(IccForm::OneWaySingle)?, Ok(0.6));
    /// assert_eq!(value(IccForm::TwoWayMixedSingle)?, Ok(1.0)); // a constant offset is no inconsistency
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn icc(&self, form: IccForm, level: f64) -> Result<Result<Icc, Undefined>, InputError> {
        critical_value(level)?;
        let (value, f, interval) = match form {
            IccForm::OneWaySingle | IccForm::OneWayMean => self.one_way(form, level),
            IccForm::TwoWayMixedSingle | IccForm::TwoWayMixedMean => self.mixed(form, level),
            IccForm::TwoWayRandomSingle | IccForm::TwoWayRandomMean => self.random(form, level),
        };
        if !value.is_finite() {
            return Ok(Err(Undefined::ZeroDenominator));
        }
        let interval = (f.is_finite() && interval.iter().all(|e| e.is_finite())).then_some(interval);
        Ok(Ok(Icc { value, interval, f: Some(f).filter(|f| f.is_finite()) }))
    }

    fn one_way(&self, form: IccForm, level: f64) -> Parts {
        let (n, k) = (self.cases, self.rater_count);
        let degrees = [n - 1.0, n * (k - 1.0)];
        ratio_icc(self.subjects, self.within, degrees, k, form == IccForm::OneWaySingle, level)
    }

    fn mixed(&self, form: IccForm, level: f64) -> Parts {
        let (n, k) = (self.cases, self.rater_count);
        let degrees = [n - 1.0, (n - 1.0) * (k - 1.0)];
        ratio_icc(self.subjects, self.residual, degrees, k, form == IccForm::TwoWayMixedSingle, level)
    }

    /// Absolute agreement: the raters' own variation counts as error; Satterthwaite's degrees of freedom.
    fn random(&self, form: IccForm, level: f64) -> Parts {
        let (n, k) = (self.cases, self.rater_count);
        let MeanSquares { subjects, raters, residual, .. } = *self;
        let single = (subjects - residual) / (subjects + (k - 1.0) * residual + k * (raters - residual) / n);
        let f_raters = raters / residual;
        let rest = n * (1.0 + (k - 1.0) * single) - k * single;
        let numerator = (k - 1.0) * (n - 1.0) * (k * single * f_raters + rest).powi(2);
        let degrees = numerator / ((n - 1.0) * (k * single * f_raters).powi(2) + rest.powi(2));
        let tail = 0.5 * (1.0 - level);
        let up = f_upper_quantile(tail, n - 1.0, degrees);
        let down = f_upper_quantile(tail, degrees, n - 1.0);
        let error = k * raters + (k * n - k - n) * residual;
        let low = n * (subjects - up * residual) / (up * error + n * subjects);
        let high = n * (down * subjects - residual) / (error + n * down * subjects);
        let f = subjects / residual;
        if form == IccForm::TwoWayRandomSingle {
            return (single, f, [low, high]);
        }
        let of_mean = |icc: f64| icc * k / (1.0 + icc * (k - 1.0));
        let value = (subjects - residual) / (subjects + (raters - residual) / n);
        (value, f, [of_mean(low), of_mean(high)])
    }
}

/// Coefficient, F statistic and interval, any of which may not be finite.
type Parts = (f64, f64, [f64; 2]);

/// The forms that depend on the ratio of two mean squares with these degrees of freedom.
fn ratio_icc(subjects: f64, error: f64, [d1, d2]: [f64; 2], k: f64, single: bool, level: f64) -> Parts {
    let tail = 0.5 * (1.0 - level);
    let f = subjects / error;
    let low = f / f_upper_quantile(tail, d1, d2);
    let high = f * f_upper_quantile(tail, d2, d1);
    let icc = |f: f64| if single { (f - 1.0) / (f + k - 1.0) } else { 1.0 - 1.0 / f };
    let value = (subjects - error) / if single { subjects + (k - 1.0) * error } else { subjects };
    (value, f, [icc(low), icc(high)])
}
