//! The text of a dispatch: bindings, accessors, what is needed of `kernels/wgsl`, pieces, the entry point.

use super::looped::Turn;
use super::place::is_packed;
use super::skeleton;
use super::{Dispatch, Heap, Piece, Place, Target, WORKGROUP};
use crate::base::DType;
use crate::codegen::bind::Binding;
use crate::loops::{BufferId, Program};
use mlc_kernels::rng;
use std::fmt::Write as _;

/// A kernel in a dispatch.
pub struct Member<'a> {
    /// Of the program.
    pub kernel: usize,
    pub prefix: String,
    pub binding: &'a Binding,
    pub piece: Piece,
}

/// The prefix of the names of a dispatch's kernel at `position`.
pub fn prefix(position: usize) -> String {
    format!("k{position}_")
}

/// A dispatch, at all turns of a program, and its text; [`Dispatch::text`] and the names of kernels are left to the caller.
pub fn assemble(
    program: &Program,
    members: &[Member],
    turns: &[Turn],
    seed: u64,
    target: &Target,
) -> (Dispatch, String) {
    let places = &turns[0].places;
    let mut module = Module { program, places, heaps: Vec::new(), params: 0, accessors: String::new() };
    for member in members {
        module.add(member, turns[0].late.is_some());
    }
    let params: Vec<Vec<u32>> = turns.iter().map(|turn| words(members, turn, seed)).collect();
    assert_eq!(params[0].len(), module.params, "wgsl: every parameter has its word");
    let pieces: String = members.iter().map(|m| format!("\n{}\n", m.piece.text.trim_end())).collect();
    let entry = entry(members);
    let library = skeleton::needed(&format!("{}{pieces}", module.accessors));
    let text = format!("{}\n{}{library}{pieces}\n{entry}", module.bindings(), module.accessors);
    let labels = members.iter().map(|m| &*program.kernels[m.kernel].label);
    let labels: Vec<&str> = labels.filter(|label| !label.is_empty()).collect();
    let dispatch = Dispatch {
        text: 0,
        kernels: Vec::new(),
        label: labels.join(" + "),
        how: members.iter().map(|m| m.piece.how.clone()).collect(),
        grid: grid(members.iter().map(|m| m.piece.groups).sum(), target),
        params: params.into_iter().map(whole).collect(),
        heaps: module.heaps,
    };
    (dispatch, text)
}

struct Module<'a> {
    program: &'a Program,
    places: &'a [Option<Place>],
    heaps: Vec<(Heap, bool)>,
    /// How many words there are so far, in the order of [`words`].
    params: usize,
    accessors: String,
}

/// The words of a dispatch's parameters: for each member the bases of its slots, then the keys of its random sites
/// and, in a loop, what is added to their step.
fn words(members: &[Member], turn: &Turn, seed: u64) -> Vec<u32> {
    let of_member = |member: &Member| {
        let bases = member.binding.buffers.iter().map(|buffer| place(&turn.places, *buffer).word);
        let keys =
            member.binding.sites.iter().flat_map(|site| rng::key(seed, site).into_iter().chain(turn.late));
        bases.chain(keys).collect::<Vec<u32>>()
    };
    members.iter().flat_map(of_member).collect()
}

/// A whole number of vectors, at least one.
fn whole(mut words: Vec<u32>) -> Vec<u32> {
    words.resize(words.len().next_multiple_of(4).max(4), 0);
    words
}

fn place(places: &[Option<Place>], buffer: BufferId) -> Place {
    places[buffer.index()].expect("wgsl: what a kernel uses has a place")
}

