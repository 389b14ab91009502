//! Against zlib-rs: the same bytes, and the same streams refused.

use super::codes::OwnTables;
use super::entry::Entry;
use super::{Damaged, Inflate, PIECE};
use proptest::prelude::*;
use zlib_rs::{Deflate, DeflateFlush, InflateFlush, Status};

/// All that a stream holds, taken in pieces of changing size, and what follows it.
fn inflate(input: &[u8], mut piece: usize) -> Result<(Vec<u8>, &[u8]), Damaged> {
    let mut inflate = Inflate::new(input);
    let mut out = Vec::new();
    loop {
        piece = piece * 7 % (PIECE + 3) + 1;
        while inflate.ready() < piece.min(PIECE) && !inflate.ended() {
            inflate.make(piece)?;
        }
        let bytes = inflate.take(piece.min(PIECE));
        if bytes.is_empty() {
            return Ok((out, inflate.rest()));
        }
        out.extend_from_slice(bytes);
    }
}

/// The same by zlib-rs, with at most 4 MiB.
fn expected(input: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = vec![0; 4 << 20];
    let mut inflate = zlib_rs::Inflate::new(false, 15);
    let status = inflate.decompress(input, &mut out, InflateFlush::Finish).ok()?;
    out.truncate(usize::try_from(inflate.total_out()).unwrap());
    (status == Status::StreamEnd).then(|| (out, &input[usize::try_from(inflate.total_in()).unwrap()..]))
}

fn deflate(bytes: &[u8], level: i32) -> Vec<u8> {
    let mut out = vec![0; bytes.len() * 2 + 1024];
    let mut deflate = Deflate::new(level, false, 15);
    let status = deflate.compress(bytes, &mut out, DeflateFlush::Finish).unwrap();
    assert_eq!(status, Status::StreamEnd);
    out.truncate(usize::try_from(deflate.total_out()).unwrap());
    out
}

/// Data of the kinds that images hold: noise of some width, runs, rows that come again, and smooth ramps.
fn image(kind: u8, seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let [a, b, c, d, ..] = random();
        match kind % 7 {
            0 => bytes.push(a),
            1 => bytes.extend([a % 30, 0]),
            2 => bytes.extend([a % 60, if b & 1 == 0 { 255 } else { 0 }]),
            3 => bytes.extend(std::iter::repeat_n(a & 3, usize::from(b) * usize::from(c))),
            4 => {
                let back = (usize::from(a) * usize::from(b) / 2 + 1).min(bytes.len());
                let from = bytes.len() - back;
                for i in 0..usize::from(c) {
                    bytes.push(bytes.get(from + i).copied().unwrap_or(d));
                }
            }
            5 => bytes.extend((f32::from(a) * f32::from(b) + f32::from(c)).sqrt().to_le_bytes()),
            _ => bytes
                .extend((0..usize::from(d & 15)).map(|i| b"a tumour of the breast"[i + usize::from(a & 7)])),
        }
    }
    bytes.truncate(length);
    bytes
}

proptest! {
    #[test]
    fn what_was_compressed_comes_back(kind in 0u8..7, seed: u64, length in 0usize..400_000, level in 0i32..=9, piece: u16) {
        let bytes = image(kind, seed, length);
        let mut stream = deflate(&bytes, level);
        stream.extend_from_slice(b"rest");
        let (out, rest) = inflate(&stream, usize::from(piece)).unwrap();
        prop_assert!(out == bytes);
        prop_assert_eq!(rest, b"rest");
    }

    #[test]
    fn a_damaged_stream_is_refused_or_read_as_by_zlib(
        kind in 0u8..7, seed: u64, length in 0usize..40_000, level in 0i32..=9,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: prop::sample::Index,
    ) {
        let mut stream = deflate(&image(kind, seed, length), level);
        for (at, byte) in damage {
            let at = at.index(stream.len());
            stream[at] ^= byte;
        }
        prop_assert_eq!(inflate(&stream, 1000).ok(), expected(&stream));
        let cut = &stream[..cut.index(stream.len())];
        prop_assert_eq!(inflate(cut, 1000).ok(), expected(cut));
    }

    #[test]
    fn any_bytes_are_refused_or_read_as_by_zlib(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(inflate(&bytes, 1000).ok(), expected(&bytes));
    }
}

/// Lengths of a complete code of so many symbols, from how a tree with two leaves grows: which leaf becomes two.
fn complete(symbols: usize, splits: &[prop::sample::Index]) -> Vec<u8> {
    let mut leaves = vec![1, 1];
    for split in splits {
        let leaf = split.index(leaves.len());
        if leaves[leaf] < 15 && leaves.len() < symbols {
            leaves[leaf] += 1;
            leaves.push(leaves[leaf]);
        }
    }
    leaves.resize(symbols, 0);
    leaves
}

