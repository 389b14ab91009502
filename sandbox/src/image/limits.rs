//! The bounds of what an image may ask for. Real images stay far below each.

/// Longest manifest, index or configuration, bytes.
pub(super) const DOCUMENT_BYTES: u64 = 4 << 20;

/// Most layers of an image: what container engines can stack.
pub(super) const LAYERS: usize = 127;

/// Most indexes on the way from `index.json` to a manifest.
pub(super) const INDEXES: usize = 3;

/// Most files in an image archive.
pub(super) const ARCHIVE_FILES: usize = 10_000;

/// Most entries of all layers together.
pub(super) const ENTRIES: u64 = 1_000_000;

/// Most bytes that all layers together may unpack to, and that an archive compressed as a whole may.
pub(super) const UNPACKED_BYTES: u64 = 32 << 30;

/// How many times its size something compressed may unpack to, once it exceeds [`RATIO_FROM_BYTES`].
pub(super) const RATIO: u64 = 50;

/// Bytes that may come out of a compressed stream whatever its ratio.
pub(super) const RATIO_FROM_BYTES: u64 = 64 << 20;

/// Largest window of a zstd stream, as a power of two (32 MiB); its memory is taken before a byte comes out.
pub(super) const ZSTD_WINDOW_LOG: u32 = 25;

/// Longest path, bytes.
pub(super) const PATH_BYTES: usize = 4096;

/// Longest component of a path, bytes.
pub(super) const NAME_BYTES: usize = 255;

/// Longest target of a symbolic link, bytes.
pub(super) const LINK_BYTES: usize = 4095;

/// Deepest folder below the root, links resolved: whatever walks the tree later may recurse.
pub(super) const DEPTH: u32 = 128;

/// Longest extended header of a tar entry (long names, attributes), bytes.
pub(super) const EXTENDED_HEADER_BYTES: u64 = 1 << 20;

/// User and group ids below this are kept; others become 65534, nobody: a user namespace maps no more.
pub(super) const OWNERS: u64 = 65_536;

/// Longest `/etc/passwd` or `/etc/group` of an image, bytes.
pub(super) const ACCOUNTS_BYTES: u64 = 1 << 20;

/// Most bytes of all arguments, of all environment variables, and of all labels.
pub(super) const TEXT_BYTES: usize = 128 << 10;

/// Most arguments, environment variables, and labels, each.
pub(super) const TEXTS: usize = 1024;

/// What is left of an image's allowance while its layers are unpacked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Bytes that may still come out of the layers.
    pub(super) bytes: u64,
    /// Entries that may still follow.
    pub(super) entries: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: UNPACKED_BYTES, entries: ENTRIES }
    }
}
