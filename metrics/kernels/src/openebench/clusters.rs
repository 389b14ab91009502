//! Four clusters of participants by k-means.

use super::{Participants, normalised_sums};
use crate::InputError;
use crate::inference::{bits, replicate_key};
use crate::ranking::Direction;

/// Most clusters.
const CLUSTERS: usize = 4;
/// Starts, four times as many as OpenEBench makes.
const STARTS: u64 = 200;
/// Points drawn for each further centre of a start: 2 + ln 4, rounded down, as scikit-learn does.
const TRIALS: usize = 3;
/// Seed of the starts.
const SEED: u64 = 0;
/// Rounds after which a start is given up; a round that changes nothing comes long before.
const ROUNDS_MAX: usize = 1_000;

/// Clusters of the participants.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// Class of each participant, 1 for the best cluster.
    pub classes: Vec<u32>,
    /// Sum of the squared distances of the participants to the centres of their clusters, in squared units of the
    /// metrics as they are.
    pub inertia: f64,
    /// Classes that share their score with another class; the cluster that is better in the first metric then
    /// comes first. OpenEBench leaves their order to rounding.
    pub tied: Vec<u32>,
}

/// Relative difference below which the scores of two clusters are equal.
const SAME_SCORE: f64 = 1e-9;

impl Participants {
    /// k-means (Lloyd) with at most four clusters on the values as they are; the clusters are put in order by the
    /// sum of their centres' metrics, normalised as in [`Participants::diagonal_quartiles`].
    ///
    /// As OpenEBench does with scikit-learn, rounds start from greedily spread participants (k-means++, Arthur &
    /// Vassilvitskii 2007, three trials) and the partition of least inertia is kept; here of 200 seeded starts, so
    /// that the outcome is the same on every machine. It need not be the least of all partitions: Lloyd's rounds
    /// from such starts miss it on occasion, here as there. With fewer than four different points every one is a
    /// cluster.
    ///
    /// # Errors
    /// A metric of which the largest centre is negative, see [`Participants::diagonal_quartiles`].
    ///
    /// ```
    /// use fiel_kernels::openebench::Participants;
    /// use fiel_kernels::ranking::Direction::HigherIsBetter;
    /// let points = [0.9, 0.91, 0.5, 0.51, 0.1, 0.7];
    /// let clusters = Participants::new(&points, &[HigherIsBetter])?.clusters()?;
    /// assert_eq!(clusters.classes, [1, 1, 3, 3, 4, 2]);
    /// assert!((clusters.inertia - 0.0001).abs() < 1e-12);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn clusters(&self) -> Result<Clusters, InputError> {
        let sites = Sites::of(self);
        let assignment = sites.best();
        let centres = sites.centres(&assignment);
        let scores = normalised_sums(&centres.concat(), &self.directions)?;
        let same =
            |a: usize, b: usize| (scores[a] - scores[b]).abs() <= SAME_SCORE * scores[a].abs().max(1.0);
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut tied = Vec::new();
        let mut first = 0;
        for group in order.chunk_by_mut(|&a, &b| same(a, b)) {
            let size = group.len();
            group.sort_by(|&a, &b| match self.directions[0] {
                Direction::HigherIsBetter => centres[b][0].total_cmp(&centres[a][0]),
                Direction::LowerIsBetter => centres[a][0].total_cmp(&centres[b][0]),
            });
            if size > 1 {
                tied.extend((1..).skip(first).take(size));
            }
            first += size;
        }
        let mut class_of = vec![0; scores.len()];
        for (class, cluster) in (1..).zip(order) {
            class_of[cluster] = class;
        }
        let classes = sites.site_of.iter().map(|&site| class_of[assignment[site]]).collect();
        Ok(Clusters { classes, inertia: sites.inertia(&assignment), tied })
    }
}

/// Different points, with the number of participants at each.
struct Sites {
    points: Vec<Vec<f64>>,
    weights: Vec<f64>,
    site_of: Vec<usize>,
    clusters: usize,
}

impl Sites {
    fn of(participants: &Participants) -> Self {
        let (mut points, mut weights, mut site_of): (Vec<Vec<f64>>, Vec<f64>, _) = (vec![], vec![], vec![]);
        for row in participants.rows() {
            let site = points.iter().position(|point| point == row).unwrap_or_else(|| {
                points.push(row.to_vec());
                weights.push(0.0);
                points.len() - 1
            });
            weights[site] += 1.0;
            site_of.push(site);
        }
        let clusters = CLUSTERS.min(points.len());
        Self { points, weights, site_of, clusters }
    }

