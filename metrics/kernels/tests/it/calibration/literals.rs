//! Boundaries and branches, by literal values.

use fiel_kernels::calibration::{
    Band, Bandwidth, BinEdges, ClassForecasts, Estimate, ForecastSummary, Forecasts, Grouping, LogLossPolicy,
    TieRule,
};
use fiel_kernels::{InputError, Undefined};

fn counts(p: &[f64], grouping: Grouping) -> Vec<usize> {
    let labels = vec![false; p.len()];
    let bins = Forecasts::new(p, &labels).expect("valid").bins(grouping).expect("bins");
    bins.bins().iter().map(|b| b.count).collect()
}

#[test]
fn probabilities_on_edges_fall_where_the_convention_says() {
    let p = [0.0, 0.25, 0.5, 0.75, 1.0];
    let four = |edges| counts(&p, Grouping::EqualWidth { bins: 4, edges });
    assert_eq!(four(BinEdges::LeftClosed), [1, 1, 1, 2]);
    assert_eq!(four(BinEdges::RightClosed), [2, 1, 1, 1]);
    assert_eq!(four(BinEdges::Torchmetrics), [1, 1, 1, 1, 1]);
    assert_eq!(four(BinEdges::MetricsReloaded), [1, 1, 1, 1]);
    // More bins than the fast pass has room for: 1/16 and 15/16 lie on edges.
    let p = [0.0, 0.0625, 0.9375, 1.0];
    let mut expected = vec![0; 16];
    (expected[0], expected[1], expected[15]) = (1, 1, 2);
    assert_eq!(counts(&p, Grouping::EqualWidth { bins: 16, edges: BinEdges::LeftClosed }), expected);
    (expected[0], expected[1], expected[14], expected[15]) = (2, 0, 1, 1);
    assert_eq!(counts(&p, Grouping::EqualWidth { bins: 16, edges: BinEdges::RightClosed }), expected);
}

#[test]
fn dropped_cases_count_neither_in_the_sum_nor_in_the_mean() {
    let forecasts = Forecasts::new(&[0.0, 0.0, 0.5], &[true, true, false]).expect("valid");
    let reloaded = Grouping::EqualWidth { bins: 10, edges: BinEdges::MetricsReloaded };
    assert_eq!(forecasts.bins(reloaded).expect("bins").ece(), 0.5);
    assert_eq!(forecasts.murphy(reloaded).expect("bins").reliability, 0.25);
    let none = Forecasts::new(&[0.0], &[true]).expect("valid");
    assert_eq!(none.bins(reloaded).expect("bins").ece(), 0.0);
    assert_eq!(none.murphy(reloaded).expect("bins").brier(), 0.0);
    let classes = ClassForecasts::new(&[1.0, 0.0, 0.5, 0.5], 2, &[1, 0]).expect("valid");
    // Class 0: 1.0 missed, 0.5 hit; class 1: 0.0 dropped, 0.5 missed.
    let error = classes.classwise_ece(reloaded).expect("bins");
    assert_eq!(error, 0.5 * (0.75 + 0.25));
}

#[test]
fn equal_mass_cuts_follow_the_tie_rule() {
    let p = [0.3, 0.1, 0.3, 0.3, 0.9, 0.2, 0.3];
    let bins = |bins, ties| counts(&p, Grouping::EqualMass { bins, ties });
    assert_eq!(bins(3, TieRule::Straddle), [3, 2, 2]);
    assert_eq!(bins(3, TieRule::Together), [6, 1]);
    assert_eq!(bins(2, TieRule::Together), [6, 1]);
    assert_eq!(bins(9, TieRule::Straddle), [1; 7]);
    assert_eq!(bins(9, TieRule::Together), [1, 1, 4, 1]);
    assert_eq!(counts(&p, Grouping::Distinct), [1, 1, 4, 1]);
    // The median is 0.3 and belongs to the lower bin; the first third is rounded to just below 0.3, as in NumPy.
    assert_eq!(bins(2, TieRule::Quantiles), [6, 1]);
    assert_eq!(bins(3, TieRule::Quantiles), [2, 4, 1]);
    assert_eq!(
        counts(&[0.1, 0.2, 0.3, 0.4], Grouping::EqualMass { bins: 2, ties: TieRule::Quantiles }),
        [2, 2]
    );
}

