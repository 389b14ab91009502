//! Components against a flood fill, and at the boundaries of the blocks they are read in.

use super::permuted;
use fiel_kernels::InputError;
use fiel_kernels::components::{Component, Components, Connectivity, Run, Runs};
use proptest::prelude::*;

/// Components by the plainest method: fill from each voxel in memory order.
fn flood(labels: &[u32], shape: [usize; 3], connectivity: Connectivity) -> (Vec<u32>, Vec<Component>) {
    let [planes, rows, width] = shape;
    let far = match connectivity {
        Connectivity::Faces => 1,
        Connectivity::Edges => 2,
        Connectivity::Corners => 3,
    };
    let mut map = vec![0; labels.len()];
    let mut list: Vec<Component> = Vec::new();
    for first in 0..labels.len() {
        if labels[first] == 0 || map[first] != 0 {
            continue;
        }
        let number = list.len() as u32 + 1;
        list.push(Component {
            label: labels[first],
            voxels: 0,
            first,
            lower: [usize::MAX; 3],
            upper: [0; 3],
            index_sum: [0; 3],
        });
        let component = list.last_mut().unwrap();
        let mut open = vec![first];
        map[first] = number;
        while let Some(at) = open.pop() {
            let position = [at / width / rows, at / width % rows, at % width];
            component.voxels += 1;
            for axis in 0..3 {
                component.lower[axis] = component.lower[axis].min(position[axis]);
                component.upper[axis] = component.upper[axis].max(position[axis] + 1);
                component.index_sum[axis] += position[axis] as u64;
            }
            for code in 0..27 {
                let step = [code / 9 - 1, code / 3 % 3 - 1, code % 3 - 1];
                if step.iter().map(|s: &i32| s.abs()).sum::<i32>() > far {
                    continue;
                }
                let [z, y, x]: [i32; 3] = std::array::from_fn(|i| position[i] as i32 + step[i]);
                if z < 0 || y < 0 || x < 0 || z >= planes as i32 || y >= rows as i32 || x >= width as i32 {
                    continue;
                }
                let there = (z as usize * rows + y as usize) * width + x as usize;
                if labels[there] == labels[first] && map[there] == 0 {
                    map[there] = number;
                    open.push(there);
                }
            }
        }
    }
    (map, list)
}

const ALL: [Connectivity; 3] = [Connectivity::Faces, Connectivity::Edges, Connectivity::Corners];

/// A label map of any small shape; about as much background as foreground.
fn label_map(labels: u32) -> impl Strategy<Value = (Vec<u32>, [usize; 3])> {
    let shape = prop_oneof![
        [1usize..6, 1usize..6, 1usize..9],
        [1usize..3, 1usize..4, 60usize..70],
        [1usize..2, 1usize..9, 1usize..9],
        [1usize..9, 1usize..9, 1usize..2],
        [1usize..9, 1usize..2, 1usize..9],
    ];
    (shape, 0u32..4).prop_flat_map(move |(shape, sparse)| {
        let voxel = (0..labels + 1 + sparse).prop_map(move |v| if v > labels { 0 } else { v });
        (proptest::collection::vec(voxel, shape.iter().product::<usize>()), Just(shape))
    })
}

