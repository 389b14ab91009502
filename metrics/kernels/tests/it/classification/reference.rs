//! Values that other packages gave.

use crate::golden::{assert_close, cases, number, numbers};
use fiel_kernels::classification::{
    AucBootstrap, Average, ClassScores, Confusion, ConfusionMatrix, Costs, KappaWeights, PairedScores,
    Proportion, Scores,
};
use fiel_kernels::{InputError, Undefined};
use serde_json::Value;

fn labels(value: &Value) -> Vec<bool> {
    numbers(value).iter().map(|&y| y == 1.0).collect()
}

fn classes(value: &Value) -> Vec<usize> {
    value.as_array().expect("a list").iter().map(|v| v.as_u64().expect("a class") as usize).collect()
}

/// Compares values and counts how many were.
#[derive(Default)]
struct Compared {
    values: usize,
    undefined: usize,
}

impl Compared {
    #[track_caller]
    fn value(&mut self, found: f64, expected: &Value, what: &str) {
        let expected = number(expected).unwrap_or_else(|| panic!("{what}: {expected} is not a number"));
        assert!(!expected.is_nan(), "{what} is NaN for the reference");
        assert_close(found, expected, 1e-12, what);
        self.values += 1;
    }

    /// A value that we hold undefined where the reference says NaN, raises, or answers 0 by its own policy.
    #[track_caller]
    fn outcome(&mut self, found: Result<f64, Undefined>, expected: &Value, what: &str) {
        match found {
            Ok(found) => self.value(found, expected, what),
            Err(_) => {
                let number = number(expected);
                assert!(
                    number.is_none_or(|n| n.is_nan() || n == 0.0),
                    "{what}: undefined instead of {expected}"
                );
                self.undefined += 1;
            }
        }
    }

    #[track_caller]
    fn list(&mut self, found: &[f64], expected: &Value, what: &str) {
        let expected = numbers(expected);
        assert_eq!(found.len(), expected.len(), "{what}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(*found, *expected, 1e-12, what);
        }
        self.values += expected.len();
    }
}

fn check_delong(scores: &Scores<'_>, expected: &Value, id: &str, compared: &mut Compared) {
    match scores.delong() {
        Ok(delong) => {
            compared.value(delong.auc, &expected["auc"], id);
            compared.value(delong.variance, &expected["var"], id);
            compared.list(&delong.wald(0.95).unwrap(), &expected["ci95_wald"], id);
            compared.list(&delong.interval(0.95).unwrap(), &expected["ci95_wald_clipped"], id);
            match delong.logit_interval(0.95).unwrap() {
                Ok(interval) => compared.list(&interval, &expected["ci95_logit"], id),
                Err(_) => {
                    assert!(numbers(&expected["ci95_logit"]).iter().all(|x| x.is_nan()), "{id}");
                    compared.undefined += 2;
                }
            }
        }
        Err(_) => {
            assert!(number(&expected["var"]).is_none_or(f64::is_nan), "{id}");
            compared.undefined += 1;
        }
    }
}

fn check_curves(scores: &Scores<'_>, expected: &Value, id: &str, compared: &mut Compared) {
    if let (Ok(curve), Some(roc)) = (scores.roc_curve(), expected.get("roc_curve")) {
        compared.list(&curve.false_positive_rates, &roc["fpr"], id);
        compared.list(&curve.true_positive_rates, &roc["tpr"], id);
        compared.list(&curve.thresholds, &roc["thr"], id);
    }
    if let (Ok(curve), Some(pr)) = (scores.precision_recall_curve(), expected.get("pr_curve")) {
        compared.list(&curve.precisions, &pr["precision"], id);
        compared.list(&curve.recalls, &pr["recall"], id);
        compared.list(&curve.thresholds, &pr["thr"], id);
    }
}

#[test]
fn scores_agree_with_scikit_learn_and_with_delong_pair_by_pair() {
    let (mut compared, mut refused) = (Compared::default(), Vec::new());
    for case in cases("classification_binary_scores") {
        let id = case["id"].as_str().expect("an id");
        let (y, score) = (labels(&case["y"]), numbers(&case["score"]));
        let scores = match Scores::new(&score, &y) {
            Ok(scores) => scores,
            Err(error) => {
                refused.push((id.to_owned(), error));
                continue;
            }
        };
        let sklearn = &case["expected"]["sklearn"];
        compared.outcome(scores.auc(), &sklearn["roc_auc"], id);
        compared.outcome(scores.partial_auc_mcclish(0.2).unwrap(), &sklearn["roc_auc_max_fpr_0_2"], id);
        compared.outcome(scores.average_precision(), &sklearn["average_precision"], id);
        if scores.positives() > 0 {
            compared.outcome(scores.precision_recall_auc(), &sklearn["pr_auc_trapezoid"], id);
        }
        check_curves(&scores, sklearn, id, &mut compared);
        check_delong(&scores, &case["expected"]["delong_exact_O(mn)_f64"], id, &mut compared);
        let paired = &case["expected"]["delong_paired_exact"];
        if paired.is_object() {
            let second = numbers(&case["score2"]);
            let found = PairedScores::new(&score, &second, &y).unwrap().delong().unwrap();
            compared.value(found.first.auc, &paired["auc1"], id);
            compared.value(found.second.auc, &paired["auc2"], id);
            compared.value(found.first.variance, &paired["var1"], id);
            compared.value(found.second.variance, &paired["var2"], id);
            compared.value(found.covariance, &paired["cov"], id);
            compared.value(found.z().unwrap(), &paired["z"], id);
            compared.value(found.p_two_sided().unwrap(), &paired["p_two_sided"], id);
        }
    }
    let refused_ids: Vec<&str> = refused.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(refused_ids, ["nan_score", "inf_score", "empty"]);
    let at = |error: &InputError| matches!(error, InputError::Value { what: "scores", index: 2, .. });
    assert!(at(&refused[0].1) && at(&refused[1].1));
    assert_eq!(refused[2].1, InputError::Empty("scores"));
    // Undefined: areas and DeLong of one class or of a single positive, logits of 0 and 1, precision without positives.
    assert_eq!((compared.values, compared.undefined), (836, 13));
}

