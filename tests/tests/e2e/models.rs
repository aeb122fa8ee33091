//! Where models come from, and what changes them.

use copymill_campaign::Outcome;
use copymill_tests::adapter::{DEMO, MadeFor, write_adapter};
use copymill_tests::{Finished, Hub, Running, Workplace, messages, repository};

use crate::campaigns::{EMAIL, recipients};

fn demo_model() -> Vec<u8> {
    std::fs::read(repository().join("examples/demo-model/demo.gguf")).expect("the bundled model")
}

/// Runs the program as a user of this hub.
fn with_hub(place: &Workplace, hub: &Hub, token: &str, arguments: &[&str]) -> Finished {
    let mut command = place.command(arguments);
    command.env("HF_ENDPOINT", hub.url()).env("HF_HOME", place.path("hf")).env("HF_TOKEN", token);
    Running::spawn(command).finish()
}

#[test]
fn a_model_of_the_hub_is_fetched_once_and_kept_with_the_others() {
    let (place, hub) = (Workplace::new(EMAIL, recipients(2)), Hub::start(demo_model(), None));
    let first = with_hub(&place, &hub, "", &["models", Hub::MODEL]).success().stdout;
    assert!(first.contains("/fetched/") && first.contains("queue"), "{first}");
    assert_eq!(with_hub(&place, &hub, "", &["models", Hub::MODEL]).success().stdout, first);
    assert_eq!(hub.downloads(), 1);
    let left = std::fs::read_dir(place.path(".cache/copymill/fetched")).unwrap();
    let mut left: Vec<_> =
        left.map(|entry| entry.unwrap().path().extension().map(|e| e.to_owned())).collect();
    left.sort();
    assert_eq!(left, ["gguf", "lock", "sha256"].map(|ending| Some(ending.into())));
    assert!(!place.path("hf").exists(), "the hub's own folder is for other tools");
}

#[test]
fn a_model_whose_checksum_is_known_needs_no_hub_the_second_time() {
    let (place, hub) = (Workplace::new(EMAIL, recipients(2)), Hub::start(demo_model(), None));
    let sha256 = copymill_campaign::sha256_hex(&demo_model());
    place.edit_campaign("model: demo", &format!("model: {}\nmodel_sha256: {sha256}", Hub::MODEL));
    with_hub(&place, &hub, "", &["validate", "campaign.yaml"]).success();
    let mut alone = place.command(&["run", "campaign.yaml"]);
    alone.env("HF_ENDPOINT", "http://127.0.0.1:9").env("HF_HOME", place.path("hf"));
    Running::spawn(alone).finish().success();
    assert_eq!(hub.downloads(), 1);
}

#[test]
fn a_model_that_was_fetched_is_used_while_the_hub_is_away() {
    let (place, hub) = (Workplace::new(EMAIL, recipients(2)), Hub::start(demo_model(), None));
    let fetched = with_hub(&place, &hub, "", &["models", Hub::MODEL]).success().stdout;
    let alone = |model: &str| {
        let mut command = place.command(&["models", model]);
        command.env("HF_ENDPOINT", "http://127.0.0.1:9").env("HF_HOME", place.path("hf"));
        Running::spawn(command).finish()
    };
    let later = alone(Hub::MODEL).success();
    assert_eq!(later.stdout, fetched);
    assert!(later.stderr.contains("the model that was fetched before is used"), "{}", later.stderr);
    let never = "hf://owner/repository/never.gguf";
    alone(never).fails(64, &[never, "could not be fetched"]);
}

#[test]
fn a_gated_model_is_fetched_with_the_users_token_and_the_error_without_it_says_so() {
    let (place, hub) = (Workplace::new(EMAIL, recipients(2)), Hub::start(demo_model(), Some("secret-token")));
    with_hub(&place, &hub, "", &["models", Hub::MODEL]).fails(64, &[Hub::MODEL, "401", "HF_TOKEN"]);
    with_hub(&place, &hub, "secret-token", &["models", Hub::MODEL]).success();
    let other = "hf://owner/repository/other.gguf";
    with_hub(&place, &hub, "secret-token", &["models", other]).fails(64, &[other, "404"]);
}

/// The demo model with other bytes of the same length in its header.
fn changed(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut file = demo_model();
    let at = file.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
    file[at..at + to.len()].copy_from_slice(to.as_bytes());
    file
}

#[test]
fn a_model_whose_tokenizer_only_llama_cpp_knows_writes_with_a_warning_and_is_planned_with_an_estimate() {
    let place = Workplace::new(EMAIL, recipients(4));
    let key = "tokenizer.ggml.pre\u{8}\0\0\0\u{5}\0\0\0\0\0\0\0";
    place.write("other.gguf", changed(&format!("{key}gpt-2"), &format!("{key}youtu")));
    place.edit_campaign("model: demo", "model: other.gguf");
    let validated = place.copymill(&["validate", "campaign.yaml"]).success().stdout;
    assert!(validated.contains("(estimated) in the first prompt"), "{validated}");
    let run = place.copymill(&["run", "campaign.yaml"]).success();
    assert!(run.stderr.contains("llama.cpp's own tokenizer is used"), "{}", run.stderr);
    assert!(messages(&place.path("out")).iter().any(|message| message.line.outcome == Outcome::Generated));
}

