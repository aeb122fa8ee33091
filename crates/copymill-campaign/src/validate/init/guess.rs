//! What columns are for, guessed from their names and a sample of rows.

use std::collections::{BTreeMap, HashSet};

use super::super::columns::can_be_shown;
use crate::is_merge_name;

/// Columns that the first prompt shows: more of them make each message slower and segments many.
const FIELDS_MAX: usize = 3;
/// Distinct values of a column that describes a group.
const DISTINCT_MAX: usize = 12;
/// Characters of a value that describes a group.
const VALUE_CHARS_MAX: usize = 40;
/// Rows from which on the sample says more than a column's name does.
const ROWS_MIN: usize = 8;

const ID_NAMES: [&str; 12] = [
    "id",
    "customerid",
    "recipientid",
    "userid",
    "contactid",
    "subscriberid",
    "clientid",
    "memberid",
    "uid",
    "uuid",
    "email",
    "emailaddress",
];
const FIRST_NAMES: [&str; 10] = [
    "firstname",
    "givenname",
    "forename",
    "fname",
    "vorname",
    "prenom",
    "nombre",
    "imie",
    "name",
    "fullname",
];
const FIELD_NAMES: [&str; 16] = [
    "lastcategory",
    "category",
    "interest",
    "favouritecategory",
    "favoritecategory",
    "tier",
    "segment",
    "membership",
    "status",
    "level",
    "plan",
    "city",
    "region",
    "country",
    "department",
    "season",
];
/// What a prompt should not show unasked, because it identifies a person or is nobody's business: parts of names …
const PRIVATE_PARTS: [&str; 18] = [
    "mail", "phone", "mobile", "address", "street", "postcode", "postal", "birth", "gender", "religion",
    "health", "diagnos", "illness", "income", "salary", "password", "token", "iban",
];
/// … and whole words of names, because `age` is part of `language`.
const PRIVATE_WORDS: [&str; 8] = ["age", "sex", "tel", "zip", "dob", "ssn", "tax", "debt"];

/// What columns are for.
pub(super) struct Guess<'a> {
    pub(super) id: &'a str,
    pub(super) first_name: Option<&'a str>,
    pub(super) fields: Vec<&'a str>,
    pub(super) merge: Vec<&'a str>,
}

pub(super) fn guess<'a>(columns: &'a [String], rows: &[Vec<String>]) -> Guess<'a> {
    let sample = Sample { columns, rows };
    let id = sample.id();
    let first_name =
        sample.named(&FIRST_NAMES).filter(|index| is_merge_name(&columns[*index]) && Some(*index) != id);
    let fields = sample.fields(&[id, first_name]);
    // Without a known first name, one other column shows how merging is written down.
    let merge = first_name.or_else(|| {
        (0..columns.len()).find(|index| {
            is_merge_name(&columns[*index])
                && columns[*index] != "brand"
                && columns[*index] != "url"
                && Some(*index) != id
                && !fields.contains(index)
        })
    });
    let name = |index: usize| columns[index].as_str();
    Guess {
        id: id.map_or("id", name),
        first_name: first_name.map(name),
        fields: fields.into_iter().map(name).collect(),
        merge: merge.into_iter().map(name).collect(),
    }
}

struct Sample<'a> {
    columns: &'a [String],
    rows: &'a [Vec<String>],
}

impl Sample<'_> {
    fn values(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().filter_map(move |row| row.get(column)).map(|value| value.trim())
    }

    /// The first column that has one of the names, in the order of the names.
    fn named(&self, names: &[&str]) -> Option<usize> {
        let by_name: BTreeMap<usize, usize> = self
            .columns
            .iter()
            .enumerate()
            .filter_map(|(index, column)| {
                Some((names.iter().position(|name| normal(column) == *name)?, index))
            })
            .rev()
            .collect();
        by_name.into_values().next()
    }

    fn id(&self) -> Option<usize> {
        let unique = |index: usize| {
            let mut seen = HashSet::new();
            self.values(index).all(|value| !value.is_empty() && seen.insert(value))
        };
        self.named(&ID_NAMES)
            .or_else(|| {
                (0..self.columns.len())
                    .find(|index| normal(&self.columns[*index]).ends_with("id") && unique(*index))
            })
            .or_else(|| (0..self.columns.len()).find(|index| unique(*index)))
            .or(if self.columns.is_empty() { None } else { Some(0) })
    }

    /// Columns that describe a group: by their names first, then by few values that repeat.
    fn fields(&self, taken: &[Option<usize>]) -> Vec<usize> {
        let free = |index: &usize| {
            let column = &self.columns[*index];
            !taken.contains(&Some(*index)) && can_be_shown(column) && !is_private(column)
        };
        let by_name = |index: &usize| FIELD_NAMES.contains(&normal(&self.columns[*index]).as_str());
        let open: Vec<usize> =
            (0..self.columns.len()).filter(free).filter(|index| self.fits(*index)).collect();
        let (named, other): (Vec<usize>, Vec<usize>) = open.into_iter().partition(by_name);
        let grouped = other.into_iter().filter(|index| self.repeats(*index));
        named.into_iter().chain(grouped).take(FIELDS_MAX).collect()
    }

    fn fits(&self, column: usize) -> bool {
        self.values(column).all(|value| {
            value.chars().count() <= VALUE_CHARS_MAX && !value.contains('@') && !value.contains("://")
        })
    }

    fn repeats(&self, column: usize) -> bool {
        let distinct: HashSet<&str> = self.values(column).filter(|value| !value.is_empty()).collect();
        self.rows.len() >= ROWS_MIN && (2..=DISTINCT_MAX.min(self.rows.len() / 2)).contains(&distinct.len())
    }
}

fn is_private(column: &str) -> bool {
    let plain = normal(column);
    let mut words = column.split(|c: char| !c.is_alphanumeric());
    PRIVATE_PARTS.iter().any(|part| plain.contains(part))
        || words.any(|word| PRIVATE_WORDS.contains(&word.to_lowercase().as_str()))
}

fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
