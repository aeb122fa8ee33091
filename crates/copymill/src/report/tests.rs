//! The page of sample campaigns.

use copymill_store::Store;

use super::write;
use crate::verify::sample::{Sample, Written, write as write_sample};

const EMAILS: Sample = Sample { rows: 200, rows_per_chunk: 40, segmented: false, has_fallback: false };

async fn page(written: &Written) -> String {
    write(&written.store, &written.keys).await.unwrap();
    String::from_utf8(written.get("report.html").await.to_vec()).unwrap()
}

#[tokio::test]
async fn the_page_shows_counts_figures_and_samples() {
    let written = write_sample(&EMAILS).await;
    let html = page(&written).await;
    for part in [
        "<h1>Spring sale</h1>",
        "for 200 recipients, in 2 variants each",
        "A rendered text is longer than its limit.",
        "How “Subject” begins",
        "Needed another try",
        "Rejected",
        "an earlier row has the same id",
        "<h2 id=\"work-title\">Work</h2>",
        "<h2 id=\"lengths-title\">Lengths</h2>",
        "<h2 id=\"variety-title\">Variety</h2>",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(html.matches("<iframe sandbox=\"\"").count() >= 6);
    assert!(!html.contains("{{") && !html.contains("NaN") && !html.contains("Segments</h2>"));
}

#[tokio::test]
async fn nothing_of_a_recipient_can_run_or_load() {
    let written = write_sample(&EMAILS).await;
    let hostile = "\"></iframe><script>alert(1)</script><img src=x onerror=1>";
    written
        .rewrite("output/00000.jsonl.zst", true, |lines| {
            for line in lines.iter_mut() {
                line["recipient_id"] = hostile.into();
                for part in ["subject", "html", "text", "preheader"] {
                    line["rendered"][part] = hostile.into();
                }
                line["content"]["subject"] = hostile.into();
            }
        })
        .await;
    let html = page(&written).await;
    assert!(html.contains("default-src 'none'"));
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("</iframe><script"));
    assert_eq!(html.matches("<iframe").count(), html.matches("<iframe sandbox=\"\" title=\"").count());
    let loading = ["src=\"http", "<link", "@import", "url("];
    assert!(loading.iter().all(|word| !html.contains(word)));
}

#[tokio::test]
async fn segments_have_their_table_and_a_second_report_replaces_the_first() {
    let written = write_sample(&Sample { segmented: true, ..EMAILS }).await;
    let html = page(&written).await;
    assert!(html.contains("4 segments; the copy of each was written once"));
    assert!(html.contains("<th scope=\"row\">sleeping bags</th>"));
    assert_eq!(page(&written).await, html);
    written.store.delete("manifest.json").await.unwrap();
    let error = write(&written.store, &written.keys).await.unwrap_err().to_string();
    assert!(error.starts_with("manifest.json is missing"), "{error}");
}

#[tokio::test]
async fn ads_and_texts_have_cards_of_their_own() {
    let written = write_sample(&EMAILS).await;
    let ad = serde_json::json!({
        "headlines": ["[[brand]] jackets", "Dry in any rain", "From [[price]]", "See <all>"],
        "descriptions": ["Sealed seams.", "A hood that turns with you."],
    });
    let post = serde_json::json!({ "post": "Rain is only weather." });
    let filled =
        serde_json::json!({ "post": "Rain is only weather.", "text": "Rain is only weather.\n#rain" });
    written
        .rewrite("output/00000.jsonl.zst", true, |lines| {
            for (at, line) in lines.iter_mut().enumerate() {
                let (content, rendered) = if at % 2 == 0 { (&ad, &ad) } else { (&post, &filled) };
                (line["content"], line["rendered"]) = (content.clone(), rendered.clone());
            }
        })
        .await;
    let html = page(&written).await;
    for part in [
        "Northwind Outdoor jackets | Dry in any rain | From $129",
        "Also: See &lt;all&gt;",
        "northwind.example&#x2f;spring</span>",
        "<p class=\"message\">Rain is only weather.\n#rain</p>",
    ] {
        assert!(html.contains(part), "{part}");
    }
    if let Ok(to) = std::env::var("KEEP") {
        std::fs::write(to, &html).unwrap();
    }
}
