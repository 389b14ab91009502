//! Archives that are read, and archives that are not.

use super::*;
use fiel_schemas::submission::MediaType;
use fiel_schemas::validate::{self, Kind};
use std::path::Path;
use tar::{Builder, Header};

const CASES: [&str; 3] = ["p-1", "p-2", "p-3"];

fn challenge(id: &str) -> Challenge {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges").join(id);
    validate::from_yaml(Kind::Challenge, &std::fs::read_to_string(folder.join("challenge.yaml")).unwrap())
        .unwrap()
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn archive(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, name, content) in entries {
        let mut header = header(*kind, content.len() as u64);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn files(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> =
        entries.iter().map(|(name, text)| (EntryType::Regular, *name, text.as_bytes())).collect();
    archive(&entries)
}

/// The results of an archive's cases, or why it is refused.
fn read(bytes: &[u8], challenge: &Challenge) -> Result<Vec<CaseResult>, NodeError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.tar");
    std::fs::write(&path, bytes).unwrap();
    let model = Model { path, sha256: sha256_hex(bytes), media_type: MediaType::Predictions };
    let mut answers = open(&model, challenge, "ward-9", &CASES)?;
    (0..CASES.len()).map(|index| answers.case(index)).collect()
}

fn outcomes(bytes: &[u8]) -> Vec<Outcome> {
    read(bytes, &challenge("breast-fna")).unwrap().into_iter().map(|result| result.outcome).collect()
}

#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    let error = read(bytes, &challenge("breast-fna")).unwrap_err();
    assert_eq!(error.reason(), FailureReason::ArtifactInvalid, "{error}");
    assert!(error.to_string().contains(words), "{words:?} is missing from: {error}");
}

#[test]
fn answers_in_files_reach_their_cases_and_missing_ones_are_missing() {
    let bytes = files(&[("./p-3/prediction.csv", "three"), ("p-1/prediction.csv", "one")]);
    let results = read(&bytes, &challenge("breast-fna")).unwrap();
    assert_eq!(results[0].outputs["prediction.csv"], b"one");
    assert_eq!(results[1].outcome, Outcome::MissingOutput);
    assert_eq!(results[2].outputs["prediction.csv"], b"three");
    assert_eq!((results[2].name.as_str(), results[2].index, results[2].usage.output_bytes), ("p-3", 2, 5));
    assert_eq!(outcomes(&archive(&[])), [Outcome::MissingOutput; 3]);
}

#[test]
fn folders_and_the_long_names_of_both_traditions_are_read() {
    let long = format!("{}\0", "p-1/prediction.csv");
    let pax = b"27 mtime=1700000000.123456\n27 path=p-2/prediction.csv\n";
    let bytes = archive(&[
        (EntryType::Directory, "p-1/", b""),
        (EntryType::GNULongName, "././@LongLink", long.as_bytes()),
        (EntryType::Regular, "cut", b"one"),
        (
            EntryType::XGlobalHeader,
            "pax_global_header",
            b"52 comment=0123456789012345678901234567890123456789\n",
        ),
        (EntryType::XHeader, "PaxHeaders/p-2", pax),
        (EntryType::Regular, "cut", b"two"),
    ]);
    assert_eq!(outcomes(&bytes), [Outcome::Ok, Outcome::Ok, Outcome::MissingOutput]);
}

#[test]
fn a_table_is_dealt_to_the_cases() {
    let bytes = files(&[("predictions.csv", "case_id,probability\np-2,0.5\np-1,oops\n")]);
    let results = read(&bytes, &challenge("breast-fna")).unwrap();
    assert_eq!(results[1].outputs["prediction.csv"], b"case_id,probability\np-2,0.5\n");
    assert_eq!(results[0].outputs["prediction.csv"], b"case_id,probability\np-1,oops\n");
    assert_eq!(results[2].outcome, Outcome::MissingOutput);
}