#[test]
fn settings_out_of_range_are_refused() {
    let forecasts = Forecasts::new(&[0.2, 0.7], &[false, true]).expect("valid");
    for bins in [0, 1025] {
        for edges in [BinEdges::LeftClosed, BinEdges::Torchmetrics] {
            assert!(ForecastSummary::of(&[0.5], &[true], bins, edges).is_err());
            assert!(forecasts.murphy(Grouping::EqualWidth { bins, edges }).is_err());
        }
        assert!(forecasts.bins(Grouping::EqualMass { bins, ties: TieRule::Straddle }).is_err());
        assert!(forecasts.hosmer_lemeshow(bins).is_err());
    }
    for bins in [1, 15, 16, 1024] {
        let summary = ForecastSummary::of(&[0.5], &[true], bins, BinEdges::LeftClosed).expect("allowed");
        assert_eq!(summary.bins().bins().len(), bins);
    }
    assert!(forecasts.hosmer_lemeshow(2).is_err());
    for bound in [0.0, 0.5, -1.0, f64::NAN] {
        assert!(forecasts.log_loss(LogLossPolicy::Clip(bound)).is_err(), "{bound}");
    }
    for bandwidth in [0.0, 9e-5, 1.1, f64::NAN] {
        assert!(forecasts.smooth_ece_at(bandwidth).is_err(), "{bandwidth}");
    }
    for replicates in [0, 100_001] {
        assert!(forecasts.corp_band(Band::Consistency, 0.9, replicates, 1).is_err());
    }
    for level in [0.0, 1.0, f64::NAN] {
        assert!(forecasts.corp_band(Band::Consistency, level, 10, 1).is_err());
        assert!(Estimate { value: 1.0, standard_error: 1.0 }.wald(level).is_err());
    }
    let classes = ClassForecasts::new(&[0.5, 0.5], 2, &[0]).expect("valid");
    for bandwidth in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(classes.kce(Bandwidth::Fixed(bandwidth)).is_err());
        assert!(classes.ece_kde(bandwidth).is_err());
    }
    assert_eq!(classes.kce(Bandwidth::Median), Ok(Err(Undefined::TooFew)));
    assert_eq!(classes.ece_kde(0.5), Ok(Err(Undefined::TooFew)));
    assert!(classes.class_bins(2, Grouping::Distinct).is_err());
}

#[test]
fn bad_forecasts_are_refused() {
    let length =
        Err(InputError::Length { left: "probabilities", left_len: 1, right: "labels", right_len: 2 });
    assert_eq!(Forecasts::new(&[0.5], &[true, false]).map(|_| ()), length);
    assert_eq!(Forecasts::new(&[], &[]).map(|_| ()), Err(InputError::Empty("probabilities")));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -5e-324, 1.0 + f64::EPSILON] {
        let p = [0.5, bad];
        let fused = ForecastSummary::of(&p, &[true, true], 10, BinEdges::LeftClosed);
        assert!(matches!(fused, Err(InputError::Value { index: 1, .. })), "{bad}");
        assert!(
            matches!(Forecasts::new(&p, &[true, true]), Err(InputError::Value { index: 1, .. })),
            "{bad}"
        );
    }
    assert!(ForecastSummary::of(&[], &[], 10, BinEdges::LeftClosed).is_err());
    assert!(ForecastSummary::of(&[0.5], &[], 10, BinEdges::LeftClosed).is_err());
    let rows = |p: &[f64], classes, labels: &[usize]| ClassForecasts::new(p, classes, labels).map(|_| ());
    assert!(matches!(rows(&[1.0], 1, &[0]), Err(InputError::Setting { .. })));
    assert!(matches!(rows(&[], 2, &[]), Err(InputError::Empty(_))));
    assert!(matches!(rows(&[0.5, 0.5, 1.0], 2, &[0, 0]), Err(InputError::Length { .. })));
    assert!(matches!(rows(&[0.5, 0.5], 2, &[2]), Err(InputError::Value { what: "label", index: 0, .. })));
    assert!(matches!(rows(&[0.5, 0.5, 0.5, 0.4], 2, &[0, 0]), Err(InputError::Value { index: 1, .. })));
    assert!(matches!(rows(&[0.5, f64::NAN], 2, &[0]), Err(InputError::Value { index: 1, .. })));
    assert_eq!(rows(&[0.5, 0.500_000_9], 2, &[1]), Ok(()));
    assert!(rows(&[0.5, 0.500_001_1], 2, &[1]).is_err());
}

