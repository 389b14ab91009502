//! The name under which programs look for a shared library: `libcuda.so.1`, where the file is `libcuda.so.550.54.15`. On
//! the host `ldconfig` makes links of these names, in other containers a vendor's hook has it do so.

use std::path::Path;

use fs_err as fs;
use object::Endianness;
use object::elf::DT_SONAME;
use object::read::ReadCache;
use object::read::elf::ElfFile64;

/// Longest name, bytes; a file cannot have a longer one.
const NAME_BYTES: usize = 255;

/// What a library says that it is called; nothing for a file that is no library, or has no name that a file can have.
pub(super) fn soname(file: &Path) -> Option<String> {
    file.file_name()?.to_str().filter(|name| name.contains(".so"))?;
    // Only what is looked at is read: drivers' libraries have a hundred megabytes.
    let content = ReadCache::new(fs::File::open(file).ok()?);
    let library = ElfFile64::<Endianness, _>::parse(&content).ok()?;
    let table = library.elf_dynamic_table().ok()?;
    let entry = table.iter().find(|entry| entry.tag == DT_SONAME)?;
    let name = std::str::from_utf8(table.string(entry).ok()?).ok()?;
    let plain = !name.contains('/') && !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES;
    plain.then(|| name.to_owned())
}
