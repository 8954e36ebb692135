//! A table image as a stream: a header, then every slot in the order of the keys, the leavers in the order of theirs, the
//! registry's servers by node name, its wishes by what they are of, and who was taken out, in the order in which they went; then
//! the members of the cluster by node id, and the disks that were members before, in the order in which they went.
//!
//! Equal tables give equal bytes. Each record stands behind its length, so that the reader needs no more than one
//! record in memory beside the image it builds, however the stream was cut.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::CodecError;
use super::bytes::{Read, Reader, Writer};
use super::record::{
    read_leaver, read_member, read_removed, read_retired, read_server, read_slot, read_wish, write_leaver,
    write_member, write_removed, write_retired, write_server, write_slot, write_wish,
};
use crate::formats::{ClusterFormat, Format, Formats, Ready};
use crate::image::TableImage;
use crate::names::Names;
use crate::registry::Registry;
use crate::types::{Stamp, TableTime, Version};

/// Format, time, previous stamp, change counter, the registry's version; slots, leavers, servers, wishes, retired servers,
/// members, removed disks; held, ready format and since when.
const HEADER_BYTES: usize = 1 + 4 * 8 + 7 * 8 + 1 + 1 + 8;
/// Where a chunk ends, in bytes: large enough that writing and sending cost little each, small enough to send beside
/// other messages. A chunk holds whole records, so a large session makes a large chunk.
const CHUNK_BYTES: usize = 64 * 1024;

impl TableImage {
    /// The image as a stream of chunks of about 64 KiB, in the cluster's format at that point of the log.
    pub fn into_chunks(mut self) -> impl Iterator<Item = Bytes> + Send {
        self.slots.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        self.leavers
            .sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        let mut buffer = self.header();
        let mut slots = self.slots.into_iter();
        let mut leavers = self.leavers.into_iter();
        let mut servers = self.registry.servers.into_values();
        let mut wishes = self.registry.wishes.into_values();
        let mut retired = self.registry.retired.into_iter();
        let mut members = self.cluster.members.into_iter();
        let mut removed = self.cluster.removed.into_iter();
        std::iter::from_fn(move || {
            while buffer.len() < CHUNK_BYTES {
                if let Some((key, slot)) = slots.next() {
                    write_record(&mut buffer, |writer| write_slot(writer, &key, &slot));
                } else if let Some((key, until, leaver)) = leavers.next() {
                    write_record(&mut buffer, |writer| write_leaver(writer, &key, until, &leaver));
                } else if let Some(entry) = servers.next() {
                    write_record(&mut buffer, |writer| write_server(writer, &entry));
                } else if let Some(wish) = wishes.next() {
                    write_record(&mut buffer, |writer| write_wish(writer, &wish));
                } else if let Some(mark) = retired.next() {
                    write_record(&mut buffer, |writer| write_retired(writer, &mark));
                } else if let Some((node, member)) = members.next() {
                    write_record(&mut buffer, |writer| write_member(writer, node, member));
                } else if let Some(disk) = removed.next() {
                    write_record(&mut buffer, |writer| write_removed(writer, disk));
                } else {
                    break;
                }
            }
            let chunk = mem::take(&mut buffer);
            (!chunk.is_empty()).then(|| Bytes::from(chunk))
        })
    }

    fn header(&self) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        let mut writer = Writer(&mut header);
        writer.u8(self.cluster.format.0);
        writer.u64(self.time.0);
        writer.u64(self.previous_stamp.0);
        writer.u64(self.version.0);
        writer.u64(self.registry.version.0);
        writer.u64(self.slots.len() as u64);
        writer.u64(self.leavers.len() as u64);
        writer.u64(self.registry.servers.len() as u64);
        writer.u64(self.registry.wishes.len() as u64);
        writer.u64(self.registry.retired.len() as u64);
        writer.u64(self.cluster.members.len() as u64);
        writer.u64(self.cluster.removed.len() as u64);
        writer.bool(self.cluster.held);
        let ready = self.cluster.ready;
        writer.u8(ready.map_or(0, |ready| ready.format.0));
        writer.u64(ready.map_or(0, |ready| ready.since.0));
        header
    }
}

/// What every member understands beyond the cluster's format. Nothing has one form only: else two images of one table differed.
fn read_ready(reader: &mut Reader<'_>, cluster: Format) -> Read<Option<Ready>> {
    let ready = Ready {
        format: Format(reader.u8()?),
        since: TableTime(reader.u64()?),
    };
    match (ready.format, ready.since) {
        (Format(0), TableTime(0)) => Ok(None),
        (format, _) if format > cluster => Ok(Some(ready)),
        _ => Err(reader.error("what is ready is not above what is written")),
    }
}

