//! The separator of a CSV file.

use std::io;

use copymill_campaign::Separator;

use super::{
    split::{CutKind, Splitter},
    window::Window,
};

/// Records looked at for each separator.
const SAMPLE_RECORDS: usize = 20;
const ALL: [Separator; 4] = [Separator::Comma, Separator::Semicolon, Separator::Tab, Separator::Pipe];

/// A separator, and whether a line before the header names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) separator: Separator,
    /// The first line is `sep=;`, as Excel writes and wants it.
    pub(super) declared: bool,
}

pub(super) fn byte(separator: Separator) -> u8 {
    match separator {
        Separator::Comma => b',',
        Separator::Semicolon => b';',
        Separator::Tab => b'\t',
        Separator::Pipe => b'|',
    }
}

pub(super) fn word(separator: Separator) -> &'static str {
    match separator {
        Separator::Comma => "commas",
        Separator::Semicolon => "semicolons",
        Separator::Tab => "tabs",
        Separator::Pipe => "pipes",
    }
}

/// Finds the separator with which most records have as many columns as the header; of equals, the one with most.
///
/// `open` gives the text from its beginning, once per try.
pub(super) fn detect<E>(mut open: impl FnMut() -> Result<Window, E>) -> Result<Found, E>
where
    E: From<io::Error>,
{
    if let Some(separator) = declared(&mut open()?)? {
        return Ok(Found { separator, declared: true });
    }
    let mut best = (Separator::Comma, (0, 0));
    for separator in ALL {
        let fit = fit(&mut open()?, byte(separator))?;
        if fit > best.1 {
            best = (separator, fit);
        }
    }
    Ok(Found { separator: best.0, declared: false })
}

/// Thousandths of the records that are as wide as the header, and that width; nothing where it is one column.
fn fit(window: &mut Window, separator: u8) -> io::Result<(usize, usize)> {
    let mut splitter = Splitter::csv(separator);
    let mut widths = Vec::new();
    while widths.len() < SAMPLE_RECORDS
        && let Some(cut) = splitter.next(window)?
    {
        if let CutKind::Record(length) = cut.kind {
            widths.push(splitter.field_count());
            window.advance(length);
        }
    }
    let Some((&header, rows)) = widths.split_first().filter(|(header, _)| **header > 1) else {
        return Ok((0, 0));
    };
    let agreeing = rows.iter().filter(|width| **width == header).count();
    // A header alone fits as well as it can; rows that all differ leave a little, so that ragged files are read too.
    let share = if rows.is_empty() { 1_000 } else { 1 + agreeing * 999 / rows.len() };
    Ok((share, header))
}

fn declared(window: &mut Window) -> io::Result<Option<Separator>> {
    let Some(cut) = Splitter::lines().next(window)? else { return Ok(None) };
    let CutKind::Record(length) = cut.kind else { return Ok(None) };
    let line = window.held()[..length].trim_ascii();
    let sign = line.strip_prefix(b"sep=").or_else(|| line.strip_prefix(b"SEP="));
    Ok(sign.and_then(|sign| match sign {
        // The tab of `sep=<tab>` was trimmed as white space.
        b"" => Some(Separator::Tab),
        [sign] => ALL.into_iter().find(|separator| byte(*separator) == *sign),
        _ => None,
    }))
}
