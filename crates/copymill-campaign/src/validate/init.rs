//! A first campaign file for an audience: valid as it is, and commented so that it explains itself.

mod guess;

use std::fmt::Write as _;

use super::scalar::{is_special, write_quoted, write_text};
use guess::Guess;

/// Writes a commented campaign file for an audience.
///
/// `columns` are the audience's, `rows` a sample of some hundred of its rows, `source` is how the campaign file calls
/// it, such as `recipients.csv`. What the columns are for is guessed from their names and from the sample.
pub fn init_campaign(columns: &[String], rows: &[Vec<String>], source: &str) -> String {
    let guess = guess::guess(columns, rows);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_file(&mut text, &guess, columns, source);
    text
}

fn write_file(text: &mut String, guess: &Guess, columns: &[String], source: &str) -> std::fmt::Result {
    writeln!(text, "# A campaign: what to write, to whom, with which model and under which checks.")?;
    writeln!(
        text,
        "# Check it with `copymill validate campaign.yaml`; `copymill schema campaign` helps an editor complete it."
    )?;
    writeln!(text, "campaign: {}", write_text(&campaign_name(source)))?;
    writeln!(
        text,
        "kind: email                      # or sms, google_rsa, social_post, product_description, text …"
    )?;
    writeln!(text, "language: en")?;
    writeln!(
        text,
        "model: demo                      # bundled; or a path to a GGUF file, s3://bucket/key.gguf, hf://owner/repo/file.gguf\n"
    )?;
    write_audience(text, guess, columns, source)?;
    text.write_str(FOOT)
}

fn write_audience(text: &mut String, guess: &Guess, columns: &[String], source: &str) -> std::fmt::Result {
    writeln!(text, "audience:")?;
    writeln!(text, "  source: {}", write_text(source))?;
    writeln!(
        text,
        "  id: {}    # a label for people; of rows with equal ids the first is written to",
        write_text(guess.id)
    )?;
    writeln!(text, "  # What the model may see of a recipient. Columns of the file:")?;
    for line in wrap(columns) {
        writeln!(text, "  #   {line}")?;
    }
    writeln!(text, "  fields: {}", flow(&guess.fields))?;
    writeln!(
        text,
        "  # What copy may only place, as [[name]]; without this key, every column that is not in fields."
    )?;
    match guess.first_name {
        Some(name) => {
            writeln!(text, "  merge: {}", flow(&guess.merge))?;
            writeln!(text, "  defaults:                      # what stands for an empty value")?;
            writeln!(text, "    {}: there", write_text(name))?;
        }
        // What is listed needs a default where it can be empty, which a sample does not tell.
        None => {
            let example = if guess.merge.is_empty() { "[first_name]".to_owned() } else { flow(&guess.merge) };
            writeln!(text, "  merge: []                      # such as {example}")?;
            writeln!(text, "  # defaults: {{ first_name: there }}  # what stands for an empty value")?;
        }
    }
    writeln!(
        text,
        "  # One generation per group of equal values, merged per recipient: much faster for large audiences."
    )?;
    let group: Vec<&str> = guess.fields.iter().take(2).copied().collect();
    let example = if group.is_empty() { "[tier]".to_owned() } else { flow(&group) };
    writeln!(text, "  # segment_by: {example}\n")
}

const FOOT: &str = r#"variants: 1                      # alternatives per recipient

brief:                           # what the copy is about: every key is shown to the model, add your own
  brand: Your Brand
  voice: warm, plain, confident
  goal: bring customers back

facts:                           # the model places them as [[name]] and can never spell them: they stay exact
  url: "https://example.com/"    # values that YAML would change need quotes: "00123", "1.0", "no"
  # product: Trailhead 3 rain jacket
  # price: "$129"
  # code: SPRING20

checks:
  banned: [guaranteed, free money]   # phrases that no message may hold
  must_use: [url]                    # facts or merge fields that every message must hold

# prompt: prompt.j2              # replaces the kind's own prompt

sampling:
  temperature: 0.8               # 0 is the same answer always; higher is more varied
  top_p: 0.95
  seed: 1
  max_tokens: 220

attempts: 3                      # per message until it passes every check; counts the first

output: out/
"#;

/// A campaign's name from a file's: `Spring list (2).csv` becomes `spring-list-2`.
fn campaign_name(source: &str) -> String {
    const NAME_CHARS_MAX: usize = 40;
    let file = source.rsplit(['/', '\\']).next().unwrap_or(source);
    let stem = file.split('.').next().unwrap_or(file);
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    if name.is_empty() { "my-campaign".to_owned() } else { name }
}

fn flow(names: &[&str]) -> String {
    format!("[{}]", names.iter().map(|name| write_text(name)).collect::<Vec<_>>().join(", "))
}

/// Column names over lines that fit a screen, each name on one line; far too many are cut.
fn wrap(columns: &[String]) -> Vec<String> {
    const LINE_CHARS: usize = 90;
    const COLUMNS_SHOWN_MAX: usize = 60;
    let mut lines = vec![String::new()];
    for column in columns.iter().take(COLUMNS_SHOWN_MAX) {
        let clean = if column.chars().any(is_special) { write_quoted(column) } else { column.clone() };
        let long = lines.last().is_some_and(|line| line.chars().count() + clean.chars().count() > LINE_CHARS);
        if long {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            let separator = if line.is_empty() { "" } else { ", " };
            line.push_str(separator);
            line.push_str(&clean);
        }
    }
    if columns.len() > COLUMNS_SHOWN_MAX {
        lines.push(format!("… and {} more", columns.len() - COLUMNS_SHOWN_MAX));
    }
    lines
}
