//! Loess against R.

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::Undefined;
use fiel_kernels::calibration::{Forecasts, Smoother};

#[test]
fn loess_equals_r() {
    let mut compared = 0;
    let sources = cases("calibration_binary");
    for case in cases("own/loess") {
        let source = sources.iter().find(|s| s["id"] == case["id"]).expect("the same case");
        let labels: Vec<bool> = numbers(&source["y"]).iter().map(|&y| y == 1.0).collect();
        let probabilities = numbers(&source["prob"]);
        let forecasts = Forecasts::new(&probabilities, &labels).expect("valid");
        for (surface, smoother) in
            [("interpolate", Smoother::R), ("direct", Smoother::LoessDirect { span: 0.75 })]
        {
            let own = &case["expected"][surface];
            let what = format!("{} {surface}", case["id"]);
            let found = forecasts.calibration_curve(smoother).expect("a span").expect("defined");
            for (found, expected) in found.iter().zip(numbers(&own["fitted"])) {
                assert_close(*found, expected, 1e-10, &what);
                compared += 1;
            }
            let index = forecasts.calibration_index(smoother).expect("a span").expect("defined");
            for (name, found) in
                [("ici", index.ici), ("e50", index.e50), ("e90", index.e90), ("emax", index.emax)]
            {
                assert_close(found, number(&own[name]).expect("a number"), 1e-10, &format!("{what} {name}"));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 2 * (30 + 55 + 240 + 50) + 4 * 2 * 4);
}

#[test]
fn curves_that_cannot_be_fitted_say_why() {
    let labels = [true, false, true, false];
    let flat = Forecasts::new(&[0.5; 4], &labels).expect("valid");
    for smoother in [Smoother::R, Smoother::LoessDirect { span: 1.0 }, Smoother::Lowess { span: 1.0 }] {
        assert_eq!(flat.calibration_curve(smoother).expect("a span"), Err(Undefined::Constant));
    }
    let few = Forecasts::new(&[0.1, 0.2], &[true, false]).expect("valid");
    assert_eq!(few.calibration_index(Smoother::R), Ok(Err(Undefined::TooFew)));
    let one = Forecasts::new(&[0.1], &[true]).expect("valid");
    assert_eq!(one.calibration_index(Smoother::Lowess { span: 1.0 }), Ok(Err(Undefined::TooFew)));
    // Three of four forecasts are equal: the neighbourhoods of three around them have no width.
    let tied = Forecasts::new(&[0.5, 0.5, 0.5, 0.9], &labels).expect("valid");
    assert_eq!(tied.calibration_curve(Smoother::LoessDirect { span: 0.75 }), Ok(Err(Undefined::Constant)));
    for span in [0.0, -1.0, 1.5, f64::NAN] {
        assert!(flat.calibration_curve(Smoother::Loess { span }).is_err());
    }
}
