//! Archives of bundles: plain `ustar`, with nothing in a header that could differ.
//!
//! In: files by path. Out: one sequence of bytes for one set of files: sorted, without owners, times,
//! folders or links. Reading writes each header again and compares, so that whatever another program
//! could put there (links, long names, sparse files, `..`) is refused without being understood.
//!
//! Spec: <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>, "ustar Interchange Format".

use std::collections::BTreeMap;

/// Bytes of a block; headers are one, files are padded to it.
const BLOCK: usize = 512;

/// Bytes of a name in a header.
const NAME: usize = 100;

/// Why an archive is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum ArchiveError {
    /// It ends too early.
    #[error("it ends too early")]
    Cut,
    /// A header that is not the one of its name and size.
    #[error("the header at offset {offset} is not that of a plain file")]
    Header {
        /// Where.
        offset: usize,
    },
    /// A name that comes again, or after one that it sorts before.
    #[error("the names at offset {offset} are not in order")]
    Order {
        /// Where.
        offset: usize,
    },
    /// Bytes where there should be none.
    #[error("there is something after its end, or in its padding, at offset {offset}")]
    Padding {
        /// Where.
        offset: usize,
    },
}

/// One archive of these files. Names longer than a header's are cut, and then don't read back; a
/// bundle has none.
pub(super) fn write(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in files {
        archive.extend_from_slice(&header(name.as_bytes(), bytes.len()));
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// The files of an archive that [`write`] made.
pub(super) fn read(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    let mut files = BTreeMap::new();
    let mut offset = 0;
    loop {
        let block = archive.get(offset..offset + BLOCK).ok_or(ArchiveError::Cut)?;
        if block.first() == Some(&0) {
            return match archive.get(offset..) {
                Some(end) if end.len() == 2 * BLOCK && end.iter().all(|byte| *byte == 0) => Ok(files),
                _ => Err(ArchiveError::Padding { offset }),
            };
        }
        let (name, size) = told(block).ok_or(ArchiveError::Header { offset })?;
        if files.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return Err(ArchiveError::Order { offset });
        }
        let start = offset + BLOCK;
        let end = start.checked_add(size).ok_or(ArchiveError::Cut)?;
        let next = end.checked_next_multiple_of(BLOCK).ok_or(ArchiveError::Cut)?;
        let bytes = archive.get(start..end).ok_or(ArchiveError::Cut)?;
        let padding = archive.get(end..next).ok_or(ArchiveError::Cut)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::Padding { offset: end });
        }
        files.insert(name, bytes.to_vec());
        offset = next;
    }
}

/// Name and size that a header says, if it is the header that they have.
fn told(block: &[u8]) -> Option<(String, usize)> {
    let name = block.get(..NAME)?.split(|byte| *byte == 0).next()?;
    let size = std::str::from_utf8(block.get(124..135)?).ok()?;
    let size = usize::from_str_radix(size, 8).ok()?;
    let name = std::str::from_utf8(name).ok()?;
    (header(name.as_bytes(), size) == block).then(|| (name.to_owned(), size))
}

fn header(name: &[u8], size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, field: &[u8]| {
        for (byte, value) in block.iter_mut().skip(at).zip(field) {
            *byte = *value;
        }
    };
    put(0, name.get(..NAME).unwrap_or(name));
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    for (byte, value) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *byte = value;
    }
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn files() -> BTreeMap<String, Vec<u8>> {
        [("bundle.json", &b"{}"[..]), ("evidence/a.json", b""), ("evidence/b.json", &[7; 513])]
            .map(|(name, bytes)| (name.to_owned(), bytes.to_vec()))
            .into()
    }

    #[test]
    fn refuses_every_archive_but_its_own() {
        let archive = write(&files());
        assert_eq!(read(&archive).unwrap(), files());
        for at in 0..archive.len() {
            let mut altered = archive.clone();
            altered[at] ^= 1;
            match read(&altered) {
                // Content is compared with digests by whoever reads the bundle.
                Ok(read) => assert_eq!(read.keys().collect::<Vec<_>>(), files().keys().collect::<Vec<_>>()),
                Err(_) => assert!(altered[at] != archive[at]),
            }
        }
        for length in 0..archive.len() {
            assert!(read(&archive[..length]).is_err(), "cut to {length}");
        }
        assert!(read(&[archive.as_slice(), &[0]].concat()).is_err());
        let twice = [&archive[..BLOCK * 2], &archive[..]].concat();
        assert_eq!(read(&twice), Err(ArchiveError::Order { offset: BLOCK * 2 }));
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(files in prop::collection::btree_map("[a-z0-9./]{1,100}", prop::collection::vec(any::<u8>(), 0..1100), 0..8)) {
            prop_assert_eq!(read(&write(&files)), Ok(files));
        }
    }
}
