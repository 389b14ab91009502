//! What can be told from the 27 voxels around one.
//!
//! A neighbourhood is a word: bit `x + 3 y + 9 z` for the voxel `x, y, z` in 0 to 2, so that the centre is bit 13.

const CENTRE: u32 = 1 << 13;
const FACES: u32 = 1 << 4 | 1 << 10 | 1 << 12 | 1 << 14 | 1 << 16 | 1 << 22;
const CORNERS: u32 = 1 | 1 << 2 | 1 << 6 | 1 << 8 | 1 << 18 | 1 << 20 | 1 << 24 | 1 << 26;
const EDGES: u32 = ALL & !(CENTRE | FACES | CORNERS);
const ALL: u32 = (1 << 27) - 1;
/// The voxels with x = 0 and with x = 2, and the same for y.
const X_FIRST: u32 = 0o111_111_111;
const X_LAST: u32 = X_FIRST << 2;
const Y_FIRST: u32 = 0o007_007_007;
const Y_LAST: u32 = Y_FIRST << 6;

/// Whether the centre may be taken away: it is no end of a line, and neither the number of pieces nor that of holes
/// and tunnels changes.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version of its caller")]
#[inline(always)]
pub(super) fn deletable(around: u32) -> bool {
    !is_end(around) && keeps_euler(around) && one_piece(around)
}

/// An end has exactly one neighbour.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn is_end(around: u32) -> bool {
    (around & !CENTRE).is_power_of_two()
}

/// Whether the Euler characteristic stays the same without the centre.
///
/// Taking a voxel away also takes away its faces, edges and corners that no other voxel has: the Euler characteristic
/// changes by corners - edges + faces - 1.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn keeps_euler(around: u32) -> bool {
    let faces = around & FACES;
    // An edge is kept by the voxel across it and by those across its two faces, and so on for corners.
    let edges = (around | across_faces(faces)) & EDGES;
    let corners = (around | across_faces(edges)) & CORNERS;
    (8 - corners.count_ones()) + (6 - faces.count_ones()) == (12 - edges.count_ones()) + 1
}

/// Whether the neighbours are connected among themselves (26-connected), or none.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
pub(super) fn one_piece(around: u32) -> bool {
    let shell = around & !CENTRE;
    let mut reached = shell & shell.wrapping_neg();
    loop {
        let next = grown(reached) & shell;
        if next == reached {
            return reached == shell;
        }
        reached = next;
    }
}

/// The voxels that share a face with one of these.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn across_faces(set: u32) -> u32 {
    let along_x = (set & !X_LAST) << 1 | (set & !X_FIRST) >> 1;
    let along_y = (set & !Y_LAST) << 3 | (set & !Y_FIRST) >> 3;
    along_x | along_y | (set << 9 & ALL) | set >> 9
}

/// These voxels and all that touch them.
#[allow(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn grown(set: u32) -> u32 {
    let set = set | (set & !X_LAST) << 1 | (set & !X_FIRST) >> 1;
    let set = set | (set & !Y_LAST) << 3 | (set & !Y_FIRST) >> 3;
    set | (set << 9 & ALL) | set >> 9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_voxel_and_the_end_of_a_line_stay() {
        assert!(!deletable(CENTRE));
        assert!(!deletable(CENTRE | 1 << 14));
        assert!(!deletable(CENTRE | 1));
    }

    #[test]
    fn the_middle_of_a_line_and_of_a_sheet_stay() {
        assert!(!deletable(CENTRE | 1 << 12 | 1 << 14));
        assert!(!deletable(0o777 << 9));
        assert!(!deletable(ALL));
    }

    #[test]
    fn a_corner_of_a_block_and_a_bump_on_a_plane_go() {
        let block = 1 << 13 | 1 << 14 | 1 << 16 | 1 << 17 | 1 << 22 | 1 << 23 | 1 << 25 | 1 << 26;
        assert!(deletable(block));
        assert!(deletable(CENTRE | 0o777));
    }

    #[test]
    fn pieces_are_counted_with_26_neighbours() {
        assert!(one_piece(CENTRE));
        assert!(one_piece(1 << 12 | 1 << 16));
        assert!(!one_piece(1 << 12 | 1 << 14));
        assert!(!one_piece(1 | 1 << 26));
    }
}
