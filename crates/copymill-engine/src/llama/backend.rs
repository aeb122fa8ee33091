//! llama.cpp's process-wide state, set up once.

use std::sync::OnceLock;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::{LogOptions, send_logs_to_tracing};

use crate::engine::EngineError;

/// Returns the backend, initialising it on the first call. llama.cpp's logs go to `tracing`, target `llama-cpp-2`.
pub(crate) fn backend() -> Result<&'static LlamaBackend, EngineError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        send_logs_to_tracing(LogOptions::default());
        #[cfg(feature = "dynamic-backends")]
        load_backends();
        LlamaBackend::init().map_err(|error| error.to_string())
    });
    backend.as_ref().map_err(|error| EngineError::Device(format!("llama.cpp cannot start: {error}")))
}

/// Loads the best CPU backend for this machine, and GPU backends, from the folder `lib/copymill/backends` beside the
/// program's `bin`; a program that is not installed takes those of its own build.
#[cfg(feature = "dynamic-backends")]
fn load_backends() {
    let program = std::env::current_exe().ok();
    let prefix = program.as_deref().and_then(|program| program.parent()?.parent());
    match prefix.map(|prefix| prefix.join("lib/copymill/backends")) {
        Some(installed) if installed.is_dir() => {
            llama_cpp_2::llama_backend::load_backends_from_path(&installed)
        }
        _ => llama_cpp_2::llama_backend::load_backends(),
    }
}
