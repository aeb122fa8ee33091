//! Which cells of the key-value cache each sequence holds. Exact, so that the device never runs out by surprise.

/// How the cache is laid out, with its capacity in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cells {
    /// One pool; sequences share the cells of what they have in common.
    Unified {
        /// Cells of the pool.
        capacity: usize,
    },
    /// An own range per sequence; sharing copies.
    Split {
        /// Cells of every sequence.
        per_sequence: usize,
    },
}

/// Cells by sequence, counted by reference.
pub(super) struct Ledger {
    held: Vec<Vec<u32>>,
    references: Vec<u16>,
    free: Vec<u32>,
    copies: bool,
}

impl Ledger {
    pub(super) fn new(cells: Cells, sequences: usize) -> Self {
        let (capacity, copies) = match cells {
            Cells::Unified { capacity } => (capacity, false),
            Cells::Split { per_sequence } => (per_sequence * sequences, true),
        };
        let last = u32::try_from(capacity).expect("a context has fewer than 2^32 cells");
        Self {
            held: vec![Vec::new(); sequences],
            references: vec![0; capacity],
            free: (0..last).rev().collect(),
            copies,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.references.len()
    }

    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    pub(super) fn used(&self) -> usize {
        self.capacity() - self.free()
    }

    pub(super) fn length(&self, sequence: u32) -> usize {
        self.held[sequence as usize].len()
    }

    /// Gives a sequence `count` further cells, which must be free.
    pub(super) fn append(&mut self, sequence: u32, count: usize) {
        for _ in 0..count {
            let cell = self.free.pop().expect("the plan asks for free cells only");
            self.references[cell as usize] = 1;
            self.held[sequence as usize].push(cell);
        }
    }

    /// Lets an empty sequence begin with the first `length` cells of another, or with copies of them.
    pub(super) fn share(&mut self, from: u32, to: u32, length: usize) {
        debug_assert!(self.held[to as usize].is_empty());
        if self.copies {
            return self.append(to, length);
        }
        let cells = self.held[from as usize][..length].to_vec();
        for cell in &cells {
            self.references[*cell as usize] += 1;
        }
        self.held[to as usize] = cells;
    }

    /// Takes all cells after the first `length` from a sequence.
    pub(super) fn truncate(&mut self, sequence: u32, length: usize) {
        for cell in self.held[sequence as usize].drain(length..) {
            let references = &mut self.references[cell as usize];
            *references -= 1;
            if *references == 0 {
                self.free.push(cell);
            }
        }
    }

    /// How many cells would become free if the sequence were emptied.
    pub(super) fn held_alone(&self, sequence: u32) -> usize {
        self.held[sequence as usize].iter().filter(|cell| self.references[**cell as usize] == 1).count()
    }

    /// How many different cells the given beginnings of sequences have together.
    pub(super) fn distinct(&self, beginnings: impl Iterator<Item = (u32, usize)>) -> usize {
        let mut seen = vec![false; self.capacity()];
        let mut count = 0;
        for (sequence, length) in beginnings {
            for cell in &self.held[sequence as usize][..length] {
                count += usize::from(!std::mem::replace(&mut seen[*cell as usize], true));
            }
        }
        count
    }
}
