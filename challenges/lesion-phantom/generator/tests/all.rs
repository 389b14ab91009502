//! The generator as others use it: same bytes from the same seed, and the committed sample among them.

use lesion_phantom::{PUBLIC, PhantomSpec, SITES, TRAIN, generate, generate_public};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every file below a folder by relative path.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(place) = open.pop() {
        for entry in fs_err::read_dir(&place).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let bytes = fs_err::read(&path).expect("a file");
                found.insert(path.strip_prefix(folder).expect("below the folder").to_owned(), bytes);
            }
        }
    }
    found
}

#[test]
fn committed_public_sample_is_what_the_generator_writes() {
    let fresh = tempfile::tempdir().unwrap();
    generate_public(fresh.path()).unwrap();
    let committed = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../public"));
    let fresh = files(fresh.path());
    assert_eq!(committed.keys().collect::<Vec<_>>(), fresh.keys().collect::<Vec<_>>());
    for (path, bytes) in &fresh {
        let path_shown = path.display();
        assert!(
            committed[path] == *bytes,
            "{path_shown} differs; `cargo run -p lesion-phantom -- public challenges/lesion-phantom/public` rewrites it"
        );
    }
}

#[test]
fn a_set_has_two_files_per_case_and_a_table() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &PhantomSpec::new("test", 9, 2)).unwrap();
    let table = fs_err::read_to_string(folder.path().join("cases.csv")).unwrap();
    assert_eq!(
        table,
        "case_id,ct,lesions\n\
         phantom-test-01,images/phantom-test-01.nii.gz,masks/phantom-test-01.nii.gz\n\
         phantom-test-02,images/phantom-test-02.nii.gz,masks/phantom-test-02.nii.gz\n"
    );
    assert_eq!(files(folder.path()).len(), 5);
}

#[test]
fn sites_differ_in_seed_and_size() {
    for (i, one) in SITES.iter().enumerate() {
        assert!(SITES[..i].iter().all(|other| one.1 != other.1 && one.2 != other.2));
    }
}

#[test]
fn nobody_learns_from_what_is_measured() {
    assert!(SITES.iter().chain([&PUBLIC]).all(|set| set.1 != TRAIN.1));
}
