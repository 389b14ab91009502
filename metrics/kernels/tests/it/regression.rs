//! Tests of `regression`.

#![expect(clippy::float_cmp, reason = "values are to be exact where no tolerance is given")]

use crate::golden::{assert_close, cases, numbers};
use fiel_kernels::regression::{IccForm, Pairs, Ratings, ZeroReference};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;
use serde_json::Value;

const EXACT: f64 = 1e-12;

#[track_caller]
fn close(found: f64, expected: &Value, what: &str) {
    // Relative alone, unlike the shared helper: some errors are small.
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: {expected} is no number"));
    assert!((found - expected).abs() <= EXACT * expected.abs(), "{what}: {found:?} instead of {expected:?}");
}

#[track_caller]
fn close_interval(found: [f64; 2], expected: &Value, what: &str) {
    for (found, expected) in found.iter().zip(numbers(expected)) {
        assert_close(*found, expected, EXACT, what);
    }
}

#[test]
fn errors_and_agreement_have_their_reference_values() {
    let mut compared = 0;
    for case in cases("own/regression") {
        if case["predicted"].is_null() {
            continue;
        }
        let (id, expected) = (case["id"].to_string(), &case["expected"]);
        let (predicted, reference) = (numbers(&case["predicted"]), numbers(&case["reference"]));
        let pairs = Pairs::new(&predicted, &reference).expect("valid");
        let mape = if reference.contains(&0.0) { ZeroReference::Epsilon } else { ZeroReference::Undefined };
        for (name, found) in [
            ("mae", pairs.mean_absolute_error()),
            ("mse", pairs.mean_squared_error()),
            ("rmse", pairs.root_mean_squared_error()),
            ("r2", pairs.r2().expect("it varies")),
            ("medae", pairs.median_absolute_error()),
            ("mape", pairs.mean_absolute_percentage_error(mape).expect("no zeros")),
            ("pearson", pairs.pearson().expect("both vary")),
            ("spearman", pairs.spearman().expect("both vary")),
            ("kendall", pairs.kendall().expect("both vary")),
        ] {
            close(found, &expected[name], &format!("{id} {name}"));
            compared += 1;
        }
        assert_close(pairs.bias(), expected["bias"].as_f64().expect("a number"), EXACT, &id);
        let ccc = pairs.concordance(0.95).expect("a level").expect("it varies");
        close(ccc.value, &expected["ccc"]["value"], &id);
        close_interval(ccc.interval.expect("three or more"), &expected["ccc"]["interval"], &id);
        let limits = pairs.bland_altman(0.95, 0.9).expect("levels").expect("two or more");
        let own = &expected["bland_altman"];
        close(limits.standard_deviation, &own["sd"], &id);
        close_interval([limits.bias; 2], &serde_json::json!([own["bias"], own["bias"]]), &id);
        close_interval(limits.bias_interval, &own["bias_interval"], &id);
        close_interval(limits.limits, &own["limits"], &id);
        close_interval(limits.lower_interval, &own["lower_interval"], &id);
        close_interval(limits.upper_interval, &own["upper_interval"], &id);
        compared += 13;
    }
    assert_eq!(compared, 4 * 22);
}

const FORMS: [IccForm; 6] = [
    IccForm::OneWaySingle,
    IccForm::TwoWayRandomSingle,
    IccForm::TwoWayMixedSingle,
    IccForm::OneWayMean,
    IccForm::TwoWayRandomMean,
    IccForm::TwoWayMixedMean,
];

#[test]
fn intraclass_correlations_have_their_reference_values() {
    let mut compared = 0;
    for case in cases("own/regression") {
        let Some(rows) = case["ratings"].as_array() else { continue };
        let rows: Vec<Vec<f64>> = rows.iter().map(numbers).collect();
        let values = rows.concat();
        let ratings = Ratings::new(&values, rows[0].len()).expect("valid");
        for (form, expected) in FORMS.into_iter().zip(case["expected"].as_array().expect("six forms")) {
            let found = ratings.icc(form, 0.95).expect("a level").expect("defined");
            let what = format!("{} {form:?}", case["id"]);
            close(found.value, &expected["value"], &what);
            close(found.f.expect("finite"), &expected["f"], &what);
            close_interval(found.interval.expect("finite"), &expected["interval"], &what);
            compared += 3;
        }
    }
    assert_eq!(compared, 2 * 6 * 3);
}

