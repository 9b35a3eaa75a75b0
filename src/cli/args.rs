//! What can be said on the command line.

use crate::runtime::DeviceKind;
use clap::builder::TypedValueParser as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A declarative model-spec compiler: one text file becomes a trained network.
#[derive(Parser)]
#[command(name = "mlc", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Report every error of specs at once
    Check(CheckArgs),
    /// Show what the data of a spec hold: columns, ranges, missing values, classes, repeated rows
    ///
    /// Reads the whole of each source and says of every column what it holds and what the spec does with it, how often
    /// classes occur in each part, which rows are there twice, and what may leak from training into testing. Needs
    /// only the `data` sections: the rest of the spec may be wrong or missing. Exit code 1 if the data cannot be read
    /// or used as the spec says.
    Data(DataArgs),
    /// Show what a spec becomes at a stage of the compiler
    Dump(DumpArgs),
    /// Show a spec with every default written out
    Render(RenderArgs),
    /// Tell what a training will take: layers, FLOPs, memory, kernels
    Plan(PlanArgs),
    /// Train a spec and write a run directory
    Train(TrainArgs),
    /// Evaluate the weights of a run on a split of its data
    Eval(EvalArgs),
    /// Whether a run reaches what the `test` sections of its spec ask for
    ///
    /// The weights of the run are evaluated as `mlc eval` does, and each bound stands beside what was reached. Exit code 1
    /// if one is missed.
    Test(TestArgs),
    /// Put the model of a run to work on rows without labels
    ///
    /// Rows go through the same preprocessing as in training, fitted on the training rows and kept in the run. Each
    /// gets its class with the probability of every class, or a number in the units of the target, behind the
    /// columns that it came with. Rows keep their order, and the label may be missing.
    Predict(PredictArgs),
    /// Make what a `generate` section of a run's spec says: texts that go on from a prompt, or samples
    ///
    /// Texts go to standard output and, with their tokens, into the run's folder `generated`; samples become arrays of
    /// NumPy there, and a picture if they are images. All is drawn by the section's seed, so it is the same each time.
    Generate(GenerateArgs),
    /// Time a training step in the steady state
    Bench(BenchArgs),
    /// Compare a training step of interpreter, processor and GPU, by source line
    ///
    /// Runs one step three times from the same weights on the same batch: in a slow interpreter that follows the
    /// graph as written, compiled for the processor, and on the GPU if there is one. Every layer's output,
    /// the loss, each gradient and each updated weight is compared, and what rounding cannot explain is an error at
    /// the line of the spec.
    ///
    /// For trust in a new machine or driver, and to find out whether a strange result comes from the spec or
    /// from the compiler: a spec that verifies computes what it says. Exit code 0 if all agree, 1 if not.
    Verify(VerifyArgs),
    /// Write specs in the one style that they have
    Fmt(FmtArgs),
    /// Say what a diagnostic's code means and what to do
    Explain(ExplainArgs),
    /// Serve an editor: check as you type, over standard input and output
    ///
    /// Speaks the Language Server Protocol. Editors start it themselves; the README says how to tell them.
    Lsp(LspArgs),
}

/// What every command that compiles a spec takes.
#[derive(Args, Clone, Default)]
pub struct SpecArgs {
    /// Where paths of specs are looked up if they are not beside the spec
    #[arg(long, value_name = "DIR", env = "MLC_DATA", value_parser = folder())]
    pub data: Option<PathBuf>,
    /// Set a param, dim or key: `--set hidden=256`, `--set train.epochs=1`
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Apply a `variant` of the spec; `--set` goes over it
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
}

/// One of several `train` sections.
#[derive(Args, Clone, Default)]
pub struct SectionArgs {
    /// Take this `train` section of several, and none before it
    #[arg(long = "train", value_name = "NAME")]
    pub train: Option<String>,
}

/// A folder that may be empty: `MLC_DATA=` in the environment is as good as unset.
fn folder() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    clap::builder::OsStringValueParser::new().map(PathBuf::from)
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, to standard error
    #[default]
    Human,
    /// One JSON array, to standard output
    Json,
    /// A SARIF 2.1.0 log, to standard output: for code scanning
    Sarif,
    /// Workflow commands of GitHub, to standard output: beside the lines of a pull request
    Github,
}

