//! A GPU that computes, or a processor that plays one.
//!
//! The adapter is chosen by rank, or by name with `MLC_GPU`; it is asked for its own limits and no
//! features beyond WebGPU's. Whatever wgpu reports ends in a [`Fault`]: work runs under error scopes,
//! and a lost device is noticed wherever it shows.

use super::fault::Fault;
use crate::codegen::wgsl::Target;
use crate::runtime::process;
use crate::runtime::quiet::quietly;
use std::sync::{Arc, Mutex, PoisonError};
use wgpu::{Backends, DeviceType, ErrorFilter};

/// The variable that names an adapter by a part of its name.
pub const BY_NAME: &str = "MLC_GPU";

/// Which device, and how much of it.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// A part of the adapter's name, in any case; none for the highest rank.
    pub name: Option<String>,
    pub limits: Limits,
    /// Take the device to have so many bytes of memory, whatever it says.
    pub memory: Option<u64>,
}

/// What is asked of the adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Limits {
    /// All that it has.
    #[default]
    Own,
    /// What WebGPU promises everywhere: what passes there passes on every device.
    Least,
}

impl Choice {
    /// As the environment says.
    pub fn from_env() -> Choice {
        let name = std::env::var(BY_NAME).ok().filter(|name| !name.is_empty());
        Choice { name, ..Choice::default() }
    }
}

/// A device with its queue.
pub struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    memory: Option<u64>,
    trouble: Arc<Trouble>,
}

/// What callbacks of wgpu note, from whatever thread.
#[derive(Default)]
struct Trouble {
    lost: Mutex<Option<String>>,
    /// The first error that no scope caught.
    stray: Mutex<Option<String>>,
}

fn noted(cell: &Mutex<Option<String>>) -> Option<String> {
    cell.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn note(cell: &Mutex<Option<String>>, text: String) {
    cell.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
}

/// The interfaces that this build speaks and their names here.
const BACKENDS: Backends = Backends::VULKAN.union(Backends::METAL).union(Backends::DX12);

fn asked() -> &'static str {
    match std::env::consts::OS {
        "macos" | "ios" => "Metal",
        "windows" => "Vulkan and DirectX 12",
        _ => "Vulkan",
    }
}

/// How much a kind of device is worth: cards of their own first, software last.
fn rank(kind: DeviceType) -> u32 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// Buffers are refused where they would take more than this many per cent of what the system grants,
/// rather than be moved to slower memory.
const BUDGET_PERCENT: u8 = 95;

impl Device {
    /// Opens the best adapter that fits the choice.
    ///
    /// # Errors
    /// [`Fault::Absent`] if there is none, [`Fault::Refused`] if it does not open.
    pub fn open(choice: &Choice) -> Result<Device, Fault> {
        let mut wanted = wgpu::InstanceDescriptor::new_without_display_handle();
        wanted.backends = BACKENDS;
        wanted.flags = wgpu::InstanceFlags::empty();
        wanted.memory_budget_thresholds.for_resource_creation = Some(BUDGET_PERCENT);
        let instance = wgpu::Instance::new(wanted);
        let mut adapters = pollster::block_on(instance.enumerate_adapters(BACKENDS));
        let seen: Vec<String> = adapters.iter().map(|a| a.get_info().name).collect();
        if let Some(name) = &choice.name {
            let name = name.to_lowercase();
            adapters.retain(|a| a.get_info().name.to_lowercase().contains(&name));
        }
        // Equal ranks stay in the order of the interfaces.
        let Some(adapter) = adapters.into_iter().min_by_key(|a| rank(a.get_info().device_type)) else {
            return Err(Fault::Absent { asked: asked().to_string(), wanted: choice.name.clone(), seen });
        };
        Self::of_adapter(&adapter, choice)
    }