proptest! {
    #[test]
    fn of_a_mask_they_equal_a_flood_fill((map, shape) in label_map(1)) {
        let mask: Vec<u8> = map.iter().map(|&v| if v == 0 { 0 } else { 1 << (shape[1] % 8) }).collect();
        for connectivity in ALL {
            let (expected_map, expected) = flood(&map, shape, connectivity);
            let found = Components::of_mask(&mask, shape, connectivity).unwrap();
            prop_assert_eq!(found.list(), &expected[..]);
            prop_assert_eq!(found.map(), expected_map);
            prop_assert_eq!(found.voxels(), map.iter().map(|&v| u64::from(v)).sum::<u64>());
        }
    }

    #[test]
    fn of_labels_they_equal_a_flood_fill((map, shape) in label_map(3)) {
        for connectivity in ALL {
            let (expected_map, expected) = flood(&map, shape, connectivity);
            let wide = Components::of_labels(&map, shape, connectivity).unwrap();
            prop_assert_eq!(wide.list(), &expected[..]);
            prop_assert_eq!(wide.map(), expected_map);
            let bytes: Vec<u8> = map.iter().map(|&v| v as u8).collect();
            let words: Vec<u16> = map.iter().map(|&v| v as u16).collect();
            let narrow = [
                Components::of_labels(&bytes, shape, connectivity).unwrap(),
                Components::of_labels(&words, shape, connectivity).unwrap(),
            ];
            prop_assert!(narrow.iter().all(|found| found.list() == expected));
        }
    }

    #[test]
    fn sizes_stay_the_same_under_flips_and_permutations((map, shape) in label_map(1)) {
        let mask: Vec<u8> = map.iter().map(|&v| v as u8).collect();
        let sizes = |mask: &[u8], shape| {
            let found = Components::of_mask(mask, shape, Connectivity::Edges).unwrap();
            let mut sizes: Vec<u64> = found.list().iter().map(|c| c.voxels).collect();
            sizes.sort_unstable();
            sizes
        };
        let flipped: Vec<u8> = mask.iter().rev().copied().collect();
        prop_assert_eq!(sizes(&flipped, shape), sizes(&mask, shape));
        let (turned, turned_shape) = permuted(&mask, shape, [2, 0, 1]);
        prop_assert_eq!(sizes(&turned, turned_shape), sizes(&mask, shape));
    }

    #[test]
    fn runs_are_found_in_long_rows(lengths in proptest::collection::vec(1usize..700, 1..12), head in 0u8..2) {
        let mut mask = Vec::new();
        for (i, &length) in lengths.iter().enumerate() {
            mask.extend(std::iter::repeat_n(((i as u8) + head) % 2 * 255, length));
        }
        let shape = [1, 1, mask.len()];
        let mut expected = Vec::new();
        let mut at = 0;
        for (i, &length) in lengths.iter().enumerate() {
            if (i as u8 + head) % 2 == 1 {
                expected.push((at as u32, (at + length) as u32));
            }
            at += length;
        }
        let of = |runs: &Runs| runs.list().iter().map(|r| (r.begin, r.end)).collect::<Vec<_>>();
        prop_assert_eq!(of(&Runs::of_mask(&mask, shape).unwrap()), expected.clone());
        prop_assert_eq!(of(&Runs::of_labels(&mask, shape).unwrap()), expected);
    }
}

#[test]
fn runs_end_at_the_ends_of_blocks_and_rows() {
    for length in [1, 7, 8, 9, 63, 64, 65, 127, 511, 512, 513, 1024, 1025] {
        let full = vec![1u8; length];
        let runs = Runs::of_mask(&full, [1, 1, length]).unwrap();
        assert_eq!((runs.list()[0].begin, runs.list()[0].end as usize, runs.list().len()), (0, length, 1));
        let mut last = vec![0u8; length];
        last[length - 1] = 128;
        let runs = Runs::of_mask(&last, [1, 1, length]).unwrap();
        assert_eq!((runs.list()[0].begin as usize, runs.list()[0].end as usize), (length - 1, length));
    }
    let rows = Runs::of_mask(&[1; 12], [2, 2, 3]).unwrap();
    let ends: Vec<_> = rows.list().iter().map(|r| (r.begin, r.end)).collect();
    assert_eq!(ends, [(0, 3), (3, 6), (6, 9), (9, 12)]);
    let labels = Runs::of_labels(&[2u8, 2, 2, 3, 3, 3], [1, 2, 3]).unwrap();
    assert_eq!(labels.list().len(), 2);
    assert_eq!(labels.voxels(), 6);
}

#[test]
fn axes_of_length_one_do_not_shorten_the_rows() {
    for shape in [[1, 1, 6], [1, 6, 1], [6, 1, 1]] {
        let components = Components::of_mask(&[0, 1, 1, 0, 1, 1], shape, Connectivity::Faces).unwrap();
        assert_eq!(components.runs().count(), 2);
        let axis = shape.iter().position(|&n| n == 6).unwrap();
        let second = &components.list()[1];
        assert_eq!((second.lower[axis], second.upper[axis], second.centroid()[axis]), (4, 6, 4.5));
        assert_eq!(components.shape(), shape);
    }
}

