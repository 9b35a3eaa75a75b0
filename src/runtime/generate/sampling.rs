//! Which token comes next: the most probable, one that is drawn, or the best of several beams.
//!
//! The rules and their order are those of Hugging Face's `generate`: repeated runs are banned, then logits are divided by
//! the temperature, cut to the `top_k` largest, cut to the fewest that reach `top_p`, and drawn from by their softmax.
//! Sums are `f64` in the order of ids, random numbers are counted by text and place: the same on every machine that
//! gives the same logits.

use crate::sema::job::Sampling;
use mlc_kernels::rng;
use std::cmp::Ordering;

/// Gives for each text the logits of what may follow.
pub type Next<'n, E> = &'n mut dyn FnMut(&[Vec<i32>]) -> Result<Vec<Vec<f32>>, E>;

/// How many texts are followed at once.
pub fn rows(sampling: &Sampling) -> usize {
    if sampling.do_sample { sampling.num_return_sequences } else { sampling.num_beams }
}

/// The prompt with `more` tokens behind, as often as is asked for, the most probable text of a search first.
pub fn texts<E>(
    prompt: &[i32],
    more: usize,
    sampling: &Sampling,
    seed: u64,
    next: Next<E>,
) -> Result<Vec<Vec<i32>>, E> {
    if !sampling.do_sample && sampling.num_beams > 1 {
        return beams(prompt, more, sampling, next);
    }
    let mut texts = vec![prompt.to_vec(); rows(sampling)];
    let keys: Vec<[u32; 2]> =
        (0..texts.len()).map(|row| rng::key(seed, &format!("generate {row}"))).collect();
    for place in 0..more {
        let logits = next(&texts)?;
        for ((text, logits), key) in texts.iter_mut().zip(logits).zip(&keys) {
            let mut logits: Vec<f64> = logits.into_iter().map(f64::from).collect();
            ban(&mut logits, text, sampling);
            let id = match sampling.do_sample {
                true => drawn(logits, sampling, f64::from(rng::uniform(*key, place as u64, 0))),
                false => largest(&logits),
            };
            text.push(id as i32);
        }
    }
    Ok(texts)
}

/// Follows the most probable texts; all have one length, so that none needs a penalty for its own.
fn beams<E>(prompt: &[i32], more: usize, sampling: &Sampling, next: Next<E>) -> Result<Vec<Vec<i32>>, E> {
    let width = sampling.num_beams;
    // All start alike: only the first counts.
    let mut texts: Vec<(f64, Vec<i32>)> =
        (0..width).map(|i| (if i == 0 { 0.0 } else { f64::NEG_INFINITY }, prompt.to_vec())).collect();
    for _ in 0..more {
        let now: Vec<Vec<i32>> = texts.iter().map(|(_, text)| text.clone()).collect();
        let mut all: Vec<(f64, usize, usize)> = Vec::new();
        for (beam, logits) in next(&now)?.into_iter().enumerate() {
            let mut logs = log_softmax(logits.into_iter().map(f64::from).collect());
            ban(&mut logs, &now[beam], sampling);
            let (score, _) = texts[beam];
            all.extend(logs.into_iter().enumerate().map(|(id, log)| (score + log, beam, id)));
        }
        // Of equal ones the first: the sort is stable.
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        texts = all
            .into_iter()
            .take(width)
            .map(|(score, beam, id)| {
                let mut text = now[beam].clone();
                text.push(id as i32);
                (score, text)
            })
            .collect();
        while texts.len() < width {
            // Fewer ids than beams.
            texts.push((f64::NEG_INFINITY, texts[0].1.clone()));
        }
    }
    Ok(texts.into_iter().take(sampling.num_return_sequences).map(|(_, text)| text).collect())
}

/// Rules out every token that would end a run of tokens which the text has already.
fn ban(logits: &mut [f64], text: &[i32], sampling: &Sampling) {
    let Some(size) = sampling.no_repeat_ngram_size else { return };
    let Some(start) = (text.len() + 1).checked_sub(size) else { return };
    let last = &text[start..];
    for run in text.windows(size).filter(|run| &run[..size - 1] == last) {
        if let Some(logit) = usize::try_from(run[size - 1]).ok().and_then(|id| logits.get_mut(id)) {
            *logit = f64::NEG_INFINITY;
        }
    }
}

/// The id with the largest number; of equal ones the first.
fn largest(logits: &[f64]) -> usize {
    let mut best = 0;
    for (id, x) in logits.iter().enumerate() {
        if *x > logits[best] {
            best = id;
        }
    }
    best
}

/// The id that a uniform number draws.
fn drawn(mut logits: Vec<f64>, sampling: &Sampling, uniform: f64) -> usize {
    logits.iter_mut().for_each(|x| *x /= sampling.temperature);
    if let Some(k) = sampling.top_k {
        top_k(&mut logits, k);
    }
    if let Some(p) = sampling.top_p {
        top_p(&mut logits, p);
    }
    let shares = softmax(&logits);
    let wanted = uniform * shares.iter().sum::<f64>();
    let mut sum = 0.0;
    for (id, share) in shares.iter().enumerate() {
        sum += share;
        if wanted < sum {
            return id;
        }
    }
    // Every number is banned, or rounding has eaten the last.
    largest(&logits)
}

/// Leaves the `k` largest, and what equals the least of them.
fn top_k(logits: &mut [f64], k: usize) {
    let mut sorted = logits.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let Some(least) = sorted.get(k - 1).copied() else { return };
    logits.iter_mut().filter(|x| **x < least).for_each(|x| *x = f64::NEG_INFINITY);
}