impl Module<'_> {
    /// The parameters, heaps and accessors of a kernel.
    fn add(&mut self, member: &Member, late: bool) {
        let Member { prefix, binding, .. } = member;
        let kernel = &self.program.kernels[member.kernel];
        let (reads, writes) = (kernel.reads(), kernel.writes());
        for (slot, (&buffer, &dtype)) in binding.buffers.iter().zip(&binding.dtypes).enumerate() {
            let (read, write) = (reads.contains(&buffer), writes.contains(&buffer));
            self.slot(prefix, slot, buffer, dtype, [read, write]);
        }
        for site in 0..binding.sites.len() {
            let key = format!("vec2<u32>({}, {})", self.param(), self.param());
            let step = match late {
                false => "now.step".to_string(),
                true => format!("now.step + vec2<u32>(0u, {})", self.param()),
            };
            let f = &mut self.accessors;
            _ = writeln!(f, "fn {prefix}random{site}(element: u32) -> f32 {{");
            _ = writeln!(f, "    return mlc_uniform({key}, {step}, element);\n}}");
        }
    }

    fn slot(&mut self, prefix: &str, slot: usize, buffer: BufferId, dtype: DType, [read, write]: [bool; 2]) {
        let place = place(self.places, buffer);
        let heap = self.heap(place.heap, write);
        let base = self.param();
        let ty = match dtype {
            DType::F32 => "f32",
            DType::I32 => "i32",
            DType::U8 => "u32",
        };
        let f = &mut self.accessors;
        if read {
            let value = match dtype {
                DType::F32 | DType::I32 => format!("bitcast<{ty}>(heap{heap}[{base} + u32(i)])"),
                DType::U8 if is_packed(dtype, place.heap) => {
                    format!("(heap{heap}[{base} + (u32(i) >> 2u)] >> ((u32(i) & 3u) * 8u)) & 0xffu")
                }
                DType::U8 => format!("heap{heap}[{base} + u32(i)]"),
            };
            _ = writeln!(f, "fn {prefix}get{slot}(i: i32) -> {ty} {{\n    return {value};\n}}");
        }
        if write {
            let word = if ty == "u32" { "value".to_string() } else { "bitcast<u32>(value)".to_string() };
            _ = writeln!(f, "fn {prefix}set{slot}(i: i32, value: {ty}) {{");
            _ = writeln!(f, "    heap{heap}[{base} + u32(i)] = {word};\n}}");
        }
    }

    /// The number of a heap among those that are bound.
    fn heap(&mut self, heap: Heap, write: bool) -> usize {
        match self.heaps.iter_mut().position(|(h, _)| *h == heap) {
            Some(at) => {
                self.heaps[at].1 |= write;
                at
            }
            None => {
                self.heaps.push((heap, write));
                self.heaps.len() - 1
            }
        }
    }

    /// The expression of one more parameter.
    fn param(&mut self) -> String {
        let at = self.params;
        self.params += 1;
        format!("params[{}].{}", at / 4, ["x", "y", "z", "w"][at % 4])
    }

    fn bindings(&self) -> String {
        let mut text = String::from("struct Now {\n    step: vec2<u32>,\n    unused: vec2<u32>,\n}\n\n");
        text += "@group(0) @binding(0) var<uniform> now: Now;\n";
        let params = self.params.next_multiple_of(4).max(4) / 4;
        _ = writeln!(text, "@group(0) @binding(1) var<uniform> params: array<vec4<u32>, {params}>;");
        for (i, (_, writes)) in self.heaps.iter().enumerate() {
            let access = if *writes { "read_write" } else { "read" };
            let binding = i + 2;
            _ = writeln!(text, "@group(0) @binding({binding}) var<storage, {access}> heap{i}: array<u32>;");
        }
        text
    }
}

/// The entry point: each member gets its range of workgroups.
fn entry(members: &[Member]) -> String {
    let mut text = format!("@compute @workgroup_size({WORKGROUP})\nfn main(\n");
    text += "    @builtin(workgroup_id) at: vec3<u32>,\n    @builtin(num_workgroups) grid: vec3<u32>,\n";
    text += "    @builtin(local_invocation_index) local: u32,\n) {\n";
    text += "    let group = at.y * grid.x + at.x;\n";
    let mut first = 0;
    for (i, member) in members.iter().enumerate() {
        let end = first + member.piece.groups;
        let otherwise = if i == 0 { "    " } else { " else " };
        let own = if first == 0 { "group".to_string() } else { format!("group - {first}u") };
        _ = write!(
            text,
            "{otherwise}if (group < {end}u) {{\n        {}main({own}, local);\n    }}",
            member.prefix
        );
        first = end;
    }
    text + "\n}\n"
}

/// A grid of at least so many workgroups: along x, then folded into y.
fn grid(groups: u64, target: &Target) -> [u32; 3] {
    let most = u64::from(target.max_groups);
    let y = groups.div_ceil(most);
    assert!(y <= most, "wgsl: a dispatch has less than {most}^2 workgroups");
    [u32::try_from(groups.div_ceil(y.max(1))).expect("wgsl: checked"), y as u32, 1]
}
