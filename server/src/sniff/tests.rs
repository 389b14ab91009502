use super::{ENTRIES_MAX, INFLATED_MAX, Sniffer, Unknown};
use fiel_schemas::submission::MediaType::{self, ImageArchive, Onnx, Predictions, Wasm};
use std::io::Write as _;

fn tar(names: &[&str]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for name in names {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_path(name.trim_end_matches('/')).unwrap();
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            header.set_cksum();
            builder.append(&header, std::io::empty()).unwrap();
        } else {
            header.set_size(700);
            header.set_cksum();
            builder.append(&header, [7; 700].as_slice()).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

/// However the bytes are cut, the kind is the same; what is wrong with a damaged archive may be noticed elsewhere.
fn sniff(bytes: &[u8]) -> Result<MediaType, Unknown> {
    let in_pieces = |length: usize| {
        let mut sniffer = Sniffer::default();
        bytes.chunks(length).try_for_each(|piece| sniffer.push(piece))?;
        sniffer.finish()
    };
    let whole = in_pieces(bytes.len().max(1));
    for length in [1, 511, 4096] {
        assert_eq!(in_pieces(length).ok(), whole.as_ref().ok().copied(), "in pieces of {length}");
    }
    whole
}

fn layer() -> String {
    "0123456789abcdef".repeat(4)
}

#[test]
fn every_kind_is_told_from_its_bytes() {
    let hex = layer();
    assert_eq!(sniff(b"\0asm\x01\0\0\0"), Ok(Wasm));
    assert_eq!(sniff(b"\0asm\x0d\0\x01\0"), Ok(Wasm), "a component");
    for (names, media) in [
        (vec!["oci-layout", "index.json", "blobs/sha256/aa"], ImageArchive),
        (vec!["blobs/", "blobs/sha256/", "index.json"], ImageArchive),
        (vec!["./", "./blobs/", "./oci-layout"], ImageArchive),
        (vec!["manifest.json", &format!("{hex}.tar")], ImageArchive),
        (vec![&format!("{hex}/"), &format!("{hex}/layer.tar"), "manifest.json"], ImageArchive),
        (vec![&format!("{hex}.json"), "manifest.json"], ImageArchive),
        (vec!["manifest.json", "repositories"], ImageArchive),
        (vec!["manifest.json", "model.onnx"], Onnx),
        (vec!["./model.onnx", "./manifest.json"], Onnx),
        (vec!["README.md", "manifest.json", "weights/extra.bin", "model.onnx"], Onnx),
        (vec!["case-1/lesions.nii", "case-2/lesions.nii"], Predictions),
        (vec!["predictions.csv"], Predictions),
        (vec!["case-1/", "case-1/masks/lesions.nii"], Predictions),
    ] {
        assert_eq!(sniff(&tar(&names)), Ok(media), "{names:?}");
        for compressed in [gzip(&tar(&names)), zstd(&tar(&names))] {
            match sniff(&compressed) {
                Ok(found) => assert_eq!((found, media), (ImageArchive, ImageArchive), "{names:?}"),
                Err(e) => {
                    assert_ne!(media, ImageArchive, "{names:?}: {e}");
                    assert!(e.to_string().contains("container images only"), "{e}");
                }
            }
        }
    }
}

#[test]
fn an_archive_of_gnu_tar_with_long_names_is_read_too() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    builder
        .append_data(&mut header, format!("case-1/{}/mask.nii", "x".repeat(150)), b"abc".as_slice())
        .unwrap();
    assert_eq!(sniff(&builder.into_inner().unwrap()), Ok(Predictions));
}

#[test]
fn anything_else_is_refused_with_its_reason_and_what_to_do() {
    let mut damaged = tar(&["README.md", "b"]);
    damaged[1536 + 5] ^= 1;
    let mut outside = tar(&["aa/b"]);
    outside[..4].copy_from_slice(b"../b");
    let sum: u32 = (0..512).map(|i| if (148..156).contains(&i) { 32 } else { u32::from(outside[i]) }).sum();
    outside[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    for (bytes, words) in [
        (vec![], "it is empty"),
        (b"MZ".to_vec(), "fewer than four"),
        (b"MZ no module".to_vec(), "begins neither"),
        (vec![0; 2000], "begins neither"),
        (vec![b'x'; 2000], "begins neither"),
        (tar(&["README.md"]), "holds none of these"),
        (tar(&["manifest.json"]), "neither `model.onnx` nor image layers"),
        (tar(&["model.onnx"]), "no `manifest.json`"),
        (damaged, "damaged"),
        (outside, "leads out"),
        (gzip(b"text in gzip that is no archive"), "no tar archive"),
        (zstd(&[b'x'; 2000]), "no tar archive"),
        (b"\x1f\x8bgarbage that is not deflate".to_vec(), "compression is damaged"),
    ] {
        let found = sniff(&bytes).unwrap_err().to_string();
        assert!(found.contains(words) && found.contains("Submit a `.wasm` file"), "{words}: {found}");
    }
}

#[test]
fn bombs_cost_little() {
    let started = std::time::Instant::now();
    let mut header = tar::Header::new_ustar();
    header.set_path("big").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    let mut zeros = header.as_bytes().to_vec();
    // A decoder may hold its last piece back until more comes.
    zeros.resize(usize::try_from(INFLATED_MAX).unwrap() + (1 << 20), 0);
    for bomb in [gzip(&zeros), zstd(&zeros)] {
        let mut sniffer = Sniffer::default();
        let e = sniffer.push(&bomb).unwrap_err().to_string();
        assert!(e.contains("64 MiB"), "{e}");
    }
    let many: Vec<String> = (0..=ENTRIES_MAX).map(|i| format!("file-{i}")).collect();
    let e = sniff(&tar(&many.iter().map(String::as_str).collect::<Vec<_>>())).unwrap_err().to_string();
    assert!(e.contains("4,096 entries"), "{e}");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_fail_otherwise(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..3000), kind in 0_usize..4) {
        let heads: [&[u8]; 4] = [b"", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &[0x28, 0xb5, 0x2f, 0xfd], b"\0as"];
        let _ = sniff(&[heads[kind], &bytes].concat());
    }
}
