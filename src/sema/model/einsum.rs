//! `einsum("bij,bjk->bik", a, b)`: sums of products by the names of axes, two tensors at a time from the left.

use super::pipe::Inputs;
use super::several::Found;
use super::{Entity, Ev};
use crate::base::{Dim, Span};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::formula::{Checked, Given, Item, tensor_of};
use crate::sema::train;
use crate::syntax::ast::Arg;
use std::collections::BTreeMap;

/// A tensor and the names of its axes.
type Named = (Value, Vec<u8>);

pub(super) fn einsum(ev: &mut Ev, leading: Inputs, args: &[Arg], span: Span) -> Found {
    let mut given = leading;
    given.extend(train::given(ev, args)?);
    let text = given.iter().position(|g| matches!(g.value, Item::Text(_)));
    let Some(text) = text.map(|at| given.remove(at)) else {
        let d = Diagnostic::error("call::einsum", "`einsum` needs its equation", span, "no text among these");
        return ev.fail(d.help("write it first: `einsum(\"bij,bjk->bik\", a, b)`"));
    };
    let Item::Text(equation) = &text.value else { unreachable!("einsum: just looked") };
    let mut operands = Vec::new();
    for Given { value, span, .. } in given {
        let operand = ev.as_operand(value, span)?;
        ev.at(span);
        let v = tensor_of(ev.b, &operand);
        operands.push(ev.b.to_f32(v));
    }
    let ranks: Vec<usize> = operands.iter().map(|v| ev.b.shape(*v).rank()).collect();
    let (names, out) = match read(equation, &ranks) {
        Ok(read) => read,
        Err(why) => {
            let message = format!("\"{equation}\" does not fit its tensors: {why}");
            let d = Diagnostic::error("call::einsum", message, text.span, "this equation");
            return ev.fail(d.help("one letter for each axis, commas between tensors: \"bij,bjk->bik\""));
        }
    };
    sizes_agree(ev, &operands, &names, span)?;
    ev.at(span);
    let first = operands.first().copied();
    let named: Vec<Named> =
        operands.into_iter().zip(names).map(|(v, names)| diagonal(ev.b, v, names)).collect();
    let made = product(ev.b, named, &out);
    let text = format!("`einsum` gives {}", ev.b.ty(made));
    ev.scope.note(made, first, span, text);
    Ok(Item::<Entity>::Tensor(made))
}

/// The names of each tensor's axes and of the result's.
fn read(equation: &str, ranks: &[usize]) -> Result<(Vec<Vec<u8>>, Vec<u8>), String> {
    let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, out) = match text.split_once("->") {
        Some((inputs, out)) => (inputs, Some(out)),
        None => (text.as_str(), None),
    };
    let inputs: Vec<&str> = inputs.split(',').collect();
    if inputs.len() != ranks.len() || ranks.is_empty() {
        return Err(format!("it names {} tensors, but {} came", inputs.len(), ranks.len()));
    }
    let letters = text.replace("...", "").replace("->", "").replace(',', "");
    if let Some(odd) = letters.chars().find(|c| !c.is_ascii_alphabetic()) {
        return Err(format!("`{odd}` is no letter"));
    }
    let in_front = |(part, &rank): (&&str, &usize)| {
        let named = part.replace("...", "").len();
        match part.contains("...") {
            true => rank.checked_sub(named).ok_or_else(|| format!("`{part}` has more axes than its tensor")),
            false if named == rank => Ok(0),
            false => Err(format!("`{part}` names {named} axes, but its tensor has {rank}")),
        }
    };
    let counts = inputs.iter().zip(ranks).map(in_front).collect::<Result<Vec<_>, _>>()?;
    let most = counts.iter().copied().max().unwrap_or(0);
    if inputs.iter().zip(&counts).any(|(part, n)| part.contains("...") && *n != most) {
        return Err("`...` stands for other axes in each tensor".to_string());
    }
    let unused = (b'A'..=b'Z').chain(b'a'..=b'z').filter(|l| !letters.contains(char::from(*l)));
    let fresh: Vec<u8> = unused.take(most).collect();
    let names = |part: &str| match part.split_once("...") {
        Some((before, after)) => [before.as_bytes(), &fresh, after.as_bytes()].concat(),
        None => part.as_bytes().to_vec(),
    };
    let inputs: Vec<Vec<u8>> = inputs.into_iter().map(names).collect();
    let out = match out {
        Some(out) => names(out),
        None => once(&inputs, &fresh),
    };
    let known = |l: &u8| inputs.iter().any(|names| names.contains(l));
    if let Some(lost) = out.iter().find(|l| !known(l)) {
        return Err(format!("`{}` of the result is in no tensor", char::from(*lost)));
    }
    match out.iter().enumerate().any(|(i, l)| out[..i].contains(l)) {
        true => Err("a letter stands twice in the result".to_string()),
        false => Ok((inputs, out)),
    }
}

