//! Reads market-by-order records from DBN files.

mod error;
mod frames;

pub use error::SourceError;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use dbn::decode::DynReader;
use dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use dbn::{
    ErrorMsg, MboMsg, Metadata, RecordRef, Schema, SymbolMappingMsg, SystemMsg,
    VersionUpgradePolicy,
};

use super::{Tick, TickFeed};
use error::Problem;
use frames::Frames;

/// How a DBN file begins: `DBN`, the version, and the length of the metadata.
const PRELUDE_BYTES: u64 = 8;

/// More metadata than any file has; a header that claims more is not believed.
const METADATA_LIMIT_BYTES: u32 = 1 << 28;

/// A DBN file of market-by-order records, plain or compressed with zstd, read as it goes.
///
/// A file that ends in the middle of its metadata, of a record or of a zstd frame is an error, not
/// an end. What a gateway adds to a recording of a live feed (symbol mappings, system and error
/// messages) is passed over. Versions 1 to 3 of the format are read.
pub struct DbnSource {
    path: PathBuf,
    reader: DynReader<'static, BufReader<File>>,
    frames: Frames,
    decoder: DbnFsm,
    records: u64,
}

impl DbnSource {
    /// Opens the file and checks its header.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is empty, is no DBN file, is cut short within its header, or holds
    /// records of another schema.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let fail = |problem| SourceError {
            path: path.to_owned(),
            problem,
        };
        let reader = File::open(path)
            .map_err(Problem::Open)
            .and_then(|file| DynReader::new_inferred(file).map_err(Problem::from_decoder))
            .map_err(fail)?;
        let decoder = DbnFsm::builder()
            .upgrade_policy(VersionUpgradePolicy::AsIs)
            .build();
        let decoder = decoder.map_err(|error| fail(Problem::from_decoder(error)))?;
        let frames = Frames::new();
        let mut source = Self {
            path: path.to_owned(),
            reader,
            frames,
            decoder,
            records: 0,
        };
        match source.read_metadata().map_err(fail)?.schema {
            // A recording of a live feed has no schema of its own; its records tell.
            Some(Schema::Mbo) | None => Ok(source),
            Some(other) => Err(fail(Problem::Schema(other))),
        }
    }

    /// The records read so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The next record, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is cut short or damaged, or holds a record of another kind.
    pub fn next_tick(&mut self) -> Result<Option<Tick>, SourceError> {
        self.decode_next().map_err(|problem| SourceError {
            path: self.path.clone(),
            problem,
        })
    }

    fn decode_next(&mut self) -> Result<Option<Tick>, Problem> {
        loop {
            while let Some(record) = self.decoder.next_buffered_record() {
                let number = self.records + 1;
                if let Some(tick) = tick_of(record, number)? {
                    self.records = number;
                    return Ok(Some(tick));
                }
            }
            match self.decoder.process_batch() {
                ProcessResult::Record(_) => {}
                ProcessResult::ReadMore(_) => {
                    let Self {
                        reader,
                        frames,
                        decoder,
                        records,
                        ..
                    } = self;
                    let read = |buffer: &mut [u8]| read(reader, buffer, *records);
                    if !frames.advance(*records, read, |whole| decoder.write_all(whole))? {
                        let (records, bytes) = (*records, frames.rest());
                        return match bytes {
                            0 => Ok(None),
                            _ => Err(Problem::CutRecord { records, bytes }),
                        };
                    }
                }
                ProcessResult::Metadata(_) => {
                    return Err(Problem::Damaged(self.records, "a second header".to_owned()));
                }
                ProcessResult::Err(error) => {
                    return Err(Problem::Damaged(self.records, error.to_string()));
                }
            }
        }
    }

    /// Reads the header, and not a byte more.
    fn read_metadata(&mut self) -> Result<Metadata, Problem> {
        let mut header = Vec::new();
        self.read_up_to(PRELUDE_BYTES, &mut header)?;
        let metadata_bytes = match *header.as_slice() {
            [] => return Err(Problem::Empty),
            [b'D', b'B', b'N', _, b0, b1, b2, b3] => u32::from_le_bytes([b0, b1, b2, b3]),
            [b'D'] | [b'D', b'B'] | [b'D', b'B', b'N', ..] => return Err(Problem::CutHeader),
            _ => return Err(Problem::NotDbn),
        };
        if metadata_bytes > METADATA_LIMIT_BYTES {
            let claim = format!("it claims {metadata_bytes} bytes of metadata");
            return Err(Problem::Header(claim));
        }
        self.decoder.write_all(&header);
        header.clear();
        self.read_up_to(metadata_bytes.into(), &mut header)?;
        self.decoder.write_all(&header);
        match self.decoder.process() {
            ProcessResult::Metadata(metadata) => Ok(metadata),
            ProcessResult::ReadMore(_) => Err(Problem::CutHeader),
            ProcessResult::Record(()) => Err(Problem::Header("it is a record".to_owned())),
            ProcessResult::Err(error) => Err(Problem::Header(error.to_string())),
        }
    }

    /// Appends `bytes` bytes of the file to `buffer`, or as many as there are.
    fn read_up_to(&mut self, bytes: u64, buffer: &mut Vec<u8>) -> Result<(), Problem> {
        let read = (&mut self.reader).take(bytes).read_to_end(buffer);
        read.map(drop).map_err(|error| Problem::reading(0, error))
    }
}

/// Reads some bytes, after so many records; 0 at the end of the file.
fn read(reader: &mut impl Read, buffer: &mut [u8], records: u64) -> Result<usize, Problem> {
    loop {
        match reader.read(buffer) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Problem::reading(records, error)),
        }
    }
}

/// The record as a tick; `None` if it is a notice of a gateway.
fn tick_of(record: RecordRef<'_>, number: u64) -> Result<Option<Tick>, Problem> {
    if record.has::<MboMsg>() {
        let record = record.try_get::<MboMsg>();
        return record.map(|record| Some(Tick::from(record))).map_err(|_| {
            let what = "is shorter than its kind".to_owned();
            Problem::Record { number, what }
        });
    }
    let is_notice =
        record.has::<SymbolMappingMsg>() || record.has::<SystemMsg>() || record.has::<ErrorMsg>();
    if is_notice {
        return Ok(None);
    }
    let kind = record.header().rtype().map_or_else(
        |_| format!("unknown ({:#04x})", record.header().rtype),
        |rtype| format!("{rtype:?}"),
    );
    let what = format!("is of kind {kind}, not market by order");
    Err(Problem::Record { number, what })
}

impl TickFeed for DbnSource {
    fn fill(&mut self, ticks: &mut Vec<Tick>, limit: usize) -> Result<usize, SourceError> {
        let mut added = 0;
        while added < limit {
            let Some(tick) = self.next_tick()? else { break };
            ticks.push(tick);
            added += 1;
        }
        Ok(added)
    }
}

impl fmt::Debug for DbnSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbnSource")
            .field("path", &self.path)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}
