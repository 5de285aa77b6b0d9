//! DBN files to read, good and bad.

use std::path::{Path, PathBuf};

use corecast_lab::market::{Action, Side, Tick};
use dbn::encode::EncodeRecord;
use dbn::encode::dbn::Encoder;
use dbn::{MboMsg, Metadata, SType, Schema};

/// The metadata of a file of this schema.
pub(crate) fn metadata(schema: Option<Schema>) -> Metadata {
    Metadata::builder()
        .dataset("GLBX.MDP3")
        .schema(schema)
        .start(1)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .symbols(vec!["ESH4".to_owned()])
        .build()
}

/// The record that becomes `tick`.
pub(crate) fn record_of(tick: &Tick) -> MboMsg {
    let side = match tick.side {
        Side::Bid => b'B',
        Side::Ask => b'A',
        Side::None => b'N',
    };
    let action = match tick.action {
        Action::Unknown => b'z',
        known => u8::try_from(known.letter()).expect("letters are ASCII"),
    };
    let mut record = MboMsg {
        order_id: tick.order_id,
        price: tick.price,
        size: tick.size,
        flags: tick.flags.into(),
        channel_id: tick.channel,
        action: action as _,
        side: side as _,
        ts_recv: tick.recorded_ns,
        sequence: tick.sequence,
        ..MboMsg::default()
    };
    record.hd.instrument_id = tick.instrument;
    record.hd.publisher_id = tick.publisher;
    record
}

/// A plain DBN file of these ticks.
pub(crate) fn plain(ticks: &[Tick]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder =
        Encoder::new(&mut bytes, &metadata(Some(Schema::Mbo))).expect("memory can be written");
    for tick in ticks {
        encoder
            .encode_record(&record_of(tick))
            .expect("memory can be written");
    }
    bytes
}

/// The same, compressed.
pub(crate) fn compressed(ticks: &[Tick]) -> Vec<u8> {
    let mut bytes = Vec::new();
    {
        let metadata = metadata(Some(Schema::Mbo));
        let mut encoder = Encoder::with_zstd(&mut bytes, &metadata).expect("memory can be written");
        for tick in ticks {
            encoder
                .encode_record(&record_of(tick))
                .expect("memory can be written");
        }
    }
    bytes
}

/// A folder with a file in it; both are gone when it is dropped.
pub(crate) struct TempFile {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl TempFile {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a temporary file");
        Self {
            _folder: folder,
            path,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
