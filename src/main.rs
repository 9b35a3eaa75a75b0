//! The `mlc` binary: hands the command line to [`mlc::cli`].

fn main() -> std::process::ExitCode {
    mlc::cli::main()
}