#[test]
fn a_model_without_a_chat_template_is_given_plain_text_to_go_on_with() {
    let place = Workplace::new(EMAIL, recipients(4));
    place.write("base.gguf", changed("tokenizer.chat_template", "tokenizer.chat_templatX"));
    let models = place.copymill(&["models", "base.gguf"]).success().stdout;
    assert!(models.contains("none: prompts are plain text, as for a base model"), "{models}");
    place.edit_campaign("model: demo", "model: base.gguf");
    place.copymill(&["run", "campaign.yaml", "--kv-type", "q8"]).success();
    assert!(messages(&place.path("out")).iter().any(|message| message.line.outcome == Outcome::Generated));
}

#[test]
fn a_recurrent_model_is_refused_by_name() {
    let place = Workplace::new(EMAIL, recipients(2));
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let header =
        [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &0_u64.to_le_bytes(), &1_u64.to_le_bytes()].concat();
    let architecture = [text("general.architecture"), 8_u32.to_le_bytes().to_vec(), text("mamba")].concat();
    place.write("mamba.gguf", [header, architecture, vec![0; 64]].concat());
    place
        .copymill(&["models", "mamba.gguf"])
        .fails(1, &["is a recurrent model (mamba)", "choose a transformer"]);
}

#[test]
fn an_adapter_changes_what_the_model_writes_and_one_of_zeros_changes_nothing() {
    let place = Workplace::new(EMAIL, recipients(2));
    write_adapter(&place.path("zeros.gguf"), &DEMO, 0.0);
    write_adapter(&place.path("strong.gguf"), &DEMO, 1.0);
    let written = |options: &[&str]| {
        let arguments = ["generate", "Dry days", "--seed", "7", "--max-tokens", "24"];
        place.copymill(&[&arguments, options].concat()).success().stdout
    };
    let plain = written(&[]);
    assert_eq!(written(&["--adapter", "zeros.gguf"]), plain);
    assert_ne!(written(&["--adapter", "strong.gguf"]), plain);
}

#[test]
fn a_campaign_with_an_adapter_names_both_and_another_adapter_is_another_model() {
    let place = Workplace::new(EMAIL, recipients(6));
    write_adapter(&place.path("voice.gguf"), &DEMO, 0.0);
    place.edit_campaign("model: demo", "model: demo\nadapter: voice.gguf");
    let validated = place.copymill(&["validate", "campaign.yaml"]).success().stdout;
    assert!(validated.contains("demo with the adapter voice.gguf (gpt2"), "{validated}");
    place.copymill(&["run", "campaign.yaml"]).success();
    place.copymill(&["verify", "out/"]).success();
    let text = std::fs::read_to_string(place.path("out/campaign.json")).unwrap();
    let accepted: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(accepted["model"]["name"], "demo+voice");
    let adapter = std::fs::read(place.path("voice.gguf")).unwrap();
    let digest = copymill_campaign::sha256_hex;
    let both = digest(format!("{}+{}", digest(&demo_model()), digest(&adapter)).as_bytes());
    assert_eq!(accepted["model"]["sha256"], both.as_str());
    let messages = messages(&place.path("out"));
    assert!(messages.iter().all(|message| message.line.model_sha256 == both));
    assert!(messages.iter().any(|message| message.line.outcome == Outcome::Generated));
    let models = place.copymill(&["models", "demo", "--adapter", "voice.gguf"]).success().stdout;
    assert!(models.contains(&format!("copymill.jobs.demo-voice.{}", &both[..12])), "{models}");

    write_adapter(&place.path("voice.gguf"), &DEMO, 0.1);
    place
        .copymill(&["run", "campaign.yaml"])
        .fails(64, &["the file behind `demo` or its adapter `voice.gguf` changed", "--fresh"]);
}

#[test]
fn an_adapter_that_does_not_fit_is_named_with_its_line_before_anything_runs() {
    let place = Workplace::new(EMAIL, recipients(2));
    let line = "campaign.yaml:4:10: adapter: ";
    place.edit_campaign("model: demo", "model: demo\nadapter: voice.gguf");
    write_adapter(&place.path("voices.gguf"), &DEMO, 0.0);
    let refused = |says: &[&str]| {
        place.copymill(&["validate", "campaign.yaml"]).fails(64, &[&[line], says].concat());
    };
    refused(&["there is no model file", "did you mean voices.gguf?"]);
    write_adapter(&place.path("voice.gguf"), &MadeFor { architecture: "llama", width: 256 }, 0.0);
    refused(&["made for a llama model, and this one is gpt2"]);
    write_adapter(&place.path("voice.gguf"), &MadeFor { width: 128, ..DEMO }, 0.0);
    refused(&["blk.0.attn_output.weight", "made for another one"]);
    place.write("voice.gguf", demo_model());
    refused(&["it is no LoRA adapter"]);
    place.write("voice.gguf", "GGUF");
    refused(&["voice.gguf"]);
    place.edit_campaign("model: demo\nadapter: voice.gguf", "model: voices.gguf");
    place
        .copymill(&["validate", "campaign.yaml"])
        .fails(64, &["campaign.yaml:3:8: model: voices.gguf is a LoRA adapter; name it as `adapter`"]);
}