#[test]
fn instances_of_a_map_may_be_apart() {
    let map = [5u32, 0, 7, 5, 0, 7, 9];
    let found = Components::of_instances(&map, [1, 1, 7]).unwrap();
    let seen: Vec<_> = found.list().iter().map(|c| (c.label, c.voxels, c.first)).collect();
    assert_eq!(seen, [(5, 2, 0), (7, 2, 2), (9, 1, 6)]);
    assert_eq!(found.map(), [1, 0, 2, 1, 0, 2, 3]);
    assert!(!found.is_empty());
}

#[test]
fn the_centre_of_a_mask_is_that_of_its_voxels() {
    let runs = Runs::of_mask(&[0, 1, 1, 1, 0, 0, 1, 0], [2, 2, 2]).unwrap();
    assert_eq!(runs.centroid(), Some([0.25, 0.75, 0.5]));
    assert_eq!(Runs::of_mask(&[0, 0], [1, 2, 1]).unwrap().centroid(), None);
    let column = Runs::of_mask(&[0, 1, 0, 1, 1, 1], [3, 2, 1]).unwrap();
    assert_eq!(column.centroid(), Some([1.25, 0.75, 0.0]));
}

#[test]
fn a_shape_that_does_not_fit_is_refused() {
    let of =
        |len: usize, shape| Components::of_mask(&vec![1; len], shape, Connectivity::Corners).map(|c| c.len());
    assert_eq!(of(8, [2, 2, 2]), Ok(1));
    assert!(matches!(of(7, [2, 2, 2]), Err(InputError::Length { left_len: 7, right_len: 8, .. })));
    assert!(matches!(of(0, [2, 0, 2]), Err(InputError::Empty(_))));
    assert!(matches!(of(1, [1 << 31, 2, 1]), Err(InputError::TooLarge { limit: 2_147_483_648, .. })));
    assert!(matches!(of(1, [usize::MAX, 2, 2]), Err(InputError::TooLarge { .. })));
    assert!(matches!(of(1, [1 << 31, 1, 1]), Err(InputError::Length { .. })));
    assert!(Components::of_labels(&[1u16; 3], [1, 2, 2], Connectivity::Faces).is_err());
    assert!(Components::of_instances(&[1u16; 3], [1, 2, 2]).is_err());
}

#[test]
fn connectivities_go_by_their_number_of_neighbours() {
    for (count, expected) in [
        (4, Connectivity::Faces),
        (6, Connectivity::Faces),
        (8, Connectivity::Corners),
        (18, Connectivity::Edges),
        (26, Connectivity::Corners),
    ] {
        assert_eq!(Connectivity::with_neighbours(count), Ok(expected));
    }
    assert!(Connectivity::with_neighbours(0).is_err());
}

#[test]
fn runs_from_elsewhere_are_checked() {
    let of = |list: &[(u32, u32)]| {
        let list: Vec<_> = list.iter().map(|&(begin, end)| Run { begin, end }).collect();
        Runs::of_list(&list, [1, 3, 4]).map(|r| r.list().iter().map(|r| (r.begin, r.end)).collect::<Vec<_>>())
    };
    assert_eq!(of(&[]), Ok(vec![]));
    assert_eq!(of(&[(0, 2), (2, 3), (7, 12)]), Ok(vec![(0, 3), (7, 8), (8, 12)]));
    assert_eq!(of(&[(0, 12)]), Ok(vec![(0, 4), (4, 8), (8, 12)]));
    for (bad, at) in
        [(vec![(2, 2)], 0), (vec![(0, 3), (2, 4)], 1), (vec![(0, 1), (11, 13)], 1), (vec![(3, 2)], 0)]
    {
        assert!(matches!(of(&bad), Err(InputError::Value { index, .. }) if index == at), "{bad:?}");
    }
    assert!(matches!(Runs::of_list(&[], [1, 0, 4]), Err(InputError::Empty(_))));
    assert!(matches!(Runs::of_list(&[], [1 << 20, 1 << 12, 1]), Err(InputError::TooLarge { .. })));
}

#[test]
fn one_label_alone_is_a_mask() {
    let map = [1u8, 1, 2, 0, 2, 2, 1, 2];
    let all = Runs::of_labels(&map, [2, 2, 2]).unwrap();
    for label in 1..3u8 {
        let mask = map.map(|v| u8::from(v == label));
        let expected = Components::of_mask(&mask, [2, 2, 2], Connectivity::Faces).unwrap();
        let found = Components::of_runs(all.of_label(u32::from(label)), Connectivity::Faces);
        assert_eq!(found.map(), expected.map());
    }
}