    fn of_adapter(adapter: &wgpu::Adapter, choice: &Choice) -> Result<Device, Fault> {
        let info = adapter.get_info();
        let limits = match choice.limits {
            Limits::Own => adapter.limits(),
            Limits::Least => wgpu::Limits::default(),
        };
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|e| Fault::Refused { doing: format!("opening {}", info.name), why: one_line(&e) })?;
        let trouble = Arc::new(Trouble::default());
        let at_loss = trouble.clone();
        device.set_device_lost_callback(move |reason, why| {
            let why = if why.is_empty() { format!("{reason:?}").to_lowercase() } else { why };
            note(&at_loss.lost, why);
        });
        let at_error = trouble.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            note(&at_error.stray, one_line(&error));
        }));
        let memory = choice.memory.or_else(|| match info.device_type {
            // A processor's memory is the machine's.
            DeviceType::Cpu => process::available_memory(),
            DeviceType::DiscreteGpu
            | DeviceType::IntegratedGpu
            | DeviceType::VirtualGpu
            | DeviceType::Other => device_memory(adapter),
        });
        Ok(Device { device, queue, info, limits, memory, trouble })
    }

    /// As people know it: `NVIDIA H100 PCIe (Vulkan, NVIDIA 550.54)`.
    pub fn name(&self) -> String {
        let wgpu::AdapterInfo { name, backend, driver, driver_info, .. } = &self.info;
        // Software drivers are called as their device is.
        let driver = if name.starts_with(driver.as_str()) { "" } else { driver };
        let parts = [driver, driver_info].map(str::trim);
        let driver = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        match driver.as_str() {
            "" => format!("{name} ({backend:?})"),
            driver => format!("{name} ({backend:?}, {driver})"),
        }
    }

    /// Bytes that buffers may take, if anybody tells: of the card's largest heap of its own, or what
    /// the machine has left for a processor.
    pub fn memory(&self) -> Option<u64> {
        self.memory
    }

    /// What generated code may rely on.
    pub fn target(&self) -> Target {
        let l = &self.limits;
        Target {
            max_binding_bytes: l.max_storage_buffer_binding_size.min(l.max_buffer_size),
            max_groups: l.max_compute_workgroups_per_dimension,
            max_storage_buffers: l.max_storage_buffers_per_shader_stage,
            workgroup_bytes: l.max_compute_workgroup_storage_size,
            slot_align: l.min_storage_buffer_offset_alignment.max(l.min_uniform_buffer_offset_alignment),
            software: self.info.device_type == DeviceType::Cpu,
        }
    }

    /// The largest buffer.
    pub(super) fn max_buffer_bytes(&self) -> u64 {
        self.limits.max_buffer_size
    }

    /// Gives the device up at once, as a driver's reset would: everything on it is lost.
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// Does something on the device and gives what wgpu has against it.
    pub(super) fn guarded<T>(&self, doing: &str, work: impl FnOnce() -> T) -> Result<T, Fault> {
        let memory = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(ErrorFilter::Internal);
        let validation = self.device.push_error_scope(ErrorFilter::Validation);
        let done = work();
        // Scopes end in reverse order.
        let found = [validation, internal, memory].map(|scope| pollster::block_on(scope.pop()));
        self.alive(doing)?;
        match found.into_iter().flatten().next() {
            None => Ok(done),
            Some(wgpu::Error::OutOfMemory { .. }) => {
                let message = format!("the GPU has no memory left while {doing}");
                Err(Fault::Memory { message, table: String::new() })
            }
            Some(error @ (wgpu::Error::Validation { .. } | wgpu::Error::Internal { .. })) => {
                Err(self.failed(doing, one_line(&error)))
            }
        }
    }

    /// What did not work: because the device is gone, which shows in many ways, or for the reason `why`.
    pub(super) fn failed(&self, doing: &str, why: String) -> Fault {
        // A loss is told by a callback, and callbacks run in polls.
        let _ = quietly(|| self.device.poll(wgpu::PollType::Poll));
        let refused = Fault::Refused { doing: doing.to_string(), why };
        self.alive(doing).err().unwrap_or(refused)
    }

    /// Whether nothing happened behind our back.
    pub(super) fn alive(&self, doing: &str) -> Result<(), Fault> {
        if let Some(why) = noted(&self.trouble.lost) {
            return Err(Fault::Lost { doing: doing.to_string(), why });
        }
        match noted(&self.trouble.stray) {
            None => Ok(()),
            Some(why) => Err(Fault::Refused { doing: doing.to_string(), why }),
        }
    }

    /// Waits until the device is done with a submission and has run the callbacks for it.
    pub(super) fn wait(&self, until: wgpu::SubmissionIndex, doing: &str) -> Result<(), Fault> {
        let wait = wgpu::PollType::Wait { submission_index: Some(until), timeout: None };
        let polled = quietly(|| self.device.poll(wait));
        self.alive(doing)?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.failed(doing, error.to_string())),
            // wgpu panics where a driver loses the device during a wait.
            Err(why) => Err(Fault::Lost { doing: doing.to_string(), why }),
        }
    }
}

/// An error of wgpu with its causes, on one line.
fn one_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Bytes of the largest heap that is the device's own, where Vulkan tells.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", windows))]
fn device_memory(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: the adapter is only asked, and outlives the guard.
    let vulkan = unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }?;
    let (instance, device) = (vulkan.shared_instance().raw_instance(), vulkan.raw_physical_device());
    // SAFETY: the physical device is one of this instance.
    let memory = unsafe { instance.get_physical_device_memory_properties(device) };
    let kinds = &memory.memory_types[..memory.memory_type_count as usize];
    // Bit 0 of a type's flags says that its heap is the device's own.
    let own = kinds.iter().filter(|kind| kind.property_flags.as_raw() & 1 != 0);
    own.map(|kind| memory.memory_heaps[kind.heap_index as usize].size).max()
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", windows)))]
fn device_memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}
