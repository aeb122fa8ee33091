//! Which device the model goes to, and why.

use llama_cpp_2::{LlamaBackendDevice, LlamaBackendDeviceType, list_llama_ggml_backend_devices};

use super::LlamaSettings;
use crate::engine::EngineError;

/// The device that was chosen.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    /// Its index in llama.cpp's list; none for the CPU.
    pub(crate) index: Option<usize>,
    /// For people: backend and product.
    pub(crate) name: String,
    /// Why it was chosen, as the end of a sentence.
    pub(crate) reason: String,
    /// Memory that a cache may take, in bytes.
    pub(crate) cache_bytes: u64,
}

/// Chooses among what llama.cpp finds; call only after the backend was initialised.
pub(crate) fn choose(settings: &LlamaSettings) -> Result<Device, EngineError> {
    let devices = list_llama_ggml_backend_devices();
    let gpus: Vec<&LlamaBackendDevice> =
        devices.iter().filter(|device| device.device_type == LlamaBackendDeviceType::Gpu).collect();
    if settings.gpu_layers == Some(0) {
        return Ok(cpu(&devices, "no layers were asked to be on a GPU"));
    }
    match (settings.device, gpus.first()) {
        (Some(number), _) => match gpus.get(number) {
            Some(gpu) => Ok(on_gpu(gpu, format!("it is GPU {number}, as asked for"))),
            None => Err(EngineError::Device(no_such_gpu(number, &gpus))),
        },
        (None, Some(first)) => Ok(on_gpu(first, format!("it is the first of {} found", counted(gpus.len())))),
        (None, None) if built_for_gpus() => Ok(cpu(&devices, "no GPU was found")),
        (None, None) => Ok(cpu(&devices, "this program was built without GPU support")),
    }
}

/// Memory of a device in use, by anybody, and in all, in bytes.
pub(crate) fn memory(index: usize) -> Option<(u64, u64)> {
    let device = list_llama_ggml_backend_devices().into_iter().find(|device| device.index == index)?;
    let (total, free) = (device.memory_total as u64, device.memory_free as u64);
    (total > 0).then_some((total.saturating_sub(free), total))
}

fn on_gpu(gpu: &LlamaBackendDevice, reason: String) -> Device {
    let gib = gpu.memory_total as f64 / f64::from(1 << 30);
    let name = format!("{} ({}, {gib:.0} GiB)", gpu.name, gpu.description);
    Device { index: Some(gpu.index), name, reason, cache_bytes: gpu.memory_free as u64 / 2 }
}

fn cpu(devices: &[LlamaBackendDevice], reason: &str) -> Device {
    let cpu = devices.iter().find(|device| device.device_type == LlamaBackendDeviceType::Cpu);
    let name = cpu.map_or("CPU".to_owned(), |cpu| format!("CPU ({})", cpu.description.trim()));
    let memory = cpu.map_or(0, |cpu| cpu.memory_total as u64);
    // Where the size is not known, 4 GiB are taken for granted.
    let cache_bytes = if memory == 0 { 1 << 30 } else { memory / 4 };
    Device { index: None, name, reason: reason.to_owned(), cache_bytes }
}

fn no_such_gpu(number: usize, gpus: &[&LlamaBackendDevice]) -> String {
    let names: Vec<String> =
        gpus.iter().enumerate().map(|(number, gpu)| format!("{number}: {}", gpu.description)).collect();
    if gpus.is_empty() && !built_for_gpus() {
        format!(
            "GPU {number} was asked for, but this program was built without GPU support: build it with a GPU feature"
        )
    } else if gpus.is_empty() {
        format!("GPU {number} was asked for, but none was found: check the driver, or let the CPU do it")
    } else {
        format!("GPU {number} was asked for, but there are only these: {}", names.join(", "))
    }
}

fn counted(gpus: usize) -> String {
    if gpus == 1 { "one GPU".to_owned() } else { format!("{gpus} GPUs") }
}

const fn built_for_gpus() -> bool {
    cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal", feature = "dynamic-backends"))
        || cfg!(target_os = "macos")
}
