//! The campaign that the tests submit.

use std::sync::Arc;
use std::time::Duration;

use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};

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

/// The recipients as a Parquet file of four columns of text.
pub fn parquet(csv: &str) -> Vec<u8> {
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let columns: String = rows[0].iter().map(|column| format!("required binary {column} (UTF8); ")).collect();
    let schema = Arc::new(parse_message_type(&format!("message people {{ {columns} }}")).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for column in 0..rows[0].len() {
        let values: Vec<ByteArray> = rows[1..].iter().map(|row| row[column].into()).collect();
        let mut to = group.next_column().unwrap().unwrap();
        to.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        to.close().unwrap();
    }
    group.close().unwrap();
    writer.into_inner().unwrap()
}

/// The recipients as lines of JSON.
pub fn lines_of_json(csv: &str) -> String {
    let mut rows = csv.lines().map(|line| line.split(','));
    let columns: Vec<&str> = rows.next().unwrap().collect();
    let object = |row| columns.iter().zip(row).map(|(name, value)| ((*name).to_owned(), json!(value)));
    rows.map(|row| format!("{}\n", Value::Object(object(row).collect()))).collect()
}
