//! What is wrong with a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use dbn::Schema;

/// Why a file is not a feed: one line that names the file and what is wrong with it.
#[derive(Debug)]
pub struct SourceError {
    pub(super) path: PathBuf,
    pub(super) problem: Problem,
}

impl SourceError {
    /// The file that was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file ends before its contents do.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        matches!(
            self.problem,
            Problem::CutHeader | Problem::CutRecord { .. } | Problem::CutFrame { .. }
        )
    }
}

#[derive(Debug)]
pub(super) enum Problem {
    Open(io::Error),
    Read(u64, io::Error),
    Empty,
    NotDbn,
    Header(String),
    Schema(Schema),
    CutHeader,
    CutRecord { records: u64, bytes: usize },
    CutFrame { records: u64 },
    Record { number: u64, what: String },
    Damaged(u64, String),
}

impl Problem {
    /// Of reading on after so many records.
    pub(super) fn reading(records: u64, error: io::Error) -> Self {
        match error.kind() {
            // The end of a plain file is no error: only a zstd frame can end unexpectedly.
            io::ErrorKind::UnexpectedEof => Self::CutFrame { records },
            _ => Self::Read(records, error),
        }
    }

    /// Of the decoder's set-up: all it does is look at the first bytes.
    pub(super) fn from_decoder(error: dbn::Error) -> Self {
        match error {
            dbn::Error::Io { source, .. } => Self::Read(0, source),
            other => Self::Header(other.to_string()),
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.problem {
            Problem::Open(error) => write!(f, "cannot open the file: {error}"),
            Problem::Read(0, error) => write!(f, "cannot read the file: {error}"),
            Problem::Read(records, error) => {
                write!(f, "cannot read on after {records} records: {error}")
            }
            Problem::Empty => write!(f, "the file is empty"),
            Problem::NotDbn => write!(f, "not a DBN file"),
            Problem::Header(what) => write!(f, "the DBN header is wrong: {what}"),
            Problem::Schema(found) => {
                write!(
                    f,
                    "the file holds {found} records; mbo (market by order) is needed"
                )
            }
            Problem::CutHeader => write!(f, "the file is cut short within its DBN header"),
            Problem::CutRecord { records, bytes } => write!(
                f,
                "the file is cut short: after {records} records come {bytes} bytes of an \
                 unfinished one"
            ),
            Problem::CutFrame { records } => write!(
                f,
                "the file is cut short: its zstd frame does not end (read {records} records)"
            ),
            Problem::Record { number, what } => write!(f, "record {number} {what}"),
            Problem::Damaged(records, what) => {
                write!(f, "the file is damaged after {records} records: {what}")
            }
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Open(error) | Problem::Read(_, error) => Some(error),
            _ => None,
        }
    }
}