#[test]
fn log_loss_keeps_its_digits_at_both_ends() {
    let loss =
        |p: &[f64], y: &[bool], policy| Forecasts::new(p, y).expect("valid").log_loss(policy).expect("bound");
    // Small losses: 1 - p alone would round these away.
    assert_eq!(loss(&[1e-20; 3], &[false; 3], LogLossPolicy::Unclipped), Ok(1e-20));
    let small = loss(&[1e-10; 200], &[false; 200], LogLossPolicy::SCIKIT_LEARN).expect("finite");
    assert!((small - 1.000_000_000_05e-10).abs() < 1e-22, "{small}");
    // Very small probabilities of what happened.
    let large = loss(&[1e-300; 300], &[true; 300], LogLossPolicy::Unclipped).expect("finite");
    assert!((large - 300.0 * 10f64.ln()).abs() < 1e-9);
    let clipped = loss(&[0.0; 1000], &[true; 1000], LogLossPolicy::SCIKIT_LEARN).expect("finite");
    assert!((clipped - 52.0 * 2f64.ln()).abs() < 1e-12);
    assert_eq!(loss(&[0.0], &[true], LogLossPolicy::Unclipped), Err(Undefined::Infinite));
    assert_eq!(loss(&[1.0, 0.5], &[false, true], LogLossPolicy::Unclipped), Err(Undefined::Infinite));
    assert_eq!(loss(&[0.0, 1.0], &[false, true], LogLossPolicy::Unclipped), Ok(0.0));
    let tenth = loss(&[0.0], &[true], LogLossPolicy::Clip(0.1)).expect("finite");
    assert!((tenth - 10f64.ln()).abs() < 1e-15);
}

#[test]
fn wilson_intervals_stand_beside_the_curve() {
    let p = [0.2; 10];
    let labels = [true, true, false, false, false, false, false, false, false, false];
    let bins = Forecasts::new(&p, &labels).expect("valid").bins(Grouping::Distinct).expect("bins");
    let curve = bins.curve(0.95).expect("a level");
    // statsmodels 0.15.0: proportion_confint(2, 10, method="wilson").
    assert!((curve[0].interval[0] - 0.056_682_151_454_375_246).abs() < 1e-12, "{curve:?}");
    assert!((curve[0].interval[1] - 0.509_837_528_463_358_3).abs() < 1e-12, "{curve:?}");
    let all = Forecasts::new(&p, &[true; 10]).expect("valid").bins(Grouping::Distinct).expect("bins");
    assert_eq!(all.curve(0.95).expect("a level")[0].interval[1], 1.0);
    assert!(all.curve(1.0).is_err());
}

