//! Tables as other programs write them: `tables/make.py` made those of the folder.

use fiel_metrics::rank::{RankFiles, RankReport, RankRequest, metric_column, rank};
use fiel_metrics::registry::MetricTask;
use fiel_metrics::score::{
    ClassificationFiles, MulticlassFiles, Request, ScoreReport, SurvivalFiles, classification, multiclass,
    survival,
};
use fiel_metrics::table::read_f64_column;
use fiel_metrics::{MetricError, ScoreError};
use std::path::{Path, PathBuf};

fn table(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tables").join(name)
}

/// A table of these bytes in a folder that must be kept.
fn written(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Labels in `y`, probabilities in `p`.
fn scored(table: &Path, by: Option<&str>) -> Result<ScoreReport, ScoreError> {
    let files = ClassificationFiles { table, label: "y", score: "p", compare: None, case: None };
    let request = Request::new(MetricTask::Classification, &["auc".to_owned(), "brier".to_owned()]).unwrap();
    classification(&files, &Request { by: by.map(str::to_owned), ..request })
}

fn refused(path: &Path) -> String {
    scored(path, None).expect_err(&path.display().to_string()).to_string()
}

/// Ranks the column `dice`.
fn ranked(table: &Path) -> Result<RankReport, ScoreError> {
    let metrics = [metric_column("dice").unwrap()];
    let (case, algorithm) = ("case", "algorithm");
    let files = RankFiles { table, case, algorithm, metrics: &metrics, institution: None };
    let request = RankRequest { alpha: 0.05, replicates: 0, seed: 1, as_challenge_r: false };
    rank(&files, &request, |_, _| ())
}

const FOUR: &str = "y,p\n1,0.9\n0,0.2\n1,0.7\n0,0.4\n";

#[test]
fn small_numbers_and_categories_are_read_as_what_they_are() {
    let grade = [Some(3.0), None, Some(1.0), Some(3.0)];
    for name in ["small.parquet", "small.arrow", "categories.arrows"] {
        let numbers = |column: &str| read_f64_column(&table(name), column).unwrap();
        for (column, low, high) in [
            ("int8", -128.0, 127.0),
            ("int16", -32768.0, 32767.0),
            ("uint8", 0.0, 255.0),
            ("uint16", 0.0, 65535.0),
        ] {
            assert_eq!(numbers(column), [Some(low), Some(high), None, Some(1.0)], "{name} {column}");
        }
        // 0.1 in half precision is 1.599609375 / 16.
        let half = [0.5, -65504.0, 1.599_609_375 / 16.0, 2f64.powi(-24)];
        assert_eq!(numbers("float16"), half.map(Some), "{name}");
        assert_eq!(numbers("grade"), grade, "{name}");
        let report = scored(&table(name), Some("site")).unwrap();
        let groups = report.by.unwrap().groups;
        assert_eq!(
            groups.iter().map(|(site, group)| (site.as_str(), group.n)).collect::<Vec<_>>(),
            [("north", 2), ("south", 2)]
        );
    }
    for name in ["missing_category.arrow", "missing_category.arrows"] {
        assert_eq!(read_f64_column(&table(name), "grade").unwrap(), grade, "{name}");
    }
    let report = scored(&table("pandas_category.parquet"), Some("site")).unwrap();
    assert_eq!(report.by.unwrap().groups.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(read_f64_column(&table("f16.arrow"), "p").unwrap()[0].is_some_and(|p| (p - 0.9).abs() < 1e-3));
}

#[test]
fn labels_of_a_byte_and_streams_score_as_their_csv_twin() {
    let (_folder, twin) = written("twin.csv", FOUR);
    for name in ["uint8_label.parquet", "uint8_label.arrow", "stream.arrows", "x_view.parquet"] {
        assert_eq!(scored(&table(name), None).unwrap(), scored(&twin, None).unwrap(), "{name}");
    }
}

#[test]
fn columns_of_other_types_are_left_out_and_named_where_needed() {
    for unused in ["x_map.parquet", "x_struct.arrow", "x_dense.arrow", "x_time.parquet", "x_time.arrow"] {
        assert!(read_f64_column(&table(unused), "p").is_ok(), "{unused}");
    }
    for (name, column, kind) in [
        ("dec.arrow", "p", "decimal"),
        ("x_map.parquet", "x", "largelist"),
        ("x_struct.arrow", "x", "struct"),
        ("x_dense.arrow", "x", "union"),
        ("x_time.parquet", "stay", "duration"),
        ("x_time.arrow", "stay", "duration"),
        ("x_time.parquet", "day", "date32"),
        ("x_time.arrow", "day", "date32"),
    ] {
        let refused = read_f64_column(&table(name), column).unwrap_err().to_string();
        let expected = format!("the column `{column}` is of type {kind}, which Fiel does not read");
        assert!(refused.contains(name) && refused.contains(&expected), "{refused}");
        let advice = if name.starts_with("x_time") { "say the unit in its name" } else { "or as text" };
        assert!(refused.contains(advice), "{refused}");
    }
}

#[test]
fn categories_that_grow_from_batch_to_batch_are_what_they_are_called() {
    for name in ["delta.arrow", "delta.arrows", "replaced.arrows"] {
        let grade = [3.0, 1.0, 2.0, 3.0].map(Some);
        assert_eq!(read_f64_column(&table(name), "grade").unwrap(), grade, "{name}");
        let groups = scored(&table(name), Some("site")).unwrap().by.unwrap().groups;
        let found: Vec<_> = groups.iter().map(|(site, group)| (site.as_str(), group.n)).collect();
        assert_eq!(found, [("far beyond the mountains", 1), ("north", 2), ("south", 1)], "{name}");
    }
    // The schema, two dictionaries, a batch, what is added to the dictionaries, a batch, the end.
    let whole = std::fs::read(table("delta.arrows")).unwrap();
    let starts: Vec<usize> =
        (0..whole.len()).step_by(8).filter(|&at| whole[at..].starts_with(&[0xff; 4])).collect();
    assert_eq!(starts.len(), 8);
    let (added, rest) = (&whole[starts[4]..starts[5]], &whole[starts[5]..]);
    let first = [&whole[..starts[1]], added].concat();
    let (_folder, path) = written("t.arrows", first);
    assert!(refused(&path).contains("it says of itself what is not so"), "{}", refused(&path));
    let (_other, path) = written("t.arrows", [&whole[..starts[4]], &added.repeat(15_000), rest].concat());
    assert!(refused(&path).contains("added in too many steps"), "{}", refused(&path));
}

#[test]
fn a_missing_value_is_counted_by_ranks_and_refused_by_scores_however_it_is_written() {
    use polars::prelude::*;
    use polars_io::prelude::ParquetWriter;
    let results = |value: &str| format!("case,algorithm,dice\nk,a,0.5\nk,b,0.4\nl,a,{value}\nl,b,0.4\n");
    let spelt =
        ["", "NA", " NA ", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "None", "NaN", "nan", "-nan"];
    for value in spelt {
        for (column, text) in
            [("p", format!("y,p\n1,0.9\n0,{value}\n")), ("y", format!("y,p\n1,0.9\n{value},0.2\n"))]
        {
            let (_folder, path) = written("t.csv", text);
            let refused = refused(&path);
            let expected = format!("row 2: `{column}` is missing (");
            assert!(refused.contains("t.csv") && refused.contains(&expected), "{value}: {refused}");
            assert_eq!(read_f64_column(&path, column).unwrap()[1], None, "{value}");
        }
        let (_folder, path) = written("t.csv", results(value));
        assert_eq!(ranked(&path).unwrap().metrics["dice"].missing, 1, "{value}");
    }
    for value in ["-", ".", "none", "inf", "0,9"] {
        let (_folder, path) = written("t.csv", format!("y,p\n1,0.9\n0,\"{value}\"\n"));
        assert!(
            refused(&path).contains(&format!("row 2: `p` is {value:?}, not a prob")),
            "{}",
            refused(&path)
        );
        let (_folder, path) = written("t.csv", results(&format!("\"{value}\"")));
        let refused = ranked(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("row 3: `dice` is {value:?}, not a finite number")), "{refused}");
    }
    for value in [None, Some(f64::NAN)] {
        let (_folder, path) = written("t.parquet", "");
        let write = |mut frame: DataFrame| {
            ParquetWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
        };
        write(df!("y" => [1, 0], "p" => [Some(0.9), value]).unwrap());
        assert!(refused(&path).contains("row 2: `p` is missing ("), "{}", refused(&path));
        assert_eq!(read_f64_column(&path, "p").unwrap(), [Some(0.9), None]);
        let (case, algorithm) = (["k", "k", "l", "l"], ["a", "b", "a", "b"]);
        let dice = [Some(0.5), Some(0.4), value, Some(0.4)];
        write(df!("case" => case, "algorithm" => algorithm, "dice" => dice).unwrap());
        assert_eq!(ranked(&path).unwrap().metrics["dice"].missing, 1);
    }
}

#[test]
fn what_may_be_a_word_is_missing_only_where_it_cannot_be_one() {
    let (_folder, path) = written("t.csv", "y,p,site\n1,0.9,NA\n0,0.2,NA\n1,0.7,None\n0,0.4,None\n");
    let groups = scored(&path, Some("site")).unwrap().by.unwrap().groups;
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["NA", "None"]);
    let (_other, path) = written("t.csv", "y,d\na,a\nb,NA\nNA,NA\nb,b\n");
    let decided = |classes: &[String]| {
        let (label, decision) = ("y", Some("d"));
        let files = MulticlassFiles { table: &path, label, scores: None, decision, classes, case: None };
        let request = Request::new(MetricTask::Multiclass, &["multiclass_accuracy".to_owned()]).unwrap();
        multiclass(&files, &request)
    };
    let refused = decided(&[]).unwrap_err().to_string();
    assert!(refused.contains("row 3: `y` is missing (\"NA\")") && refused.contains("--classes"), "{refused}");
    let named = ["a", "b", "NA"].map(str::to_owned);
    assert_eq!(decided(&named).unwrap().metrics["multiclass_accuracy"].value, Some(0.75));
}

