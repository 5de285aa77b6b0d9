//! Reading DBN files, and saying what is wrong with those that are wrong.

use std::path::Path;

use corecast_lab::market::{Action, DbnSource, SourceError, Tick, TickFeed, market_ticks};
use dbn::encode::dbn::Encoder;
use dbn::encode::{EncodeRecord, EncodeRecordRef};
use dbn::{MboMsg, RecordRef, Schema, SystemMsg, TradeMsg, WithTsOut};
use proptest::prelude::*;

use crate::files::{TempFile, compressed, metadata, plain, record_of};

fn read(path: &Path) -> Result<Vec<Tick>, SourceError> {
    let mut source = DbnSource::open(path)?;
    let mut ticks = Vec::new();
    while source.fill(&mut ticks, 1000)? > 0 {}
    assert_eq!(source.records(), ticks.len() as u64);
    Ok(ticks)
}

fn read_bytes(bytes: &[u8]) -> Result<Vec<Tick>, SourceError> {
    read(TempFile::new("feed.dbn", bytes).path())
}

/// The message for these bytes, which must be wrong, without the name of the file.
fn complaint(bytes: &[u8]) -> String {
    let file = TempFile::new("feed.dbn", bytes);
    let error = read(file.path()).expect_err("the file is wrong");
    assert_eq!(error.path(), file.path());
    let message = error.to_string();
    let name = format!("{}: ", file.path().display());
    let what = message
        .strip_prefix(&name)
        .expect("the message begins with the file's name");
    assert!(!what.contains('\n'), "{what}");
    what.to_owned()
}

#[test]
fn plain_and_compressed_files_give_the_same_ticks() {
    let ticks = market_ticks(10_000, 1);
    assert_eq!(read_bytes(&plain(&ticks)).expect("a good file"), ticks);
    assert_eq!(read_bytes(&compressed(&ticks)).expect("a good file"), ticks);
}

#[test]
fn a_file_without_records_has_none() {
    assert_eq!(read_bytes(&plain(&[])).expect("a good file"), []);
    assert_eq!(read_bytes(&compressed(&[])).expect("a good file"), []);
}

#[test]
fn unknown_letters_are_for_the_checks_to_refuse() {
    let tick = Tick {
        action: Action::Unknown,
        recorded_ns: 5,
        ..Tick::default()
    };
    assert_eq!(
        read_bytes(&plain(&[tick])).expect("a readable file"),
        [tick]
    );
}

#[test]
fn a_file_of_the_oldest_version_is_read() {
    let ticks = market_ticks(100, 1);
    let mut bytes = Vec::new();
    let mut header = metadata(Some(Schema::Mbo));
    header.version = 1;
    header.symbol_cstr_len = dbn::v1::SYMBOL_CSTR_LEN;
    let mut encoder = Encoder::new(&mut bytes, &header).expect("memory can be written");
    for tick in &ticks {
        encoder
            .encode_record(&record_of(tick))
            .expect("memory can be written");
    }
    assert_eq!(bytes[3], 1);
    assert_eq!(read_bytes(&bytes).expect("a good file"), ticks);
}

#[test]
fn send_times_behind_the_records_are_passed_over() {
    let ticks = market_ticks(100, 1);
    let mut header = metadata(Some(Schema::Mbo));
    header.ts_out = true;
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, &header).expect("memory can be written");
    for tick in &ticks {
        let record = WithTsOut::new(record_of(tick), 9);
        encoder
            .encode_record(&record)
            .expect("memory can be written");
    }
    assert_eq!(read_bytes(&bytes).expect("a good file"), ticks);
}

/// A recording of a live feed: no schema, and what a gateway says in between.
fn live(records: &[RecordRef<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, &metadata(None)).expect("memory can be written");
    for record in records {
        encoder
            .encode_record_ref(*record)
            .expect("memory can be written");
    }
    bytes
}

#[test]
fn notices_in_a_live_recording_are_passed_over() {
    let ticks = market_ticks(2, 1);
    let records: Vec<MboMsg> = ticks.iter().map(record_of).collect();
    let notice = SystemMsg::heartbeat(1);
    let bytes = live(&[
        RecordRef::from(&notice),
        RecordRef::from(&records[0]),
        RecordRef::from(&notice),
        RecordRef::from(&records[1]),
    ]);
    assert_eq!(read_bytes(&bytes).expect("a good file"), ticks);
}

#[test]
fn a_record_of_another_kind_is_named() {
    let record = record_of(&market_ticks(1, 1)[0]);
    let trade = TradeMsg::default();
    let bytes = live(&[RecordRef::from(&record), RecordRef::from(&trade)]);
    assert_eq!(
        complaint(&bytes),
        "record 2 is of kind Mbp0, not market by order"
    );
}

