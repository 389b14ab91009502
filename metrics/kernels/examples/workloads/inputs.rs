//! The files that `metrics/peers/inputs.py` makes: bare numbers, little-endian, the last axis fastest.

use std::io;
use std::path::PathBuf;

/// The folder of the inputs.
pub(crate) struct Inputs(PathBuf);

impl Inputs {
    pub(crate) fn new(folder: &str) -> Self {
        Self(folder.into())
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, name: &str) -> io::Result<Vec<u8>> {
        fs_err::read(self.0.join(name))
    }

    /// Reference and prediction of a segmentation.
    pub(crate) fn pair(&self, name: &str) -> io::Result<[Vec<u8>; 2]> {
        Ok([self.bytes(&format!("{name}_gt.u8"))?, self.bytes(&format!("{name}_pr.u8"))?])
    }

    /// 64-bit numbers.
    pub(crate) fn numbers(&self, name: &str) -> io::Result<Vec<f64>> {
        let bytes = self.bytes(&format!("{name}.f64"))?;
        Ok(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect())
    }

    /// Flags, a byte each.
    pub(crate) fn flags(&self, name: &str) -> io::Result<Vec<bool>> {
        Ok(self.bytes(&format!("{name}.u8"))?.into_iter().map(|b| b != 0).collect())
    }
}
