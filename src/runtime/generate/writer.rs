//! The logits of what follows each of several texts.
//!
//! A model that provably looks back only takes one step for each token ([`stepwise`]): what earlier tokens left lies in
//! states, and a beam goes on from those of the beam that it came from. Steps end where the text outgrows the context: then
//! the context moves on, every token has another place, and each pass goes over all of it, as it does for a model of which
//! nothing could be proved. Behind a text that is shorter than the context stand fillers. If the logits change
//! with them, the model looks ahead, and there is nothing to say of what follows.

use super::sampling::rows;
use super::{Asked, Model, Passes};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::opt::stepwise::{PARENT, POSITION, Parents, Unproven, stepwise};
use crate::runtime::engine::On;
use crate::runtime::error::RunError;
use crate::runtime::memory::Block;
use crate::sema::job::TextPlan;
use std::sync::Arc;

/// The columns of all programs, in order.
const COLUMNS: [&str; 2] = ["tokens", PARENT];

pub(super) struct Writer {
    model: Model,
    context: usize,
    /// The programs that go by steps, and over all of the context.
    step: Option<usize>,
    whole: Option<usize>,
    tokens: Block,
    parents: Block,
    /// By row: the tokens that its states were made of.
    seen: Vec<Vec<i32>>,
    /// Where nothing could be proved, until it was tried out.
    doubt: Option<Unproven>,
    position: [(Arc<str>, f32); 1],
    note: Option<String>,
}

impl Writer {
    /// For texts that start with so many tokens.
    pub(super) fn new(
        asked: &Asked,
        plan: &TextPlan,
        on: On,
        start: usize,
        passes: Passes,
    ) -> Result<Writer, RunError> {
        let bindings = asked.bindings();
        let context = plan.context.bind(&bindings).as_const();
        let context = context.expect("generate: a run knows every size") as usize;
        let batch = rows(&plan.sampling);
        let sized = plan.graph.bind(&bindings);
        let tokens = sized.leaf(COLUMNS[0]).expect("generate: a text has tokens");
        let parents = match !plan.sampling.do_sample && plan.sampling.num_beams > 1 {
            true => Parents::Any,
            false => Parents::Own,
        };
        let (stepped, doubt) = match (passes, stepwise(&sized, tokens, parents)) {
            (Passes::Steps, Ok(graph)) => (Some(graph).filter(|_| start <= context), None),
            (Passes::Steps, Err(doubt)) => (None, Some(doubt)),
            (Passes::Whole, proof) => (None, proof.err()),
        };
        let longest = start + plan.max_new_tokens - 1;
        let whole = (stepped.is_none() || longest > context).then_some(sized);
        let step = stepped.as_ref().map(|_| 0);
        let at = step.map_or(0, |step| step + 1);
        let whole_at = whole.as_ref().map(|_| at);
        let graphs: Vec<_> = stepped.into_iter().chain(whole).collect();
        let model = asked.model(&graphs, batch, &COLUMNS, on)?;
        Ok(Writer {
            model,
            context,
            step,
            whole: whole_at,
            tokens: Block::new(batch * context * size_of::<i32>()),
            parents: Block::new(batch * size_of::<i32>()),
            seen: vec![Vec::new(); batch],
            doubt,
            position: [(POSITION.into(), 0.0)],
            note: None,
        })
    }

    pub(super) fn note(&self) -> Option<String> {
        self.note.clone()
    }

    /// The logits of what follows each text; all have one length.
    pub(super) fn next(&mut self, texts: &[Vec<i32>]) -> Result<Vec<Vec<f32>>, RunError> {
        if texts[0].len() <= self.context
            && let Some(step) = self.step
        {
            return self.by_steps(step, texts);
        }
        let whole = self.whole.expect("generate: what has no steps has passes");
        let logits = self.by_pass(whole, texts, 0)?;
        if texts[0].len() < self.context
            && let Some(doubt) = self.doubt.take()
        {
            // The last id: another than 0 but where there is only one.
            let other = logits[0].len().saturating_sub(1) as i32;
            if self.by_pass(whole, texts, other)? != logits {
                return Err(looks_ahead(doubt.span));
            }
            self.note = Some(
                "each token took a pass over the whole context, since nothing shows that the model looks back only"
                    .to_string(),
            );
        }
        Ok(logits)
    }

    /// Goes on from the states, or from the start.
    fn by_steps(&mut self, step: usize, texts: &[Vec<i32>]) -> Result<Vec<Vec<f32>>, RunError> {
        let known = self.seen[0].len();
        let parent = |text: &Vec<i32>| self.seen.iter().position(|seen| text.starts_with(seen));
        let own: Vec<usize> = (0..texts.len()).collect();
        let parents = match texts.iter().map(parent).collect::<Option<Vec<usize>>>() {
            // Rows that saw the same hold the same.
            Some(_) if texts.iter().zip(&self.seen).all(|(text, seen)| text.starts_with(seen)) => own.clone(),
            Some(parents) => parents,
            None => own.clone(),
        };
        let goes_on = known < texts[0].len()
            && texts.iter().zip(&parents).all(|(text, parent)| text.starts_with(&self.seen[*parent]));
        let mut parents = parents;
        let mut logits = Vec::new();
        for place in if goes_on { known } else { 0 }..texts[0].len() {
            let tokens: Vec<i32> = texts.iter().map(|text| text[place]).collect();
            fill(&self.tokens, &tokens);
            fill(&self.parents, &parents.iter().map(|row| *row as i32).collect::<Vec<_>>());
            parents.clone_from(&own);
            self.position[0].1 = place as f32;
            let columns = [self.tokens.at(0), self.parents.at(0)];
            logits = self.model.run(step, &columns, &self.position, 0)?;
        }
        self.seen = texts.to_vec();
        Ok(logits.chunks(logits.len() / texts.len()).map(<[f32]>::to_vec).collect())
    }

    /// Computes all of the context, filled up behind the texts.
    fn by_pass(&mut self, whole: usize, texts: &[Vec<i32>], filler: i32) -> Result<Vec<Vec<f32>>, RunError> {
        let mut tokens = vec![filler; texts.len() * self.context];
        let mut lengths = Vec::new();
        for (text, row) in texts.iter().zip(tokens.chunks_mut(self.context)) {
            let seen = &text[text.len().saturating_sub(self.context)..];
            row[..seen.len()].copy_from_slice(seen);
            lengths.push(seen.len());
        }
        fill(&self.tokens, &tokens);
        let logits = self.model.run(whole, &[self.tokens.at(0), self.parents.at(0)], &[], 0)?;
        let ids = logits.len() / tokens.len();
        let at = |(row, length): (usize, &usize)| {
            let start = (row * self.context + length - 1) * ids;
            logits[start..start + ids].to_vec()
        };
        Ok(lengths.iter().enumerate().map(at).collect())
    }
}

fn fill(block: &Block, numbers: &[i32]) {
    let bytes = size_of_val(numbers);
    assert!(bytes <= block.len(), "generate: the block has room for every text");
    // SAFETY: the block has room for all numbers, which lie elsewhere, and no run is under way that reads it.
    unsafe { std::ptr::copy_nonoverlapping(numbers.as_ptr().cast::<u8>(), block.at(0), bytes) };
}

fn looks_ahead(span: Span) -> RunError {
    let message = "the model looks ahead: what it says of a token changes with those behind it";
    let d = Diagnostic::error("generate::ahead", message, span, "all steps may be seen here");
    d.help(
        "let each step see earlier ones only: `mask=causal`, `causal=true`, `padding=causal`, or a recurrent layer that goes \
         forward",
    )
    .into()
}
