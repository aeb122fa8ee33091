//! The campaigns that benchmarks submit.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use copymill_model::CACHE_BYTES;
use copymill_scheduler::Places;
use copymill_store::S3Settings;

/// An e-mail with HTML and text.
pub(super) const EMAIL_ANSWER: &str = r#"{"subject":"[[first_name]], a warm welcome back","preheader":"Dry days start with a good jacket from [[brand]].","headline":"Back on the trail","body":["Hello [[first_name]], we have missed you out there. The [[product]] is here, and it is as light as it is dry.","Use [[code]] when you order and pay [[price]] or less. We are happy to help you choose the right size."],"cta":"See the jacket"}"#;
/// A short message.
pub(super) const POST_ANSWER: &str = r##"{"post":"[[brand]] is back on the trail. Have a look at [[product]].","hashtags":["#Outdoor","#Trail"]}"##;

const COMMON: &str = r#"brief: { brand: Northwind Outdoor, voice: "warm, plain", goal: "bring lapsed customers back" }
facts: { product: Trailhead 3 rain jacket, price: "$129", code: SPRING20, url: "https://northwind.example/spring" }
checks: { banned: [guaranteed] }
"#;
const CATEGORIES: [&str; 5] = ["tents", "boots", "backpacks", "jackets", "stoves"];
const TIERS: [&str; 4] = ["gold", "silver", "bronze", "none"];
const NAMES: [&str; 8] = ["Ada", "Zoë", "Łukasz", "O'Brien", "Maria & Sons", "李雷", "Jean-Luc", "Sam"];

/// E-mails that are generated once a segment and merged with every row.
pub(super) fn merged() -> String {
    format!(
        "campaign: bench-merged\nkind: email\nmodel: demo\naudience:\n  source: recipients.csv\n  id: id\n  \
         fields: [category, tier]\n  merge: [first_name]\n  segment_by: [category, tier]\n{COMMON}\
         sampling: {{ max_tokens: 700 }}\n"
    )
}

/// Posts of which every row gets one of its own; `max_tokens` decides how long chunks are.
pub(super) fn own(name: &str, weight: u32, max_tokens: u32) -> String {
    posts(&format!("campaign: {name}\nmodel: demo\nweight: {weight}\n"), max_tokens)
}

/// Posts by a model file, each of so many tokens, without further attempts.
pub(super) fn own_of(model: &str, max_tokens: u32) -> String {
    posts(&format!("campaign: bench-{max_tokens}-tokens\nmodel: {model}\nattempts: 1\n"), max_tokens)
}

fn posts(beginning: &str, max_tokens: u32) -> String {
    format!(
        "{beginning}kind: social_post\naudience:\n  source: recipients.csv\n  id: id\n  fields: [category, tier]\n{COMMON}\
         sampling: {{ max_tokens: {max_tokens} }}\n"
    )
}

/// Where campaigns are prepared that name no bucket.
pub(super) fn places_in(cache: &Path) -> Places {
    let (cache, scratch) = (cache.to_owned(), cache.to_owned());
    Places { cache, cache_bytes: CACHE_BYTES, scratch, s3: S3Settings::default() }
}

/// Writes an audience of so many recipients.
pub(super) fn write_recipients(path: &Path, recipients: u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "id,first_name,category,tier,city")?;
    for number in 0..recipients {
        let pick = |list: &[&'static str], step: u64| list[(number / step) as usize % list.len()];
        let (name, category, tier) = (pick(&NAMES, 1), pick(&CATEGORIES, 1), pick(&TIERS, 5));
        writeln!(file, "c-{number:08},{name},{category},{tier},Köln")?;
    }
    file.flush()
}