#[test]
fn an_archive_for_several_sets_has_a_folder_for_each() {
    let bytes = files(&[
        ("ward-8/p-7/prediction.csv", "elsewhere"),
        ("ward-9/p-2/prediction.csv", "two"),
        ("README", "of all"),
    ]);
    assert_eq!(outcomes(&bytes), [Outcome::MissingOutput, Outcome::Ok, Outcome::MissingOutput]);
    refused(
        &files(&[("ward-9/p-2/prediction.csv", "two"), ("ward-9/p-7/prediction.csv", "x")]),
        "no case of the set",
    );
    let table = "case_id,probability\np-2,0.5\n";
    let bytes = files(&[("ward-8/predictions.csv", "elsewhere"), ("./ward-9/predictions.csv", table)]);
    assert_eq!(outcomes(&bytes), [Outcome::MissingOutput, Outcome::Ok, Outcome::MissingOutput]);
}

#[test]
fn answers_that_were_not_asked_for_make_the_whole_archive_invalid() {
    let one = ("p-1/prediction.csv", "x");
    refused(&files(&[one, one]), "twice");
    refused(&files(&[one, ("./p-1/prediction.csv", "y")]), "twice");
    for name in [
        "p-4/prediction.csv",
        "p-1/other.csv",
        "../p-1/prediction.csv",
        "/p-1/prediction.csv",
        "p-1",
        "README",
    ] {
        refused(&files(&[one, (name, "x")]), "no case of the set");
    }
    refused(&files(&[one, ("predictions.csv", "case_id,probability\np-2,1\n")]), "one of them");
    let table = |text: &str| files(&[("predictions.csv", text)]);
    refused(&table("case_id,score\np-1,1\n"), "first line");
    refused(&table(""), "first line");
    refused(&table("case_id,probability\np-9,1\n"), "line 2 of `predictions.csv` names no case");
    refused(
        &table("case_id,probability\np-1,1\np-1,1\n"),
        "line 3 of `predictions.csv` answers a case for the second",
    );
    refused(&table("case_id,probability\np-1,1\n\n"), "line 3 of `predictions.csv` names no case");
    let masks = challenge("lesion-phantom");
    assert!(read(&table("case_id,probability\n"), &masks).is_err());
}

#[test]
fn hostile_archives_are_refused() {
    let one = "p-1/prediction.csv";
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::GNUSparse,
    ] {
        refused(&archive(&[(kind, one, b"")]), "takes plain files");
    }
    let sparse =
        archive(&[(EntryType::XHeader, "x", b"22 GNU.sparse.major=1\n"), (EntryType::Regular, one, b"")]);
    refused(&sparse, "sparse");
    refused(
        &archive(&[(EntryType::XHeader, "x", b"21 size=999999999999\n"), (EntryType::Regular, one, b"")]),
        "8 GiB",
    );
    refused(&archive(&[(EntryType::XHeader, "x", &vec![b'1'; 70_000])]), "longer than");
    refused(&archive(&[(EntryType::GNULongName, "x", &vec![b'1'; 70_000])]), "longer than");
    refused(&archive(&[(EntryType::GNULongName, "x", &[b'1'; 5_000])]), "longer than");
    refused(&archive(&[(EntryType::GNULongName, "x", b"\xff\xfe")]), "UTF-8");
    let good = files(&[(one, "answer")]);
    refused(&good[..512 + 3], "ends within a file");
    refused(&good[..300], "damaged");
    let mut lying = good.clone();
    lying[0] = b'q';
    refused(&lying, "damaged");
    refused(&[0x1f, 0x8b].repeat(300), "damaged");
    refused(b"case_id,probability\np-1,0.5\n", "damaged");
    for size in [u64::MAX, u64::MAX / 2, 1 << 40] {
        let mut header = header(EntryType::Regular, 0);
        header.set_path(one).unwrap();
        header.set_size(size);
        header.set_cksum();
        refused(header.as_bytes(), "");
    }
}

#[test]
fn an_answer_larger_than_the_limit_is_an_invalid_output_of_its_case_alone() {
    let large = "x".repeat((1 << 20) + 1);
    let bytes = files(&[("p-1/prediction.csv", large.as_str()), ("p-2/prediction.csv", "x")]);
    assert_eq!(outcomes(&bytes), [Outcome::InvalidOutput, Outcome::Ok, Outcome::MissingOutput]);
}

#[test]
fn other_bytes_than_the_digest_says_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.tar");
    std::fs::write(&path, files(&[])).unwrap();
    let model = Model { path, sha256: sha256_hex(b"other"), media_type: MediaType::Predictions };
    assert_eq!(
        open(&model, &challenge("breast-fna"), "ward-9", &CASES).unwrap_err().reason(),
        FailureReason::DigestMismatch
    );
}