/// Leaves the fewest whose probabilities together reach `p`, and one at least.
fn top_p(logits: &mut [f64], p: f64) {
    let shares = softmax(logits);
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| shares[*a].partial_cmp(&shares[*b]).unwrap_or(Ordering::Equal));
    let mut sum = 0.0;
    for id in &order[..order.len() - 1] {
        sum += shares[*id];
        if sum <= 1.0 - p {
            logits[*id] = f64::NEG_INFINITY;
        }
    }
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return vec![0.0; logits.len()];
    }
    let exps: Vec<f64> = logits.iter().map(|x| libm::exp(x - most)).collect();
    let sum: f64 = exps.iter().sum();
    exps.into_iter().map(|x| x / sum).collect()
}

fn log_softmax(logits: Vec<f64>) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|x| libm::exp(x - most)).sum();
    let log = libm::log(sum);
    logits.into_iter().map(|x| x - most - log).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Sampling = Sampling {
        do_sample: false,
        temperature: 1.0,
        top_k: None,
        top_p: None,
        num_beams: 1,
        no_repeat_ngram_size: None,
        num_return_sequences: 1,
    };

    /// After 0 comes 1 most often, but what follows 2 is nearly sure.
    fn chain(texts: &[Vec<i32>]) -> Result<Vec<Vec<f32>>, ()> {
        let after = |text: &Vec<i32>| match text.last() {
            Some(0) => vec![-9.0, 0.5, 0.4],
            Some(1) => vec![0.1, 0.0, 0.05],
            _ => vec![5.0, 0.0, 0.0],
        };
        Ok(texts.iter().map(after).collect())
    }

    fn run(more: usize, sampling: &Sampling, seed: u64) -> Vec<Vec<i32>> {
        texts(&[0], more, sampling, seed, &mut chain).unwrap()
    }

    #[test]
    fn greedy_takes_the_nearest_and_beams_look_ahead() {
        assert_eq!(run(2, &PLAIN, 0), [[0, 1, 0]]);
        let beams = Sampling { num_beams: 3, num_return_sequences: 2, ..PLAIN };
        assert_eq!(run(2, &beams, 0)[0], [0, 2, 0]);
        assert_eq!(run(2, &beams, 0).len(), 2);
    }

    #[test]
    fn draws_are_of_the_seed_and_the_text() {
        let drawn = Sampling { do_sample: true, num_return_sequences: 4, ..PLAIN };
        let first = run(30, &drawn, 1);
        assert_eq!(first, run(30, &drawn, 1));
        assert_ne!(first, run(30, &drawn, 2));
        assert_ne!(first[0], first[1]);
        // Of one there is nothing to choose.
        assert_eq!(run(9, &Sampling { top_k: Some(1), ..drawn.clone() }, 1)[2], run(9, &PLAIN, 0)[0]);
        assert_eq!(run(9, &Sampling { top_p: Some(1e-9), ..drawn.clone() }, 1)[2][..2], [0, 1]);
        assert_eq!(run(9, &Sampling { temperature: 1e-3, ..drawn }, 1)[3][..3], [0, 1, 0]);
    }

    #[test]
    fn shares_are_those_of_the_softmax() {
        let drawn = Sampling { do_sample: true, num_return_sequences: 4000, ..PLAIN };
        let ones = run(1, &drawn, 3).iter().filter(|text| text[1] == 1).count() as f64;
        let wanted = 4000.0 * softmax(&[-9.0, 0.5, 0.4])[1];
        assert!((ones - wanted).abs() < 4.0 * (wanted * 0.5).sqrt(), "{ones} of {wanted}");
    }

    #[test]
    fn no_run_comes_twice() {
        for sampling in [
            Sampling { no_repeat_ngram_size: Some(2), ..PLAIN },
            Sampling { no_repeat_ngram_size: Some(2), num_beams: 2, ..PLAIN },
            Sampling { no_repeat_ngram_size: Some(2), do_sample: true, ..PLAIN },
        ] {
            // With three words, no word has more than three others behind it.
            let text = run(4, &sampling, 5).remove(0);
            let mut runs: Vec<&[i32]> = text.windows(2).collect();
            runs.sort_unstable();
            runs.dedup();
            assert_eq!(runs.len(), 4, "{text:?}");
        }
    }

    #[test]
    fn the_fewest_that_reach_a_share_stay() {
        let kept = |p: f64| {
            let mut logits: Vec<f64> = [0.5f64, 0.3, 0.2].iter().map(|x| x.ln()).collect();
            top_p(&mut logits, p);
            logits.iter().filter(|x| x.is_finite()).count()
        };
        assert_eq!([kept(0.4), kept(0.6), kept(0.9), kept(1.0)], [1, 2, 3, 3]);
    }

    /// What Hugging Face's filters keep (`tests/goldens/generate.py`).
    #[test]
    fn filters_keep_what_those_of_transformers_keep() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/goldens/generate.json");
        let goldens: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in goldens["filters"].as_array().unwrap() {
            let numbers = case["logits"].as_array().unwrap();
            let mut logits: Vec<f64> = numbers.iter().map(|x| x.as_f64().unwrap()).collect();
            if let Some(temperature) = case["temperature"].as_f64() {
                logits.iter_mut().for_each(|x| *x /= temperature);
            }
            if let Some(k) = case["top_k"].as_u64() {
                top_k(&mut logits, k as usize);
            }
            if let Some(p) = case["top_p"].as_f64() {
                top_p(&mut logits, p);
            }
            let kept: Vec<usize> = (0..logits.len()).filter(|id| logits[*id].is_finite()).collect();
            assert_eq!(serde_json::Value::from(kept), case["kept"], "{case}");
        }
    }
}
