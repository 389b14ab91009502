//! Laws and edges of confusion matrices and proportions.

use fiel_kernels::classification::{
    Average, ClassScores, Confusion, ConfusionMatrix, Costs, KappaWeights, Proportion,
};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;

fn counts(tp: u64, fp: u64, fn_: u64, tn: u64) -> Confusion {
    Confusion { true_positives: tp, false_positives: fp, false_negatives: fn_, true_negatives: tn }
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs().max(1.0)
}

#[test]
fn ratios_without_denominator_are_undefined() {
    let empty = counts(0, 0, 0, 0);
    assert_eq!(empty.accuracy(), Err(Undefined::TooFew));
    assert_eq!(empty.balanced_accuracy(), Err(Undefined::TooFew));
    assert_eq!(empty.net_benefit(0.1).unwrap(), Err(Undefined::TooFew));
    let negatives = counts(0, 0, 0, 5);
    assert_eq!(negatives.sensitivity(), Err(Undefined::NoPositive));
    assert_eq!(negatives.ppv(), Err(Undefined::PredictionEmpty));
    assert_eq!(negatives.f1(), Err(Undefined::BothEmpty));
    assert_eq!(negatives.f_beta(2.0).unwrap(), Err(Undefined::BothEmpty));
    assert_eq!(negatives.jaccard(), Err(Undefined::BothEmpty));
    assert_eq!(negatives.mcc(), Err(Undefined::Constant));
    assert_eq!(negatives.kappa(), Err(Undefined::Constant));
    assert_eq!(negatives.youden(), Err(Undefined::OneClass));
    assert_eq!(negatives.balanced_accuracy(), Ok(1.0));
    assert_eq!(negatives.lr_positive(), Err(Undefined::ZeroDenominator));
    assert_eq!(negatives.lr_negative(), Err(Undefined::ZeroDenominator));
    assert_eq!(negatives.diagnostic_odds_ratio(), Err(Undefined::ZeroDenominator));
    let positives = counts(5, 0, 0, 0);
    assert_eq!(positives.specificity(), Err(Undefined::OneClass));
    assert_eq!(positives.npv(), Err(Undefined::ZeroDenominator));
}

#[test]
fn ratios_of_known_counts() {
    let c = counts(30, 10, 20, 40);
    assert_eq!(c.accuracy(), Ok(0.7));
    assert_eq!(c.sensitivity(), Ok(0.6));
    assert_eq!(c.specificity(), Ok(0.8));
    assert_eq!(c.ppv(), Ok(0.75));
    assert_eq!(c.npv(), Ok(40.0 / 60.0));
    assert_eq!(c.balanced_accuracy(), Ok(0.7));
    assert!(close(c.youden().unwrap(), 0.4));
    assert_eq!(c.f1(), Ok(60.0 / 90.0));
    assert_eq!(c.f_beta(2.0).unwrap(), Ok(150.0 / 240.0));
    assert_eq!(c.jaccard(), Ok(0.5));
    assert_eq!(c.lr_positive(), Ok(3.0));
    assert_eq!(c.lr_negative(), Ok(0.5));
    assert_eq!(c.diagnostic_odds_ratio(), Ok(6.0));
    assert!(close(c.mcc().unwrap(), 1000.0 / (50.0_f64 * 50.0 * 40.0 * 60.0).sqrt()));
    assert_eq!(c.kappa(), Ok(0.4));
    assert_eq!(c.net_benefit(0.5).unwrap(), Ok(0.2));
    assert!(close(c.net_benefit(0.2).unwrap().unwrap(), 0.275));
    for bad in [-0.1, 1.0, f64::NAN] {
        assert!(c.net_benefit(bad).is_err());
    }
    for bad in [0.0, -1.0, f64::INFINITY, f64::NAN] {
        assert!(c.f_beta(bad).is_err());
    }
}