#[test]
fn truths_count_as_one_and_zero_in_every_kind_of_file() {
    use polars::prelude::*;
    use polars_io::prelude::ParquetWriter;
    let (_folder, twin) = written("twin.csv", FOUR);
    let wanted = scored(&twin, None).unwrap();
    let (_other, parquet) = written("bool.parquet", "");
    let mut frame = df!("y" => [true, false, true, false], "p" => [0.9, 0.2, 0.7, 0.4]).unwrap();
    ParquetWriter::new(std::fs::File::create(&parquet).unwrap()).finish(&mut frame).unwrap();
    let spelt = [("true", "false"), ("True", "False"), ("TRUE", "FALSE")];
    let texts = spelt.map(|(yes, no)| format!("y,p\n{yes},0.9\n{no},0.2\n{yes},0.7\n{no},0.4\n"));
    let files = texts.map(|text| written("bool.csv", text));
    for path in files.iter().map(|(_, path)| path).chain([&parquet]) {
        assert_eq!(scored(path, None).unwrap(), wanted, "{}", path.display());
        let column = read_f64_column(path, "y").unwrap();
        assert_eq!(column, [1.0, 0.0, 1.0, 0.0].map(Some), "{}", path.display());
        // As classes of several they are the same two.
        let classes = ["0".to_owned(), "1".to_owned()];
        let files = MulticlassFiles {
            table: path,
            label: "y",
            scores: None,
            decision: Some("y"),
            classes: &classes,
            case: None,
        };
        let request = Request::new(MetricTask::Multiclass, &["multiclass_accuracy".to_owned()]).unwrap();
        let report = multiclass(&files, &request).unwrap();
        assert_eq!(report.metrics["multiclass_accuracy"].value, Some(1.0));
    }
    let (_folder, odd) = written("odd.csv", "y,p\ntrue,0.9\nyes,0.2\n");
    assert!(refused(&odd).contains("row 2: `y` is \"yes\", not a label"), "{}", refused(&odd));
}

