//! Types of stored voxels and how they become labels, masks and intensities.

use super::Geometry;
use crate::error::ImageError;
use crate::{memory, vectorized::vectorized};
use std::marker::PhantomData;

/// Type of the stored voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

impl Stored {
    /// Bytes of one voxel.
    pub(super) fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// A stored number; each method says whether the number fits the other type exactly.
pub(super) trait Number: Copy {
    fn as_u8(self) -> (u8, bool);
    fn as_u16(self) -> (u16, bool);
    fn as_i16(self) -> (i16, bool);
    fn as_f32(self) -> f32;
    fn as_f64(self) -> f64;
}

macro_rules! number {
    ($($type:ty),*) => {$(
        #[allow(
            clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_lossless, clippy::float_cmp,
            clippy::cast_possible_wrap, clippy::unnecessary_cast, clippy::absurd_extreme_comparisons,
            unused_comparisons, reason = "converting back shows what was lost"
        )]
        impl Number for $type {
            fn as_u8(self) -> (u8, bool) {
                let to = self as u8;
                (to, to as $type == self && self >= (0 as $type))
            }
            fn as_u16(self) -> (u16, bool) {
                let to = self as u16;
                (to, to as $type == self && self >= (0 as $type))
            }
            fn as_i16(self) -> (i16, bool) {
                let to = self as i16;
                // Whole numbers wrap, so that the sign must agree as well.
                (to, to as $type == self && (to >= 0) == (self >= (0 as $type)))
            }
            fn as_f32(self) -> f32 {
                self as f32
            }
            fn as_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}
number!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

/// What a caller wants voxels to become.
pub(super) trait Want {
    type Out: Copy + Default;
    /// Zeros for so many voxels. For labels those of the system, whose pages of background are never touched.
    fn zeros(voxels: usize) -> Vec<Self::Out> {
        vec![Self::Out::default(); voxels]
    }
    /// The converted number, and whether it is what the caller allows.
    fn convert<S: Number>(value: S) -> (Self::Out, bool);
    /// Why a number is refused.
    fn refuse(index: [usize; 3], value: f64) -> ImageError;
    /// A faster way for a type of stored voxels, if there is one; `None` leaves it to [`Want::convert`].
    fn fast(_kind: Stored, _bytes: &[u8], _out: &mut [Self::Out]) -> Option<bool> {
        None
    }
}

/// 0 and 1 only.
pub(super) struct Mask;

impl Want for Mask {
    type Out = u8;
    fn convert<S: Number>(value: S) -> (u8, bool) {
        let (label, fits) = value.as_u8();
        (label, fits && label <= 1)
    }
    fn refuse(index: [usize; 3], value: f64) -> ImageError {
        ImageError::Label { index, value }
    }
    fn fast(kind: Stored, bytes: &[u8], out: &mut [u8]) -> Option<bool> {
        (kind == Stored::U8 && bytes.len() == out.len()).then(|| {
            out.copy_from_slice(bytes);
            union(bytes) <= 1
        })
    }
}

/// Type of the labels that [`read_labels`](super::read_labels) and [`parse_labels`](super::parse_labels) give:
/// `u8` (0 to 255) or `u16` (0 to 65,535).
pub trait Label: private::Sealed + Copy + Default + Ord + Into<u16> + Send + Sync + 'static {}
impl Label for u8 {}

impl Label for u16 {}

pub(super) mod private {
    /// What only this crate may implement.
    pub trait Sealed: Sized {
        /// The largest label.
        const LIMIT: u16;
        /// A label that is at most [`Self::LIMIT`]; larger ones are cut off.
        fn from_label(label: u16) -> Self;
        /// Takes bytes as they are, if labels are bytes.
        fn copy_bytes(_bytes: &[u8], _out: &mut [Self]) -> bool {
            false
        }
    }

    impl Sealed for u8 {
        const LIMIT: u16 = 255;
        fn from_label(label: u16) -> Self {
            label.to_le_bytes()[0]
        }
        fn copy_bytes(bytes: &[u8], out: &mut [Self]) -> bool {
            out.copy_from_slice(bytes);
            true
        }
    }

    impl Sealed for u16 {
        const LIMIT: u16 = u16::MAX;
        fn from_label(label: u16) -> Self {
            label
        }
    }
}

/// Whole numbers from 0 to what the type holds.
pub(super) struct Labels<T>(PhantomData<T>);

impl<T: Label> Want for Labels<T> {
    type Out = T;
    fn convert<S: Number>(value: S) -> (T, bool) {
        let (label, fits) = value.as_u16();
        (T::from_label(label), fits && label <= T::LIMIT)
    }
    fn refuse(index: [usize; 3], value: f64) -> ImageError {
        ImageError::LabelMap { index, value, limit: u32::from(T::LIMIT) }
    }
    fn fast(kind: Stored, bytes: &[u8], out: &mut [T]) -> Option<bool> {
        (kind == Stored::U8 && bytes.len() == out.len() && T::copy_bytes(bytes, out)).then_some(true)
    }
}

/// Single precision, rounded.
pub(super) struct Single;

impl Want for Single {
    type Out = f32;
    fn zeros(voxels: usize) -> Vec<f32> {
        memory::zeros(voxels)
    }
    fn convert<S: Number>(value: S) -> (f32, bool) {
        (value.as_f32(), true)
    }
    fn refuse(index: [usize; 3], value: f64) -> ImageError {
        ImageError::Voxel { index, value, expected: "it must be a number" }
    }
    fn fast(kind: Stored, bytes: &[u8], out: &mut [f32]) -> Option<bool> {
        (kind == Stored::I16).then(|| widen(bytes, out))
    }
}

/// Double precision.
pub(super) struct Double;

impl Want for Double {
    type Out = f64;
    fn zeros(voxels: usize) -> Vec<f64> {
        memory::zeros(voxels)
    }
    fn convert<S: Number>(value: S) -> (f64, bool) {
        (value.as_f64(), true)
    }
    fn refuse(index: [usize; 3], value: f64) -> ImageError {
        ImageError::Voxel { index, value, expected: "it must be a number" }
    }
}

/// 16-bit integers, exactly.
pub(super) struct Short;

impl Want for Short {
    type Out = i16;
    fn zeros(voxels: usize) -> Vec<i16> {
        memory::zeros(voxels)
    }
    fn convert<S: Number>(value: S) -> (i16, bool) {
        value.as_i16()
    }
    fn refuse(index: [usize; 3], value: f64) -> ImageError {
        ImageError::Voxel { index, value, expected: "it must be a whole number from -32768 to 32767" }
    }
}

vectorized! {
    /// All bits that any byte has.
    fn union(bytes: &[u8]) -> u8 {
        bytes.iter().fold(0, |all, &b| all | b)
    }
}

vectorized! {
    fn widen(bytes: &[u8], out: &mut [f32]) -> bool {
        let (pairs, _) = bytes.as_chunks::<2>();
        for (out, pair) in out.iter_mut().zip(pairs) {
            *out = f32::from(i16::from_le_bytes(*pair));
        }
        true
    }
}

vectorized! {
    /// Whether all bytes are zero.
    fn is_zero(bytes: &[u8]) -> bool {
        let (blocks, rest) = bytes.as_chunks::<256>();
        blocks.iter().all(|block| block.iter().fold(0, |all, &b| all | b) == 0) && rest.iter().all(|&b| b == 0)
    }
}

/// How stored numbers become values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Encoding {
    pub kind: Stored,
    pub big_endian: bool,
    /// Stored value times slope plus intercept is the value; `None` for 1 and 0.
    pub scale: Option<(f64, f64)>,
}

/// Bytes whose zeros are not written: those of a page of memory, so that a page without foreground is not touched.
const BLOCK: usize = 4096;

/// Converts little-endian voxels into `out`, which holds zeros; `first` is the place of the first one.
pub(super) fn convert<W: Want>(
    encoding: &Encoding,
    bytes: &[u8],
    out: &mut [W::Out],
    shape: [usize; 3],
    first: usize,
) -> Result<(), ImageError> {
    let size = encoding.kind.size();
    for (i, (bytes, out)) in bytes.chunks(BLOCK * size).zip(out.chunks_mut(BLOCK)).enumerate() {
        if encoding.scale.is_none() && is_zero(bytes) {
            continue;
        }
        if !block::<W>(encoding, bytes, out) {
            let (at, value) = refused::<W>(encoding, bytes);
            return Err(W::refuse(Geometry::index(shape, first + i * BLOCK + at), value));
        }
    }
    Ok(())
}

macro_rules! for_kind {
    ($kind:expr, $bytes:expr, |$numbers:ident| $body:expr) => {
        for_kind!(@ $kind, $bytes, $numbers, $body,
            U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64)
    };
    (@ $kind:expr, $bytes:expr, $numbers:ident, $body:expr, $($name:ident $type:ty),*) => {
        match $kind {
            $(Stored::$name => {
                let (chunks, _) = $bytes.as_chunks::<{ size_of::<$type>() }>();
                let $numbers = chunks.iter().map(|chunk| <$type>::from_le_bytes(*chunk));
                $body
            })*
        }
    };
}

/// Converts a block; whether every number is allowed.
fn block<W: Want>(encoding: &Encoding, bytes: &[u8], out: &mut [W::Out]) -> bool {
    let Some((slope, intercept)) = encoding.scale else {
        return W::fast(encoding.kind, bytes, out)
            .unwrap_or_else(|| for_kind!(encoding.kind, bytes, |numbers| fill::<W, _>(numbers, out)));
    };
    for_kind!(encoding.kind, bytes, |numbers| fill::<W, _>(
        numbers.map(|v| v.as_f64() * slope + intercept),
        out
    ))
}

fn fill<W: Want, S: Number>(numbers: impl Iterator<Item = S>, out: &mut [W::Out]) -> bool {
    let mut fine = true;
    for (out, number) in out.iter_mut().zip(numbers) {
        let (value, fits) = W::convert(number);
        *out = value;
        fine &= fits;
    }
    fine
}

/// The first number of a block that is not allowed.
fn refused<W: Want>(encoding: &Encoding, bytes: &[u8]) -> (usize, f64) {
    let found = |mut values: Box<dyn Iterator<Item = f64> + '_>| {
        let (slope, intercept) = encoding.scale.unwrap_or((1.0, 0.0));
        let mut at = 0;
        values.find_map(|v| {
            let value = if encoding.scale.is_some() { v * slope + intercept } else { v };
            at += 1;
            (!W::convert(value).1).then_some((at - 1, value))
        })
    };
    // The block was refused, so one of its numbers is.
    for_kind!(encoding.kind, bytes, |numbers| found(Box::new(numbers.map(Number::as_f64))))
        .unwrap_or((0, f64::NAN))
}
