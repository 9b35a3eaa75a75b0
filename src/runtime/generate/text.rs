//! Texts that go on: a prompt, and the tokens that a model puts behind it.
//!
//! Each token is computed from all before it, up to the model's context; of a longer text the last tokens count, as many
//! as the context has. What stands behind the last token is filled up with 0, so the model may look back only.

use super::sampling::{rows, texts};
use super::{Asked, FOLDER, Made, Model};
use crate::diag::Diagnostic;
use crate::runtime::data::{FittedColumn, Speech};
use crate::runtime::engine::On;
use crate::runtime::error::RunError;
use crate::runtime::memory::Block;
use crate::sema::job::TextPlan;
use serde::Serialize;

/// A text that was made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    pub prompt: String,
    /// The prompt and what follows it.
    pub text: String,
    pub tokens: Vec<i32>,
}

pub(super) fn make(asked: &Asked, plan: &TextPlan, on: On, prompt: Option<&str>) -> Result<Made, RunError> {
    let speech = speech_of(asked, plan)?;
    let prompt = prompt.unwrap_or(&plan.prompt);
    let start = tokens_of(&speech, plan, prompt)?;
    let context = plan.context.bind(&asked.bindings()).as_const();
    let context = context.expect("generate: a run knows every size") as usize;
    let batch = rows(&plan.sampling);
    let mut model = asked.model(&plan.graph, batch, &["tokens"], on)?;
    let block = Block::new(batch * context * size_of::<i32>());
    let mut next = |texts: &[Vec<i32>]| next(&mut model, &block, texts, context);
    let made = texts(&start, plan.max_new_tokens, &plan.sampling, asked.plan.seed, &mut next)?;
    let line = |tokens: Vec<i32>| {
        let text = format!("{prompt}{}", speech.behind(&tokens, start.len()));
        Line { prompt: prompt.to_string(), text, tokens }
    };
    let lines: Vec<Line> = made.into_iter().map(line).collect();
    let json = |line: &Line| serde_json::to_string(line).expect("generate: a line is plain data") + "\n";
    let name = format!("{}.jsonl", asked.plan.name);
    asked.dir.write(&name, lines.iter().map(json).collect::<String>().as_bytes())?;
    Ok(Made { files: vec![asked.run.path.join(FOLDER).join(name)], lines })
}

/// The logits of what follows each text.
fn next(
    model: &mut Model,
    block: &Block,
    texts: &[Vec<i32>],
    context: usize,
) -> Result<Vec<Vec<f32>>, RunError> {
    let mut tokens = vec![0i32; texts.len() * context];
    let mut lengths = Vec::new();
    for (text, row) in texts.iter().zip(tokens.chunks_mut(context)) {
        let seen = &text[text.len().saturating_sub(context)..];
        row[..seen.len()].copy_from_slice(seen);
        lengths.push(seen.len());
    }
    let bytes = size_of_val(tokens.as_slice());
    assert!(bytes <= block.len(), "generate: the block has room for every text");
    // SAFETY: the block has room for all tokens, which lie elsewhere, and no run is under way that reads it.
    unsafe { std::ptr::copy_nonoverlapping(tokens.as_ptr().cast::<u8>(), block.at(0), bytes) };
    let logits = model.run(&[block.at(0)], 0)?;
    let ids = logits.len() / tokens.len();
    let at = |(row, length): (usize, &usize)| {
        let start = (row * context + length - 1) * ids;
        logits[start..start + ids].to_vec()
    };
    Ok(lengths.iter().enumerate().map(at).collect())
}

/// How the run makes tokens of texts.
fn speech_of<'a>(asked: &Asked<'a>, plan: &TextPlan) -> Result<Speech<'a>, RunError> {
    let (section, member) = &plan.column;
    let fitted: &'a [FittedColumn] = &asked.run.info.fitted;
    let named = fitted
        .iter()
        .filter(|column| column.name == *member || column.fields.iter().any(|field| field.source == *member));
    let speech = named.chain(fitted).find_map(Speech::of);
    speech.ok_or_else(|| {
        let message = format!("`{section}.{member}` holds no tokens of texts");
        let d = Diagnostic::error("generate::tokens", message, plan.prompt_span, "cannot be read");
        d.help("make it of a text by `chars`, `words` or `bpe`").into()
    })
}

fn tokens_of(speech: &Speech, plan: &TextPlan, prompt: &str) -> Result<Vec<i32>, RunError> {
    let wrong = |message: String, help: &str| {
        RunError::from(
            Diagnostic::error("generate::prompt", message, plan.prompt_span, "the prompt").help(help),
        )
    };
    let tokens = speech.tokens(prompt).map_err(|sign| {
        wrong(
            format!("the model knows no {sign:?}: no training text has it"),
            "leave it out of the prompt, or train with `chars(pad=true)`, which has an id for unknown signs",
        )
    })?;
    if tokens.is_empty() {
        return Err(wrong("the prompt has no token".to_string(), "start with a word or a sign of the texts"));
    }
    Ok(tokens)
}