#[derive(Args)]
pub struct CheckArgs {
    /// Specs, and folders of specs; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write fixes into the files, as far as each leaves less wrong, and report what is left
    #[arg(long)]
    pub fix: bool,
    /// Check again whenever a spec changes, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Look at the spec alone, not at its data files
    #[arg(long)]
    pub no_data: bool,
    /// Read every row of the data, as training would, and not only of small files
    #[arg(long, conflicts_with = "no_data")]
    pub every_row: bool,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Args)]
pub struct DataArgs {
    /// A spec; `-` is standard input
    pub file: PathBuf,
    /// One JSON object, to standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Args)]
pub struct DumpArgs {
    /// A spec; `-` is standard input
    pub file: PathBuf,
    /// Which text to show
    #[arg(long, value_enum)]
    pub stage: Stage,
    /// What the loops are fused for
    #[arg(long, value_enum, default_value_t)]
    pub device: Device,
    #[command(flatten)]
    pub section: SectionArgs,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// What was parsed
    Ast,
    /// The kinds and places of what was parsed, in bytes
    Nodes,
    /// The tensor graph as written: in training, then in evaluation
    Graph,
    /// With gradients and the optimizer's updates
    Grad,
    /// Rewritten
    Opt,
    /// As loop nests, with the reason of each fusion
    Loops,
    /// The code that Cranelift is given
    Clif,
    /// Machine code
    Asm,
    /// The shaders that a GPU of the least limits is given, with what runs them
    Wgsl,
    /// What each rewrite did
    Passes,
}

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Device {
    /// The processor
    #[default]
    Cpu,
    /// The best GPU, or the one whose name holds MLC_GPU
    Gpu,
}

impl Device {
    pub fn kind(self) -> DeviceKind {
        match self {
            Device::Cpu => DeviceKind::Cpu,
            Device::Gpu => DeviceKind::Gpu,
        }
    }
}

#[derive(Args)]
pub struct RenderArgs {
    /// A spec; `-` is standard input
    pub file: PathBuf,
    /// One JSON object, to standard output: `docs/mlspec.schema.json` says what it holds
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Args)]
pub struct PlanArgs {
    /// A spec
    pub file: PathBuf,
    /// One JSON object, to standard output
    #[arg(long)]
    pub json: bool,
    /// What to plan for
    #[arg(long, value_enum, default_value_t)]
    pub device: Device,
    /// Threads to plan for [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    #[command(flatten)]
    pub section: SectionArgs,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Args)]
