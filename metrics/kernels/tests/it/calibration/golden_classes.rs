//! Forecasts of several classes against the reference values.

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::calibration::{Bandwidth, BinEdges, ClassForecasts, Grouping, LogLossPolicy};

#[test]
fn several_classes_have_their_reference_values() {
    let mut compared = 0;
    for case in cases("calibration_multiclass") {
        let rows: Vec<Vec<f64>> = case["prob"].as_array().expect("rows").iter().map(numbers).collect();
        let classes = rows[0].len();
        let labels: Vec<usize> = case["y"]
            .as_array()
            .expect("labels")
            .iter()
            .map(|y| y.as_u64().expect("a label") as usize)
            .collect();
        let rows = rows.concat();
        let forecasts = ClassForecasts::new(&rows, classes, &labels).expect("valid");
        let ten = |edges| Grouping::EqualWidth { bins: 10, edges };
        let (expected, peer) = (&case["expected"], &case["expected"]["MetricsReloaded"]);
        let each = numbers(&expected["own_classwise_each"]);
        let left = ten(BinEdges::LeftClosed);
        let mut pairs = vec![
            (
                forecasts.top_label_bins(left).expect("bins").ece(),
                expected["own_top_label_ece10"].clone(),
                1e-12,
            ),
            (forecasts.classwise_ece(left).expect("bins"), expected["own_classwise_ece10"].clone(), 1e-12),
            (forecasts.brier(), peer["brier"].clone(), 1e-12),
            (forecasts.root_brier(), peer["rbs"].clone(), 1e-12),
            (
                forecasts.log_loss(LogLossPolicy::Unclipped).expect("policy").expect("finite"),
                peer["nll"].clone(),
                1e-12,
            ),
            (
                forecasts.classwise_ece(ten(BinEdges::MetricsReloaded)).expect("bins"),
                peer["cwece10"].clone(),
                1e-12,
            ),
            (
                forecasts.top_label_bins(ten(BinEdges::Torchmetrics)).expect("bins").ece(),
                expected["torchmetrics_top_label_ece10"].clone(),
                1e-6,
            ),
        ];
        for (class, each) in each.iter().enumerate() {
            let found = forecasts.class_bins(class, left).expect("bins").ece();
            pairs.push((found, serde_json::json!(each), 1e-12));
        }
        if !peer["kce"].is_null() {
            pairs.push((
                forecasts.kce(Bandwidth::MedianWithSelf).expect("ok").expect("defined"),
                peer["kce"].clone(),
                1e-12,
            ));
            let kde = forecasts.ece_kde(0.5).expect("ok").expect("defined");
            pairs.push((kde, peer["ece_kde_h0_5"].clone(), 1e-12));
        }
        for (found, expected, tolerance) in pairs {
            assert_close(found, number(&expected).expect("a number"), tolerance, &case["id"].to_string());
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 7 + 3 + 4 + 2);
}