#[test]
fn undefined_measures_say_why() {
    let certain = Forecasts::new(&[0.0, 0.0], &[true, false]).expect("valid");
    assert_eq!(certain.observed_over_expected(), Err(Undefined::ZeroDenominator));
    assert_eq!(certain.spiegelhalter(), Err(Undefined::ZeroDenominator));
    assert_eq!(certain.hosmer_lemeshow(3), Ok(Err(Undefined::TooFew)));
    for event in [false, true] {
        let labels = [event, false, true, false, true, false];
        let sure = Forecasts::new(&[0.0, 0.0, 0.5, 0.5, 0.9, 0.9], &labels).expect("valid");
        assert_eq!(sure.hosmer_lemeshow(3), Ok(Err(Undefined::ZeroDenominator)));
    }
    let fit = |p: &[f64], y: &[bool]| Forecasts::new(p, y).expect("valid").recalibration().map(|_| ());
    // Separated with a tie at the cut, in either direction; one step further the classes overlap.
    assert_eq!(fit(&[0.1, 0.4, 0.4, 0.8], &[false, false, true, true]), Err(Undefined::Separated));
    assert_eq!(fit(&[0.1, 0.4, 0.4, 0.8], &[true, true, false, false]), Err(Undefined::Separated));
    assert_eq!(fit(&[0.1, 0.3, 0.4, 0.8], &[false, true, false, true]), Ok(()));
    assert_eq!(fit(&[0.5, 0.5], &[false, true]), Err(Undefined::Constant));
    assert_eq!(fit(&[0.1, 0.5], &[true, true]), Err(Undefined::OneClass));
    let one = Forecasts::new(&[0.1, 0.5], &[false, false]).expect("valid");
    assert_eq!(one.intercept_in_the_large().map(|_| ()), Err(Undefined::OneClass));
}

#[test]
fn bands_hold_the_curve_of_calibrated_forecasts() {
    let p: Vec<f64> = (0..400).map(|i| (f64::from(i % 20) + 0.5) / 20.0).collect();
    // Each of the 20 forecasts comes true as often as it says, but for rounding.
    let y: Vec<bool> = (0..400).map(|i| f64::from(i / 20) + 0.5 < 20.0 * p[i as usize]).collect();
    let forecasts = Forecasts::new(&p, &y).expect("valid");
    let curve = forecasts.corp().curve;
    for band in [Band::Consistency, Band::Confidence] {
        let found = forecasts.corp_band(band, 0.9, 300, 5).expect("settings");
        assert_eq!(found.forecast.len(), 20);
        for ((point, forecast), [low, high]) in curve.iter().zip(&found.forecast).zip(&found.interval) {
            let centre = point[usize::from(band == Band::Confidence)];
            assert!(low <= &centre && &centre <= high, "{band:?} {point:?} {low} {high}");
            assert!(point[0] == *forecast && high - low < 0.45, "{band:?} {point:?} {low} {high}");
        }
        assert_eq!(found, forecasts.corp_band(band, 0.9, 300, 5).expect("settings"));
        assert_ne!(found, forecasts.corp_band(band, 0.9, 300, 6).expect("settings"));
    }
}

#[test]
fn kernel_errors_of_few_cases_are_what_their_definition_gives() {
    let p = [0.8, 0.2, 0.6, 0.4, 0.2, 0.8];
    let classes = ClassForecasts::new(&p, 2, &[0, 0, 1]).expect("valid");
    // Residuals (0.2, -0.2), (0.4, -0.4), (-0.2, 0.2); distances 0.2, 0.4 and 0.6 times the root of 2.
    let root = 2f64.sqrt();
    let kce = |nu: f64| {
        let k = |d: f64| (-d * root / nu).exp();
        (0.16 * k(0.2) - 0.08 * k(0.6) - 0.16 * k(0.4)) / 3.0
    };
    let found = |bandwidth| classes.kce(bandwidth).expect("ok").expect("defined");
    assert!((found(Bandwidth::Fixed(0.7)) - kce(0.7)).abs() < 1e-15);
    assert!((found(Bandwidth::Median) - kce(0.4 * root)).abs() < 1e-15);
    // With three zeros and every pair twice, the middle of nine is 0.2 times the root of 2.
    assert!((found(Bandwidth::MedianWithSelf) - kce(0.2 * root)).abs() < 1e-15);
    let certain = ClassForecasts::new(&[1.0, 0.0, 0.0, 1.0], 2, &[0, 1]).expect("valid");
    assert_eq!(certain.ece_kde(0.5), Ok(Err(Undefined::ZeroDenominator)));
}

