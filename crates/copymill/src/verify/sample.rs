//! A finished campaign in a folder, written with the types that workers and scheduler write with.

use bytes::Bytes;
use copymill_campaign::{
    Accepted, CampaignKeys, ChunkHeader, ChunkId, ChunkKind, ChunkResult, InputRow, LineReader, LineWriter,
    Manifest, ManifestObject, Outcome, OutputLine, Reason, RowStatus, SegmentLine, TokenUse, Totals,
    count_messages, count_segments, encode_input, seed_for, sha256_hex,
};
use copymill_store::{Condition, FolderStore, Store};
use serde_json::{Value, json, value::RawValue};

const SUBJECTS: [&str; 6] = [
    "[[first_name]], your rain jacket is waiting",
    "Back on the trail for [[discount]] less",
    "A drier spring starts at [[brand]]",
    "New season, same trails, better jacket",
    "[[product]]: made for sudden rain",
    "Ready when the weather is not",
];
const OPENERS: [&str; 6] = [
    "Hello [[first_name]], the clouds over {city} have plans for the weekend, and now you have one too.",
    "It has been a while since your last {category}, [[first_name]].",
    "Some jackets keep out the rain. The [[product]] also lets you forget about it.",
    "[[first_name]], spring in {city} asks for layers that think ahead.",
    "Good {category} deserve good company on a wet day.",
    "We kept [[discount]] aside for people who know these hills.",
];
const BODIES: [&str; 4] = [
    "Use [[code]] until [[ends]] and the [[product]] is yours for [[discount]] less than [[price]].",
    "Three layers, sealed seams and a hood that turns with you. With [[code]] it costs [[discount]] less until [[ends]].",
    "It packs into its own pocket, weighs less than a full bottle and takes [[code]] at the checkout until [[ends]].",
    "Come back for a jacket that has been soaked, dried and soaked again. Your code is [[code]], good until [[ends]].",
];
const CATEGORIES: [&str; 4] = ["tents", "boots", "sleeping bags", "headlamps"];
const CITIES: [&str; 4] = ["Kraków", "Porto", "Ljubljana", "Turin"];
const NAMES: [&str; 6] = ["Abdul", "Priya", "Enrique", "Zoë", "Łukasz", "<b onclick=evil()>Bo</b>"];
const COLUMNS: [&str; 4] = ["customer_id", "first_name", "last_category", "city"];

/// What kind of campaign is written.
pub(crate) struct Sample {
    pub(crate) rows: u64,
    pub(crate) rows_per_chunk: u64,
    pub(crate) segmented: bool,
    pub(crate) has_fallback: bool,
}

/// The campaign in its folder.
pub(crate) struct Written {
    /// Kept so that the files live as long as the test.
    pub(crate) _folder: tempfile::TempDir,
    pub(crate) store: FolderStore,
    pub(crate) keys: CampaignKeys,
}

impl Written {
    /// Reads an object.
    pub(crate) async fn get(&self, key: &str) -> Bytes {
        self.store.get(key).await.unwrap().unwrap().body
    }

    /// Replaces an object.
    pub(crate) async fn put(&self, key: &str, body: impl Into<Bytes>) {
        self.store.put(key, body.into(), Condition::Always).await.unwrap();
    }

    /// Changes the lines of an object, and optionally lets manifest and `_SUCCESS` vouch for the result.
    pub(crate) async fn rewrite(&self, key: &str, vouched: bool, change: impl FnOnce(&mut Vec<Value>)) {
        let body = self.get(key).await;
        let mut lines: Vec<Value> = LineReader::new(&body).unwrap().map(Result::unwrap).collect();
        change(&mut lines);
        let mut writer = LineWriter::new();
        lines.iter().for_each(|line| writer.push(line));
        let object = writer.finish();
        self.put(key, object.clone()).await;
        if vouched {
            self.remanifest(|manifest| {
                let all = manifest.objects.iter_mut().chain(&mut manifest.segments);
                for named in all.filter(|named| named.key == key) {
                    named.sha256 = sha256_hex(&object);
                    named.bytes = object.len() as u64;
                }
            })
            .await;
        }
    }

    /// Changes the manifest and lets `_SUCCESS` vouch for it.
    pub(crate) async fn remanifest(&self, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = serde_json::from_slice(&self.get("manifest.json").await).unwrap();
        change(&mut manifest);
        let body = serde_json::to_vec_pretty(&manifest).unwrap();
        self.put("_SUCCESS", format!("{}\n", sha256_hex(&body))).await;
        self.put("manifest.json", body).await;
    }
}

