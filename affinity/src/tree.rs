//! The small files under `/proc` and `/sys`, of this machine or of a recorded one.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::ReadError;

/// A directory that holds `proc` and `sys`: `/`, or a recording.
///
/// A file that cannot be read says nothing, whatever the cause: kernels differ
/// in what they offer, containers hide some of it, and a CPU can go away
/// between two reads. A file that reads as something impossible is an error.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn new(root: &Path) -> Self {
        let root = root.to_owned();
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file's text without the white space and NULs around it.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(path)).ok()?;
        let blank = |character: char| character == '\0' || character.is_whitespace();
        Some(text.trim_matches(blank).to_owned())
    }

    /// A file that holds one value.
    pub(crate) fn parse<T>(&self, path: &str) -> Result<Option<T>, ReadError>
    where
        T: FromStr<Err: Display>,
    {
        let Some(text) = self.text(path) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.malformed(path, &text, &error)),
        }
    }

    /// The error for a file whose `content` is impossible.
    pub(crate) fn malformed(&self, path: &str, content: &str, reason: &dyn Display) -> ReadError {
        ReadError::Malformed {
            path: self.path(path),
            content: content.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// The numbers `n` of a directory's entries `<prefix><n>`, ascending.
    pub(crate) fn numbered(&self, directory: &str, prefix: &str) -> Vec<u32> {
        let Ok(entries) = fs::read_dir(self.path(directory)) else {
            return Vec::new();
        };
        let mut numbers: Vec<u32> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                name.to_str()?.strip_prefix(prefix)?.parse().ok()
            })
            .collect();
        numbers.sort_unstable();
        numbers
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
}
