//! Codes of GPUs: none to be had, or trouble with the one at hand.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "gpu::none",
        title: "there is no GPU to be had",
        explain: "`--device gpu` looks for adapters of Vulkan, Metal or DirectX 12 and takes the best: a card of its own \
                  before one in the processor, and software last. `MLC_GPU` chooses by a part of the name. If yours is \
                  not seen, its driver is missing: on Linux the Vulkan part of it (`vulkaninfo --summary` lists what is \
                  there). The processor needs no driver:\n\n    mlc train model.mlspec --device cpu",
    },
    CodeInfo {
        code: "gpu::not_built",
        title: "this build has no part for GPUs",
        explain: "`mlc` was built without the feature `gpu`, which is on by default. Build it again with it, or train \
                  with `--device cpu`.",
    },
    CodeInfo {
        code: "gpu::limit",
        title: "the GPU lacks what a tensor needs",
        explain: "Devices bound how much of a buffer a shader may see; most allow 128 MiB to 2 GiB, and no tensor may be \
                  larger. `mlc plan` lists the largest. Make that tensor smaller: a smaller `batch` for activations, a \
                  narrower layer for weights. A loop over time within another one trains with `--device cpu`.",
    },
    CodeInfo {
        code: "gpu::memory",
        title: "the training does not fit into the GPU's memory",
        explain: "Weights, the optimizer's states, the temporaries of a step and a few batches lie on the GPU from the \
                  first step to the last; the message says what takes how much. Temporaries shrink with `batch`; weights \
                  with narrower layers; states with SGD, which keeps none. `mlc plan --device gpu` tells it beforehand.",
    },
    CodeInfo {
        code: "gpu::lost",
        title: "the GPU was lost while training",
        explain: "The driver gave up the device: it was reset since one step took too long, it was unplugged, another \
                  program brought it down, or memory ran out. What lay on it is gone. Start again; if it comes back, try a \
                  newer driver or a smaller `batch`.",
    },
    CodeInfo {
        code: "gpu::refused",
        title: "the GPU's driver refused something",
        explain: "`mlc` checks all that it asks of a GPU beforehand, so this is a defect of the driver or of `mlc`. A \
                  newer driver may help. The message is what a report of the defect needs.",
    },
];