/// Writes a record behind its length.
fn write_record(buffer: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
    let at = buffer.len();
    Writer(buffer).u32(0);
    write(&mut Writer(buffer));
    let length = u32::try_from(buffer.len() - at - 4).unwrap_or(u32::MAX);
    buffer[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Takes in what must stand behind what came before.
fn rising<K: Ord, V>(reader: &Reader<'_>, into: &mut BTreeMap<K, V>, (key, value): (K, V)) -> Read<()> {
    if into.last_key_value().is_some_and(|(before, _)| *before >= key) {
        return Err(reader.error("it is not in the order of the names or numbers"));
    }
    into.insert(key, value);
    Ok(())
}

/// Puts an image together from its chunks, however they were cut.
#[derive(Debug)]
pub struct ImageDecoder {
    understood: Formats,
    waiting: BytesMut,
    image: Option<TableImage>,
    slots_left: u64,
    leavers_left: u64,
    servers_left: u64,
    wishes_left: u64,
    retired_left: u64,
    members_left: u64,
    removed_left: u64,
}

impl ImageDecoder {
    /// Nothing received yet; images of these formats are taken.
    pub fn new(understood: Formats) -> Self {
        Self {
            understood,
            waiting: BytesMut::new(),
            image: None,
            slots_left: 0,
            leavers_left: 0,
            servers_left: 0,
            wishes_left: 0,
            retired_left: 0,
            members_left: 0,
            removed_left: 0,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// They are no part of an image of a format that is understood; the decoder is of no use afterwards.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), CodecError> {
        self.waiting.extend_from_slice(chunk);
        if self.image.is_none() {
            if self.waiting.len() < HEADER_BYTES {
                return Ok(());
            }
            self.header()?;
        }
        while let Some(length) = self
            .waiting
            .first_chunk()
            .map(|length| u32::from_le_bytes(*length) as usize)
        {
            if self.waiting.len() - 4 < length {
                break;
            }
            self.waiting.advance(4);
            let record = self.waiting.split_to(length).freeze();
            self.record(&record)?;
        }
        Ok(())
    }

    /// The image.
    ///
    /// # Errors
    /// It is not complete, or more came than it announced.
    pub fn finish(self) -> Result<TableImage, CodecError> {
        let left = [
            self.slots_left,
            self.leavers_left,
            self.servers_left,
            self.wishes_left,
            self.retired_left,
            self.members_left,
            self.removed_left,
        ];
        let complete = left == [0; 7] && self.waiting.is_empty();
        self.image.filter(|_| complete).ok_or(CodecError::Broken {
            what: "a table image",
            why: "it ends too early",
            at: self.waiting.len(),
        })
    }

    fn header(&mut self) -> Read<()> {
        let header = self.waiting.split_to(HEADER_BYTES).freeze();
        let mut reader = Reader::new("a table image", &header);
        let format = reader.format(self.understood)?;
        let (time, previous_stamp) = (TableTime(reader.u64()?), Stamp(reader.u64()?));
        let version = Version(reader.u64()?);
        let registry = Registry {
            version: Version(reader.u64()?),
            ..Registry::default()
        };
        self.slots_left = reader.u64()?;
        self.leavers_left = reader.u64()?;
        self.servers_left = reader.u64()?;
        (self.wishes_left, self.retired_left) = (reader.u64()?, reader.u64()?);
        self.members_left = reader.u64()?;
        self.removed_left = reader.u64()?;
        let held = reader.bool()?;
        let ready = read_ready(&mut reader, format)?;
        self.image = Some(TableImage {
            time,
            previous_stamp,
            version,
            slots: Vec::new(),
            leavers: Vec::new(),
            registry,
            cluster: ClusterFormat {
                format,
                members: BTreeMap::new(),
                removed: Vec::new(),
                ready,
                held,
            },
            names: Names::default(),
        });
        Ok(())
    }

    fn record(&mut self, record: &Bytes) -> Read<()> {
        let mut reader = Reader::new("a record of a table image", record);
        let Some(image) = &mut self.image else {
            return Err(reader.error("no header stands before it"));
        };
        if self.slots_left > 0 {
            let (key, slot) = read_slot(&mut reader, &mut image.names)?;
            if image.slots.last().is_some_and(|(before, _)| *before >= key) {
                return Err(reader.error("it is not in the order of the keys"));
            }
            image.slots.push((key, slot));
            self.slots_left -= 1;
        } else if self.leavers_left > 0 {
            let leaver = read_leaver(&mut reader, &mut image.names)?;
            if image.leavers.last().is_some_and(|before| before.0 >= leaver.0) {
                return Err(reader.error("it is not in the order of the leavers' keys"));
            }
            image.leavers.push(leaver);
            self.leavers_left -= 1;
        } else if self.servers_left > 0 {
            let entry = read_server(&mut reader, &mut image.names)?;
            let node = Arc::clone(&entry.server.node);
            rising(&reader, &mut image.registry.servers, (node, Arc::new(entry)))?;
            self.servers_left -= 1;
        } else if self.wishes_left > 0 {
            let wish = read_wish(&mut reader)?;
            let of = Arc::clone(&wish.of);
            rising(&reader, &mut image.registry.wishes, (of, Arc::new(wish)))?;
            self.wishes_left -= 1;
        } else if self.retired_left > 0 {
            let mark = read_retired(&mut reader, &mut image.names)?;
            if image
                .registry
                .retired
                .back()
                .is_some_and(|before| before.version >= mark.version)
            {
                return Err(reader.error("it was not retired behind the one before"));
            }
            image.registry.retired.push_back(mark);
            self.retired_left -= 1;
        } else if self.members_left > 0 {
            let member = read_member(&mut reader)?;
            rising(&reader, &mut image.cluster.members, member)?;
            self.members_left -= 1;
        } else if self.removed_left > 0 {
            image.cluster.removed.push(read_removed(&mut reader)?);
            self.removed_left -= 1;
        } else {
            return Err(reader.error("it is one more than announced"));
        }
        reader.end()
    }
}
