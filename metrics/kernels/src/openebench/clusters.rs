//! Four clusters of participants by k-means.

use super::{Participants, normalised_sums};
use crate::InputError;
use crate::inference::{bits, replicate_key};

/// Most clusters.
const CLUSTERS: usize = 4;
/// Up to so many choices of starting points, all are tried.
const STARTS_MAX: usize = 50_000;
/// Otherwise so many seeded ones.
const SEEDED_STARTS: u64 = 2_000;
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
}

impl Participants {
    /// k-means (Lloyd) with at most four clusters on the values as they are; the clusters are put in order by the
    /// sum of their centres' metrics, normalised as in [`Participants::diagonal_quartiles`].
    ///
    /// Of the partitions that Lloyd's rounds reach from any four different participants, the one of least inertia
    /// is taken: what OpenEBench's 50 random starts aim at, without chance. (Lloyd's rounds stop at partitions from
    /// which moving one participant could still lower the inertia: as in OpenEBench, that is not done.) All starts
    /// are tried up to 50,000 of them (34 different points), 2,000 seeded ones (k-means++) beyond. With fewer than
    /// four different points every one is a cluster.
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
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut class_of = vec![0; scores.len()];
        for (class, cluster) in (1..).zip(order) {
            class_of[cluster] = class;
        }
        let classes = sites.site_of.iter().map(|&site| class_of[assignment[site]]).collect();
        Ok(Clusters { classes, inertia: sites.inertia(&assignment) })
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
        let mut consider = |start: &[usize]| {
            let assignment = self.improve(start);
            let inertia = self.inertia(&assignment);
            if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
                best = Some((inertia, assignment));
            }
        };
        let count = self.points.len();
        let choices = (0..self.clusters).fold(1, |all, i| all * (count - i) / (i + 1));
        if choices <= STARTS_MAX {
            for_each_choice(count, self.clusters, &mut consider);
        } else {
            (0..SEEDED_STARTS).for_each(|start| consider(&self.spread_start(start)));
        }
        best.map_or_else(Vec::new, |(_, assignment)| assignment)
    }

    /// Start of k-means++: each further point with probability proportional to its squared distance.
    fn spread_start(&self, start: u64) -> Vec<usize> {
        let key = replicate_key(0, start);
        let mut chosen: Vec<usize> = Vec::with_capacity(self.clusters);
        for step in 0..self.clusters as u64 {
            let weight = |site: usize| {
                let nearest = chosen.iter().map(|&c| squared(&self.points[site], &self.points[c]));
                self.weights[site] * nearest.fold(f64::INFINITY, f64::min).min(f64::MAX)
            };
            let weights: Vec<f64> = if chosen.is_empty() {
                self.weights.clone()
            } else {
                (0..self.points.len()).map(weight).collect()
            };
            let share = (bits(key, step) >> 11) as f64 / (1u64 << 53) as f64;
            let mut left = share * weights.iter().sum::<f64>();
            let mut pick = None;
            for (site, weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
                pick = Some(site);
                left -= weight;
                if left < 0.0 {
                    break;
                }
            }
            chosen.extend(pick);
        }
        chosen
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
                centre.iter_mut().for_each(|sum| *sum /= size);
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

/// Calls `each` with every ascending choice of `size` out of `count` numbers.
fn for_each_choice(count: usize, size: usize, each: &mut impl FnMut(&[usize])) {
    let mut choice: Vec<usize> = (0..size).collect();
    loop {
        each(&choice);
        let Some(place) = (0..size).rev().find(|&i| choice[i] < count - size + i) else { return };
        choice[place] += 1;
        for i in place + 1..size {
            choice[i] = choice[i - 1] + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_all_and_different() {
        let mut found = Vec::new();
        for_each_choice(4, 2, &mut |choice| found.push(choice.to_vec()));
        assert_eq!(found, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        let mut one = 0;
        for_each_choice(3, 3, &mut |_| one += 1);
        assert_eq!(one, 1);
    }
}