/// MetricsReloaded's operating points, where its float32 and its policies leave them comparable.
#[test]
fn operating_points_agree_with_metrics_reloaded() {
    let mut compared = 0;
    for case in cases("classification_binary_scores") {
        let expected = &case["expected"]["MetricsReloaded"];
        let (y, score) = (labels(&case["y"]), numbers(&case["score"]));
        let Ok(scores) = Scores::new(&score, &y) else { continue };
        let mut check = |found: Result<f64, Undefined>, key: &str| {
            if let (Ok(found), Some(expected)) = (found, number(&expected[key])) {
                if !expected.is_nan() {
                    assert_close(found, expected, 1e-6, &format!("{} {key}", case["id"]));
                    compared += 1;
                }
            }
        };
        let sensitivity = scores.sensitivity_at_specificity(0.8).unwrap();
        check(sensitivity.and_then(|p| p.counts.sensitivity()), "sens_at_spec_0_8");
        let specificity = scores.specificity_at_sensitivity(0.8).unwrap();
        check(specificity.and_then(|p| p.counts.specificity()), "spec_at_sens_0_8");
        check(scores.ppv_at_sensitivity(0.8).unwrap().and_then(|p| p.counts.ppv()), "ppv_at_sens_0_8");
        check(
            scores.sensitivity_at_ppv(0.8).unwrap().and_then(|p| p.counts.sensitivity()),
            "sens_at_ppv_0_8",
        );
    }
    assert_eq!(compared, 58);
}

fn check_intervals(successes: u64, trials: u64, expected: &Value, compared: &mut Compared) {
    let Ok(share) = Proportion::new(successes, trials) else {
        assert_eq!(trials, 0);
        return;
    };
    compared.list(&share.wilson(0.95).unwrap(), &expected["wilson"], "wilson");
    compared.list(&share.clopper_pearson(0.95).unwrap(), &expected["beta"], "beta");
    compared.list(&share.wald(0.95).unwrap(), &expected["normal"], "normal");
    compared.list(&share.agresti_coull(0.95).unwrap(), &expected["agresti_coull"], "agresti_coull");
    compared.list(&share.jeffreys(0.95).unwrap(), &expected["jeffreys"], "jeffreys");
}

fn check_binary(case: &Value, compared: &mut Compared) {
    let id = case["id"].as_str().expect("an id");
    let counts = Confusion::from_labels(&labels(&case["y"]), &labels(&case["pred"])).unwrap();
    let of = |key: &str| case["expected"][key].as_u64().expect("a count");
    assert_eq!((counts.true_negatives, counts.false_positives), (of("tn"), of("fp")), "{id}");
    assert_eq!((counts.false_negatives, counts.true_positives), (of("fn"), of("tp")), "{id}");
    let sklearn = &case["expected"]["sklearn"];
    for (key, found) in [
        ("accuracy", counts.accuracy()),
        ("balanced_accuracy", counts.balanced_accuracy()),
        ("f1", counts.f1()),
        ("f2", counts.f_beta(2.0).unwrap()),
        ("f0_5", counts.f_beta(0.5).unwrap()),
        ("precision", counts.ppv()),
        ("recall", counts.sensitivity()),
        ("mcc", counts.mcc()),
        ("kappa", counts.kappa()),
        ("jaccard", counts.jaccard()),
    ] {
        compared.outcome(found, &sklearn[key], &format!("{id} {key}"));
    }
    if let Some(ratios) = sklearn["lr"].as_array() {
        compared.outcome(counts.lr_positive(), &ratios[0], id);
        compared.outcome(counts.lr_negative(), &ratios[1], id);
    }
    let reloaded = &case["expected"]["MetricsReloaded"];
    let benefit = number(&reloaded["nb_er_1_9"]).expect("a number");
    assert_close(counts.net_benefit(0.1).unwrap().unwrap(), benefit, 1e-6, id);
    let rows =
        vec![counts.true_negatives, counts.false_positives, counts.false_negatives, counts.true_positives];
    let matrix = ConfusionMatrix::from_counts(2, rows).unwrap();
    if let Ok(cost) = Costs::uniform(2).unwrap().normalised_expected(&matrix).unwrap() {
        assert_close(cost, number(&reloaded["ec_norm"]).expect("a number"), 1e-6, id);
    }
    let intervals = &case["expected"]["statsmodels_proportion_ci95"];
    let (positives, negatives) = (of("tp") + of("fn"), of("tn") + of("fp"));
    check_intervals(of("tp"), positives, &intervals["sensitivity"], compared);
    check_intervals(of("tn"), negatives, &intervals["specificity"], compared);
}