#[test]
fn what_would_not_fit_into_memory_is_refused() {
    let p: Vec<f64> = (0..2001).map(|i| f64::from(i) / 2000.0).collect();
    let forecasts = Forecasts::new(&p, &[true; 2001]).expect("valid");
    let band = forecasts.corp_band(Band::Consistency, 0.9, 100_000, 1);
    let limit = 200_000_000;
    let what = "replicates times distinct probabilities";
    assert_eq!(band, Err(InputError::TooLarge { what, found: 200_100_000, limit }));
    let rows = vec![0.5; 40_002];
    let classes = ClassForecasts::new(&rows, 2, &[0; 20_001]).expect("valid");
    for bandwidth in [Bandwidth::Median, Bandwidth::MedianWithSelf] {
        let expected =
            InputError::TooLarge { what: "cases for the median distance", found: 20_001, limit: 20_000 };
        assert_eq!(classes.kce(bandwidth), Err(expected));
    }
}

#[test]
fn a_smooth_error_needs_residuals_of_one_sign_to_reach_their_mean() {
    // All forecasts in the middle, far from both ends: the kernel spreads residuals and counts alike.
    let forecasts = Forecasts::new(&[0.5; 8], &[true; 8]).expect("valid");
    let error = forecasts.smooth_ece_at(0.05).expect("a bandwidth");
    assert!((error - 0.5).abs() < 1e-4, "{error}");
    let smooth = forecasts.smooth_ece();
    assert!((smooth.value - 0.5).abs() < 1e-3 && (smooth.bandwidth - 0.5).abs() < 2e-3, "{smooth:?}");
    let fair =
        Forecasts::new(&[0.5; 8], &[true, false, true, false, true, false, true, false]).expect("valid");
    assert!(fair.smooth_ece().value.abs() < 1e-12);
    assert!((fair.smooth_ece().bandwidth - 2f64.powi(-10)).abs() < 1e-3);
}

#[test]
fn walds_interval_lies_around_the_estimate() {
    let [low, high] = Estimate { value: 0.8, standard_error: 0.25 }.wald(0.95).unwrap();
    assert!((low - (0.8 - 1.959_963_984_540_054 * 0.25)).abs() < 1e-12, "{low}");
    assert!((high - (0.8 + 1.959_963_984_540_054 * 0.25)).abs() < 1e-12, "{high}");
    assert!(Estimate { value: 0.8, standard_error: 0.25 }.wald(1.0).is_err());
}

#[test]
fn copies_of_a_case_are_not_its_neighbours() {
    let row = |p: f64| [p, 1.0 - p];
    let (rows, labels) = ([0.7, 0.2, 0.4].map(row).concat(), [0, 1, 1]);
    let whole = ClassForecasts::new(&rows, 2, &labels).expect("forecasts");
    // Each case twice: all pairs of cases four times, and none of a case with itself.
    let (twice, labels) = ([0.7, 0.2, 0.4, 0.7, 0.2, 0.4].map(row).concat(), [0, 1, 1, 0, 1, 1]);
    let copied = ClassForecasts::new(&twice, 2, &labels).expect("forecasts");
    let drawn = copied.drawn_from(&[8, 3, 5, 8, 3, 5]).expect("as many");
    for bandwidth in [Bandwidth::Fixed(0.5), Bandwidth::Median] {
        let [whole, copied, drawn] = [whole, copied, drawn].map(|f| f.kce(bandwidth).unwrap().unwrap());
        assert!((whole - drawn).abs() < 1e-15 && copied > whole + 0.01, "{whole} {copied} {drawn}");
    }
    let [whole, copied, drawn] = [whole, copied, drawn].map(|f| f.ece_kde(0.5).unwrap().unwrap());
    assert!((whole - drawn).abs() < 1e-14 && (copied - whole).abs() > 0.01, "{whole} {copied} {drawn}");
    let one = ClassForecasts::new(&twice[..4], 2, &[0, 0]).expect("forecasts").drawn_from(&[1, 1]).unwrap();
    assert_eq!(one.kce(Bandwidth::Fixed(1.0)), Ok(Err(Undefined::TooFew)));
    assert_eq!(one.ece_kde(0.5), Ok(Err(Undefined::ZeroDenominator)));
    assert!(one.drawn_from(&[1]).is_err());
}
