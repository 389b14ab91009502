use super::{ReliabilityPoint, ReliabilitySeries, RocSeries, SERIES_MAX, reliability, roc, standalone};

fn curve(label: &str) -> RocSeries {
    RocSeries {
        label: label.into(),
        auc: Some(0.875),
        points: vec![[0.0, 0.0], [0.0, 0.5], [0.5, 1.0], [1.0, 1.0]],
    }
}

#[test]
fn a_roc_figure_says_what_it_is_and_carries_no_fixed_colour() {
    let svg = roc(&[curve("a 1.0"), curve("b 2.0")]).unwrap();
    assert!(svg.starts_with("<svg class=\"plot\" role=\"img\""), "{}", &svg[..80]);
    assert!(svg.contains("<title id=\"roc-title\">Receiver operating characteristic</title>"));
    assert!(svg.contains("b 2.0 (AUC 0.8750)"));
    assert!(svg.contains("plot-series-1") && svg.contains("plot-series-2") && !svg.contains("plot-series-3"));
    assert!(!svg.contains("=\"#"), "a colour was left: {svg}");
    assert!(!svg.contains("style="), "the content security policy refuses inline styles");
}

#[test]
fn names_in_a_figure_are_escaped() {
    let svg = roc(&[curve("</desc><script>alert(1)</script>\"&")]).unwrap();
    assert!(!svg.contains("<script"), "{svg}");
    assert!(svg.contains("&lt;script&gt;"));
}

#[test]
fn at_most_eight_curves_are_drawn() {
    let curves: Vec<_> = (0..12).map(|i| curve(&format!("tool-{i}"))).collect();
    let svg = roc(&curves).unwrap();
    assert_eq!((0..12).filter(|i| svg.contains(&format!("tool-{i} "))).count(), SERIES_MAX);
}

#[test]
fn sensitivity_is_the_best_within_the_allowed_false_positive_rate() {
    assert_eq!(curve("a").sensitivity_at(0.0), Some(0.5));
    assert_eq!(curve("a").sensitivity_at(0.4), Some(0.5));
    assert_eq!(curve("a").sensitivity_at(0.5), Some(1.0));
}

#[test]
fn a_reliability_figure_draws_points_and_survives_values_that_are_not_numbers() {
    let point = |p: f64| ReliabilityPoint { mean_p: p, observed: p, ci95: [p - 0.1, p + 0.1], n: 20 };
    let series =
        ReliabilitySeries { label: "a".into(), points: vec![point(0.1), point(0.9), point(f64::NAN)] };
    let svg = reliability(&[series]).unwrap();
    assert_eq!(svg.matches("<circle").count(), 3);
    assert!(!svg.contains("NaN"));
}

#[test]
fn a_figure_of_its_own_has_size_and_style() {
    let svg = standalone(&roc(&[curve("a")]).unwrap());
    assert!(svg.contains("<style>") && svg.contains("width=\"720\"") && svg.contains("xmlns="));
}

#[test]
fn an_empty_board_still_has_axes() {
    assert!(roc(&[]).unwrap().contains("Sensitivity"));
}
