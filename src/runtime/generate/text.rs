//! Texts that go on: a prompt, and the tokens that a model puts behind it.
//!
//! Each token is computed from all before it, up to the model's context; of a longer text the last tokens count, as many
//! as the context has. A model of texts looks back only.

use super::sampling::texts;
use super::writer::Writer;
use super::{Asked, FOLDER, Made, Passes};
use crate::diag::Diagnostic;
use crate::runtime::data::{FittedColumn, Speech};
use crate::runtime::engine::On;
use crate::runtime::error::RunError;
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

pub(super) fn make(
    asked: &Asked,
    plan: &TextPlan,
    on: On,
    prompt: Option<&str>,
    passes: Passes,
) -> Result<Made, RunError> {
    let speech = speech_of(asked, plan)?;
    let prompt = prompt.unwrap_or(&plan.prompt);
    let start = tokens_of(&speech, plan, prompt)?;
    let mut writer = Writer::new(asked, plan, on, start.len(), passes)?;
    let mut next = |texts: &[Vec<i32>]| writer.next(texts);
    let made = texts(&start, plan.max_new_tokens, &plan.sampling, asked.plan.seed, &mut next)?;
    let line = |tokens: Vec<i32>| {
        let text = format!("{prompt}{}", speech.behind(&tokens, start.len()));
        Line { prompt: prompt.to_string(), text, tokens }
    };
    let lines: Vec<Line> = made.into_iter().map(line).collect();
    let json = |line: &Line| serde_json::to_string(line).expect("generate: a line is plain data") + "\n";
    let name = format!("{}.jsonl", asked.plan.name);
    asked.dir.write(&name, lines.iter().map(json).collect::<String>().as_bytes())?;
    Ok(Made { files: vec![asked.run.path.join(FOLDER).join(name)], lines, note: writer.note() })
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