/// Writes a campaign whole.
pub(crate) async fn write(sample: &Sample) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::open(folder.path()).unwrap();
    let written = Written { _folder: folder, store, keys: CampaignKeys::alone() };
    let campaign = campaign(sample);
    let pinned = serde_json::to_vec_pretty(&campaign).unwrap();
    written.put("campaign.json", pinned.clone()).await;
    let mut totals = Totals::default();
    let segments =
        if sample.segmented { write_segments(&written, &campaign, &mut totals).await } else { vec![] };
    let mut objects = Vec::new();
    for (index, first) in (0..sample.rows).step_by(sample.rows_per_chunk as usize).enumerate() {
        let rows = first..(first + sample.rows_per_chunk).min(sample.rows);
        let input: Vec<InputRow> = rows.clone().map(input_row).collect();
        let columns = COLUMNS.map(String::from).to_vec();
        let chunk = ChunkId::whole(index as u32);
        let span = (rows.start, rows.end);
        let header = ChunkHeader { v: 1, chunk: chunk.clone(), rows: span, columns, records_read: rows.end };
        written.put(&written.keys.input(ChunkKind::Messages, &chunk), encode_input(&header, &input)).await;
        let mut writer = LineWriter::new();
        for row in &input {
            (0..2).for_each(|variant| writer.push(&message(&campaign, sample, row, variant)));
        }
        let key = written.keys.output(ChunkKind::Messages, &chunk);
        let result = count_messages(&store_lines(&written, &key, writer).await).unwrap();
        totals.outcomes += result.outcomes;
        objects.push(object(key, span, &result, &mut totals));
    }
    let manifest = manifest(sample, &campaign, &pinned, totals, (objects, segments));
    let body = serde_json::to_vec_pretty(&manifest).unwrap();
    written.put("_SUCCESS", format!("{}\n", sha256_hex(&body))).await;
    written.put("manifest.json", body).await;
    written
}

async fn store_lines(written: &Written, key: &str, writer: LineWriter) -> Vec<u8> {
    let object = writer.finish();
    written.put(key, object.clone()).await;
    object
}

async fn write_segments(written: &Written, campaign: &Accepted, totals: &mut Totals) -> Vec<ManifestObject> {
    let input: Vec<InputRow> = (0..)
        .zip(CATEGORIES)
        .map(|(row, category)| InputRow {
            row,
            recipient_id: None,
            values: vec![category.into()],
            status: RowStatus::Ready,
        })
        .collect();
    let (chunk, span) = (ChunkId::whole(0), (0, input.len() as u64));
    let columns = vec!["last_category".into()];
    let header = ChunkHeader { v: 1, chunk: chunk.clone(), rows: span, columns, records_read: span.1 };
    written.put(&written.keys.input(ChunkKind::Segments, &chunk), encode_input(&header, &input)).await;
    let mut writer = LineWriter::new();
    for row in &input {
        (0..2).for_each(|variant| writer.push(&segment(campaign, row, variant)));
    }
    let key = written.keys.output(ChunkKind::Segments, &chunk);
    let result = count_segments(&store_lines(written, &key, writer).await, 0).unwrap();
    vec![object(key, span, &result, totals)]
}

fn object(key: String, rows: (u64, u64), result: &ChunkResult, totals: &mut Totals) -> ManifestObject {
    totals.tokens += result.tokens;
    result.reasons.iter().for_each(|(code, n)| *totals.reasons.entry(code.clone()).or_default() += n);
    ManifestObject {
        key,
        sha256: result.sha256.clone(),
        bytes: result.bytes,
        rows,
        outcomes: result.outcomes,
    }
}

fn manifest(
    sample: &Sample,
    campaign: &Accepted,
    pinned: &[u8],
    totals: Totals,
    (objects, segments): (Vec<ManifestObject>, Vec<ManifestObject>),
) -> Manifest {
    Manifest {
        v: 1,
        campaign: campaign.id.clone(),
        generation: 1,
        name: campaign.file.campaign.clone(),
        state: copymill_campaign::CampaignPhase::Completed,
        campaign_sha256: sha256_hex(pinned),
        model: campaign.model.clone(),
        rows: sample.rows,
        variants: 2,
        totals,
        objects,
        segments,
        accepted_at: campaign.accepted_at.clone(),
        finished_at: "2026-11-23T10:12:01.5Z".into(),
        active_s: 47.3,
        later: Default::default(),
    }
}