#[test]
fn what_is_wrong_with_a_csv_file_is_said_in_plain_words() {
    let zipped = {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(FOUR.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(FOUR.bytes().flat_map(|b| [b, 0])).collect();
    for (bytes, expected) in [
        (b"y,p\n1,0.9\n0,0.2,7\n".as_slice(), "row 2 has 3 values, but the header names 2 columns"),
        (b"y,p,s\n1,0.9,\"a,\nb\"\n0,0.2,\"a,b\",c\n", "row 2 has 4 values, but the header names 3 columns"),
        (b"y,p,s\n1,0.9,a\n0,0.2,\"ab\n0,0.2,a\n", "a double quote in row 2 is not closed"),
        (b"y,p,s\n1,0.9,a\n0,0.2,\xff\xfe\n", "row 2 holds bytes that are not UTF-8"),
        (b"y,p,\xe4\n1,0.9,a\n", "the header holds bytes that are not UTF-8"),
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"y,p,p\n1,0.9,1\n", "two columns are called `p`"),
        (b"y,p,p_duplicated_0,p\n1,0.9,1,1\n", "two columns are called `p`"),
        (b"\xef\xbb\xbf\r\n\"y\",p,y\r\n1,0.9,1\r\n", "two columns are called `y`"),
        (b"y,p,,\n1,0.9,,\n", "two columns have no name"),
        (b"# by a scanner\ny,p\n1,0.9\n", "begins with lines of comments"),
        (b"# one; \"two\n\n#three\ny,p\n1,0.9\n", "begins with lines of comments"),
        (b"# a, b, c\ny,p\n1,0.9\n", "begins with lines of comments"),
        (b"x^2,y,p\n1,1,0.9\n", "give its first column another name"),
        (b"y;p\r\n1;0,9\r\n0;0,2\r\n", "columns are separated by semicolons"),
        (b"\n\"y, or not\"\tp\n1\t0.9\n", "columns are separated by tabs"),
        (b"y,p\r1,0.9\r0,0.2\r", "lines end in carriage returns alone"),
        (b"PK\x03\x04\x14\0\0\0", "a ZIP archive, as spreadsheets"),
        (&zipped, "compressed by gzip; unpack it"),
        (&wide, "text in UTF-16; save it in UTF-8"),
        (&std::fs::read(table("x_map.parquet")).unwrap(), "let its name end in .parquet"),
        (&std::fs::read(table("dec.arrow")).unwrap(), "let its name end in .arrow"),
    ] {
        let (_folder, path) = written("t.csv", bytes);
        let refused = refused(&path);
        assert!(refused.contains(expected) && refused.contains("t.csv"), "{expected}: {refused}");
        let own = ["Schema", "ragged", "feature", "dtype", "offset", "duplication"];
        assert!(!own.iter().any(|word| refused.contains(word)), "polars' own words: {refused}");
    }
}

#[test]
fn odd_names_of_columns_are_names() {
    let (_folder, plain) = written("plain.csv", FOUR);
    for odd in ["p_duplicated_0", "y_duplicated_1", "\"p,y\"", "#", "# of case"] {
        let header = format!("{odd},y,p");
        let text = FOUR.replace("y,p", &header).replace("1,0.", "#7,1,0.").replace("0,0.", "#8,0,0.");
        let (_other, path) = written("t.csv", text);
        assert_eq!(scored(&path, None).unwrap(), scored(&plain, None).unwrap(), "{odd}");
    }
}

#[test]
fn a_file_of_a_spreadsheet_is_read() {
    let (_folder, plain) = written("plain.csv", FOUR);
    let (_folder2, marked) = written("t.csv", format!("\u{feff}{}", FOUR.replace('\n', "\r\n")));
    assert_eq!(scored(&marked, None).unwrap(), scored(&plain, None).unwrap());
    let (_folder3, odd) = written(
        "t.csv",
        format!("{}\r\n\n", FOUR.replace("y,p", "y,p,\"a;\n\tb\"").replace("0.9", "0.9,\";\"")),
    );
    assert_eq!(scored(&odd, None).unwrap(), scored(&plain, None).unwrap());
}

#[test]
fn what_is_wrong_with_a_parquet_or_arrow_file_is_said_in_plain_words() {
    let cut = |name: &str| {
        let bytes = std::fs::read(table(name)).unwrap();
        bytes[..bytes.len() - 20].to_vec()
    };
    for (name, bytes, expected) in [
        ("t.parquet", cut("small.parquet"), "has no end, as if it was cut"),
        ("t.arrow", cut("small.arrow"), "has no end, as if it was cut"),
        ("t.parquet", FOUR.as_bytes().to_vec(), "this is not a Parquet file"),
        ("t.parquet", Vec::new(), "this is not a Parquet file"),
        ("t.arrow", FOUR.as_bytes().to_vec(), "this is not an Arrow IPC file"),
        ("t.feather", b"FEA1\0\0\0\0 FEA1".to_vec(), "write it in version 2"),
        ("t.arrow", std::fs::read(table("twice.arrow")).unwrap(), "several columns have one name"),
        ("t.parquet", std::fs::read(table("twice.parquet")).unwrap(), "two columns are called `p`"),
        ("t.arrows", cut("stream.arrows"), "damaged or cut"),
        (
            "t.arrow",
            std::fs::read(table("x_view.arrow")).unwrap(),
            "the column `x` is of type list view, and Fiel cannot read past it; leave it out",
        ),
        (
            "t.arrow",
            std::fs::read(table("x_sparse.arrow")).unwrap(),
            "the column `x` is of type sparse union",
        ),
        (
            "t.arrow",
            std::fs::read(table("x_runs.arrow")).unwrap(),
            "the column `x` is of type run-end encoded",
        ),
    ] {
        let (_folder, path) = written(name, bytes);
        let refused = refused(&path);
        assert!(refused.contains(expected) && refused.contains(name), "{expected}: {refused}");
    }
}

#[test]
fn damaged_files_are_refused_or_read_and_nothing_panics() {
    for name in [
        "small.parquet",
        "x_time.parquet",
        "small.arrow",
        "delta.arrow",
        "stream.arrows",
        "categories.arrows",
        "pandas_category.parquet",
    ] {
        let whole = std::fs::read(table(name)).unwrap();
        let (_folder, path) = written(name, "");
        let mut refused = 0;
        let mut read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            match read_f64_column(&path, "p") {
                Ok(column) => assert!(column.len() <= 100_000_000),
                Err(MetricError::File { .. } | MetricError::Column { .. }) => refused += 1,
                Err(other) => panic!("{name}: {other}"),
            }
        };
        for i in (0..whole.len()).step_by(2) {
            let mut bytes = whole.clone();
            bytes[i] ^= [0x01, 0x80, 0xff][i % 3];
            read(&bytes);
            if i % 7 == 0 {
                read(&whole[..i]);
            }
        }
        assert!(refused > whole.len() / 14, "{name}: {refused}");
    }
}

