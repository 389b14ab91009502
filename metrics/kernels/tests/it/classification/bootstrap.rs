//! Laws of the bootstrap of the area under the ROC curve.

use super::brute::uniform;
use fiel_kernels::classification::{
    AucBootstrap, AucReplicates, Scores, multinomial_weights, poisson_weight,
};
use fiel_kernels::{InputError, Undefined};
use proptest::prelude::*;

fn data(n: usize, tied: bool) -> (Vec<f64>, Vec<bool>) {
    let labels: Vec<bool> = uniform(1, n).iter().map(|u| *u < 0.3).collect();
    let noise = uniform(2, n);
    let score = |(u, l): (&f64, &bool)| {
        let score = u + if *l { 0.3 } else { 0.0 };
        if tied { (score * 20.0).round() } else { score }
    };
    (noise.iter().zip(&labels).map(score).collect(), labels)
}

/// The area of a list in which every case stands as often as it weighs.
fn repeated(scores: &[f64], labels: &[bool], weights: &[u32]) -> Result<f64, Undefined> {
    let repeat = |i: usize| std::iter::repeat_n((scores[i], labels[i]), weights[i] as usize);
    let (scores, labels): (Vec<f64>, Vec<bool>) = (0..scores.len()).flat_map(repeat).unzip();
    if scores.is_empty() { Err(Undefined::OneClass) } else { Scores::new(&scores, &labels).unwrap().auc() }
}

proptest! {
    #[test]
    fn weights_are_repetitions(cases in prop::collection::vec((-3..3_i8, any::<bool>(), 0..4_u32), 1..40)) {
        let scores: Vec<f64> = cases.iter().map(|c| f64::from(c.0)).collect();
        let labels: Vec<bool> = cases.iter().map(|c| c.1).collect();
        let weights: Vec<u32> = cases.iter().map(|c| c.2).collect();
        let bootstrap = AucBootstrap::new(&Scores::new(&scores, &labels).unwrap()).unwrap();
        prop_assert_eq!(bootstrap.weighted(&weights).unwrap(), repeated(&scores, &labels, &weights));
    }
}

#[test]
fn poisson_replicates_use_the_published_weights() {
    for (n, tied) in [(300, true), (300, false), (5, true), (1, false)] {
        let (scores, labels) = data(n, tied);
        let replicates = Scores::new(&scores, &labels).unwrap().bootstrap_auc(520, 99).unwrap();
        assert_eq!(replicates.each().len(), 520);
        for replicate in [0, 1, 2, 3, 4, 63, 64, 255, 256, 257, 511, 512, 519] {
            let weights: Vec<u32> =
                (0..n as u64).map(|case| poisson_weight(99, replicate, case).into()).collect();
            assert_eq!(
                replicates.each()[replicate as usize],
                repeated(&scores, &labels, &weights),
                "{replicate}"
            );
        }
    }
}

#[test]
fn multinomial_replicates_use_the_published_weights() {
    let (scores, labels) = data(200, true);
    let bootstrap = AucBootstrap::new(&Scores::new(&scores, &labels).unwrap()).unwrap();
    let replicates = bootstrap.multinomial(20, 5);
    for replicate in 0..20 {
        let weights = multinomial_weights(5, replicate, 200);
        assert_eq!(weights.iter().sum::<u32>(), 200);
        assert_eq!(replicates.each()[replicate as usize], repeated(&scores, &labels, &weights));
    }
}

#[test]
fn any_number_of_threads_gives_the_same_replicates() {
    let (scores, labels) = data(2000, true);
    let bootstrap = AucBootstrap::new(&Scores::new(&scores, &labels).unwrap()).unwrap();
    let on = |threads: usize| -> [AucReplicates; 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| [bootstrap.poisson(1000, 3), bootstrap.multinomial(40, 3)])
    };
    let one = on(1);
    for threads in [2, 8] {
        assert_eq!(on(threads), one);
    }
    // Fewer replicates are the first of more, and another seed gives others.
    assert_eq!(bootstrap.poisson(10, 3).each(), &one[0].each()[..10]);
    assert_ne!(bootstrap.poisson(1000, 4), one[0]);
}

#[test]
fn both_bootstraps_find_delongs_standard_error() {
    let (scores, labels) = data(2000, false);
    let scores = Scores::new(&scores, &labels).unwrap();
    let delong = scores.delong().unwrap();
    let bootstrap = AucBootstrap::new(&scores).unwrap();
    for replicates in [bootstrap.poisson(2000, 17), bootstrap.multinomial(2000, 17)] {
        let ratio = replicates.standard_error().unwrap() / delong.variance.sqrt();
        assert!((ratio - 1.0).abs() < 0.06, "{ratio}");
        let [low, high] = replicates.percentile_interval(0.95).unwrap().unwrap();
        let [wald_low, wald_high] = delong.interval(0.95).unwrap();
        let width = wald_high - wald_low;
        assert!((low - wald_low).abs() < 0.1 * width && (high - wald_high).abs() < 0.1 * width);
    }
}

#[test]
fn weights_fit_the_cases() {
    let bootstrap = AucBootstrap::new(&Scores::new(&[0.1, 0.1], &[true, false]).unwrap()).unwrap();
    let length = InputError::Length { left: "weights", left_len: 3, right: "scores", right_len: 2 };
    assert_eq!(bootstrap.weighted(&[1, 1, 1]), Err(length));
    let limit = u64::from(u32::MAX);
    let large = InputError::TooLarge { what: "the sum of weights", found: limit + 1, limit };
    assert_eq!(bootstrap.weighted(&[u32::MAX, 1]), Err(large));
    assert_eq!(bootstrap.weighted(&[u32::MAX - 7, 7]), Ok(Ok(0.5)));
    assert_eq!(bootstrap.weighted(&[0, 7]), Ok(Err(Undefined::OneClass)));
}

#[test]
fn intervals_are_quantiles_of_type_seven() {
    let replicates =
        AucReplicates::new(vec![Ok(0.4), Err(Undefined::OneClass), Ok(0.1), Ok(0.3), Ok(0.2), Ok(0.5)]);
    assert_eq!(replicates.defined(), [0.4, 0.1, 0.3, 0.2, 0.5]);
    let [low, high] = replicates.percentile_interval(0.8).unwrap().unwrap();
    assert!((low - 0.14).abs() < 1e-15 && (high - 0.46).abs() < 1e-15);
    assert!((replicates.standard_error().unwrap() - 0.025_f64.sqrt()).abs() < 1e-15);
    assert!(replicates.percentile_interval(1.0).is_err());
    let none = AucReplicates::new(vec![Err(Undefined::OneClass)]);
    assert_eq!(none.percentile_interval(0.9).unwrap(), Err(Undefined::TooFew));
    assert_eq!(none.standard_error(), Err(Undefined::TooFew));
    let single = AucReplicates::new(vec![Ok(0.7)]);
    assert_eq!(single.percentile_interval(0.9).unwrap(), Ok([0.7, 0.7]));
    assert_eq!(single.standard_error(), Err(Undefined::TooFew));
}