fn campaign(sample: &Sample) -> Accepted {
    let audience = json!({ "source": "recipients.csv", "id": "customer_id", "fields": ["last_category", "city"],
        "merge": ["first_name"], "segment_by": if sample.segmented { json!(["last_category"]) } else { json!([]) } });
    let fields = json!({
        "subject": { "ask": "the point", "max": 60 }, "preheader": { "ask": "the line after it", "max": 99 },
        "headline": { "ask": "the large line", "max": 60 },
        "body": { "ask": "paragraphs", "max": 320, "items": { "min": 2, "max": 3 } },
        "cta": { "ask": "the button", "max": 30 } });
    let mut file = json!({ "campaign": "spring-sale", "kind": "email", "model": "demo", "audience": audience,
        "variants": 2, "attempts": 3,
        "brief": { "brand": "Northwind Outdoor", "voice": "warm, plain, confident",
            "goal": "bring lapsed customers back" },
        "facts": { "product": "Trailhead 3 rain jacket", "price": "$129", "discount": "20%", "code": "SPRING20",
            "ends": "April 30", "url": "https://northwind.example/spring" },
        "sampling": { "seed": 7, "max_tokens": 220 } });
    if sample.has_fallback {
        file["fallback"] = json!({ "subject": "Spring at [[brand]]", "body": ["[[code]]"], "cta": "Shop" });
    }
    serde_json::from_value(json!({ "v": 1, "id": "01KAQ6Z5Y4T6P0000000000000",
        "accepted_at": "2026-11-23T10:11:12Z", "file": file,
        "kind": { "kind": "email", "render": "email", "fields": fields }, "prompt": null,
        "source": { "location": "/data/recipients.csv", "bytes": 1, "sha256": "00" }, "columns": COLUMNS,
        "segmented": sample.segmented, "model": { "name": "demo", "sha256": "ab".repeat(32) } }))
    .unwrap()
}

fn input_row(row: u64) -> InputRow {
    let pick = |list: &[&str], salt: u32| {
        list[seed_for(1, &row.to_string(), salt, 0) as usize % list.len()].to_owned()
    };
    let id = format!("c-{}", 1001 + row);
    let duplicate = Reason {
        code: "duplicate_id".into(),
        field: None,
        message: "an earlier row has the same id; the first one is written to".into(),
        attempt: 0,
    };
    let status = if row % 97 == 41 { RowStatus::Invalid(duplicate) } else { RowStatus::Ready };
    let values = vec![id.clone(), pick(&NAMES, 1), pick(&CATEGORIES, 2), pick(&CITIES, 3)];
    InputRow { row, recipient_id: Some(id), values, status }
}

fn segment(campaign: &Accepted, row: &InputRow, variant: u32) -> SegmentLine {
    let segment = row.values[0].clone();
    let seed = seed_for(7, &segment, variant, 1);
    let copy = content(seed, &row.values[0], "town");
    SegmentLine {
        v: 1,
        variant,
        outcome: Outcome::Generated,
        content: Some(raw(&copy)),
        reasons: vec![],
        attempt: 1,
        seed,
        finish_reason: "stop".into(),
        tokens: TokenUse { prompt: 402, reused: 371, generated: 96, forced: 25 },
        prompt_sha256: "cd".repeat(32),
        generated_at: campaign.accepted_at.clone(),
        segment,
    }
}