/// A Parquet file without rows whose only column lies within as many groups.
fn nested(groups: u32) -> Vec<u8> {
    // Thrift's compact protocol: a byte of how much the field's number grows and of its type, then the value.
    let group = b"\x35\x02\x18\x01a\x15\x02\0";
    let leaf = b"\x15\x02\x25\x02\x18\x01x\0";
    let mut count = Vec::new();
    let mut left = groups + 1;
    while left >= 0x80 {
        count.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    count.push(u8::try_from(left).unwrap());
    let schema = [b"\x15\x02\x19\xfc", &count[..], &group.repeat(groups as usize), leaf].concat();
    let footer = [&schema[..], b"\x16\0\x19\x0c\0"].concat();
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", &footer[..], &length, b"PAR1"].concat()
}

#[test]
fn a_schema_that_is_nested_deep_is_refused() {
    let (_folder, path) = written("t.parquet", nested(50));
    assert!(refused(&path).contains("the column `a` is of type struct"), "{}", refused(&path));
    for groups in [70, 200_000] {
        let (_folder, path) = written("t.parquet", nested(groups));
        assert!(refused(&path).contains("nested too deep"), "{}", refused(&path));
    }
}

#[test]
fn a_column_of_the_curves_prefix_that_names_no_time_is_an_error() {
    fn files(table: &Path) -> SurvivalFiles<'_> {
        let (time, event, risk, curve) = ("time", "event", "s_risk", Some("s_"));
        SurvivalFiles { table, time, event, risk, curve, training: None, case: None }
    }
    let request = Request::new(MetricTask::Survival, &["integrated_brier".to_owned()]).unwrap();
    let rows =
        "1,1,0.9,0.4,0.1,9\n2,0,0.5,0.8,0.6,9\n3,1,0.6,0.7,0.4,9\n4,0,0.1,0.9,0.8,9\n5,1,0.2,0.9,0.7,9\n";
    // The risk begins with the prefix as well, and is known to be none.
    let (_folder, path) = written("s.csv", format!("time,event,s_risk,s_1,s_3,other\n{rows}"));
    assert!(survival(&files(&path), &request).unwrap().metrics["integrated_brier"].value.is_some());
    for odd in ["s_30d", "s_", "s_inf"] {
        let (_folder, path) = written("s.csv", format!("time,event,s_risk,s_1,s_3,{odd}\n{rows}"));
        let refused = survival(&files(&path), &request).unwrap_err().to_string();
        let expected = format!("the column `{odd}` begins with `s_`");
        assert!(refused.contains("s.csv") && refused.contains(&expected), "{refused}");
    }
}