#[test]
fn what_cannot_be_measured_says_why() {
    let one = Pairs::new(&[1.0], &[1.0]).expect("valid");
    assert_eq!(one.r2(), Err(Undefined::TooFew));
    assert_eq!(one.pearson(), Err(Undefined::TooFew));
    assert_eq!(one.bland_altman(0.95, 0.95), Ok(Err(Undefined::TooFew)));
    assert_eq!(one.concordance(0.95), Ok(Err(Undefined::TooFew)));
    let flat = Pairs::new(&[1.0, 2.0], &[0.0, 0.0]).expect("valid");
    assert_eq!(flat.r2(), Err(Undefined::Constant));
    assert_eq!(flat.pearson(), Err(Undefined::Constant));
    assert_eq!(flat.spearman(), Err(Undefined::Constant));
    assert_eq!(flat.kendall(), Err(Undefined::Constant));
    assert_eq!(
        flat.mean_absolute_percentage_error(ZeroReference::Undefined),
        Err(Undefined::ZeroDenominator)
    );
    assert_eq!(flat.mean_absolute_percentage_error(ZeroReference::Skip), Err(Undefined::TooFew));
    assert_eq!(flat.mean_absolute_percentage_error(ZeroReference::Epsilon), Ok(1.5 / f64::EPSILON));
    let part = Pairs::new(&[1.0, 3.0], &[0.0, 2.0]).expect("valid");
    assert_eq!(part.mean_absolute_percentage_error(ZeroReference::Skip), Ok(0.5));
    let ccc = flat.concordance(0.95).expect("a level").expect("the predictions vary");
    assert_eq!((ccc.value, ccc.interval), (0.0, None));
    let same = Pairs::new(&[3.0, 3.0], &[3.0, 3.0]).expect("valid");
    assert_eq!(same.concordance(0.95), Ok(Err(Undefined::Constant)));
    let apart = Pairs::new(&[3.0, 3.0], &[4.0, 4.0]).expect("valid");
    assert_eq!(apart.concordance(0.95).expect("a level").expect("they differ").value, 0.0);
}

#[test]
fn perfect_agreement_has_a_coefficient_without_an_interval() {
    let ratings = Ratings::new(&[1.0, 1.0, 2.0, 2.0, 4.0, 4.0], 2).expect("valid");
    for form in FORMS {
        let found = ratings.icc(form, 0.95).expect("a level").expect("defined");
        assert_eq!((found.value, found.interval, found.f), (1.0, None, None), "{form:?}");
    }
    assert_eq!((ratings.subjects(), Ratings::new(&[1.0; 8], 4).expect("valid").subjects()), (3, 2));
    let flat = Ratings::new(&[2.0; 6], 3).expect("valid");
    assert_eq!(flat.icc(IccForm::OneWaySingle, 0.95), Ok(Err(Undefined::Constant)));
    // Subjects with equal means: one rating agrees worse than by chance, their mean has no denominator.
    let cross = Ratings::new(&[1.0, 3.0, 3.0, 1.0], 2).expect("valid");
    let single = cross.icc(IccForm::OneWaySingle, 0.95).expect("a level").expect("defined");
    assert_eq!((single.value, single.f), (-1.0, Some(0.0)));
    assert_eq!(cross.icc(IccForm::OneWayMean, 0.95), Ok(Err(Undefined::ZeroDenominator)));
}