fn message(campaign: &Accepted, sample: &Sample, row: &InputRow, variant: u32) -> OutputLine {
    let segment = sample.segmented.then(|| row.values[2].clone());
    let subject = segment.clone().unwrap_or_else(|| row.row.to_string());
    let luck = if sample.segmented { 50 } else { seed_for(3, &subject, variant, 0) % 100 };
    let attempt = match luck {
        0..=2 => 3,
        3..=8 => 2,
        _ => 1,
    };
    let seed = seed_for(7, &subject, variant, attempt);
    let copy = content(seed, &row.values[2], if sample.segmented { "town" } else { &row.values[3] });
    let mut line = OutputLine {
        v: 1,
        campaign: campaign.id.clone(),
        row: row.row,
        recipient_id: row.recipient_id.clone(),
        variant,
        outcome: Outcome::Generated,
        rendered: Some(raw(&rendered(&copy, &row.values[1]))),
        content: Some(raw(&copy)),
        reasons: (1..attempt).map(failed).collect(),
        attempt,
        seed: Some(seed),
        finish_reason: Some("stop".into()),
        tokens: TokenUse { prompt: 412, reused: 371, generated: 90 + u64::from(seed % 20), forced: 22 },
        model_sha256: campaign.model.sha256.clone(),
        prompt_sha256: Some("cd".repeat(32)),
        suppression: None,
        segment,
        generated_at: "2026-11-23T10:11:42Z".into(),
    };
    if let RowStatus::Invalid(reason) = &row.status {
        (line.outcome, line.content, line.rendered) = (Outcome::Invalid, None, None);
        (line.reasons, line.attempt, line.seed, line.segment) = (vec![reason.clone()], 0, None, None);
        line.tokens = TokenUse::default();
    } else if luck == 0 {
        line.reasons.push(failed(3));
        line.outcome = if sample.has_fallback { Outcome::Fallback } else { Outcome::Rejected };
        if !sample.has_fallback {
            (line.content, line.rendered) = (None, None);
        }
    }
    line
}

fn failed(attempt: u32) -> Reason {
    let (code, field, message) = match attempt {
        1 => ("too_long", "subject", "subject has 71 characters, 11 more than its limit of 60"),
        2 => ("number_not_a_fact", "body[1]", "\"30 %\" is neither a fact nor a value of the recipient"),
        _ => ("missing_fact", "body", "the message does not say code (SPRING20)"),
    };
    Reason { code: code.into(), field: Some(field.into()), message: message.into(), attempt }
}

fn content(seed: u32, category: &str, city: &str) -> Value {
    let pick = |list: &[&str], salt: u32| {
        list[seed_for(2, &seed.to_string(), salt, 0) as usize % list.len()].to_owned()
    };
    let opener = pick(&OPENERS, 1).replace("{category}", category).replace("{city}", city);
    json!({ "subject": pick(&SUBJECTS, 0), "preheader": format!("Something dry for people who like {category}"),
        "headline": pick(&["Rain is only weather", "Trails do not wait", "Go out anyway"], 2),
        "body": [opener, pick(&BODIES, 3)], "cta": pick(&["See the jacket", "Shop spring", "Find your size"], 4) })
}

fn rendered(copy: &Value, name: &str) -> Value {
    let fill = |text: &Value| {
        [
            ("first_name", name),
            ("product", "Trailhead 3 rain jacket"),
            ("discount", "20%"),
            ("code", "SPRING20"),
        ]
        .iter()
        .chain(&[("ends", "April 30"), ("price", "$129"), ("brand", "Northwind Outdoor")])
        .fold(text.as_str().unwrap_or_default().to_owned(), |text, (key, value)| {
            text.replace(&format!("[[{key}]]"), value)
        })
    };
    let escape = |text: String| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let body: Vec<String> = copy["body"].as_array().into_iter().flatten().map(fill).collect();
    let paragraphs: String = body
        .iter()
        .map(|text| {
            format!(
                "<p style=\"font:16px/1.6 Helvetica,Arial,sans-serif;color:#333\">{}</p>",
                escape(text.clone())
            )
        })
        .collect();
    let html = format!(
        "<!doctype html><html><head><meta name=\"viewport\" content=\"width=device-width\"></head><body \
         style=\"margin:0;background:#f4f4f1\"><div style=\"max-width:600px;margin:0 auto;background:#fff;padding:28px\">\
         <p style=\"font:700 14px Helvetica,Arial;color:#2f5d50;letter-spacing:.04em\">NORTHWIND OUTDOOR</p>\
         <h1 style=\"font:700 28px/1.2 Helvetica,Arial;color:#222\">{}</h1>{paragraphs}<p><a \
         href=\"https://northwind.example/spring\" style=\"display:inline-block;background:#2f5d50;color:#fff;\
         padding:14px 24px;border-radius:6px;font:700 16px Helvetica,Arial;text-decoration:none\">{}</a></p></div>\
         </body></html>",
        escape(fill(&copy["headline"])),
        escape(fill(&copy["cta"])),
    );
    let text = format!(
        "{}\n\n{}\n\n{}: https://northwind.example/spring\n",
        fill(&copy["headline"]),
        body.join("\n\n"),
        fill(&copy["cta"])
    );
    json!({ "subject": fill(&copy["subject"]), "preheader": fill(&copy["preheader"]), "html": html, "text": text })
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}
