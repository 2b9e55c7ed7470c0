//! The bytes of a file, in pages that two images of the file share until one of them changes.

use std::sync::Arc;

/// Bytes in a page: as SQLite's, so that most writes touch one.
const PAGE_BYTES: usize = 4096;

/// A page; `None` is all zeros, so that files filled with zeros beforehand cost nothing.
type Page = Option<Arc<[u8; PAGE_BYTES]>>;

/// A file's contents.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    len: u64,
    pages: Vec<Page>,
}

impl Image {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Reads at `offset`; fewer bytes than asked at the end of the file.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let available = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(available);
        for (page, at, within) in pieces(offset, count) {
            let target = &mut buffer[within.clone()];
            match self.pages.get(page).and_then(Option::as_ref) {
                Some(bytes) => target.copy_from_slice(&bytes[at..at + within.len()]),
                None => target.fill(0),
            }
        }
        count
    }

    /// Writes at `offset`; what lies between the end of the file and `offset` becomes zeros.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len() as u64;
        if end > self.len {
            self.set_len(end);
        }
        for (page, at, within) in pieces(offset, bytes.len()) {
            let source = &bytes[within];
            if source.len() == PAGE_BYTES && source.iter().all(|byte| *byte == 0) {
                self.pages[page] = None;
                continue;
            }
            let page = self.pages[page].get_or_insert_with(|| Arc::new([0; PAGE_BYTES]));
            Arc::make_mut(page)[at..at + source.len()].copy_from_slice(source);
        }
    }

    /// Cuts the file, or extends it with zeros.
    pub(super) fn set_len(&mut self, len: u64) {
        let page_bytes = PAGE_BYTES as u64;
        self.pages
            .resize(usize::try_from(len.div_ceil(page_bytes)).unwrap_or(0), None);
        // What is cut off must not come back when the file grows again.
        let kept = usize::try_from(len % page_bytes).unwrap_or(0);
        if len < self.len
            && kept > 0
            && let Some(Some(last)) = self.pages.last_mut()
        {
            Arc::make_mut(last)[kept..].fill(0);
        }
        self.len = len;
    }
}

/// The pieces of `count` bytes at `offset`: page, offset in the page, range of the bytes.
fn pieces(
    offset: u64,
    count: usize,
) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == count {
            return None;
        }
        let position = usize::try_from(offset).unwrap_or(usize::MAX) + done;
        let at = position % PAGE_BYTES;
        let end = count.min(done + PAGE_BYTES - at);
        let within = done..end;
        done = end;
        Some((position / PAGE_BYTES, at, within))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    /// The same random writes and cuts on a plain vector and on an image.
    #[test]
    fn behaves_as_a_vector_of_bytes() {
        let mut dice = Dice::new(3, 0);
        let (mut plain, mut image) = (Vec::new(), Image::default());
        for _ in 0..500 {
            let at = dice.below(40_000) as usize;
            if dice.one_in(4) {
                plain.resize(at, 0);
                image.set_len(at as u64);
            } else {
                let value = dice.below(3) as u8;
                let bytes = vec![value; 1 + dice.below(10_000) as usize];
                plain.resize(plain.len().max(at + bytes.len()), 0);
                plain[at..at + bytes.len()].copy_from_slice(&bytes);
                image.write(&bytes, at as u64);
            }
            let mut read = vec![9; plain.len() + 10];
            let count = image.read(&mut read, 0);
            assert_eq!(image.len(), plain.len() as u64);
            assert_eq!(&read[..count], &plain[..]);
        }
    }

    #[test]
    fn copies_do_not_see_later_writes() {
        let mut image = Image::default();
        image.write(b"before", 0);
        let copy = image.clone();
        image.write(b"after!", 0);
        let mut read = [0; 6];
        copy.read(&mut read, 0);
        assert_eq!(&read, b"before");
    }
}
