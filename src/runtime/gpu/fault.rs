//! What can go wrong with a device, as data; a diagnostic once somebody knows where it belongs.

use crate::base::Span;
use crate::codegen::wgsl::Lack;
use crate::diag::Diagnostic;

/// Why a device cannot be had, or cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No adapter, or none of the wanted name.
    Absent {
        /// The interfaces that were asked: `Vulkan`.
        asked: String,
        /// What `MLC_GPU` names.
        wanted: Option<String>,
        /// The adapters that there are.
        seen: Vec<String>,
    },
    /// The driver gave up the device; what it held is gone.
    Lost { doing: String, why: String },
    /// More memory than the device has or gives. `table` says what takes how much, a line each.
    Memory { message: String, table: String },
    /// The driver or wgpu would not do something that we hold for right.
    Refused { doing: String, why: String },
    /// A program needs what the device lacks.
    Lacks(Lack),
}

impl From<Lack> for Fault {
    fn from(lack: Lack) -> Fault {
        Fault::Lacks(lack)
    }
}

impl Fault {
    /// The fault as a diagnostic at the section that asked for the device.
    pub fn diagnostic(&self, at: Span) -> Diagnostic {
        let error = |code, message: String| Diagnostic::error(code, message, at, "to run on the GPU");
        match self {
            Fault::Absent { asked, wanted: None, .. } => error(
                "gpu::none",
                format!("there is no GPU to be had: {asked} shows none"),
            )
            .help(
                "install the driver of the graphics card (on Linux its Vulkan part; `vulkaninfo --summary` lists \
                 what is there), or train with `--device cpu`",
            ),
            Fault::Absent { asked, wanted: Some(wanted), seen } => {
                let seen = match seen.as_slice() {
                    [] => "none at all".to_string(),
                    names => names.join(", "),
                };
                error("gpu::none", format!("no GPU is named `{wanted}`: {asked} shows {seen}"))
                    .help("unset MLC_GPU or set it to a part of a name that is there, or use `--device cpu`")
            }
            Fault::Lost { doing, why } => error("gpu::lost", format!("the GPU was lost while {doing}: {why}"))
                .help(
                    "its driver was reset or another program brought it down; start again (from files of an \
                     earlier run with `--init`), or train with `--device cpu`",
                ),
            Fault::Memory { message, table } => {
                let message = format!("{message}\n{table}").trim_end().to_string();
                error("gpu::memory", message)
                    .help("make `batch` smaller or the widest layers narrower; `mlc plan --device gpu` lists what takes most")
            }
            Fault::Refused { doing, why } => {
                error("gpu::refused", format!("the GPU's driver refused while {doing}: {why}")).help(
                    "this is a defect of the driver or of mlc: a newer driver may help, and `--device cpu` trains \
                     the same model",
                )
            }
            Fault::Lacks(Lack { what, limit }) => error("gpu::limit", format!("{what}, and {limit}"))
                .help("make that tensor smaller, or train with `--device cpu`"),
        }
    }
}