    /// The assignment of sites to clusters of least inertia that any start leads to; the first of equals.
    fn best(&self) -> Vec<usize> {
        let mut best: Option<(f64, Vec<usize>)> = None;
        for start in 0..STARTS {
            let assignment = self.improve(&self.spread_start(start));
            let inertia = self.inertia(&assignment);
            if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
                best = Some((inertia, assignment));
            }
        }
        best.map_or_else(Vec::new, |(_, assignment)| assignment)
    }

    /// Start of greedy k-means++: the first participant by lot, then of `TRIALS` drawn with probability
    /// proportional to the squared distance to what is chosen the one that leaves the least inertia.
    fn spread_start(&self, start: u64) -> Vec<usize> {
        let key = replicate_key(SEED, start);
        let mut draws = (0..).map(|draw| (bits(key, draw) >> 11) as f64 / (1u64 << 53) as f64);
        let mut lot = |weights: &[f64]| drawn(weights, draws.next().unwrap_or(0.0));
        let mut chosen = vec![lot(&self.weights)];
        let mut left = self.left_by(chosen[0], &vec![f64::INFINITY; self.points.len()]);
        while chosen.len() < self.clusters {
            let chances: Vec<f64> = left.iter().zip(&self.weights).map(|(d, w)| d * w).collect();
            let trials = [(); TRIALS].map(|()| {
                let site = lot(&chances);
                let after = self.left_by(site, &left);
                let inertia: f64 = after.iter().zip(&self.weights).map(|(d, w)| d * w).sum();
                (inertia, site, after)
            });
            let [first, others @ ..] = trials;
            let (_, site, after) =
                others.into_iter().fold(first, |best, trial| if trial.0 < best.0 { trial } else { best });
            chosen.push(site);
            left = after;
        }
        chosen
    }

    /// Squared distance of every site to the nearest chosen one once `site` is chosen too.
    fn left_by(&self, site: usize, left: &[f64]) -> Vec<f64> {
        self.points
            .iter()
            .zip(left)
            .map(|(point, left)| left.min(squared(point, &self.points[site])))
            .collect()
    }

    /// Lloyd's rounds from the given points: every site to the nearest centre, every centre to its sites' mean.
    fn improve(&self, start: &[usize]) -> Vec<usize> {
        let mut centres: Vec<Vec<f64>> = start.iter().map(|&site| self.points[site].clone()).collect();
        let mut assignment = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let nearest: Vec<usize> = self.points.iter().map(|point| nearest(point, &centres)).collect();
            if nearest == assignment {
                break;
            }
            assignment = nearest;
            centres = self.centres_or(&assignment, &centres);
        }
        assignment
    }

    fn centres(&self, assignment: &[usize]) -> Vec<Vec<f64>> {
        self.centres_or(assignment, &vec![vec![0.0; self.points[0].len()]; self.clusters])
    }

    /// Means of the clusters; an empty one stays where it was.
    fn centres_or(&self, assignment: &[usize], before: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut centres = vec![vec![0.0; self.points[0].len()]; before.len()];
        let mut sizes = vec![0.0; before.len()];
        for ((point, weight), &cluster) in self.points.iter().zip(&self.weights).zip(assignment) {
            sizes[cluster] += weight;
            centres[cluster].iter_mut().zip(point).for_each(|(sum, value)| *sum += weight * value);
        }
        for ((centre, size), before) in centres.iter_mut().zip(&sizes).zip(before) {
            if *size > 0.0 {
                for sum in centre {
                    *sum /= size;
                }
            } else {
                centre.clone_from(before);
            }
        }
        centres
    }

    fn inertia(&self, assignment: &[usize]) -> f64 {
        let centres = self.centres(assignment);
        let sites = self.points.iter().zip(&self.weights).zip(assignment);
        sites.map(|((point, weight), &cluster)| weight * squared(point, &centres[cluster])).sum()
    }
}

fn nearest(point: &[f64], centres: &[Vec<f64>]) -> usize {
    let distance = |i: &usize| squared(point, &centres[*i]);
    (0..centres.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// Position drawn with probability proportional to its weight (not all zero), by a number from 0 to below 1.
fn drawn(weights: &[f64], share: f64) -> usize {
    let mut left = share * weights.iter().sum::<f64>();
    let mut last = 0;
    for (position, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        last = position;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_fall_by_weight() {
        let weights = [1.0, 0.0, 2.0, 1.0];
        let found = [0.0, 0.24, 0.25, 0.74, 0.75, 0.999].map(|share| drawn(&weights, share));
        assert_eq!(found, [0, 0, 2, 2, 3, 3]);
        assert_eq!(drawn(&[0.0, 1.0, 0.0], 0.999), 1);
    }
}
