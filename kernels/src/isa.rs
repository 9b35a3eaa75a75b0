//! Which instructions the processor has, found once at run time.

use std::fmt;
use std::sync::OnceLock;

/// The environment variable that names the instruction set to use.
const BY_NAME: &str = "MLC_ISA";

/// An instruction set that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// Whatever the build's target guarantees; `f32::mul_add` for every fused step.
    Portable,
    /// NEON, which every aarch64 has: 4 lanes.
    Neon,
    /// AVX2 with FMA: 8 lanes.
    Avx2,
    /// AVX-512 F, VL, DQ, BW: 16 lanes.
    Avx512,
}

impl Isa {
    /// The best this processor has.
    pub fn detect() -> Isa {
        Isa::all().last().expect("the portable one is always there")
    }

    /// What everything without an explicit choice runs on: [`chosen`](Isa::chosen), read once.
    ///
    /// # Panics
    /// If the environment names none that there is: a program asks `chosen` before it computes.
    pub fn current() -> Isa {
        static CURRENT: OnceLock<Isa> = OnceLock::new();
        *CURRENT.get_or_init(|| Isa::chosen().unwrap_or_else(|wrong| panic!("{wrong}")))
    }

    /// The one that the environment variable `MLC_ISA` names, or the best if it is unset or empty.
    pub fn chosen() -> Result<Isa, NoIsa> {
        match std::env::var_os(BY_NAME).filter(|name| !name.is_empty()) {
            None => Ok(Isa::detect()),
            Some(name) => Isa::named(&name.to_string_lossy()),
        }
    }

    /// One that this processor has, by its name.
    fn named(name: &str) -> Result<Isa, NoIsa> {
        Isa::all().find(|isa| isa.name() == name).ok_or_else(|| NoIsa(name.to_string()))
    }

    /// All that this processor can run, the least first.
    pub fn all() -> impl Iterator<Item = Isa> {
        [Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512].into_iter().filter(|isa| isa.is_available())
    }

    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Neon => "neon",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        match self {
            Isa::Portable => true,
            Isa::Neon => false,
            Isa::Avx2 => has!("avx2") && has!("fma"),
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && has!("avx512f")
                    && has!("avx512vl")
                    && has!("avx512dq")
                    && has!("avx512bw")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        self == Isa::Portable || (self == Isa::Neon && cfg!(target_arch = "aarch64"))
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no instruction set of this processor has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoIsa(String);

impl fmt::Display for NoIsa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let has: Vec<&str> = Isa::all().map(Isa::name).collect();
        let has = has.join(", ");
        write!(f, "{BY_NAME} is `{}`, but the instruction sets of this processor are: {has}", self.0)
    }
}

impl std::error::Error for NoIsa {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_what_the_processor_has() {
        for isa in Isa::all() {
            assert_eq!(Isa::named(isa.name()), Ok(isa));
        }
        for unknown in ["sse", "AVX2", " portable"] {
            let wrong = Isa::named(unknown).expect_err("no such name").to_string();
            assert!(wrong.starts_with(&format!("MLC_ISA is `{unknown}`")), "{wrong}");
            assert!(wrong.contains(": portable"), "{wrong}");
        }
    }
}