proptest! {
    #[test]
    fn a_packed_entry_is_its_symbols_one_after_the_other(
        splits in prop::collection::vec(any::<prop::sample::Index>(), 1..300),
        far in prop::collection::vec(any::<prop::sample::Index>(), 1..30), order: u64,
    ) {
        // Few literals and the end, then the lengths of matches, in some order.
        let mut lengths = complete(256 + 30, &splits);
        let mut state = order | 1;
        for i in (1..lengths.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            lengths.swap(i, usize::try_from(state >> 33).unwrap() % (i + 1));
        }
        let mut tables = OwnTables::new();
        tables.build(&lengths, &complete(30, &far)).unwrap();
        let single: Vec<Entry> = (0..1 << 11).map(|ahead| tables.literals.first(ahead)).collect();
        tables.pack();
        for (index, &first) in single.iter().enumerate() {
            let packed = tables.literals.first(index as u64);
            // As far as the bits tell, at most two literals and a match.
            let (mut bytes, mut code, mut next) = (Vec::new(), 0, first);
            while next.is_literal() && bytes.len() < 2 && code + next.code_bits() <= 11 {
                bytes.push(next.bytes()[0]);
                code += next.code_bits();
                next = single[index >> code];
            }
            let is_match = !next.is_other() && !next.is_literal() && code + next.code_bits() <= 11;
            if bytes.is_empty() {
                prop_assert_eq!(packed, first);
                continue;
            }
            prop_assert!(!packed.is_other());
            prop_assert_eq!(&packed.bytes()[..packed.literals()], &bytes[..]);
            prop_assert_eq!(packed.is_literal(), !is_match);
            let (length, number, extra) = if is_match {
                code += next.code_bits();
                (next.length(), next.number(), next.bits() - next.code_bits())
            } else {
                (0, 1024, 0)
            };
            prop_assert_eq!((packed.length(), packed.number()), (length, number));
            prop_assert_eq!((packed.code_bits(), packed.bits()), (code, code + extra));
        }
    }
}

/// The tables of a code with so many symbols of so many bits: (first symbol, how many, bits); distances of one bit each.
fn tables(codes: &[(usize, usize, u8)], distances: [usize; 2]) -> OwnTables {
    let (mut literals, mut of_distances) = (vec![0; 286], vec![0; 30]);
    for &(first, count, bits) in codes {
        literals[first..first + count].fill(bits);
    }
    for symbol in distances {
        of_distances[symbol] = 1;
    }
    let mut tables = OwnTables::new();
    tables.build(&literals, &of_distances).unwrap();
    tables
}

#[test]
fn a_match_that_does_not_overlap_itself_is_one_entry() {
    // Two literals, the end and a length of 3; distances of 2 (symbol 1), 3 (2) and from 17 on, with 3 bits more (8).
    let codes = [(97, 2, 2), (256, 2, 2)];
    let nearer = tables(&codes, [1, 2]);
    assert!(nearer.literals.first(0b0_11).is_base());
    let joined = nearer.literals.first(0b1_11);
    assert!(!joined.is_other());
    assert_eq!((joined.length(), joined.number(), joined.code_bits(), joined.bits()), (3, 3, 3, 3));
    let farther = tables(&codes, [2, 8]).literals.first(0b1_11);
    assert!(!farther.is_other());
    assert_eq!((farther.length(), farther.number(), farther.code_bits(), farther.bits()), (3, 17, 3, 6));
}

#[test]
fn tables_are_packed_where_every_eighth_symbol_begins_a_pair_of_literals() {
    let choice = |codes: &[_]| {
        let tables = tables(codes, [1, 2]);
        (tables.packs, tables.mostly_literals)
    };
    // A half is literals, which all fit two at a time.
    assert_eq!(choice(&[(97, 2, 2), (256, 2, 2)]), (true, false));
    // 15 of 16 are literals, none of which fit.
    assert_eq!(choice(&[(0, 240, 8), (256, 16, 8)]), (false, true));
    // 10 or 12 of 32, of 5 bits.
    assert_eq!(choice(&[(0, 10, 5), (256, 22, 5)]), (false, false));
    assert_eq!(choice(&[(0, 12, 5), (256, 20, 5)]), (true, false));
    // A quarter of 2 bits and an eighth of 9: in a quarter by three eighths and an eighth by a quarter of all, just not enough.
    assert_eq!(choice(&[(0, 1, 2), (1, 64, 9), (256, 2, 3), (258, 6, 4)]), (false, false));
    // Seven eighths, and a pair fits as a rule.
    assert_eq!(choice(&[(0, 7, 3), (256, 2, 4)]), (true, true));
}

