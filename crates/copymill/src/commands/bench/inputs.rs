//! The campaigns that are measured: their files, in a temporary folder.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

const CATEGORIES: [&str; 5] = ["tents", "boots", "backpacks", "jackets", "stoves"];
const TIERS: [&str; 4] = ["gold", "silver", "bronze", "none"];
const NAMES: [&str; 8] = ["Ada", "Zoë", "Łukasz", "O'Brien", "Maria & Sons", "李雷", "Jean-Luc", "Sam"];

/// E-mails that are generated once a segment and merged with every row.
pub(super) const SEGMENTS: &str = r#"campaign: bench-pipeline
kind: email
model: demo
audience:
  source: recipients.csv
  id: id
  fields: [category, tier]
  merge: [first_name]
  segment_by: [category, tier]
brief: { brand: Northwind Outdoor, voice: "warm, plain", goal: "bring lapsed customers back" }
facts: { product: Trailhead 3 rain jacket, price: "$129", code: SPRING20, url: "https://northwind.example/spring" }
checks: { banned: [guaranteed, free money], must_use: [code] }
sampling: { max_tokens: 700 }
"#;

/// The name of the model file that the campaign of [`rows`] asks for.
pub(super) const RANDOM_MODEL: &str = "random-gpt2-124m.gguf";
/// Tokens of every answer: random weights never end one by themselves.
pub(super) const ANSWER_TOKENS: u32 = 64;

/// E-mails of which every row gets one of its own, by random weights, so that none passes and none is tried again. In the
/// demo model's vocabulary, all prompts have 400 tokens in common and some 40 of their own.
pub(super) fn rows() -> String {
    format!(
        r#"campaign: bench-engine
kind: email
model: {RANDOM_MODEL}
audience:
  source: recipients.csv
  id: id
  fields: [category, tier, city, last_order]
brief:
  brand: Northwind Outdoor
  voice: warm, plain, confident
  goal: bring lapsed customers back
  story: Northwind Outdoor makes jackets, tents and boots for people who walk in the rain. All of them are made to be mended, and all of them are tried on a hill before they are sold. A shop in town takes back what no longer fits, and gives it to somebody who needs it. You can try it on at home and send it back. Every jacket is warm and dry.
facts: {{ product: Trailhead 3 rain jacket, price: "$129", discount: 20%, code: SPRING20, ends: April 30, url: "https://northwind.example/spring" }}
checks: {{ banned: [guaranteed, free money], must_use: [code, url] }}
sampling: {{ max_tokens: {ANSWER_TOKENS} }}
attempts: 1
"#
    )
}

/// Writes a campaign and an audience of so many recipients.
pub(super) fn write(folder: &Path, campaign: &str, recipients: u64) -> std::io::Result<()> {
    std::fs::write(folder.join("campaign.yaml"), campaign)?;
    let mut file = BufWriter::new(File::create(folder.join("recipients.csv"))?);
    writeln!(file, "id,first_name,category,tier,city,last_order")?;
    for number in 0..recipients {
        let pick = |list: &[&'static str], step: u64| list[(number / step) as usize % list.len()];
        let (name, category, tier) = (pick(&NAMES, 1), pick(&CATEGORIES, 1), pick(&TIERS, 5));
        writeln!(file, "c-{number:08},{name},{category},{tier},Köln,a tent for two and a stove")?;
    }
    file.flush()
}
