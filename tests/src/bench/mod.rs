//! Benchmarks with real servers: what `make bench-cluster` runs, and `docs/BENCHMARKS.md` shows.

mod fleet;
mod inputs;
mod machine;
mod overhead;
mod store;
mod throughput;

pub use fleet::Fleet;
pub use overhead::Overhead;
pub use throughput::Throughput;

/// A line of a table.
#[expect(clippy::print_stdout, reason = "this is what people read")]
fn line(name: &str, value: impl std::fmt::Display) {
    println!("  {name:<44} {value}");
}

/// What a table is about.
#[expect(clippy::print_stdout, reason = "this is what people read")]
fn title(text: std::fmt::Arguments<'_>) {
    println!("{text}");
}

/// Says what goes on.
#[expect(clippy::print_stderr, reason = "this is for people who wait")]
fn note(text: std::fmt::Arguments<'_>) {
    eprintln!("{text}");
}

/// A number with commas between thousands.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