fn check_classes(case: &Value, compared: &mut Compared) {
    let id = case["id"].as_str().expect("an id");
    let y = classes(&case["y"]);
    let rows: Vec<Vec<f64>> = case["prob"].as_array().expect("rows").iter().map(numbers).collect();
    let k = rows[0].len();
    let decide = |row: &Vec<f64>| (0..k).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("a class");
    let decided: Vec<usize> = rows.iter().map(decide).collect();
    let matrix = ConfusionMatrix::from_labels(&y, &decided, k).unwrap();
    let sklearn = &case["expected"]["sklearn"];
    for (class, row) in sklearn["confusion_rows_ref"].as_array().expect("rows").iter().enumerate() {
        let found: Vec<f64> = matrix.row(class).iter().map(|&n| n as f64).collect();
        compared.list(&found, row, id);
    }
    let flat: Vec<f64> = rows.into_iter().flatten().collect();
    let scores = ClassScores::new(&flat, &y, k).unwrap();
    for (key, found) in [
        ("balanced_accuracy", matrix.balanced_accuracy()),
        ("macro_f1", matrix.macro_f1()),
        ("micro_f1", matrix.micro_f1()),
        ("weighted_f1", matrix.weighted_f1()),
        ("mcc", matrix.mcc()),
        ("kappa", matrix.kappa(KappaWeights::Plain)),
        ("kappa_linear", matrix.kappa(KappaWeights::Linear)),
        ("kappa_quadratic", matrix.kappa(KappaWeights::Quadratic)),
        ("auc_ovr_macro", scores.auc_one_vs_rest(Average::Macro)),
        ("auc_ovr_weighted", scores.auc_one_vs_rest(Average::Weighted)),
        ("auc_ovo_macro", scores.auc_one_vs_one(Average::Macro)),
        ("top2", Ok(scores.top_k_accuracy(2).unwrap())),
    ] {
        compared.outcome(found, &sklearn[key], &format!("{id} {key}"));
    }
    let reloaded = &case["expected"]["MetricsReloaded"];
    if let Ok(cost) = Costs::uniform(k).unwrap().expected(&matrix).unwrap() {
        assert_close(cost, number(&reloaded["ec"]).expect("a number"), 1e-12, id);
        let normalised = Costs::uniform(k).unwrap().normalised_expected(&matrix).unwrap().unwrap();
        assert_close(normalised, number(&reloaded["ec_norm"]).expect("a number"), 1e-12, id);
    }
}

#[test]
fn labels_agree_with_scikit_learn_and_statsmodels() {
    let (mut binary, mut multiclass) = (Compared::default(), Compared::default());
    for case in cases("classification_labels") {
        if case.get("prob").is_some() {
            check_classes(&case, &mut multiclass)
        } else {
            check_binary(&case, &mut binary)
        }
    }
    assert_eq!((binary.values, binary.undefined), (253, 23));
    assert_eq!((multiclass.values, multiclass.undefined), (78, 1));
}

#[test]
fn bootstrap_of_the_area_agrees_on_given_resamples() {
    let mut compared = Compared::default();
    for case in
        cases("bootstrap_ci").iter().filter(|c| c["id"].as_str().is_some_and(|id| id.starts_with("auc")))
    {
        let expected = &case["expected"];
        let (y, x) = (labels(&case["y"]), numbers(&case["x"]));
        let bootstrap = AucBootstrap::new(&Scores::new(&x, &y).unwrap()).unwrap();
        let resample = |draws: &Value| {
            let mut weights = vec![0; y.len()];
            for index in classes(draws) {
                weights[index] += 1;
            }
            bootstrap.weighted(&weights).unwrap()
        };
        let each = case["indices"].as_array().expect("rows").iter().map(resample).collect();
        let replicates = fiel_kernels::classification::AucReplicates::new(each);
        compared.value(
            bootstrap.weighted(&vec![1; y.len()]).unwrap().unwrap(),
            &expected["theta_hat"],
            "theta",
        );
        assert_eq!(replicates.defined().len() as u64, expected["n_valid"].as_u64().expect("a count"));
        compared.list(&replicates.defined()[..20], &expected["theta_boot_first20"], "replicates");
        let interval = replicates.percentile_interval(0.95).unwrap().unwrap();
        compared.list(&interval, &expected["percentile95"], "interval");
        compared.value(replicates.standard_error().unwrap(), &expected["se"], "standard error");
    }
    assert_eq!(compared.values, 24);
}
