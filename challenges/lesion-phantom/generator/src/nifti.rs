//! Writing NIfTI-1 files, compressed to the same bytes by every build.

/// Size and place of a volume. Axes run to the left, to the back and to the head, as scanners store them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    /// Voxels along each axis, the first running fastest.
    pub(crate) shape: [usize; 3],
    /// Distance of neighbouring voxels along each axis.
    pub(crate) spacing_mm: [f32; 3],
    /// Position of the first voxel.
    pub(crate) origin_mm: [f32; 3],
}

impl Grid {
    /// Number of voxels.
    pub(crate) fn voxels(&self) -> usize {
        self.shape.iter().product()
    }
}

const HEADER_BYTES: usize = 348;
const DATA_OFFSET: u16 = 352;
const TYPE_U8: u16 = 2;
const TYPE_I16: u16 = 4;
const UNIT_MM: u8 = 2;
/// The first two axes point to decreasing coordinates.
const SIGNS: [f32; 3] = [-1.0, -1.0, 1.0];

/// A volume of Hounsfield units as an uncompressed file.
pub(crate) fn encode_i16(grid: &Grid, values: &[i16]) -> Vec<u8> {
    let mut file = header(grid, TYPE_I16, 16);
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file
}

/// A mask as an uncompressed file.
pub(crate) fn encode_u8(grid: &Grid, values: &[u8]) -> Vec<u8> {
    let mut file = header(grid, TYPE_U8, 8);
    file.extend_from_slice(values);
    file
}

/// The 348 bytes of a little-endian header and the four that say "no extension".
fn header(grid: &Grid, data_type: u16, bits: u16) -> Vec<u8> {
    let mut bytes = vec![0u8; usize::from(DATA_OFFSET)];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &u32::to_le_bytes(348));
    put(40, &u16::to_le_bytes(3));
    for axis in 0..7 {
        let length = grid.shape.get(axis).copied().unwrap_or(1);
        let length = u16::try_from(length).expect("phantoms have fewer than 65,536 voxels along an axis");
        put(42 + 2 * axis, &length.to_le_bytes());
    }
    put(70, &data_type.to_le_bytes());
    put(72, &bits.to_le_bytes());
    put(76, &1f32.to_le_bytes());
    for axis in 0..3 {
        put(80 + 4 * axis, &grid.spacing_mm[axis].to_le_bytes());
    }
    put(108, &f32::from(DATA_OFFSET).to_le_bytes());
    put(112, &1f32.to_le_bytes());
    put(123, &[UNIT_MM]);
    put(148, b"Fiel lesion phantom, not a patient");
    // Both transforms are given and agree: half a turn about the long axis of the body.
    put(252, &1u16.to_le_bytes());
    put(254, &1u16.to_le_bytes());
    put(264, &1f32.to_le_bytes());
    for (axis, sign) in SIGNS.into_iter().enumerate() {
        put(268 + 4 * axis, &grid.origin_mm[axis].to_le_bytes());
        let row = 280 + 16 * axis;
        put(row + 4 * axis, &(sign * grid.spacing_mm[axis]).to_le_bytes());
        put(row + 12, &grid.origin_mm[axis].to_le_bytes());
    }
    put(HEADER_BYTES - 4, b"n+1\0");
    bytes
}

/// A gzip member without name or time.
pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    const LEVEL: u8 = 9;
    let mut file = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    file.extend(miniz_oxide::deflate::compress_to_vec(data, LEVEL));
    let mut checksum = flate2::Crc::new();
    checksum.update(data);
    file.extend(checksum.sum().to_le_bytes());
    file.extend(checksum.amount().to_le_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_is_compressed_comes_back() {
        let data: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(i) % 251).to_le_bytes()[0]).collect();
        let packed = gzip(&data);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut back).unwrap();
        assert!(back == data);
    }

    #[test]
    fn header_states_size_type_and_place() {
        let grid = Grid { shape: [4, 3, 2], spacing_mm: [0.75, 0.75, 2.5], origin_mm: [10.0, -20.5, 300.0] };
        let file = encode_u8(&grid, &[0; 24]);
        let has = |at: usize, value: f32| file[at..at + 4] == value.to_le_bytes();
        assert_eq!(file.len(), 352 + 24);
        assert_eq!(file[40..48], [3, 0, 4, 0, 3, 0, 2, 0]);
        assert!(has(280, -0.75) && has(292, 10.0), "first row");
        assert!(has(300, -0.75) && has(308, -20.5), "second row");
        assert!(has(320, 2.5) && has(324, 300.0), "third row");
        assert_eq!(&file[344..352], b"n+1\0\0\0\0\0");
    }
}
