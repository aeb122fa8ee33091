//! What a bad model file or a bad setting says.

use copymill_engine::{EngineError, LlamaEngine, LlamaSettings};

use crate::{demo_model, settings};

fn problem(model: &std::path::Path) -> String {
    match LlamaEngine::load(&LlamaSettings::new(model)).err().unwrap() {
        EngineError::ModelFile { path, problem } => {
            assert_eq!(path, model);
            assert!(problem.contains(&model.display().to_string()), "{problem}");
            problem
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_missing_model_file_is_a_clear_error() {
    assert!(problem(std::path::Path::new("/nowhere/model.gguf")).contains("no model file"));
}

#[test]
fn a_truncated_model_file_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.gguf");
    let whole = std::fs::read(demo_model()).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(problem(&path).contains("incomplete"));
    std::fs::write(&path, &whole[..1000]).unwrap();
    assert!(problem(&path).contains("ends inside its header"));
}

#[test]
fn a_file_that_is_no_gguf_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, "<html>404</html>").unwrap();
    assert!(problem(&path).contains("not a GGUF file"));
}

#[test]
fn an_architecture_that_is_not_supported_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let mut bytes = std::fs::read(demo_model()).unwrap();
    let key = b"general.architecture";
    let value = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 12;
    assert_eq!(&bytes[value..value + 4], b"gpt2");
    bytes[value..value + 4].copy_from_slice(b"gpt9");
    std::fs::write(&path, bytes).unwrap();
    assert!(problem(&path).contains("gpt9"));
}

#[test]
fn too_many_slots_and_a_missing_gpu_say_what_to_do() {
    for settings in
        [LlamaSettings { slots: Some(1000), ..settings() }, LlamaSettings { device: Some(77), ..settings() }]
    {
        let error = LlamaEngine::load(&settings).err().unwrap();
        assert!(matches!(error, EngineError::Device(_)), "{error}");
    }
}