/// Without `->`: the axes in front, then every letter that stands once, by the alphabet.
fn once(inputs: &[Vec<u8>], fresh: &[u8]) -> Vec<u8> {
    let mut all: Vec<u8> = inputs.concat();
    all.sort_unstable();
    let single = |l: &u8| all.iter().filter(|x| *x == l).count() == 1 && !fresh.contains(l);
    fresh.iter().copied().chain(all.iter().copied().filter(single)).collect()
}

fn sizes_agree(ev: &mut Ev, operands: &[Value], names: &[Vec<u8>], span: Span) -> Checked<()> {
    let mut sizes: BTreeMap<u8, Dim> = BTreeMap::new();
    for (v, names) in operands.iter().zip(names) {
        for (size, name) in ev.b.shape(*v).clone().iter().zip(names) {
            let known = sizes.entry(*name).or_insert_with(|| size.clone());
            if known != size {
                let message = format!("axis `{}` is {known} and {size}", char::from(*name));
                let d = Diagnostic::error("shape::mismatch", message, span, "shapes clash here");
                let d = d.help("axes of one name are equally long");
                let d = operands.iter().fold(d, |d, v| ev.scope.explain(d, *v));
                return ev.fail(d);
            }
        }
    }
    Ok(())
}

/// A name that stands twice in one tensor is its diagonal: elsewhere zeros, then the sum along one of both.
fn diagonal(b: &mut Builder, v: Value, mut names: Vec<u8>) -> Named {
    let mut v = v;
    while let Some((i, j)) = twice(&names) {
        let shape = b.shape(v).clone();
        let (rows, columns) = (b.iota(shape.clone(), i), b.iota(shape, j));
        let here = b.eq(rows, columns);
        let zero = b.constant(0.0);
        let alone = b.select(here, v, zero);
        v = b.sum(alone, &[j]);
        names.remove(j);
    }
    (v, names)
}

fn twice(names: &[u8]) -> Option<(usize, usize)> {
    (0..names.len()).find_map(|j| Some((names[..j].iter().position(|l| *l == names[j])?, j)))
}

fn product(b: &mut Builder, mut named: Vec<Named>, out: &[u8]) -> Value {
    let (mut v, mut names) = named.remove(0);
    let mut left = named.into_iter().peekable();
    while let Some((next, others)) = left.next() {
        let rest: Vec<u8> = left.clone().flat_map(|(_, names)| names).collect();
        let mut kept: Vec<u8> = names.clone();
        kept.extend(others.iter().filter(|l| !names.contains(l)));
        kept.retain(|l| out.contains(l) || rest.contains(l));
        let into = if left.peek().is_none() { out.to_vec() } else { kept };
        let text = |labels: &[u8]| labels.iter().map(|l| char::from(*l)).collect::<String>();
        v = b.contract(&format!("{},{}->{}", text(&names), text(&others), text(&into)), v, next);
        names = into;
    }
    let lone: Vec<usize> = (0..names.len()).filter(|&i| !out.contains(&names[i])).collect();
    let v = b.sum(v, &lone);
    names.retain(|l| out.contains(l));
    let place =
        |l: &u8| names.iter().position(|x| x == l).expect("einsum: every name of the result is there");
    let perm: Vec<usize> = out.iter().map(place).collect();
    b.permute(v, &perm)
}