#[test]
fn another_schema_is_named() {
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, &metadata(Some(Schema::Mbp10))).expect("memory can be written");
    let expected = "the file holds mbp-10 records; mbo (market by order) is needed";
    assert_eq!(complaint(&bytes), expected);
}

#[test]
fn a_file_that_is_not_there_or_no_file_is_named() {
    let error = read(Path::new("no/such.dbn")).expect_err("there is no such file");
    assert!(
        error
            .to_string()
            .starts_with("no/such.dbn: cannot open the file: "),
        "{error}"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = read(folder.path()).expect_err("a folder cannot be read");
    assert!(
        error.to_string().contains(": cannot read the file: "),
        "{error}"
    );
}

#[test]
fn foreign_files_are_told_from_cut_ones() {
    assert_eq!(complaint(b""), "the file is empty");
    let zstd_of_nothing = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x00, 0x01, 0x00, 0x00];
    assert_eq!(complaint(&zstd_of_nothing), "the file is empty");
    for foreign in [
        &b"time,price\n1,2\n"[..],
        b"x",
        b"DBX\x03",
        b"DB\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(complaint(foreign), "not a DBN file", "{foreign:?}");
    }
    for cut in [
        &b"D"[..],
        b"DBN",
        b"DBN\x03",
        b"DBN\x03\x80\x00\x00\x00 and so on",
    ] {
        assert_eq!(
            complaint(cut),
            "the file is cut short within its DBN header",
            "{cut:?}"
        );
    }
}

#[test]
fn a_header_that_cannot_be_true_is_not_believed() {
    let mut bytes = plain(&market_ticks(10, 1));
    bytes[3] = 200;
    assert!(complaint(&bytes).contains("header is wrong: "));
    bytes[3] = 0;
    assert!(complaint(&bytes).contains("header is wrong: "));
    bytes[3] = 3;
    bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let expected = "the DBN header is wrong: it claims 4294967295 bytes of metadata";
    assert_eq!(complaint(&bytes), expected);
    bytes[4..8].copy_from_slice(&1_u32.to_le_bytes());
    assert!(complaint(&bytes).contains("header is wrong: "));
}

#[test]
fn a_file_cut_anywhere_but_between_records_is_an_error() {
    let ticks = market_ticks(5, 1);
    let bytes = plain(&ticks);
    let header = plain(&[]).len();
    let record = size_of::<MboMsg>();
    assert_eq!(bytes.len(), header + 5 * record);
    for len in 1..bytes.len() {
        let (records, rest) = match len.checked_sub(header) {
            Some(behind) => (behind / record, behind % record),
            None => (0, len),
        };
        let result = read_bytes(&bytes[..len]);
        if len >= header && rest == 0 {
            assert_eq!(result.expect("whole records"), ticks[..records]);
            continue;
        }
        let error = result.expect_err("cut");
        assert!(error.is_truncated(), "{len} bytes: {error}");
        if len >= header {
            let expected =
                format!("after {records} records come {rest} bytes of an unfinished one");
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
    }
}

#[test]
fn a_compressed_file_cut_anywhere_is_an_error() {
    let bytes = compressed(&market_ticks(200, 1));
    for len in 1..bytes.len() {
        let error = read_bytes(&bytes[..len]).expect_err("cut");
        // Fewer than four bytes do not even tell that it is compressed.
        assert!(error.is_truncated() || len < 4, "{len} bytes: {error}");
    }
}

#[test]
fn damage_is_told_with_the_records_before_it() {
    let ticks = market_ticks(5, 1);
    let mut bytes = plain(&ticks);
    let third = plain(&[]).len() + 2 * size_of::<MboMsg>();
    // No record is shorter than a header, and none would leave the next one unaligned.
    for (units, length) in [(0, 0), (3, 12), (15, 60)] {
        bytes[third] = units;
        let expected = format!(
            "the file is damaged after 2 records: the next claims to be {length} bytes long"
        );
        assert_eq!(complaint(&bytes), expected);
    }
    // Long enough to be a record, too short to be one of market by order.
    bytes[third] = 6;
    assert_eq!(complaint(&bytes), "record 3 is shorter than its kind");
    bytes[third] = 14;
    bytes[third + 1] = 0xFE;
    assert_eq!(
        complaint(&bytes),
        "record 3 is of kind unknown (0xfe), not market by order"
    );
}

/// Any few bytes of a good file, changed.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let bytes = (any::<bool>(), any::<bool>()).prop_map(|(zstd, header_alone)| {
        let ticks = market_ticks(if header_alone { 0 } else { 10 }, 1);
        if zstd {
            compressed(&ticks)
        } else {
            plain(&ticks)
        }
    });
    (bytes, changes).prop_map(|(mut bytes, changes)| {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn no_damage_does_worse_than_an_error(bytes in damaged()) {
        // Damage within a record may leave another record that can be read.
        if let Ok(ticks) = read_bytes(&bytes) {
            prop_assert!(ticks.len() <= 10);
        }
    }
}