proptest! {
    #[test]
    fn two_classes_of_a_matrix_are_a_confusion(cells in prop::array::uniform4(0..500_u64)) {
        let [tn, fp, fn_, tp] = cells;
        let c = counts(tp, fp, fn_, tn);
        let matrix = ConfusionMatrix::from_counts(2, cells.to_vec()).unwrap();
        prop_assert_eq!(matrix.one_vs_rest(1), c);
        prop_assert_eq!(matrix.accuracy(), c.accuracy());
        prop_assert_eq!(matrix.balanced_accuracy().is_ok(), c.balanced_accuracy().is_ok());
        for (a, b) in [(matrix.mcc(), c.mcc()), (matrix.kappa(KappaWeights::Plain), c.kappa())] {
            match (a, b) {
                (Ok(a), Ok(b)) => prop_assert!(close(a, b), "{} {}", a, b),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
        prop_assert_eq!(matrix.kappa(KappaWeights::Linear), matrix.kappa(KappaWeights::Plain));
    }

    #[test]
    fn order_of_cases_does_not_matter(cases in prop::collection::vec((0..4_usize, 0..4_usize), 1..50)) {
        let (y, p): (Vec<usize>, Vec<usize>) = cases.iter().copied().unzip();
        let (back_y, back_p): (Vec<usize>, Vec<usize>) = cases.iter().rev().copied().unzip();
        let matrix = ConfusionMatrix::from_labels(&y, &p, 4).unwrap();
        prop_assert_eq!(&matrix, &ConfusionMatrix::from_labels(&back_y, &back_p, 4).unwrap());
        // Agreement is symmetric.
        let turned = ConfusionMatrix::from_labels(&p, &y, 4).unwrap();
        for weights in [KappaWeights::Plain, KappaWeights::Linear, KappaWeights::Quadratic] {
            match (matrix.kappa(weights), turned.kappa(weights)) {
                (Ok(a), Ok(b)) => prop_assert!(close(a, b)),
                (a, b) => prop_assert_eq!(a, b),
            }
        }
        prop_assert_eq!(matrix.mcc(), turned.mcc());
        prop_assert_eq!(matrix.micro_f1(), matrix.accuracy());
    }

    #[test]
    fn intervals_hold_the_share_and_mirror(trials in 1..3000_u64, part in 0.0..1.0_f64, level in 0.5..0.999_f64) {
        let successes = (part * (trials + 1) as f64) as u64;
        let share = Proportion::new(successes, trials).unwrap();
        let mirror = Proportion::new(trials - successes, trials).unwrap();
        type Interval = fn(&Proportion, f64) -> Result<[f64; 2], InputError>;
        let kinds: [Interval; 5] = [
            Proportion::wilson, Proportion::clopper_pearson, Proportion::wald, Proportion::agresti_coull,
            Proportion::jeffreys,
        ];
        for (i, interval) in kinds.into_iter().enumerate() {
            let [low, high] = interval(&share, level).unwrap();
            let [mirror_low, mirror_high] = interval(&mirror, level).unwrap();
            prop_assert!((low + mirror_high - 1.0).abs() < 1e-12 && (high + mirror_low - 1.0).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
            // Jeffreys' may miss a share of 0 or 1.
            prop_assert!(i == 4 || (low <= share.share() + 1e-15 && high >= share.share() - 1e-15));
        }
    }
}

#[test]
fn ends_of_intervals_without_successes_or_failures() {
    let none = Proportion::new(0, 10).unwrap();
    let [low, high] = none.clopper_pearson(0.95).unwrap();
    assert!(low == 0.0 && close(high, 1.0 - 0.025_f64.powf(0.1)));
    assert_eq!(none.wilson(0.95).unwrap()[0], 0.0);
    assert_eq!(Proportion::new(10, 10).unwrap().wilson(0.95).unwrap()[1], 1.0);
    assert!(none.wilson(1.0).is_err() && none.clopper_pearson(0.0).is_err() && none.jeffreys(-1.0).is_err());
    assert!(none.wald(f64::NAN).is_err() && none.agresti_coull(2.0).is_err());
    assert_eq!(Proportion::new(0, 0), Err(InputError::Empty("trials")));
    assert_eq!(Proportion::new(3, 2), Err(InputError::TooLarge { what: "successes", found: 3, limit: 2 }));
}

#[test]
fn labels_outside_the_set_are_named() {
    let error = ConfusionMatrix::from_labels(&[0, 1, 5], &[0, 1, 1], 3).unwrap_err();
    assert!(matches!(error, InputError::Value { what: "reference labels", index: 2, .. }));
    let error = ConfusionMatrix::from_labels(&[0, 1, 2], &[3, 1, 1], 3).unwrap_err();
    assert!(matches!(error, InputError::Value { what: "predicted labels", index: 0, .. }));
    assert_eq!(ConfusionMatrix::from_labels(&[], &[], 3), Err(InputError::Empty("reference labels")));
    assert_eq!(ConfusionMatrix::from_labels(&[0], &[0], 0), Err(InputError::Empty("classes")));
    assert!(matches!(ConfusionMatrix::from_labels(&[0], &[0, 1], 2), Err(InputError::Length { .. })));
    assert!(matches!(ConfusionMatrix::from_counts(2, vec![1, 2, 3]), Err(InputError::Length { .. })));
    assert!(matches!(ConfusionMatrix::from_counts(4097, vec![]), Err(InputError::TooLarge { .. })));
    assert!(ConfusionMatrix::from_labels(&[4095], &[0], 4096).is_ok());
    assert!(matches!(Confusion::from_labels(&[true], &[]), Err(InputError::Length { .. })));
    let matrix = ConfusionMatrix::from_counts(2, vec![1, 2, 3, 4]).unwrap();
    assert!(matrix.row(2).is_empty());
    assert_eq!(matrix.one_vs_rest(2), Confusion::default());
    assert_eq!(matrix.one_vs_rest(0), counts(1, 3, 2, 4));
}

#[test]
fn kappa_weighs_disagreements() {
    let matrix = ConfusionMatrix::from_counts(3, vec![4, 1, 1, 0, 3, 2, 2, 0, 7]).unwrap();
    // Margins: rows 6, 5, 9; columns 6, 4, 10; 20 cases.
    let chance = |w: [f64; 2]| w[0] * (6.0 * 4.0 + 5.0 * 6.0 + 5.0 * 10.0 + 9.0 * 4.0) + w[1] * (60.0 + 54.0);
    for (weights, w) in [
        (KappaWeights::Plain, [1.0, 1.0]),
        (KappaWeights::Linear, [1.0, 2.0]),
        (KappaWeights::Quadratic, [1.0, 4.0]),
    ] {
        let observed = w[0] * 3.0 + w[1] * 3.0;
        assert!(close(matrix.kappa(weights).unwrap(), 1.0 - 20.0 * observed / chance(w)));
    }
    let constant = ConfusionMatrix::from_counts(2, vec![4, 0, 0, 0]).unwrap();
    assert_eq!(constant.kappa(KappaWeights::Linear), Err(Undefined::Constant));
    assert_eq!(constant.mcc(), Err(Undefined::Constant));
}

#[test]
fn costs_weigh_classes_and_decisions() {
    let matrix = ConfusionMatrix::from_counts(2, vec![8, 2, 1, 4]).unwrap();
    let costs = Costs::new(vec![0.0, 1.0, 5.0, 0.0], vec![0.9, 0.1]).unwrap();
    let expected = 0.9 * 0.2 + 0.1 * 5.0 * 0.2;
    assert!(close(costs.expected(&matrix).unwrap().unwrap(), expected));
    assert!(close(costs.normalised_expected(&matrix).unwrap().unwrap(), expected / 0.5));
    let absent = ConfusionMatrix::from_counts(2, vec![8, 2, 0, 0]).unwrap();
    assert_eq!(costs.expected(&absent).unwrap(), Err(Undefined::ReferenceEmpty));
    let certain = Costs::new(vec![0.0, 1.0, 5.0, 0.0], vec![1.0, 0.0]).unwrap();
    assert_eq!(certain.expected(&absent).unwrap(), Ok(0.2));
    assert_eq!(certain.normalised_expected(&absent).unwrap(), Err(Undefined::ZeroDenominator));
    assert!(costs.expected(&ConfusionMatrix::from_counts(1, vec![1]).unwrap()).is_err());
    assert_eq!(Costs::uniform(0), Err(InputError::Empty("priors")));
    assert!(Costs::new(vec![0.0], vec![0.5, 0.5]).is_err());
    let error = Costs::new(vec![0.0, 1.0, 1.0, 0.0], vec![0.5, f64::INFINITY]).unwrap_err();
    assert!(matches!(error, InputError::Value { what: "priors", index: 1, .. }));
}

#[test]
fn class_scores_are_checked() {
    let scores = [0.7, 0.2, 0.1, 0.1, 0.6, 0.3];
    assert!(matches!(
        ClassScores::new(&scores, &[0], 3),
        Err(InputError::Length { left_len: 6, right_len: 3, .. })
    ));
    assert!(matches!(ClassScores::new(&scores, &[0, 3], 3), Err(InputError::Value { index: 1, .. })));
    assert!(matches!(ClassScores::new(&[], &[], 3), Err(InputError::Empty(_))));
    let bad = [0.7, 0.2, 0.1, 0.1, f64::NAN, 0.3];
    assert!(matches!(ClassScores::new(&bad, &[0, 1], 3), Err(InputError::Value { index: 4, .. })));
    assert!(ClassScores::new(&scores, &[0, 1], 3).unwrap().top_k_accuracy(0).is_err());
    let one = ClassScores::new(&scores, &[1, 1], 3).unwrap();
    assert_eq!(one.auc_one_vs_one(Average::Macro), Err(Undefined::OneClass));
    assert_eq!(one.auc_one_vs_rest(Average::Weighted), Err(Undefined::OneClass));
}

#[test]
fn pairs_of_classes_weigh_by_their_cases() {
    // Class 0 three times, 1 twice, 2 once.
    let scores = [
        0.5, 0.3, 0.2, /**/ 0.4, 0.5, 0.1, /**/ 0.6, 0.3, 0.1, /**/ 0.2, 0.6, 0.2,
        /**/ 0.45, 0.35, 0.2, /**/ 0.1, 0.3, 0.6,
    ];
    let found = ClassScores::new(&scores, &[0, 0, 0, 1, 1, 2], 3).unwrap();
    let pairs = [((5.0 / 6.0 + 5.0 / 6.0) / 2.0, 5.0), ((1.0 + 1.0) / 2.0, 4.0), ((1.0 + 1.0) / 2.0, 3.0)];
    let plain = pairs.iter().map(|p| p.0).sum::<f64>() / 3.0;
    let weighted = pairs.iter().map(|p| p.0 * p.1).sum::<f64>() / 12.0;
    assert!(close(found.auc_one_vs_one(Average::Macro).unwrap(), plain));
    assert!(close(found.auc_one_vs_one(Average::Weighted).unwrap(), weighted));
    assert_eq!(found.top_k_accuracy(1).unwrap(), 4.0 / 6.0);
    assert_eq!(found.top_k_accuracy(3).unwrap(), 1.0);
}
