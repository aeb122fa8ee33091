//! Sorts more items than memory holds, through scratch files.
//!
//! Items are byte arrays that sort as bytes do, so that writing and reading them needs no code. Full buffers are
//! sorted and written one after the other into one scratch file, which has no name and goes with its handle.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    sync::Arc,
};

/// Bytes of the smallest buffer for reading a run back.
const RUN_BUFFER_BYTES_MIN: usize = 4 * 1024;
/// Bytes of the largest one: more would not read faster.
const RUN_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// Takes items in any order.
pub(super) struct Sorter<const N: usize> {
    buffer: Vec<[u8; N]>,
    items_max: usize,
    scratch: Option<File>,
    /// Where runs end in the scratch file, in bytes.
    run_ends: Vec<u64>,
}

impl<const N: usize> Sorter<N> {
    /// Sorts within about `memory_bytes`.
    pub(super) fn new(memory_bytes: usize) -> Self {
        let items_max = (memory_bytes / N).max(16);
        Self { buffer: Vec::new(), items_max, scratch: None, run_ends: Vec::new() }
    }

    pub(super) fn push(&mut self, item: [u8; N]) -> io::Result<()> {
        if self.buffer.len() == self.items_max {
            self.write_run()?;
        }
        if self.buffer.len() == self.buffer.capacity() {
            // Growing is bounded, where `push` alone would double beyond the limit.
            let more = self.buffer.len().max(1024).min(self.items_max - self.buffer.len());
            self.buffer.reserve_exact(more);
        }
        self.buffer.push(item);
        Ok(())
    }

    /// Ends taking and begins giving back, in order.
    pub(super) fn finish(mut self) -> io::Result<Sorted<N>> {
        if self.run_ends.is_empty() {
            self.buffer.sort_unstable();
            return Ok(Sorted::Held(self.buffer.into_iter()));
        }
        self.write_run()?;
        let memory = self.items_max * N;
        self.buffer = Vec::new();
        let file = Arc::new(self.scratch.take().ok_or_else(|| io::Error::other("the scratch file is gone"))?);
        let buffer_bytes =
            (memory / self.run_ends.len()).clamp(RUN_BUFFER_BYTES_MIN, RUN_BUFFER_BYTES_MAX) / N * N;
        let mut runs = Vec::new();
        let mut heap = BinaryHeap::new();
        let mut start = 0;
        for &end in &self.run_ends {
            let mut run =
                Run { file: file.clone(), next: start, end, buffer: Vec::new(), read: 0, buffer_bytes };
            if let Some(item) = run.next()? {
                heap.push(Reverse((item, runs.len())));
            }
            runs.push(run);
            start = end;
        }
        Ok(Sorted::Merged { runs, heap })
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.buffer.sort_unstable();
        if self.scratch.is_none() {
            self.scratch = Some(tempfile::tempfile()?);
        }
        let Some(file) = &mut self.scratch else { return Ok(()) };
        file.write_all(self.buffer.as_flattened())?;
        let start = self.run_ends.last().copied().unwrap_or(0);
        self.run_ends.push(start + (self.buffer.len() * N) as u64);
        self.buffer.clear();
        Ok(())
    }
}

/// Gives items back in order.
pub(super) enum Sorted<const N: usize> {
    /// All fitted into memory.
    Held(std::vec::IntoIter<[u8; N]>),
    /// Runs of a scratch file, and the next item of each.
    Merged { runs: Vec<Run<N>>, heap: BinaryHeap<Reverse<([u8; N], usize)>> },
}

impl<const N: usize> Sorted<N> {
    pub(super) fn next(&mut self) -> io::Result<Option<[u8; N]>> {
        match self {
            Self::Held(items) => Ok(items.next()),
            Self::Merged { runs, heap } => {
                let Some(Reverse((item, index))) = heap.pop() else { return Ok(None) };
                if let Some(next) = runs[index].next()? {
                    heap.push(Reverse((next, index)));
                }
                Ok(Some(item))
            }
        }
    }
}

/// One sorted stretch of the scratch file.
pub(super) struct Run<const N: usize> {
    file: Arc<File>,
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    read: usize,
    buffer_bytes: usize,
}

impl<const N: usize> Run<N> {
    fn next(&mut self) -> io::Result<Option<[u8; N]>> {
        if self.read == self.buffer.len() {
            let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
            self.buffer.resize(left.min(self.buffer_bytes), 0);
            self.file.read_exact_at(&mut self.buffer, self.next)?;
            self.next += self.buffer.len() as u64;
            self.read = 0;
        }
        let item = self.buffer[self.read..].first_chunk::<N>().copied();
        self.read += item.map_or(0, |_| N);
        Ok(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorting_through_scratch_files_is_sorting(items in proptest::collection::vec(any::<[u8; 3]>(), 0..400), memory in 1_usize..600) {
            let mut sorter = Sorter::<3>::new(memory);
            items.iter().for_each(|item| sorter.push(*item).unwrap());
            let mut sorted = sorter.finish().unwrap();
            let mut expected = items;
            expected.sort_unstable();
            for item in expected {
                prop_assert_eq!(sorted.next().unwrap(), Some(item));
            }
            prop_assert_eq!(sorted.next().unwrap(), None);
        }
    }
}