#[test]
fn bad_values_are_refused_by_their_place() {
    let message = |result: Result<Pairs<'_>, InputError>| result.expect_err("refused").to_string();
    assert_eq!(
        message(Pairs::new(&[1.0, f64::NAN], &[1.0, 2.0])),
        "predicted value at index 1 is NaN; it must be finite and at most 1e150 in size"
    );
    assert_eq!(
        message(Pairs::new(&[1.0], &[f64::NEG_INFINITY])),
        "reference value at index 0 is -inf; it must be finite and at most 1e150 in size"
    );
    assert!(matches!(Pairs::new(&[], &[]), Err(InputError::Empty(_))));
    assert!(matches!(Pairs::new(&[1.0], &[]), Err(InputError::Length { .. })));
    assert!(Pairs::new(&[1e150], &[-1e150]).is_ok());
    assert!(Pairs::new(&[1.1e150], &[0.0]).is_err());
    assert!(matches!(Ratings::new(&[], 2), Err(InputError::Empty(_))));
    assert!(matches!(Ratings::new(&[1.0, 2.0], 1), Err(InputError::Setting { .. })));
    assert!(matches!(Ratings::new(&[1.0, 2.0], 2), Err(InputError::Setting { .. })));
    assert!(matches!(Ratings::new(&[1.0, 2.0, 3.0], 2), Err(InputError::Setting { .. })));
    assert!(matches!(Ratings::new(&[1.0, 2.0, f64::NAN, 1.0], 2), Err(InputError::Value { index: 2, .. })));
    let pairs = Pairs::new(&[1.0, 2.0], &[1.0, 3.0]).expect("valid");
    for level in [0.0, 1.0, f64::NAN] {
        assert!(pairs.bland_altman(level, 0.95).is_err());
        assert!(pairs.bland_altman(0.95, level).is_err());
        assert!(pairs.concordance(level).is_err());
    }
}

/// Kendall's tau-b by its definition.
fn kendall_by_pairs(a: &[f64], b: &[f64]) -> f64 {
    let (mut excess, mut left, mut right) = (0, 0, 0);
    for i in 0..a.len() {
        for j in 0..i {
            let (x, y) = (a[i] - a[j], b[i] - b[j]);
            let sign = |v: f64| if v == 0.0 { 0 } else { v.signum() as i32 };
            excess += sign(x) * sign(y);
            left += sign(x).abs();
            right += sign(y).abs();
        }
    }
    f64::from(excess) / (f64::from(left) * f64::from(right)).sqrt()
}

proptest! {
    #[test]
    fn kendall_equals_its_definition_and_measures_are_symmetric(
        pairs in prop::collection::vec((-4_i8..5, -4_i8..5), 2..40)
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().map(|p| (f64::from(p.0), f64::from(p.1))).unzip();
        let (there, back) = (Pairs::new(&a, &b).expect("valid"), Pairs::new(&b, &a).expect("valid"));
        if let Ok(tau) = there.kendall() {
            prop_assert!((tau - kendall_by_pairs(&a, &b)).abs() < 1e-12);
        }
        prop_assert_eq!(there.kendall(), back.kendall());
        prop_assert_eq!(there.mean_absolute_error(), back.mean_absolute_error());
        prop_assert_eq!(there.bias(), -back.bias());
        let (one, other) = (there.concordance(0.95), back.concordance(0.95));
        prop_assert_eq!(one.expect("a level").map(|c| c.value), other.expect("a level").map(|c| c.value));
        let turned: Vec<(f64, f64)> = a.iter().rev().zip(b.iter().rev()).map(|(a, b)| (*a, *b)).collect();
        let (ra, rb): (Vec<f64>, Vec<f64>) = turned.into_iter().unzip();
        prop_assert_eq!(Pairs::new(&ra, &rb).expect("valid").kendall(), there.kendall());
    }
}

#[test]
fn correlations_do_not_depend_on_the_unit_however_large_or_small() {
    let (a, b) = ([1.0, 2.0, 4.0, -3.0, 0.5], [0.5, 2.0, 3.0, -1.0, -2.0]);
    let plain = Pairs::new(&a, &b).expect("valid");
    for (left, right) in [(490, 0), (0, 490), (490, 490), (-490, 0), (0, -490), (-490, -490), (490, -490)] {
        // Powers of two change no digit.
        let (p, q) = (a.map(|v| v * 2f64.powi(left)), b.map(|v| v * 2f64.powi(right)));
        let pairs = Pairs::new(&p, &q).expect("within 1e150");
        assert_eq!(pairs.pearson(), plain.pearson(), "2^{left}, 2^{right}");
        assert_eq!(pairs.spearman(), plain.spearman());
        assert_eq!(pairs.kendall(), plain.kendall());
    }
    // The means are 0.9 and 0.5.
    let square = |list: [f64; 5], mean: f64| list.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    let product: f64 = a.iter().zip(b).map(|(x, y)| (x - 0.9) * (y - 0.5)).sum();
    let expected = product / (square(a, 0.9) * square(b, 0.5)).sqrt();
    assert_close(plain.pearson().expect("both vary"), expected, 1e-14, "Pearson");
}
