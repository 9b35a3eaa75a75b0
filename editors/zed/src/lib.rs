//! Tells Zed how to start the server: `mlc lsp`, with `mlc` looked up in `PATH` unless the settings name a binary.

use zed_extension_api::settings::LspSettings;
use zed_extension_api::{self as zed, Command, LanguageServerId, Result, Worktree, serde_json};

struct Mlspec;

impl zed::Extension for Mlspec {
    fn new() -> Self {
        Mlspec
    }

    fn language_server_command(&mut self, server: &LanguageServerId, tree: &Worktree) -> Result<Command> {
        let set = LspSettings::for_worktree(server.as_ref(), tree)?.binary;
        let (path, arguments) = set.map_or((None, None), |binary| (binary.path, binary.arguments));
        let path = path.or_else(|| tree.which("mlc")).ok_or_else(|| {
            "mlc is not in PATH: install it, or name it as lsp.mlc.binary.path in the settings".to_string()
        })?;
        let args = arguments.unwrap_or_else(|| vec!["lsp".to_string()]);
        Ok(Command { command: path, args, env: tree.shell_env() })
    }

    /// `lsp.mlc.initialization_options`, such as `{ "data": "/path" }`.
    fn language_server_initialization_options(
        &mut self,
        server: &LanguageServerId,
        tree: &Worktree,
    ) -> Result<Option<serde_json::Value>> {
        Ok(LspSettings::for_worktree(server.as_ref(), tree)?.initialization_options)
    }
}

zed::register_extension!(Mlspec);
