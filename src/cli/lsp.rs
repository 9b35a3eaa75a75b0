//! `mlc lsp`: the language server, over standard input and output.

use super::args::LspArgs;
use super::{Failure, Outcome};
use crate::tools::lsp;
use std::io;

pub fn run(args: &LspArgs) -> Result<Outcome, Failure> {
    let data = args.data.clone().filter(|folder| !folder.as_os_str().is_empty());
    let input = io::BufReader::new(io::stdin());
    match lsp::serve(input, io::stdout().lock(), data) {
        Ok(true) => Ok(Outcome::Clean),
        // The protocol: a client that ends without `shutdown` is answered by 1.
        Ok(false) => Ok(Outcome::Errors),
        Err(error) => Err(Failure(format!("cannot write to the editor: {error}"))),
    }
}