/// Bits from the lowest, as a stream has them: (value, how many); codes of Huffman are given reversed.
fn stream(bits: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut ahead, mut count) = (0u64, 0);
    for &(value, width) in bits {
        ahead |= u64::from(value) << count;
        count += width;
        while count >= 8 {
            bytes.push(ahead.to_le_bytes()[0]);
            ahead >>= 8;
            count -= 8;
        }
    }
    bytes.push(ahead.to_le_bytes()[0]);
    bytes
}

#[track_caller]
fn refused(bits: &[(u32, u32)], why: Damaged) {
    let mut stream = stream(bits);
    stream.extend_from_slice(&[0; 16]);
    assert_eq!(inflate(&stream, 100), Err(why));
    assert_eq!(expected(&stream), None);
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(inflate(&[], 1), Err(Damaged::End));
    assert_eq!(inflate(&[1, 5, 0, 0xfa, 0xff, 1, 2], 100), Err(Damaged::End));
    assert_eq!(inflate(&[1, 5, 0, 0xfa, 0xfe, 1, 2, 3, 4, 5], 100), Err(Damaged::Stored));
    refused(&[(1, 1), (3, 2)], Damaged::Kind);
    // 288 symbols, or 31 distances.
    refused(&[(1, 1), (2, 2), (31, 5)], Damaged::Counts);
    refused(&[(1, 1), (2, 2), (0, 5), (30, 5)], Damaged::Counts);
    // A distance of one byte before the first; symbol 286 of the fixed code.
    refused(&[(1, 1), (1, 2), (0b100_0000, 7), (0, 5)], Damaged::Distance);
    refused(&[(1, 1), (1, 2), (0b0110_0011, 8)], Damaged::Symbol);
    // Four lengths of codes: too many codes of one bit; too few.
    refused(&[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3), (1, 3), (1, 3), (0, 3)], Damaged::Code);
    refused(&[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (2, 3), (2, 3), (0, 3), (0, 3)], Damaged::Code);
    // The first length repeats the one before.
    refused(
        &[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3), (1, 3), (0, 3), (0, 3), (0, 1)],
        Damaged::Repeat,
    );
    // 138 + 138 lengths of 0 for 258 symbols.
    let twice = [
        (1, 1),
        (2, 2),
        (0, 5),
        (0, 5),
        (0, 4),
        (0, 3),
        (0, 3),
        (1, 3),
        (0, 3),
        (0, 1),
        (127, 7),
        (0, 1),
        (127, 7),
    ];
    refused(&twice, Damaged::Repeat);
}

#[test]
fn a_stream_that_is_cut_ends_too_early() {
    for (kind, level) in [(1, 1), (2, 6), (4, 9), (5, 6), (6, 9)] {
        let stream = deflate(&image(kind, 7, 3000), level);
        for end in 0..stream.len() {
            assert_eq!(inflate(&stream[..end], 1000), Err(Damaged::End), "{kind} {end}");
        }
    }
}

#[test]
fn a_distance_leads_back_to_the_first_byte_and_no_further() {
    // Stored, then a match of 3 at distance 5 or 6 by the fixed code.
    let stored = [(0, 1), (0, 2), (0, 5), (5, 16), (!5 & 0xffff, 16), (1, 8), (2, 8), (3, 8), (4, 8), (5, 8)];
    let to = |extra| {
        stream(&[&stored[..], &[(1, 1), (1, 2), (0b100_0000, 7), (0b00100, 5), (extra, 1), (0, 7)]].concat())
    };
    assert_eq!(inflate(&to(0), 100).unwrap().0, [1, 2, 3, 4, 5, 1, 2, 3]);
    assert_eq!(inflate(&to(1), 100), Err(Damaged::Distance));
}

#[test]
fn the_next_stream_does_not_refer_to_the_one_before() {
    let first = deflate(&[7; 1000], 6);
    let second = stream(&[(1, 1), (1, 2), (0b100_0000, 7), (0, 5), (0, 7)]);
    let mut inflate = Inflate::new(&first);
    assert_eq!(inflate.make(2000).unwrap(), [7; 1000]);
    assert!(inflate.ended());
    inflate.restart(&second);
    assert_eq!(inflate.make(2000), Err(Damaged::Distance));
}
