//! The same bits on every instruction set, and on other machines.
//!
//! Small nets are trained with `MLC_ISA` at each set that this processor has; weights and losses must agree. With
//! `MLC_OTHER` (a command with its arguments that starts `mlc` of another machine, `qemu-aarch64 … mlc`) the same is
//! asked of that; `tests/aarch64.sh` sets it.

use crate::nets;
use crate::support::{root, stderr, stdout};
use mlc_kernels::Isa;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// What a training leaves: every weight and state, and what was logged.
#[derive(PartialEq)]
struct Left {
    weights: Vec<u8>,
    logged: Vec<String>,
}

/// Trains with the binary that `mlc` starts, on an instruction set, with products of some precision.
fn train(mlc: &[&str], isa: &str, precision: &str, spec: &Path, out: &Path) -> Left {
    let output = Command::new(mlc[0])
        .args(&mlc[1..])
        .arg("train")
        .arg(spec)
        .args(["--set", &format!("train.precision={precision}")])
        .args(["--steps", "12", "--threads", "2", "--progress", "plain", "--out"])
        .arg(out)
        .env("MLC_ISA", isa)
        .current_dir(root())
        .output()
        .expect("mlc starts");
    assert!(output.status.success(), "{} on {isa}: {}", spec.display(), stderr(&output));
    let file = |name: &str| fs::read(out.join(name)).expect("the run has weights and states");
    let record = fs::read_to_string(out.join("run.yaml")).expect("the run has a record");
    assert!(record.contains(&format!("{isa}, ")), "{isa} was used: {record}");
    let log = fs::read_to_string(out.join("metrics.jsonl")).expect("the run has a log");
    Left {
        weights: [file("model.safetensors"), file("optimizer.safetensors")].concat(),
        logged: log.lines().map(numbers).collect(),
    }
}

/// A line of the log without what the clock said.
fn numbers(line: &str) -> String {
    let mut line: serde_json::Value = serde_json::from_str(line).expect("a line is one object");
    let all = line.as_object_mut().expect("a line is one object");
    all.retain(|key, _| !["seconds", "samples_per_s"].contains(&key.as_str()));
    line.to_string()
}

/// Every net has the same bits by `mlc` on `isa` as by the binary under test on the best set.
fn compare(mlc: &[&str], isa: &str) {
    let place = tempfile::tempdir().expect("a temporary folder");
    let all = nets::write(place.path()).into_iter();
    for ((name, spec), precision) in all.flat_map(|net| ["f32", "bf16"].map(|p| (net.clone(), p))) {
        let here = place.path().join(format!("{name}.{precision}.here"));
        let there = place.path().join(format!("{name}.{precision}.there"));
        let wanted = train(&[env!("CARGO_BIN_EXE_mlc")], Isa::detect().name(), precision, &spec, &here);
        let found = train(mlc, isa, precision, &spec, &there);
        assert_eq!(found.logged, wanted.logged, "{name} in {precision} by {mlc:?} on {isa}");
        assert!(found.weights == wanted.weights, "{name} in {precision}: other weights by {mlc:?} on {isa}");
    }
}

#[test]
fn every_instruction_set_trains_to_the_same_bits() {
    for isa in Isa::all().filter(|isa| *isa != Isa::detect()) {
        compare(&[env!("CARGO_BIN_EXE_mlc")], isa.name());
    }
}

#[test]
fn another_machine_trains_to_the_same_bits() {
    // Not told as skipped: who builds for another machine names it.
    let Ok(other) = std::env::var("MLC_OTHER") else { return };
    let mlc: Vec<&str> = other.split_whitespace().collect();
    compare(&mlc, "");
}

fn check(isa: &str) -> Output {
    let mlc = Command::new(env!("CARGO_BIN_EXE_mlc"))
        .args(["check", "specs/xor.mlspec"])
        .env("MLC_ISA", isa)
        .current_dir(root())
        .output();
    mlc.expect("mlc starts")
}

/// With AVX the names of Cranelift's vector instructions begin with `v`, and rounding is one since SSE4.1.
#[test]
#[cfg(target_arch = "x86_64")]
fn generated_code_keeps_to_the_instruction_set() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (_, spec) = nets::write(place.path()).swap_remove(0);
    let asm = |isa: Isa| {
        let output = Command::new(env!("CARGO_BIN_EXE_mlc"))
            .args(["dump", "--stage", "asm"])
            .arg(&spec)
            .env("MLC_ISA", isa.name())
            .output()
            .expect("mlc starts");
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let portable = asm(Isa::Portable);
    assert!(portable.contains("mulps") && !portable.contains("vmulps") && !portable.contains("roundps"));
    for isa in Isa::all().filter(|isa| *isa != Isa::Portable) {
        assert!(asm(isa).contains("vmulps"), "{isa}");
    }
}

#[test]
fn an_instruction_set_that_is_not_there_is_told() {
    let output = check("sse9");
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let all: Vec<&str> = Isa::all().map(Isa::name).collect();
    let all = all.join(", ");
    let wanted = format!("mlc: MLC_ISA is `sse9`, but the instruction sets of this processor are: {all}\n");
    assert_eq!(told, wanted);
    assert!(check("").status.success() && check("portable").status.success());
}
