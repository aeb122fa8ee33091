//! The campaign that the tests submit.

use std::time::Duration;

/// A campaign takes some seconds on a quiet machine; tests run side by side.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A campaign for e-mails with two variants, quick to generate.
pub const EMAIL: &str = r#"campaign: spring
kind: social_post
model: demo
audience:
  source: recipients.csv
  id: id
  fields: [last_category, tier]
  merge: [first_name]
  defaults: { first_name: there }
variants: 2
brief: { brand: Northwind Outdoor, voice: "warm, plain, confident", goal: "bring lapsed customers back" }
facts: { product: Trailhead 3 rain jacket, price: "$129", code: SPRING20, url: "https://northwind.example/spring" }
checks: { banned: [guaranteed] }
sampling: { seed: 7, max_tokens: 140 }
"#;

const CATEGORIES: [&str; 4] = ["tents", "boots", "backpacks", "jackets"];
const TIERS: [&str; 3] = ["gold", "silver", "none"];

/// A CSV file with this many recipients.
pub fn recipients(count: usize) -> String {
    let mut text = "id,first_name,last_category,tier\n".to_owned();
    for i in 0..count {
        text.push_str(&format!("c-{i},Ada,{},{}\n", CATEGORIES[i % 4], TIERS[i % 3]));
    }
    text
}