pub struct TestArgs {
    /// A folder that `mlc train` made
    pub run: PathBuf,
    /// Where the data lie, if not where they were when the run was trained
    #[arg(long, value_name = "DIR", env = "MLC_DATA", value_parser = folder())]
    pub data: Option<PathBuf>,
    /// What to compute on [default: that of the run]
    #[arg(long, value_enum)]
    pub device: Option<Device>,
    /// Threads to compute with [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// One JSON object, to standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct GenerateArgs {
    /// A run directory
    pub run: PathBuf,
    /// A `generate` section of its spec [default: all of them]
    pub name: Option<String>,
    /// Go on from this text instead of the section's
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Compute the whole context for each token, as a check on what is kept from token to token
    #[arg(long)]
    pub whole: bool,
    /// Set a key of a section: `--set sample.temperature=0.5`
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Where paths of the spec are looked up if they are not beside it [default: as in training]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What to compute on [default: what it was trained on]
    #[arg(long, value_enum)]
    pub device: Option<Device>,
    /// Threads to compute with [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

#[derive(Args)]
pub struct BenchArgs {
    /// A spec
    pub file: PathBuf,
    /// Rows in a batch [default: the spec's]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// How long to time steps, about
    #[arg(long, value_name = "S", default_value_t = 4.0)]
    pub seconds: f64,
    /// What to compute on
    #[arg(long, value_enum, default_value_t)]
    pub device: Device,
    /// Threads to compute with [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// What each kernel of a step takes, too
    #[arg(long)]
    pub kernels: bool,
    /// One JSON object, to standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub section: SectionArgs,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Args)]
pub struct PredictArgs {
    /// The folder of a run
    pub run: PathBuf,
    /// Rows: a table of csv, tsv, jsonl, parquet, npy or npz; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// Where answers go; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// csv, tsv, jsonl or parquet [default: by the output's name, else csv]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// What the input is [default: by its name, else csv]
    #[arg(long, value_name = "FORMAT")]
    pub input_format: Option<String>,
    /// Columns of the input to pass through: `--keep id,name`; `--keep ""` keeps none [default: all]
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub keep: Option<Vec<String>>,
    /// Leave out rows that cannot be used, and tell which, instead of stopping at the first; not where an answer is made of
    /// several rows
    #[arg(long)]
    pub skip_bad: bool,
    /// Rows in a batch [default: the spec's]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// What to compute on [default: what the run was trained on]
    #[arg(long, value_enum)]
    pub device: Option<Device>,
    /// Threads to compute with [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Where paths of the spec are looked up, if the data are still to be had; they are not needed
    #[arg(long, value_name = "DIR", env = "MLC_DATA", value_parser = folder())]
    pub data: Option<PathBuf>,
}

#[derive(Args)]
pub struct VerifyArgs {
    /// A spec
    pub file: PathBuf,
    /// Rows in the batch [default: the spec's, or fewer where the interpreter would take long]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// `cpu` leaves the GPU out, `gpu` insists on one [default: the GPU too, if there is one]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub device: Option<Device>,
    /// Threads to compute with [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// One JSON object, to standard output
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub section: SectionArgs,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Args)]
pub struct TrainArgs {
    /// A spec [default: the built-in lesson, handwritten digits]
    pub file: Option<PathBuf>,
    /// Train again what a run directory holds: its spec, `--variant`, `--set`, steps and device; what is said
    /// here goes over that
    #[arg(long, value_name = "RUN", conflicts_with = "file")]
    pub like: Option<PathBuf>,
    /// Go on with a run that was stopped, from its latest checkpoint; its spec, data and seed must be what they
    /// were. A spec may be named to compare; `--steps` and `--set train.epochs` say how far it goes in all
    #[arg(long, value_name = "RUN", conflicts_with_all = ["like", "out", "init"])]
    pub resume: Option<PathBuf>,
    /// Stop after so many steps, counted from the first weights, instead of what the spec says; 0 writes those
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// What to compute on [default: cpu, or that of the run]
    #[arg(long, value_enum)]
    pub device: Option<Device>,
    /// Threads to compute with; results do not depend on it [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// The run directory, new or empty [default: runs/<spec>-<n>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Weights to start from: every weight by name, in safetensors
    #[arg(long, value_name = "FILE")]
    pub init: Option<PathBuf>,
    /// How to report progress
    #[arg(long, value_enum, default_value_t)]
    pub progress: ProgressForm,
    #[command(flatten)]
    pub section: SectionArgs,
    #[command(flatten)]
    pub spec: SpecArgs,
}

#[derive(Args)]
pub struct EvalArgs {
    /// A folder that `mlc train` made
    pub run: PathBuf,
    /// Which rows [default: test, or valid if there are none]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "train|valid|test")]
    pub split: Option<SplitName>,
    /// Other rows with their labels: a table of csv, tsv, jsonl, parquet, npy or npz; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "split")]
    pub input: Option<PathBuf>,
    /// What the input is [default: by its name, else csv]
    #[arg(long, value_name = "FORMAT", requires = "input")]
    pub input_format: Option<String>,
    /// Where the data lie, if not where they were when the run was trained
    #[arg(long, value_name = "DIR", env = "MLC_DATA", value_parser = folder())]
    pub data: Option<PathBuf>,
    /// What to compute on [default: that of the run]
    #[arg(long, value_enum)]
    pub device: Option<Device>,
    /// Threads to compute with [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// One JSON object, to standard output
    #[arg(long)]
    pub json: bool,
}

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SplitName {
    Train,
    Valid,
    Test,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressForm {
    /// A line with the time left on a terminal, else plain
    #[default]
    Auto,
    /// A line of text for each epoch
    Plain,
    /// A JSON object on each line, to standard output
    Json,
}

#[derive(Args)]
pub struct FmtArgs {
    /// Specs; `-` reads standard input and writes standard output
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Change nothing; name the files that would change, and exit with 1 if there are any
    #[arg(long)]
    pub check: bool,
}

#[derive(Args)]
pub struct ExplainArgs {
    /// A code such as `mlc::syntax::comma`; without it, all codes are listed
    pub code: Option<String>,
}

#[derive(Args)]
pub struct LspArgs {
    /// Where paths of specs are looked up if they are not beside the spec, unless the editor says otherwise
    #[arg(long, value_name = "DIR", env = "MLC_DATA", value_parser = folder())]
    pub data: Option<PathBuf>,
    /// Over standard input and output: the only way, which some editors insist on naming
    #[arg(long)]
    pub stdio: bool,
}
